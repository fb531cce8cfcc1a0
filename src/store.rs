//! The store room: everything that must survive, behind the guard rails that make its engine safe to rely on.
//!
//! The engine is sled 0.34.7, named only in [`database`]. Bare, it does not fsync on Linux, a kill while it opens makes
//! it unopenable, values above a few KiB leak, and a damaged tail is lost without a word. Each of those has a rail here:
//!
//! * [`durability`] makes it fsync: a system-call filter, tested when it is installed, with a slower fallback;
//! * [`repair`] puts right what a kill while opening leaves behind, and sets an unopenable store aside, never deleting it;
//! * [`chunks`] keeps every stored value at or below 4096 bytes, whatever the size of what is stored;
//! * [`committer`] owns all writes: one thread, one atomic batch and one flush for everything that waits, then the answers;
//! * [`head`] keeps the end of the audit chain in a file outside the engine, the only witness of a lost tail; [`verify`]
//!   compares the two, and everything else that must agree.
//!
//! What a change may do stands in [`txn`]; keys in [`keys`]; the bytes of values in [`schema`]. Records of the trail are found
//! by [`pages`], and a long trail is read in `parts`, side by side.

pub mod admit;
pub mod body;
pub mod cached;
pub mod chunks;
pub mod committer;
mod compared;
pub mod database;
pub mod durability;
pub mod gc;
pub mod head;
pub mod import;
pub mod key;
pub mod keys;
pub mod ledger;
mod opening;
pub mod pages;
mod parts;
pub mod reader;
pub mod repair;
pub mod retire;
pub mod schema;
pub mod txn;
pub mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};

use crate::audit::chain::{Fault as Finding, Head};
use crate::audit::query::AuditEntry;
use crate::audit::verdict::VerifyReport;
use crate::audit::{AuditKey, Code, Mac, Record};
use crate::model::{JobId, Timestamp};

pub use committer::{CommitError, Committer};
pub use database::{Database, Direction, EngineError, Entry, OpenError, Opened, Writes};
pub use durability::{Durability, make_sled_fsync, owner_only_files};
pub use head::{Comparison, HeadFile};
pub use reader::Reader;
pub use txn::{Fault, Txn};
pub use verify::{Check, Steps};

/// Why a read failed.
pub type ReadError = Fault;

/// The store: reads for everybody, writes through the one committer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    reader: Reader,
    committer: Committer,
    facts: Arc<Facts>,
}

/// What was found when the store was opened.
#[derive(Debug)]
struct Facts {
    durability: Durability,
    notes: Vec<String>,
    heads: PathBuf,
    key: Arc<AuditKey>,
    failure: Mutex<Option<oneshot::Receiver<String>>>,
}

impl std::ops::Deref for Store {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Store {
    /// Opens the store in `dir`, whose audit head is remembered in the file `heads`, with the audit key beside that file. The
    /// caller holds the daemon's lock, and no thread exists yet.
    ///
    /// What is missing or was set aside is recorded before anything else is.
    pub fn open(dir: &Path, heads: &Path) -> Result<Self, OpenError> {
        owner_only_files();
        Self::open_as(dir, heads, make_sled_fsync(dir.parent().unwrap_or(dir)))
    }

    /// Opens the store with what the process has for durability.
    pub(crate) fn open_as(dir: &Path, heads: &Path, durability: Durability) -> Result<Self, OpenError> {
        let key = Arc::new(key::open(&heads.with_file_name(key::KEY_FILE))?);
        let opened = Database::open(dir, durability)?;
        let unreadable = |fault: Fault| OpenError::Engine { path: dir.to_owned(), reason: fault.to_string() };
        let forgotten = !heads.exists();
        let (mut head_file, outside) =
            HeadFile::open(heads).map_err(|source| OpenError::Io { path: heads.to_owned(), source })?;
        let reader = Reader::new(opened.database.clone());
        let stored = reader.head().map_err(unreadable)?;
        let comparison = head::compare(stored, |seq| reader.hash_of(seq), outside);
        let closed = reader.closed();
        let quarantined = opened.quarantined;
        let found = opening::Found { comparison, stored, outside, closed, forgotten, quarantined };
        let (start, gap) = found.judge();
        if comparison == Comparison::Ahead && gap.is_none() {
            // From now on the file is behind only if somebody put it back. One that was is left as it was found until that
            // is on record, and the record adds its line.
            head_file
                .record(stored, Timestamp::now())
                .map_err(|source| OpenError::Io { path: heads.to_owned(), source })?;
        }
        let mut notes = opened.repaired;
        if opened.database.blobs_present() {
            notes.push(
                "the store has files under blobs/: a value was stored whole, and its space leaks".to_owned(),
            );
        }
        notes.extend(gap.iter().map(|gap| gap.reason.clone()));
        let (failed, failure) = oneshot::channel();
        let on_fatal = Box::new(move |what: String| drop(failed.send(what)));
        let committer = Committer::start(opened.database, head_file, start, Arc::clone(&key), on_fatal);
        if let Some(gap) = gap {
            // Everything that is acknowledged later comes after it.
            committer.begin_with(move |txn| ledger::note(txn, gap.code, gap.reason, gap.details));
        }
        if reader.key_fingerprint().map_err(unreadable)?.is_none_or(|known| known != key.fingerprint()) {
            committer.begin_with(ledger::remember_key);
        }
        let failure = Mutex::new(Some(failure));
        let facts = Arc::new(Facts { durability, notes, heads: heads.to_owned(), key, failure });
        Ok(Self { reader, committer, facts })
    }

    /// Makes a change; returns when it is on disk.
    pub async fn commit<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Txn<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, CommitError> {
        self.committer.commit(change).await
    }

    /// Makes a change that may be lost in a crash, without waiting for it.
    pub fn note(&self, change: impl FnOnce(&mut Txn<'_>) -> Result<(), Fault> + Send + 'static) {
        self.committer.note(change);
    }

    /// Records an event that is not about a dispatch; sent again with the same id, it is recorded once.
    pub async fn record(&self, id: JobId, body: String) -> Result<(), CommitError> {
        let told: Record =
            serde_json::from_str(&body).map_err(|bad| Fault::Invalid(format!("not a record: {bad}")))?;
        // What a clean-up has removed is excused by its record: only the daemon, which does it, says so.
        let allowed = matches!(told.event, Code::ConfigChanged | Code::ConfigRefused);
        if !allowed {
            return Err(
                Fault::Invalid(format!("`{}` is not for front ends to record", told.event.as_str())).into()
            );
        }
        self.commit(move |txn| ledger::record_once(txn, id, told)).await
    }

    /// Returns the end of the trail that is in the head file, too; none when the store cannot write any more.
    pub async fn witnessed(&self) -> Head {
        // A change that changes nothing is answered when everything before it is on disk.
        self.commit(|txn| Ok(txn.head())).await.unwrap_or(Head::EMPTY)
    }

    /// Checks the audit trail, inside and against the head file, which knows `witnessed`. Takes seconds when it is long.
    pub fn verify(
        &self,
        anchor: Option<Head>,
        witnessed: Head,
        steps: &Steps,
    ) -> Result<VerifyReport, ReadError> {
        let heads = head::remembered(&self.facts.heads).unwrap_or_default();
        self.reader.verify(&Check { anchor, heads, witnessed }, steps)
    }

    /// Records that a check found a fault: each fault once, and only if the store can still write.
    pub async fn record_finding(&self, finding: Finding) -> Result<(), CommitError> {
        self.commit(move |txn| ledger::record_finding(txn, finding)).await
    }

    /// Returns what changes whenever audit records have reached the disk.
    pub fn appended(&self) -> watch::Receiver<u64> {
        self.committer.appended()
    }

    /// Returns the key with which what is stored is redacted.
    pub fn key(&self) -> &AuditKey {
        &self.facts.key
    }

    /// Returns the digest of a value under the audit key, and where in the audit trail it passed. Reads all of it.
    pub fn passed(&self, value: &[u8]) -> Result<(Mac, Vec<AuditEntry>), ReadError> {
        let mac = self.key().mac(value);
        Ok((mac, self.reader.naming(mac)?))
    }

    /// Returns what was repaired or found missing when the store was opened, in words.
    pub fn notes(&self) -> &[String] {
        &self.facts.notes
    }

    /// Returns how commits reach the disk.
    pub fn durability(&self) -> Durability {
        self.facts.durability
    }

    /// Returns where the reason comes when the store cannot write any more. Given once.
    pub fn failure(&self) -> Option<oneshot::Receiver<String>> {
        self.facts.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns the reader of the store, for a thread of its own.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Finishes what waits and closes the store. Blocks until then.
    pub fn stop(&self) {
        self.committer.stop();
    }
}

#[cfg(test)]
pub(crate) mod workbench;
