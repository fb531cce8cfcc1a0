//! Searching the audit trail: by the best index, from the right place on, a bounded part at a time; and counting it.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeInclusive};

use crate::audit::Record;
use crate::audit::chain::{Link, body};
use crate::audit::export::time_of;
use crate::audit::line::Line;
use crate::audit::query::{AuditEntry, AuditFilter, BadPattern, Matcher, Page, Place, Search};
use crate::audit::stats::{Counter, Stats, StatsFilter};
use crate::audit::typical::{Sample, Typical};
use crate::model::{AgentName, JobId, Timestamp};
use crate::store::database::Direction;
use crate::store::reader::{LIST_MAX, Reader, entry_of};
use crate::store::txn::Fault;
use crate::store::{chunks, keys, pages, parts};

/// Most records that one part of a search looks at: a fraction of a second, so that whoever asked can still leave.
const LOOKED_MAX: usize = 20_000;

/// How many runs say what is usual, and how many records are looked at for them: a run has about three.
const SAMPLES: usize = 50;
const SAMPLED_MAX: usize = 500;

/// How deep call trees are followed: deeper than any dispatch is nested.
const DEPTH_MAX: usize = 64;

impl From<BadPattern> for Fault {
    fn from(bad: BadPattern) -> Self {
        Self::Invalid(bad.to_string())
    }
}

impl Reader {
    /// Returns one audit record, as it is listed.
    pub fn audit_record(&self, seq: u64) -> Result<Option<AuditEntry>, Fault> {
        Ok(self.link(seq)?.map(|link| entry_of(&link)))
    }

    /// Returns audit records, newest first, however many must be looked at.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, Fault> {
        let mut search = Search { filter: filter.clone(), from: Place::Newest, wait_ms: 0 };
        let limit = filter.limit.clamp(1, LIST_MAX);
        let mut found = Vec::new();
        loop {
            let page = self.search(&search)?;
            found.extend(page.entries);
            let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(limit));
            match page.next {
                Some(next) if left > 0 => {
                    search.from = next;
                    search.filter.limit = left;
                }
                _ => return Ok(found),
            }
        }
    }

    /// Looks for audit records, until there are enough of them or enough have been looked at.
    pub fn search(&self, search: &Search) -> Result<Page, Fault> {
        self.search_some(search, LOOKED_MAX)
    }

    pub(super) fn search_some(&self, search: &Search, looked_max: usize) -> Result<Page, Fault> {
        let head = self.head()?.seq;
        let limit = search.filter.limit.clamp(1, LIST_MAX) as usize;
        let mut page = Page { entries: Vec::new(), next: None, head };
        let mut filter = search.filter.clone();
        let mut first = 1;
        if let Some(tree) = filter.tree {
            let root = self.root_of(tree)?;
            filter.tree = Some(root);
            first = self.first_about(root)?.map_or(1, |(seq, _)| seq);
        }
        let matcher = Matcher::new(&filter)?;
        let mut kin = Kin { reader: self, roots: BTreeMap::new() };
        let (low, high) = self.bounds(&filter, head)?;
        let (low, high, direction) = match search.from {
            Place::Newest => (low.max(first), high, Direction::Backward),
            Place::Before(seq) => (low.max(first), high.min(seq.saturating_sub(1)), Direction::Backward),
            Place::After(seq) => (low.max(first).max(seq.saturating_add(1)), high, Direction::Forward),
        };
        let takes_all = is_said_by_index(&filter);
        for (looked, found) in self.records(&filter, low, high, direction).enumerate() {
            let (seq, bytes) = found?;
            if page.entries.len() == limit || looked == looked_max {
                page.next = Some(match direction {
                    Direction::Backward => Place::Before(seq.saturating_add(1)),
                    Direction::Forward => Place::After(seq.saturating_sub(1)),
                });
                break;
            }
            let fits = takes_all || body(&bytes).is_some_and(|body| kin.fits(&matcher, &filter, body));
            if fits && let Ok(link) = Link::decode(seq, &bytes) {
                page.entries.push(entry_of(&link));
            }
        }
        Ok(page)
    }

    /// Counts what dispatches came to. Only as much of each record is decoded as counts; unreadable ones are passed over.
    pub fn stats(&self, asked: &StatsFilter) -> Result<Stats, Fault> {
        let mut filter = asked.only.clone();
        if let Some(tree) = filter.tree {
            filter.tree = Some(self.root_of(tree)?);
        }
        let begin = || Counter::by(asked.by);
        let parts = self.lines(&filter, begin, Counter::count)?;
        let mut counter = parts.into_iter().reduce(Counter::with).unwrap_or_else(begin);
        counter
            .join(|run| self.of_end(run, |line| line.end.as_ref()?.model.as_deref().map(str::to_owned)))?;
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not general enough")]
        counter.save(|run| self.of_end(run, |line| line.cost_usd()))?;
        Ok(counter.finish())
    }

    /// Counts the records that fit, in a few parts side by side; returns what was counted of each.
    pub(super) fn lines<C: Send>(
        &self,
        filter: &AuditFilter,
        begin: impl Fn() -> C + Sync,
        count: impl Fn(&mut C, &Line<'_>) + Sync,
    ) -> Result<Vec<C>, Fault> {
        let matcher = Matcher::new(filter)?;
        let takes_all = is_said_by_index(filter);
        let (low, high) = self.bounds(filter, self.head()?.seq)?;
        let read = |part: RangeInclusive<u64>| {
            let mut kin = Kin { reader: self, roots: BTreeMap::new() };
            let mut counter = begin();
            self.bodies(filter, part, |body| {
                if let Some(line) = Line::read(body)
                    && (takes_all || kin.fits(&matcher, filter, body))
                {
                    count(&mut counter, &line);
                }
            })?;
            Ok(counter)
        };
        Ok(parts::side_by_side(parts::of(low, high), read, || ())?.0)
    }

    /// Shows `look` the records of a part of the trail that the best index for this filter names, oldest first, where they lie.
    fn bodies(
        &self,
        filter: &AuditFilter,
        part: RangeInclusive<u64>,
        mut look: impl FnMut(&[u8]),
    ) -> Result<(), Fault> {
        let (low, high) = part.into_inner();
        let mut look = |raw: &[u8]| chunks::inlined(raw).and_then(body).into_iter().for_each(&mut look);
        let Some(name) = index(filter) else {
            let range = keys::audit_between(low.saturating_sub(1), high);
            return Ok(self.database.each_raw(range, |_, raw| look(raw))?);
        };
        for seq in pages::numbers(&self.database, &name, low, high, Direction::Forward) {
            self.database.get_raw(&keys::audit(seq?))?.as_deref().into_iter().for_each(&mut look);
        }
        Ok(())
    }

    /// Returns what dispatches to an agent usually take: the last ones that ended by themselves.
    pub fn typical(&self, agent: &str) -> Result<Option<Typical>, Fault> {
        let filter = AuditFilter { agents: vec![agent.to_owned()], ..AuditFilter::default() };
        let mut samples = Vec::new();
        for found in self.records(&filter, 1, self.head()?.seq, Direction::Backward).take(SAMPLED_MAX) {
            let (_, bytes) = found?;
            let line = body(&bytes).and_then(Line::read);
            samples.extend(line.and_then(|line| Sample::of(&line)));
            if samples.len() >= SAMPLES {
                break;
            }
        }
        Ok(Typical::of(samples))
    }

    /// Returns what the record of the end of a run says.
    fn of_end<T>(&self, run: JobId, said: impl Fn(&Line<'_>) -> Option<T>) -> Result<Option<T>, Fault> {
        for link in self.about(run, Direction::Backward) {
            if let Some(found) = Line::read(&link?.body).and_then(|line| said(&line)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Returns the records from `low` to `high` that the best index for this filter names.
    fn records(
        &self,
        filter: &AuditFilter,
        low: u64,
        high: u64,
        direction: Direction,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), Fault>> {
        let name = index(filter);
        // The wrong way round, a range is a mistake for the engine.
        let range = keys::audit_between(low.saturating_sub(1), high);
        let all = (name.is_none() && low <= high).then(|| self.database.scan(range, direction));
        let all = all.into_iter().flatten().filter_map(|entry| match entry {
            Ok((key, bytes)) => Some(Ok((keys::seq_of(&key)?, bytes))),
            Err(error) => Some(Err(error.into())),
        });
        let numbers = name.map(|name| pages::numbers(&self.database, &name, low, high, direction));
        let named = numbers.into_iter().flatten().filter_map(|seq| {
            let found =
                seq.and_then(|seq| Ok(self.database.get(&keys::audit(seq))?.map(|bytes| (seq, bytes))));
            found.map_err(Fault::from).transpose()
        });
        all.chain(named)
    }

    /// Returns the numbers of the first and the last record that can be of the time asked for. Records are in the order of
    /// time, so each is found by halving.
    fn bounds(&self, filter: &AuditFilter, head: u64) -> Result<(u64, u64), Fault> {
        let low = filter.since.map_or(Ok(1), |since| self.first_at(since, head))?;
        let end = filter.until.map(|until| self.first_at(until.plus_millis(1), head)).transpose()?;
        Ok((low, end.map_or(head, |end| end.saturating_sub(1))))
    }

    /// Returns the number of the first record that is not older than `time`; the one after `head` when all are.
    fn first_at(&self, time: Timestamp, head: u64) -> Result<u64, Fault> {
        let (mut low, mut high) = (1, head.saturating_add(1));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.next_time(middle, head)? {
                Some((seq, at)) if at < time => low = seq + 1,
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }

    /// Returns the first record from `seq` to `head` whose time can be read, and the time: some may be missing.
    fn next_time(&self, seq: u64, head: u64) -> Result<Option<(u64, Timestamp)>, Fault> {
        let range = (Bound::Included(keys::audit(seq)), Bound::Included(keys::audit(head)));
        for entry in self.database.scan(range, Direction::Forward) {
            let (key, bytes) = entry?;
            let time = body(&bytes).and_then(time_of);
            if let (Some(seq), Some(time)) = (keys::seq_of(&key), time) {
                return Ok(Some((seq, time)));
            }
        }
        Ok(None)
    }

    /// Returns the first record about a dispatch: its number, and to whom the dispatch belongs.
    fn first_about(&self, id: JobId) -> Result<Option<(u64, Relations)>, Fault> {
        let Some(link) = self.about(id, Direction::Forward).next().transpose()? else { return Ok(None) };
        Ok(Some((link.seq, serde_json::from_slice(&link.body).unwrap_or_default())))
    }

    /// Returns the outermost dispatch of the tree to which this one belongs.
    fn root_of(&self, id: JobId) -> Result<JobId, Fault> {
        let mut at = id;
        for _ in 0..DEPTH_MAX {
            let Some((_, known)) = self.first_about(at)? else { break };
            if let Some(root) = known.root {
                return Ok(root);
            }
            let Some(parent) = known.parent else { break };
            at = parent;
        }
        Ok(at)
    }
}

/// The roots of dispatches that name only their parents, remembered for one search.
struct Kin<'r> {
    reader: &'r Reader,
    roots: BTreeMap<JobId, Option<String>>,
}

impl Kin<'_> {
    /// Returns whether the record with this body fits; one that cannot be read does not.
    fn fits(&mut self, matcher: &Matcher<'_>, filter: &AuditFilter, body: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(body) else { return false };
        if !matcher.may_match(text) {
            return false;
        }
        let Ok(mut record) = serde_json::from_str::<Record>(text) else { return false };
        if filter.tree.is_some() && record.root.is_none() {
            record.root = record.parent.as_ref().and_then(|parent| self.root_of(parent.parse().ok()?));
        }
        matcher.matches(&record)
    }

    fn root_of(&mut self, parent: JobId) -> Option<String> {
        let reader = self.reader;
        let root = || reader.root_of(parent).ok().map(|root| root.to_string());
        self.roots.entry(parent).or_insert_with(root).clone()
    }
}

/// Returns by what the fewest records are found; nothing when all must be looked at.
fn index(filter: &AuditFilter) -> Option<Vec<u8>> {
    if let Some(dispatch) = filter.dispatch {
        return Some(keys::audit_of_dispatch(dispatch));
    }
    let [agent] = filter.agents.as_slice() else { return None };
    // What cannot be an agent's name is not in the index.
    AgentName::is_valid(agent).then(|| keys::audit_of_agent(agent))
}

/// Returns whether index and bounds say all that is asked for, so that no record has to be looked into.
fn is_said_by_index(filter: &AuditFilter) -> bool {
    let mut rest = filter.clone();
    if rest.dispatch.take().is_none() && index(filter).is_some() {
        rest.agents.clear();
    }
    rest.takes_all()
}

/// What a record says of where its dispatch belongs.
#[derive(Default, serde::Deserialize)]
struct Relations {
    #[serde(default)]
    root: Option<JobId>,
    #[serde(default)]
    parent: Option<JobId>,
}

#[cfg(test)]
mod tests;
