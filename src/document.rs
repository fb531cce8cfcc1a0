//! What both doors answer, as JSON: the original's keys, absent where there is nothing to say; and what both of them read.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub(super) use crate::audit::redact::beginning as head;
use crate::daemon::protocol::JobView;
use crate::dispatch::{DispatchError, Dispatched, Ended, Outcome, Served};
use crate::error::Report;
use crate::job::{JobRecord, State};
use crate::model::{Answer, FailureClass, Portion, Retry, RunResult};

pub(super) mod agents;
pub(super) mod audit;
pub(super) mod dialogue;
pub(super) mod fitting;
pub(super) mod groups;
mod jobs;
pub(super) mod parallel;
pub(super) mod plan;
pub(super) mod progress;
pub(super) mod question;
pub(super) mod record;
pub(super) mod several;
pub(super) mod summary;
pub(super) mod upkeep;

pub(super) use jobs::{
    ANSWER_CHARS_MAX, CancelDocument, JobDocument, JobsDocument, Measure, asked_by, format_of,
};

/// A dispatch: its result, or that it goes on.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(super) struct DispatchDocument {
    /// The agent that was asked.
    pub(super) agent: String,
    /// The job that carries it out; also a reference for `fetch_result`. Of one that was refused, the id under which
    /// `audit_show` has that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) job_id: String,
    /// `done`, `failed`, `cancelled` or `interrupted`; `pending` or `running` while it goes on by itself; `refused` when it
    /// was not let in.
    pub(super) status: String,
    /// Whether the agent answered without an error; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) success: Option<bool>,
    /// The answer; absent while it runs and when only a summary was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<String>,
    /// The conversation, to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session_id: Option<String>,
    /// What it cost, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cost_usd: Option<f64>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u64>,
    /// Turns of the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) num_turns: Option<u32>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// Why: `permission`, `timeout`, `stalled`, `recursion`, `not_found`, `budget`, `usage_limit`, `auth`, `overloaded`,
    /// `cancelled`, `interrupted`, `refused`, `queue_full` or `cli_error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_type: Option<String>,
    /// The same, or what else stood in the way: a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    /// Whether trying again can help: `now`, `never`, or `after` and a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry: Option<String>,
    /// The JSON value that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parsed_result: Option<Value>,
    /// Tools that were asked for and denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) denied_tools: Vec<String>,
    /// Present when it is not known which were denied: it was stopped before it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) denied_unknown: Option<bool>,
    /// Files that are different in the agent's repository, the first fifty; whatever changed them meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) files_changed: Vec<String>,
    /// How many files are different, when not all of them are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) files_changed_count: Option<u32>,
    /// Commits made in the agent's repository, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) commits: Vec<String>,
    /// Present when more may have changed in the repository than is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changes_incomplete: Option<bool>,
    /// What the caller can do, or should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
    /// Present when it spent more than its cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budget_exceeded: Option<bool>,
    /// The agent's own verdict: done, partial or blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<String>,
    /// Present when the answer is not all that was asked for: cut short, or not in the form that was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partial: Option<bool>,
    /// Present when the answer came from the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cached: Option<bool>,
    /// Present when an identical dispatch was under way and gave the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) joined: Option<bool>,
    /// Present when `result` is only a part of the answer: read the rest with `fetch_result(ref, offset)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) truncated: Option<bool>,
    /// Reference of the whole answer.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    /// Length of the whole answer, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    /// The same, where `fetch_result` returns a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) full_size: Option<u64>,
    /// Where the rest of the answer begins; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_offset: Option<u64>,
    /// Length of the summary, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_chars: Option<u64>,
    /// The beginning of the answer, when a reference was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<String>,
    /// What to do now: while it runs, or for what was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
}

/// How much of an answer is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it, or its beginning and a reference.
    Whole {
        /// Longest answer returned whole, in characters.
        chars_max: usize,
    },
    /// A part of it.
    Part {
        /// Where it begins, in characters.
        offset: usize,
        /// How long it is, in characters.
        chars: usize,
    },
    /// A reference and the beginning.
    Reference {
        /// Characters of the summary.
        summary_chars: usize,
        /// Longest parsed value that comes with it, in characters.
        chars_max: usize,
    },
}

/// Longest summary, in characters.
pub(super) const SUMMARY_CHARS_MAX: i64 = 100_000;

/// Longest parsed value that some call brings beside any text, however long, in characters.
const VALUE_CHARS_ALWAYS: usize = ANSWER_CHARS_MAX / 2;

impl Extent {
    /// Returns what of an answer has to be known to return this much of it.
    pub(super) const fn portion(self) -> Portion {
        let (chars, parsed) = match self {
            Self::Whole { chars_max } => (chars_max, chars_max),
            Self::Part { offset: 0, chars } => (chars, chars),
            // The value belongs to the beginning.
            Self::Part { offset, chars } => {
                return Portion { offset: offset as u64, chars: chars as u64, parsed_chars: 0 };
            }
            Self::Reference { summary_chars, chars_max } => (summary_chars, chars_max),
        };
        // One more than is returned tells that it is too long, and whether another call could bring it.
        let most = if parsed > VALUE_CHARS_ALWAYS { parsed } else { VALUE_CHARS_ALWAYS };
        let parsed_chars = (most as u64).saturating_add(1);
        Portion { offset: 0, chars: chars as u64, parsed_chars }
    }
}

impl DispatchDocument {
    /// Returns a dispatch that has ended.
    pub(super) fn ended(ended: &Ended, extent: Extent) -> Self {
        let mut document = Self::of(&ended.job, &ended.answer, extent);
        document.cached = (ended.served == Served::Cache).then_some(true);
        document.joined = (ended.served == Served::Join).then_some(true);
        document
    }

    /// Returns a dispatch however it came out, with as much of its answer as `extent` says.
    pub(super) fn dispatched(dispatched: &Dispatched, extent: Extent) -> Self {
        match dispatched {
            Dispatched::Ended(ended) => Self::ended(ended, extent),
            Dispatched::Running(view, served) => Self::running(view, *served),
        }
    }

    /// Returns one of several dispatches: also a failure of its own has its place among them.
    pub(super) fn outcome(agent: &str, outcome: &Outcome, extent: Extent) -> Self {
        let error = match outcome {
            Ok(dispatched) => return Self::dispatched(dispatched, extent),
            Err(error) => error,
        };
        let class = match error {
            DispatchError::NotStarted => FailureClass::Timeout,
            _ => FailureClass::CliError,
        };
        let report = Report::from(error);
        let failed = Self {
            agent: agent.to_owned(),
            status: "failed".to_owned(),
            success: Some(false),
            error: Some(report.message),
            error_type: Some(class.to_string()),
            code: Some(report.code.to_owned()),
            hint: Some(report.hints.join(" ")),
            ..Self::default()
        };
        let DispatchError::Refused { job, refusal } = error else { return failed };
        Self {
            status: "refused".to_owned(),
            job_id: job.to_string(),
            error_type: Some(refusal.class.to_string()),
            retry: Some(said(Retry::Never)),
            ..failed
        }
    }

    /// Returns a dispatch that goes on by itself.
    pub(super) fn running(view: &JobView, served: Served) -> Self {
        let id = view.record.id.to_string();
        Self {
            agent: view.record.agent.clone(),
            status: view.record.state.as_str().to_owned(),
            message: Some(format!(
                "It goes on by itself. Wait for it with dispatch_wait(job_id=\"{id}\") or `agent-dispatch wait {id}`, or \
                 ask with dispatch_status."
            )),
            session_id: Some(view.record.session.to_string()),
            joined: (served == Served::Join).then_some(true),
            job_id: id,
            ..Self::default()
        }
    }

    /// Returns a job that has ended, with its answer: all of it, or at least the portion that `extent` takes.
    pub(super) fn of(job: &JobRecord, answer: &Answer, extent: Extent) -> Self {
        let id = job.id.to_string();
        let mut document =
            Self { agent: job.agent.clone(), status: job.state.as_str().to_owned(), ..Self::default() };
        document.success = Some(job.state == State::Done);
        if let Some(result) = &job.result {
            document.facts(result);
        }
        document.session_id.get_or_insert_with(|| job.session.to_string());
        if job.state == State::Cancelled {
            document.error_type = Some("cancelled".to_owned());
            document.error = job.error();
        }
        document.code.clone_from(&document.error_type);
        let size = job.answer_size.map_or(0, |(_, chars)| chars);
        match extent {
            Extent::Whole { chars_max } => document.part(answer, size, &id, 0, chars_max),
            Extent::Part { offset, chars } => document.part(answer, size, &id, offset, chars),
            Extent::Reference { summary_chars, chars_max } => {
                document.parsed(answer, &id, chars_max.saturating_sub(summary_chars));
                document.reference = Some(id.clone());
                document.size = Some(size);
                document.summary_chars = Some(size.min(summary_chars as u64));
                document.summary = Some(head(&answer.text, summary_chars).to_owned());
            }
        }
        document.job_id = id;
        document
    }

    /// Takes `chars` characters of an answer that is there from `offset` on; where it begins, the parsed value is among them,
    /// unless that needs more than half of them and more than the text leaves.
    fn part(&mut self, answer: &Answer, size: u64, id: &str, offset: usize, chars: usize) {
        let left = chars.saturating_sub(usize::try_from(size).unwrap_or(usize::MAX));
        let value = if offset == 0 { self.parsed(answer, id, left.max(chars / 2)) } else { 0 };
        let part = head(&answer.text, chars - value);
        let length = part.chars().count() as u64;
        if length < size {
            let end = length.saturating_add(offset as u64);
            self.truncated = Some(true);
            self.reference = Some(id.to_owned());
            self.size = Some(size);
            self.next_offset = (end < size).then_some(end);
        }
        self.result = Some(part.to_owned());
    }

    /// Takes the parsed value, unless it is longer than this. Returns how long it is, as far as it was taken.
    fn parsed(&mut self, answer: &Answer, id: &str, chars_max: usize) -> usize {
        let Some(json) = answer.parsed.as_deref() else { return 0 };
        let length = json.chars().count();
        if length <= chars_max {
            self.parsed_result = serde_json::from_str(json).ok();
            return length;
        }
        let rest = if length <= VALUE_CHARS_ALWAYS {
            self.reference = Some(id.to_owned());
            format!("read it with fetch_result(ref=\"{id}\", max_chars={ANSWER_CHARS_MAX})")
        } else {
            format!("it is among what `agent-dispatch job {id} --json` prints on the command line")
        };
        let message = format!("`parsed_result` has more than {chars_max} characters and is left out");
        let text = answer.text.trim();
        let same =
            if !text.is_empty() && json.starts_with(text) { ", `result` says the same as text" } else { "" };
        self.message = Some(format!("{message}{same}: {rest}."));
        0
    }

    fn facts(&mut self, result: &RunResult) {
        self.session_id = result.session.as_ref().map(ToString::to_string);
        self.cost_usd = result.cost_usd;
        self.duration_ms = Some(result.duration_ms);
        self.num_turns = result.num_turns;
        self.error.clone_from(&result.error);
        self.error_type = result.class.map(|class| class.as_str().to_owned());
        self.retry = result.retry.map(said);
        self.denied_tools.clone_from(&result.denied_tools);
        self.denied_unknown = result.denied_unknown.then_some(true);
        if let Some(changes) = &result.changes {
            self.files_changed.clone_from(&changes.files);
            self.files_changed_count =
                (changes.files_total as usize > changes.files.len()).then_some(changes.files_total);
            self.commits.clone_from(&changes.commits);
            self.changes_incomplete = changes.incomplete.then_some(true);
        }
        self.hint.clone_from(&result.hint);
        self.budget_exceeded = result.budget_exceeded.then_some(true);
        self.outcome = result.outcome.map(|outcome| outcome.as_str().to_owned());
        self.partial = result.partial.then_some(true);
    }
}

/// Returns how it is told whether trying again can help.
pub(crate) fn said(retry: Retry) -> String {
    match retry {
        Retry::Now => "now".to_owned(),
        Retry::Never => "never".to_owned(),
        Retry::After(time) => format!("after {time}"),
    }
}

#[cfg(test)]
mod tests;
