//! One human line of a job that goes on, as both doors tell it.

use std::time::Duration;

use crate::daemon::protocol::ProgressView;
use crate::dispatch::Standing;

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

/// Returns how several dispatches stand, as one line: `3 of 7 done; infra: Bash docker logs (12 s)`.
pub(crate) fn standing(agents: &[&str], standing: &Standing, elapsed: Duration) -> String {
    let done = format!("{} of {} done", standing.done, standing.total);
    match &standing.step {
        Some((number, view)) => {
            let agent = agents.get(*number).copied().unwrap_or_default();
            format!("{done}; {}", line(agent, view, elapsed))
        }
        None => format!("{done} ({} s)", elapsed.as_secs()),
    }
}

#[cfg(test)]
mod tests;
