//! The trail as a file that can be checked anywhere: one JSON object a line, and a last line that says what there is.
//!
//! A line of a record is `{"seq":…,"prev":"…","hash":"…","body":"…"}`; the body is a text that holds the record's JSON as
//! it was hashed ([`crate::audit::chain`]). The manifest is the last line, not a file beside it: so the two cannot be
//! parted, a pipe carries both, and one rename publishes both. Its last field, `blake3`, is the digest of every byte of the
//! file before that field.

use serde::{Deserialize, Serialize};

use crate::audit::chain::{Fault, Head, Link, Verifier};
use crate::model::{Digest, Timestamp};

pub mod csv;

/// What the manifest calls this format.
pub const FORMAT: &str = "agent-dispatch audit export v1";

/// Longest line, in bytes: a record's body when every character of it is escaped, its place around it, and some room.
pub const LINE_BYTES_MAX: usize = 32 * 1024;

/// A record on its line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    prev: Digest,
    hash: Digest,
    body: String,
}

/// What an exported file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The program that wrote it.
    pub program: String,
    /// When.
    pub exported: Timestamp,
    /// How many records there are; fewer than the numbers between the first and the last when some are lost.
    pub records: u64,
    /// Number of the first one.
    pub first: u64,
    /// Number of the last one.
    pub last: u64,
    /// What the first one names as the hash of the record before it.
    pub prev: Digest,
    /// Hash of the last one: with its number, an anchor.
    pub hash: Digest,
    /// When the first one was recorded.
    pub from: Option<Timestamp>,
    /// When the last one was.
    pub to: Option<Timestamp>,
}

/// The last line: the manifest, closed by the digest of everything before that.
#[derive(Debug, Serialize, Deserialize)]
struct LastLine {
    manifest: Closed,
}

#[derive(Debug, Serialize, Deserialize)]
struct Closed {
    #[serde(flatten)]
    manifest: Manifest,
    blake3: Digest,
}

/// What every line of a record, and what the last line begins with.
const RECORD_BEGINS: &str = "{\"seq\":";
const MANIFEST_BEGINS: &str = "{\"manifest\":";

/// What stands between the manifest and its digest, and what after it.
const CLOSING: &str = ",\"blake3\":\"";
const CLOSED: &str = "\"}}\n";

/// Writes lines, and keeps account of them for the manifest.
#[derive(Debug, Default)]
pub struct Writer {
    told: blake3::Hasher,
    records: u64,
    first: Option<(u64, Digest, Option<Timestamp>)>,
    last: Option<(Head, Option<Timestamp>)>,
}

/// What a record's JSON says of its time.
#[derive(Deserialize)]
struct Time {
    time: Timestamp,
}

/// Returns when a record was recorded, if it says so.
pub fn time_of(body: &[u8]) -> Option<Timestamp> {
    serde_json::from_slice::<Time>(body).map(|record| record.time).ok()
}

impl Writer {
    /// Returns the line of a record; nothing when its body is no text, which no record ever was.
    pub fn line(&mut self, link: &Link) -> Option<String> {
        let body = std::str::from_utf8(&link.body).ok()?.to_owned();
        let line = Line { seq: link.seq, prev: link.prev, hash: link.hash, body };
        let text = serde_json::to_string(&line).ok()? + "\n";
        let time = time_of(&link.body);
        self.told.update(text.as_bytes());
        self.records += 1;
        self.first.get_or_insert((link.seq, link.prev, time));
        self.last = Some((link.head(), time));
        Some(text)
    }

    /// Returns how many lines there are.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Returns the end of what was written.
    pub fn head(&self) -> Option<Head> {
        self.last.map(|(head, _)| head)
    }

    /// Returns the last line; nothing when no record was written.
    pub fn finish(mut self, program: String, now: Timestamp) -> Option<String> {
        let ((first, prev, from), (head, to)) = (self.first?, self.last?);
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            program,
            exported: now,
            records: self.records,
            first,
            last: head.seq,
            prev,
            hash: head.hash,
            from,
            to,
        };
        let text = serde_json::to_string(&manifest).ok()?;
        let open = format!("{MANIFEST_BEGINS}{}", text.strip_suffix('}')?);
        self.told.update(open.as_bytes());
        Some(format!("{open}{CLOSING}{}{CLOSED}", self.told.finalize().to_hex()))
    }
}

/// Why a file is not taken for a whole export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadExport {
    /// A line is neither a record nor a manifest.
    #[error("line {0} is no line of an export")]
    Line(u64),
    /// The chain is broken.
    #[error(transparent)]
    Chain(#[from] Fault),
    /// It goes on after its manifest.
    #[error("it goes on after its manifest, with line {0}")]
    GoesOn(u64),
    /// There is no manifest.
    #[error("its end is missing: there is no manifest after line {0}")]
    NoManifest(u64),
    /// It is of another kind.
    #[error("it has the format `{0}`, which this program does not know")]
    Format(String),
    /// The manifest says something else than the records do.
    #[error("its manifest says another {0} than its records do")]
    Manifest(&'static str),
}

/// Checks an export line by line.
#[derive(Debug, Default)]
pub struct Checker {
    told: blake3::Hasher,
    lines: u64,
    first: Option<(u64, Digest)>,
    chain: Option<Verifier>,
    records: u64,
    missing: Option<u64>,
    manifest: Option<Manifest>,
}

/// Checks a record behind others. Numbers may be missing, as they are where the store itself has lost records: then the first
/// of them is returned, too.
pub fn follow(mut chain: Verifier, link: &Link) -> Result<(Verifier, Option<u64>), Fault> {
    let expected = chain.head().seq + 1;
    let missing = (link.seq > expected).then_some(expected);
    if missing.is_some() {
        chain = before(link);
    }
    chain.check(&link.view())?;
    Ok((chain, missing))
}

/// Returns a check that begins with this record.
fn before(link: &Link) -> Verifier {
    Verifier::from(Head { seq: link.seq.saturating_sub(1), hash: link.prev })
}

impl Checker {
    /// Takes the next line, with its line break. Returns its record; nothing for the manifest.
    pub fn line(&mut self, text: &str) -> Result<Option<Link>, BadExport> {
        self.lines += 1;
        if self.manifest.is_some() {
            return Err(BadExport::GoesOn(self.lines));
        }
        let bad = BadExport::Line(self.lines);
        if text.starts_with(MANIFEST_BEGINS) {
            self.manifest = Some(self.read_manifest(text)?);
            return Ok(None);
        }
        let json =
            text.strip_suffix('\n').filter(|json| json.starts_with(RECORD_BEGINS)).ok_or(bad.clone())?;
        let line: Line = serde_json::from_str(json).map_err(|_| bad)?;
        let link = Link { seq: line.seq, prev: line.prev, hash: line.hash, body: line.body.into_bytes() };
        self.told.update(text.as_bytes());
        self.records += 1;
        self.first.get_or_insert((link.seq, link.prev));
        let chain = *self.chain.get_or_insert_with(|| before(&link));
        let (chain, missing) = follow(chain, &link)?;
        self.missing = self.missing.or(missing);
        self.chain = Some(chain);
        Ok(Some(link))
    }

    /// Returns the first number that is missing between two others.
    pub const fn missing(&self) -> Option<u64> {
        self.missing
    }

    fn read_manifest(&mut self, text: &str) -> Result<Manifest, BadExport> {
        let bad = || BadExport::Line(self.lines);
        let LastLine { manifest: Closed { manifest, blake3 } } =
            serde_json::from_str(text).map_err(|_| bad())?;
        let open = text.strip_suffix(&format!("{CLOSING}{blake3}{CLOSED}")).ok_or_else(bad)?;
        if manifest.format != FORMAT {
            return Err(BadExport::Format(manifest.format));
        }
        self.told.update(open.as_bytes());
        if self.told.finalize() != blake3::Hash::from_bytes(*blake3.as_bytes()) {
            return Err(BadExport::Manifest("digest"));
        }
        Ok(manifest)
    }

    /// Checks that the file is complete. Returns what it says of itself.
    pub fn finish(self) -> Result<Manifest, BadExport> {
        let manifest = self.manifest.ok_or(BadExport::NoManifest(self.lines))?;
        let (first, prev) = self.first.ok_or(BadExport::Manifest("number of records"))?;
        let head = self.chain.map_or(Head::EMPTY, |chain| chain.head());
        if manifest.records != self.records {
            return Err(BadExport::Manifest("number of records"));
        }
        if (manifest.first, manifest.prev) != (first, prev) {
            return Err(BadExport::Manifest("beginning"));
        }
        if (manifest.last, manifest.hash) != (head.seq, head.hash) {
            return Err(BadExport::Manifest("end"));
        }
        Ok(manifest)
    }
}

/// Up to where the trail was exported: what a cursor file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Version of this format.
    pub version: u32,
    /// Number of the last record that was exported.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Cursor {
    /// The version that is written and read.
    const VERSION: u32 = 1;

    /// Returns the cursor behind this record.
    pub const fn at(head: Head) -> Self {
        Self { version: Self::VERSION, seq: head.seq, hash: head.hash }
    }

    /// Returns the cursor in this text.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text)
            .ok()
            .filter(|cursor: &Self| cursor.version == Self::VERSION && cursor.seq > 0)
    }

    /// Returns the record behind which it stands.
    pub const fn head(self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// Returns the text of the cursor file.
    pub fn text(self) -> String {
        let Self { version, seq, hash } = self;
        format!("{{\"version\":{version},\"seq\":{seq},\"hash\":\"{hash}\"}}\n")
    }
}

#[cfg(test)]
mod tests;
