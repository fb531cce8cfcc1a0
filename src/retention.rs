//! What may be removed, and when: the rule of `gc`. It decides about what it is shown, and removes nothing.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::job::JobRecord;
use crate::model::{JobId, Session, Timestamp};

/// Days that what has ended is kept when nobody says otherwise.
pub const DAYS_KEPT: f64 = 7.0;

/// How long a run folder stays after the end of its job, in milliseconds. What `claude` left running may still write there,
/// and a folder may be older than what the store knows of its job.
const FOLDER_KEPT_MS: u64 = 3_600_000;

/// Longest age, in milliseconds: what a timestamp can tell.
const AGE_MS_MAX: u64 = i64::MAX as u64;

/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;

/// How much of the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retention {
    /// What ended within so many milliseconds.
    Last(u64),
    /// Only what has not ended.
    Unended,
}

/// An age that is none.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0:?} is not an age in days: expected a number above 0, such as 7 or 0.5")]
pub struct BadAge(f64);

impl Retention {
    /// Keeps what ended within the last `days`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "checked against both ends; a millisecond more or less does not matter"
    )]
    pub fn days(days: f64) -> Result<Self, BadAge> {
        let millis = (days * DAY_MS).ceil();
        // Not a number compares false with everything.
        if days > 0.0 && millis < AGE_MS_MAX as f64 {
            Ok(Self::Last(millis as u64))
        } else {
            Err(BadAge(days))
        }
    }
}

/// What goes, seen from one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What ended before this goes.
    cutoff: Timestamp,
    now: Timestamp,
    /// How long cached answers are served, in milliseconds; `None` when that is not known: then none is too old.
    pub ttl_ms: Option<u64>,
}

impl Rule {
    /// Returns what `retention` means at `now`.
    pub const fn new(retention: Retention, ttl_ms: Option<u64>, now: Timestamp) -> Self {
        let cutoff = match retention {
            Retention::Last(millis) => now.minus_millis(millis),
            // Also what ended in the future: the clock was set back since.
            Retention::Unended => Timestamp::from_millis(u64::MAX),
        };
        Self { cutoff, now, ttl_ms }
    }

    /// Returns the moment from which it looks.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the moment before which things go.
    pub const fn cutoff(&self) -> Timestamp {
        self.cutoff
    }

    /// Returns whether an audit record of that time goes.
    pub fn record_goes(&self, time: Timestamp) -> bool {
        time < self.cutoff
    }

    /// Returns whether a job of this id may go at all: one that was opened after what is kept began ended after it, too.
    pub fn reaches(&self, id: JobId) -> bool {
        id.created() < self.cutoff
    }

    /// Returns whether the job goes: it has ended, and long enough ago.
    pub fn job_goes(&self, job: &JobRecord) -> bool {
        job.state.is_terminal() && job.ended.unwrap_or(job.created) < self.cutoff
    }

    /// Returns whether what is known of the conversation goes; `busy` tells that a job is under way in it.
    pub fn session_goes(&self, session: &Session, busy: bool) -> bool {
        !busy && session.last_used < self.cutoff
    }

    /// Returns whether the run folder of `id` goes; `job` is what is known of it.
    pub fn folder_goes(&self, id: JobId, job: Option<&JobRecord>) -> bool {
        let over = match job {
            Some(job) if !job.state.is_terminal() => return false,
            Some(job) => job.ended.unwrap_or(job.created),
            // It may be all that there is of an answer: the store was set aside, or has lost its end.
            None if !self.reaches(id) => return false,
            None => id.created(),
        };
        self.now.millis_since(over) > FOLDER_KEPT_MS
    }

    /// Returns whether the folder goes that is kept because what is in it could not be taken in: with its job.
    pub fn kept_goes(&self, id: JobId, job: Option<&JobRecord>) -> bool {
        job.map_or_else(|| self.folder_goes(id, None), |job| self.job_goes(job))
    }
}

/// How much was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Jobs, with what they were asked and what they answered.
    pub jobs: u64,
    /// Cached answers: too old, or their job went.
    pub cache_entries: u64,
    /// Conversations.
    pub sessions: u64,
    /// Decisions kept for requests that are sent again.
    pub decisions: u64,
    /// Pieces of large values that a crash had left.
    pub pieces: u64,
    /// Run folders.
    pub run_folders: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.jobs += more.jobs;
        self.cache_entries += more.cache_entries;
        self.sessions += more.sessions;
        self.decisions += more.decisions;
        self.pieces += more.pieces;
        self.run_folders += more.run_folders;
    }
}

impl Tally {
    /// Returns the counts with their names, as records and documents call them.
    pub const fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("jobs", self.jobs),
            ("cache_entries", self.cache_entries),
            ("sessions", self.sessions),
            ("decisions", self.decisions),
            ("orphan_pieces", self.pieces),
            ("run_folders", self.run_folders),
        ]
    }
}

#[cfg(test)]
mod tests;
