//! What came of a run: the answer, and the facts that go with it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Changes, SessionId, Timestamp, ToolCall};

/// Why a run failed: a closed set, each with its own remedy (`answer::classify` writes it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Tools or the permission mode stood in the way.
    Permission,
    /// The time of the run was over.
    Timeout,
    /// Nothing was heard for too long.
    Stalled,
    /// Nested too deep, or a dispatch that waits for itself.
    Recursion,
    /// The agent, its directory or `claude` does not exist.
    NotFound,
    /// A spending cap was reached.
    Budget,
    /// The account's limit was reached.
    UsageLimit,
    /// Not logged in, or the key was refused.
    Auth,
    /// The service was overloaded or out of reach.
    Overloaded,
    /// Somebody stopped it.
    Cancelled,
    /// The process that watched over it died.
    Interrupted,
    /// The caller may not dispatch to this agent.
    Refused,
    /// Everything else that `claude` reports.
    CliError,
    /// Too many wait already.
    QueueFull,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 14] = [
        Self::Permission,
        Self::Timeout,
        Self::Stalled,
        Self::Recursion,
        Self::NotFound,
        Self::Budget,
        Self::UsageLimit,
        Self::Auth,
        Self::Overloaded,
        Self::Cancelled,
        Self::Interrupted,
        Self::Refused,
        Self::CliError,
        Self::QueueFull,
    ];

    /// Returns the name used in results and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::Timeout => "timeout",
            Self::Stalled => "stalled",
            Self::Recursion => "recursion",
            Self::NotFound => "not_found",
            Self::Budget => "budget",
            Self::UsageLimit => "usage_limit",
            Self::Auth => "auth",
            Self::Overloaded => "overloaded",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Refused => "refused",
            Self::CliError => "cli_error",
            Self::QueueFull => "queue_full",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retry {
    /// At once.
    Now,
    /// Not before this instant.
    After(Timestamp),
    /// Not without a change.
    Never,
}

/// What the agent itself says of its work, in the last line of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All of it.
    Done,
    /// Some of it.
    Partial,
    /// None of it: something stood in the way.
    Blocked,
}

impl Outcome {
    /// All verdicts.
    pub const ALL: [Self; 3] = [Self::Done, Self::Partial, Self::Blocked];

    /// Returns the name used in results and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Blocked => "blocked",
        }
    }
}

/// Tokens of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub input: u64,
    /// Tokens written.
    pub output: u64,
    /// Tokens read from the prompt cache.
    pub cache_read: u64,
    /// Tokens written to the prompt cache.
    pub cache_creation: u64,
}

/// How often a tool was used in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolUse {
    /// Calls made.
    pub count: u32,
    /// Milliseconds from the calls to their results, added up.
    pub millis: u64,
}

impl ToolUse {
    /// Most tools of a run that are counted under their own names, so that no run can fill a record.
    pub const NAMES_MAX: usize = 64;
    /// The name under which all further ones are counted together.
    pub const OTHER: &'static str = "other";
}

/// The text of an answer: the part that may be large, and is stored apart from the facts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// The JSON value that was asked for, as JSON text.
    pub parsed: Option<String>,
}

/// Which part of an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    /// Where the text begins, in characters.
    pub offset: u64,
    /// How long it is at most, in characters.
    pub chars: u64,
    /// How much of the parsed value comes with it at most, in characters.
    pub parsed_chars: u64,
}

impl Portion {
    /// All of it.
    pub const WHOLE: Self = Self { offset: 0, chars: u64::MAX, parsed_chars: u64::MAX };
}

impl Answer {
    /// Longest answer that is kept whole, in bytes, its text and its JSON value together.
    pub const BYTES_MAX: usize = 16 << 20;

    /// Makes a longer one fit: a JSON value that has no room beside the text takes its place, and a text that is too long even
    /// so is cut, and says so. Returns whether the value is in the text now.
    pub fn fit(&mut self) -> bool {
        let parsed_bytes = self.parsed.as_ref().map_or(0, String::len);
        if self.text.len() + parsed_bytes <= Self::BYTES_MAX {
            return false;
        }
        let parsed = self.parsed.take();
        let replaced = parsed.is_some();
        self.text = parsed.unwrap_or_else(|| std::mem::take(&mut self.text));
        let size = self.text.len();
        if size > Self::BYTES_MAX {
            let mut end = Self::BYTES_MAX;
            while !self.text.is_char_boundary(end) {
                end -= 1;
            }
            self.text.truncate(end);
            let cut = format!("\n[cut: the answer was {size} bytes, {} are kept]", Self::BYTES_MAX);
            self.text.push_str(&cut);
        }
        replaced
    }

    /// Keeps this part of it.
    pub fn keep(&mut self, portion: Portion) {
        self.text.truncate(place(&self.text, portion.offset.saturating_add(portion.chars)));
        self.text.drain(..place(&self.text, portion.offset));
        if let Some(parsed) = &mut self.parsed {
            parsed.truncate(place(parsed, portion.parsed_chars));
        }
    }
}

/// Returns where a character begins, in bytes; of one that is not there, the end.
fn place(text: &str, char: u64) -> usize {
    let nth = usize::try_from(char).ok().and_then(|char| text.char_indices().nth(char));
    nth.map_or(text.len(), |(at, _)| at)
}

/// Everything that a run has left: each part of it is stored in a place of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// The facts.
    pub result: RunResult,
    /// The text.
    pub answer: Answer,
    /// The tools it used, one after the other, at most [`ToolCall::CALLS_MAX`].
    pub calls: Vec<ToolCall>,
}

impl From<(RunResult, Answer)> for Findings {
    fn from((result, answer): (RunResult, Answer)) -> Self {
        Self { result, answer, calls: Vec::new() }
    }
}

/// The facts of a run that ended, without the answer's text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Whether the agent answered without an error.
    pub success: bool,
    /// What went wrong, one or two sentences; only on failure.
    pub error: Option<String>,
    /// Why it failed; only on failure.
    pub class: Option<FailureClass>,
    /// What the caller can do about it, or should know of a success that is not whole.
    pub hint: Option<String>,
    /// Whether trying again can help; only on failure.
    pub retry: Option<Retry>,
    /// The conversation, to go on with.
    pub session: Option<SessionId>,
    /// What it cost, in US dollars; finite.
    pub cost_usd: Option<f64>,
    /// How long `claude` says it took, in milliseconds; else measured.
    pub duration_ms: u64,
    /// Turns of the conversation.
    pub num_turns: Option<u32>,
    /// The agent's own verdict.
    pub outcome: Option<Outcome>,
    /// Tools that were asked for and denied, deduplicated, at most ten.
    pub denied_tools: Vec<String>,
    /// Whether it is not known what was denied: the run was stopped before it said so. Then none are listed.
    pub denied_unknown: bool,
    /// Whether it spent more than its cap.
    pub budget_exceeded: bool,
    /// Whether the answer is not all that was asked for: what had been said before the run was stopped, or not in the form that
    /// was wanted. Such a one is not served again.
    pub partial: bool,
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens.
    pub usage: Usage,
    /// Tools used, at most [`ToolUse::NAMES_MAX`] names and [`ToolUse::OTHER`].
    pub tools: BTreeMap<String, ToolUse>,
    /// What is different in the repository that it worked in; nothing when there is none, or when nothing is.
    pub changes: Option<Changes>,
}

impl RunResult {
    /// Returns a success that took `duration_ms` and says nothing else yet.
    pub fn succeeded(duration_ms: u64) -> Self {
        Self {
            success: true,
            error: None,
            class: None,
            hint: None,
            retry: None,
            session: None,
            cost_usd: None,
            duration_ms,
            num_turns: None,
            outcome: None,
            denied_tools: Vec::new(),
            denied_unknown: false,
            budget_exceeded: false,
            partial: false,
            model: None,
            usage: Usage::default(),
            tools: BTreeMap::new(),
            changes: None,
        }
    }

    /// Returns a failure of this class that took `duration_ms`.
    pub fn failed(class: FailureClass, error: impl Into<String>, duration_ms: u64) -> Self {
        let mut result = Self::succeeded(duration_ms);
        result.success = false;
        result.class = Some(class);
        result.error = Some(error.into());
        result.retry = Some(Retry::Never);
        result
    }

    /// Returns whether the answer is whole and good enough to be served again: a success with nothing denied, nothing
    /// overspent, and no word of the agent that it is not done.
    pub fn cacheable(&self) -> bool {
        let whole = matches!(self.outcome, None | Some(Outcome::Done)) && !self.partial;
        self.success && self.denied_tools.is_empty() && !self.budget_exceeded && whole
    }
}

#[cfg(test)]
mod tests;
