//! How often each tool was used and how long it took: calls paired with their results by id.

use std::collections::BTreeMap;

use crate::audit::redact::one_line;
use crate::model::ToolUse;

/// Most tools counted under their own names; the rest is counted together, so that no run can fill a record.
const NAMES_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 100;
const OTHER: &str = "other";

/// Most calls whose results are waited for; more at once than any session makes, so that ids cannot fill the memory.
const PENDING_MAX: usize = 1000;

/// Tools used so far.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    tools: BTreeMap<String, ToolUse>,
    /// Calls without a result yet: id to name and time.
    pending: BTreeMap<String, (String, u64)>,
}

impl Timeline {
    /// Takes note of a call.
    pub(super) fn called(&mut self, id: &str, tool: &str, at_ms: u64) {
        let mut name = one_line(tool, NAME_CHARS_MAX);
        let own = self.tools.keys().filter(|name| *name != OTHER).count();
        if name.is_empty() || (own >= NAMES_MAX && !self.tools.contains_key(&name)) {
            OTHER.clone_into(&mut name);
        }
        let tool = self.tools.entry(name.clone()).or_default();
        tool.count = tool.count.saturating_add(1);
        if !id.is_empty() && self.pending.len() < PENDING_MAX {
            self.pending.insert(id.to_owned(), (name, at_ms));
        }
    }

    /// Takes note of a result.
    pub(super) fn returned(&mut self, id: &str, at_ms: u64) {
        if let Some((name, since)) = self.pending.remove(id) {
            let tool = self.tools.entry(name).or_default();
            tool.millis = tool.millis.saturating_add(at_ms.saturating_sub(since));
        }
    }

    /// Returns the tools used.
    pub(super) fn into_tools(self) -> BTreeMap<String, ToolUse> {
        self.tools
    }
}

#[cfg(test)]
mod tests;
