//! The engine: the only file that names sled. One tree, byte keys in order, atomic batches, and a flush that holds.
//!
//! Every call into the engine is guarded: its errors and its panics both come back as values. What is written and not yet
//! flushed is already visible to readers.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::model::Timestamp;
use crate::store::chunks;
use crate::store::durability::Durability;
use crate::store::keys::{self, KeyRange};
use crate::store::repair::Repair;
use crate::store::schema;

/// Memory for pages that were read or written lately. The engine's own default is 1 GiB.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How often, and how often at most, a lock that its last holder is still losing is asked for: five seconds in all.
const LOCK_POLL: Duration = Duration::from_millis(2);
const LOCK_POLLS_MAX: u32 = 2500;

/// How much of something larger is written before it is flushed when the fsync filter is not in force: under the 128 KiB
/// that one flush may carry then.
const PARTS_BYTES_PER_FLUSH: usize = 96 * 1024;

/// Changes to apply together: a value to store under a key, or `None` to remove the key.
pub type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Which end of a range comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest key.
    Forward,
    /// The greatest key.
    Backward,
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the store {} is in use by another process", .path.display())]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// This process has done what it can: the next one that opens the store goes one step further.
    #[error("the store {} could not be opened and will be repaired at the next start: {reason}", .path.display())]
    Restart {
        /// The store.
        path: PathBuf,
        /// What the engine said.
        reason: String,
    },
    /// Not even a new store can be opened.
    #[error("a new store in {} could not be opened: {reason}", .path.display())]
    Hopeless {
        /// The store.
        path: PathBuf,
        /// What the engine said.
        reason: String,
    },
    /// The disk is full, which may be why; nothing was repaired.
    #[error("the store {} could not be opened with {free} bytes free on its disk: {reason}", .path.display())]
    NoSpace {
        /// The store.
        path: PathBuf,
        /// Bytes free.
        free: u64,
        /// What the engine said.
        reason: String,
    },
    /// The engine refuses, and it is not the store that is at fault.
    #[error("the store {} could not be opened: {reason}", .path.display())]
    Engine {
        /// The store.
        path: PathBuf,
        /// What the engine said.
        reason: String,
    },
    /// A file could not be read or changed.
    #[error("`{}` cannot be used", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a read, a write or a flush failed. After a failed write or flush the engine stays failed: the process must end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The engine said so.
    #[error("the store failed: {0}")]
    Failed(String),
    /// The engine panicked.
    #[error("the store panicked: {0}")]
    Panicked(String),
    /// A value is not what was written.
    #[error("the value of {key} is damaged: {what}")]
    Damaged {
        /// Its key, escaped.
        key: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A newer program wrote this store; this one only reads it.
    #[error("the store has format {found}, this program writes format {known}: update agent-dispatch")]
    NewerFormat {
        /// The store's format.
        found: u32,
        /// Newest format known here.
        known: u32,
    },
}

/// A store that is open, and what it took to open it.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub database: Database,
    /// Where a store that could not be opened was set aside; the one that is open is new and empty.
    pub quarantined: Option<PathBuf>,
    /// What was repaired, in words.
    pub repaired: Vec<String>,
}

/// The open store. Clones share it.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    tree: sled::Db,
    dir: PathBuf,
    /// The engine's file, to be synced after every flush when the filter is not in force.
    unfiltered: Option<File>,
    newer_format: Option<u32>,
}

impl Database {
    /// Opens the store in `dir`, repaired if need be. The caller holds the lock that makes it the only process here.
    pub fn open(dir: &Path, durability: Durability) -> Result<Opened, OpenError> {
        let mut repair = Repair::begin(dir)?;
        let mut attempt = open_waiting(dir);
        if matches!(attempt, Err(Attempt::Damaged(_))) && repair.try_without_snapshots(Timestamp::now())? {
            attempt = open_waiting(dir);
        }
        let path = || dir.to_owned();
        let (tree, format) = match attempt {
            Ok(opened) => opened,
            Err(Attempt::Busy) => return Err(OpenError::Busy { path: path() }),
            Err(Attempt::Refused(reason)) => return Err(OpenError::Engine { path: path(), reason }),
            Err(Attempt::Damaged(reason) | Attempt::Panicked(reason)) => {
                return Err(repair.next_stage(reason, Timestamp::now()));
            }
        };
        let unfiltered = match durability {
            Durability::Filtered => None,
            Durability::SyncAfterCommit => {
                let path = dir.join("db");
                Some(File::open(&path).map_err(|source| OpenError::Io { path, source })?)
            }
        };
        let newer_format = format.filter(|format| *format > schema::FORMAT);
        let database = Self(Arc::new(Inner { tree, dir: path(), unfiltered, newer_format }));
        if format.is_none() {
            let number = chunks::inline(&schema::FORMAT.to_be_bytes());
            let writes = Writes::from([(keys::FORMAT.to_vec(), Some(number))]);
            database
                .write(&writes)
                .and_then(|()| database.flush())
                .map_err(|error| OpenError::Engine { path: path(), reason: error.to_string() })?;
        }
        let (quarantined, repaired) = repair.finish(format.is_none())?;
        Ok(Opened { database, quarantined, repaired })
    }

    /// Returns the value stored under `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        match self.get_raw(key)? {
            None => Ok(None),
            Some(raw) => chunks::whole(self, key, raw),
        }
    }

    /// Returns keys and values of a range, in order. Not a snapshot: what is changed meanwhile may or may not be seen.
    pub fn scan(&self, range: KeyRange, direction: Direction) -> Scan {
        Scan { raw: self.scan_raw(range, direction), database: self.clone() }
    }

    /// Returns the bytes that the store's files take up.
    pub fn size_on_disk(&self) -> Result<u64, EngineError> {
        guarded(|| self.0.tree.size_on_disk())
    }

    /// Returns whether the engine has put anything into files of its own per value. Those leak and are never synced; with
    /// values of at most 4096 bytes there are none.
    pub fn blobs_present(&self) -> bool {
        fs::read_dir(self.0.dir.join("blobs")).is_ok_and(|mut blobs| blobs.next().is_some())
    }

    /// Returns the store's format if it is newer than this program's; nothing can be written then.
    pub fn newer_format(&self) -> Option<u32> {
        self.0.newer_format
    }

    /// Applies all of `writes` or, if the process dies, none. Values are in the form that [`chunks`] gives them.
    pub(in crate::store) fn write(&self, writes: &Writes) -> Result<(), EngineError> {
        self.refuse_if_newer()?;
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        guarded(|| self.0.tree.apply_batch(batch))
    }

    /// Writes parts of something larger that no reader finds yet, or any more, one after the other: a crash may leave some of
    /// them. Without the filter no flush may carry much, so a few of them are flushed by themselves then.
    pub(in crate::store) fn write_parts<V: AsRef<[u8]>>(
        &self,
        parts: impl Iterator<Item = (Vec<u8>, Option<V>)>,
    ) -> Result<(), EngineError> {
        self.refuse_if_newer()?;
        let mut unflushed = 0;
        for (key, value) in parts {
            let value = value.as_ref().map(AsRef::as_ref);
            guarded(|| match value {
                Some(value) => self.0.tree.insert(&key, value),
                None => self.0.tree.remove(&key),
            })?;
            unflushed += key.len() + value.map_or(0, <[u8]>::len);
            if self.0.unfiltered.is_some() && unflushed >= PARTS_BYTES_PER_FLUSH {
                self.flush()?;
                unflushed = 0;
            }
        }
        if self.0.unfiltered.is_some() && unflushed > 0 { self.flush() } else { Ok(()) }
    }

    fn refuse_if_newer(&self) -> Result<(), EngineError> {
        match self.0.newer_format {
            Some(found) => Err(EngineError::NewerFormat { found, known: schema::FORMAT }),
            None => Ok(()),
        }
    }

    /// Returns when everything written so far is on disk.
    pub(in crate::store) fn flush(&self) -> Result<(), EngineError> {
        guarded(|| self.0.tree.flush())?;
        match &self.0.unfiltered {
            None => Ok(()),
            Some(file) => file.sync_all().map_err(|error| EngineError::Failed(error.to_string())),
        }
    }

    /// Returns the stored form of a value.
    pub(in crate::store) fn get_raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        guarded(|| self.0.tree.get(key)).map(|value| value.map(|value| value.to_vec()))
    }

    /// Shows `look` the keys and stored forms of a range where they lie, in order.
    pub(in crate::store) fn each_raw(
        &self,
        range: KeyRange,
        mut look: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), EngineError> {
        let mut entries = self.0.tree.range(range);
        while let Some((key, value)) = guarded(|| entries.next().transpose())? {
            look(&key, &value);
        }
        Ok(())
    }

    /// Returns keys and stored forms of a range, in order.
    pub(in crate::store) fn scan_raw(&self, range: KeyRange, direction: Direction) -> RawScan {
        RawScan { entries: Some(self.0.tree.range(range)), direction }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("dir", &self.0.dir).finish_non_exhaustive()
    }
}

/// Keys and values of a range. Ends with the first error.
#[derive(Debug)]
pub struct Scan {
    raw: RawScan,
    database: Database,
}

impl Iterator for Scan {
    type Item = Result<Entry, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (key, raw) = match self.raw.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            match chunks::whole(&self.database, &key, raw) {
                Ok(Some(value)) => return Some(Ok((key, value))),
                // Removed since the engine named it.
                Ok(None) => {}
                Err(error) => {
                    self.raw.entries = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl std::iter::FusedIterator for Scan {}

/// Keys and stored forms of a range. Ends with the first error, which the engine would repeat for ever.
pub(in crate::store) struct RawScan {
    entries: Option<sled::Iter>,
    direction: Direction,
}

impl Iterator for RawScan {
    type Item = Result<Entry, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entries = self.entries.as_mut()?;
        let direction = self.direction;
        let entry = guarded(|| {
            match direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.next_back(),
            }
            .transpose()
        });
        if !matches!(entry, Ok(Some(_))) {
            self.entries = None;
        }
        entry.map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec()))).transpose()
    }
}

impl fmt::Debug for RawScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawScan").field("direction", &self.direction).finish_non_exhaustive()
    }
}

/// Why one attempt to open failed.
enum Attempt {
    /// The lock is held.
    Busy,
    /// Nothing is wrong with the store's contents.
    Refused(String),
    /// The contents are not what the engine wrote.
    Damaged(String),
    /// The same, and the lock stays held for as long as this process lives.
    Panicked(String),
}

/// Opens the engine, waiting a while for a lock that a dying process has not lost yet.
fn open_waiting(dir: &Path) -> Result<(sled::Db, Option<u32>), Attempt> {
    for _ in 0..LOCK_POLLS_MAX {
        match open_once(dir) {
            Err(Attempt::Busy) => std::thread::park_timeout(LOCK_POLL),
            opened => return opened,
        }
    }
    Err(Attempt::Busy)
}

/// Opens the engine and reads the store's format, which proves that its first pages can be read.
fn open_once(dir: &Path) -> Result<(sled::Db, Option<u32>), Attempt> {
    let opened = catch_unwind(|| {
        let tree = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(None).open()?;
        let format = tree.get(keys::FORMAT)?;
        Ok((tree, format))
    });
    match opened {
        Ok(Ok((tree, None))) => Ok((tree, None)),
        Ok(Ok((tree, Some(bytes)))) => {
            match chunks::inlined(&bytes).and_then(|number| number.first_chunk()) {
                Some(number) => Ok((tree, Some(u32::from_be_bytes(*number)))),
                None => Err(Attempt::Refused("the number of its format cannot be read".to_owned())),
            }
        }
        Ok(Err(error)) => Err(sorted(dir, error)),
        Err(panic) => Err(Attempt::Panicked(panic_text(&*panic))),
    }
}

/// Tells a damaged store from a healthy one that cannot be opened now.
fn sorted(dir: &Path, error: sled::Error) -> Attempt {
    let text = error.to_string();
    match error {
        sled::Error::Io(_) if text.contains("could not acquire lock") => Attempt::Busy,
        sled::Error::Io(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Attempt::Damaged(text),
            _ => Attempt::Refused(text),
        },
        sled::Error::Unsupported(_) if is_of_another_engine(dir) => Attempt::Refused(text),
        sled::Error::Unsupported(_)
        | sled::Error::Corruption { .. }
        | sled::Error::ReportableBug(_)
        | sled::Error::CollectionNotFound(_) => Attempt::Damaged(text),
    }
}

/// Returns whether the store's parameters name a format that sled 0.34 does not write.
fn is_of_another_engine(dir: &Path) -> bool {
    let parameters = fs::read(dir.join("conf")).unwrap_or_default();
    let text = String::from_utf8_lossy(&parameters);
    let version = text.lines().find_map(|line| line.strip_prefix("version: "));
    version.and_then(|version| version.split_once('.')).is_some_and(|(major, minor)| {
        let (major, minor) = (major.parse::<u32>(), minor.parse::<u32>());
        matches!((major, minor), (Ok(major), Ok(minor)) if (major, minor) != (0, 34))
    })
}

fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, EngineError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => answer.map_err(|error| EngineError::Failed(error.to_string())),
        Err(panic) => Err(EngineError::Panicked(panic_text(&*panic))),
    }
}

/// Returns what a panic said.
pub(in crate::store) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests;
