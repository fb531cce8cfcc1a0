//! What dispatches came to, in numbers: counted from audit records, one after the other.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::Code;
use crate::audit::line::Line;
use crate::audit::query::AuditFilter;
use crate::model::JobId;

/// Which dispatches to count, and how to sort them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StatsFilter {
    /// What each part of the numbers is about.
    pub by: By,
    /// Only those whose records fit.
    pub only: AuditFilter,
}

/// What each part of the numbers is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// An agent.
    #[default]
    Agent,
    /// Who asked: the declared name, else the program.
    Caller,
    /// The model that answered.
    Model,
    /// A day, as the local calendar has it.
    Day,
    /// A reason for failing.
    Error,
}

/// What is counted together when nothing is known of it.
const UNKNOWN: &str = "unknown";

impl By {
    /// Returns what a dispatch is counted under.
    fn key<'l>(self, line: &'l Line<'_>) -> Cow<'l, str> {
        let known = match self {
            Self::Agent => line.agent(),
            Self::Caller => line.caller().map(|(name, _)| name),
            Self::Model => line.end.as_ref().and_then(|end| end.model.as_deref()),
            Self::Day => return line.time.local().chars().take(10).collect(),
            Self::Error => Some(line.failure().unwrap_or("none")),
        };
        known.unwrap_or(UNKNOWN).into()
    }
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
    /// What the answers that were given again, from the cache or by joining, would have cost, in US dollars.
    pub saved_usd: f64,
    /// How long they took, in milliseconds: half of them no longer than this.
    pub median_ms: Option<u64>,
    /// Nine of ten no longer than this.
    pub p90_ms: Option<u64>,
    /// All but one of a hundred no longer than this.
    pub p99_ms: Option<u64>,
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

/// The numbers of all dispatches, and of each part of them; what cost most comes first, but days come as they went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// All together.
    pub total: Numbers,
    /// Part by part.
    pub parts: Vec<(String, Numbers)>,
}

/// Counts.
#[derive(Debug, Default)]
pub struct Counter {
    by: By,
    total: Tally,
    parts: BTreeMap<String, Tally>,
    /// What runs cost.
    costs: Vec<(JobId, f64)>,
    /// The runs whose answers were given again, each with what that is counted under.
    again: Vec<(JobId, String)>,
    /// The runs that were joined, whose models nobody knew then.
    joined: Vec<JobId>,
}

/// What has been seen so far of some dispatches.
#[derive(Debug, Default)]
struct Tally {
    numbers: Numbers,
    durations: Vec<u64>,
    costs: Vec<f64>,
}

impl Counter {
    /// Returns a counter of nothing yet.
    pub fn by(by: By) -> Self {
        Self { by, ..Self::default() }
    }

    /// Counts what a record tells of.
    pub fn count(&mut self, line: &Line<'_>) {
        self.total.add(line);
        self.costs.extend(line.cost_usd().and_then(|cost| Some((line.dispatch()?, cost))));
        // Those that name no agent are in the total alone.
        if self.by == By::Agent && line.agent().is_none() {
            return;
        }
        if self.by == By::Model
            && line.event == Code::Joined
            && let Some(run) = line.answered_by()
        {
            self.joined.push(run);
            return;
        }
        let key = self.by.key(line);
        self.again.extend(line.answered_by().map(|run| (run, key.clone().into_owned())));
        match self.parts.get_mut(&*key) {
            Some(part) => part.add(line),
            None => self.parts.entry(key.into_owned()).or_default().add(line),
        }
    }

    /// Returns what both have counted.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.total.add_all(other.total);
        for (key, part) in other.parts {
            self.parts.entry(key).or_default().add_all(part);
        }
        self.costs.extend(other.costs);
        self.again.extend(other.again);
        self.joined.extend(other.joined);
        self
    }

    /// Counts what was joined under the model of its run: `model` says that.
    pub fn join<E>(&mut self, mut model: impl FnMut(JobId) -> Result<Option<String>, E>) -> Result<(), E> {
        let mut joined = std::mem::take(&mut self.joined);
        joined.sort_unstable();
        for same in joined.chunk_by(|one, other| one == other) {
            let Some(run) = same.first() else { continue };
            let key = model(*run)?.unwrap_or_else(|| UNKNOWN.to_owned());
            self.parts.entry(key.clone()).or_default().numbers.joined += same.len() as u64;
            self.again.extend(same.iter().map(|run| (*run, key.clone())));
        }
        Ok(())
    }

    /// Adds what was saved by giving answers again that had cost something: `cost` says what a run cost that was not counted.
    pub fn save<E>(&mut self, mut cost: impl FnMut(JobId) -> Result<Option<f64>, E>) -> Result<(), E> {
        self.costs.sort_unstable_by_key(|(run, _)| *run);
        self.again.sort_unstable();
        for same in self.again.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((run, _)) = same.first() else { continue };
            let at = self.costs.binary_search_by_key(run, |(run, _)| *run);
            let known = at.ok().and_then(|at| self.costs.get(at)).map(|(_, cost)| *cost);
            let Some(saved) = known.map_or_else(|| cost(*run), |known| Ok(Some(known)))? else { continue };
            for (_, key) in same {
                self.total.numbers.saved_usd += saved;
                self.parts.entry(key.clone()).or_default().numbers.saved_usd += saved;
            }
        }
        Ok(())
    }

    /// Returns the numbers.
    pub fn finish(self) -> Stats {
        let mut parts: Vec<(String, Numbers)> =
            self.parts.into_iter().map(|(key, tally)| (key, tally.finish())).collect();
        if self.by != By::Day {
            parts.sort_by(|(one, ours), (other, theirs)| {
                let spend = theirs.cost_usd.partial_cmp(&ours.cost_usd).unwrap_or(Ordering::Equal);
                spend.then(theirs.dispatches.cmp(&ours.dispatches)).then_with(|| one.cmp(other))
            });
        }
        Stats { total: self.total.finish(), parts }
    }
}

impl Tally {
    fn add(&mut self, line: &Line<'_>) {
        let numbers = &mut self.numbers;
        match line.event {
            Code::Hit => numbers.cached_hits += 1,
            Code::Joined => numbers.joined += 1,
            _ => self.add_ended(line),
        }
    }

    fn add_ended(&mut self, line: &Line<'_>) {
        let numbers = &mut self.numbers;
        numbers.dispatches += 1;
        match line.failure() {
            None => numbers.ok += 1,
            Some(class) => {
                numbers.failed += 1;
                add(&mut numbers.errors, class, 1);
            }
        }
        if let Some(outcome) = line.end.as_ref().and_then(|end| end.outcome.as_deref()) {
            add(&mut numbers.outcomes, outcome, 1);
        }
        self.durations.extend(line.millis());
        if let Some(cost) = line.cost_usd() {
            numbers.cost_usd += cost;
            self.costs.push(cost);
        }
    }

    fn add_all(&mut self, mut other: Self) {
        let (ours, more) = (&mut self.numbers, other.numbers);
        ours.dispatches += more.dispatches;
        ours.cached_hits += more.cached_hits;
        ours.joined += more.joined;
        ours.ok += more.ok;
        ours.failed += more.failed;
        ours.cost_usd += more.cost_usd;
        more.outcomes.iter().for_each(|(outcome, count)| add(&mut ours.outcomes, outcome, *count));
        more.errors.iter().for_each(|(class, count)| add(&mut ours.errors, class, *count));
        self.durations.append(&mut other.durations);
        self.costs.append(&mut other.costs);
    }

    fn finish(mut self) -> Numbers {
        self.durations.sort_unstable();
        self.costs.sort_unstable_by(f64::total_cmp);
        Numbers {
            median_ms: percentile(&self.durations, 50),
            p90_ms: percentile(&self.durations, 90),
            p99_ms: percentile(&self.durations, 99),
            max_ms: self.durations.last().copied(),
            median_cost_usd: percentile(&self.costs, 50),
            max_cost_usd: self.costs.last().copied(),
            ..self.numbers
        }
    }
}

/// Adds to one of several counts. Nothing is copied when it is there already.
fn add(counts: &mut BTreeMap<String, u64>, name: &str, more: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += more,
        None => drop(counts.insert(name.to_owned(), more)),
    }
}

/// Returns why a dispatch failed, in one word; nothing when the event is no failure.
pub(in crate::audit) fn failure_class<'a>(
    event: Code,
    success: bool,
    error_type: Option<&'a str>,
    reason: Option<&'a str>,
) -> Option<&'a str> {
    match event {
        // What was stopped is no success, whatever its run still said.
        Code::Cancelled => Some("cancelled"),
        Code::Interrupted => Some("interrupted"),
        // `class: message`.
        Code::Refused => Some(reason.and_then(|reason| reason.split(':').next()).unwrap_or("unknown")),
        Code::Finished => (!success).then(|| error_type.unwrap_or("unknown")),
        _ => None,
    }
}

/// Returns the `percent`th percentile of sorted values: the one whose rank is nearest, halves to the even one.
pub(super) fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let hundredths = percent * sorted.len() + 50;
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    let up = rest > 50 || (rest == 50 && whole % 2 == 1);
    let rank = whole + usize::from(up);
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests;
