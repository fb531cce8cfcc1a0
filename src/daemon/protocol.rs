//! What front ends, workers and the daemon say to each other: requests, replies and what they carry; nothing else.
//!
//! A connection carries one request at a time: the request frame, then any number of [`Reply::Progress`] or
//! [`Reply::Checking`] frames where the request streams, then the final reply. A connection that said [`Request::Worker`] belongs to that worker from
//! then on: orders come one way, reports go the other. Closing a connection is how either side leaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::chain::Head;
use crate::audit::query::{AuditEntry, AuditFilter, Page, Search};
use crate::audit::report::{Overview, Period};
use crate::audit::stats::{Stats, StatsFilter};
use crate::audit::typical::Typical;
use crate::audit::verdict::{Differing, VerifyReport};
use crate::budget::Cap;
use crate::daemon::permits::Crowd;
use crate::job::{Admission, Considered, JobFilter, JobRecord, OpenRequest, ProcessId, RequestTexts};
use crate::model::{Answer, Caller, Findings, JobId, Portion, Session, SessionId, Timestamp, ToolCall};
use crate::store::Durability;

pub mod trail;
pub mod upkeep;

/// What is asked of the daemon. Variants are only ever added at the end: bincode numbers them by position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// How it is.
    Status,
    /// Decide a dispatch. The connection counts as a waiting caller of the job from then on, if the request says so. Of an
    /// answer from the cache this part comes back.
    Open(Box<OpenRequest>, Portion),
    /// Wait for jobs to end.
    Wait(WaitRequest),
    /// The caller on this connection no longer wants the job: it is stopped if nobody else waits for it.
    Leave(JobId),
    /// Stop a job, whoever waits.
    Cancel {
        /// The job.
        job: JobId,
        /// Who asks, in words for a person.
        by: String,
        /// Who asks, as far as it is known.
        caller: Box<Caller>,
    },
    /// The worker of a job just opened could not be started.
    LaunchFailed {
        /// The job.
        job: JobId,
        /// Why.
        error: String,
    },
    /// A worker presents itself.
    Worker(WorkerHello),
    /// One job.
    Job(JobId),
    /// Several jobs.
    Jobs(JobFilter),
    /// A job's answer, or a part of it.
    Answer(JobId, Portion),
    /// What a job was asked.
    Texts(JobId),
    /// Audit records.
    Audit(AuditFilter),
    /// Record an event that is not about a dispatch.
    Record {
        /// Idempotency id.
        id: JobId,
        /// The audit record, as JSON text.
        body: String,
    },
    /// What is known of a conversation.
    Session(SessionId),
    /// Which dispatches have ids in this range, both ends included: an id's beginning names such a range.
    Find(JobId, JobId),
    /// One audit record.
    AuditRecord(u64),
    /// Clean up, or look at what is kept.
    Upkeep(upkeep::Asked),
    /// What dispatches came to, in numbers.
    Stats(StatsFilter),
    /// What a dispatch would come to. Nothing runs, and nothing is recorded.
    Consider(Box<OpenRequest>),
    /// Check the audit trail, from an anchor on if there is one; how far that is, is told meanwhile.
    Check(Option<Head>),
    /// Take the audit trail elsewhere, or bring one from there.
    Trail(trail::Asked),
    /// A part of a search for audit records; waits for one if it is told to.
    Search(Box<Search>),
    /// What dispatches to these agents usually take.
    Typical(Vec<String>),
    /// What a page about a period shows.
    Overview(Period),
    /// The tools that a job used.
    Calls(JobId),
    /// Where in the audit trail this exact value passed.
    Hash(Vec<u8>),
    /// What is stored of an ended job and is not what was recorded.
    Compare(JobId),
}

/// What the daemon answers. Variants are only ever added at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// How it is.
    Status(DaemonStatus),
    /// What was decided.
    Admission(Admission),
    /// A job goes on: its steps that were not told yet, oldest first. None when it has ended and others are waited for.
    Progress(JobId, Vec<ProgressView>),
    /// The wait is over.
    Waited(Vec<JobView>, WaitEnd),
    /// What a cancellation did.
    Cancelled(Box<JobView>, CancelEffect),
    /// One job, if it exists.
    Job(Option<Box<JobView>>),
    /// Jobs, newest first.
    Jobs(Vec<JobView>),
    /// An answer, if there is one.
    Answer(Option<Answer>),
    /// What was asked, if it is still kept.
    Texts(Option<RequestTexts>),
    /// Records, newest first.
    Audit(Vec<AuditEntry>),
    /// What the check found.
    Verified(VerifyReport),
    /// It is done.
    Done,
    /// It cannot be done.
    Fault(WireFault),
    /// An order to a worker.
    Order(Order),
    /// What is known of a conversation.
    Session(Option<Session>),
    /// Dispatches, oldest first; not all when there are many.
    Found(Vec<JobId>),
    /// The wait for one job is over, and it has ended: the job, and the part of its answer that was asked for.
    Collected(Box<JobView>, Answer),
    /// What was cleaned up, or is kept.
    Upkeep(upkeep::Told),
    /// What dispatches came to, in numbers.
    Stats(Box<Stats>),
    /// What a dispatch would come to.
    Considered(Box<Outlook>),
    /// A check goes on: so many records are done, of so many.
    Checking {
        /// Records that were looked at.
        done: u64,
        /// Records there are.
        of: u64,
    },
    /// The audit trail as a whole, or a part of it.
    Trail(trail::Told),
    /// What a part of a search found.
    Page(Page),
    /// What dispatches to agents usually take, by their names; those of which too little is known are left out.
    Typical(BTreeMap<String, Typical>),
    /// What a page about a period shows.
    Overview(Box<Overview>),
    /// The tools that a job used, one after the other, at most [`ToolCall::CALLS_MAX`].
    Calls(Vec<ToolCall>),
    /// Where a value passed.
    Hashed(Traces),
    /// What is another than was recorded; nothing when all is as it was.
    Compared(Vec<Differing>),
}

/// Where in the audit trail a value passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// Its digest under the audit key.
    pub mac: String,
    /// Records that name it, newest first.
    pub entries: Vec<AuditEntry>,
}

/// What a dispatch would come to, were it asked for now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// What would be decided.
    pub verdict: Considered,
    /// The spending caps it falls under.
    pub caps: Vec<Cap>,
    /// How full it is.
    pub crowd: Crowd,
    /// What dispatches to this agent took so far, when there were enough of them.
    pub typical: Option<Typical>,
}

/// A worker, presenting itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerHello {
    /// Its job.
    pub job: JobId,
    /// Itself.
    pub process: ProcessId,
    /// Whether it was told to run before (by this daemon or by one that is gone).
    pub running: bool,
}

/// What a worker is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Run: the place is yours and the start is on disk.
    Run,
    /// Stop; who asks.
    Stop(String),
    /// Your report is on disk.
    Recorded,
    /// There is nothing to do: the job has ended, and that is on disk.
    Dismissed,
    /// Nothing is known of the job, or nothing can be read of it: whatever the worker has of it must stay.
    Unknown,
}

/// What a worker reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// `claude` has said something: the start is over.
    Alive,
    /// It goes on: the steps since the last report, oldest first.
    Progress(Vec<ProgressView>),
    /// It ended.
    Ended(Box<Findings>),
}

/// Steps of one job that wait to be told, in the worker and in the daemon: more than a person reads in the moment that
/// they wait, and all that a session does in it, unless its output is a flood. Of a flood the newest are told.
pub const STEPS_MAX: usize = 50;

/// A step of a running job, and how far it is with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgressView {
    /// Its number within the run, from 1.
    pub number: u64,
    /// What it does, one line for people; empty when it has only begun.
    pub text: String,
    /// Turns so far.
    pub turns: u32,
    /// Cost so far in US dollars, when known.
    pub cost_usd: Option<f64>,
}

/// For which jobs to wait, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitRequest {
    /// The jobs.
    pub jobs: Vec<JobId>,
    /// Whether one that ended is enough.
    pub any: bool,
    /// Milliseconds to wait; `None` waits to the end.
    pub timeout_ms: Option<u64>,
    /// Whether the caller counts as somebody for whom the jobs live.
    pub attach: bool,
    /// Whether the jobs live on by themselves when the time is over.
    pub detach_at_timeout: bool,
    /// The job inside which the caller runs: it waits for these.
    pub inside: Option<JobId>,
    /// The part of the answer that comes along when there is only one job, and it has ended.
    pub answer: Option<Portion>,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitEnd {
    /// What was waited for has ended.
    Ended,
    /// The time is over.
    TimedOut,
}

/// What a cancellation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelEffect {
    /// It had not started; it never will.
    Cancelled,
    /// It ran; it is being stopped.
    Stopping,
    /// It had ended before.
    AlreadyTerminal,
}

/// A job with what is only known while it lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// What is stored of it.
    pub record: JobRecord,
    /// Its last lines of progress, oldest first.
    pub progress: Vec<String>,
    /// When the last line came.
    pub progress_at: Option<Timestamp>,
}

/// How the daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started: Timestamp,
    /// Open connections, the asking one included.
    pub connections: u32,
    /// Jobs that have not ended.
    pub jobs: u32,
    /// Jobs that wait for a place.
    pub queued: u32,
    /// Bytes of the store on disk.
    pub store_bytes: u64,
    /// Number of the last audit record.
    pub audit_seq: u64,
    /// How commits reach the disk.
    pub durability: Durability,
}

/// Why the daemon cannot do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum WireFault {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It is not possible now.
    #[error("{0}")]
    Conflict(String),
    /// The store cannot be read or written.
    #[error("the store failed: {0}")]
    Store(String),
    /// The daemon does not know this request.
    #[error("the daemon does not know this request")]
    Unsupported,
}
