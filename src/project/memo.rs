//! What was found out about directories, for as long as nothing in them changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Timestamp;
use crate::project::watch::Watch;
use crate::project::{Facts, look};

/// Facts about directories, looked up again only when a file they came from has changed.
#[derive(Debug, Default)]
pub struct Memo {
    known: Mutex<BTreeMap<PathBuf, Known>>,
}

#[derive(Debug)]
struct Known {
    watch: Watch,
    /// Whether every change since is sure to show.
    settled: bool,
    facts: Arc<Facts>,
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
        if let Some(facts) = self.remembered(directory) {
            return facts;
        }
        // Files are read without the lock: a slow directory must not keep the others waiting.
        let mut watch = Watch::default();
        let facts =
            look(directory, &mut watch).unwrap_or_else(|error| Facts::unhealthy(directory, error.health()));
        let facts = Arc::new(facts);
        let settled = watch.is_settled(Timestamp::now());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DIRECTORIES_MAX && !known.contains_key(directory) {
            known.clear();
        }
        known.insert(directory.to_owned(), Known { watch, settled, facts: Arc::clone(&facts) });
        facts
    }

    fn remembered(&self, directory: &Path) -> Option<Arc<Facts>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(directory)?;
        (known.settled && known.watch.holds()).then(|| Arc::clone(&known.facts))
    }
}

#[cfg(test)]
mod tests;
