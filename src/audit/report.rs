//! What a page about a period shows: counted from audit records in one pass, from the newest to the oldest.
//!
//! Whatever the size of the trail, what comes out is small: times are put together in columns, names and dispatches are
//! ranked and the rest is added up.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::audit::stats::{COST_USD_MAX, DURATION_MS_MAX, percentile, why};
use crate::audit::{Code, Record};
use crate::model::{JobId, Timestamp};

mod columns;
mod trees;

pub use columns::{Column, Step};
pub use trees::{Node, Tree};

/// Most agents and callers that are named; the others are added up.
const NAMES_SHOWN: usize = 12;

/// Most agents and callers that are told apart while counting: a name that was refused is a foreign text.
const NAMES_KEPT: usize = 2000;

/// Most dispatches in the lists of the slowest and of the failed.
const SLOWEST_MAX: usize = 12;
const FAILED_MAX: usize = 25;

/// Most answers given again whose price is looked up outside of the period.
const PRICES_MAX: usize = 20_000;

/// Where the bins of the durations end, in milliseconds; the last bin is everything longer.
pub const BIN_ENDS_MS: [u64; 12] =
    [1000, 2000, 5000, 10_000, 20_000, 60_000, 120_000, 300_000, 600_000, 1_200_000, 3_600_000, 7_200_000];

/// Which dispatches to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Only those of this agent.
    pub agent: Option<String>,
    /// Only those that ended at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that ended before this time.
    pub until: Option<Timestamp>,
}

/// All that the page shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// When the first and the last of them ended; nothing when there are none.
    pub range: Option<(Timestamp, Timestamp)>,
    /// All together.
    pub total: Sums,
    /// What answers that were given again had cost the first time, in US dollars.
    pub saved_usd: f64,
    /// Answers given again whose price is not known any more.
    pub unpriced: u64,
    /// How wide the columns are.
    pub step: Step,
    /// The period in columns, without a gap, the oldest first.
    pub columns: Vec<Column>,
    /// The agents that cost most.
    pub agents: Ranked<String>,
    /// The callers that spent most.
    pub callers: Ranked<Who>,
    /// How long the runs took.
    pub durations: Durations,
    /// Why dispatches failed, the most frequent first.
    pub failures: Vec<Failure>,
    /// The costliest dispatches with everything that was dispatched inside them.
    pub trees: Vec<Tree>,
    /// The longest runs, the longest first.
    pub slowest: Vec<JobId>,
    /// The last failed ones, the newest first.
    pub failed: Vec<JobId>,
    /// Everything about the dispatches in the lists, and the roots of the trees.
    pub details: Vec<Detail>,
}

/// The numbers of some dispatches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Those that were answered without an error.
    pub ok: u64,
    /// All others that ended.
    pub failed: u64,
    /// Those answered from the cache; not among the above.
    pub cached: u64,
    /// Those that shared an identical one; not among the above.
    pub joined: u64,
    /// What they cost, in US dollars.
    pub cost_usd: f64,
}

/// Those that cost most, by name, and the rest together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked<T> {
    /// Those that cost most, the costliest first.
    pub top: Vec<(T, Row)>,
    /// How many others there are.
    pub others: u64,
    /// The numbers of the others.
    pub rest: Sums,
}

/// The numbers of one agent or caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The numbers.
    pub sums: Sums,
    /// Half of the runs took no longer than this, in milliseconds.
    pub p50_ms: Option<u64>,
    /// Nine of ten took no longer than this.
    pub p90_ms: Option<u64>,
}

/// Who asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Who {
    /// What the request called its sender, else the client's name without its version.
    pub name: String,
    /// The directory of the session.
    pub directory: Option<String>,
}

/// How long runs took, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// Runs in each bin; [`BIN_ENDS_MS`] says where the bins end.
    pub bins: Vec<u64>,
    /// Half of them took no longer than this.
    pub p50_ms: Option<u64>,
    /// Nine of ten took no longer than this.
    pub p90_ms: Option<u64>,
    /// Ninety-nine of a hundred took no longer than this.
    pub p99_ms: Option<u64>,
    /// None took longer than this.
    pub max_ms: Option<u64>,
}

/// Failures of one class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Why.
    pub class: String,
    /// How many.
    pub count: u64,
    /// What they cost nevertheless, in US dollars.
    pub cost_usd: f64,
}

/// Everything about one dispatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// The dispatch.
    pub id: JobId,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Its last record as JSON text, with the first words of the task.
    pub record: String,
    /// What its caller was told to do about a failure.
    pub hint: Option<String>,
}

/// What is on record of one dispatch, looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its last record, with the first words of the task.
    pub record: Record,
    /// When it was asked for.
    pub asked: Timestamp,
    /// What its caller was told to do about a failure.
    pub hint: Option<String>,
}

/// What a record says that counts. Everything else in it is passed over.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line {
    /// When.
    pub time: Timestamp,
    event: Code,
    #[serde(default)]
    dispatch: Option<JobId>,
    #[serde(default)]
    answered_by: Option<JobId>,
    #[serde(default)]
    root: Option<JobId>,
    #[serde(default)]
    agent: Option<String>,
    #[serde(default)]
    caller: Option<LineCaller>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    end: Option<LineEnd>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct LineCaller {
    #[serde(default)]
    client: String,
    #[serde(default)]
    declared: Option<String>,
    #[serde(default)]
    directory: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct LineEnd {
    success: bool,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    cost_usd: Option<f64>,
    #[serde(default)]
    duration_ms: u64,
}

/// A run that ended.
#[derive(Debug, Clone, Copy)]
struct Run {
    root: JobId,
    id: JobId,
    cost_usd: f64,
}

/// Counts. Give it the newest record first.
#[derive(Debug)]
pub struct Counter {
    period: Period,
    range: Option<(Timestamp, Timestamp)>,
    total: Tally,
    quarters: BTreeMap<u64, Sums>,
    agents: Tallies<String>,
    callers: Tallies<Who>,
    failures: BTreeMap<String, (u64, f64)>,
    runs: Vec<Run>,
    again: Vec<JobId>,
    slowest: BTreeSet<(u32, JobId)>,
    failed: Vec<JobId>,
}

#[derive(Debug, Default)]
struct Tally {
    sums: Sums,
    /// Milliseconds; what is longer than seven weeks is a mistake and not counted.
    durations: Vec<u32>,
}

#[derive(Debug)]
struct Tallies<T> {
    named: BTreeMap<T, Tally>,
    others: Tally,
}

impl Counter {
    /// Returns a counter of this period.
    pub const fn new(period: Period) -> Self {
        Self {
            period,
            range: None,
            total: Tally::new(),
            quarters: BTreeMap::new(),
            agents: Tallies::new(),
            callers: Tallies::new(),
            failures: BTreeMap::new(),
            runs: Vec::new(),
            again: Vec::new(),
            slowest: BTreeSet::new(),
            failed: Vec::new(),
        }
    }

    /// Counts what a record tells of, if it is of the period.
    pub fn count(&mut self, line: &Line) {
        let period = &self.period;
        let outside = period.since.is_some_and(|since| line.time < since)
            || period.until.is_some_and(|until| line.time >= until)
            || period.agent.is_some() && period.agent != line.agent;
        let Some(one) = Sums::of(line).filter(|_| !outside) else { return };
        let (first, last) = self.range.unwrap_or((line.time, line.time));
        self.range = Some((first.min(line.time), last.max(line.time)));
        let millis = line.millis();
        self.total.add(one, millis);
        self.quarters.entry(columns::quarter(line.time)).or_default().add(one);
        if let Some(agent) = &line.agent {
            self.agents.of(agent.clone()).add(one, millis);
        }
        if let Some(caller) = &line.caller {
            self.callers.of(Who::from(caller)).add(one, millis);
        }
        if one.failed > 0 {
            self.add_failure(line, one.cost_usd);
        }
        if one.cached + one.joined > 0 {
            self.again.extend(line.answered_by);
        }
        let (Some(id), Some(_)) = (line.dispatch, &line.end) else { return };
        if one.ended() > 0 {
            self.runs.push(Run { root: line.root.unwrap_or(id), id, cost_usd: one.cost_usd });
            self.slowest.extend(millis.map(|millis| (millis, id)));
            if self.slowest.len() > SLOWEST_MAX {
                self.slowest.pop_first();
            }
        }
    }

    fn add_failure(&mut self, line: &Line, cost_usd: f64) {
        let class = line.end.as_ref().and_then(|end| end.error_type.as_deref());
        let class = why(line.event, class, line.reason.as_deref());
        // A class is one of our own words, unless the record is none of ours.
        let class: String = class.chars().take(40).collect();
        if self.failures.len() < NAMES_KEPT || self.failures.contains_key(&class) {
            let (count, cost) = self.failures.entry(class).or_default();
            *count += 1;
            *cost += cost_usd;
        }
        if self.failed.len() < FAILED_MAX {
            self.failed.extend(line.dispatch);
        }
    }

    /// Returns what was counted. `look_up` returns what is on record of a dispatch, `price` what it cost.
    pub fn finish(
        mut self,
        look_up: &mut dyn FnMut(JobId) -> Option<Found>,
        price: &mut dyn FnMut(JobId) -> Option<f64>,
    ) -> Overview {
        self.runs.sort_unstable_by_key(|run| run.id);
        let (saved_usd, unpriced) = self.saved(price);
        let trees = trees::costliest(&mut self.runs, look_up);
        let slowest: Vec<JobId> = self.slowest.iter().rev().map(|(_, id)| *id).collect();
        let roots = trees.iter().filter_map(|tree| tree.nodes.first()).map(|node| node.id);
        let listed: BTreeSet<JobId> = slowest.iter().chain(&self.failed).copied().chain(roots).collect();
        let details = listed.into_iter().filter_map(|id| Detail::of(id, look_up(id)?)).collect();
        let (step, columns) = columns::of(&self.quarters, self.range, &self.period);
        let mut failures: Vec<Failure> = self
            .failures
            .into_iter()
            .map(|(class, (count, cost_usd))| Failure { class, count, cost_usd })
            .collect();
        failures.sort_by(|one, other| other.count.cmp(&one.count));
        Overview {
            range: self.range,
            total: self.total.sums,
            saved_usd,
            unpriced,
            step,
            columns,
            agents: self.agents.rank(),
            callers: self.callers.rank(),
            durations: self.total.durations(),
            failures,
            trees,
            slowest,
            failed: self.failed,
            details,
        }
    }

    /// Returns what answers given again had cost, and how many of them have no price any more.
    fn saved(&mut self, price: &mut dyn FnMut(JobId) -> Option<f64>) -> (f64, u64) {
        self.again.sort_unstable();
        let (mut saved, mut unpriced, mut asked) = (0.0, 0, 0);
        for same in self.again.chunk_by(|one, other| one == other) {
            let Some(id) = same.first().copied() else { continue };
            let here = self.runs.binary_search_by_key(&id, |run| run.id).ok();
            let cost = match here.and_then(|at| self.runs.get(at)) {
                Some(run) => Some(run.cost_usd),
                None if asked < PRICES_MAX => {
                    asked += 1;
                    price(id).filter(is_sum)
                }
                None => None,
            };
            match cost {
                Some(cost) => saved += cost * count(same.len()),
                None => unpriced += same.len() as u64,
            }
        }
        (saved, unpriced)
    }
}

impl Line {
    fn millis(&self) -> Option<u32> {
        let ended = !matches!(self.event, Code::Hit | Code::Joined);
        let millis = self.end.as_ref().filter(|_| ended)?.duration_ms;
        u32::try_from(millis).ok().filter(|_| millis < DURATION_MS_MAX)
    }
}

impl Sums {
    /// Returns the numbers of the one dispatch that a record tells the end of.
    fn of(line: &Line) -> Option<Self> {
        let mut one = Self::default();
        match line.event {
            Code::Hit => one.cached = 1,
            Code::Joined => one.joined = 1,
            // What was stopped is no success, whatever its run still said.
            Code::Finished if line.end.as_ref().is_some_and(|end| end.success) => one.ok = 1,
            Code::Finished | Code::Refused | Code::Cancelled | Code::Interrupted => one.failed = 1,
            _ => return None,
        }
        if one.ended() > 0 {
            let cost = line.end.as_ref().and_then(|end| end.cost_usd);
            one.cost_usd = cost.filter(is_sum).unwrap_or(0.0);
        }
        Some(one)
    }

    /// Returns how many ended: those that ran or were refused, not those that got another one's answer.
    pub const fn ended(&self) -> u64 {
        self.ok + self.failed
    }

    /// Returns how many there are.
    pub const fn all(&self) -> u64 {
        self.ended() + self.cached + self.joined
    }

    fn add(&mut self, more: Self) {
        self.ok += more.ok;
        self.failed += more.failed;
        self.cached += more.cached;
        self.joined += more.joined;
        self.cost_usd += more.cost_usd;
    }
}

impl Tally {
    const fn new() -> Self {
        let sums = Sums { ok: 0, failed: 0, cached: 0, joined: 0, cost_usd: 0.0 };
        Self { sums, durations: Vec::new() }
    }

    fn add(&mut self, one: Sums, millis: Option<u32>) {
        self.sums.add(one);
        self.durations.extend(millis);
    }

    fn row(mut self) -> Row {
        self.durations.sort_unstable();
        let at = |percent| percentile(&self.durations, percent).map(u64::from);
        Row { sums: self.sums, p50_ms: at(50), p90_ms: at(90) }
    }

    fn durations(mut self) -> Durations {
        self.durations.sort_unstable();
        let at = |percent| percentile(&self.durations, percent).map(u64::from);
        let mut bins = vec![0; BIN_ENDS_MS.len() + 1];
        for millis in &self.durations {
            let bin = BIN_ENDS_MS.partition_point(|end| *end <= u64::from(*millis));
            if let Some(count) = bins.get_mut(bin) {
                *count += 1;
            }
        }
        Durations { bins, p50_ms: at(50), p90_ms: at(90), p99_ms: at(99), max_ms: at(100) }
    }
}

impl<T: Ord> Tallies<T> {
    const fn new() -> Self {
        Self { named: BTreeMap::new(), others: Tally::new() }
    }

    fn of(&mut self, name: T) -> &mut Tally {
        if self.named.len() >= NAMES_KEPT && !self.named.contains_key(&name) {
            return &mut self.others;
        }
        self.named.entry(name).or_insert_with(Tally::new)
    }

    fn rank(self) -> Ranked<T> {
        let mut all: Vec<(T, Tally)> = self.named.into_iter().collect();
        let key = |tally: &Tally| (tally.sums.cost_usd, tally.sums.all());
        all.sort_by(|(_, one), (_, other)| {
            let ((cost, count), (more_cost, more_count)) = (key(one), key(other));
            more_cost.total_cmp(&cost).then(more_count.cmp(&count))
        });
        let rest = all.split_off(all.len().min(NAMES_SHOWN));
        let mut ranked = Ranked { top: Vec::new(), others: rest.len() as u64, rest: self.others.sums };
        ranked.others += u64::from(ranked.rest.all() > 0);
        rest.iter().for_each(|(_, tally)| ranked.rest.add(tally.sums));
        ranked.top = all.into_iter().map(|(name, tally)| (name, tally.row())).collect();
        ranked
    }
}

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self { top: Vec::new(), others: 0, rest: Sums::default() }
    }
}

impl From<&LineCaller> for Who {
    fn from(caller: &LineCaller) -> Self {
        let client = caller.client.split_whitespace().next().unwrap_or_default();
        let name = caller.declared.clone().unwrap_or_else(|| client.to_owned());
        Self { name, directory: caller.directory.clone() }
    }
}

impl Detail {
    fn of(id: JobId, found: Found) -> Option<Self> {
        let record = serde_json::to_string(&found.record).ok()?;
        Some(Self { id, asked: found.asked, record, hint: found.hint })
    }
}

fn is_sum(cost: &f64) -> bool {
    (0.0..COST_USD_MAX).contains(cost)
}

#[expect(clippy::cast_precision_loss, reason = "counts of dispatches")]
const fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
