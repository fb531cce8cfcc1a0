//! What a rule of retention finds in the store, and the changes by which it goes: each looks again, and is so small that
//! nobody waits for it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cache::{self, Entry};
use crate::job::{JobRecord, State};
use crate::model::{Digest, JobId, SessionId, Timestamp};
use crate::retention::{Rule, Tally};
use crate::store::admit::REMEMBERED_MS;
use crate::store::database::Direction;
use crate::store::ledger::{self, decode, encode};
use crate::store::reader::Reader;
use crate::store::txn::{Fault, Txn};
use crate::store::{cached, chunks, keys};

/// Jobs that one change removes.
const JOBS_AT_ONCE: usize = 200;

/// Bytes of answers that one change removes with their jobs: their pieces take time.
const ANSWER_BYTES_AT_ONCE: u64 = 16 * 1024 * 1024;

/// Other things that one change removes.
const KEYS_AT_ONCE: usize = 500;

/// Time from one automatic clean-up to the next, in milliseconds: a day.
const AUTOMATIC_EVERY_MS: u64 = 86_400_000;

/// When old jobs were last removed without anybody asking.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct LastGc(Timestamp);

/// How many jobs were removed that no record tells of yet: more than none only while a clean-up goes on, or when it was cut
/// short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unrecorded(pub(super) u64);

impl Unrecorded {
    fn read(bytes: Option<Vec<u8>>) -> Self {
        bytes.and_then(|bytes| decode(&bytes).ok()).unwrap_or_default()
    }
}

/// What a rule finds. Nothing among it is unreadable: what cannot be read stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Jobs, newest first, with the bytes of their answers.
    pub jobs: Vec<(JobId, u64)>,
    /// Cached answers that are too old, or whose job goes or is gone.
    pub entries: Vec<Digest>,
    /// Conversations.
    pub sessions: Vec<SessionId>,
    /// Decisions that no request comes back for.
    pub decisions: Vec<JobId>,
    /// Pieces of large values that seem to belong to none.
    pub pieces: Vec<Vec<u8>>,
}

/// As much as one change removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Jobs, each with its cached answer.
    Jobs(Vec<JobId>),
    /// Cached answers.
    Entries(Vec<Digest>),
    /// Conversations.
    Sessions(Vec<SessionId>),
    /// Decisions.
    Decisions(Vec<JobId>),
    /// Pieces.
    Pieces(Vec<Vec<u8>>),
}

impl Reader {
    /// Returns what `rule` says goes. Takes a while: not for a thread on which others wait.
    pub fn garbage(&self, rule: &Rule) -> Result<Garbage, Fault> {
        let jobs = self.ended_jobs(rule)?;
        let going: BTreeSet<JobId> = jobs.iter().map(|(id, _)| *id).collect();
        Ok(Garbage {
            entries: self.stale_entries(rule, |job| going.contains(&job))?,
            sessions: self.unused_sessions(rule)?,
            decisions: self.old_decisions(rule)?,
            pieces: chunks::orphans(&self.database)?,
            jobs,
        })
    }

    /// Returns how many jobs were removed that no record tells of yet.
    pub(super) fn unrecorded_gc(&self) -> Result<u64, Fault> {
        Ok(Unrecorded::read(self.database.get(keys::UNRECORDED_GC)?).0)
    }

    fn ended_jobs(&self, rule: &Rule) -> Result<Vec<(JobId, u64)>, Fault> {
        let mut found = Vec::new();
        for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
            for entry in self.database.scan(keys::under(&keys::jobs_in(state)), Direction::Forward) {
                let (key, _) = entry?;
                let Some(id) = keys::job_of(&key) else { continue };
                // Ids are in the order of time: nothing behind this one can have ended before it was opened.
                if !rule.reaches(id) {
                    break;
                }
                let job = self.job(id).ok().flatten().filter(|job| rule.job_goes(job));
                found.extend(job.map(|job| (id, job.answer_size.map_or(0, |(bytes, _)| bytes))));
            }
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        Ok(found)
    }

    /// Returns the keys of cached answers that are too old, or whose job is gone or, as `going` says, about to go.
    pub fn stale_entries(&self, rule: &Rule, going: impl Fn(JobId) -> bool) -> Result<Vec<Digest>, Fault> {
        let mut found = Vec::new();
        for entry in cached::entries(&self.database) {
            let (key, entry) = entry?;
            let gone = || Ok::<_, Fault>(self.database.get_raw(&keys::job(entry.job))?.is_none());
            if is_stale(&entry, rule) || going(entry.job) || gone()? {
                found.push(key);
            }
        }
        Ok(found)
    }

    fn unused_sessions(&self, rule: &Rule) -> Result<Vec<SessionId>, Fault> {
        let busy: BTreeSet<SessionId> = self.unended()?.into_iter().map(|job| job.session).collect();
        let mut found = Vec::new();
        for entry in self.database.scan(keys::under(keys::SESSION), Direction::Forward) {
            let (_, value) = entry?;
            let session: Option<crate::model::Session> = decode(&value).ok();
            let goes = session.filter(|session| rule.session_goes(session, busy.contains(&session.id)));
            found.extend(goes.map(|session| session.id));
        }
        Ok(found)
    }

    fn old_decisions(&self, rule: &Rule) -> Result<Vec<JobId>, Fault> {
        let mut found = Vec::new();
        for entry in self.database.scan(keys::under(keys::IDEMPOTENCY), Direction::Forward) {
            let (key, _) = entry?;
            let Some(id) = keys::job_of(&key) else { continue };
            if rule.now().millis_since(id.created()) <= REMEMBERED_MS {
                break;
            }
            found.push(id);
        }
        Ok(found)
    }
}

impl Garbage {
    /// Returns how much it is.
    pub const fn tally(&self) -> Tally {
        Tally {
            jobs: self.jobs.len() as u64,
            cache_entries: self.entries.len() as u64,
            sessions: self.sessions.len() as u64,
            decisions: self.decisions.len() as u64,
            pieces: self.pieces.len() as u64,
            run_folders: 0,
        }
    }

    /// Returns it in parts, the oldest jobs first.
    pub fn parts(self) -> Vec<Part> {
        let mut parts = Vec::new();
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        for (id, answer) in self.jobs.into_iter().rev() {
            jobs.push(id);
            bytes += answer;
            if jobs.len() >= JOBS_AT_ONCE || bytes >= ANSWER_BYTES_AT_ONCE {
                parts.push(Part::Jobs(std::mem::take(&mut jobs)));
                bytes = 0;
            }
        }
        parts.extend((!jobs.is_empty()).then_some(Part::Jobs(jobs)));
        parts.extend(self.entries.chunks(KEYS_AT_ONCE).map(|some| Part::Entries(some.to_vec())));
        parts.extend(self.sessions.chunks(KEYS_AT_ONCE).map(|some| Part::Sessions(some.to_vec())));
        parts.extend(self.decisions.chunks(KEYS_AT_ONCE).map(|some| Part::Decisions(some.to_vec())));
        parts.extend(self.pieces.chunks(KEYS_AT_ONCE).map(|some| Part::Pieces(some.to_vec())));
        parts
    }
}

/// Removes what of `part` still goes. Returns how much that was.
pub fn remove(txn: &mut Txn<'_>, part: Part, rule: &Rule) -> Result<Tally, Fault> {
    let mut tally = Tally::default();
    match part {
        Part::Jobs(jobs) => {
            for id in jobs {
                // One that is gone, or cannot be read any more, stays as it is.
                let Some(job) = ledger::job(txn, id).ok().filter(|job| rule.job_goes(job)) else { continue };
                tally.cache_entries += u64::from(remove_job(txn, &job)?);
                tally.jobs += 1;
            }
            let before = Unrecorded::read(txn.get(keys::UNRECORDED_GC)?);
            let removed = Unrecorded(before.0.saturating_add(tally.jobs));
            txn.put(keys::UNRECORDED_GC.to_vec(), encode(&removed)?);
        }
        Part::Entries(entries) => {
            for key in entries {
                let goes = |txn: &Txn<'_>, entry: &Entry| {
                    Ok(is_stale(entry, rule) || txn.get(&keys::job(entry.job))?.is_none())
                };
                tally.cache_entries += u64::from(cached::remove_if(txn, key, goes)?);
            }
        }
        Part::Sessions(sessions) => tally.sessions = remove_sessions(txn, &sessions, rule)?,
        Part::Decisions(decisions) => {
            for id in decisions {
                let key = keys::idempotency(id.as_bytes());
                if txn.get(&key)?.is_some() {
                    txn.delete(key);
                    tally.decisions += 1;
                }
            }
        }
        Part::Pieces(pieces) => tally.pieces = txn.sweep(pieces)?,
    }
    Ok(tally)
}

/// Returns how many jobs were removed that no record tells of, of which the caller now appends one.
pub fn take_unrecorded(txn: &mut Txn<'_>) -> Result<u64, Fault> {
    let count = Unrecorded::read(txn.get(keys::UNRECORDED_GC)?).0;
    txn.delete(keys::UNRECORDED_GC.to_vec());
    Ok(count)
}

/// Removes a job with everything that is kept under its id. Returns whether the cache had its answer, which goes with it.
fn remove_job(txn: &mut Txn<'_>, job: &JobRecord) -> Result<bool, Fault> {
    let id = job.id;
    for key in [
        keys::job(id),
        keys::job_by_agent(&job.agent, id),
        keys::request(id),
        keys::answer(id),
        keys::progress(id),
        keys::calls(id),
    ] {
        txn.delete(key);
    }
    for key in keys::by_state(&job.agent, job.state, id) {
        txn.delete(key);
    }
    match job.key {
        Some(key) => cached::remove_if(txn, key, |_, entry| Ok(entry.job == id)),
        None => Ok(false),
    }
}

fn remove_sessions(txn: &mut Txn<'_>, sessions: &[SessionId], rule: &Rule) -> Result<u64, Fault> {
    let busy: BTreeSet<SessionId> = ledger::live(txn)?.into_iter().map(|job| job.session).collect();
    let mut removed = 0;
    for id in sessions {
        let key = keys::session(id.as_str());
        let session = txn.get(&key)?.and_then(|bytes| decode(&bytes).ok());
        if session.is_some_and(|session| rule.session_goes(&session, busy.contains(id))) {
            txn.delete(key);
            removed += 1;
        }
    }
    Ok(removed)
}

/// Returns whether it is time for an automatic clean-up, and notes that there is one now. Of several that ask at the same
/// time, one is told so.
pub fn is_turn(txn: &mut Txn<'_>) -> Result<bool, Fault> {
    let last = txn.get(keys::LAST_GC)?.and_then(|bytes| decode::<LastGc>(&bytes).ok());
    let now = txn.now();
    // However far off: a clock that was wrong once must not put it off for years.
    let due = last.is_none_or(|last| now.as_millis().abs_diff(last.0.as_millis()) >= AUTOMATIC_EVERY_MS);
    if due {
        txn.put(keys::LAST_GC.to_vec(), encode(&LastGc(now))?);
    }
    Ok(due)
}

fn is_stale(entry: &Entry, rule: &Rule) -> bool {
    rule.ttl_ms.is_some_and(|ttl_ms| !cache::is_fresh(entry, rule.now(), ttl_ms))
}

#[cfg(test)]
mod tests;
