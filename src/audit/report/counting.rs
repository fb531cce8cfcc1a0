//! The counting: one record after the other, in whatever order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::audit::Code;
use crate::audit::line::{COST_USD_MAX, Line};
use crate::audit::report::{
    BIN_ENDS_MS, Detail, Durations, Failure, Found, Overview, Period, Ranked, Row, Sums, Who, columns, trees,
};
use crate::audit::stats::percentile;
use crate::model::{JobId, Timestamp};

/// Most agents and callers that are named; the others are added up.
pub(super) const NAMES_SHOWN: usize = 12;

/// Most agents and callers that are told apart while counting: a name that was refused is a foreign text.
pub(super) const NAMES_KEPT: usize = 2000;

/// Most dispatches in the lists of the slowest and of the failed.
pub(super) const SLOWEST_MAX: usize = 12;
pub(super) const FAILED_MAX: usize = 25;

/// Most answers given again whose price is looked up outside of the period.
const PRICES_MAX: usize = 20_000;

/// A run that ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) root: JobId,
    pub(super) id: JobId,
    pub(super) cost_usd: f64,
}

/// Counts.
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
    failed: BTreeSet<(Timestamp, JobId)>,
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
            failed: BTreeSet::new(),
        }
    }

    /// Counts what a record tells of, if it is of the period.
    pub fn count(&mut self, line: &Line<'_>) {
        let period = &self.period;
        let outside = period.since.is_some_and(|since| line.time < since)
            || period.until.is_some_and(|until| line.time >= until)
            || period.agent.is_some() && period.agent.as_deref() != line.agent();
        let Some(one) = Sums::of(line).filter(|_| !outside) else { return };
        let (first, last) = self.range.unwrap_or((line.time, line.time));
        self.range = Some((first.min(line.time), last.max(line.time)));
        let millis = line.millis().and_then(|millis| u32::try_from(millis).ok());
        self.total.add(one, millis);
        self.quarters.entry(columns::quarter(line.time)).or_default().add(one);
        if let Some(agent) = line.agent() {
            self.agents.of(agent.to_owned()).add(one, millis);
        }
        if let Some((name, directory)) = line.caller() {
            let who = Who { name: name.to_owned(), directory: directory.map(str::to_owned) };
            self.callers.of(who).add(one, millis);
        }
        if one.failed > 0 {
            self.add_failure(line, one.cost_usd);
        }
        if one.cached + one.joined > 0 {
            self.again.extend(line.answered_by());
        }
        let (Some(id), Some(_)) = (line.dispatch(), &line.end) else { return };
        if one.ended() > 0 {
            // What others did inside it, or around it, is not asked for with one agent.
            let root = line.root().filter(|_| self.period.agent.is_none()).unwrap_or(id);
            self.runs.push(Run { root, id, cost_usd: one.cost_usd });
            self.slowest.extend(millis.map(|millis| (millis, id)));
            keep_last(&mut self.slowest, SLOWEST_MAX);
        }
    }

    /// Returns what both have counted.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        let ranges = self.range.into_iter().chain(other.range);
        self.range = ranges.reduce(|(first, last), (begin, end)| (first.min(begin), last.max(end)));
        self.total.add_all(other.total);
        for (quarter, sums) in other.quarters {
            self.quarters.entry(quarter).or_default().add(sums);
        }
        self.agents.add_all(other.agents);
        self.callers.add_all(other.callers);
        for (class, (count, cost_usd)) in other.failures {
            self.add_failures(class, count, cost_usd);
        }
        self.runs.extend(other.runs);
        self.again.extend(other.again);
        self.slowest.extend(other.slowest);
        keep_last(&mut self.slowest, SLOWEST_MAX);
        self.failed.extend(other.failed);
        keep_last(&mut self.failed, FAILED_MAX);
        self
    }

    fn add_failure(&mut self, line: &Line<'_>, cost_usd: f64) {
        // A class is one of our own words, unless the record is none of ours.
        let class = line.failure().unwrap_or("unknown").chars().take(40).collect();
        self.add_failures(class, 1, cost_usd);
        self.failed.extend(line.dispatch().map(|id| (line.time, id)));
        keep_last(&mut self.failed, FAILED_MAX);
    }

    fn add_failures(&mut self, class: String, more: u64, cost_usd: f64) {
        if self.failures.len() < NAMES_KEPT || self.failures.contains_key(&class) {
            let (count, cost) = self.failures.entry(class).or_default();
            *count += more;
            *cost += cost_usd;
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
        let failed: Vec<JobId> = self.failed.iter().rev().map(|(_, id)| *id).collect();
        let roots = trees.iter().filter_map(|tree| tree.nodes.first()).map(|node| node.id);
        let listed: BTreeSet<JobId> = slowest.iter().chain(&failed).copied().chain(roots).collect();
        let details = listed.into_iter().filter_map(|id| Detail::of(id, look_up(id)?)).collect();
        let (step, columns) = columns::of(&self.quarters, self.range, &self.period);
        let mut failures: Vec<Failure> = self
            .failures
            .into_iter()
            .map(|(class, (count, cost_usd))| Failure { class, count, cost_usd })
            .collect();
        failures.sort_by_key(|failure| Reverse(failure.count));
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
            failed,
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
                    price(id).filter(|cost| is_sum(*cost))
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

impl Sums {
    /// Returns the numbers of the one dispatch that a record tells the end of.
    fn of(line: &Line<'_>) -> Option<Self> {
        let mut one = Self::default();
        match line.event {
            Code::Hit => one.cached = 1,
            Code::Joined => one.joined = 1,
            Code::Finished | Code::Refused | Code::Cancelled | Code::Interrupted => {
                let failed = line.failure().is_some();
                (one.ok, one.failed) = (u64::from(!failed), u64::from(failed));
                one.cost_usd = line.cost_usd().unwrap_or(0.0);
            }
            _ => return None,
        }
        Some(one)
    }

    pub(super) fn add(&mut self, more: Self) {
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

    fn add_all(&mut self, mut other: Self) {
        self.sums.add(other.sums);
        self.durations.append(&mut other.durations);
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
        self.named.entry(name).or_default()
    }

    fn add_all(&mut self, other: Self) {
        for (name, tally) in other.named {
            self.of(name).add_all(tally);
        }
        self.others.add_all(other.others);
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
        for (_, tally) in &rest {
            ranked.rest.add(tally.sums);
        }
        ranked.top = all.into_iter().map(|(name, tally)| (name, tally.row())).collect();
        ranked
    }
}

impl Detail {
    fn of(id: JobId, found: Found) -> Option<Self> {
        let record = serde_json::to_string(&found.record).ok()?;
        Some(Self { id, asked: found.asked, record, hint: found.hint })
    }
}

/// Leaves only the greatest of a set.
fn keep_last<T: Ord>(set: &mut BTreeSet<T>, most: usize) {
    while set.len() > most {
        set.pop_first();
    }
}

fn is_sum(cost: f64) -> bool {
    (0.0..COST_USD_MAX).contains(&cost)
}

#[expect(clippy::cast_precision_loss, reason = "counts of dispatches")]
const fn count(number: usize) -> f64 {
    number as f64
}
