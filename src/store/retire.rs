//! Retention of the audit trail: what goes from its old end, the checkpoint that is left in its place, and the small changes
//! in which it goes.
//!
//! The checkpoint comes first: from then on what is older is no part of the trail, whether or not it is still stored. A crash
//! in between leaves records that no check misses, and that the next removal takes with it.

use std::collections::BTreeMap;
use std::hash::RandomState;

use crate::audit::chain::{Head, LinkView};
use crate::audit::checkpoint::{Checkpoint, OldEnd};
use crate::audit::export::time_of;
use crate::audit::{Code, Record};
use crate::model::Caller;
use crate::retention::Rule;
use crate::store::database::Direction;
use crate::store::reader::Reader;
use crate::store::txn::{Fault, Txn};
use crate::store::verify::{Walk, names_of};
use crate::store::{chunks, keys, pages};

/// Records that one change removes, each with its index entries.
const RECORDS_AT_ONCE: usize = 200;

impl Reader {
    /// Returns the records that are older than `rule` keeps, from the first one on; never the newest. What does not follow
    /// from each other is not removed: it is evidence.
    pub fn old_end(&self, rule: &Rule) -> Result<Option<OldEnd>, Fault> {
        let head = self.head()?;
        let damaged =
            |_| Fault::Conflict(format!("{}; {ADVICE}", "the checkpoint of earlier removals is damaged"));
        let base =
            self.checkpoint()?.transpose().map_err(damaged)?.map_or(Head::EMPTY, |(kept, _)| kept.head());
        let (mut walk, keyed) = (Walk::from(base), RandomState::new());
        let mut old: Option<OldEnd> = None;
        let newest = head.seq.saturating_sub(1);
        for entry in self.database.scan_raw(keys::audit_between(base.seq, newest), Direction::Forward) {
            let (key, raw) = entry?;
            let (seq, bytes) = (keys::seq_of(&key).unwrap_or(0), chunks::inlined(&raw).unwrap_or_default());
            let time = LinkView::read(seq, bytes).ok().and_then(|link| time_of(link.body));
            if time.is_some_and(|time| !rule.record_goes(time)) {
                break;
            }
            walk.take(seq, bytes, &keyed, |seq| self.hash_of(seq));
            if let Some(fault) = walk.faults.first() {
                return Err(Fault::Conflict(format!("{fault}; {ADVICE}")));
            }
            let (time, hash) = (time.unwrap_or(rule.now()), walk.head().hash);
            let known = old.get_or_insert(OldEnd {
                first: base.seq + 1,
                last: seq,
                count: 0,
                hash,
                since: time,
                until: time,
            });
            known.count += 1;
            (known.last, known.hash, known.until) = (seq, hash, time);
        }
        Ok(old)
    }
}

/// What to do about a trail from which nothing can be removed.
const ADVICE: &str = "nothing was removed, for it is evidence: agent-dispatch audit verify";

/// Puts a checkpoint in the place of the old end, and records it. What is behind the checkpoint is swept away afterwards.
pub fn seal(txn: &mut Txn<'_>, old: &OldEnd, by: &Caller, rule: &Rule) -> Result<(), Fault> {
    let changed = || Fault::Conflict("the audit trail was changed meanwhile: nothing was removed".to_owned());
    let before = match txn.get(keys::CHECKPOINT)? {
        Some(bytes) => Checkpoint::decode(&bytes).map_err(|_| changed())?.0.last,
        None => 0,
    };
    let bytes = txn.get(&keys::audit(old.last))?.unwrap_or_default();
    let same = LinkView::read(old.last, &bytes).is_ok_and(|link| link.hash == old.hash);
    if !same || before + 1 != old.first || old.last >= txn.head().seq {
        return Err(changed());
    }
    let kept = Checkpoint {
        first: old.first,
        last: old.last,
        count: old.count,
        hash: old.hash,
        until: old.until,
        removed: txn.now(),
        by: by.clone(),
        record: txn.head().seq + 1,
    };
    let (bytes, seal) = kept.encode().map_err(|error| Fault::Invalid(error.to_string()))?;
    let mut record = Record::new(txn.now(), Code::Retention);
    record.caller = Some(by.clone());
    record.reason = Some(format!(
        "removed {} records, {} to {}, the last one of {}",
        old.count,
        old.first,
        old.last,
        old.until.rfc3339()
    ));
    record.details = BTreeMap::from(
        [
            ("first", old.first.to_string()),
            ("last", old.last.to_string()),
            ("count", old.count.to_string()),
            ("hash", old.hash.to_string()),
            ("until", old.until.rfc3339()),
            ("before", rule.cutoff().rfc3339()),
            ("seal", seal.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    txn.put(keys::CHECKPOINT.to_vec(), bytes);
    txn.append(record)?;
    Ok(())
}

/// Removes the next records behind the checkpoint, with their index entries. Returns whether there may be more.
pub fn sweep(txn: &mut Txn<'_>) -> Result<bool, Fault> {
    let Some(bytes) = txn.get(keys::CHECKPOINT)? else { return Ok(false) };
    // With a checkpoint that cannot be read nothing is known to be behind it.
    let Ok((kept, _)) = Checkpoint::decode(&bytes) else { return Ok(false) };
    let behind = txn.range(keys::audit_between(0, kept.last), Direction::Forward, RECORDS_AT_ONCE)?;
    let more = behind.len() == RECORDS_AT_ONCE;
    for (key, bytes) in behind {
        if let Some(seq) = keys::seq_of(&key) {
            for name in names_of(seq, &bytes) {
                pages::remove(txn, &name, seq);
            }
        }
        txn.delete(key);
    }
    Ok(more)
}

#[cfg(test)]
mod tests;
