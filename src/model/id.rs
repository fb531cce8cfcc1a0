//! Identifiers: parse, display, order; nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// A text that is not the identifier it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// Not a job id.
    #[error("`{0}` is not a job id: expected 32 lowercase hexadecimal digits")]
    Job(String),
    /// Not an agent name.
    #[error(
        "`{0}` is not an agent name: expected letters, digits, `-` and `_`, starting with a letter or digit, \
         at most {max} characters",
        max = AgentName::CHARS_MAX
    )]
    Agent(String),
    /// Not a session id.
    #[error("`{0}` is not a session id: expected a UUID such as 3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47")]
    Session(String),
    /// Not a digest.
    #[error("`{0}` is not a digest: expected 64 hexadecimal digits")]
    Digest(String),
}

/// Name of one dispatch and of the job that carries it out: 128 bits that grow with time (UUID version 7), so the
/// store keeps jobs in order of creation without an index. Printed as 32 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId([u8; 16]);

impl JobId {
    /// Returns a new id, later than every id made before it on this machine in an earlier millisecond.
    pub fn generate() -> Self {
        Self(*uuid::Uuid::now_v7().as_bytes())
    }

    /// Returns the id made of these bytes, most significant first.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns when it was made: the first 48 bits are milliseconds (RFC 9562, section 5.7).
    pub const fn created(&self) -> Timestamp {
        let millis = (u128::from_be_bytes(self.0) >> 80) as u64;
        Timestamp::from_millis(millis)
    }

    /// Returns the bytes, most significant first: their order is the order of creation.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({self})")
    }
}

impl FromStr for JobId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId::Job(shown(text));
        let lowercase_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(lowercase_hex) {
            return Err(bad());
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| bad())
    }
}

/// Name of an agent, as written in the configuration: `[A-Za-z0-9][A-Za-z0-9_-]*`, at most 100 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentName(String);

impl AgentName {
    /// Longest name, in characters.
    pub const CHARS_MAX: usize = 100;

    /// Returns whether `text` can be a name.
    pub fn is_valid(text: &str) -> bool {
        let head = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let tail = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        head && tail && text.len() <= Self::CHARS_MAX
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AgentName {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        if Self::is_valid(&text) { Ok(Self(text)) } else { Err(BadId::Agent(shown(&text))) }
    }
}

impl FromStr for AgentName {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        Self::try_from(text.to_owned())
    }
}

impl From<AgentName> for String {
    fn from(name: AgentName) -> Self {
        name.0
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of a Claude conversation: a UUID, kept in the spelling it was given in because `claude` echoes that spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    /// Returns a new random id (UUID version 4, which `claude --session-id` accepts).
    pub fn generate() -> Self {
        Self(uuid::Uuid::new_v4().hyphenated().to_string())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        match uuid::Uuid::try_parse(&text) {
            Ok(_) if text.len() == 36 => Ok(Self(text)),
            Ok(_) | Err(_) => Err(BadId::Session(shown(&text))),
        }
    }
}

impl FromStr for SessionId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        Self::try_from(text.to_owned())
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A blake3 digest: 32 bytes, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest before the first: what the first audit record names as its predecessor.
    pub const ZERO: Self = Self([0; 32]);

    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Returns the digest made of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| BadId::Digest(shown(text)))
    }
}

/// Text where people read (JSON), bytes where they do not (bincode).
macro_rules! text_or_bytes {
    ($id:ty, $bytes:ty) => {
        impl Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
                } else {
                    <$bytes>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

text_or_bytes!(JobId, [u8; 16]);
text_or_bytes!(Digest, [u8; 32]);

/// Returns `text` as an error message may show it: escaped, so that it cannot forge a line, and cut at 60 characters.
fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests;
