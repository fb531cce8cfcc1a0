//! What can be typed about the audit trail.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArguments {
    /// At most so many records, 1 to 1000
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(in crate::cli) limit: u32,
    /// Only records of this agent
    #[arg(long)]
    pub(in crate::cli) agent: Option<String>,
    /// Only records not older than this: `2h ago`, `yesterday`, `2026-11-21 10:15`, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Only records of this dispatch (the beginning of its id is enough)
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) dispatch: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AuditCommand {
    /// Show a dispatch with all its records, or one record
    Show {
        /// A dispatch's id (the beginning is enough) or a record's number
        what: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Find where an exact value passed - a task, a context, an answer, or a secret that was redacted - by its digest
    #[command(after_help = HASH_HELP)]
    Hash {
        /// The value; `-` reads standard input, which keeps it out of the shell's history
        value: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that no record was changed, removed or added behind the log's back; exits with 1 if one was
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What stands below the options of `audit hash`.
const HASH_HELP: &str = "\
Records hold no value but its digest under a key that only the daemon has. Exits with 1 when the value passed in no \
record.";

/// What stands below the options of `audit`.
pub(in crate::cli) const AUDIT_HELP: &str = "\
Events:
  requested         a dispatch was opened as a new job
  refused           a dispatch was refused; nothing ran
  hit               a dispatch was answered from the cache
  joined            a dispatch joined an identical one that was under way
  started           a run was about to start claude
  finished          a run ended by itself: well (`end.success`), or with `end.error_type`
  cancel_requested  somebody asked for a running job to be stopped
  cancelled         a job was stopped
  interrupted       a job's worker died, or never came; the conversation can be gone on with
  config_changed    agents, groups or settings were changed, with before and after
  cache_cleared     the cache was emptied
  gc                old jobs were removed
  key_replaced      the audit key is another one: `audit hash` finds nothing from before
  gap               records are missing
  quarantined       the store could not be opened and was set aside
`end.recovered` marks a result that was read from the run folder after the worker had died.";

#[cfg(test)]
mod tests;
