//! A question to an agent as it is written: the fields of one dispatch.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::document::SUMMARY_CHARS_MAX;
use crate::document::parallel::Wanted;
use crate::model::request::RawRequest;

/// What is asked of an agent.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Question {
    /// The agent's name, as `list_agents` shows it.
    agent: String,
    /// The task, complete in itself: the agent sees nothing of this conversation.
    task: String,
    /// Background: findings, file contents, constraints.
    #[serde(default)]
    context: String,
    /// Who asks, for the agent and for the audit trail.
    #[serde(default)]
    caller: String,
    /// What the answer is for.
    #[serde(default)]
    goal: String,
    /// `text` (or empty), `json`, or a JSON Schema object (or its text) that the answer must fit; the value then comes in
    /// `parsed_result`.
    #[serde(default = "no_format")]
    #[schemars(with = "String")]
    response_format: Value,
    /// Seconds the run may take, 10 to 7200; 0 takes the agent's own limit.
    #[serde(default)]
    #[schemars(range(min = 0, max = 7200))]
    timeout_seconds: i64,
    /// A group of which the agent is a member: its shared context is added.
    #[serde(default)]
    group: String,
}

/// How much of an answer is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Wish {
    /// Return a reference and a summary instead of the whole answer; read it with `fetch_result`.
    #[serde(default)]
    return_ref: bool,
    /// Length of that summary, in characters.
    #[serde(default = "summary_chars")]
    #[schemars(range(min = 0, max = 100_000))]
    summary_chars: i64,
}

impl Wish {
    /// Returns what of the answer is returned.
    pub(crate) fn wanted(&self) -> Wanted {
        let chars = usize::try_from(self.summary_chars.clamp(0, SUMMARY_CHARS_MAX)).unwrap_or(0);
        if self.return_ref { Wanted::Reference(chars) } else { Wanted::Whole }
    }
}

const fn no_format() -> Value {
    Value::String(String::new())
}

const fn summary_chars() -> i64 {
    500
}

impl Question {
    /// Returns the request that it makes in a conversation; without an id, in a new one.
    pub(crate) fn in_session(self, session_id: String) -> RawRequest {
        RawRequest {
            agent: self.agent,
            task: self.task,
            context: self.context,
            caller: self.caller,
            goal: self.goal,
            response_format: self.response_format,
            timeout_seconds: self.timeout_seconds,
            group: self.group,
            session_id,
        }
    }
}
