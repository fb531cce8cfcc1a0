//! What an audit record says, and the stable codes of the events it tells of.
//!
//! A record is JSON text inside a hash-chained envelope ([`chain`]): it must stay readable in years and by other tools.
//! Who links records and numbers them is the store's committer alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::agent::ProfileInForce;
use crate::model::{Caller, Changes, Timestamp, ToolUse, Usage};

pub mod chain;
pub mod checkpoint;
pub mod export;
pub mod key;
pub mod line;
pub mod ocsf;
pub mod query;
pub mod redact;
pub mod report;
pub mod seal;
pub mod stats;
pub mod typical;
pub mod verdict;

pub use key::{AuditKey, Mac};

/// What happened. The texts are stable: other programs match on them.
///
/// A dispatch begins with exactly one of `requested`, `refused`, `hit` and `joined`. One that was requested has at most one
/// `started`, at most one `cancel_requested`, and ends with exactly one of `finished`, `cancelled` and `interrupted`. How
/// it ended is in `status` and `end`: a run that failed is `finished` with `end.success` false; what was read from the run
/// folder after the worker had died carries `end.recovered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A dispatch was opened as a new job.
    Requested,
    /// A dispatch was refused; nothing ran.
    Refused,
    /// A dispatch was answered from the cache.
    Hit,
    /// A dispatch joined an identical one that was under way.
    Joined,
    /// A run is about to start `claude`.
    Started,
    /// A run ended by itself, well or not; or it could not be started.
    Finished,
    /// Somebody asked for a running job to be stopped.
    CancelRequested,
    /// A job was stopped: before it ran, or while it did.
    Cancelled,
    /// A job's worker died, or never came, and left no answer that is good.
    Interrupted,
    /// The configuration was changed through this program.
    ConfigChanged,
    /// The cache was emptied.
    CacheCleared,
    /// Old jobs were removed.
    Gc,
    /// The audit key is another one: digests under the old one cannot be found any more.
    KeyReplaced,
    /// Records are missing: what the head file knew is not in the store.
    Gap,
    /// The store could not be opened and was set aside; a new one begins here.
    Quarantined,
    /// Old records were removed from the beginning of the trail.
    Retention,
    /// A check of the trail found a fault.
    VerifyFailed,
    /// A session asked for a change of the configuration that it may not make; nothing was changed.
    ConfigRefused,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 18] = [
        Self::Requested,
        Self::Refused,
        Self::Hit,
        Self::Joined,
        Self::Started,
        Self::Finished,
        Self::CancelRequested,
        Self::Cancelled,
        Self::Interrupted,
        Self::ConfigChanged,
        Self::CacheCleared,
        Self::Gc,
        Self::KeyReplaced,
        Self::Gap,
        Self::Quarantined,
        Self::Retention,
        Self::VerifyFailed,
        Self::ConfigRefused,
    ];

    /// Returns the code of this text.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Returns the text used in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Refused => "refused",
            Self::Hit => "hit",
            Self::Joined => "joined",
            Self::Started => "started",
            Self::Finished => "finished",
            Self::CancelRequested => "cancel_requested",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::ConfigChanged => "config_changed",
            Self::CacheCleared => "cache_cleared",
            Self::Gc => "gc",
            Self::KeyReplaced => "key_replaced",
            Self::Gap => "gap",
            Self::Quarantined => "quarantined",
            Self::Retention => "retention",
            Self::VerifyFailed => "verify_failed",
            Self::ConfigRefused => "config_refused",
        }
    }
}

/// One record. Absent facts are left out of the JSON; texts are bounded so that the whole fits
/// [`chain::BODY_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When the event was recorded.
    pub time: Timestamp,
    /// What happened.
    pub event: Code,
    /// The dispatch it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatch: Option<String>,
    /// For a hit or a join: the dispatch whose answer is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// The dispatch inside which it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The outermost dispatch of its tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Who asked: for the dispatch, or, in `cancel_requested`, for its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The group through which it was addressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The agent's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Commit checked out in that directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_head: Option<String>,
    /// Digest of the prompt, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_digest: Option<String>,
    /// Redacted first words of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_preview: Option<String>,
    /// Digest of the exact task under the audit key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_mac: Option<String>,
    /// Digest of the exact context under the audit key; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_mac: Option<String>,
    /// Secrets of known shapes that passed here (request, answer, inputs of tools): kind, and the first digits of the
    /// digest under the audit key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The span that the run is, as it was handed on to it (`TRACEPARENT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// What the run was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileInForce>,
    /// The conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// State the job reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What came of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Why: the refusal, who cancelled, what was lost, what was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Details of events that are not about a dispatch (configuration before and after, counts).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Whether the agent answered without an error.
    pub success: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// What went wrong, redacted and cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The agent's own verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What it cost, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Turns of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens.
    #[serde(default)]
    pub tokens: Usage,
    /// Tools used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, ToolUse>,
    /// Tools denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_tools: Vec<String>,
    /// Whether it is not known what was denied: the run was stopped before it said so. Then none are listed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub denied_unknown: bool,
    /// Digest of the answer, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_digest: Option<String>,
    /// Digest of the JSON value in it that was asked for, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parsed_digest: Option<String>,
    /// Size of the answer, in bytes.
    #[serde(default)]
    pub answer_bytes: u64,
    /// Digest of the exact answer under the audit key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_mac: Option<String>,
    /// Redacted first words of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_preview: Option<String>,
    /// What is different in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// Digest of the list of tool calls that is kept with the job, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_digest: Option<String>,
    /// Whether the result was read from the run folder after its worker had died.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recovered: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Record {
    /// Returns a record of `event` at `time` that says nothing else yet.
    pub const fn new(time: Timestamp, event: Code) -> Self {
        Self {
            time,
            event,
            dispatch: None,
            answered_by: None,
            parent: None,
            root: None,
            caller: None,
            agent: None,
            group: None,
            directory: None,
            git_head: None,
            request_digest: None,
            task_preview: None,
            task_mac: None,
            context_mac: None,
            secrets: Vec::new(),
            trace: None,
            profile: None,
            session: None,
            status: None,
            end: None,
            reason: None,
            details: BTreeMap::new(),
        }
    }
}

/// Returns `text` cut to `chars` characters, with `…` in place of what is missing.
pub fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}
