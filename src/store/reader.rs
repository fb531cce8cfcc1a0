//! What is in the store, as values. Reads see what is committed; they never wait for the writer.

use std::collections::BTreeSet;

use crate::audit::chain::{Fault as ChainFault, FaultKind, Head, Link, Verifier, body};
use crate::audit::query::{AuditEntry, AuditFilter, VerifyReport};
use crate::audit::stats::{Counter, Line, Stats, StatsFilter};
use crate::audit::{Code, Mac};
use crate::job::{JobFilter, JobRecord, RequestTexts, State};
use crate::model::{Answer, JobId, Session, SessionId, Timestamp, ToolCall};
use crate::store::database::{Database, Direction};
use crate::store::keys;
use crate::store::ledger::{KeyFingerprint, ProgressLines, decode};
use crate::store::schema::Stored;
use crate::store::txn::Fault;

/// Longest listing.
pub const LIST_MAX: u32 = 1000;

/// Most dispatches that one search by id finds: two are enough to say that the search was not precise.
pub const FOUND_MAX: usize = 20;

/// Most faults that a check names: the first is what matters, a few more show the extent.
const FAULTS_MAX: usize = 20;

/// Reads one store.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(in crate::store) database: Database,
}

impl Reader {
    /// Returns a reader of this store.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Returns the size of the store on disk, in bytes.
    pub fn size_on_disk(&self) -> Result<u64, Fault> {
        Ok(self.database.size_on_disk()?)
    }

    fn value<T: Stored>(&self, key: &[u8]) -> Result<Option<T>, Fault> {
        self.database.get(key)?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Returns a job.
    pub fn job(&self, id: JobId) -> Result<Option<JobRecord>, Fault> {
        self.value(&keys::job(id))
    }

    /// Returns what a job answered.
    pub fn answer(&self, id: JobId) -> Result<Option<Answer>, Fault> {
        self.value(&keys::answer(id))
    }

    /// Returns what a job was asked.
    pub fn texts(&self, id: JobId) -> Result<Option<RequestTexts>, Fault> {
        self.value(&keys::request(id))
    }

    /// Returns the last lines of progress of a job.
    pub fn progress(&self, id: JobId) -> Result<Option<(Timestamp, Vec<String>)>, Fault> {
        Ok(self.value::<ProgressLines>(&keys::progress(id))?.map(|lines| (lines.0, lines.1)))
    }

    /// Returns the tools that a job used, one after the other; nothing when it has not ended, or was removed.
    pub fn calls(&self, id: JobId) -> Result<Option<Vec<ToolCall>>, Fault> {
        self.value(&keys::calls(id))
    }

    /// Returns what tells the audit key under which the store was last written from another.
    pub fn key_fingerprint(&self) -> Result<Option<String>, Fault> {
        Ok(self.value::<KeyFingerprint>(keys::KEY_FINGERPRINT)?.map(|known| known.0))
    }

    /// Returns what is known of a conversation.
    pub fn session(&self, id: &SessionId) -> Result<Option<Session>, Fault> {
        self.value(&keys::session(id.as_str()))
    }

    /// Returns jobs, newest first. An unreadable one is left out of listings, never deleted.
    pub fn jobs(&self, filter: &JobFilter) -> Result<Vec<JobRecord>, Fault> {
        let limit = filter.limit.clamp(1, LIST_MAX) as usize;
        let mut found = Vec::new();
        match (&filter.agent, filter.states.as_slice()) {
            (Some(agent), states) => {
                let wanted = |job: &JobRecord| states.is_empty() || states.contains(&job.state);
                self.collect(&keys::jobs_of(agent), limit, &mut found, wanted)?;
            }
            (None, []) => self.collect(keys::JOB, limit, &mut found, |_| true)?,
            (None, states) => {
                for state in states {
                    let mut some = Vec::new();
                    self.collect(&keys::jobs_in(*state), limit, &mut some, |_| true)?;
                    found.append(&mut some);
                }
                found.sort_by_key(|job| std::cmp::Reverse(job.id));
                found.truncate(limit);
            }
        }
        Ok(found)
    }

    fn collect(
        &self,
        prefix: &[u8],
        limit: usize,
        found: &mut Vec<JobRecord>,
        wanted: impl Fn(&JobRecord) -> bool,
    ) -> Result<(), Fault> {
        self.each(prefix, &mut |job| {
            found.extend(Some(job).filter(&wanted));
            found.len() >= limit
        })
    }

    /// Shows `look` the jobs under a prefix or of an index, newest first, until it has seen enough.
    fn each(&self, prefix: &[u8], look: &mut dyn FnMut(JobRecord) -> bool) -> Result<(), Fault> {
        for entry in self.database.scan(keys::under(prefix), Direction::Backward) {
            let (key, value) = entry?;
            let job = if prefix == keys::JOB {
                decode(&value).ok()
            } else {
                keys::job_of(&key).and_then(|id| self.job(id).ok().flatten())
            };
            if job.is_some_and(&mut *look) {
                break;
            }
        }
        Ok(())
    }

    /// Returns the jobs that have not ended.
    pub fn unended(&self) -> Result<Vec<JobRecord>, Fault> {
        let mut found = Vec::new();
        for state in [State::Pending, State::Running, State::Cancelling] {
            self.collect(&keys::jobs_in(state), usize::MAX, &mut found, |_| true)?;
        }
        Ok(found)
    }

    /// Returns conversations, those first that a job was opened in last. Found by their jobs, so that the newest few of very
    /// many are found without looking at the others.
    pub fn sessions(&self, agent: Option<&str>, limit: u32) -> Result<Vec<Session>, Fault> {
        let limit = limit.clamp(1, LIST_MAX) as usize;
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        let mut look = |job: JobRecord| {
            if seen.insert(job.session.clone()) {
                found.extend(self.session(&job.session).ok().flatten());
            }
            found.len() >= limit
        };
        let prefix = agent.map_or_else(|| keys::JOB.to_vec(), keys::jobs_of);
        self.each(&prefix, &mut look)?;
        Ok(found)
    }

    /// Returns the end of the audit chain.
    pub fn head(&self) -> Result<Head, Fault> {
        Ok(self.value(keys::HEAD)?.unwrap_or(Head::EMPTY))
    }

    /// Returns an audit record in its place.
    pub fn link(&self, seq: u64) -> Result<Option<Link>, Fault> {
        let bytes = self.database.get(&keys::audit(seq))?;
        bytes
            .map(|bytes| Link::decode(seq, &bytes).map_err(|bad| Fault::Unreadable(bad.to_string())))
            .transpose()
    }

    /// Returns the dispatches from `first` to `last` that were ever recorded, oldest first, at most [`FOUND_MAX`].
    pub fn dispatches_between(&self, first: JobId, last: JobId) -> Result<Vec<JobId>, Fault> {
        let mut found: Vec<JobId> = Vec::new();
        for entry in self.database.scan(keys::audit_of_dispatches(first, last), Direction::Forward) {
            let (key, _) = entry?;
            found.extend(keys::dispatch_of(&key).filter(|id| found.last() != Some(id)));
            if found.len() >= FOUND_MAX {
                break;
            }
        }
        Ok(found)
    }

    /// Returns one audit record, as it is listed.
    pub fn audit_record(&self, seq: u64) -> Result<Option<AuditEntry>, Fault> {
        Ok(self.link(seq)?.map(|link| entry_of(&link)))
    }

    /// Returns audit records, newest first.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, Fault> {
        let prefix = match (&filter.dispatch, &filter.agent) {
            (Some(dispatch), _) => keys::audit_of_dispatch(*dispatch),
            (None, Some(agent)) => keys::audit_of_agent(agent),
            (None, None) => keys::AUDIT.to_vec(),
        };
        let limit = filter.limit.clamp(1, LIST_MAX) as usize;
        let mut found = Vec::new();
        for entry in self.database.scan(keys::under(&prefix), Direction::Backward) {
            let (key, _) = entry?;
            let Some(link) = keys::seq_of(&key).map(|seq| self.link(seq)).transpose()?.flatten() else {
                continue;
            };
            let found_one = entry_of(&link);
            let time = serde_json::from_str::<Time>(&found_one.body).map(|record| record.time).ok();
            // Records are in the order of time: the first that is too old ends the search.
            if filter.since.is_some_and(|since| time.is_some_and(|time| time < since)) {
                break;
            }
            found.push(found_one);
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// Returns the records that name a value by its digest, newest first, at most [`LIST_MAX`]. There is no index: it is asked
    /// for seldom, and reading a million records takes seconds.
    pub fn naming(&self, mac: Mac) -> Result<Vec<AuditEntry>, Fault> {
        // As the whole of a text, or as a secret in one: in the mark it has left, and in the list of those that passed.
        let (whole, tag) = (format!("\"{mac}\""), mac.tag());
        let names = [whole, format!(":{tag}]"), format!(" {tag}\"")];
        let mut found = Vec::new();
        for entry in self.database.scan(keys::under(keys::AUDIT), Direction::Backward) {
            let (key, bytes) = entry?;
            let Some(Ok(link)) = keys::seq_of(&key).map(|seq| Link::decode(seq, &bytes)) else { continue };
            let entry = entry_of(&link);
            if names.iter().any(|name| entry.body.contains(name)) {
                found.push(entry);
            }
            if found.len() >= LIST_MAX as usize {
                break;
            }
        }
        Ok(found)
    }

    /// Counts what dispatches came to. Only as much of each record is decoded as counts; unreadable ones are passed over.
    pub fn stats(&self, filter: &StatsFilter) -> Result<Stats, Fault> {
        let prefix =
            filter.agent.as_ref().map_or_else(|| keys::AUDIT.to_vec(), |agent| keys::audit_of_agent(agent));
        let mut counter = Counter::default();
        for entry in self.database.scan(keys::under(&prefix), Direction::Backward) {
            let (key, mut bytes) = entry?;
            if filter.agent.is_some() {
                let found = keys::seq_of(&key).map(|seq| self.database.get(&keys::audit(seq))).transpose()?;
                let Some(found) = found.flatten() else { continue };
                bytes = found;
            }
            let Some(line) = body(&bytes).and_then(|body| serde_json::from_slice::<Line>(body).ok()) else {
                continue;
            };
            // Records are in the order of time: the first that is too old ends the search.
            if filter.since.is_some_and(|since| line.time < since) {
                break;
            }
            counter.count(&line);
        }
        Ok(counter.finish())
    }

    /// Checks every record, the ends and the count, and compares the end with `outside`.
    ///
    /// What is missing where a gap was recorded stays missing: the check says so each time.
    pub fn verify(&self, outside: Option<Head>) -> Result<VerifyReport, Fault> {
        // Read before the scan: records appended meanwhile are no fault.
        let claimed = self.head()?;
        let mut report = VerifyReport {
            records: 0,
            first: 0,
            head: claimed,
            outside,
            faults: Vec::new(),
            notes: Vec::new(),
        };
        let mut verifier = Verifier::from(Head::EMPTY);
        for entry in self.database.scan(keys::under(keys::AUDIT), Direction::Forward) {
            let (key, bytes) = entry?;
            let seq = keys::seq_of(&key).unwrap_or(0);
            if seq > claimed.seq {
                break;
            }
            report.records += 1;
            report.first = if report.first == 0 { seq } else { report.first };
            let checked = Link::decode(seq, &bytes).and_then(|link| match verifier.check(&link) {
                Ok(()) => Ok(link),
                Err(fault) => {
                    // Go on from here as the record itself claims, so that one fault is not named a thousand times.
                    verifier = Verifier::from(link.head());
                    Err(fault)
                }
            });
            match checked {
                Ok(link) => report.notes.extend(gap_note(&link)),
                Err(fault) => {
                    if fault.kind == FaultKind::Unreadable {
                        verifier = Verifier::from(Head { seq, hash: crate::model::Digest::ZERO });
                    }
                    if let Ok(link) = Link::decode(seq, &bytes) {
                        report.notes.extend(gap_note(&link));
                    }
                    report.faults.push(fault);
                }
            }
        }
        report.faults.extend(verifier.finish(claimed).err());
        self.compare_outside(&mut report)?;
        report.faults.truncate(FAULTS_MAX);
        Ok(report)
    }

    fn compare_outside(&self, report: &mut VerifyReport) -> Result<(), Fault> {
        let Some(outside) = report.outside else {
            if report.head.seq > 0 {
                report.notes.push(
                    "the head file outside the store is missing or empty: a lost end could not be told"
                        .to_owned(),
                );
            }
            return Ok(());
        };
        let fault = |kind| ChainFault { seq: outside.seq, kind };
        if outside.seq > report.head.seq {
            report.faults.push(fault(FaultKind::Truncated));
        } else if outside.seq > 0 && self.link(outside.seq)?.is_none_or(|link| link.hash != outside.hash) {
            report.faults.push(fault(FaultKind::Replaced));
        }
        Ok(())
    }
}

fn entry_of(link: &Link) -> AuditEntry {
    AuditEntry { head: link.head(), body: String::from_utf8_lossy(&link.body).into_owned() }
}

#[derive(serde::Deserialize)]
struct Time {
    time: Timestamp,
}

#[derive(serde::Deserialize)]
struct Gap {
    event: Code,
    reason: Option<String>,
}

fn gap_note(link: &Link) -> Option<String> {
    let gap: Gap = serde_json::from_slice(&link.body).ok()?;
    let tells = matches!(gap.event, Code::Gap | Code::Quarantined);
    tells.then(|| format!("record {}: {}", link.seq, gap.reason.unwrap_or_default()))
}
