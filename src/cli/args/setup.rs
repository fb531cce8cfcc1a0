//! What can be typed about the program's surroundings: its registration, its health, its numbers.

use clap::{Args, ValueEnum};

use crate::cli::args::number::whole;

#[derive(Debug, Args)]
pub(in crate::cli) struct RegistrationArguments {
    /// Where Claude Code keeps it: for you everywhere, for you in this directory, or in this directory's .mcp.json
    #[arg(long, default_value = "user")]
    pub(in crate::cli) scope: Scope,
    /// Only say what would be done
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// Where Claude Code keeps a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Scope {
    User,
    Local,
    Project,
}

impl Scope {
    /// Returns the word that `claude mcp` takes.
    pub(in crate::cli) const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Local => "local",
            Self::Project => "project",
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArguments {
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Exit with 1 also when there are only warnings
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Also send this agent a small task, which costs what it costs
    #[arg(long, value_name = "AGENT")]
    pub(in crate::cli) live: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StatsArguments {
    /// Only dispatches of so many days; 0 for all that are on record
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = whole::<u32>(0..=36_500))]
    pub(in crate::cli) days: u32,
    /// Only dispatches to this agent
    #[arg(long)]
    pub(in crate::cli) agent: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// What stands below the options of `init`.
pub(super) const INIT_HELP: &str = "\
An agents file that exists is not touched. An older registration is replaced, and put back if that fails. \
It may be run again at any time, for example after the program was moved.

Examples:
  agent-dispatch init
  agent-dispatch init --scope project --dry-run";

/// What stands below the options of `doctor`.
pub(super) const DOCTOR_HELP: &str = "\
Nothing is changed, and nothing is dispatched except with --live. `claude` is asked about itself, which starts this server \
for a moment. \
Exits with 1 when something is broken: warnings do not count, unless --strict is given.

Examples:
  agent-dispatch doctor --strict
  agent-dispatch doctor --live infra";
