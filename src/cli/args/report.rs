//! What can be typed about the page that tells of a period.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArguments {
    /// Where to write the page; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: PathBuf,
    /// Only dispatches that ended at this time or later: `7d`, `yesterday`, `2026-11-21 10:15`, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Only dispatches that ended before this time
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// Only dispatches to this agent
    #[arg(long)]
    pub(in crate::cli) agent: Option<String>,
    /// Check the whole trail first, and say on the page what was found
    #[arg(long)]
    pub(in crate::cli) verify: bool,
}
