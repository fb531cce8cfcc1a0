//! As much of a record as its dispatch is counted by. It is read where it lies: a million records are counted without a copy
//! of one.

use std::borrow::Cow;
use std::ops::Deref;

use serde::Deserialize;

use crate::audit::Code;
use crate::audit::stats::failure_class;
use crate::model::{JobId, Timestamp};

/// A text of a record, where it lies if nothing in it is escaped. (Inside an `Option`, a bare `Cow` is always copied.)
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// What a record says that counts. Everything else in it is passed over.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line<'a> {
    /// When.
    pub time: Timestamp,
    /// How the dispatch ended, or that it needed no run.
    pub event: Code,
    #[serde(borrow, default)]
    dispatch: Option<Text<'a>>,
    #[serde(borrow, default)]
    answered_by: Option<Text<'a>>,
    #[serde(borrow, default)]
    root: Option<Text<'a>>,
    #[serde(borrow, default)]
    agent: Option<Text<'a>>,
    #[serde(borrow, default)]
    caller: Option<LineCaller<'a>>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    /// What came of the run.
    #[serde(borrow, default)]
    pub end: Option<LineEnd<'a>>,
}

/// What a line says of who asked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LineCaller<'a> {
    #[serde(borrow, default)]
    client: Option<Text<'a>>,
    #[serde(borrow, default)]
    declared: Option<Text<'a>>,
    #[serde(borrow, default)]
    directory: Option<Text<'a>>,
}

/// What a line says of what came of the run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LineEnd<'a> {
    /// Whether the agent answered without an error.
    pub success: bool,
    #[serde(borrow, default)]
    error_type: Option<Text<'a>>,
    /// The agent's own verdict.
    #[serde(borrow, default)]
    pub outcome: Option<Text<'a>>,
    /// What it cost, as it was written down, in US dollars.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    /// How long it took, as it was written down, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// The model that answered.
    #[serde(borrow, default)]
    pub model: Option<Text<'a>>,
}

/// The events that say how a dispatch ended, or that it needed no run.
const COUNTED: [Code; 6] =
    [Code::Hit, Code::Joined, Code::Refused, Code::Finished, Code::Cancelled, Code::Interrupted];

/// Longer runs and larger sums are mistakes of whoever wrote them down.
pub const DURATION_MS_MAX: u64 = 1_000_000_000;
/// See [`DURATION_MS_MAX`].
pub const COST_USD_MAX: f64 = 1_000_000.0;

impl<'a> Line<'a> {
    /// Returns the line of this JSON text; nothing when it does not count, or cannot be read. What does not count is told
    /// by its beginning, which every record of ours has: most records are passed over at once.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let is_counted = |event: &[u8]| COUNTED.iter().any(|code| code.as_str().as_bytes() == event);
        if begun(body).is_some_and(|event| !is_counted(event)) {
            return None;
        }
        // Once for the whole is quicker than for each text in it.
        let text = std::str::from_utf8(body).ok()?;
        serde_json::from_str::<Self>(text).ok().filter(|line| COUNTED.contains(&line.event))
    }

    /// Returns the dispatch.
    pub fn dispatch(&self) -> Option<JobId> {
        id(self.dispatch.as_ref())
    }

    /// Returns the dispatch whose answer was given again.
    pub fn answered_by(&self) -> Option<JobId> {
        id(self.answered_by.as_ref())
    }

    /// Returns the outermost dispatch of its tree.
    pub fn root(&self) -> Option<JobId> {
        id(self.root.as_ref())
    }

    /// Returns the agent.
    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// Returns who asked: the name it gave, else its program without the version; and the directory of the session.
    pub fn caller(&self) -> Option<(&str, Option<&str>)> {
        let caller = self.caller.as_ref()?;
        let client = caller.client.as_deref().unwrap_or_default();
        let program = client.split([' ', '/']).next().unwrap_or_default();
        Some((caller.declared.as_deref().unwrap_or(program), caller.directory.as_deref()))
    }

    /// Returns whether it tells how a dispatch ended.
    pub const fn is_end(&self) -> bool {
        !matches!(self.event, Code::Hit | Code::Joined)
    }

    /// Returns what it cost, if it is about a run that ended.
    pub fn cost_usd(&self) -> Option<f64> {
        let cost = self.end.as_ref().filter(|_| self.is_end())?.cost_usd;
        cost.filter(|cost| (0.0..COST_USD_MAX).contains(cost))
    }

    /// Returns how long it took, in milliseconds, if it is about a run that ended.
    pub fn millis(&self) -> Option<u64> {
        let millis = self.end.as_ref().filter(|_| self.is_end())?.duration_ms;
        Some(millis).filter(|millis| *millis < DURATION_MS_MAX)
    }

    /// Returns why the dispatch failed, in one word; nothing when it did not.
    pub fn failure(&self) -> Option<&str> {
        let end = self.end.as_ref();
        let error_type = end.and_then(|end| end.error_type.as_deref());
        failure_class(self.event, end.is_some_and(|end| end.success), error_type, self.reason.as_deref())
    }
}

/// Returns the event of a record that begins as ours do.
fn begun(body: &[u8]) -> Option<&[u8]> {
    let mut parts = body.strip_prefix(b"{\"time\":\"")?.split(|byte| *byte == b'"').skip(1);
    let is_event = [b",".as_slice(), b"event", b":"].into_iter().all(|part| parts.next() == Some(part));
    parts.next().filter(|_| is_event)
}

fn id(text: Option<&Text<'_>>) -> Option<JobId> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests;
