//! What is kept of a job: everything but the texts that may be large.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::State;
use crate::model::agent::{AuditContent, ProfileInForce};
use crate::model::{Caller, Digest, FailureClass, JobId, OnDisconnect, RunResult, SessionId, Timestamp};

/// A job as it is stored, listed and shown. The texts of request and answer are stored apart, under the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// Where it is in its life.
    pub state: State,
    /// The agent's name.
    pub agent: String,
    /// The group through which it was addressed.
    pub group: Option<String>,
    /// Absolute path the session runs in.
    pub directory: PathBuf,
    /// Commit checked out there when it was opened.
    pub git_head: Option<String>,
    /// The conversation, assigned before `claude` starts.
    pub session: SessionId,
    /// Whether it goes on with a conversation that existed.
    pub resumed: bool,
    /// Who asked.
    pub caller: Caller,
    /// The outermost job of its tree; its own id when nobody dispatched it from inside a dispatch.
    pub root: JobId,
    /// What the run is allowed.
    pub profile: ProfileInForce,
    /// How many may run beside it.
    pub places: Places,
    /// First words of the task, at most [`JobRecord::PREVIEW_CHARS`] characters.
    pub task_preview: String,
    /// Digest of the request: equal for equal questions to equal agents.
    pub request_digest: Digest,
    /// Digest of agent and task alone: what must not repeat along a line of nested dispatches.
    pub task_digest: Digest,
    /// Key under which identical requests find this job and its answer; `None` when it is not shared.
    pub key: Option<Digest>,
    /// Whether its answer may be kept for the cache, and the bounds in force.
    pub cache: Option<CachePolicy>,
    /// When it was opened.
    pub created: Timestamp,
    /// When its worker was about to start `claude`.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Whether it lives only as long as somebody waits for it.
    pub attached: bool,
    /// What happens when the last of them is gone.
    pub on_disconnect: OnDisconnect,
    /// The process that watches over it.
    pub worker: Option<ProcessId>,
    /// Who or what stopped it.
    pub stopped_by: Option<String>,
    /// What came of it.
    pub result: Option<RunResult>,
    /// Size of the answer's text, in bytes and in characters.
    pub answer_size: Option<(u64, u64)>,
    /// How much of its answer the audit trail repeats.
    pub audit_content: AuditContent,
}

impl JobRecord {
    /// Longest preview of a task, in characters.
    pub const PREVIEW_CHARS: usize = 200;

    /// Returns what went wrong, if it has ended without an answer.
    pub fn error(&self) -> Option<String> {
        match self.state {
            State::Cancelled => {
                Some(format!("it was stopped: {}", self.stopped_by.as_deref().unwrap_or("somebody")))
            }
            State::Failed | State::Interrupted => self.result.as_ref()?.error.clone(),
            State::Pending | State::Running | State::Cancelling | State::Done => None,
        }
    }

    /// Returns why it has no answer, if it has ended without one.
    pub fn class(&self) -> Option<FailureClass> {
        match self.state {
            State::Cancelled => Some(FailureClass::Cancelled),
            _ => self.result.as_ref()?.class,
        }
    }
}

/// How many dispatches may run at once, as configured when the job was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// At the same depth, over all agents.
    pub everyone: u32,
    /// Of this agent; `None` sets no bound of its own.
    pub agent: Option<u32>,
}

/// How an answer may be kept and served again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachePolicy {
    /// Milliseconds it is served again.
    pub ttl_ms: u64,
    /// How many answers are kept.
    pub entries_max: u32,
}

/// A process, told apart from a later one with the same number by when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it started, in the kernel's clock ticks since boot (`/proc/PID/stat`, field 22).
    pub start_ticks: u64,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFilter {
    /// Only jobs in one of these states; empty takes all.
    pub states: Vec<State>,
    /// Only jobs of this agent.
    pub agent: Option<String>,
    /// At most this many.
    pub limit: u32,
}
