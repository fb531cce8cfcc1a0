//! What can be typed to take the audit trail elsewhere.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArguments {
    /// The file to write, whole or not at all; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(in crate::cli) out: PathBuf,
    /// What to write
    #[arg(long, default_value = "jsonl")]
    pub(in crate::cli) format: ExportFormat,
    /// Only records not older than this: `2h ago`, `yesterday`, `2026-11-21 10:15`, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Only records not newer than this
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// Only what is new since the last export with this file, which remembers how far that came
    #[arg(long, value_name = "FILE", conflicts_with = "since")]
    pub(in crate::cli) cursor: Option<PathBuf>,
    /// Send the records to this collector as OpenTelemetry logs (OTLP/HTTP, JSON): `http://127.0.0.1:4318`
    ///
    /// Each is sent at least once, and again while the collector is busy or away; `log.record.uid` tells one that came
    /// twice. With --cursor the next run goes on where this one ended. There is no TLS: a collector on this machine takes
    /// the records further.
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "ENDPOINT", conflicts_with_all = ["out", "format", "until"])]
    pub(in crate::cli) otlp: Option<String>,
    /// Go on sending what is recorded from now on, until Ctrl-C
    #[cfg(feature = "otlp")]
    #[arg(short, long, requires = "otlp", conflicts_with_all = ["out", "format", "until"])]
    pub(in crate::cli) follow: bool,
}

/// The form of an exported file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExportFormat {
    /// One JSON object a line, each with its hash, and a manifest at the end: what `verify-export` and `audit import` take
    Jsonl,
    /// A table for spreadsheets
    Csv,
    /// One OCSF event a line (API Activity with the `ai_operation` profile), for a SIEM
    Ocsf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArguments {
    /// A file that `audit export` has written, in its usual format
    pub(in crate::cli) file: PathBuf,
}

/// What stands below the options of `audit export`.
pub(in crate::cli) const EXPORT_HELP: &str = "\
A line of the usual format holds a record exactly as it is stored, as the text `body`, with its number and the two hashes \
that bind it; the last line says what there is. Check a file anywhere with tools/verify_export, review it with \
`agent-dispatch audit import`. In a table, a cell that a spreadsheet would compute (it begins with = + - @) begins with \
an apostrophe.

With --cursor the file must be a new one each time, so that no earlier export is lost; the cursor moves when it is \
complete. For every night:
  agent-dispatch audit export --cursor ~/audit.cursor --out ~/audit-$(date +%F).jsonl

Exit codes:
   0  exported
   1  nothing (new) to export; no file was written
   2  the command line is not right
   5  the store cannot be reached, or the output cannot be written
  10  the cursor file cannot be read
  11  the record at the cursor is gone or is another one: the trail was cut off or written anew";

/// What stands below the options of `audit import`.
pub(in crate::cli) const IMPORT_HELP: &str = "\
The file is checked first, and nothing is taken in if it is broken. The store must be empty, so name a state directory of \
its own; everything about the trail works there, and nothing can be dispatched:
  AGENT_DISPATCH_STATE_DIR=~/review agent-dispatch audit import trail.jsonl
  AGENT_DISPATCH_STATE_DIR=~/review agent-dispatch audit verify";
