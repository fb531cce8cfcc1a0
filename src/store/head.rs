//! The end of the audit chain, kept in a plain file outside the engine: the only witness when the engine loses its tail.
//!
//! One line `seq hash time` for every commit group that appended records, written after the group is on disk, so an
//! intact store is never behind it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::audit::chain::Head;
use crate::model::{Digest, Timestamp};

/// Size above which the file is cut down to its newest lines when it is opened.
const BYTES_MAX_AT_OPEN: u64 = 1024 * 1024;

/// Size above which it is cut down while it is in use (about 80 000 groups).
const BYTES_MAX_IN_USE: u64 = 8 * 1024 * 1024;

/// How much of it is kept then.
const BYTES_KEPT: u64 = 512 * 1024;

/// Records after which the file is fsynced.
const RECORDS_PER_SYNC: u64 = 1000;

/// How many records the file may lack after a crash: those since it was fsynced, and those of the last commit groups.
pub const LAG_MAX: u64 = 4 * RECORDS_PER_SYNC;

/// The file of heads, open for appending.
#[derive(Debug)]
pub struct HeadFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    synced_seq: u64,
}

impl HeadFile {
    /// Opens the file, making it if need be, and returns the newest head it holds. A torn last line is cut off; lines
    /// that are not heads are passed over.
    pub fn open(path: &Path) -> io::Result<(Self, Option<Head>)> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(at(path))?;
        let bytes = file.metadata().map_err(at(path))?.len();
        let mut heads = Self { path: path.to_owned(), file, bytes, synced_seq: 0 };
        heads.end_with_a_whole_line().map_err(at(path))?;
        if heads.bytes > BYTES_MAX_AT_OPEN {
            heads.compact().map_err(at(path))?;
        }
        let newest = heads.newest_lines(heads.bytes).map_err(at(path))?;
        let last = newest.split(|byte| *byte == b'\n').rev().find_map(parse);
        heads.synced_seq = last.map_or(0, |head| head.seq);
        heads.sync()?;
        Ok((heads, last))
    }

    /// Appends a line. Fsynced once in a while only: the store itself is on disk already, and any earlier line still
    /// finds a lost tail but for the newest records.
    pub fn record(&mut self, head: Head, now: Timestamp) -> io::Result<()> {
        let line = format!("{} {} {}\n", head.seq, head.hash, now.rfc3339());
        self.file.write_all(line.as_bytes()).map_err(at(&self.path))?;
        self.bytes = self.bytes.saturating_add(line.len() as u64);
        if self.bytes > BYTES_MAX_IN_USE {
            self.compact().map_err(at(&self.path))?;
        }
        if head.seq.abs_diff(self.synced_seq) >= RECORDS_PER_SYNC {
            self.synced_seq = head.seq;
            self.sync()?;
        }
        Ok(())
    }

    /// Makes sure that every line so far is on disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all().map_err(at(&self.path))
    }

    /// Cuts off what follows the last line break: a line whose writer was killed or found the disk full.
    fn end_with_a_whole_line(&mut self) -> io::Result<()> {
        let tail = self.newest_bytes(BYTES_KEPT)?;
        let torn = tail.iter().rev().take_while(|byte| **byte != b'\n').count() as u64;
        if torn > 0 {
            self.bytes = self.bytes.saturating_sub(torn);
            self.file.set_len(self.bytes)?;
        }
        Ok(())
    }

    /// Puts a file with the newest lines in the place of this one.
    fn compact(&mut self) -> io::Result<()> {
        let kept = self.newest_lines(BYTES_KEPT)?;
        let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
        let mut fresh = tempfile::NamedTempFile::new_in(directory)?;
        fresh.write_all(&kept)?;
        fresh.as_file().sync_all()?;
        fresh.persist(&self.path).map_err(|error| error.error)?;
        File::open(directory)?.sync_all()?;
        self.file = OpenOptions::new().read(true).append(true).open(&self.path)?;
        self.bytes = kept.len() as u64;
        Ok(())
    }

    /// Returns the whole lines among the last `limit` bytes.
    fn newest_lines(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut lines = self.newest_bytes(limit)?;
        if limit < self.bytes {
            let first = lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1);
            lines.drain(..first);
        }
        Ok(lines)
    }

    fn newest_bytes(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(self.bytes.saturating_sub(limit)))?;
        let mut bytes = Vec::new();
        (&self.file).take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Returns the head that a line names.
fn parse(line: &[u8]) -> Option<Head> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let seq = words.next()?.parse().ok()?;
    let hash = words.next()?.parse::<Digest>().ok()?;
    words.next()?;
    words.next().is_none().then_some(Head { seq, hash })
}

/// Returns the newest heads that the file holds, oldest first, without opening it for writing: some thousands.
pub fn remembered(path: &Path) -> io::Result<Vec<Head>> {
    let mut file = File::open(path).map_err(at(path))?;
    let length = file.metadata().map_err(at(path))?.len();
    let begin = length.saturating_sub(BYTES_KEPT);
    let _ = file.seek(SeekFrom::Start(begin)).map_err(at(path))?;
    let mut bytes = Vec::new();
    let _ = file.take(BYTES_KEPT).read_to_end(&mut bytes).map_err(at(path))?;
    // What is left of a line that was cut off at its beginning may look like another one.
    let cut = usize::from(begin > 0);
    Ok(bytes.split(|byte| *byte == b'\n').skip(cut).filter_map(parse).collect())
}

fn at(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// How the store's audit chain stands to what the head file remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Both end with the same record.
    Same,
    /// The store goes on after the remembered head, from that very record: the last line was not written.
    Ahead,
    /// The store ends before the remembered head: records are lost.
    Lost {
        /// The store's end.
        stored: Head,
        /// The remembered end.
        outside: Head,
    },
    /// The store has another record, or none, where the head file remembers one.
    Different {
        /// Hash of the store's record of that number.
        found: Option<Digest>,
        /// The remembered head.
        outside: Head,
    },
}

/// Compares the chain that ends with `stored` to the remembered head; `hash_at` returns the hash of a stored record.
pub fn compare(stored: Head, hash_at: impl Fn(u64) -> Option<Digest>, outside: Option<Head>) -> Comparison {
    let Some(outside) = outside else {
        return if stored == Head::EMPTY { Comparison::Same } else { Comparison::Ahead };
    };
    if outside.seq > stored.seq {
        return Comparison::Lost { stored, outside };
    }
    if outside.seq == stored.seq {
        return if outside == stored {
            Comparison::Same
        } else {
            Comparison::Different { found: Some(stored.hash), outside }
        };
    }
    let found = if outside.seq == 0 { Some(Digest::ZERO) } else { hash_at(outside.seq) };
    if found == Some(outside.hash) { Comparison::Ahead } else { Comparison::Different { found, outside } }
}

#[cfg(test)]
mod tests;
