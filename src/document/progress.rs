//! One human line of a job that goes on, as both doors tell it.

use std::time::Duration;

use tokio::sync::watch;

use crate::daemon::protocol::ProgressView;
use crate::dispatch::Standing;

/// Says what there is to say after so much time: a line is made when it is shown, so that its seconds are true.
pub(crate) type Saying = Box<dyn Fn(Duration) -> String + Send + Sync>;

/// Takes what is to be said.
pub(crate) struct Line {
    saying: watch::Sender<Saying>,
}

impl Line {
    /// Returns a line of which this is said first, and where to look for what is to be said.
    pub(crate) fn new(
        first: impl Fn(Duration) -> String + Send + Sync + 'static,
    ) -> (Self, watch::Receiver<Saying>) {
        let first: Saying = Box::new(first);
        let (saying, seen) = watch::channel(first);
        (Self { saying }, seen)
    }

    /// Takes a step of one dispatch.
    pub(crate) fn step(&self, who: &str, view: &ProgressView) {
        let (who, view) = (who.to_owned(), view.clone());
        self.say(move |elapsed| line(&who, &view, elapsed));
    }

    /// Takes how several jobs stand; `agents` are theirs, in order.
    pub(crate) fn standing(&self, agents: &[&str], now: &Standing) {
        self.say(stands(agents, now));
    }

    /// Takes whatever is to be said from now on.
    pub(crate) fn say(&self, saying: impl Fn(Duration) -> String + Send + Sync + 'static) {
        drop(self.saying.send_replace(Box::new(saying)));
    }
}

/// Returns what says that nothing is heard yet of a dispatch to this agent: it has no place.
pub(crate) fn waits(agent: &str) -> impl Fn(Duration) -> String + Send + Sync + use<> {
    let agent = agent.to_owned();
    move |elapsed| format!("{agent}: {WAITING} ({} s)", elapsed.as_secs())
}

/// Returns what says how several jobs stand: `3 of 7 done; infra: Bash docker logs (12 s)`. Of a single one nothing is
/// counted.
pub(crate) fn stands(agents: &[&str], now: &Standing) -> impl Fn(Duration) -> String + Send + Sync + use<> {
    let last = now.steps.last();
    let number = last.map_or(0, |(number, _)| *number);
    let agent = agents.get(number).copied().unwrap_or_default().to_owned();
    let (done, total, step) = (now.done, now.total, last.map(|(_, view)| view.clone()));
    move |elapsed| {
        let said = match &step {
            Some(view) => line(&agent, view, elapsed),
            None if total == 1 => waits(&agent)(elapsed),
            // Each that has a place says so.
            None if done == 0 => format!("{WAITING} ({} s)", elapsed.as_secs()),
            None => return format!("{done} of {total} done ({} s)", elapsed.as_secs()),
        };
        if total == 1 { said } else { format!("{done} of {total} done; {said}") }
    }
}

const WAITING: &str = "waiting for a place";

/// Returns a step as one line: `infra: Bash docker logs (3 turns, $0.04, 12 s)`.
pub(crate) fn line(agent: &str, view: &ProgressView, elapsed: Duration) -> String {
    // Nothing is heard of a job before it has its place; then it first says that it lives.
    let what = if view.text.is_empty() { "starting" } else { view.text.as_str() };
    let mut facts = Vec::new();
    match view.turns {
        0 => {}
        1 => facts.push("1 turn".to_owned()),
        turns => facts.push(format!("{turns} turns")),
    }
    facts.extend(view.cost_usd.map(|cost| format!("${cost:.2}")));
    facts.push(format!("{} s", elapsed.as_secs()));
    format!("{agent}: {what} ({})", facts.join(", "))
}

#[cfg(test)]
mod tests;
