//! Whether the indexes lead to every record, and only to what there is.
//!
//! Records and index entries come in different orders. Each is made into a number under a key of this check alone, and the
//! sums are compared: equal sums need no second look. Only when they differ are the entries looked up one by one.

use std::hash::{BuildHasher as _, RandomState};

use crate::audit::chain::{Fault as Finding, FaultKind, Head, LinkView};
use crate::model::JobId;
use crate::store::database::Direction;
use crate::store::reader::Reader;
use crate::store::txn::Fault;
use crate::store::verify::trail::Glance;
use crate::store::{chunks, keys};

/// Entries of the indexes, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    entries: u64,
    sum: u64,
}

impl Sum {
    fn add(&mut self, index: &[u8], name: &[u8], seq: u64, keyed: &RandomState) {
        self.entries += 1;
        self.sum = self.sum.wrapping_add(keyed.hash_one((index, name, seq)));
    }

    /// Adds the entry of a record that names this agent.
    pub(super) fn add_agent(&mut self, agent: Option<&str>, seq: u64, keyed: &RandomState) {
        if let Some(agent) = agent {
            self.add(keys::AUDIT_BY_AGENT, agent.as_bytes(), seq, keyed);
        }
    }

    /// Adds the entry of a record that names this dispatch.
    pub(super) fn add_dispatch(&mut self, dispatch: JobId, seq: u64, keyed: &RandomState) {
        self.add(keys::AUDIT_BY_DISPATCH, dispatch.as_bytes(), seq, keyed);
    }

    /// Returns both.
    pub(super) const fn with(self, other: Self) -> Self {
        Self { entries: self.entries + other.entries, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// An entry of an index: the index, what it is found by, and the record.
struct Entry<'k> {
    index: &'static [u8],
    name: &'k [u8],
    seq: u64,
}

impl<'k> Entry<'k> {
    fn of(index: &'static [u8], key: &'k [u8]) -> Option<Self> {
        let (name, seq) = key.strip_prefix(index)?.split_last_chunk()?;
        let name = if index == keys::AUDIT_BY_AGENT { name.strip_suffix(&[0])? } else { name };
        Some(Self { index, name, seq: u64::from_be_bytes(*seq) })
    }
}

const INDEXES: [&[u8]; 2] = [keys::AUDIT_BY_AGENT, keys::AUDIT_BY_DISPATCH];

impl Reader {
    /// Adds up the entries that lead to the records between the two.
    pub(super) fn indexed(&self, base: Head, claimed: Head, keyed: &RandomState) -> Result<Sum, Fault> {
        let mut sum = Sum::default();
        for index in INDEXES {
            self.database.each_raw(keys::under(index), |key, _| {
                let entry = Entry::of(index, key);
                if let Some(entry) = entry.filter(|entry| entry.seq > base.seq && entry.seq <= claimed.seq) {
                    sum.add(index, entry.name, entry.seq, keyed);
                }
            })?;
        }
        Ok(sum)
    }

    /// Returns the first record that the indexes do not lead to, or lead to wrongly. Slow: for trails of which that is known.
    pub(super) fn misplaced(&self, base: Head, claimed: Head) -> Result<Option<Finding>, Fault> {
        let unindexed = self.unindexed(base, claimed)?.map(|seq| Finding::of(seq, FaultKind::Unindexed));
        let misindexed = self.misindexed(base, claimed)?.map(|seq| Finding::of(seq, FaultKind::Misindexed));
        Ok(unindexed.into_iter().chain(misindexed).min_by_key(|fault| fault.seq))
    }

    fn unindexed(&self, base: Head, claimed: Head) -> Result<Option<u64>, Fault> {
        for entry in self.database.scan_raw(keys::audit_between(base.seq, claimed.seq), Direction::Forward) {
            let (key, raw) = entry?;
            let seq = keys::seq_of(&key).unwrap_or(0);
            for key in entries_of(seq, chunks::inlined(&raw).unwrap_or_default()) {
                if self.database.get_raw(&key)?.is_none() {
                    return Ok(Some(seq));
                }
            }
        }
        Ok(None)
    }

    fn misindexed(&self, base: Head, claimed: Head) -> Result<Option<u64>, Fault> {
        let mut first: Option<u64> = None;
        for index in INDEXES {
            for entry in self.database.scan_raw(keys::under(index), Direction::Forward) {
                let (key, _) = entry?;
                let Some(Entry { seq, .. }) = Entry::of(index, &key).filter(|entry| entry.index == index)
                else {
                    continue;
                };
                if seq <= base.seq || seq > claimed.seq || first.is_some_and(|first| first <= seq) {
                    continue;
                }
                let bytes = self.database.get(&keys::audit(seq))?.unwrap_or_default();
                if !entries_of(seq, &bytes).contains(&key) {
                    first = Some(seq);
                }
            }
        }
        Ok(first)
    }
}

/// Returns the keys of the index entries of a stored record.
pub(in crate::store) fn entries_of(seq: u64, bytes: &[u8]) -> Vec<Vec<u8>> {
    let glance = LinkView::read(seq, bytes).ok();
    let glance = glance.and_then(|link| serde_json::from_slice::<Glance<'_>>(link.body).ok());
    let Some(glance) = glance else { return Vec::new() };
    let by_agent = glance.agent().map(|agent| keys::audit_by_agent(agent, seq));
    let by_dispatch = glance.dispatch().map(|dispatch| keys::audit_by_dispatch(dispatch, seq));
    by_agent.into_iter().chain(by_dispatch).collect()
}
