//! The check of the audit trail: every link and both ends, the checkpoint of what was removed, the head file outside, the
//! indexes, and the stored jobs, which must say what the records say of their state, success, cost, outcome and size of the
//! answer. Answers and tool calls are too many to be read: those `compared` compares, each when it is asked for.
//!
//! The trail is read in a few parts side by side, one record at a time. What is remembered of it grows with the number of
//! dispatches by a few dozen bytes each, and nothing else grows.

mod indexes;
mod jobs;
mod trail;

use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::audit::chain::{Fault as Finding, FaultKind, Head, LinkView};
use crate::audit::checkpoint::{Checkpoint, Damaged, Sealed};
use crate::audit::verdict::VerifyReport;
use crate::audit::{Code, Record};
use crate::model::{Digest, Timestamp};
use crate::store::database::Direction;
use crate::store::reader::Reader;
use crate::store::txn::Fault;
use crate::store::{chunks, keys, parts};
use indexes::Sum;

pub(in crate::store) use indexes::names_of;
pub(in crate::store) use trail::Walk;

/// Most faults that a check names: the first is what matters, a few more show the extent.
const FAULTS_MAX: usize = 20;

/// Most sentences about what is missing.
const NOTES_MAX: usize = 100;

/// How often a check begins anew because old records were removed under it.
const TRIES: u32 = 3;

/// What to check, and what is known from outside the store.
#[derive(Debug, Clone)]
pub struct Check {
    /// A record from which on the trail is checked, remembered elsewhere.
    pub anchor: Option<Head>,
    /// What the head file remembers, the newest last.
    pub heads: Vec<Head>,
    /// A head that was in the head file before it was read.
    pub witnessed: Head,
}

/// How far a check is, for whoever shows it.
#[derive(Debug, Default)]
pub struct Steps {
    /// Records that were looked at.
    pub done: AtomicU64,
    /// How many there are.
    pub of: AtomicU64,
}

/// Where a check begins.
struct Start {
    /// The record after which it begins.
    base: Head,
    /// Dispatches that were opened up to then need no record.
    excused: Timestamp,
    kept: Option<Sealed>,
    /// The anchor, if it proved right.
    anchor: Option<Head>,
    faults: Vec<Finding>,
}

impl Reader {
    /// Checks the trail. Takes a while: not for a thread on which others wait.
    pub fn verify(&self, check: &Check, steps: &Steps) -> Result<VerifyReport, Fault> {
        for _ in 0..TRIES {
            let before = self.database.get(keys::CHECKPOINT)?;
            let report = self.verify_once(check, steps)?;
            if self.database.get(keys::CHECKPOINT)? == before {
                return Ok(report);
            }
        }
        Err(Fault::Conflict("old records are being removed; check again when that is done".to_owned()))
    }

    fn verify_once(&self, check: &Check, steps: &Steps) -> Result<VerifyReport, Fault> {
        // Read before the records: those appended meanwhile are no fault.
        let claimed = self.head()?;
        let start = self.start(check, claimed)?;
        steps.done.store(0, Ordering::Relaxed);
        steps.of.store(claimed.seq.saturating_sub(start.base.seq), Ordering::Relaxed);
        let keyed = RandomState::new();
        let (walk, indexed) = self.walk(start.base, claimed, &keyed, steps)?;
        let mut report = VerifyReport {
            records: walk.records,
            first: walk.first,
            head: claimed,
            outside: check.heads.last().copied(),
            faults: start.faults.clone(),
            notes: Vec::new(),
            remarks: Vec::new(),
            kept: start.kept.as_ref().map(|(kept, _)| kept.clone()),
            anchor: start.anchor,
            jobs: 0,
        };
        report.faults.extend(&walk.faults);
        report.notes.extend(walk.notes.iter().take(NOTES_MAX).cloned());
        report.remarks.extend(walk.remarks.iter().take(NOTES_MAX).cloned());
        report.faults.extend(self.beyond(claimed)?);
        let imported = self.imported()?;
        if imported.is_none() {
            report.faults.extend(self.unsealed(&start, &walk)?);
        }
        if let Some(imported) = imported {
            // What it was checked against where it came from did not come along: its jobs, its checkpoints.
            report.remarks.push(imported.told(claimed));
        } else if report.faults.iter().all(|fault| fault.kind.is_loss()) {
            if walk.expected != indexed {
                report.faults.extend(self.misplaced(start.base, claimed)?);
            }
            self.compare_jobs(&start, claimed, walk, &keyed, &mut report)?;
        } else {
            report.remarks.push("indexes and jobs were not compared with what is broken".to_owned());
        }
        self.compare_outside(check, start.base, &mut report)?;
        // What no record stands for comes last.
        report.faults.sort_by_key(|fault| (fault.seq == 0, fault.seq));
        report.faults.truncate(FAULTS_MAX);
        Ok(report)
    }

    /// Returns the checkpoint of the records that were removed, and its seal.
    pub fn checkpoint(&self) -> Result<Option<Result<Sealed, Damaged>>, Fault> {
        Ok(self.database.get(keys::CHECKPOINT)?.map(|bytes| Checkpoint::decode(&bytes)))
    }

    /// Returns the end of the trail when the store was last closed in an orderly way.
    pub(super) fn closed(&self) -> Option<Head> {
        let bytes = self.database.get(keys::CLOSED).ok()??;
        crate::store::ledger::decode(&bytes).ok()
    }

    /// Returns the hash of a record that is stored, or was the last one removed on request.
    pub(super) fn hash_of(&self, seq: u64) -> Option<Digest> {
        let stored = self.link(seq).ok().flatten().map(|link| link.hash);
        stored.or_else(|| {
            let kept = self.checkpoint().ok().flatten()?.ok()?.0;
            (kept.last == seq).then_some(kept.hash)
        })
    }

    fn start(&self, check: &Check, claimed: Head) -> Result<Start, Fault> {
        let mut start = Start {
            base: Head::EMPTY,
            excused: Timestamp::from_millis(0),
            kept: None,
            anchor: None,
            faults: Vec::new(),
        };
        match self.checkpoint()? {
            None => start.base = self.imported()?.map_or(Head::EMPTY, |imported| imported.before),
            Some(Ok((kept, seal))) => {
                (start.base, start.excused) = (kept.head(), kept.until);
                start.kept = Some((kept, seal));
            }
            Some(Err(Damaged)) => {
                // What the first record itself says of the one before it has to do.
                let mut all = self.database.scan(keys::under(keys::AUDIT), Direction::Forward);
                if let Some((key, bytes)) = all.next().transpose()? {
                    let seq = keys::seq_of(&key).unwrap_or(1);
                    let hash = LinkView::read(seq, &bytes).map_or(Digest::ZERO, |link| link.prev);
                    start.base = Head { seq: seq.saturating_sub(1), hash };
                    start.faults.push(Finding::of(seq, FaultKind::Unsealed));
                }
            }
        }
        if let Some(anchor) = check.anchor {
            self.anchor(anchor, claimed, &mut start)?;
        }
        Ok(start)
    }

    /// Begins at the anchor, if it is there and the same.
    fn anchor(&self, anchor: Head, claimed: Head, start: &mut Start) -> Result<(), Fault> {
        let mut fault = |kind| start.faults.push(Finding::of(anchor.seq, kind));
        if anchor == start.base {
            start.anchor = Some(anchor);
        } else if anchor.seq > claimed.seq {
            fault(FaultKind::BeyondEnd);
        } else if anchor.seq == start.base.seq {
            fault(FaultKind::NotAnchored);
        } else if anchor.seq < start.base.seq {
            fault(FaultKind::BeforeKept);
        } else {
            let Some(bytes) = self.database.get(&keys::audit(anchor.seq))? else {
                // Whether that is a loss that is known, the check of all that is there tells.
                fault(FaultKind::BeforeKept);
                return Ok(());
            };
            match LinkView::read(anchor.seq, &bytes) {
                Ok(link) if link.check().is_ok() && link.head() == anchor => {
                    let record = serde_json::from_slice::<Record>(link.body).ok();
                    let time = record.map_or(start.excused, |record| record.time);
                    (start.base, start.anchor) = (anchor, Some(anchor));
                    start.excused = start.excused.max(time);
                }
                Ok(_) | Err(_) => fault(FaultKind::NotAnchored),
            }
        }
        Ok(())
    }

    /// Reads the trail between the two, and the indexes beside it.
    fn walk(
        &self,
        base: Head,
        claimed: Head,
        keyed: &RandomState,
        steps: &Steps,
    ) -> Result<(Walk, Sum), Fault> {
        let begins = self.parts(base, claimed)?;
        let ends = begins.iter().skip(1).copied().chain([claimed]);
        let parts: Vec<(Head, Head)> = begins.iter().copied().zip(ends).collect();
        let read = |(from, upto)| self.walk_part(from, upto, keyed, steps);
        let (walks, indexed) = parts::side_by_side(parts, read, || self.indexed(base, claimed, keyed))?;
        let whole = walks.into_iter().reduce(Walk::followed_by);
        Ok((whole.unwrap_or_else(|| Walk::from(base)), indexed?))
    }

    /// Returns the heads after which the parts of the trail begin.
    fn parts(&self, base: Head, claimed: Head) -> Result<Vec<Head>, Fault> {
        let mut begins = vec![base];
        for part in parts::of(base.seq + 1, claimed.seq).iter().skip(1) {
            let seq = part.start() - 1;
            let bytes = self.database.get(&keys::audit(seq))?;
            // What is not there, or no record, is found by the part in whose middle it then lies.
            begins.extend(bytes.and_then(|bytes| Some(LinkView::read(seq, &bytes).ok()?.head())));
        }
        Ok(begins)
    }

    fn walk_part(&self, from: Head, upto: Head, keyed: &RandomState, steps: &Steps) -> Result<Walk, Fault> {
        let mut walk = Walk::from(from);
        let mut counted = 0;
        self.database.each_raw(keys::audit_between(from.seq, upto.seq), |key, raw| {
            let seq = keys::seq_of(key).unwrap_or(0);
            walk.take(seq, chunks::inlined(raw).unwrap_or_default(), keyed, |seq| self.hash_of(seq));
            if walk.records - counted >= 1024 {
                steps.done.fetch_add(walk.records - counted, Ordering::Relaxed);
                counted = walk.records;
            }
        })?;
        steps.done.fetch_add(walk.records - counted, Ordering::Relaxed);
        walk.finish(upto);
        Ok(walk)
    }

    /// Returns the fault of a record that follows the one that the store names as the last.
    fn beyond(&self, claimed: Head) -> Result<Option<Finding>, Fault> {
        let mut all = self.database.scan_raw(keys::under(keys::AUDIT), Direction::Backward);
        let last = all.next().transpose()?.and_then(|(key, _)| keys::seq_of(&key)).unwrap_or(0);
        // The head is written with the record: read after it, it is not behind.
        let head = if last > claimed.seq { self.head()? } else { claimed };
        Ok((last > head.seq).then(|| Finding::of(head.seq + 1, FaultKind::Unnamed)))
    }

    /// Returns what does not fit of the checkpoint and of the records that tell of checkpoints.
    fn unsealed(&self, start: &Start, walk: &Walk) -> Result<Option<Finding>, Fault> {
        let fault = |seq| Ok(Some(Finding::of(seq, FaultKind::Unsealed)));
        let Some((kept, seal)) = &start.kept else {
            // Already told, if it is there and damaged.
            let told = walk.sealed.filter(|_| start.faults.is_empty() && start.anchor.is_none());
            return told.map_or(Ok(None), fault);
        };
        if let Some(newer) = walk.sealed.filter(|seq| *seq > kept.record) {
            return fault(newer);
        }
        let link = self.link(kept.record).ok().flatten();
        let record = link.and_then(|link| serde_json::from_slice::<Record>(&link.body).ok());
        let names = |record: &Record| {
            record.event == Code::Retention
                && record.details.get("seal").is_some_and(|named| *named == seal.to_string())
        };
        if record.as_ref().is_some_and(names) { Ok(None) } else { fault(kept.last + 1) }
    }

    fn compare_outside(&self, check: &Check, base: Head, report: &mut VerifyReport) -> Result<(), Fault> {
        let Some(outside) = check.heads.last() else {
            if report.head.seq > 0 {
                report.notes.push(
                    "the head file outside the store is missing or empty: a lost end could not be told"
                        .to_owned(),
                );
            }
            return Ok(());
        };
        // More may have been recorded since the check began.
        let head = self.head()?;
        let other = |remembered: &&Head| {
            let stored = self.hash_of(remembered.seq);
            // What is not there is a gap, of which the trail itself tells.
            stored.is_some_and(|hash| hash != remembered.hash) && remembered.seq > base.seq
        };
        if let Some(first) = check.heads.iter().find(other) {
            report.faults.push(Finding::of(first.seq, FaultKind::Replaced));
        } else if outside.seq > head.seq {
            report.faults.push(Finding::of(head.seq + 1, FaultKind::Lost));
        } else if outside.seq < check.witnessed.seq {
            report.faults.push(Finding::of(outside.seq, FaultKind::Behind));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
