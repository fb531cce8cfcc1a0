//! What was found out about directories, for as long as nothing in them changed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Timestamp;
use crate::project::watch::Watch;
use crate::project::{Facts, GitHead, git, look};

/// Facts about directories, looked up again only when a file they came from has changed.
#[derive(Debug, Default)]
pub struct Memo {
    facts: Remembered<Facts>,
    heads: Remembered<Option<GitHead>>,
}

/// What came of looks, by directory. Its names are compared byte by byte: part by part, as paths are, takes longer than a
/// look at a file.
type Remembered<T> = Mutex<BTreeMap<OsString, Known<T>>>;

#[derive(Debug)]
struct Known<T> {
    watch: Watch,
    /// Whether every change since is sure to show.
    settled: bool,
    found: Arc<T>,
}

/// Most directories that are remembered: as many as there can be agents.
const DIRECTORIES_MAX: usize = 1_000;

impl Memo {
    /// Returns a memo that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what is known of a directory. It may be missing: the facts say so.
    pub fn facts(&self, directory: &Path) -> Arc<Facts> {
        recall(&self.facts, directory, |watch| {
            look(directory, watch).unwrap_or_else(|error| Facts::unhealthy(directory, error.health()))
        })
    }

    /// Returns what is checked out in a directory, which may lie inside a repository; nothing outside of one.
    pub fn head(&self, directory: &Path) -> Arc<Option<GitHead>> {
        recall(&self.heads, directory, |watch| git::head(directory, watch))
    }
}

fn recall<T>(memory: &Remembered<T>, directory: &Path, look: impl FnOnce(&mut Watch) -> T) -> Arc<T> {
    let lock = || memory.lock().unwrap_or_else(PoisonError::into_inner);
    let name = directory.as_os_str();
    if let Some(known) = lock().get(name).filter(|known| known.settled && known.watch.holds()) {
        return Arc::clone(&known.found);
    }
    // Files are read without the lock: a slow directory must not keep the others waiting.
    let mut watch = Watch::default();
    let found = Arc::new(look(&mut watch));
    let settled = watch.is_settled(Timestamp::now());
    let mut known = lock();
    if known.len() >= DIRECTORIES_MAX && !known.contains_key(name) {
        known.clear();
    }
    known.insert(name.to_owned(), Known { watch, settled, found: Arc::clone(&found) });
    found
}

#[cfg(test)]
mod tests;
