//! What dispatches came to, in numbers: counted from audit records, one after the other.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::Code;
use crate::model::Timestamp;

/// Which dispatches to count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsFilter {
    /// Only those of this agent.
    pub agent: Option<String>,
    /// Only those that ended at this time or later.
    pub since: Option<Timestamp>,
}

/// What a record says that counts. Everything else in it is passed over.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line {
    /// When.
    pub time: Timestamp,
    event: Code,
    #[serde(default)]
    agent: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    end: Option<LineEnd>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct LineEnd {
    success: bool,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    cost_usd: Option<f64>,
    #[serde(default)]
    duration_ms: u64,
}

/// The numbers of some dispatches. Each that has ended is either `ok` or `failed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Those that ended: answered, failed, refused, cancelled or interrupted.
    pub dispatches: u64,
    /// Those answered from the cache; not among the above.
    pub cached_hits: u64,
    /// Those that shared an identical one; not among the above.
    pub joined: u64,
    /// Those that were answered without an error.
    pub ok: u64,
    /// All others.
    pub failed: u64,
    /// What they cost together, in US dollars.
    pub cost_usd: f64,
    /// How long they took, in milliseconds: half of them no longer than this.
    pub median_ms: Option<u64>,
    /// Nine of ten no longer than this.
    pub p90_ms: Option<u64>,
    /// None longer than this.
    pub max_ms: Option<u64>,
    /// Half of them cost no more than this.
    pub median_cost_usd: Option<f64>,
    /// None cost more than this.
    pub max_cost_usd: Option<f64>,
    /// What agents said of their work, and how often.
    pub outcomes: BTreeMap<String, u64>,
    /// Why dispatches failed, and how often.
    pub errors: BTreeMap<String, u64>,
}

/// The numbers of all dispatches, and of each agent's; who cost most comes first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// All together.
    pub total: Numbers,
    /// Agent by agent.
    pub agents: Vec<(String, Numbers)>,
}

/// Counts.
#[derive(Debug, Default)]
pub struct Counter {
    total: Tally,
    agents: BTreeMap<String, Tally>,
}

/// What has been seen so far of some dispatches.
#[derive(Debug, Default)]
struct Tally {
    numbers: Numbers,
    durations: Vec<u64>,
    costs: Vec<f64>,
}

/// Longer runs and larger sums are mistakes of whoever wrote them down.
const DURATION_MS_MAX: u64 = 1_000_000_000;
const COST_USD_MAX: f64 = 1_000_000.0;

impl Counter {
    /// Counts what a record tells of.
    pub fn count(&mut self, line: &Line) {
        let counts = matches!(
            line.event,
            Code::Hit | Code::Joined | Code::Refused | Code::Finished | Code::Cancelled | Code::Interrupted
        );
        if !counts {
            return;
        }
        self.total.add(line);
        if let Some(agent) = &line.agent {
            match self.agents.get_mut(agent) {
                Some(tally) => tally.add(line),
                None => self.agents.entry(agent.clone()).or_default().add(line),
            }
        }
    }

    /// Returns the numbers.
    pub fn finish(self) -> Stats {
        let mut agents: Vec<(String, Numbers)> =
            self.agents.into_iter().map(|(agent, tally)| (agent, tally.finish())).collect();
        agents.sort_by(|(one, ours), (other, theirs)| {
            let spend = theirs.cost_usd.partial_cmp(&ours.cost_usd).unwrap_or(Ordering::Equal);
            spend.then(theirs.dispatches.cmp(&ours.dispatches)).then_with(|| one.cmp(other))
        });
        Stats { total: self.total.finish(), agents }
    }
}

impl Tally {
    fn add(&mut self, line: &Line) {
        let numbers = &mut self.numbers;
        match line.event {
            Code::Hit => numbers.cached_hits += 1,
            Code::Joined => numbers.joined += 1,
            _ => self.add_ended(line),
        }
    }

    fn add_ended(&mut self, line: &Line) {
        let numbers = &mut self.numbers;
        numbers.dispatches += 1;
        let end = line.end.as_ref();
        // What was stopped is no success, whatever its run still said.
        if line.event == Code::Finished && end.is_some_and(|end| end.success) {
            numbers.ok += 1;
        } else {
            numbers.failed += 1;
            *numbers.errors.entry(why(line).to_owned()).or_default() += 1;
        }
        let Some(end) = end else { return };
        if let Some(outcome) = &end.outcome {
            *numbers.outcomes.entry(outcome.clone()).or_default() += 1;
        }
        self.durations.extend(Some(end.duration_ms).filter(|millis| *millis < DURATION_MS_MAX));
        if let Some(cost) = end.cost_usd.filter(|cost| (0.0..COST_USD_MAX).contains(cost)) {
            numbers.cost_usd += cost;
            self.costs.push(cost);
        }
    }

    fn finish(mut self) -> Numbers {
        self.durations.sort_unstable();
        self.costs.sort_unstable_by(f64::total_cmp);
        Numbers {
            median_ms: percentile(&self.durations, 50),
            p90_ms: percentile(&self.durations, 90),
            max_ms: self.durations.last().copied(),
            median_cost_usd: percentile(&self.costs, 50),
            max_cost_usd: self.costs.last().copied(),
            ..self.numbers
        }
    }
}

/// Returns why a dispatch failed, in one word.
fn why(line: &Line) -> &str {
    match (line.event, &line.end, &line.reason) {
        (Code::Cancelled, ..) => "cancelled",
        (Code::Interrupted, ..) => "interrupted",
        // `class: message`.
        (Code::Refused, _, Some(reason)) => reason.split(':').next().unwrap_or_default(),
        (_, Some(LineEnd { error_type: Some(class), .. }), _) => class,
        _ => "unknown",
    }
}

/// Returns the `percent`th percentile of sorted values: the one whose rank is nearest, halves to the even one.
fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let hundredths = percent * sorted.len() + 50;
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    let up = rest > 50 || (rest == 50 && whole % 2 == 1);
    let rank = whole + usize::from(up);
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests;
