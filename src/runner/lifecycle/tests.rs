//! Every life of up to seven happenings, and single lives step by step.

use std::time::Duration;

use crate::model::{Exit, StopReason};
use crate::runner::lifecycle::{Action, Aftermath, End, Happening, Lifecycle, Limits};

const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(10),
    stall: Some(Duration::from_secs(4)),
    linger: Duration::from_secs(6),
    grace_interrupt: Duration::from_secs(1),
    grace_terminate: Duration::from_millis(500),
    grace_kill: Duration::from_secs(2),
};

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn cancelled() -> Happening {
    Happening::CancelRequested("the test".to_owned())
}

/// What has come out of a life so far, and its aftermath once it has begun.
#[derive(Clone)]
struct Witness {
    now: Duration,
    life: Lifecycle,
    after: Option<Aftermath>,
    signals: [u32; 3],
    reports: u32,
    after_reports: u32,
    exited: bool,
}

impl Witness {
    fn new(limits: Limits) -> Self {
        Self {
            now: Duration::ZERO,
            life: Lifecycle::new(limits),
            after: None,
            signals: [0; 3],
            reports: 0,
            after_reports: 0,
            exited: false,
        }
    }

    fn wake_at(&self) -> Option<Duration> {
        self.after.as_ref().map_or_else(|| self.life.wake_at(), Aftermath::wake_at)
    }

    fn tell(&mut self, happening: &Happening) {
        self.exited |= matches!(happening, Happening::Exited(_));
        let action = match &mut self.after {
            None => self.life.on(self.now, happening.clone()),
            Some(after) => {
                // Whatever comes later, the life itself stays silent.
                assert_eq!(self.life.on(self.now, happening.clone()), Action::Wait);
                after.on(self.now, happening)
            }
        };
        match action {
            Action::Wait => {}
            Action::Interrupt => self.signals[0] += 1,
            Action::Terminate => self.signals[1] += 1,
            Action::Kill => self.signals[2] += 1,
            Action::Report(end) if self.after.is_none() => {
                self.reports += 1;
                assert!(end.exit.is_none() || self.exited, "an exit that did not happen was reported");
                self.after = Some(Aftermath::of(&self.life, self.now));
            }
            Action::Report(_) => self.after_reports += 1,
        }
        assert!(self.signals.iter().all(|sent| *sent <= 1), "a signal was sent twice: {:?}", self.signals);
        assert!(self.signals.is_sorted_by(|a, b| a >= b), "a rung was left out: {:?}", self.signals);
        assert!(self.reports <= 1 && self.after_reports <= 1, "reported twice");
    }

    /// From here on only time passes.
    fn must_end_by_time_alone(mut self) {
        for _ in 0..10 {
            let Some(wake) = self.wake_at() else { break };
            self.now = self.now.max(wake);
            self.tell(&Happening::Tick);
        }
        assert_eq!((self.reports, self.after_reports), (1, 1), "time alone does not lead to the end");
        assert_eq!(self.wake_at(), None);
        for happening in [Happening::Tick, Happening::Heard, cancelled(), Happening::ResultSeen] {
            self.now += at(60_000);
            self.tell(&happening);
        }
    }
}

fn every_sequence(witness: &Witness, depth: u32, seen: &mut u32) {
    *seen += 1;
    witness.clone().must_end_by_time_alone();
    if depth == 0 {
        return;
    }
    let wake = witness.wake_at().unwrap_or(witness.now).max(witness.now);
    let next = [
        (witness.now, Happening::Tick),
        (wake, Happening::Tick),
        (wake, Happening::Heard),
        (witness.now + at(100), Happening::Heard),
        (witness.now + at(100), cancelled()),
        (witness.now + at(100), Happening::ResultSeen),
        (witness.now + at(100), Happening::Exited(Exit::Code(0))),
    ];
    for (now, happening) in next {
        let mut witness = witness.clone();
        witness.now = now;
        witness.tell(&happening);
        every_sequence(&witness, depth - 1, seen);
    }
}

#[test]
fn every_life_of_seven_happenings_sends_each_signal_once_and_ends() {
    let mut seen = 0;
    every_sequence(&Witness::new(LIMITS), 7, &mut seen);
    assert_eq!(seen, (0..=7).map(|length| 7_u32.pow(length)).sum::<u32>());
}

/// Tells a life each happening at its time and compares what it does, then its aftermath likewise.
fn check(life: &[(u64, Happening, Action)], after: &[(u64, Happening, Action)]) {
    let mut lifecycle = Lifecycle::new(LIMITS);
    let mut last = 0;
    for (time, happening, expected) in life {
        assert_eq!(lifecycle.on(at(*time), happening.clone()), *expected, "{happening:?} at {time}");
        last = *time;
    }
    let mut aftermath = Aftermath::of(&lifecycle, at(last));
    for (time, happening, expected) in after {
        assert_eq!(aftermath.on(at(*time), happening), *expected, "{happening:?} at {time} (after)");
    }
}

fn report(stopped: Option<StopReason>, exit: Option<Exit>) -> Action {
    Action::Report(End { stopped, exit })
}

#[test]
fn a_result_is_reported_at_once_and_its_process_may_linger() {
    check(
        &[(100, Happening::Heard, Action::Wait), (200, Happening::ResultSeen, report(None, None))],
        &[
            (6199, Happening::Tick, Action::Wait),
            (6200, Happening::Tick, Action::Interrupt),
            (7199, Happening::Tick, Action::Wait),
            (7200, Happening::Tick, Action::Terminate),
            (7700, Happening::Tick, Action::Kill),
            (7800, Happening::Exited(Exit::Signal(9)), report(None, Some(Exit::Signal(9)))),
            (7900, Happening::Tick, Action::Wait),
        ],
    );
}

#[test]
fn a_process_that_ended_leaves_nothing_to_wait_for() {
    check(
        &[(200, Happening::Exited(Exit::Code(3)), report(None, Some(Exit::Code(3))))],
        &[(200, Happening::Tick, report(None, None)), (300, Happening::Tick, Action::Wait)],
    );
}

#[test]
fn the_deadline_counts_from_the_spawn_whatever_is_heard() {
    let why = Some(StopReason::TimedOut);
    check(
        &[
            (3000, Happening::Heard, Action::Wait),
            (6000, Happening::Heard, Action::Wait),
            (9999, Happening::Heard, Action::Wait),
            (10_000, Happening::Heard, Action::Interrupt),
            (11_000, Happening::Tick, Action::Terminate),
            (11_500, Happening::Tick, Action::Kill),
            (13_500, Happening::Tick, report(why, None)),
        ],
        &[(13_500, Happening::Tick, report(None, None))],
    );
}

#[test]
fn silence_is_a_stall_and_sound_puts_it_off() {
    let why = Some(StopReason::Stalled);
    check(
        &[
            (3999, Happening::Tick, Action::Wait),
            (3999, Happening::Heard, Action::Wait),
            (7998, Happening::Tick, Action::Wait),
            (7999, Happening::Tick, Action::Interrupt),
            (8100, Happening::Exited(Exit::Code(1)), report(why, Some(Exit::Code(1)))),
        ],
        &[],
    );
}

#[test]
fn a_result_while_it_is_stopped_tells_who_stopped_it_and_the_ladder_goes_on() {
    let why = Some(StopReason::Cancelled("the test".to_owned()));
    check(
        &[
            (1000, cancelled(), Action::Interrupt),
            (1050, cancelled(), Action::Wait),
            (1100, Happening::ResultSeen, report(why, None)),
        ],
        &[
            (1999, Happening::Tick, Action::Wait),
            (2000, Happening::Tick, Action::Terminate),
            (2100, Happening::Exited(Exit::Code(143)), report(None, Some(Exit::Code(143)))),
        ],
    );
}

#[test]
fn a_late_tick_climbs_one_rung_only() {
    let mut life = Lifecycle::new(LIMITS);
    assert_eq!(life.on(at(50_000), Happening::Tick), Action::Interrupt);
    assert_eq!(life.wake_at(), Some(at(51_000)));
    assert_eq!(life.on(at(90_000), Happening::Tick), Action::Terminate);
    assert_eq!(life.wake_at(), Some(at(90_500)));
}

#[test]
fn without_a_stall_limit_only_the_deadline_counts() {
    let mut life = Lifecycle::new(Limits::new(at(600_000), None));
    assert_eq!(life.wake_at(), Some(at(600_000)));
    assert_eq!(life.on(at(599_999), Happening::Tick), Action::Wait);
    assert_eq!(life.on(at(600_000), Happening::Tick), Action::Interrupt);
}
