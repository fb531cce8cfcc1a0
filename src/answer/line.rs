//! One line of output: bytes to a JSON object, whatever is in them.

use serde_json::{Map, Value};

use crate::model::json::mend_surrogates;

/// Returns the object that the line holds; nothing when it holds anything else.
pub(super) fn parse(bytes: &[u8]) -> Option<Map<String, Value>> {
    let bytes = bytes.trim_ascii();
    // Most lines that are no objects are not even looked at.
    if bytes.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(bytes).ok().or_else(|| {
        let text = String::from_utf8_lossy(bytes);
        serde_json::from_str(&text).or_else(|_| serde_json::from_str(&mend_surrogates(&text))).ok()
    })
}

#[cfg(test)]
mod tests;
