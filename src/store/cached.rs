//! The result cache in the store: entries by request key, and the order in which they came for the FIFO bound.
//!
//! An entry holds no answer: it names the job that gave it.

use serde::{Deserialize, Serialize};

use crate::cache::{self, Entry};
use crate::job::CachePolicy;
use crate::model::Digest;
use crate::store::ledger::encode;
use crate::store::txn::{Fault, Txn};
use crate::store::{keys, schema};

/// Counters of the cache since it was last cleared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Entries kept.
    pub entries: u64,
    /// Number of the next entry in the order of storing.
    pub next: u64,
    /// Questions answered.
    pub hits: u64,
    /// Questions not answered.
    pub misses: u64,
    /// Entries that had to go for newer ones.
    pub evictions: u64,
}

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
    while counters.entries >= u64::from(policy.entries_max) {
        let Some((order, oldest)) = txn.first(keys::CACHE_ORDER, 1)?.pop() else { break };
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

fn counters(txn: &Txn<'_>) -> Result<Counters, Fault> {
    let bytes = txn.get(COUNTERS)?;
    Ok(bytes.and_then(|bytes| schema::decode(&bytes).ok()).unwrap_or_default())
}

fn put_counters(txn: &mut Txn<'_>, counters: Counters) -> Result<(), Fault> {
    txn.put(COUNTERS.to_vec(), encode(&counters)?);
    Ok(())
}
