//! The bytes of stored values: a format version, then `bincode`. Nothing decoded is trusted.
//!
//! A type's layout is frozen with its version: a field that is added, removed or moved makes a new version (and the old
//! type stays, to be read for ever). Only types without references to themselves may be stored: decoding a recursive
//! type could overflow the stack.

use bincode::Options as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::audit::chain::Head;
use crate::cache::Counters;
use crate::job::{JobRecord, RequestTexts};
use crate::model::{Answer, Session, ToolCall};
use crate::store::admit::Decision;
use crate::store::cached::Slot;
use crate::store::chunks::VALUE_BYTES_MAX;
use crate::store::gc::{LastGc, Unrecorded};
use crate::store::import::Imported;
use crate::store::ledger::{KeyFingerprint, ProgressLines, Spent};

/// Format of the store as a whole: which prefixes there are and what they mean. Kept under `m/format`.
pub const FORMAT: u32 = 1;

/// A type that is stored under a version.
pub trait Stored: Serialize + DeserializeOwned {
    /// Version that is written; the first byte of the value.
    const VERSION: u8;
    /// What it is, for messages.
    const WHAT: &'static str;
}

impl Stored for JobRecord {
    const VERSION: u8 = 1;
    const WHAT: &'static str = "job record";
}

macro_rules! stored {
    ($($kind:ty: $version:literal, $what:literal;)*) => {
        $(impl Stored for $kind {
            const VERSION: u8 = $version;
            const WHAT: &'static str = $what;
        })*
    };
}

stored! {
    Answer: 1, "answer";
    RequestTexts: 1, "request";
    Session: 1, "conversation";
    ProgressLines: 1, "progress";
    Vec<ToolCall>: 1, "list of tool calls";
    KeyFingerprint: 1, "fingerprint of the audit key";
    Spent: 1, "sum of spending";
    Decision: 1, "decision";
    Slot: 1, "cache entry";
    Counters: 1, "set of cache counters";
    LastGc: 1, "time of the last clean-up";
    Unrecorded: 1, "count of removed jobs";
    Imported: 1, "note of an import";
}

impl Stored for Head {
    const VERSION: u8 = 1;
    const WHAT: &'static str = "audit head";
}

/// Why a value could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It was written by a newer program.
    #[error("a {what} has format {found}, this program knows formats up to {known}: update agent-dispatch")]
    NewerFormat {
        /// What it is.
        what: &'static str,
        /// Its version.
        found: u8,
        /// Newest version known here.
        known: u8,
    },
    /// Its bytes are not what they should be.
    #[error("a {what} cannot be read: {reason}")]
    Unreadable {
        /// What it is.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// It cannot be put into bytes.
    #[error("a {what} cannot be stored: {reason}")]
    Unwritable {
        /// What it is.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

/// Returns the bytes to store. Fails for what no format can hold: a path that is not UTF-8, more than the size limit.
pub fn encode<T: Stored>(value: &T) -> Result<Vec<u8>, SchemaError> {
    let mut bytes = vec![T::VERSION];
    options()
        .serialize_into(&mut bytes, value)
        .map_err(|error| SchemaError::Unwritable { what: T::WHAT, reason: error.to_string() })?;
    Ok(bytes)
}

/// Returns the value stored in `bytes`.
pub fn decode<T: Stored>(bytes: &[u8]) -> Result<T, SchemaError> {
    options().deserialize(body::<T>(bytes)?).map_err(|error| unreadable::<T>(error.to_string()))
}

/// Most bytes of what stands before a text: the version or the mark of an option, and its length.
pub const BEFORE_TEXT_BYTES_MAX: usize = 10;

/// Returns where the text begins with which a stored value begins, and its length, both in bytes.
pub fn first_text<T: Stored>(bytes: &[u8]) -> Result<(u64, u64), SchemaError> {
    let (at, length) = number::<T, u64>(body::<T>(bytes)?)?;
    Ok((at + 1, length))
}

/// Returns where a text begins that comes next in a stored value, if it is there, and its length, both in bytes.
pub fn next_text<T: Stored>(bytes: &[u8]) -> Result<Option<(u64, u64)>, SchemaError> {
    let (at, length) = number::<T, Option<u64>>(bytes)?;
    Ok(length.map(|length| (at, length)))
}

/// Returns what these bytes begin with, and how many of them it takes.
fn number<T: Stored, N: DeserializeOwned>(bytes: &[u8]) -> Result<(u64, N), SchemaError> {
    let mut rest = bytes;
    let number = options().deserialize_from(&mut rest).map_err(|bad| unreadable::<T>(bad.to_string()))?;
    Ok(((bytes.len() - rest.len()) as u64, number))
}

/// Returns the bytes of a stored value without its version.
fn body<T: Stored>(bytes: &[u8]) -> Result<&[u8], SchemaError> {
    let (version, body) = bytes.split_first().ok_or_else(|| unreadable::<T>("it is empty".to_owned()))?;
    if *version > T::VERSION {
        return Err(SchemaError::NewerFormat { what: T::WHAT, found: *version, known: T::VERSION });
    }
    if *version != T::VERSION {
        return Err(unreadable::<T>(format!("there is no format {version}")));
    }
    Ok(body)
}

fn unreadable<T: Stored>(reason: String) -> SchemaError {
    SchemaError::Unreadable { what: T::WHAT, reason }
}

/// Appends the bytes of a message between processes: like a stored value, but without a version, which the handshake of
/// the connection has settled.
pub fn encode_message<T: Serialize>(message: &T, onto: &mut Vec<u8>) -> Result<(), String> {
    options().serialize_into(onto, message).map_err(|error| error.to_string())
}

/// Returns the message in these bytes.
pub fn decode_message<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    options().deserialize(bytes).map_err(|error| error.to_string())
}

/// The one way to turn values into bytes: compact integers, bounded, nothing left over.
fn options() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_limit(VALUE_BYTES_MAX as u64).reject_trailing_bytes()
}

#[cfg(test)]
mod tests;
