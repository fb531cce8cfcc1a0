//! What can be typed about the audit trail.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::audit::chain::Head;
use crate::cli::args::export::{EXPORT_HELP, ExportArguments, IMPORT_HELP, ImportArguments};
use crate::cli::args::number::{amount, whole};
use crate::cli::audit::parse_anchor;

use crate::cli::args::ReportArguments;

#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArguments {
    /// At most so many records, the newest; 0 for all
    #[arg(short = 'n', long, default_value_t = 20, value_parser = whole::<u32>(0..=u64::from(u32::MAX)))]
    pub(in crate::cli) limit: u32,
    /// The oldest of them first
    #[arg(short, long)]
    pub(in crate::cli) reverse: bool,
    /// Go on with new records as they come, until Ctrl-C; also over a restart of the daemon
    #[arg(short, long, conflicts_with_all = ["reverse", "dispatches"])]
    pub(in crate::cli) follow: bool,
    /// One line for each dispatch, with its end, instead of one for each record
    #[arg(long)]
    pub(in crate::cli) dispatches: bool,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArguments,
    // Last: its heading stands over all that follows.
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct OutputArguments {
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(in crate::cli) output: Layout,
    /// Only these fields, in this order: dotted names such as `agent,end.cost_usd`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) fields: Vec<String>,
    /// Print JSON: short for `-o json`
    #[arg(long, conflicts_with = "output")]
    pub(in crate::cli) json: bool,
}

/// How records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Layout {
    /// Columns that fit the terminal
    Table,
    /// One whole line each
    Oneline,
    /// One array
    Json,
    /// One object a line
    Jsonl,
    /// Comma-separated values (RFC 4180)
    Csv,
}

/// Which records are meant. Several of one kind: any of them.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Which records (all that are given must hold; of several of one kind, repeated or with commas, any)"
)]
pub(in crate::cli) struct FilterArguments {
    /// Not older than this: `2h ago`, `10:15`, `yesterday 15:00`, `monday`, `2026-11-21 10:15`, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Not newer than this
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// Of this agent
    #[arg(long, value_delimiter = ',')]
    pub(in crate::cli) agent: Vec<String>,
    /// Asked for by this one: a declared name, a client, or a session's id
    #[arg(long, value_name = "WHO")]
    pub(in crate::cli) caller: Vec<String>,
    /// That say the job became this: done, failed, cancelled, interrupted, refused, pending, running
    #[arg(long, value_delimiter = ',')]
    pub(in crate::cli) status: Vec<String>,
    /// With this verdict of the agent: done, partial, blocked
    #[arg(long, value_delimiter = ',')]
    pub(in crate::cli) outcome: Vec<String>,
    /// Of failures of this class: timeout, permission, budget, ...
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    pub(in crate::cli) error_type: Vec<String>,
    /// Of this conversation (the beginning of its id is enough)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(in crate::cli) session: Vec<String>,
    /// Of runs that used this tool, or were denied it
    #[arg(long, value_delimiter = ',')]
    pub(in crate::cli) tool: Vec<String>,
    /// Of runs that are known to have been denied a tool
    #[arg(long)]
    pub(in crate::cli) denied: bool,
    /// Of answers from the cache
    #[arg(long)]
    pub(in crate::cli) cached: bool,
    /// Of runs with such a model; a part of its name is enough
    #[arg(long, value_delimiter = ',')]
    pub(in crate::cli) model: Vec<String>,
    /// Of runs that cost this many US dollars or more
    #[arg(long, value_name = "USD", value_parser = amount)]
    pub(in crate::cli) min_cost: Option<f64>,
    /// Of runs that took this long or longer: `90s`, `5 min`
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) slower_than: Option<String>,
    /// Of this dispatch (the beginning of its id is enough)
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) dispatch: Option<String>,
    /// Of the whole call tree to which this dispatch belongs
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) tree: Option<String>,
    /// With a text that fits this pattern; upper and lower case are the same
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(in crate::cli) grep: Vec<String>,
    /// Of this event: requested, refused, hit, joined, started, finished, cancelled, gc, ...
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(in crate::cli) event: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AuditCommand {
    /// Show a dispatch with all its records, or one record
    Show {
        /// A dispatch's id (the beginning is enough) or a record's number
        what: String,
        #[command(flatten)]
        part: ShowPart,
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
    /// Compare two dispatches: circumstances, numbers, and the answers line by line; exits with 1 if those differ
    Diff {
        /// A dispatch's id (the beginning is enough)
        first: String,
        /// The other's
        second: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show which dispatches changed a file last, as far as their records name the files
    Blame {
        /// The file; it need not exist any more
        path: PathBuf,
        /// At most so many dispatches, 1 to 1000
        #[arg(short = 'n', long, default_value_t = 1, value_parser = whole::<u32>(1..=1000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Count dispatches: success, time, money, and what the cache and joining saved
    Stats {
        /// What each line is about
        #[arg(long, default_value = "agent")]
        by: StatsBy,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        filter: FilterArguments,
    },
    /// Export the trail to keep or check it elsewhere, all of it or what is new
    #[command(after_help = EXPORT_HELP)]
    Export(ExportArguments),
    /// Take an exported trail into an empty store, to review it
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArguments),
    /// Write a page about a period, with charts, for a browser; it loads nothing from anywhere
    Report(ReportArguments),
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

/// What stands below the options of `audit hash`.
const HASH_HELP: &str = "\
Records hold no value but its digest under a key that only the daemon has. A whole task, context or answer is found \
however long it is, a secret inside of one only in its first 8,192 characters. Exits with 1 when the value passed in no \
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
  cancel_requested  somebody asked for a running job to be stopped: `caller` is who
  cancelled         a job was stopped
  interrupted       a job's worker died, or never came; the conversation can be gone on with
  config_changed    agents, groups or settings were changed, with before and after
  config_refused    a session asked for a change of them that it may not make; nothing was changed
  cache_cleared     the cache was emptied
  gc                old jobs were removed
  key_replaced      the audit key is another one: `audit hash` finds nothing from before
  gap               records are missing
  quarantined       the store could not be opened and was set aside
  retention         old records were removed on request; a sealed checkpoint is left
  verify_failed     a check of the trail found a fault
`end.recovered` marks a result that was read from the run folder after the worker had died.";

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
/// What of a dispatch is shown; all that is known of it without one of these.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
#[expect(clippy::struct_excessive_bools, reason = "flags as they are typed, of which one may be given")]
pub(in crate::cli) struct ShowPart {
    /// Only the tools it used, and those it was denied
    #[arg(long)]
    pub(in crate::cli) tools: bool,
    /// Only its place in the tree of calls
    #[arg(long)]
    pub(in crate::cli) tree: bool,
    /// Only what it was asked
    #[arg(long)]
    pub(in crate::cli) prompt: bool,
    /// Only what it answered
    #[arg(long)]
    pub(in crate::cli) result: bool,
    /// Only the command that goes on with its conversation in a terminal
    #[arg(long, conflicts_with = "json")]
    pub(in crate::cli) resume: bool,
}

/// What a line of numbers is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum StatsBy {
    Agent,
    Caller,
    Model,
    Day,
    Error,
}

#[cfg(test)]
mod tests;
