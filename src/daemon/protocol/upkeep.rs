//! What front ends and the daemon say to each other about keeping and cleaning.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::audit::checkpoint::OldEnd;
use crate::cache::Counters;
use crate::model::{Caller, JobId, Session};
use crate::retention::{Retention, Tally};

/// What is asked. Variants are only ever added at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Asked {
    /// Remove what is old.
    Gc(GcRequest),
    /// How the cache does, without entries older than this many milliseconds.
    CacheStats(u64),
    /// Empty the cache; who asks.
    CacheClear(Caller),
    /// Conversations, of one agent or of all; at most so many.
    Sessions(Option<String>, u32),
    /// Remove audit records from the old end of the trail.
    Retire(RetireRequest),
}

/// What is answered. Variants are only ever added at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Told {
    /// What was removed.
    Gc(GcReport),
    /// How the cache does.
    CacheStats(Counters),
    /// How many entries went.
    CacheCleared(u64),
    /// Conversations, newest first.
    Sessions(Vec<SessionView>),
    /// Which audit records went, or would go; none when all are kept.
    Retired(Option<OldEnd>),
}

/// What to remove.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GcRequest {
    /// How much of the past is kept.
    pub retention: Retention,
    /// How long cached answers are served, in milliseconds; `None` when that is not known.
    pub ttl_ms: Option<u64>,
    /// In what manner.
    pub manner: Manner,
    /// Who asks.
    pub caller: Caller,
}

/// Which audit records to remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetireRequest {
    /// How much of the past is kept.
    pub retention: Retention,
    /// Whether only to tell what would go.
    pub dry_run: bool,
    /// Who asks.
    pub caller: Caller,
}

/// How to go about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manner {
    /// Remove it.
    Remove,
    /// Only tell what would be removed.
    DryRun,
    /// Remove it if that was not done in this manner within the last day.
    OnceADay,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcReport {
    /// How much.
    pub tally: Tally,
    /// Of a dry run: the jobs, newest first, at most [`GcReport::JOBS_MAX`].
    pub jobs: Vec<JobId>,
    /// Stores that were set aside, and their bytes; nobody but their owner removes them.
    pub kept: Vec<(PathBuf, u64)>,
    /// Whether nothing was done because it was not time yet.
    pub not_yet: bool,
}

impl GcReport {
    /// Most jobs that a report names.
    pub const JOBS_MAX: usize = 1000;
}

/// A conversation, with what is known beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// What is stored of it.
    pub session: Session,
    /// First words of what was asked in it last.
    pub last_task: Option<String>,
    /// The job that is under way in it.
    pub busy: Option<JobId>,
}
