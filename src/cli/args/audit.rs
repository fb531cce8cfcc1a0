//! What can be typed about the audit trail.

use clap::{Args, Subcommand};

use crate::cli::args::ReportArguments;

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
    /// Write a page about a period, with charts, for a browser; it loads nothing from anywhere
    Report(ReportArguments),
    /// Check that no record was changed, removed or added behind the log's back; exits with 1 if one was
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
