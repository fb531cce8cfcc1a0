//! What is left of records that were removed: the seal over which a check walks from what was to what is.
//!
//! It is kept under a key of its own and told by a record of the trail that follows, so neither can be changed, dropped or
//! put back without the other. Its text is JSON, like that of a record.

use serde::{Deserialize, Serialize};

use crate::audit::chain::Head;
use crate::model::{Caller, Digest, Timestamp};

/// Domain of the seal; a new format gets a new one.
const CONTEXT: &str = "agent-dispatch 2026 audit checkpoint v1";

/// First byte of a stored checkpoint.
const VERSION: u8 = 1;

/// The end of what was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of the first record that was removed with it; older ones went before.
    pub first: u64,
    /// Number of the last one.
    pub last: u64,
    /// How many there were: fewer than the numbers between the two when some had been lost.
    pub count: u64,
    /// Hash of the last one, which the first record that is kept names as the one before it.
    pub hash: Digest,
    /// When the last one was recorded.
    pub until: Timestamp,
    /// When they were removed.
    pub removed: Timestamp,
    /// Who asked for it.
    pub by: Caller,
    /// Number of the record that tells of it.
    pub record: u64,
}

/// A checkpoint and its seal, which the record of the trail names.
pub type Sealed = (Checkpoint, Digest);

/// The old end of the trail: what goes, or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldEnd {
    /// Number of the first record of it.
    pub first: u64,
    /// Number of the last one.
    pub last: u64,
    /// How many records it has.
    pub count: u64,
    /// Hash of the last one.
    pub hash: Digest,
    /// When the first one was recorded.
    pub since: Timestamp,
    /// When the last one was recorded.
    pub until: Timestamp,
}

/// A stored checkpoint that is none, or that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint of removed records is damaged")]
pub struct Damaged;

impl Checkpoint {
    /// Returns the head after which what is kept begins.
    pub const fn head(&self) -> Head {
        Head { seq: self.last, hash: self.hash }
    }

    /// Returns the bytes to store, and the seal that the record of the trail names.
    pub fn encode(&self) -> Result<(Vec<u8>, Digest), serde_json::Error> {
        let text = serde_json::to_vec(self)?;
        let seal = seal(&text);
        Ok(([&[VERSION], seal.as_bytes().as_slice(), &text].concat(), seal))
    }

    /// Returns the checkpoint in these bytes, and its seal.
    pub fn decode(bytes: &[u8]) -> Result<Sealed, Damaged> {
        let rest = bytes.strip_prefix(&[VERSION]).ok_or(Damaged)?;
        let (sealed, text) = rest.split_first_chunk::<32>().ok_or(Damaged)?;
        let sealed = Digest::from_bytes(*sealed);
        if sealed != seal(text) {
            return Err(Damaged);
        }
        Ok((serde_json::from_slice(text).map_err(|_| Damaged)?, sealed))
    }
}

fn seal(text: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(text);
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests;
