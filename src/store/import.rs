//! A trail that was exported elsewhere, taken into an empty store for review: numbers, hashes and links stay as they are,
//! indexes and head file are made anew, and the store says for ever that it is not a live one.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::audit::Record;
use crate::audit::chain::{Head, Link, Verifier};
use crate::audit::export::{follow, time_of};
use crate::model::{Digest, Timestamp};
use crate::store::database::Direction;
use crate::store::keys::{self, KeyRange};
use crate::store::ledger::{decode, encode};
use crate::store::reader::Reader;
use crate::store::txn::{Fault, Txn};

/// Most records of a page: with bodies of 4 KB each, far below the longest frame.
pub const PAGE_RECORDS_MAX: u32 = 1000;

/// What a store holds instead of a trail of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The file, as it was named.
    pub file: String,
    /// Digest at its end: tells whether it is the same file.
    pub digest: Digest,
    /// When it was taken in.
    pub at: Timestamp,
    /// The record before its first one.
    pub before: Head,
    /// Its last record.
    pub last: Head,
}

impl Imported {
    /// Returns what it is, in words; `head` is the store's end.
    pub fn told(&self, head: Head) -> String {
        let (file, at) = (&self.file, self.at.rfc3339());
        let what = format!("imported from {file} at {at}: not a live trail, nothing is recorded here");
        if head == self.last {
            what
        } else {
            format!("{what}; the import is not complete: begin it again to go on after record {}", head.seq)
        }
    }
}

/// Records as they stand in the trail, one page of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The records, oldest first.
    pub links: Vec<Link>,
    /// Numbers of those that cannot be read.
    pub unreadable: Vec<u64>,
    /// Number to go on with.
    pub next: u64,
    /// The end of the trail.
    pub head: Head,
}

impl Reader {
    /// Returns the records from number `from` on, at most so many and never more than a page.
    pub fn page(&self, from: u64, limit: u32) -> Result<Page, Fault> {
        // Read before the scan: what is appended meanwhile is for the next page.
        let head = self.head()?;
        let mut page = Page { links: Vec::new(), unreadable: Vec::new(), next: from, head };
        for entry in self.database.scan(from_on(from, head.seq), Direction::Forward) {
            if page.links.len() + page.unreadable.len() >= limit.clamp(1, PAGE_RECORDS_MAX) as usize {
                return Ok(page);
            }
            let (key, bytes) = entry?;
            let seq = keys::seq_of(&key).unwrap_or(0);
            match Link::decode(seq, &bytes) {
                Ok(link) if std::str::from_utf8(&link.body).is_ok() => page.links.push(link),
                Ok(_) | Err(_) => page.unreadable.push(seq),
            }
            page.next = seq + 1;
        }
        page.next = page.next.max(head.seq + 1);
        Ok(page)
    }

    /// Returns the number of the first record that is not older than `since`, by halves: records are in the order of time.
    pub fn first_since(&self, since: Timestamp) -> Result<u64, Fault> {
        let (mut low, mut high) = (1, self.head()?.seq + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut scan = self.database.scan(from_on(middle, high - 1), Direction::Forward);
            let Some((key, bytes)) = scan.next().transpose()? else {
                high = middle;
                continue;
            };
            let seq = keys::seq_of(&key).unwrap_or(middle);
            let time = Link::decode(seq, &bytes).ok().and_then(|link| time_of(&link.body));
            if time.is_some_and(|time| time < since) {
                low = seq + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Returns what was imported, if this is not a store with a trail of its own.
    pub fn imported(&self) -> Result<Option<Imported>, Fault> {
        self.database.get(keys::IMPORTED)?.map(|bytes| decode(&bytes)).transpose()
    }
}

fn from_on(from: u64, last: u64) -> KeyRange {
    (Bound::Included(keys::audit(from)), Bound::Included(keys::audit(last.max(from))))
}

/// Prepares an empty store for a trail, or goes on with the same one. Returns the number of the record that comes next.
pub fn begin(txn: &mut Txn<'_>, imported: &Imported) -> Result<u64, Fault> {
    if let Some(bytes) = txn.get(keys::IMPORTED)? {
        let known: Imported = decode(&bytes)?;
        let same =
            (known.digest, known.before, known.last) == (imported.digest, imported.before, imported.last);
        return if same {
            Ok(txn.head().seq.max(known.before.seq) + 1)
        } else {
            Err(Fault::Conflict(format!("the store holds a trail already, {}", known.told(txn.head()))))
        };
    }
    let is_used = txn.head() != Head::EMPTY
        || !txn.first(keys::AUDIT, 1)?.is_empty()
        || !txn.first(keys::JOB, 1)?.is_empty();
    if is_used {
        let (seq, what) = (txn.head().seq, "a trail is only taken into an empty store");
        return Err(Fault::Conflict(format!("the store has {seq} records of its own: {what}")));
    }
    txn.put(keys::IMPORTED.to_vec(), encode(&Imported { at: txn.now(), ..imported.clone() })?);
    Ok(imported.before.seq + 1)
}

/// Takes in the next records. What is there already is passed over, so a page may come twice. Returns the number of the record
/// that comes next.
pub fn take_in(txn: &mut Txn<'_>, links: &[Link]) -> Result<u64, Fault> {
    let known = txn.get(keys::IMPORTED)?.ok_or_else(|| Fault::Conflict("no import was begun".to_owned()))?;
    let known: Imported = decode(&known)?;
    let mut verifier = Verifier::from(if txn.head() == Head::EMPTY { known.before } else { txn.head() });
    for link in links {
        if link.seq <= txn.head().seq {
            continue;
        }
        (verifier, _) = follow(verifier, link).map_err(|fault| Fault::Invalid(fault.to_string()))?;
        let record: Option<Record> = serde_json::from_slice(&link.body).ok();
        let (agent, dispatch) = record.map_or((None, None), |record| (record.agent, record.dispatch));
        txn.chain(link, agent, dispatch)?;
    }
    Ok(verifier.head().seq + 1)
}

/// Refuses whatever would add to a trail that was imported.
pub(super) fn refuse_if_imported(txn: &Txn<'_>) -> Result<(), Fault> {
    match txn.get(keys::IMPORTED)? {
        None => Ok(()),
        Some(bytes) => Err(Fault::Conflict(format!(
            "this state directory holds an audit trail for review, {}; name another one in AGENT_DISPATCH_STATE_DIR",
            decode::<Imported>(&bytes)?.told(txn.head())
        ))),
    }
}

#[cfg(test)]
mod tests;
