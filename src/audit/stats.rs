//! What dispatches came to, in numbers: counted from audit records, one after the other.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::Code;
use crate::audit::query::AuditFilter;
use crate::audit::typical::Sample;
use crate::model::{Outcome, Timestamp};

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

/// What a record says that counts. Everything else in it is passed over.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line {
    /// When.
    pub time: Timestamp,
    event: Code,
    #[serde(default)]
    agent: Option<String>,
    #[serde(default)]
    answered_by: Option<String>,
    #[serde(default)]
    caller: Option<LineCaller>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    end: Option<LineEnd>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct LineCaller {
    client: String,
    #[serde(default)]
    declared: Option<String>,
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
    #[serde(default)]
    model: Option<String>,
}

impl Line {
    /// Returns the line of this JSON text; nothing when it does not count, or cannot be read. What does not count is told
    /// by its beginning, which every record of ours has: most records are passed over at once.
    pub fn read(body: &str) -> Option<Self> {
        let begun = body.strip_prefix("{\"time\":\"").and_then(|rest| rest.split_once("\",\"event\":\""));
        let event = begun.and_then(|(_, rest)| rest.split_once('"')).map(|(event, _)| event);
        if event.is_some_and(|event| !COUNTED.iter().any(|code| code.as_str() == event)) {
            return None;
        }
        serde_json::from_str::<Self>(body).ok().filter(|line| COUNTED.contains(&line.event))
    }

    /// Returns what it cost, if it is about a run that ended.
    pub fn cost_usd(&self) -> Option<f64> {
        self.end.as_ref()?.cost_usd.filter(|cost| (0.0..COST_USD_MAX).contains(cost))
    }

    /// Returns the run that ended by itself, if it is about one, as a sample of what is usual.
    pub fn sample(&self) -> Option<Sample> {
        let end = self.end.as_ref().filter(|_| self.event == Code::Finished)?;
        let verdict = |it: &Outcome| Some(it.as_str()) == end.outcome.as_deref();
        Some(Sample {
            millis: end.duration_ms,
            cost_usd: end.cost_usd,
            success: end.success,
            outcome: Outcome::ALL.into_iter().find(verdict),
        })
    }

    /// Returns what it is counted under.
    fn key(&self, by: By) -> String {
        let end = self.end.as_ref();
        let known = match by {
            By::Agent => self.agent.clone(),
            By::Caller => self.caller.as_ref().map(|caller| {
                caller
                    .declared
                    .clone()
                    .unwrap_or_else(|| caller.client.split([' ', '/']).next().unwrap_or_default().to_owned())
            }),
            By::Model => end.and_then(|end| end.model.clone()),
            By::Day => self.time.local().get(..10).map(str::to_owned),
            By::Error => Some(why(self).unwrap_or("none").to_owned()),
        };
        known.unwrap_or_else(|| "unknown".to_owned())
    }
}

/// The events that say how a dispatch ended, or that it needed no run.
const COUNTED: [Code; 6] =
    [Code::Hit, Code::Joined, Code::Refused, Code::Finished, Code::Cancelled, Code::Interrupted];

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
    /// How often the answer of a run was given again, by the run and by what that is counted under.
    again: BTreeMap<String, BTreeMap<String, u32>>,
}

/// What has been seen so far of some dispatches.
#[derive(Debug, Default)]
struct Tally {
    numbers: Numbers,
    durations: Vec<u64>,
    costs: Vec<f64>,
}

/// Longer runs and larger sums are mistakes of whoever wrote them down.
pub(super) const DURATION_MS_MAX: u64 = 1_000_000_000;
pub(super) const COST_USD_MAX: f64 = 1_000_000.0;

impl Counter {
    /// Returns a counter of nothing yet.
    pub fn by(by: By) -> Self {
        Self { by, ..Self::default() }
    }

    /// Counts what a record tells of.
    pub fn count(&mut self, line: &Line) {
        self.total.add(line);
        let key = line.key(self.by);
        // Those that name no agent are in the total alone.
        if self.by == By::Agent && line.agent.is_none() {
            return;
        }
        if let Some(run) = &line.answered_by {
            *self.again.entry(run.clone()).or_default().entry(key.clone()).or_default() += 1;
        }
        self.parts.entry(key).or_default().add(line);
    }

    /// Adds what was saved by giving answers again that had cost something: `cost` says what a run cost.
    pub fn save<E>(&mut self, mut cost: impl FnMut(&str) -> Result<Option<f64>, E>) -> Result<(), E> {
        for (run, times) in std::mem::take(&mut self.again) {
            let Some(cost) = cost(&run)? else { continue };
            for (key, count) in times {
                let saved = cost * f64::from(count);
                self.total.numbers.saved_usd += saved;
                self.parts.entry(key).or_default().numbers.saved_usd += saved;
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
        match why(line) {
            None => numbers.ok += 1,
            Some(class) => {
                numbers.failed += 1;
                *numbers.errors.entry(class.to_owned()).or_default() += 1;
            }
        }
        let Some(end) = end else { return };
        if let Some(outcome) = &end.outcome {
            *numbers.outcomes.entry(outcome.clone()).or_default() += 1;
        }
        self.durations.extend(Some(end.duration_ms).filter(|millis| *millis < DURATION_MS_MAX));
        if let Some(cost) = line.cost_usd() {
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
            p99_ms: percentile(&self.durations, 99),
            max_ms: self.durations.last().copied(),
            median_cost_usd: percentile(&self.costs, 50),
            max_cost_usd: self.costs.last().copied(),
            ..self.numbers
        }
    }
}

/// Returns why the dispatch failed, in one word; nothing when it did not.
fn why(line: &Line) -> Option<&str> {
    let end = line.end.as_ref();
    let error_type = end.and_then(|end| end.error_type.as_deref());
    failure_class(line.event, end.is_some_and(|end| end.success), error_type, line.reason.as_deref())
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
