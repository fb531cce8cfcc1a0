//! The only rule book of a job's life: states, the events that move them, and the audit code each move carries.
//!
//! Nothing changes a job but a [`Transition`], and a transition is made only here, so a job cannot change without an
//! audit record and no terminal state is ever left.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::audit::Code;

pub mod opening;
pub mod record;

pub use opening::{Admission, Considered, OpenRequest, Proposal, RequestTexts};
pub use record::{CachePolicy, JobFilter, JobRecord, Places, ProcessId};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Opened and recorded; waits for its worker and for a place to run.
    Pending,
    /// Its worker has said so, and `claude` may exist.
    Running,
    /// Somebody stopped it while it ran; the worker is ending it.
    Cancelling,
    /// It ended with an answer.
    Done,
    /// It ended without one.
    Failed,
    /// It was stopped.
    Cancelled,
    /// Its worker died; the conversation can be gone on with.
    Interrupted,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Running,
        Self::Cancelling,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// The states of a job that has not ended.
    pub const LIVE: [Self; 3] = [Self::Pending, Self::Running, Self::Cancelling];

    /// Returns whether nothing can happen to it any more.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Cancelling => false,
            Self::Done | Self::Failed | Self::Cancelled | Self::Interrupted => true,
        }
    }

    /// Returns the name used in listings and JSON. A job that is being stopped still runs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running | Self::Cancelling => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns the one move that `event` makes from here, or why there is none.
    pub const fn step(self, event: Event) -> Result<Transition, Illegal> {
        let to = match (self, event) {
            (Self::Pending, Event::Started) => Self::Running,
            (Self::Running, Event::CancelRequested) => Self::Cancelling,
            (Self::Running, Event::Succeeded) => Self::Done,
            (Self::Pending | Self::Running, Event::Failed) => Self::Failed,
            // What was stopped stays stopped, whatever its run still said: cancelled work is never resurrected.
            (Self::Pending, Event::CancelRequested)
            | (Self::Cancelling, Event::Succeeded | Event::Failed | Event::WorkerLost) => Self::Cancelled,
            (Self::Pending | Self::Running, Event::WorkerLost) => Self::Interrupted,
            (
                Self::Pending
                | Self::Running
                | Self::Cancelling
                | Self::Done
                | Self::Failed
                | Self::Cancelled
                | Self::Interrupted,
                Event::Started
                | Event::CancelRequested
                | Event::Succeeded
                | Event::Failed
                | Event::WorkerLost,
            ) => return Err(Illegal { state: self, event }),
        };
        Ok(Transition { from: self, to, code: code(to) })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What can happen to a job once it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Its worker is about to start `claude`.
    Started,
    /// Somebody wants it stopped.
    CancelRequested,
    /// The run ended with an answer.
    Succeeded,
    /// The run ended without one, or could not be started.
    Failed,
    /// Its worker is gone and left no answer.
    WorkerLost,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 5] =
        [Self::Started, Self::CancelRequested, Self::Succeeded, Self::Failed, Self::WorkerLost];
}

/// A legal move, with the audit code of its record. Made only by [`State::step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a move that is not committed did not happen"]
pub struct Transition {
    from: State,
    to: State,
    code: Code,
}

impl Transition {
    /// Returns the state it leaves; the store refuses the move when the job is in another.
    pub const fn from(self) -> State {
        self.from
    }

    /// Returns the state it reaches.
    pub const fn to(self) -> State {
        self.to
    }

    /// Returns the code of its audit record.
    pub const fn code(self) -> Code {
        self.code
    }
}

/// An event that cannot happen in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {state} cannot take the event {event:?}")]
pub struct Illegal {
    /// The state.
    pub state: State,
    /// The event.
    pub event: Event,
}

const fn code(to: State) -> Code {
    match to {
        State::Pending => Code::Requested,
        State::Running => Code::Started,
        State::Cancelling => Code::CancelRequested,
        State::Done | State::Failed => Code::Finished,
        State::Cancelled => Code::Cancelled,
        State::Interrupted => Code::Interrupted,
    }
}

#[cfg(test)]
mod tests;
