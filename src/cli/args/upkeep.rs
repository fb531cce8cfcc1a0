//! What can be typed about keeping and cleaning.

use clap::{Args, Subcommand};

use crate::cli::args::number::{amount, whole};

#[derive(Debug, Args)]
pub(in crate::cli) struct GcArguments {
    /// Days that what has ended is kept, such as 7 or 0.5; without it `job_retention_days` of the settings, else 7
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true, value_parser = amount, conflicts_with = "all")]
    pub(in crate::cli) days: Option<f64>,
    /// Remove everything that has ended
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Also remove audit records older than so many days, from the old end of the trail; without it none ever goes
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true, value_parser = amount)]
    pub(in crate::cli) audit_days: Option<f64>,
    /// Only show what would be removed
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Say nothing when all went well; with --dry-run, only how much would go
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SessionsArguments {
    /// Only those with this agent
    #[arg(long)]
    pub(in crate::cli) agent: Option<String>,
    /// At most so many, 1 to 1000
    #[arg(long, short = 'n', default_value_t = 20, value_parser = whole::<u32>(1..=1000))]
    pub(in crate::cli) limit: u32,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CacheCommand {
    /// Show how it does: answers kept, questions it answered and did not
    Stats {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget all answers; jobs stay
    Clear {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What stands below the options of `gc`.
pub(in crate::cli) const GC_HELP: &str = "\
Goes: jobs that ended that long ago, with what they were asked and answered; conversations not used since; cached answers \
that are too old; leftovers of crashes. Stays: whatever waits or runs, what cannot be read, and the audit trail.

Of the audit trail only its old end goes, and only with --audit-days; in its place stays a sealed checkpoint, so that \
`audit verify` can still tell that nothing else is missing.

From cron, once a night:
  17 3 * * *  $HOME/.local/bin/agent-dispatch gc --days 30 -q";
