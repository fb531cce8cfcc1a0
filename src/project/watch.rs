//! Reading that remembers what it depended on, so that a result can be used again while nothing changed.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::model::Timestamp;
use crate::project::regular::{Head, Stamp, read_head};

/// Most of a text that is read: the beginning says what it is.
pub(super) const TEXT_BYTES_MAX: usize = 64 << 10;

/// Every path that was looked at, and what it looked like before.
#[derive(Debug, Default)]
pub(super) struct Watch {
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
}

impl Watch {
    /// Remembers what `path` looks like. The first look counts.
    pub(super) fn note(&mut self, path: &Path) {
        if self.stamps.contains_key(path) {
            return;
        }
        let stamp = stamp(path);
        if stamp.is_some() || !self.would_show(path) {
            self.stamps.insert(path.to_owned(), stamp);
        }
    }

    /// Returns whether an entry that is to appear at `path`, or on the way to it, shows in a directory that is remembered:
    /// one look less each time, for files that most directories do not have.
    fn would_show(&self, path: &Path) -> bool {
        let mut entry = path;
        for folder in path.ancestors().skip(1) {
            if self.stamps.get(folder).is_some_and(Option::is_some) {
                // A link that leads nowhere is there: what it leads to may appear without a trace.
                return std::fs::symlink_metadata(entry)
                    .is_err_and(|error| error.kind() == ErrorKind::NotFound);
            }
            entry = folder;
        }
        false
    }

    /// Returns the beginning of a file, nothing when it cannot be read.
    pub(super) fn read(&mut self, path: &Path, limit: usize) -> Option<Head> {
        self.note(path);
        read_head(path, limit).ok().flatten()
    }

    /// Returns the beginning of a text file; nothing when it cannot be read or is not UTF-8.
    pub(super) fn text(&mut self, path: &Path) -> Option<String> {
        let head = self.read(path, TEXT_BYTES_MAX)?;
        let mut bytes = head.bytes;
        if head.truncated {
            // The bound may have cut a character in two.
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
            bytes.truncate(whole);
        }
        String::from_utf8(bytes).ok()
    }

    /// Returns whether everything still looks as it did.
    pub(super) fn holds(&self) -> bool {
        self.stamps.iter().all(|(path, before)| stamp(path) == *before)
    }

    /// Returns whether every later change is sure to show.
    pub(super) fn is_settled(&self, now: Timestamp) -> bool {
        self.stamps.values().flatten().all(|stamp| stamp.is_settled(now))
    }
}

/// What cannot be looked at counts as absent: it cannot be read either.
fn stamp(path: &Path) -> Option<Stamp> {
    Stamp::of(path).ok().flatten()
}
