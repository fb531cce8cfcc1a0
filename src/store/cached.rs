//! The result cache in the store: entries by request key, and the order in which they came for the FIFO bound.
//!
//! An entry holds no answer: it names the job that gave it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::{Code, Record};
use crate::cache::{self, Counters, Entry};
use crate::job::CachePolicy;
use crate::model::{Caller, Digest};
use crate::retention::Rule;
use crate::store::database::{Database, Direction};
use crate::store::ledger::encode;
use crate::store::reader::Reader;
use crate::store::txn::{Fault, Txn};
use crate::store::{keys, schema};

/// Entries that one change clears: few enough that nobody waits for it.
const CLEARED_AT_ONCE: usize = 1000;

/// Entries that have to go at once for a new one. More of them than that have to go only when the bound was lowered: then each
/// new one takes some with it, and nobody waits for all of them.
const EVICTED_AT_ONCE: u64 = 64;

/// Where the counters lie.
const COUNTERS: &[u8] = b"m/cache";

/// What lies under a request key.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Slot {
    entry: Entry,
    number: u64,
}

/// Returns the entry under `key` if it may still be served.
pub(super) fn look_up(txn: &Txn<'_>, (key, policy): (Digest, CachePolicy)) -> Result<Option<Entry>, Fault> {
    let fresh = |slot: &Slot| cache::is_fresh(&slot.entry, txn.now(), policy.ttl_ms);
    Ok(slot(txn, key)?.filter(fresh).map(|slot| slot.entry))
}

/// Counts a question as answered or not. A stale entry is removed.
pub(super) fn count(
    txn: &mut Txn<'_>,
    (key, policy): (Digest, CachePolicy),
    answered: bool,
) -> Result<(), Fault> {
    let mut counters = counters(txn)?;
    if answered {
        counters.hits += 1;
    } else {
        counters.misses += 1;
    }
    let stale = |slot: &Slot| !cache::is_fresh(&slot.entry, txn.now(), policy.ttl_ms);
    if let Some(stale) = slot(txn, key)?.filter(stale) {
        remove(txn, key, stale, &mut counters);
    }
    put_counters(txn, counters)
}

/// Keeps an answer, and lets the oldest go when there are too many.
pub(super) fn keep(txn: &mut Txn<'_>, key: Digest, policy: CachePolicy, entry: Entry) -> Result<(), Fault> {
    let mut counters = counters(txn)?;
    if let Some(old) = slot(txn, key)? {
        remove(txn, key, old, &mut counters);
    }
    let excess = (counters.entries + 1).saturating_sub(u64::from(policy.entries_max)).min(EVICTED_AT_ONCE);
    for (order, oldest) in txn.first(keys::CACHE_ORDER, usize::try_from(excess).unwrap_or(usize::MAX))? {
        let oldest = <[u8; 32]>::try_from(oldest.as_slice()).map(Digest::from_bytes);
        let found = oldest.ok().map(|digest| slot(txn, digest).map(|slot| (digest, slot))).transpose()?;
        if let Some((digest, Some(old))) = found {
            remove(txn, digest, old, &mut counters);
        } else {
            txn.delete(order);
            counters.entries = counters.entries.saturating_sub(1);
        }
        counters.evictions += 1;
    }
    let number = counters.next;
    counters.next += 1;
    counters.entries += 1;
    txn.put(keys::cache(key), encode(&Slot { entry, number })?);
    txn.put(keys::cache_order(number), key.as_bytes());
    put_counters(txn, counters)
}

/// Returns the entries with their keys. One that cannot be read is left out.
pub(super) fn entries(database: &Database) -> impl Iterator<Item = Result<(Digest, Entry), Fault>> {
    let all = database.scan(keys::under(keys::CACHE), Direction::Forward);
    all.filter_map(|found| match found {
        Ok((key, value)) => {
            let slot = schema::decode::<Slot>(&value).ok()?;
            Some(Ok((keys::digest_of(&key)?, slot.entry)))
        }
        Err(error) => Some(Err(error.into())),
    })
}

/// Removes the entry under `key` if `goes` says so of it. Returns whether it did.
pub(super) fn remove_if(
    txn: &mut Txn<'_>,
    key: Digest,
    goes: impl FnOnce(&Txn<'_>, &Entry) -> Result<bool, Fault>,
) -> Result<bool, Fault> {
    let Some(slot) = slot(txn, key)? else { return Ok(false) };
    if !goes(txn, &slot.entry)? {
        return Ok(false);
    }
    let mut counters = counters(txn)?;
    remove(txn, key, slot, &mut counters);
    put_counters(txn, counters)?;
    Ok(true)
}

/// Removes the first entries, and everything that stands in the order of entries without one, and records that for `caller`:
/// whenever the daemon dies between two such steps, what went is told. Returns how many there were and whether that was all; the
/// counters then begin anew.
pub fn clear(txn: &mut Txn<'_>, caller: &Caller) -> Result<(u64, bool), Fault> {
    let entries = txn.first(keys::CACHE, CLEARED_AT_ONCE)?;
    let order = txn.first(keys::CACHE_ORDER, CLEARED_AT_ONCE)?;
    let all = entries.len().max(order.len()) < CLEARED_AT_ONCE;
    let cleared = entries.len() as u64;
    for (key, _) in entries.into_iter().chain(order) {
        txn.delete(key);
    }
    let mut counters = counters(txn)?;
    counters.entries = counters.entries.saturating_sub(cleared);
    if all {
        // The number of the next entry goes on: no two ever have the same.
        counters = Counters { next: counters.next, ..Counters::default() };
    }
    put_counters(txn, counters)?;
    let mut record = Record::new(txn.now(), Code::CacheCleared);
    record.caller = Some(caller.clone());
    record.reason = Some(format!("removed {cleared} cached answers"));
    record.details = BTreeMap::from([("cache_entries".to_owned(), cleared.to_string())]);
    txn.append(record)?;
    Ok((cleared, all))
}

fn slot(txn: &Txn<'_>, key: Digest) -> Result<Option<Slot>, Fault> {
    let bytes = txn.get(&keys::cache(key))?;
    // An entry that cannot be read is no reason to fail a dispatch: it counts as absent and is written over.
    Ok(bytes.and_then(|bytes| schema::decode(&bytes).ok()))
}

fn remove(txn: &mut Txn<'_>, key: Digest, slot: Slot, counters: &mut Counters) {
    txn.delete(keys::cache(key));
    txn.delete(keys::cache_order(slot.number));
    counters.entries = counters.entries.saturating_sub(1);
}

impl Reader {
    /// Returns the counters of the cache; entries that `rule` calls too old, or that lead nowhere, do not count. They go with the
    /// next clean-up: nothing is changed here.
    pub fn cache_counters(&self, rule: &Rule) -> Result<Counters, Fault> {
        let counters = decoded(self.database.get(COUNTERS)?);
        let stale = self.stale_entries(rule, |_| false)?.len() as u64;
        Ok(Counters { entries: counters.entries.saturating_sub(stale), ..counters })
    }
}

pub(super) fn counters(txn: &Txn<'_>) -> Result<Counters, Fault> {
    Ok(decoded(txn.get(COUNTERS)?))
}

fn decoded(bytes: Option<Vec<u8>>) -> Counters {
    bytes.and_then(|bytes| schema::decode(&bytes).ok()).unwrap_or_default()
}

fn put_counters(txn: &mut Txn<'_>, counters: Counters) -> Result<(), Fault> {
    txn.put(COUNTERS.to_vec(), encode(&counters)?);
    Ok(())
}

#[cfg(test)]
mod tests;
