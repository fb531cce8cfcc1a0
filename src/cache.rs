//! When an earlier answer may be given again: the key under which it is found, and how long it is good.

use serde::{Deserialize, Serialize};

use crate::model::{Digest, JobId, Timestamp};

/// Builds a digest over named fields. Every name and value goes in with its length, so no two lists of fields give the
/// same bytes: `ab` and `c` is not `a` and `bc`.
#[derive(Debug, Clone)]
pub struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// Starts a fingerprint; those of different purposes never meet.
    pub fn new(purpose: &'static str) -> Self {
        Self(blake3::Hasher::new_derive_key(purpose))
    }

    /// Adds a field.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for part in [name.as_bytes(), value.as_ref()] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// Adds a field that is absent as such, not as an empty text.
    pub fn optional(self, name: &str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            None => self.field(name, [0]),
            Some(value) => self.field(name, [1]).field("", value),
        }
    }

    /// Returns the digest.
    pub fn finish(&self) -> Digest {
        Digest::from_bytes(*self.0.finalize().as_bytes())
    }
}

/// What the cache holds under a key: where the answer is, not the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The job whose answer it is.
    pub job: JobId,
    /// When it was stored.
    pub stored: Timestamp,
}

/// Counters of the cache since it was last cleared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Entries kept.
    pub entries: u64,
    /// Number of the next entry in the order of storing.
    pub next: u64,
    /// Questions answered.
    pub hits: u64,
    /// Questions not answered.
    pub misses: u64,
    /// Entries that had to go for newer ones.
    pub evictions: u64,
}

/// Returns whether the entry may still be given at `now`, `ttl_ms` being how long it is good. One from the future - the
/// clock went backwards since - is good as long as it is no farther off than that, so that it neither vanishes at every
/// correction of the clock nor stays for ever after a big one.
pub const fn is_fresh(entry: &Entry, now: Timestamp, ttl_ms: u64) -> bool {
    ttl_ms > 0 && now.as_millis().abs_diff(entry.stored.as_millis()) <= ttl_ms
}

#[cfg(test)]
mod tests;
