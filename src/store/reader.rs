//! What is in the store, as values. Reads see what is committed; they never wait for the writer.

use std::collections::BTreeSet;

use crate::audit::Mac;
use crate::audit::chain::{Head, Link};
use crate::audit::query::AuditEntry;
use crate::job::{JobFilter, JobRecord, RequestTexts, State};
use crate::model::{Answer, JobId, Portion, Session, SessionId, Timestamp, ToolCall};
use crate::store::database::{Database, Direction};
use crate::store::ledger::{KeyFingerprint, ProgressLines, decode};
use crate::store::schema::Stored;
use crate::store::txn::Fault;
use crate::store::{chunks, keys, pages};

mod overview;
mod part;
mod search;

/// Longest listing.
pub const LIST_MAX: u32 = 1000;

/// Most dispatches that one search by id finds: two are enough to say that the search was not precise.
pub const FOUND_MAX: usize = 20;

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

    /// Returns what a job answered, or a part of it. Of a part only the bytes are read that it takes, and those before it:
    /// none of them may be missing, but only the whole is compared with its digest.
    pub fn answer(&self, id: JobId, portion: Portion) -> Result<Option<Answer>, Fault> {
        let key = keys::answer(id);
        if portion == Portion::WHOLE {
            return self.value(&key);
        }
        chunks::in_place(&self.database, &key, |stored| part::answer(stored, portion))
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
        let states: BTreeSet<State> = filter.states.iter().copied().collect();
        // One index for each question: whatever there is, no more of it is looked at than is listed.
        let prefixes: Vec<Vec<u8>> = match &filter.agent {
            Some(agent) if states.is_empty() => vec![keys::jobs_of(agent)],
            Some(agent) => states.into_iter().map(|state| keys::jobs_of_in(agent, state)).collect(),
            None if states.is_empty() => vec![keys::JOB.to_vec()],
            None => states.into_iter().map(keys::jobs_in).collect(),
        };
        let mut found = Vec::new();
        for prefix in prefixes {
            found.append(&mut self.newest(&prefix, limit)?);
        }
        found.sort_by_key(|job| std::cmp::Reverse(job.id));
        found.truncate(limit);
        Ok(found)
    }

    /// Returns the newest jobs under a prefix or of an index.
    fn newest(&self, prefix: &[u8], limit: usize) -> Result<Vec<JobRecord>, Fault> {
        let mut found = Vec::new();
        self.each(prefix, &mut |job| {
            found.push(job);
            found.len() >= limit
        })?;
        Ok(found)
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
        for state in State::LIVE {
            found.append(&mut self.newest(&keys::jobs_in(state), usize::MAX)?);
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

    /// Returns the records about a dispatch, in order. What is not there any more is passed over.
    pub(in crate::store) fn about(
        &self,
        id: JobId,
        direction: Direction,
    ) -> impl Iterator<Item = Result<Link, Fault>> {
        let name = keys::audit_of_dispatch(id);
        let numbers = pages::numbers(&self.database, &name, 0, u64::MAX, direction);
        numbers.filter_map(|seq| seq.map_err(Fault::from).and_then(|seq| self.link(seq)).transpose())
    }

    /// Returns the dispatches from `first` to `last` that were ever recorded, oldest first, at most [`FOUND_MAX`].
    pub fn dispatches_between(&self, first: JobId, last: JobId) -> Result<Vec<JobId>, Fault> {
        let mut found: Vec<JobId> = Vec::new();
        for entry in self.database.scan_raw(keys::audit_of_dispatches(first, last), Direction::Forward) {
            let (key, raw) = entry?;
            let is_meant = pages::read(&key, &raw).is_some_and(|(_, mut numbers)| numbers.next().is_some());
            let id = keys::dispatch_of(&key).filter(|_| is_meant);
            found.extend(id.filter(|id| found.last() != Some(id)));
            if found.len() >= FOUND_MAX {
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
}

fn entry_of(link: &Link) -> AuditEntry {
    AuditEntry { head: link.head(), body: String::from_utf8_lossy(&link.body).into_owned() }
}

#[cfg(test)]
mod tests;
