//! What a front end puts before the store, and what the store decides: refused, hit, joined or opened.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::{CachePolicy, JobRecord, Places};
use crate::model::agent::{AuditContent, ProfileInForce};
use crate::model::{Answer, Caller, Digest, JobId, OnDisconnect, SessionId, SpendLimit, Timestamp};
use crate::plan::Refusal;

/// A dispatch, ready to be decided. Sent again unchanged after a lost answer, it is decided the same: `job` is its
/// idempotency id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenRequest {
    /// The id a new job gets.
    pub job: JobId,
    /// The agent's name as asked for; it may not exist.
    pub agent: String,
    /// The group through which it is addressed.
    pub group: Option<String>,
    /// Who asks.
    pub caller: Caller,
    /// What is asked.
    pub texts: RequestTexts,
    /// What would run, or why nothing may: also a refusal by the rules is decided, and recorded, here.
    pub proposal: Result<Proposal, Refusal>,
    /// Whether the caller waits: the job then lives only as long as somebody does.
    pub attached: bool,
    /// What happens when the last of them is gone.
    pub on_disconnect: OnDisconnect,
    /// How much of the task the audit trail repeats.
    pub audit_content: AuditContent,
}

/// What is asked, in the caller's words. Kept with the job until `gc` removes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestTexts {
    /// The task.
    pub task: String,
    /// Background for it.
    pub context: String,
    /// What the caller is after.
    pub goal: String,
    /// `text`, `json` or a JSON Schema.
    pub response_format: String,
}

/// What would run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Absolute, resolved directory.
    pub directory: PathBuf,
    /// Commit checked out there.
    pub git_head: Option<String>,
    /// The conversation.
    pub session: SessionId,
    /// Whether it existed before.
    pub resumed: bool,
    /// What the run is allowed.
    pub profile: ProfileInForce,
    /// Digest of the request and the profile.
    pub digest: Digest,
    /// Key under which identical requests meet; `None` runs by itself.
    pub key: Option<Digest>,
    /// Whether and how an answer may come from the cache, and stay there; with a key only.
    pub cache: Option<CachePolicy>,
    /// How many may run beside it.
    pub places: Places,
    /// Spending caps over all agents.
    pub spend: SpendLimit,
    /// Spending caps of this agent.
    pub agent_spend: SpendLimit,
}

/// What was decided. Whoever holds it knows that the decision is on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Admission {
    /// Nothing runs.
    Refused(Refusal),
    /// An answer from the cache: the job that gave it, and the answer.
    Hit(Box<JobRecord>, Answer),
    /// An identical job is under way; wait for that one.
    Joined(JobId),
    /// A new job: start its worker.
    Opened,
}

/// What would be decided; nothing of it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Considered {
    /// Nothing would run.
    Refused(Refusal),
    /// It would be answered from the cache: by this job, whose answer was stored then.
    Hit(JobId, Timestamp),
    /// It would wait for this job, which was opened then.
    Join(JobId, Timestamp),
    /// It would run.
    Run,
}
