//! Reading that remembers what it depended on, so that a result can be used again while nothing changed.

use std::path::{Path, PathBuf};

use crate::model::Timestamp;
use crate::project::regular::{Head, Stamp, read_head, read_stamped};

/// Most of a text that is read: the beginning says what it is.
pub(super) const TEXT_BYTES_MAX: usize = 64 << 10;

/// Every path that was looked at, and what it looked like before.
#[derive(Debug, Default)]
pub(super) struct Watch {
    stamps: Vec<(PathBuf, Option<Stamp>)>,
}

impl Watch {
    /// Remembers what `path` looks like. The first look counts.
    pub(super) fn note(&mut self, path: &Path) {
        if !self.has(path) {
            self.stamps.push((path.to_owned(), stamp(path)));
        }
    }

    /// There are a few, so they are searched from end to end; byte by byte, for comparing paths part by part takes longer.
    fn has(&self, path: &Path) -> bool {
        self.stamps.iter().any(|(noted, _)| noted.as_os_str() == path.as_os_str())
    }

    /// Returns the beginning of a file, nothing when it cannot be read.
    pub(super) fn read(&mut self, path: &Path, limit: usize) -> Option<Head> {
        let Ok(read) = read_stamped(path, limit) else {
            // Why it cannot be read may change meanwhile: its stamp has to be older than the look.
            self.note(path);
            return read_head(path, limit).ok().flatten();
        };
        let (head, stamp) = read.unzip();
        if !self.has(path) {
            self.stamps.push((path.to_owned(), stamp));
        }
        head
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
        self.stamps.iter().filter_map(|(_, stamp)| *stamp).all(|stamp| stamp.is_settled(now))
    }
}

/// What cannot be looked at counts as absent: it cannot be read either.
fn stamp(path: &Path) -> Option<Stamp> {
    Stamp::of(path).ok().flatten()
}
