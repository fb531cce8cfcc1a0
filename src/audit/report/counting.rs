//! The counting: one record after the other, the newest first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::audit::Code;
use crate::audit::report::{
    BIN_ENDS_MS, Detail, Durations, Failure, Found, Overview, Period, Ranked, Row, Sums, Who, columns, trees,
};
use crate::audit::stats::{COST_USD_MAX, DURATION_MS_MAX, failure_class, percentile};
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
pub(super) struct Run {
    pub(super) root: JobId,
    pub(super) id: JobId,
    pub(super) cost_usd: f64,
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
            // What others did inside it, or around it, is not asked for with one agent.
            let root = line.root.filter(|_| self.period.agent.is_none()).unwrap_or(id);
            self.runs.push(Run { root, id, cost_usd: one.cost_usd });
            self.slowest.extend(millis.map(|millis| (millis, id)));
            if self.slowest.len() > SLOWEST_MAX {
                self.slowest.pop_first();
            }
        }
    }

    fn add_failure(&mut self, line: &Line, cost_usd: f64) {
        let class = line.end.as_ref().and_then(|end| end.error_type.as_deref());
        let class = failure_class(line.event, false, class, line.reason.as_deref()).unwrap_or("unknown");
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
            one.cost_usd = cost.filter(|cost| is_sum(*cost)).unwrap_or(0.0);
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

fn is_sum(cost: f64) -> bool {
    (0.0..COST_USD_MAX).contains(&cost)
}

#[expect(clippy::cast_precision_loss, reason = "counts of dispatches")]
const fn count(number: usize) -> f64 {
    number as f64
}
