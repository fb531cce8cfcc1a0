//! What a page about a period shows: counted from audit records in one pass.
//!
//! Whatever the size of the trail, what comes out is small: times are put together in columns, names and dispatches are
//! ranked and the rest is added up.

use serde::{Deserialize, Serialize};

use crate::audit::Record;
use crate::model::{JobId, Timestamp};

mod columns;
mod counting;
mod trees;

pub use columns::{Column, Step};
pub use counting::Counter;
pub use trees::{Node, Tree};

/// Where the bins of the durations end, in milliseconds; the last bin is everything longer.
pub const BIN_ENDS_MS: [u64; 12] =
    [1000, 2000, 5000, 10_000, 20_000, 60_000, 120_000, 300_000, 600_000, 1_200_000, 3_600_000, 7_200_000];

/// Which dispatches to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Only those of this agent.
    pub agent: Option<String>,
    /// Only those that ended at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that ended before this time.
    pub until: Option<Timestamp>,
}

/// All that the page shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// When the first and the last of them ended; nothing when there are none.
    pub range: Option<(Timestamp, Timestamp)>,
    /// All together.
    pub total: Sums,
    /// What answers that were given again had cost the first time, in US dollars.
    pub saved_usd: f64,
    /// Answers given again whose price is not known any more.
    pub unpriced: u64,
    /// How wide the columns are.
    pub step: Step,
    /// The period in columns, without a gap, the oldest first.
    pub columns: Vec<Column>,
    /// The agents that cost most.
    pub agents: Ranked<String>,
    /// The callers that spent most.
    pub callers: Ranked<Who>,
    /// How long the runs took.
    pub durations: Durations,
    /// Why dispatches failed, the most frequent first.
    pub failures: Vec<Failure>,
    /// The costliest dispatches with everything that was dispatched inside them.
    pub trees: Vec<Tree>,
    /// The longest runs, the longest first.
    pub slowest: Vec<JobId>,
    /// The last failed ones, the newest first.
    pub failed: Vec<JobId>,
    /// Everything about the dispatches in the lists, and the roots of the trees.
    pub details: Vec<Detail>,
}

/// The numbers of some dispatches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Those that were answered without an error.
    pub ok: u64,
    /// All others that ended.
    pub failed: u64,
    /// Those answered from the cache; not among the above.
    pub cached: u64,
    /// Those that shared an identical one; not among the above.
    pub joined: u64,
    /// What they cost, in US dollars.
    pub cost_usd: f64,
}

/// Those that cost most, by name, and the rest together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked<T> {
    /// Those that cost most, the costliest first.
    pub top: Vec<(T, Row)>,
    /// How many others there are.
    pub others: u64,
    /// The numbers of the others.
    pub rest: Sums,
}

/// The numbers of one agent or caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The numbers.
    pub sums: Sums,
    /// Half of the runs took no longer than this, in milliseconds.
    pub p50_ms: Option<u64>,
    /// Nine of ten took no longer than this.
    pub p90_ms: Option<u64>,
}

/// Who asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Who {
    /// What the request called its sender, else the client's name without its version.
    pub name: String,
    /// The directory of the session.
    pub directory: Option<String>,
}

/// How long runs took, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// Runs in each bin; [`BIN_ENDS_MS`] says where the bins end.
    pub bins: Vec<u64>,
    /// Half of them took no longer than this.
    pub p50_ms: Option<u64>,
    /// Nine of ten took no longer than this.
    pub p90_ms: Option<u64>,
    /// Ninety-nine of a hundred took no longer than this.
    pub p99_ms: Option<u64>,
    /// None took longer than this.
    pub max_ms: Option<u64>,
}

/// Failures of one class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Why.
    pub class: String,
    /// How many.
    pub count: u64,
    /// What they cost nevertheless, in US dollars.
    pub cost_usd: f64,
}

/// Everything about one dispatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// The dispatch.
    pub id: JobId,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Its last record as JSON text, with the first words of the task.
    pub record: String,
    /// What its caller was told to do about a failure.
    pub hint: Option<String>,
}

/// What is on record of one dispatch, looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its last record, with the first words of the task.
    pub record: Record,
    /// When it was asked for.
    pub asked: Timestamp,
    /// What its caller was told to do about a failure.
    pub hint: Option<String>,
}

impl Sums {
    /// Returns how many ended: those that ran or were refused, not those that got another one's answer.
    pub const fn ended(&self) -> u64 {
        self.ok + self.failed
    }

    /// Returns how many there are.
    pub const fn all(&self) -> u64 {
        self.ended() + self.cached + self.joined
    }
}

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self { top: Vec::new(), others: 0, rest: Sums::default() }
    }
}

#[cfg(test)]
mod tests;
