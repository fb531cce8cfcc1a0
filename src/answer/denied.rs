//! Tools that were asked for and denied, as the result line lists them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::audit::redact::one_line;

const NAMES_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 100;

/// Returns the ids of the calls that were denied.
pub(super) fn denied_calls(result: &Map<String, Value>) -> BTreeSet<&str> {
    let denials = result.get("permission_denials").and_then(Value::as_array).into_iter().flatten();
    denials.filter_map(|denial| denial.get("tool_use_id")?.as_str()).collect()
}

/// Returns the names of denied tools, each once, in order, bounded in number and length.
pub(super) fn denied_tools(result: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in result.get("permission_denials").and_then(Value::as_array).into_iter().flatten() {
        let name = match entry {
            Value::Object(entry) => {
                entry.get("tool_name").or_else(|| entry.get("tool")).and_then(Value::as_str)
            }
            Value::String(name) => Some(name.as_str()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        };
        let name = one_line(name.unwrap_or_default(), NAME_CHARS_MAX);
        if !name.is_empty() && !names.contains(&name) && names.len() < NAMES_MAX {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests;
