//! `agent-dispatch audit export`: the trail as a file, page by page, all of it or what is new since a cursor.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::audit::chain::{Head, Link, Verifier};
use crate::audit::export::{Cursor, Writer, csv, follow, time_of};
use crate::audit::ocsf;
use crate::cli::args::{ExportArguments, ExportFormat};
use crate::cli::dispatching::interrupts;
use crate::cli::progress;
use crate::cli::render::{harmless, note};
use crate::daemon::ClientError;
use crate::daemon::protocol::trail::{Asked, Page, Told};
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::error::{Kind, Report};
use crate::model::{Timestamp, shell, with_causes};
use crate::project::regular::read_head;

/// Records asked for at once: some hundred KB in memory, and few enough that the daemon serves others in between.
pub(super) const PAGE_RECORDS: u32 = 500;

/// Most bytes of a cursor file: some hundred, and room to spare.
const CURSOR_BYTES_MAX: usize = 4 * 1024;

/// Exit codes of their own, those that `ausearch` has.
const NOTHING: u8 = 1;
const BAD_CURSOR: u8 = 10;
const CURSOR_GONE: u8 = 11;

/// The code of what is wrong when nobody reads standard output any more.
const READ_NO_FURTHER: &str = "read_no_further";

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The version of this program, as exports name it.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Exports the trail. A reader of standard output that has seen enough is no error, unless a cursor was to be moved: what
/// it leaves out would never be exported.
pub(in crate::cli) async fn export(frontend: &Frontend, asked: ExportArguments) -> Result<ExitCode, Report> {
    let with_cursor = asked.cursor.is_some();
    match carry_out(frontend, asked).await {
        Err(report) if report.code == READ_NO_FURTHER && !with_cursor => Ok(ExitCode::SUCCESS),
        exported => exported,
    }
}

async fn carry_out(frontend: &Frontend, asked: ExportArguments) -> Result<ExitCode, Report> {
    #[cfg(feature = "otlp")]
    if let Some(endpoint) = &asked.otlp {
        return super::collector::send(frontend, &asked, endpoint).await;
    }
    let (start, until) = match Start::find(frontend, &asked).await? {
        Ok(start) => (start, time(asked.until.as_deref())?),
        Err(code) => return Ok(ExitCode::from(code)),
    };
    if asked.cursor.is_some() && asked.out.exists() {
        let what = format!("`{}` exists, and would lose what was exported into it", asked.out.display());
        return Err(Report::new(Kind::Usage, "exists", what, "With --cursor, name a new file each time."));
    }
    let mut output = Output::open(&asked.out, asked.format)?;
    let first = start.next;
    let count = Cell::new(0);
    let said = || format!("{} records exported", count.get());
    let work = copy(frontend, start, until, &mut output, &count);
    let mut interrupts = interrupts()?;
    tokio::select! {
        done = progress::telling(&frontend.environment, said, work) => done?,
        // Not left to the signal's own way, which would leave a part of the file behind under a name of no meaning.
        _ = interrupts.recv() => {
            note("Stopped: nothing was exported.\n");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    }
    let Some(end) = output.writer.head() else {
        note(if asked.cursor.is_some() {
            "Nothing new to export.\n"
        } else {
            "There are no such records.\n"
        });
        return Ok(ExitCode::from(NOTHING));
    };
    output.finish()?;
    if let Some(cursor) = &asked.cursor {
        move_cursor(cursor, first, end)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where an export begins.
pub(super) struct Start {
    /// Number of the first record.
    pub(super) next: u64,
    /// What was exported last.
    chain: Option<Verifier>,
}

impl Start {
    /// Returns where to begin; an exit code, having said why, where the cursor does not lead to a record.
    pub(super) async fn find(
        frontend: &Frontend,
        asked: &ExportArguments,
    ) -> Result<Result<Self, u8>, Report> {
        if let Some(since) = time(asked.since.as_deref())? {
            return match trail(frontend, Asked::Since(since)).await? {
                Told::Number(next) => Ok(Ok(Self { next, chain: None })),
                _ => Err(ClientError::Confused.into()),
            };
        }
        let Some(path) = &asked.cursor else { return Ok(Ok(Self { next: 1, chain: None })) };
        let head = match read_cursor(path) {
            Ok(Some(cursor)) => cursor.head(),
            // The first export of this kind.
            Ok(None) => {
                check_folder(path)?;
                return Ok(Ok(Self { next: 1, chain: None }));
            }
            Err(report) => {
                note(&harmless(&report.text()));
                return Ok(Err(BAD_CURSOR));
            }
        };
        let known = page(frontend, head.seq, 1).await?.links.first().map(Link::head);
        if known != Some(head) {
            let what = match known.filter(|known| known.seq == head.seq) {
                Some(_) => "is another one than was exported: the trail was written anew",
                None => "is gone: the trail was cut off, or old records were removed",
            };
            let what = format!("record {}, the last one that was exported, {what}", head.seq);
            let hint = "Check the trail with: agent-dispatch audit verify. To export all of it again, remove the cursor file.";
            note(&Report::new(Kind::Failed, "cursor_gone", what, hint).text());
            return Ok(Err(CURSOR_GONE));
        }
        Ok(Ok(Self { next: head.seq + 1, chain: Some(Verifier::from(head)) }))
    }
}

/// Returns the cursor in a file, nothing when there is no file.
fn read_cursor(path: &Path) -> Result<Option<Cursor>, Report> {
    let bad = |what: String, hint| {
        Report::new(Kind::Usage, "bad_cursor", format!("`{}` {what}", path.display()), hint)
    };
    let head = read_head(path, CURSOR_BYTES_MAX).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::InvalidInput => "Name the cursor of an earlier export, or a file that is not there yet.",
            _ => "See to it that you may read it, and type the same again: it tells where the last export ended.",
        };
        bad(format!("cannot be read: {}", with_causes(&error)), hint)
    })?;
    let Some(head) = head else { return Ok(None) };
    let text = std::str::from_utf8(&head.bytes).ok().filter(|_| !head.truncated);
    let hint = "Put it back from a copy; or remove it, and everything is exported again.";
    text.and_then(Cursor::read).map(Some).ok_or_else(|| bad("is not a cursor".to_owned(), hint))
}

/// Checks that a new cursor has a folder, before anything is exported that could not be gone on from.
fn check_folder(cursor: &Path) -> Result<(), Report> {
    let Some(folder) = folder(cursor).filter(|folder| !folder.is_dir()) else { return Ok(()) };
    let what = format!("there is no folder `{}` for the cursor; nothing was exported", folder.display());
    let hint = format!("Name another place for it, or make the folder: mkdir -p {}", shell::path(folder));
    Err(Report::new(Kind::Usage, "no_folder", what, hint))
}

/// Returns the folder that a path names, nothing where it is the current one.
fn folder(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| !parent.as_os_str().is_empty())
}

/// Moves a cursor behind `end`, once the records from number `first` on are exported: they stay so when it cannot be moved.
pub(super) fn move_cursor(path: &Path, first: u64, end: Head) -> Result<(), Report> {
    let written = new_file(path).and_then(|mut file| {
        file.write_all(Cursor::at(end).text().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    });
    written.map_err(|error| {
        let what = format!(
            "records {first} to {} were exported, but the cursor `{}` could not be moved: {}",
            end.seq,
            path.display(),
            with_causes(&error)
        );
        let hint = "See to it that it can be written, and type the same again, with a new file where there is an --out: \
                    these records are then exported once more.";
        Report::new(Kind::Unavailable, "cursor", what, hint)
    })
}

/// Writes the records from `start` on up to the end that the trail has now.
async fn copy(
    frontend: &Frontend,
    start: Start,
    until: Option<Timestamp>,
    output: &mut Output,
    count: &Cell<u64>,
) -> Result<(), Report> {
    let Start { mut next, mut chain } = start;
    let mut end = None;
    let mut faults = 0;
    while end.is_none_or(|end| next <= end) {
        let page = page(frontend, next, PAGE_RECORDS).await?;
        next = page.next;
        // What is recorded meanwhile is for the next export, or this one would never end.
        let end = *end.get_or_insert(page.head.seq);
        for seq in page.unreadable {
            note(&format!("note: record {seq} cannot be read and was left out\n"));
        }
        for link in page.links.iter().filter(|link| link.seq <= end) {
            if until.is_some_and(|until| time_of(&link.body).is_some_and(|time| time > until)) {
                return Ok(());
            }
            match chain.map(|chain| follow(chain, link)) {
                Some(Err(fault)) => {
                    faults += 1;
                    if faults == 1 {
                        note(&format!("note: the trail is broken and is exported as it is: {fault}\n"));
                    }
                }
                Some(Ok((_, Some(missing)))) => note(&format!("note: record {missing} is missing\n")),
                Some(Ok((_, None))) | None => {}
            }
            chain = Some(Verifier::from(link.head()));
            output.write(link)?;
            count.set(output.writer.records());
        }
    }
    Ok(())
}

/// Asks for records.
pub(super) async fn page(frontend: &Frontend, from: u64, limit: u32) -> Result<Page, Report> {
    match trail(frontend, Asked::Page(from, limit)).await? {
        Told::Page(page) => Ok(page),
        _ => Err(ClientError::Confused.into()),
    }
}

/// Asks something about the trail as a whole.
pub(in crate::cli) async fn trail(frontend: &Frontend, asked: Asked) -> Result<Told, Report> {
    match frontend.client.ask(&Request::Trail(asked)).await? {
        Reply::Trail(told) => Ok(told),
        _ => Err(ClientError::Confused.into()),
    }
}

fn time(text: Option<&str>) -> Result<Option<Timestamp>, Report> {
    let parsed = text.map(|text| Timestamp::parse(text, Timestamp::now())).transpose();
    parsed.map_err(|bad| {
        let hint = "See: agent-dispatch audit export --help";
        Report::new(Kind::Usage, "invalid_time", bad.to_string(), hint)
    })
}

/// What is being written: a file that nobody sees before it is whole, or standard output.
struct Output {
    sink: Sink,
    path: PathBuf,
    format: ExportFormat,
    writer: Writer,
}

enum Sink {
    File(BufWriter<tempfile::NamedTempFile>),
    Standard(BufWriter<io::Stdout>),
}

impl Output {
    fn open(path: &Path, format: ExportFormat) -> Result<Self, Report> {
        let sink = if path.as_os_str() == "-" {
            Sink::Standard(BufWriter::new(io::stdout()))
        } else {
            Sink::File(BufWriter::new(new_file(path).map_err(|error| unwritable(path, &error))?))
        };
        Ok(Self { sink, path: path.to_owned(), format, writer: Writer::default() })
    }

    fn write(&mut self, link: &Link) -> Result<(), Report> {
        let first = self.writer.records() == 0;
        // Counted in every format; what a page holds is text.
        let line = self.writer.line(link).unwrap_or_default();
        match self.format {
            ExportFormat::Jsonl => self.put(&line),
            ExportFormat::Csv if first => self.put(&(csv::header() + &csv::line(link))),
            ExportFormat::Csv => self.put(&csv::line(link)),
            ExportFormat::Ocsf => self.put(&format!("{}\n", ocsf::event(link, VERSION))),
        }
    }

    fn put(&mut self, text: &str) -> Result<(), Report> {
        let sink: &mut dyn Write = match &mut self.sink {
            Sink::File(file) => file,
            Sink::Standard(stdout) => stdout,
        };
        sink.write_all(text.as_bytes()).map_err(|error| unwritable(&self.path, &error))
    }

    fn finish(mut self) -> Result<(), Report> {
        if self.format == ExportFormat::Jsonl {
            let program = format!("agent-dispatch {VERSION}");
            let last = std::mem::take(&mut self.writer).finish(program, Timestamp::now());
            self.put(&last.unwrap_or_default())?;
        }
        let finished = match self.sink {
            Sink::Standard(mut stdout) => stdout.flush(),
            Sink::File(file) => file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
                file.as_file().sync_all()?;
                file.persist(&self.path).map(drop).map_err(|error| error.error)
            }),
        };
        finished.map_err(|error| unwritable(&self.path, &error))
    }
}

/// Makes a file beside the one that it is going to be, readable for its owner only. An error does not name it: what it is
/// called in between tells nobody anything.
pub(in crate::cli) fn new_file(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let make =
        |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    tempfile::Builder::new().make_in(folder(path).unwrap_or_else(|| Path::new(".")), make)
}

fn unwritable(path: &Path, error: &io::Error) -> Report {
    let standard = path.as_os_str() == "-";
    let what = if standard { "standard output".to_owned() } else { format!("`{}`", path.display()) };
    let what = format!("{what} cannot be written: {}", with_causes(error));
    let read_no_further = standard && error.kind() == io::ErrorKind::BrokenPipe;
    Report::new(
        Kind::Unavailable,
        if read_no_further { READ_NO_FURTHER } else { "output" },
        what,
        "Nothing was exported, and no cursor was moved. Name another place: --out FILE",
    )
}
