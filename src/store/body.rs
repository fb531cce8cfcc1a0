//! The body of an audit record: its JSON text, shortened until it fits. A record is never refused for being long.

use std::collections::BTreeMap;

use crate::audit::chain::BODY_BYTES_MAX;
use crate::audit::{Record, cut};
use crate::model::ToolUse;

/// Lengths to which long texts are cut, in characters, one after the other.
const TEXT_CHARS: [usize; 3] = [1500, 600, 250];

/// How many tools are then counted under their own names: the twenty-first is worth less than the rest of a text.
const TOOL_NAMES: usize = 20;

/// Lengths to which long texts are cut when that was not enough.
const FEW_CHARS: [usize; 3] = [100, 40, 0];

/// How many entries lists keep then, one after the other.
const LIST_ENTRIES: [usize; 4] = [20, 8, 3, 0];

/// How long anything else may be in the end, in characters.
const NAME_CHARS: [usize; 3] = [200, 64, 8];

/// Returns the record as JSON text of at most [`BODY_BYTES_MAX`] bytes, having shortened it to that.
pub fn body(record: &mut Record) -> Result<Vec<u8>, serde_json::Error> {
    let texts = TEXT_CHARS.map(Shorter::Texts).into_iter();
    let texts = texts.chain([Shorter::Tools(TOOL_NAMES)]).chain(FEW_CHARS.map(Shorter::Texts));
    let lists = LIST_ENTRIES.map(Shorter::Lists);
    let names = NAME_CHARS.map(Shorter::Names);
    let mut steps = texts.chain(lists).chain(names);
    loop {
        let bytes = serde_json::to_vec(record)?;
        if bytes.len() <= BODY_BYTES_MAX {
            return Ok(bytes);
        }
        match steps.next() {
            Some(step) => step.apply(record),
            None => *record = Record::new(record.time, record.event),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Shorter {
    Texts(usize),
    Tools(usize),
    Lists(usize),
    Names(usize),
}

impl Shorter {
    fn apply(self, record: &mut Record) {
        match self {
            Self::Texts(chars) => shorten_texts(record, chars),
            Self::Tools(names) => {
                if let Some(end) = &mut record.end {
                    count_together(&mut end.tools, names);
                }
            }
            Self::Lists(entries) => shorten_lists(record, entries),
            Self::Names(chars) => shorten_names(record, chars),
        }
    }
}

fn shorten_texts(record: &mut Record, chars: usize) {
    shorten(&mut record.task_preview, chars);
    shorten(&mut record.reason, chars);
    shorten(&mut record.directory, chars);
    if let Some(changes) = record.end.as_mut().and_then(|end| end.changes.as_mut()) {
        shorten(&mut changes.repository, chars);
    }
    for text in record.details.values_mut() {
        *text = cut(text, chars);
    }
    if let Some(end) = &mut record.end {
        shorten(&mut end.error, chars);
        shorten(&mut end.answer_preview, chars);
    }
    if let Some(caller) = &mut record.caller {
        shorten(&mut caller.declared, chars);
        shorten(&mut caller.directory, chars);
    }
}

fn shorten_lists(record: &mut Record, entries: usize) {
    first(&mut record.details, entries);
    head_of(&mut record.secrets, entries);
    if let Some(end) = &mut record.end {
        count_together(&mut end.tools, entries);
        head_of(&mut end.denied_tools, entries);
        if let Some(changes) = &mut end.changes {
            // How many there are is told beside them.
            changes.files.truncate(entries);
            changes.commits.truncate(entries);
        }
    }
    if let Some(profile) = &mut record.profile {
        head_of(&mut profile.disallowed_tools, entries);
        if let Some(allowed) = &mut profile.allowed_tools {
            head_of(allowed, entries);
        }
    }
}

/// Leaves so many tools their own names, and counts the rest together: that there were more must not be lost.
fn count_together(tools: &mut BTreeMap<String, ToolUse>, names: usize) {
    if tools.keys().filter(|name| *name != ToolUse::OTHER).count() <= names {
        return;
    }
    let mut rest = tools.remove(ToolUse::OTHER).unwrap_or_default();
    while tools.len() > names {
        let Some((_, last)) = tools.pop_last() else { break };
        rest.count = rest.count.saturating_add(last.count);
        rest.millis = rest.millis.saturating_add(last.millis);
    }
    tools.insert(ToolUse::OTHER.to_owned(), rest);
}

/// Keeps the first entries and a mark in place of the rest: an emptied list of tools would say that none was allowed.
fn head_of(list: &mut Vec<String>, entries: usize) {
    if list.len() > entries + 1 {
        list.truncate(entries);
        list.push("…".to_owned());
    } else if entries == 0 {
        list.fill("…".to_owned());
    }
}

fn shorten_names(record: &mut Record, chars: usize) {
    let fields = [
        &mut record.dispatch,
        &mut record.answered_by,
        &mut record.parent,
        &mut record.root,
        &mut record.agent,
        &mut record.group,
        &mut record.git_head,
        &mut record.request_digest,
        &mut record.task_mac,
        &mut record.context_mac,
        &mut record.trace,
        &mut record.session,
        &mut record.status,
    ];
    for field in fields {
        shorten(field, chars);
    }
    if let Some(caller) = &mut record.caller {
        caller.client = cut(&caller.client, chars);
        shorten(&mut caller.session, chars);
        shorten(&mut caller.tool_use, chars);
        shorten(&mut caller.user, chars);
    }
    if let Some(profile) = &mut record.profile {
        shorten(&mut profile.model, chars);
        shorten(&mut profile.permission_mode, chars);
    }
    if let Some(end) = &mut record.end {
        for field in [
            &mut end.error_type,
            &mut end.outcome,
            &mut end.model,
            &mut end.answer_digest,
            &mut end.parsed_digest,
            &mut end.answer_mac,
            &mut end.calls_digest,
        ] {
            shorten(field, chars);
        }
        if let Some(changes) = &mut end.changes {
            for field in
                [&mut changes.branch_before, &mut changes.branch, &mut changes.head_before, &mut changes.head]
            {
                shorten(field, chars);
            }
        }
    }
}

fn shorten(text: &mut Option<String>, chars: usize) {
    if let Some(text) = text {
        *text = cut(text, chars);
    }
}

fn first<V>(map: &mut BTreeMap<String, V>, entries: usize) {
    while map.len() > entries {
        map.pop_last();
    }
}

#[cfg(test)]
mod tests;
