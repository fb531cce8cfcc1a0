//! Calls of tools that were not permitted: told one by one while a run goes on, where `claude` is recent enough for that, and
//! listed by its result line.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::answer::heard::text_at;
use crate::audit::redact::one_line;

const NAMES_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 100;

/// Most calls that are remembered, and the longest id of one: no run can fill the memory with them.
const CALLS_MAX: usize = 1000;
const ID_BYTES_MAX: usize = 200;

/// What was denied so far.
#[derive(Debug, Default)]
pub(super) struct Denials {
    /// Names of tools, each once, in order, bounded in number and length.
    names: Vec<String>,
    /// Ids of calls.
    calls: BTreeSet<String>,
    /// Whether the list of them all has come.
    listed: bool,
}

impl Denials {
    /// Takes note of one: what a line of its own and an entry of the list say is the same.
    pub(super) fn told(&mut self, denial: &Map<String, Value>) {
        self.named(text_at(denial, "tool_name").or_else(|| text_at(denial, "tool")).unwrap_or_default());
        let id = text_at(denial, "tool_use_id").filter(|id| id.len() <= ID_BYTES_MAX);
        if let Some(id) = id.filter(|_| self.calls.len() < CALLS_MAX) {
            self.calls.insert(id.to_owned());
        }
    }

    /// Takes note of the list in a result line.
    pub(super) fn listed(&mut self, result: &Map<String, Value>) {
        let Some(denials) = result.get("permission_denials").and_then(Value::as_array) else { return };
        self.listed = true;
        for denial in denials {
            match denial {
                Value::Object(denial) => self.told(denial),
                Value::String(name) => self.named(name),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
            }
        }
    }

    fn named(&mut self, name: &str) {
        let name = one_line(name, NAME_CHARS_MAX);
        if !name.is_empty() && !self.names.contains(&name) && self.names.len() < NAMES_MAX {
            self.names.push(name);
        }
    }

    /// Returns the names of tools that were denied.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the ids of calls that were denied.
    pub(super) const fn calls(&self) -> &BTreeSet<String> {
        &self.calls
    }

    /// Returns whether it is not known what was denied: a run was stopped before it listed that, by a version that may tell it
    /// nowhere else, and calls had failed, as those do that are denied.
    pub(super) const fn is_unknown(&self, any_failed: bool) -> bool {
        any_failed && !self.listed && self.names.is_empty()
    }
}

#[cfg(test)]
mod tests;
