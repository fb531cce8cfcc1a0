//! A record as the model reads it: what matters of it, flat, with every text bounded.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::Record;
use crate::audit::query::AuditEntry;
use crate::audit::redact::{hide, one_line};
use crate::audit::verdict::Differing;
use crate::model::ToolCall;

/// Longest text of a record, in characters: in a list, and of one dispatch.
const BRIEF_CHARS: usize = 200;
const FULL_CHARS: usize = 1500;

/// Records.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct RecordsDocument {
    /// The records.
    pub(crate) records: Vec<RecordDocument>,
    /// Present when there are more: narrow the question down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) more: Option<bool>,
}

/// A dispatch, or one record.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ShownDocument {
    #[serde(flatten)]
    pub(crate) records: RecordsDocument,
    /// With `tools`: the calls of tools that its run made, one after the other. Empty when it made none, or when its job is
    /// not kept any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) calls: Option<Vec<CallDocument>>,
    /// How many more calls it made: of a long run only the first are kept, and of those the first are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) calls_left_out: Option<u64>,
    /// What is stored of its job and is not what was recorded, so somebody changed it: `answer`, `calls` or `facts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub(crate) differs: Vec<Differing>,
}

/// One call of a tool.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CallDocument {
    /// The tool.
    tool: String,
    /// First words of what it was called on.
    #[serde(skip_serializing_if = "String::is_empty")]
    on: String,
    /// The call inside which it was made (a subagent's), by its place in the list, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    inside: Option<u32>,
    /// When, in milliseconds since the start of the run.
    at_ms: u64,
    /// Milliseconds to its result; absent when none came.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    /// `done`, `failed`, `denied`, or `open` when it had not ended before the run did.
    end: String,
}

/// Most calls that are shown, and how long a text of one may be, in characters: about 20,000 in all.
const CALLS_MAX: usize = 100;
const CALL_CHARS: usize = 120;

/// One record.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(crate) struct RecordDocument {
    /// Its number: they have no gaps.
    seq: u64,
    /// When, RFC 3339.
    time: String,
    /// What happened.
    event: String,
    /// The dispatch it is about: a job id.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch: Option<String>,
    /// The dispatch whose answer was given instead of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_by: Option<String>,
    /// The dispatch inside which it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    /// The agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Who asked: the declared name, or the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    /// The session that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_session: Option<String>,
    /// Where it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    /// First words of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    /// State the job reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// The agent's own verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// Class of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Why: the refusal, who stopped it, what was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What it cost, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    /// Turns of the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    turns: Option<u32>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Tools it used, and how often.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tools: BTreeMap<String, u32>,
    /// Tools it was denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    denied_tools: Vec<String>,
    /// Present when it is not known which were denied: it was stopped before it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_unknown: Option<bool>,
    /// How many files are different in the repository that it worked in; whatever changed them meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    files_changed_count: Option<u32>,
    /// The first of them; not in a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files_changed: Vec<String>,
    /// Commits made meanwhile, the newest first; not in a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commits: Vec<String>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// Commit that was checked out.
    #[serde(skip_serializing_if = "Option::is_none")]
    git_head: Option<String>,
    /// More of events that are not about a dispatch.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, String>,
    /// Its hash in the chain; of one dispatch only.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

impl ShownDocument {
    /// Returns these records, with the calls of tools if they are wanted: those that are kept, of so many.
    pub(crate) fn of(
        records: RecordsDocument,
        calls: Option<(&[ToolCall], u64)>,
        differs: Vec<Differing>,
    ) -> Self {
        let shown: Option<Vec<_>> =
            calls.map(|(calls, _)| calls.iter().take(CALLS_MAX).map(CallDocument::of).collect());
        let made = calls.map_or(0, |(calls, made)| made.max(calls.len() as u64));
        let left_out = made.saturating_sub(shown.as_ref().map_or(0, Vec::len) as u64);
        Self { records, calls: shown, calls_left_out: (left_out > 0).then_some(left_out), differs }
    }
}

impl CallDocument {
    fn of(call: &ToolCall) -> Self {
        Self {
            tool: bounded(&call.name, CALL_CHARS),
            on: bounded(&call.input, CALL_CHARS),
            inside: call.parent,
            at_ms: call.start_ms,
            duration_ms: call.duration_ms,
            end: call.end.as_str().to_owned(),
        }
    }
}

/// Returns a text as the model may see it: it was redacted when it was written, by the rules of then.
fn bounded(text: &str, chars: usize) -> String {
    one_line(&hide(text), chars)
}

impl RecordDocument {
    /// Returns the record as one of many.
    pub(crate) fn brief(entry: &AuditEntry) -> Self {
        Self {
            hash: None,
            details: BTreeMap::new(),
            git_head: None,
            files_changed: Vec::new(),
            commits: Vec::new(),
            ..Self::of(entry, BRIEF_CHARS)
        }
    }

    /// Returns the record as one of few.
    pub(crate) fn full(entry: &AuditEntry) -> Self {
        Self::of(entry, FULL_CHARS)
    }

    fn of(entry: &AuditEntry, chars: usize) -> Self {
        let (seq, hash) = (entry.head.seq, Some(entry.head.hash.to_string()));
        let Ok(record) = serde_json::from_str::<Record>(&entry.body) else {
            return Self { seq, hash, event: "unreadable".to_owned(), ..Self::default() };
        };
        let bounded = |text: String| bounded(&text, chars);
        let text = |text: Option<String>| text.map(bounded);
        let end = record.end.unwrap_or_default();
        let ran = end.duration_ms > 0;
        let files_changed_count = end.changes.as_ref().map(|changes| changes.files_total);
        let changes = end.changes.unwrap_or_default();
        let (declared, client, session) = record
            .caller
            .map_or((None, None, None), |caller| (caller.declared, Some(caller.client), caller.session));
        Self {
            seq,
            hash,
            time: record.time.rfc3339(),
            event: record.event.as_str().to_owned(),
            dispatch: record.dispatch,
            answered_by: record.answered_by,
            parent: record.parent,
            agent: text(record.agent),
            caller: text(declared.or(client)),
            caller_session: text(session),
            directory: text(record.directory),
            task: text(record.task_preview),
            status: record.status,
            outcome: end.outcome,
            error_type: end.error_type,
            error: text(end.error),
            reason: text(record.reason),
            cost_usd: end.cost_usd,
            duration_ms: ran.then_some(end.duration_ms),
            turns: end.turns,
            model: text(end.model),
            tools: end.tools.into_iter().map(|(name, used)| (bounded(name), used.count)).collect(),
            denied_tools: end.denied_tools.into_iter().map(bounded).collect(),
            denied_unknown: end.denied_unknown.then_some(true),
            files_changed_count,
            files_changed: changes.files.into_iter().map(bounded).collect(),
            commits: changes.commits.into_iter().map(bounded).collect(),
            session: record.session,
            git_head: record.git_head,
            details: record.details.into_iter().map(|(name, detail)| (name, bounded(detail))).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
