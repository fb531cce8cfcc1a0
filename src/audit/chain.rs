//! The hash chain: how a record is bound to the one before it, and how a run of them is checked.
//!
//! `hash = blake3_derive_key(CONTEXT, prev | seq as u64 LE | len(body) as u64 LE | body)`. The hash is over the stored
//! bytes, so no canonical form of JSON is needed.

use std::fmt;
use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};

use crate::model::{Digest, JobId};

/// Domain of the hash; a new format gets a new one.
const CONTEXT: &str = "agent-dispatch 2026 audit record v1";

/// What blake3 makes of the domain, once and not for every record.
static CONTEXT_KEY: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(CONTEXT));

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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
        let LinkView { seq, prev, hash, body } = LinkView::read(seq, bytes)?;
        Ok(Self { seq, prev, hash, body: body.to_vec() })
    }

    /// Returns the record as it is looked at.
    pub fn view(&self) -> LinkView<'_> {
        LinkView { seq: self.seq, prev: self.prev, hash: self.hash, body: &self.body }
    }
}

/// A record in its place, looked at where it lies: a million of them are checked without copying one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkView<'a> {
    /// Its number.
    pub seq: u64,
    /// Hash of the record before it.
    pub prev: Digest,
    /// Its own hash, as stored.
    pub hash: Digest,
    /// The record, as JSON text.
    pub body: &'a [u8],
}

impl<'a> LinkView<'a> {
    /// Returns the record stored under `seq` in these bytes.
    pub fn read(seq: u64, bytes: &'a [u8]) -> Result<Self, Fault> {
        let broken = Fault::of(seq, FaultKind::Unreadable);
        let (version, rest) = bytes.split_first().ok_or(broken)?;
        let (prev, rest) = rest.split_first_chunk::<32>().ok_or(broken)?;
        let (hash, body) = rest.split_first_chunk::<32>().ok_or(broken)?;
        if *version != VERSION {
            return Err(broken);
        }
        Ok(Self { seq, prev: Digest::from_bytes(*prev), hash: Digest::from_bytes(*hash), body })
    }

    /// Returns the head of the chain that ends with this record.
    pub const fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// Checks that its hash is the hash of what it says.
    pub fn check(&self) -> Result<(), Fault> {
        let same = self.hash == hash(self.prev, self.seq, self.body);
        if same { Ok(()) } else { Err(Fault::of(self.seq, FaultKind::Changed)) }
    }
}

/// Returns the body in the stored bytes of a record, without checking anything; nothing when they are no record.
pub fn body(bytes: &[u8]) -> Option<&[u8]> {
    let (version, rest) = bytes.split_first()?;
    rest.get(ENVELOPE_BYTES - 1..).filter(|_| *version == VERSION)
}

fn hash(prev: Digest, seq: u64, body: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_from_context_key(&CONTEXT_KEY);
    hasher.update(prev.as_bytes());
    hasher.update(&seq.to_le_bytes());
    hasher.update(&(body.len() as u64).to_le_bytes());
    hasher.update(body);
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

/// What is wrong with a trail, and where it is first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub struct Fault {
    /// Number of the first bad record; 0 when no record is bad, but one is not there.
    pub seq: u64,
    /// What is wrong with it.
    pub kind: FaultKind,
    /// The dispatch that it is about, where that matters.
    pub dispatch: Option<JobId>,
}

impl Fault {
    /// Returns what is wrong with the record of this number.
    pub const fn of(seq: u64, kind: FaultKind) -> Self {
        Self { seq, kind, dispatch: None }
    }

    /// Returns what is wrong with the record of this number, or with the lack of one, about a dispatch.
    pub const fn about(dispatch: JobId, seq: u64, kind: FaultKind) -> Self {
        Self { seq, kind, dispatch: Some(dispatch) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, kind, dispatch } = self;
        match dispatch {
            Some(job) if *seq == 0 => write!(f, "job {job} {kind}"),
            Some(job) => write!(f, "record {seq} {kind} (dispatch {job})"),
            None => write!(f, "record {seq} {kind}"),
        }
    }
}

/// The ways a trail can be broken, or incomplete. New ones come at the end: bincode numbers them by position.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, thiserror::Error,
)]
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
    /// The log ends before the record that the store's own head names.
    #[error("and what followed it are missing: the store names a later end")]
    Truncated,
    /// It is another one than the store's head or the head file names.
    #[error("is not the record that is remembered under this number")]
    Replaced,
    /// It is another one than an anchor names.
    #[error("is not the record that the anchor names")]
    NotAnchored,
    /// The head file ends before the log does.
    #[error("is the last one that the head file knows, but others follow: the file was put back or changed")]
    Behind,
    /// The checkpoint of what was removed is not the one that the log tells of.
    #[error("does not fit the checkpoint of the records that were removed before it")]
    Unsealed,
    /// The indexes do not lead to it.
    #[error("is not found by its agent and its dispatch")]
    Unindexed,
    /// The indexes lead to it from where they should not.
    #[error("is found by an agent or a dispatch that it does not name")]
    Misindexed,
    /// Its job is not there.
    #[error("is the last one of a job that is not stored and that no recorded clean-up removed")]
    JobMissing,
    /// A job that the log does not know.
    #[error("is stored, but no record says that it was requested")]
    JobUnrecorded,
    /// Its job says something else.
    #[error("does not say the same of its job as the stored job does")]
    JobDiffers,
    /// It follows the record that the store names as the last one.
    #[error("is stored, but the store names an earlier one as the last")]
    Unnamed,
    /// The log is whole, but it once was longer.
    #[error("and what followed it are lost: the head file knows of them, the store does not")]
    Lost,
    /// An anchor names more than there is.
    #[error("is named by the anchor, but the log ends before it")]
    BeyondEnd,
    /// An anchor names what is not kept.
    #[error("is named by the anchor, but was removed since")]
    BeforeKept,
}

impl FaultKind {
    /// Returns whether it means that something is not there, rather than that something is wrong.
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Lost | Self::BeyondEnd | Self::BeforeKept)
    }

    /// Returns whether it is about an anchor, which comes from outside and may be a wrong one.
    pub const fn is_of_anchor(self) -> bool {
        matches!(self, Self::NotAnchored | Self::BeyondEnd | Self::BeforeKept)
    }

    /// Returns whether it is about the head file, which forgets it with the next record.
    pub const fn heals(self) -> bool {
        matches!(self, Self::Lost | Self::Behind)
    }
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
    pub fn check(&mut self, link: &LinkView<'_>) -> Result<(), Fault> {
        let expected = self.head.seq + 1;
        if link.seq != expected {
            return Err(Fault::of(expected, FaultKind::Missing));
        }
        link.check()?;
        if link.prev != self.head.hash {
            return Err(Fault::of(link.seq, FaultKind::Unlinked));
        }
        self.head = link.head();
        Ok(())
    }

    /// Checks that the chain ends exactly with `claimed`.
    pub fn finish(self, claimed: Head) -> Result<(), Fault> {
        if self.head.seq < claimed.seq {
            Err(Fault::of(self.head.seq + 1, FaultKind::Truncated))
        } else if self.head == claimed {
            Ok(())
        } else {
            Err(Fault::of(claimed.seq, FaultKind::Replaced))
        }
    }

    /// Returns the end of what was checked so far.
    pub const fn head(&self) -> Head {
        self.head
    }
}

#[cfg(test)]
mod tests;
