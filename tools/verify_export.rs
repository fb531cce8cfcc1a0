//! `verify-export [--anchor SEQ:HASH] FILE`: checks what `agent-dispatch audit export` has written, anywhere.
//!
//! It shares no code with the program: only the hash function, a reader of JSON, and the format, which is this. Each line is
//! `{"seq":N,"prev":"HEX","hash":"HEX","body":"TEXT"}`; `hash` is blake3, in derive-key mode with the context below, of
//! `prev` (32 bytes), `seq` and the length of `body` (64 bits each, little endian) and `body`; `prev` is the hash of the line
//! before. The last line is `{"manifest":{…,"blake3":"HEX"}}`, whose digest is one of all bytes before `,"blake3":`.
//!
//! It exits as `agent-dispatch audit verify` does: 0 whole, 1 broken, 2 incomplete, 3 unreadable.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, with a terminal of its own"
)]

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::process::ExitCode;

use serde::Deserialize;

/// Domain of a record's hash.
const CONTEXT: &str = "agent-dispatch 2026 audit record v1";

/// The format that is known here.
const FORMAT: &str = "agent-dispatch audit export v1";

/// What precedes the digest at the very end.
const CLOSING: &str = ",\"blake3\":\"";

/// Longest line; a record is far shorter.
const LINE_BYTES_MAX: u64 = 1 << 20;

const USAGE: &str = "usage: verify-export [--anchor SEQ:HASH] FILE   (FILE may be -)

exits with 0 whole, 1 broken, 2 incomplete, 3 unreadable";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    prev: String,
    hash: String,
    body: String,
}

#[derive(Deserialize)]
struct LastLine {
    manifest: Manifest,
}

#[derive(Deserialize)]
struct Manifest {
    format: String,
    program: String,
    exported: String,
    records: u64,
    first: u64,
    last: u64,
    prev: String,
    hash: String,
    from: Option<String>,
    to: Option<String>,
    blake3: String,
}

/// What is wrong with a file: the worst is what it comes to.
#[derive(Debug, PartialEq)]
enum Bad {
    /// Something was changed, added, taken out or put elsewhere.
    Broken(String),
    /// What there is is as it was written, but something is missing.
    Incomplete(String),
    /// It is no export.
    Unreadable(String),
}

/// What was read so far.
#[derive(Default)]
struct Check {
    told: blake3::Hasher,
    lines: u64,
    records: u64,
    first: Option<(u64, String)>,
    last: Option<(u64, String)>,
    missing: Option<u64>,
    anchor: Option<(u64, String)>,
    anchored: bool,
}

fn main() -> ExitCode {
    let mut anchor = None;
    let mut file = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--anchor" => {
                anchor = arguments.next().as_deref().and_then(read_anchor);
                if anchor.is_none() {
                    return usage();
                }
            }
            "-h" | "--help" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            name if file.is_none() && (name == "-" || !name.starts_with('-')) => file = Some(argument),
            _ => return usage(),
        }
    }
    let Some(file) = file else { return usage() };
    let (code, what) = match check(&file, anchor) {
        Ok(manifest) => return whole(&manifest),
        Err(Bad::Broken(what)) => (1, format!("BROKEN: {what}")),
        Err(Bad::Incomplete(what)) => (2, format!("incomplete: {what}")),
        Err(Bad::Unreadable(what)) => (3, format!("unreadable: {what}")),
    };
    println!("export   {what}");
    ExitCode::from(code)
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(3)
}

fn whole(manifest: &Manifest) -> ExitCode {
    let Manifest { records, first, last, prev, hash, .. } = manifest;
    println!("export   whole");
    println!("records  {records} ({first} to {last})");
    let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "?".to_owned());
    println!("time     {} to {}", time(&manifest.from), time(&manifest.to));
    if *first > 1 {
        println!("after    {}:{prev}", first - 1);
    }
    println!("head     {last}:{hash}");
    println!("written  {} by {}", manifest.exported, manifest.program);
    ExitCode::SUCCESS
}

/// Returns number and hash of a record, as `audit anchor` prints them.
fn read_anchor(text: &str) -> Option<(u64, String)> {
    let (seq, hash) = text.trim().split_once(':')?;
    digest(hash)?;
    Some((seq.parse().ok()?, hash.to_owned()))
}

/// Returns the bytes of a digest; it has one way to be written.
fn digest(hex: &str) -> Option<[u8; 32]> {
    let hash = blake3::Hash::from_hex(hex).ok()?;
    (hash.to_hex().as_str() == hex).then_some(*hash.as_bytes())
}

fn check(file: &str, anchor: Option<(u64, String)>) -> Result<Manifest, Bad> {
    let failed = |error: io::Error| Bad::Unreadable(format!("{file}: {error}"));
    let mut reader: Box<dyn io::BufRead> = match file {
        "-" => Box::new(io::stdin().lock()),
        path => Box::new(BufReader::new(File::open(path).map_err(failed)?)),
    };
    let mut check = Check { anchor, ..Check::default() };
    let mut manifest = None;
    loop {
        let mut line = Vec::new();
        reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            break;
        }
        check.lines += 1;
        if manifest.is_some() {
            return Err(Bad::Broken(format!(
                "line {} follows the manifest, which is the last one",
                check.lines
            )));
        }
        if line.starts_with(b"{\"manifest\":") {
            manifest = Some(check.read_manifest(&line)?);
        } else {
            check.record(&line)?;
        }
    }
    check.finish(manifest)
}

impl Check {
    /// Names a line by its place, and by the record that belongs there.
    fn here(&self) -> String {
        match &self.last {
            Some((last, _)) => format!("line {} (record {}, or what is in its place)", self.lines, last + 1),
            None => format!("line {}", self.lines),
        }
    }

    fn record(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        let read = bytes.strip_suffix(b"\n").and_then(|json| serde_json::from_slice::<Line>(json).ok());
        let Some(line) = read else {
            return Err(match (&self.last, bytes.ends_with(b"\n")) {
                (None, _) => Bad::Unreadable("its first line is not one of an export".to_owned()),
                (Some(_), false) => Bad::Incomplete(format!("it ends in the middle of {}", self.here())),
                (Some(_), true) => Bad::Broken(format!("{} cannot be read", self.here())),
            });
        };
        let (Some(prev), Some(hash)) = (digest(&line.prev), digest(&line.hash)) else {
            return Err(Bad::Broken(format!("{} has no hash", self.here())));
        };
        if let Some((last, _)) = &self.last
            && line.seq <= *last
        {
            let what = format!("record {} is missing: record {} is in its place", last + 1, line.seq);
            return Err(Bad::Broken(what));
        }
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&prev).update(&line.seq.to_le_bytes());
        hasher.update(&(line.body.len() as u64).to_le_bytes()).update(line.body.as_bytes());
        if hasher.finalize() != blake3::Hash::from_bytes(hash) {
            let what = format!("record {} was changed: its hash does not match what it says", line.seq);
            return Err(Bad::Broken(what));
        }
        match &self.last {
            Some((last, before)) if last + 1 == line.seq && *before != line.prev => {
                let what = format!("record {} does not follow from the record before it", line.seq);
                return Err(Bad::Broken(what));
            }
            Some((last, _)) if last + 1 < line.seq => self.missing = self.missing.or(Some(last + 1)),
            Some(_) | None => {}
        }
        if let Some((seq, wanted)) = &self.anchor {
            let found = [(line.seq, &line.hash), (line.seq.wrapping_sub(1), &line.prev)];
            let found = found.into_iter().find(|(number, _)| number == seq);
            if found.is_some_and(|(_, hash)| hash != wanted) {
                return Err(Bad::Broken(format!("record {seq} is not the record that the anchor names")));
            }
            self.anchored |= found.is_some();
        }
        self.told.update(bytes);
        self.records += 1;
        self.first.get_or_insert((line.seq, line.prev));
        self.last = Some((line.seq, line.hash));
        Ok(())
    }

    fn read_manifest(&mut self, bytes: &[u8]) -> Result<Manifest, Bad> {
        let text = std::str::from_utf8(bytes).ok();
        let read = text.and_then(|text| Some((text, serde_json::from_str::<LastLine>(text).ok()?.manifest)));
        if !bytes.ends_with(b"\n") {
            return Err(Bad::Incomplete("it ends in the middle of its manifest".to_owned()));
        }
        let Some((text, manifest)) = read else {
            return Err(Bad::Broken("its manifest cannot be read".to_owned()));
        };
        if manifest.format != FORMAT {
            return Err(Bad::Unreadable(format!(
                "its manifest names the format `{}`, not `{FORMAT}`",
                manifest.format
            )));
        }
        let Some(open) = text.strip_suffix(&format!("{CLOSING}{}\"}}}}\n", manifest.blake3)) else {
            return Err(Bad::Broken("its manifest does not end with its digest".to_owned()));
        };
        let (first, last) = (self.first.as_ref().map(|it| it.0), self.last.as_ref().map(|it| it.0));
        if first.is_none_or(|first| first > manifest.first) {
            self.missing = Some(manifest.first);
        } else if last < Some(manifest.last) {
            self.missing = self.missing.or(last.map(|last| last + 1));
        }
        self.told.update(open.as_bytes());
        if self.told.finalize().to_hex().as_str() != manifest.blake3 {
            let what = match self.missing {
                Some(missing) => {
                    format!("record {missing} is missing, and was not when the file was written")
                }
                None => "its bytes are not those whose digest its manifest has".to_owned(),
            };
            return Err(Bad::Broken(what));
        }
        Ok(manifest)
    }

    fn finish(self, manifest: Option<Manifest>) -> Result<Manifest, Bad> {
        let Some(manifest) = manifest else {
            return Err(match self.last {
                Some((last, _)) => Bad::Incomplete(format!("its end is missing, after record {last}")),
                None => Bad::Unreadable("there is nothing in it".to_owned()),
            });
        };
        let said = (
            manifest.records,
            Some((manifest.first, manifest.prev.clone())),
            Some((manifest.last, manifest.hash.clone())),
        );
        if said != (self.records, self.first, self.last) {
            return Err(Bad::Broken("its manifest does not say what its records do".to_owned()));
        }
        if let Some(missing) = self.missing {
            let what = format!("record {missing} was missing already when the file was written");
            return Err(Bad::Incomplete(what));
        }
        if let Some((seq, _)) = self.anchor.filter(|_| !self.anchored) {
            return Err(Bad::Incomplete(format!("record {seq}, which the anchor names, is not in it")));
        }
        Ok(manifest)
    }
}
