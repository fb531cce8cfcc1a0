//! What a change sees and does: the store as it is, with every earlier change of the same commit group on top.
//!
//! A change that fails leaves nothing behind: what it wrote is taken back, what others wrote in the group stays.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::iter::Peekable;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::audit::chain::{Head, Link};
use crate::audit::{AuditKey, Record, seal};
use crate::model::{AgentName, JobId, Timestamp};
use crate::store::chunks::{self, Pieces};
use crate::store::database::{Database, Direction, EngineError, Entry, RawScan, Writes, panic_text};
use crate::store::keys::{self, KEY_BYTES_MAX, KeyRange};
use crate::store::schema::{self, SchemaError};
use crate::store::{body, import, pages};

/// Why a change was not made. Nothing of it is stored, and the store goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is about something that does not exist.
    #[error("{0}")]
    NotFound(String),
    /// It does not fit the state of things.
    #[error("{0}")]
    Conflict(String),
    /// It breaks a rule or a limit.
    #[error("{0}")]
    Invalid(String),
    /// What it needs to know cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It panicked: a bug in this program.
    #[error("a change to the store panicked: {0}")]
    Panicked(String),
}

impl From<SchemaError> for Fault {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::Unwritable { .. } => Self::Invalid(error.to_string()),
            SchemaError::NewerFormat { .. } | SchemaError::Unreadable { .. } => {
                Self::Unreadable(error.to_string())
            }
        }
    }
}

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// What is to become of a key: a stored form for it, or its removal.
type Pending = Option<Vec<u8>>;

/// Changes that will reach the disk together.
#[derive(Debug)]
pub(in crate::store) struct Group {
    database: Database,
    now: Timestamp,
    head: Head,
    key: Arc<AuditKey>,
    writes: Writes,
    bytes: usize,
    /// What the running change has overwritten in `writes`, in order.
    undo: Vec<(Vec<u8>, Option<Pending>)>,
    /// Values in pieces that may be dead when the group is on disk: replaced, removed, or written by a change that failed.
    pieces: BTreeSet<(Vec<u8>, Pieces)>,
    /// Pieces that belonged to no value when they were looked at. They go after the group is on disk, if it has not made
    /// them a part of a value again: a report that is sent twice is cut into the very same pieces.
    loose: BTreeSet<Vec<u8>>,
    /// Why the group cannot be committed any more.
    broken: Option<EngineError>,
}

impl Group {
    pub(in crate::store) fn new(database: Database, head: Head, now: Timestamp, key: Arc<AuditKey>) -> Self {
        Self {
            database,
            now,
            head,
            key,
            writes: Writes::new(),
            bytes: 0,
            undo: Vec::new(),
            pieces: BTreeSet::new(),
            loose: BTreeSet::new(),
            broken: None,
        }
    }

    /// Runs one change. If it fails or panics, the group is as it was before.
    pub(in crate::store) fn run<R>(
        &mut self,
        change: impl FnOnce(&mut Txn<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let (head, bytes) = (self.head, self.bytes);
        self.undo.clear();
        let mut txn = Txn { group: self, fault: None };
        let result = catch_unwind(AssertUnwindSafe(|| change(&mut txn)))
            .unwrap_or_else(|panic| Err(Fault::Panicked(panic_text(&*panic))));
        let result = txn.fault.take().map_or(result, Err);
        if result.is_err() {
            (self.head, self.bytes) = (head, bytes);
            while let Some((key, before)) = self.undo.pop() {
                match before {
                    Some(write) => self.writes.insert(key, write),
                    None => self.writes.remove(&key),
                };
            }
        }
        result
    }

    /// Returns the size of what is to be written, in bytes.
    pub(in crate::store) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the audit head as it is after the changes.
    pub(in crate::store) const fn head(&self) -> Head {
        self.head
    }

    /// Returns the group's one time.
    pub(in crate::store) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns why the group cannot be committed any more, if so.
    pub(in crate::store) const fn broken(&self) -> Option<&EngineError> {
        self.broken.as_ref()
    }

    /// Returns what is to be written, in one batch.
    pub(in crate::store) const fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Removes what the group has left without use. To be called when it is on disk.
    pub(in crate::store) fn clean_up(self) -> Result<(), EngineError> {
        self.pieces
            .iter()
            .try_for_each(|(owner, pieces)| chunks::remove_unless_live(&self.database, owner, pieces))?;
        let mut removals = Vec::new();
        for piece in self.loose {
            if chunks::is_orphan(&piece, |owner| self.database.get_raw(owner))? {
                removals.push((piece, None::<&[u8]>));
            }
        }
        self.database.write_parts(removals.into_iter())
    }

    /// Returns the stored form of a value as the group leaves it.
    fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        match self.writes.get(key) {
            Some(pending) => Ok(pending.clone()),
            None => self.database.get_raw(key),
        }
    }

    fn write(&mut self, key: Vec<u8>, write: Pending) {
        self.bytes += key.len() + write.as_ref().map_or(0, Vec::len);
        let before = self.writes.insert(key.clone(), write);
        self.undo.push((key, before));
    }
}

/// A change under way.
#[derive(Debug)]
pub struct Txn<'a> {
    group: &'a mut Group,
    /// Why the change must fail whatever it returns.
    fault: Option<Fault>,
}

impl Txn<'_> {
    /// Returns the time of the commit group.
    pub const fn now(&self) -> Timestamp {
        self.group.now
    }

    /// Returns the end of the audit chain as it is at this point of the group.
    pub const fn head(&self) -> Head {
        self.group.head
    }

    /// Returns the key with which what is stored is redacted.
    pub fn key(&self) -> Arc<AuditKey> {
        Arc::clone(&self.group.key)
    }

    /// Returns the value under `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.group.raw(key)? {
            None => Ok(None),
            Some(raw) => Ok(Some(chunks::unshared(&self.group.database, key, &raw)?)),
        }
    }

    /// Stores `value` under `key`. A key or value beyond its limit makes the change fail in the end.
    pub fn put(&mut self, key: Vec<u8>, value: impl AsRef<[u8]>) {
        self.put_bytes(key, value.as_ref());
    }

    fn put_bytes(&mut self, key: Vec<u8>, value: &[u8]) {
        if self.refuses(&key, value) || self.retire(&key).is_none() {
            return;
        }
        match chunks::store(&self.group.database, &key, value) {
            Ok(raw) => {
                if let Some(pieces) = Pieces::decode(&raw) {
                    self.group.pieces.insert((key.clone(), pieces));
                }
                self.group.write(key, Some(raw));
            }
            Err(error) => self.group.broken = Some(error),
        }
    }

    /// Removes `key` and its value.
    pub fn delete(&mut self, key: Vec<u8>) {
        if self.retire(&key).is_some() {
            self.group.write(key, None);
        }
    }

    /// Returns the first `count` keys, and values, that begin with `prefix`.
    pub fn first(&self, prefix: &[u8], count: usize) -> Result<Vec<Entry>, Fault> {
        self.range(keys::under(prefix), Direction::Forward, count)
    }

    /// Returns the last `count` keys, and values, that begin with `prefix`, the last one first.
    pub fn last(&self, prefix: &[u8], count: usize) -> Result<Vec<Entry>, Fault> {
        self.range(keys::under(prefix), Direction::Backward, count)
    }

    /// Returns at most `count` keys, and values, of a range.
    pub fn range(&self, range: KeyRange, direction: Direction, count: usize) -> Result<Vec<Entry>, Fault> {
        let mut found = Vec::new();
        for entry in Merged::new(self.group, range, direction) {
            if found.len() == count {
                break;
            }
            let (key, raw) = entry?;
            let value = chunks::unshared(&self.group.database, &key, &raw)?;
            found.push((key, value));
        }
        Ok(found)
    }

    /// Appends a record to the audit chain: without secrets of known shapes, numbered, linked, shortened if it is too long,
    /// and found by its agent and its dispatch. Returns the chain's new end.
    pub fn append(&mut self, record: Record) -> Result<Head, Fault> {
        import::refuse_if_imported(self)?;
        let bad = |error| Fault::Invalid(format!("audit record: {error}"));
        let mut record = seal::clean(record, &self.group.key).map_err(bad)?;
        let body = body::body(&mut record).map_err(bad)?;
        // What the body says in the end: the check of the trail compares the two.
        self.chain(&Link::after(self.group.head, body), record.agent, record.dispatch)
    }

    /// Puts a record that follows the chain's end into its place, found by its agent and its dispatch.
    pub(in crate::store) fn chain(
        &mut self,
        link: &Link,
        agent: Option<String>,
        dispatch: Option<String>,
    ) -> Result<Head, Fault> {
        // Only what can be a name is worth an index entry; anything else is found by reading the log.
        let agent = agent.and_then(|agent| AgentName::try_from(agent).ok());
        let dispatch = dispatch.and_then(|id| id.parse::<JobId>().ok());
        let head = link.head();
        self.put(keys::audit(link.seq), link.encode());
        if let Some(agent) = agent {
            pages::insert(self, &keys::audit_of_agent(agent.as_str()), link.seq);
        }
        if let Some(dispatch) = dispatch {
            pages::insert(self, &keys::audit_of_dispatch(dispatch), link.seq);
        }
        self.put(keys::HEAD.to_vec(), schema::encode(&head)?);
        self.group.head = head;
        Ok(head)
    }

    /// Returns whether a piece of a large value belongs to none, neither in the store nor in what is to be written.
    pub fn is_orphan(&self, piece: &[u8]) -> Result<bool, Fault> {
        Ok(chunks::is_orphan(piece, |owner| self.group.raw(owner))?)
    }

    /// Removes the pieces among `found` that belong to no value. Returns how many there are.
    pub fn sweep(&mut self, found: Vec<Vec<u8>>) -> Result<u64, Fault> {
        let mut swept = 0;
        for piece in found {
            if self.is_orphan(&piece)? {
                swept += 1;
                self.group.loose.insert(piece);
            }
        }
        Ok(swept)
    }

    /// Notes that the value under `key` is about to be replaced; `None` when the group cannot go on.
    fn retire(&mut self, key: &[u8]) -> Option<()> {
        match self.group.raw(key) {
            Ok(raw) => {
                if let Some(pieces) = raw.and_then(|raw| Pieces::decode(&raw)) {
                    self.group.pieces.insert((key.to_vec(), pieces));
                }
                Some(())
            }
            Err(error) => {
                self.group.broken = Some(error);
                None
            }
        }
    }

    fn refuses(&mut self, key: &[u8], value: &[u8]) -> bool {
        let limit = chunks::VALUE_BYTES_MAX;
        if key.len() <= KEY_BYTES_MAX && value.len() <= limit {
            return false;
        }
        self.fault = Some(Fault::Invalid(format!(
            "a key of {} bytes (at most {KEY_BYTES_MAX}) with a value of {} bytes (at most {limit})",
            key.len(),
            value.len(),
        )));
        true
    }
}

type PendingEntries<'g> = Box<dyn Iterator<Item = (&'g Vec<u8>, &'g Pending)> + 'g>;

/// Stored and pending entries of a range in one order; a pending entry stands in the place of a stored one.
struct Merged<'g> {
    stored: Peekable<RawScan>,
    pending: Peekable<PendingEntries<'g>>,
    direction: Direction,
}

impl<'g> Merged<'g> {
    fn new(group: &'g Group, range: KeyRange, direction: Direction) -> Self {
        let pending: PendingEntries<'g> = match direction {
            _ if holds_nothing(&range) => Box::new(std::iter::empty()),
            Direction::Forward => Box::new(group.writes.range(range.clone())),
            Direction::Backward => Box::new(group.writes.range(range.clone()).rev()),
        };
        let stored = group.database.scan_raw(range, direction).peekable();
        Self { stored, pending: pending.peekable(), direction }
    }

    /// Returns how the next stored entry stands to the next pending one.
    fn order(&mut self) -> Option<Ordering> {
        Some(match (self.stored.peek(), self.pending.peek()) {
            (None, None) => return None,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) | (Some(Err(_)), Some(_)) => Ordering::Less,
            (Some(Ok((stored, _))), Some((pending, _))) => match self.direction {
                Direction::Forward => stored.cmp(pending),
                Direction::Backward => (*pending).cmp(stored),
            },
        })
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Entry, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = self.order()?;
            if order == Ordering::Less {
                return self.stored.next();
            }
            if order == Ordering::Equal {
                self.stored.next();
            }
            // A pending removal is passed over.
            if let Some((key, Some(raw))) = self.pending.next() {
                return Some(Ok((key.clone(), raw.clone())));
            }
        }
    }
}

/// Returns whether no key can lie in the range; asked for one that is the wrong way round, `BTreeMap` panics.
fn holds_nothing(range: &KeyRange) -> bool {
    match range {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end) | Bound::Included(end)) => {
            start >= end
        }
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

#[cfg(test)]
mod tests;
