//! Which tools were used: how often, how long each took, and the calls one after the other. Calls are paired with their
//! results by id.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::redact::{one_line, unsplit};
use crate::model::{CallEnd, ToolCall, ToolUse};

const NAME_CHARS_MAX: usize = 100;

/// Most calls whose results are waited for; more at once than any session makes, so that ids cannot fill the memory.
const PENDING_MAX: usize = 1000;

/// Tools used so far.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    tools: BTreeMap<String, ToolUse>,
    /// Calls without a result yet.
    pending: BTreeMap<String, Pending>,
    /// The first calls, with their ids.
    calls: Vec<(String, ToolCall)>,
    any_failed: bool,
}

#[derive(Debug)]
struct Pending {
    /// The name it is counted under.
    name: String,
    since: u64,
    /// Its place among the calls that are kept.
    place: Option<usize>,
}

/// A call, as the output tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Called<'a> {
    pub(super) id: &'a str,
    pub(super) tool: &'a str,
    /// What it is called on.
    pub(super) subject: &'a str,
    /// The call inside which it is made, by its id.
    pub(super) parent: Option<&'a str>,
}

impl Timeline {
    /// Takes note of a call.
    pub(super) fn called(&mut self, call: &Called<'_>, at_ms: u64) {
        let place = self.keep(call, at_ms);
        let mut name = one_line(call.tool, NAME_CHARS_MAX);
        let own = self.tools.keys().filter(|name| *name != ToolUse::OTHER).count();
        if name.is_empty() || (own >= ToolUse::NAMES_MAX && !self.tools.contains_key(&name)) {
            ToolUse::OTHER.clone_into(&mut name);
        }
        let tool = self.tools.entry(name.clone()).or_default();
        tool.count = tool.count.saturating_add(1);
        if !call.id.is_empty() && self.pending.len() < PENDING_MAX {
            self.pending.insert(call.id.to_owned(), Pending { name, since: at_ms, place });
        }
    }

    fn keep(&mut self, call: &Called<'_>, at_ms: u64) -> Option<usize> {
        let place = self.calls.len();
        if place >= ToolCall::CALLS_MAX {
            return None;
        }
        let parent = call.parent.and_then(|id| self.calls.iter().position(|(other, _)| other == id));
        let kept = ToolCall {
            name: unsplit(call.tool, NAME_CHARS_MAX),
            input: unsplit(call.subject, ToolCall::INPUT_CHARS),
            parent: parent.and_then(|place| u32::try_from(place).ok()),
            start_ms: at_ms,
            duration_ms: None,
            end: CallEnd::Open,
        };
        self.calls.push((call.id.to_owned(), kept));
        Some(place)
    }

    /// Takes note of a result. Returns the tool that gave it, as it is counted.
    pub(super) fn returned(&mut self, id: &str, failed: bool, at_ms: u64) -> Option<String> {
        let Pending { name, since, place } = self.pending.remove(id)?;
        self.any_failed |= failed;
        let millis = at_ms.saturating_sub(since);
        let tool = self.tools.entry(name.clone()).or_default();
        tool.millis = tool.millis.saturating_add(millis);
        if let Some((_, call)) = place.and_then(|place| self.calls.get_mut(place)) {
            call.duration_ms = Some(millis);
            call.end = if failed { CallEnd::Failed } else { CallEnd::Done };
        }
        Some(name)
    }

    /// Returns the first calls, in order, `denied` holding the ids of those that were not permitted.
    pub(super) fn calls(&self, denied: &BTreeSet<String>) -> Vec<ToolCall> {
        let told = self.calls.iter().map(|(id, call)| {
            let mut call = call.clone();
            if denied.contains(id) {
                call.end = CallEnd::Denied;
            }
            call
        });
        told.collect()
    }

    /// Returns whether any call gave an error.
    pub(super) const fn any_failed(&self) -> bool {
        self.any_failed
    }

    /// Returns the tools used.
    pub(super) fn into_tools(self) -> BTreeMap<String, ToolUse> {
        self.tools
    }
}

#[cfg(test)]
mod tests;
