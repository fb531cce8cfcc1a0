//! What a check of the trail found, and what that comes to.

use serde::{Deserialize, Serialize};

use crate::audit::chain::{Fault, Head};
use crate::audit::checkpoint::Checkpoint;

/// What a check of the audit trail found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Records checked.
    pub records: u64,
    /// Number of the first of them; 0 when there is none.
    pub first: u64,
    /// The last one.
    pub head: Head,
    /// The last one that the head file outside the store knows.
    pub outside: Option<Head>,
    /// What is wrong, the first bad record first; empty when nothing is.
    pub faults: Vec<Fault>,
    /// What is known to be missing, in words.
    pub notes: Vec<String>,
    /// What else is worth knowing, in words.
    pub remarks: Vec<String>,
    /// What was removed on request before the first record that is kept.
    pub kept: Option<Checkpoint>,
    /// The anchor from which it was checked.
    pub anchor: Option<Head>,
    /// Stored jobs that were compared with their records.
    pub jobs: u64,
}

/// What is stored of a job, and is not what was recorded at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Differing {
    /// The answer.
    Answer,
    /// The list of tool calls.
    Calls,
    /// What the job says of its success, its cost, its outcome and the size of its answer.
    Facts,
}

impl Differing {
    /// Returns it in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "the stored answer",
            Self::Calls => "the stored list of tool calls",
            Self::Facts => "what the stored job says of its end",
        }
    }
}

/// What a check comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing was changed, and nothing is missing but what was removed on request.
    Whole,
    /// Something was changed, or removed behind the program's back.
    Broken,
    /// What is there is as it was written, but something is known to be missing.
    Incomplete,
}

impl VerifyReport {
    /// Returns what it comes to.
    pub fn verdict(&self) -> Verdict {
        if self.faults.iter().any(|fault| !fault.kind.is_loss()) {
            Verdict::Broken
        } else if self.faults.is_empty() && self.notes.is_empty() {
            Verdict::Whole
        } else {
            Verdict::Incomplete
        }
    }

    /// Returns the fault that is named: the first one that is more than a loss, if there is one.
    pub fn first_fault(&self) -> Option<&Fault> {
        self.faults.iter().find(|fault| !fault.kind.is_loss()).or(self.faults.first())
    }

    /// Returns why the trail is not whole, in words; nothing when it is.
    pub fn why(&self) -> Option<String> {
        self.first_fault().map(ToString::to_string).or_else(|| self.notes.first().cloned())
    }
}

#[cfg(test)]
mod tests;
