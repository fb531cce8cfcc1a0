//! What can be typed about the audit trail.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::audit::chain::Head;
use crate::cli::args::export::{EXPORT_HELP, ExportArguments, IMPORT_HELP, ImportArguments};
use crate::cli::audit::parse_anchor;

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
    /// Export the trail to keep or check it elsewhere, all of it or what is new
    #[command(after_help = EXPORT_HELP)]
    Export(ExportArguments),
    /// Take an exported trail into an empty store, to review it
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArguments),
    /// Check that no record was changed, removed or added behind the program's back
    #[command(after_help = VERIFY_HELP)]
    Verify {
        /// Check from this record on, which `audit anchor` once printed
        #[arg(long, value_name = "SEQ:HASH", value_parser = parse_anchor)]
        from_anchor: Option<Head>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print number and hash of the last record, to be kept where nobody who changes the store can change them
    #[command(after_help = ANCHOR_HELP)]
    Anchor {
        /// Also add them as a note to the commit that is checked out in this git repository
        #[arg(long, value_name = "REPO")]
        git_note: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What stands below the options of `audit verify`.
const VERIFY_HELP: &str = "\
Checked are the hashes and links of all records, both ends, the head file outside the store, the checkpoint of what was \
removed on request, the indexes, and that the stored jobs say what the records say.

Exit codes of this command:
  0  the trail is whole
  1  it is broken: the first bad record is named
  2  it is incomplete: something is known to be missing, or the anchor names what is not there
  3  it cannot be read";

/// What stands below the options of `audit anchor`.
const ANCHOR_HELP: &str = "\
Later, this proves that the record is still the same and that everything after it follows from it:
  agent-dispatch audit verify --from-anchor SEQ:HASH";
