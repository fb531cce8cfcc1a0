//! A dispatch as asked for: every field valid on its own, whoever asked.

use std::time::Duration;

use crate::model::{AgentName, SessionId, schema};

/// What the answer must look like.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ResponseFormat {
    /// Free text.
    #[default]
    Text,
    /// One JSON value, parsed leniently.
    Json,
    /// A JSON value that fits this JSON Schema (an object, as text).
    Schema(serde_json::Map<String, serde_json::Value>),
}

/// A dispatch that was asked for; made only by [`DispatchRequest::new`] and the methods that add to it.
#[derive(Debug, Clone, PartialEq)]
pub struct DispatchRequest {
    /// The agent's name.
    pub agent: AgentName,
    /// The task; not blank, no NUL.
    pub task: String,
    /// Background for the task; empty when there is none.
    pub context: String,
    /// What the caller calls itself; empty when it does not say.
    pub caller: String,
    /// What the caller is after; empty when it does not say.
    pub goal: String,
    /// What the answer must look like.
    pub response_format: ResponseFormat,
    /// How long the run may take; `None` takes the agent's.
    pub timeout: Option<Duration>,
    /// The group through which the agent is addressed.
    pub group: Option<AgentName>,
    /// The conversation to go on with; `None` starts a new one.
    pub resume: Option<SessionId>,
    /// Whether an answer may come from the cache or from an identical dispatch that is under way.
    pub sharing: Sharing,
}

/// What one dispatch may share with others that ask the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Served from the cache, stored in it, joined with a running one (`dispatch`, items of `dispatch_parallel`).
    CacheAndJoin,
    /// Joined with a running one, never served from the cache (`dispatch_async`).
    Join,
    /// Always a run of its own (sessions, dialogue, `test`).
    Never,
}

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct BadField {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong with it and what would be right.
    pub problem: String,
}

/// The fields of a request as they came, not yet checked.
#[derive(Debug, Clone, Default)]
pub struct RawRequest {
    /// `agent`.
    pub agent: String,
    /// `task`.
    pub task: String,
    /// `context`.
    pub context: String,
    /// `caller`.
    pub caller: String,
    /// `goal`.
    pub goal: String,
    /// `response_format`: empty, `text`, `json`, or a JSON Schema object.
    pub response_format: serde_json::Value,
    /// `timeout_seconds`; 0 or less takes the agent's, others are clamped to 10..=7200.
    pub timeout_seconds: i64,
    /// `group`.
    pub group: String,
    /// `session_id`.
    pub session_id: String,
}

impl DispatchRequest {
    /// Longest prompt that `claude` takes on its standard input (10 MB), less room for our own headings.
    pub const PROMPT_BYTES_MAX: usize = 10_000_000 - 65_536;
    /// Shortest and longest run that a call may ask for, in seconds.
    pub const TIMEOUT_SECONDS: (i64, i64) = (10, 7200);

    /// Returns the request that these fields make, or everything that is wrong with them.
    pub fn new(raw: RawRequest, sharing: Sharing) -> Result<Self, Vec<BadField>> {
        let mut problems = Vec::new();
        let mut note = |field, problem: String| problems.push(BadField { field, problem });
        let agent =
            raw.agent.parse::<AgentName>().map_err(|bad| note("agent", format!("is not valid: {bad}"))).ok();
        if raw.task.trim().is_empty() {
            note("task", "is blank: say what the agent is to do".to_owned());
        }
        for (field, text) in
            [("task", &raw.task), ("context", &raw.context), ("caller", &raw.caller), ("goal", &raw.goal)]
        {
            if text.contains('\0') {
                note(field, "contains a NUL character: remove it".to_owned());
            }
        }
        let bytes = raw.task.len() + raw.context.len() + raw.goal.len() + raw.caller.len();
        if bytes > Self::PROMPT_BYTES_MAX {
            let limit = Self::PROMPT_BYTES_MAX;
            note(
                "task",
                format!("and context are {bytes} bytes together, more than {limit}: name a file instead"),
            );
        }
        let response_format =
            parse_format(raw.response_format).map_err(|problem| note("response_format", problem)).ok();
        let mut name = |field, text: &str| match text {
            "" => None,
            text => text.parse::<AgentName>().map_err(|bad| note(field, format!("is not valid: {bad}"))).ok(),
        };
        let group = name("group", &raw.group);
        let resume = match raw.session_id.as_str() {
            "" => None,
            id => {
                id.parse::<SessionId>().map_err(|bad| note("session_id", format!("is not valid: {bad}"))).ok()
            }
        };
        let (Some(agent), Some(response_format), true) = (agent, response_format, problems.is_empty()) else {
            return Err(problems);
        };
        let (least, most) = Self::TIMEOUT_SECONDS;
        let timeout = (raw.timeout_seconds > 0)
            .then(|| Duration::from_secs(raw.timeout_seconds.clamp(least, most).unsigned_abs()));
        let RawRequest { task, context, caller, goal, .. } = raw;
        Ok(Self { agent, task, context, caller, goal, response_format, timeout, group, resume, sharing })
    }
}

fn parse_format(value: serde_json::Value) -> Result<ResponseFormat, String> {
    use serde_json::Value;
    let wanted = "use \"text\", \"json\" or a JSON Schema object";
    let checked = |schema| match schema::check(&schema) {
        Ok(()) => Ok(ResponseFormat::Schema(schema)),
        Err(problem) => Err(format!("is not a JSON Schema: {problem}")),
    };
    match value {
        Value::Null => Ok(ResponseFormat::Text),
        Value::Object(schema) => checked(schema),
        Value::String(text) => match text.trim() {
            "" | "text" => Ok(ResponseFormat::Text),
            "json" => Ok(ResponseFormat::Json),
            other if other.starts_with('{') => match serde_json::from_str(other) {
                Ok(schema) => checked(schema),
                Err(error) => Err(format!("is not a JSON object ({error}): {wanted}")),
            },
            other => Err(format!("is {other:?}: {wanted}")),
        },
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(format!("has the wrong type: {wanted}")),
    }
}

/// Returns a text of somebody else's as a request may hold it: what it holds of NUL characters is told, and does no harm.
pub fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests;
