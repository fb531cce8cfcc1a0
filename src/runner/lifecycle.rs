//! Decides what to do about a running `claude`, without touching it: a value that is told what happens and says what
//! to do. Waiting, signals and files belong to `supervise`.
//!
//! Times are durations since the spawn, so that a life can be replayed.

use std::time::Duration;

use crate::model::{Exit, StopReason};

/// How long each part of a life may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the spawn to the first signal.
    pub timeout: Duration,
    /// From the last output to the first signal; `None` waits for the timeout.
    pub stall: Option<Duration>,
    /// From the result line to the first signal (the CLI stays up to five seconds for its background tasks).
    pub linger: Duration,
    /// From SIGINT, the only signal on which the CLI cleans up (0.17 s as a rule), to SIGTERM.
    pub grace_interrupt: Duration,
    /// From SIGTERM to SIGKILL.
    pub grace_terminate: Duration,
    /// From SIGKILL to the end of patience: a process stuck in the kernel does not die of it.
    pub grace_kill: Duration,
}

impl Limits {
    /// Returns the limits of a run that may take `timeout` and stay silent for `stall`; the rest is the same for all.
    pub const fn new(timeout: Duration, stall: Option<Duration>) -> Self {
        Self {
            timeout,
            stall,
            linger: Duration::from_secs(6),
            grace_interrupt: Duration::from_secs(1),
            grace_terminate: Duration::from_millis(500),
            grace_kill: Duration::from_secs(2),
        }
    }
}

/// What can happen to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Time has passed.
    Tick,
    /// It wrote something.
    Heard,
    /// Somebody wants it stopped; who, in words for a person.
    CancelRequested(String),
    /// Its result line is there: for the caller, the run is over.
    ResultSeen,
    /// The process ended, and all it wrote has been read.
    Exited(Exit),
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a decision that is not carried out leaves a process behind"]
pub enum Action {
    /// Nothing before the next happening, or `wake_at`.
    Wait,
    /// Send SIGINT.
    Interrupt,
    /// Send SIGTERM.
    Terminate,
    /// Send SIGKILL.
    Kill,
    /// Tell the caller; it is over.
    Report(End),
}

/// How it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// Who stopped it; `None` when it ended by itself.
    pub stopped: Option<StopReason>,
    /// How the process ended; `None` when it has not.
    pub exit: Option<Exit>,
}

/// The life of a run, from the spawn to what the caller is told: the result line, or the end of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    limits: Limits,
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Running { heard: Duration },
    Stopping { why: StopReason, ladder: Ladder },
    Over(Remains),
}

/// What is left of the process once the caller has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remains {
    Nothing,
    Process,
    ProcessBeingStopped(Ladder),
    ProcessThatCannotBeKilled,
}

impl Lifecycle {
    /// Returns the life of a process spawned just now.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, phase: Phase::Running { heard: Duration::ZERO } }
    }

    /// Returns when the next [`Happening::Tick`] is due; `None` when it is over.
    pub fn wake_at(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Running { heard } => Some(self.next_deadline(*heard).0),
            Phase::Stopping { ladder, .. } => Some(ladder.at),
            Phase::Over(_) => None,
        }
    }

    /// Takes in what happened and returns what to do about it.
    pub fn on(&mut self, now: Duration, happening: Happening) -> Action {
        match (&mut self.phase, happening) {
            (Phase::Over(_), _) => Action::Wait,
            (Phase::Running { .. }, Happening::ResultSeen) => self.report(None, None, Remains::Process),
            (Phase::Running { .. }, Happening::Exited(exit)) => {
                self.report(None, Some(exit), Remains::Nothing)
            }
            (Phase::Running { .. }, Happening::CancelRequested(who)) => {
                self.stop(now, StopReason::Cancelled(who))
            }
            (Phase::Running { heard }, Happening::Heard) => {
                *heard = now;
                self.check_deadline(now)
            }
            (Phase::Running { .. }, Happening::Tick) => self.check_deadline(now),
            (Phase::Stopping { why, ladder }, Happening::ResultSeen) => {
                let (why, remains) = (why.clone(), Remains::ProcessBeingStopped(*ladder));
                self.report(Some(why), None, remains)
            }
            (Phase::Stopping { why, .. }, Happening::Exited(exit)) => {
                let why = why.clone();
                self.report(Some(why), Some(exit), Remains::Nothing)
            }
            (
                Phase::Stopping { why, ladder },
                Happening::Tick | Happening::Heard | Happening::CancelRequested(_),
            ) => match ladder.climb(now, &self.limits) {
                Step::Do(action) => action,
                Step::GiveUp => {
                    let why = why.clone();
                    self.report(Some(why), None, Remains::ProcessThatCannotBeKilled)
                }
            },
        }
    }

    /// Returns the nearest deadline of a run that was last heard at `heard`, and what it means to pass it.
    fn next_deadline(&self, heard: Duration) -> (Duration, StopReason) {
        let timeout = (self.limits.timeout, StopReason::TimedOut);
        match self.limits.stall.map(|stall| heard.saturating_add(stall)) {
            Some(stalled) if stalled < timeout.0 => (stalled, StopReason::Stalled),
            Some(_) | None => timeout,
        }
    }

    fn check_deadline(&mut self, now: Duration) -> Action {
        let Phase::Running { heard } = self.phase else { return Action::Wait };
        let (at, why) = self.next_deadline(heard);
        if now < at { Action::Wait } else { self.stop(now, why) }
    }

    fn stop(&mut self, now: Duration, why: StopReason) -> Action {
        let (ladder, action) = Ladder::start(now, &self.limits);
        self.phase = Phase::Stopping { why, ladder };
        action
    }

    fn report(&mut self, stopped: Option<StopReason>, exit: Option<Exit>, remains: Remains) -> Action {
        self.phase = Phase::Over(remains);
        Action::Report(End { stopped, exit })
    }
}

/// What comes after the report: the process may stay a little, then it is stopped as a living one would be. Signals
/// that it was sent in its life are not sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aftermath {
    limits: Limits,
    phase: AfterPhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterPhase {
    Lingering {
        until: Duration,
    },
    Stopping(Ladder),
    /// Nothing can be done, or nothing is left to do: the next happening brings the report.
    Settled,
    Over,
}

impl Aftermath {
    /// Returns what follows on `life`; on one that is not over, it goes on as if the result had been seen.
    pub fn of(life: &Lifecycle, now: Duration) -> Self {
        let phase = match life.phase {
            Phase::Over(Remains::Process) | Phase::Running { .. } => {
                AfterPhase::Lingering { until: now.saturating_add(life.limits.linger) }
            }
            Phase::Over(Remains::ProcessBeingStopped(ladder)) | Phase::Stopping { ladder, .. } => {
                AfterPhase::Stopping(ladder)
            }
            Phase::Over(Remains::Nothing | Remains::ProcessThatCannotBeKilled) => AfterPhase::Settled,
        };
        Self { limits: life.limits, phase }
    }

    /// Returns when the next [`Happening::Tick`] is due; `None` when it is over.
    pub const fn wake_at(&self) -> Option<Duration> {
        match self.phase {
            AfterPhase::Lingering { until } => Some(until),
            AfterPhase::Stopping(ladder) => Some(ladder.at),
            AfterPhase::Settled => Some(Duration::ZERO),
            AfterPhase::Over => None,
        }
    }

    /// Takes in what happened and returns what to do about it. Only time and the end of the process matter here.
    pub fn on(&mut self, now: Duration, happening: &Happening) -> Action {
        let exit = match happening {
            Happening::Exited(exit) => Some(*exit),
            Happening::Tick | Happening::Heard | Happening::CancelRequested(_) | Happening::ResultSeen => {
                None
            }
        };
        match &mut self.phase {
            AfterPhase::Over => Action::Wait,
            AfterPhase::Settled => self.report(exit),
            AfterPhase::Lingering { .. } | AfterPhase::Stopping(_) if exit.is_some() => self.report(exit),
            AfterPhase::Lingering { until } if now < *until => Action::Wait,
            AfterPhase::Lingering { .. } => {
                let (ladder, action) = Ladder::start(now, &self.limits);
                self.phase = AfterPhase::Stopping(ladder);
                action
            }
            AfterPhase::Stopping(ladder) => match ladder.climb(now, &self.limits) {
                Step::Do(action) => action,
                Step::GiveUp => self.report(None),
            },
        }
    }

    fn report(&mut self, exit: Option<Exit>) -> Action {
        self.phase = AfterPhase::Over;
        Action::Report(End { stopped: None, exit })
    }
}

/// The signals in their order, each with its grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ladder {
    next: Rung,
    at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    Terminate,
    Kill,
    GiveUp,
}

enum Step {
    Do(Action),
    GiveUp,
}

impl Ladder {
    fn start(now: Duration, limits: &Limits) -> (Self, Action) {
        let at = now.saturating_add(limits.grace_interrupt);
        (Self { next: Rung::Terminate, at }, Action::Interrupt)
    }

    fn climb(&mut self, now: Duration, limits: &Limits) -> Step {
        if now < self.at {
            return Step::Do(Action::Wait);
        }
        let (action, next, grace) = match self.next {
            Rung::Terminate => (Action::Terminate, Rung::Kill, limits.grace_terminate),
            Rung::Kill => (Action::Kill, Rung::GiveUp, limits.grace_kill),
            Rung::GiveUp => return Step::GiveUp,
        };
        *self = Self { next, at: now.saturating_add(grace) };
        Step::Do(action)
    }
}

#[cfg(test)]
mod tests;
