//! `agent-dispatch audit import`: a trail that was exported elsewhere, taken into an empty store for review.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::audit::chain::Head;
use crate::audit::export::{Checker, LINE_BYTES_MAX, Manifest};
use crate::cli::args::ImportArguments;
use crate::cli::audit::export::trail;
use crate::cli::progress;
use crate::cli::render::{note, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::trail::{Asked, Imported, Told};
use crate::dispatch::Frontend;
use crate::error::{Kind, Report};
use crate::model::{Digest, Timestamp, with_causes};

/// Most bytes of records that are sent, and made durable, at once: what one flush may carry where the store has to sync its
/// file by itself.
const BATCH_BYTES: usize = 96 * 1024;

/// Takes an exported file in.
pub(in crate::cli) async fn import(frontend: &Frontend, asked: ImportArguments) -> Result<(), Report> {
    let path = frontend.environment.directory.join(&asked.file);
    // Read twice: what is broken at its end must not leave half a trail behind.
    let mut missing = None;
    let (manifest, digest) = read(&path, &mut missing)?;
    if let Some(seq) = missing {
        note(&format!("note: record {seq} was missing already when the file was exported\n"));
    }
    let imported = Imported {
        file: path.display().to_string(),
        digest,
        at: Timestamp::now(),
        before: Head { seq: manifest.first.saturating_sub(1), hash: manifest.prev },
        last: Head { seq: manifest.last, hash: manifest.hash },
    };
    let begun = trail(frontend, Asked::Import(imported)).await.map_err(|report| match report.code {
        "conflict" => {
            let again = "AGENT_DISPATCH_STATE_DIR=DIRECTORY agent-dispatch audit import FILE";
            Report::new(
                report.kind,
                report.code,
                report.message,
                format!("Name a directory of its own: {again}"),
            )
        }
        _ => report,
    });
    let next = number(&begun?)?;
    let count = Cell::new(0);
    let said = || format!("{} of {} records imported", count.get(), manifest.records);
    progress::telling(&frontend.environment, said, take_in(frontend, &path, next, &count)).await?;
    let Manifest { records, first, last, .. } = manifest;
    print_text(&format!(
        "imported {records} records ({first} to {last}) into {}\n",
        frontend.environment.state.root.display()
    ))
}

/// Sends the records from number `next` on.
async fn take_in(frontend: &Frontend, path: &Path, next: u64, count: &Cell<u64>) -> Result<(), Report> {
    let mut lines = Lines::open(path)?;
    let mut checker = Checker::default();
    loop {
        let (mut links, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES
            && let Some(line) = lines.next()?
        {
            let line_bytes = line.len();
            let link = checker.line(line).map_err(|bad| broken(path, &bad))?;
            bytes += line_bytes;
            links.extend(link.filter(|link| link.seq >= next));
        }
        if links.is_empty() {
            return Ok(());
        }
        count.set(count.get() + links.len() as u64);
        number(&trail(frontend, Asked::TakeIn(links)).await?)?;
    }
}

/// Reads an export from its first line to its last, which must be its manifest. Returns that, and the digest of the file.
fn read(path: &Path, missing: &mut Option<u64>) -> Result<(Manifest, Digest), Report> {
    let mut lines = Lines::open(path)?;
    let mut checker = Checker::default();
    let mut last = String::new();
    while let Some(line) = lines.next()? {
        if checker.line(line).map_err(|bad| broken(path, &bad))?.is_none() {
            line.clone_into(&mut last);
        }
    }
    *missing = checker.missing();
    let manifest = checker.finish().map_err(|bad| broken(path, &bad))?;
    // The manifest's digest is one of all before it.
    Ok((manifest, Digest::of(last.as_bytes())))
}

/// The lines of a file, none of them longer than a record can be.
struct Lines {
    reader: BufReader<File>,
    line: String,
    name: String,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, Report> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
        Ok(Self { reader: BufReader::new(file), line: String::new(), name })
    }

    fn next(&mut self) -> Result<Option<&str>, Report> {
        self.line.clear();
        let mut bounded = self.reader.by_ref().take(LINE_BYTES_MAX as u64);
        bounded.read_line(&mut self.line).map_err(|error| unreadable(&self.name, &error))?;
        Ok(Some(self.line.as_str()).filter(|line| !line.is_empty()))
    }
}

fn number(told: &Told) -> Result<u64, Report> {
    match told {
        Told::Number(number) => Ok(*number),
        _ => Err(ClientError::Confused.into()),
    }
}

fn unreadable(name: &str, error: &io::Error) -> Report {
    let what = format!("`{name}` cannot be read: {}", with_causes(error));
    Report::new(
        Kind::Usage,
        "unreadable",
        what,
        "Name a file that `agent-dispatch audit export` has written.",
    )
}

fn broken(path: &Path, bad: &dyn std::error::Error) -> Report {
    let what = format!("`{}` is not a whole export: {bad}", path.display());
    Report::new(Kind::Failed, "broken_export", what, "Export the trail again, where it was recorded.")
}
