//! The hash chain: how a record is bound to the one before it, and how a run of them is checked.
//!
//! `hash = blake3_derive_key(CONTEXT, prev | seq as u64 LE | len(body) as u64 LE | body)`. The hash is over the stored
//! bytes, so no canonical form of JSON is needed.

use crate::model::Digest;

/// Domain of the hash; a new format gets a new one.
const CONTEXT: &str = "agent-dispatch 2026 audit record v1";

/// First byte of a stored link.
const VERSION: u8 = 1;

/// Most bytes of a record's body. With the envelope it stays under the 4096 bytes above which sled leaks space.
pub const BODY_BYTES_MAX: usize = 3900;

const ENVELOPE_BYTES: usize = 1 + 32 + 32;

/// The end of a chain: number and hash of the last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// Number of the last record; records are numbered from 1 without a gap.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty chain.
    pub const EMPTY: Self = Self { seq: 0, hash: Digest::ZERO };
}

/// A record in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub seq: u64,
    /// Hash of the record before it.
    pub prev: Digest,
    /// Its own hash, as stored.
    pub hash: Digest,
    /// The record, as JSON text.
    pub body: Vec<u8>,
}

impl Link {
    /// Returns `body` as the record that follows `head`.
    pub fn after(head: Head, body: Vec<u8>) -> Self {
        let seq = head.seq + 1;
        Self { seq, prev: head.hash, hash: hash(head.hash, seq, &body), body }
    }

    /// Returns the head of the chain that ends with this record.
    pub const fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// Returns the bytes to store: version, previous hash, hash, body. The number is the key.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENVELOPE_BYTES + self.body.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(self.prev.as_bytes());
        bytes.extend_from_slice(self.hash.as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Returns the record stored under `seq` in these bytes.
    pub fn decode(seq: u64, bytes: &[u8]) -> Result<Self, Fault> {
        let broken = Fault { seq, kind: FaultKind::Unreadable };
        let (version, rest) = bytes.split_first().ok_or(broken)?;
        let (prev, rest) = rest.split_first_chunk::<32>().ok_or(broken)?;
        let (hash, body) = rest.split_first_chunk::<32>().ok_or(broken)?;
        if *version != VERSION {
            return Err(broken);
        }
        Ok(Self {
            seq,
            prev: Digest::from_bytes(*prev),
            hash: Digest::from_bytes(*hash),
            body: body.to_vec(),
        })
    }
}

/// Returns the body in the stored bytes of a record, without checking anything; nothing when they are no record.
pub fn body(bytes: &[u8]) -> Option<&[u8]> {
    let (version, rest) = bytes.split_first()?;
    rest.get(ENVELOPE_BYTES - 1..).filter(|_| *version == VERSION)
}

fn hash(prev: Digest, seq: u64, body: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(prev.as_bytes());
    hasher.update(&seq.to_le_bytes());
    hasher.update(&(body.len() as u64).to_le_bytes());
    hasher.update(body);
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

/// What is wrong with a chain, and where it is first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("record {seq} {kind}")]
pub struct Fault {
    /// Number of the first bad record.
    pub seq: u64,
    /// What is wrong with it.
    pub kind: FaultKind,
}

/// The ways a chain can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A number is missing.
    #[error("is missing")]
    Missing,
    /// Its bytes are not a record.
    #[error("cannot be read")]
    Unreadable,
    /// It does not name the record before it.
    #[error("does not follow from the record before it")]
    Unlinked,
    /// Its hash is not the hash of what it says.
    #[error("was changed: its hash does not match what it says")]
    Changed,
    /// The log ends before the record that the head names.
    #[error("is named as the last one, but the log ends before it")]
    Truncated,
    /// The log's last record is another one than the head names.
    #[error("is not the record that the head names")]
    Replaced,
}

/// Checks a chain one record at a time, from the first to the last.
#[derive(Debug, Clone, Copy)]
pub struct Verifier {
    head: Head,
}

impl Verifier {
    /// Returns a verifier of the records that follow `head`.
    pub const fn from(head: Head) -> Self {
        Self { head }
    }

    /// Checks the next record.
    pub fn check(&mut self, link: &Link) -> Result<(), Fault> {
        let fault = |seq, kind| Err(Fault { seq, kind });
        let expected = self.head.seq + 1;
        if link.seq != expected {
            return fault(expected, FaultKind::Missing);
        }
        if link.hash != hash(link.prev, link.seq, &link.body) {
            return fault(link.seq, FaultKind::Changed);
        }
        if link.prev != self.head.hash {
            return fault(link.seq, FaultKind::Unlinked);
        }
        self.head = link.head();
        Ok(())
    }

    /// Checks that the chain ends exactly with `claimed`.
    pub fn finish(self, claimed: Head) -> Result<(), Fault> {
        let kind = if self.head.seq < claimed.seq {
            FaultKind::Truncated
        } else if self.head == claimed {
            return Ok(());
        } else {
            FaultKind::Replaced
        };
        Err(Fault { seq: claimed.seq, kind })
    }

    /// Returns the end of what was checked so far.
    pub const fn head(&self) -> Head {
        self.head
    }
}

#[cfg(test)]
mod tests;
