//! From a request, a profile and what is known of the surroundings to everything a run needs, or a refusal. Pure.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::agent::ProfileInForce;
use crate::model::{AgentName, FailureClass, JobId, SessionId, TraceParent};

pub mod arguments;
pub mod dialogue;
pub mod environment;
pub mod merge;
pub mod prompt;
mod question;
mod refusal;
pub mod schema;

pub use environment::{child_environment, hand_on_trace};
pub use question::{Planned, Question, Surroundings, UnknownAgent, addressed, plan};

/// Everything a worker needs to run one dispatch. Made only by [`plan()`]; written to the run folder as JSON, beside the
/// prompt, which may be large.
///
/// A session that goes on while the program is replaced writes it for a worker of the next version, and the other way round:
/// a field that is added gets a default for when it is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunPlan {
    /// The job this plan is for; also the run id that marks every process of the run.
    pub job: JobId,
    /// The agent's name.
    pub agent: AgentName,
    /// Absolute path of the program to run.
    pub program: PathBuf,
    /// Its arguments, never joined or split again.
    pub args: Vec<String>,
    /// Absolute, resolved path to run in (sessions belong to it: reference `claude-cli.md`, fact 15).
    pub directory: PathBuf,
    /// Which variables pass and which are set.
    pub environment: EnvironmentRule,
    /// The conversation.
    pub session: SessionId,
    /// Whether the conversation existed before.
    pub resumed: bool,
    /// Milliseconds the run may take, counted from the spawn.
    pub timeout_ms: u64,
    /// Milliseconds without any output after which it counts as stalled; 0 never does.
    pub stall_ms: u64,
    /// What the answer must look like.
    pub expects: Expects,
    /// What the run is allowed, for records.
    pub profile: ProfileInForce,
    /// The span that the run is.
    pub trace: TraceParent,
}

/// What the answer must look like, in a form that can be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expects {
    /// Free text.
    Text,
    /// One JSON value, parsed leniently from the text.
    Json,
    /// A value that fits this JSON Schema (JSON text), as `structured_output`.
    Schema(String),
}

/// Why a dispatch may not run. Recorded, and told to the caller with the class and a hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Its class.
    pub class: FailureClass,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it: a command or a call to make.
    pub hint: String,
}

impl RunPlan {
    /// Returns how long the run may take.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// Which variables of the worker's environment reach the run: the caller's, less the markers of a Claude session
/// (always), less what the agent's profile keeps out, plus what is set here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentRule {
    /// If given, only these names pass, beside the ones every program needs.
    pub inherit: Option<Vec<String>>,
    /// Names that do not pass.
    pub deny: Vec<String>,
    /// Variables to set.
    pub set: std::collections::BTreeMap<String, String>,
}

#[cfg(test)]
mod tests;
