//! Whether the indexes lead to every record, and only to what there is.
//!
//! Records and index entries come in different orders. Each is made into a number under a key of this check alone, and the
//! sums are compared: equal sums need no second look. Only when they differ are the entries looked up one by one.

use std::hash::{BuildHasher as _, RandomState};

use crate::audit::chain::{Fault as Finding, FaultKind, Head, LinkView};
use crate::store::database::Direction;
use crate::store::reader::Reader;
use crate::store::txn::Fault;
use crate::store::verify::trail::Glance;
use crate::store::{chunks, keys, pages};

/// Entries of the indexes, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    entries: u64,
    sum: u64,
}

impl Sum {
    /// Adds the entry of a record that is found by `name`.
    pub(super) fn add(&mut self, name: &[u8], seq: u64, keyed: &RandomState) {
        self.entries += 1;
        self.sum = self.sum.wrapping_add(keyed.hash_one((name, seq)));
    }

    /// Returns both.
    pub(super) const fn with(self, other: Self) -> Self {
        Self { entries: self.entries + other.entries, sum: self.sum.wrapping_add(other.sum) }
    }
}

const INDEXES: [&[u8]; 2] = [keys::AUDIT_BY_AGENT, keys::AUDIT_BY_DISPATCH];

impl Reader {
    /// Adds up the entries that lead to the records between the two.
    pub(super) fn indexed(&self, base: Head, claimed: Head, keyed: &RandomState) -> Result<Sum, Fault> {
        let mut sum = Sum::default();
        for index in INDEXES {
            self.database.each_raw(keys::under(index), |key, raw| {
                let Some((name, numbers)) = pages::read(key, raw) else { return };
                for seq in numbers.filter(|seq| *seq > base.seq && *seq <= claimed.seq) {
                    sum.add(name, seq, keyed);
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
            for name in names_of(seq, chunks::inlined(&raw).unwrap_or_default()) {
                if !pages::names(&self.database, &name, seq)? {
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
                let (key, raw) = entry?;
                let Some((name, numbers)) = pages::read(&key, &raw) else { continue };
                let end = first.unwrap_or(claimed.seq + 1);
                for seq in numbers.filter(|seq| *seq > base.seq && *seq < end) {
                    let bytes = self.database.get(&keys::audit(seq))?.unwrap_or_default();
                    if !names_of(seq, &bytes).iter().any(|named| named == name) {
                        first = Some(seq);
                        break;
                    }
                }
            }
        }
        Ok(first)
    }
}

/// Returns what a stored record is found by.
pub(in crate::store) fn names_of(seq: u64, bytes: &[u8]) -> Vec<Vec<u8>> {
    let glance = LinkView::read(seq, bytes).ok();
    let glance = glance.and_then(|link| serde_json::from_slice::<Glance<'_>>(link.body).ok());
    let Some(glance) = glance else { return Vec::new() };
    let by_agent = glance.agent().map(keys::audit_of_agent);
    let by_dispatch = glance.dispatch().map(keys::audit_of_dispatch);
    by_agent.into_iter().chain(by_dispatch).collect()
}
