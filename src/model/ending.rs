//! How a process ended, and who ended it.

use serde::{Deserialize, Serialize};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Why a run was stopped from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// Its time was over.
    TimedOut,
    /// Nothing was heard for too long.
    Stalled,
    /// Somebody asked for it; who, in words for a person.
    Cancelled(String),
}

/// How a run ended, as far as the process tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ending {
    /// Who stopped it; `None` when it ended by itself.
    pub stopped: Option<StopReason>,
    /// How the process ended; `None` when it has not (its result line was enough, or it outlived being killed).
    pub exit: Option<Exit>,
    /// Last part of what it wrote to stderr, at most a few KiB.
    pub stderr_tail: String,
    /// Milliseconds since the spawn.
    pub elapsed_ms: u64,
}
