//! The key of the audit trail, and what is made with it: digests that nobody can guess at who does not have it.
//!
//! A plain digest of a short text is as good as the text: whoever has it tries what it may be. These are only of use
//! together with the key, which one daemon has and nobody else reads.

use std::fmt;
use std::str::FromStr;

/// Domain of the fingerprint.
const FINGERPRINT: &str = "agent-dispatch 2026 audit key fingerprint";

/// 32 random bytes, made once for each state directory.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditKey([u8; 32]);

/// The digest of an exact text under the key. Written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac([u8; 16]);

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an audit key: expected 64 hexadecimal digits")]
pub struct BadKey;

impl AuditKey {
    /// Returns the key made of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the digest of a text.
    pub fn mac(&self, text: &[u8]) -> Mac {
        let digest = blake3::keyed_hash(&self.0, text);
        Mac(digest.as_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// Returns what tells this key from another and says nothing of it.
    pub fn fingerprint(&self) -> String {
        let digest = blake3::derive_key(FINGERPRINT, &self.0);
        Mac(digest.first_chunk().copied().unwrap_or_default()).to_string()
    }

    /// Returns the key as its file holds it: not for anything else.
    pub fn secret_text(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl FromStr for AuditKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        blake3::Hash::from_hex(text.trim_ascii()).map(|hash| Self(*hash.as_bytes())).map_err(|_| BadKey)
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey")
    }
}

impl Mac {
    /// Returns its first 8 digits, as the mark of a secret carries them.
    pub fn tag(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests;
