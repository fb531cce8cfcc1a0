//! Diagnostics: to stderr for front ends, to the log file for the daemon and its workers (their stderr).

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

/// How much to say when `AGENT_DISPATCH_LOG` does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// Also what a daemon does in its life.
    Life,
}

/// Sends diagnostics to stderr. `filter` is the value of `AGENT_DISPATCH_LOG`: a level, or levels of modules, such as
/// `info,agent_dispatch::daemon=trace`. One that cannot be understood counts as none.
pub fn start(filter: Option<&str>, verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::WARN,
        Verbosity::Life => LevelFilter::INFO,
    };
    let default = || Targets::new().with_default(level).with_target("rmcp", LevelFilter::OFF);
    let filter = filter.and_then(|filter| filter.parse().ok()).unwrap_or_else(default);
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    // Set once, at the start of the process; a test that starts twice keeps the first.
    let _kept =
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(lines));
}
