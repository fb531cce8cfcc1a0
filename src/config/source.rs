//! The agents file as it is now: read again only when it changed, so that edits take effect at the next call.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, ConfigError, parse, read};
use crate::model::{Digest, Timestamp};
use crate::project::regular::Stamp;

/// A place the configuration is taken from, call by call.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    home: PathBuf,
    last: Mutex<Option<Reading>>,
}

/// What came of reading: shared, for the calls that follow.
type Outcome = Result<Arc<Config>, Arc<ConfigError>>;

#[derive(Debug)]
struct Reading {
    /// What the file looked like before it was read; nothing when there was none.
    stamp: Option<Stamp>,
    /// Whether a later change is sure to show in the stamp.
    settled: bool,
    digest: Option<Digest>,
    outcome: Outcome,
}

impl Source {
    /// Returns a source that reads `path`, an absolute path; `home` is what `~` stands for in it.
    pub fn new(path: PathBuf, home: PathBuf) -> Self {
        Self { path, home, last: Mutex::new(None) }
    }

    /// Returns what the file says now. One look at the file's metadata when it did not change.
    pub fn current(&self) -> Result<Arc<Config>, Arc<ConfigError>> {
        // A reading is replaced whole, so one that a panic interrupted is the one before.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // The stamp is taken before the content: a change in between makes the next call read again.
        let stamp = Stamp::of(&self.path)
            .map_err(|source| Arc::new(ConfigError::Unreadable { path: self.path.clone(), source }))?;
        if let Some(reading) = last.as_ref()
            && reading.stamp == stamp
            && reading.settled
        {
            return reading.outcome.clone();
        }
        let settled = stamp.is_none_or(|stamp| stamp.is_settled(Timestamp::now()));
        let bytes = read(&self.path)?;
        let digest = bytes.as_deref().map(Digest::of);
        let outcome = match last.take() {
            Some(reading) if reading.digest == digest => reading.outcome,
            Some(_) | None => match bytes {
                Some(bytes) => parse(&self.path, &self.home, &bytes).map(Arc::new).map_err(Arc::new),
                None => Ok(Arc::new(Config::empty(self.path.clone()))),
            },
        };
        *last = Some(Reading { stamp, settled, digest, outcome: outcome.clone() });
        outcome
    }
}

#[cfg(test)]
mod tests;
