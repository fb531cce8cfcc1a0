//! The indexes of the audit trail: which records an agent or a dispatch has, up to 256 of them to an entry.
//!
//! An entry stands for a name and a page: 256 numbers in a row, the first of them a multiple of 256. Its value is a [`Page`],
//! which says which of them are meant. A million records have less than half as many entries, and one more record changes the
//! value of an entry that is there already.

use crate::store::chunks;
use crate::store::database::{Database, Direction, EngineError};
use crate::store::keys;
use crate::store::txn::Txn;

/// Some of 256 numbers, a bit for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    low: u128,
    high: u128,
}

/// Length of a stored page.
const PAGE_BYTES: usize = 32;

impl Page {
    /// Returns the page in these bytes. What is no page names nothing: a check finds that the records are not indexed.
    pub fn read(bytes: &[u8]) -> Self {
        let Some((low, Some(high))) =
            bytes.split_first_chunk().map(|(low, rest)| (low, rest.try_into().ok()))
        else {
            return Self::default();
        };
        Self { low: u128::from_le_bytes(*low), high: u128::from_le_bytes(high) }
    }

    /// Returns the bytes to store: number 0 is the lowest bit of the first one.
    pub fn bytes(&self) -> [u8; PAGE_BYTES] {
        let mut bytes = [0; PAGE_BYTES];
        let (low, high) = bytes.split_at_mut(PAGE_BYTES / 2);
        low.copy_from_slice(&self.low.to_le_bytes());
        high.copy_from_slice(&self.high.to_le_bytes());
        bytes
    }

    /// Adds a number.
    pub const fn insert(&mut self, number: u8) {
        let (half, bit) = self.half(number);
        *half |= bit;
    }

    /// Takes a number out.
    pub const fn remove(&mut self, number: u8) {
        let (half, bit) = self.half(number);
        *half &= !bit;
    }

    /// Returns whether no number is meant.
    pub const fn is_empty(&self) -> bool {
        self.low == 0 && self.high == 0
    }

    const fn half(&mut self, number: u8) -> (&mut u128, u128) {
        let half = if number < 128 { &mut self.low } else { &mut self.high };
        (half, 1 << (number % 128))
    }
}

/// Gives the numbers from the least to the greatest.
impl Iterator for Page {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let zeros = if self.low == 0 { 128 + self.high.trailing_zeros() } else { self.low.trailing_zeros() };
        let number = u8::try_from(zeros).ok()?;
        self.remove(number);
        Some(number)
    }
}

/// Returns the records that an entry names, and what they are found by: the key without its page. Nothing if the key is none
/// of an index.
pub(in crate::store) fn read<'k>(
    key: &'k [u8],
    raw: &[u8],
) -> Option<(&'k [u8], impl Iterator<Item = u64> + use<>)> {
    let (name, page) = key.split_last_chunk()?;
    let first = u64::from_be_bytes(*page).checked_mul(256)?;
    let page = Page::read(chunks::inlined(raw).unwrap_or_default());
    Some((name, page.map(move |number| first + u64::from(number))))
}

/// Returns the numbers from `first` to `last` of the records that are found by `name`, in order.
pub(in crate::store) fn numbers(
    database: &Database,
    name: &[u8],
    first: u64,
    last: u64,
    direction: Direction,
) -> impl Iterator<Item = Result<u64, EngineError>> + use<> {
    // The wrong way round, a range is a mistake for the engine.
    let pages = (first <= last)
        .then(|| database.scan_raw(keys::audit_pages(name, first / 256, last / 256), direction));
    let wanted = move |number: &u64| (first..=last).contains(number);
    pages.into_iter().flatten().flat_map(move |entry| {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return vec![Err(error)],
        };
        let numbers = read(&entry.0, &entry.1).into_iter().flat_map(|(_, numbers)| numbers);
        let mut numbers: Vec<_> = numbers.filter(wanted).map(Ok).collect();
        if direction == Direction::Backward {
            numbers.reverse();
        }
        numbers
    })
}

/// Returns whether a record is found by `name`.
pub(in crate::store) fn names(database: &Database, name: &[u8], seq: u64) -> Result<bool, EngineError> {
    Ok(numbers(database, name, seq, seq, Direction::Forward).next().transpose()?.is_some())
}

/// Lets a record be found by `name`.
pub(in crate::store) fn insert(txn: &mut Txn<'_>, name: &[u8], seq: u64) {
    change(txn, name, seq, Page::insert);
}

/// Lets a record not be found by `name` any more.
pub(in crate::store) fn remove(txn: &mut Txn<'_>, name: &[u8], seq: u64) {
    change(txn, name, seq, Page::remove);
}

fn change(txn: &mut Txn<'_>, name: &[u8], seq: u64, change: impl FnOnce(&mut Page, u8)) {
    let [.., number] = seq.to_be_bytes();
    let key = keys::audit_page(name, seq / 256);
    // What cannot be read names nothing, and is no reason not to record what comes.
    let mut page = txn.get(&key).ok().flatten().map_or_else(Page::default, |bytes| Page::read(&bytes));
    change(&mut page, number);
    if page.is_empty() {
        txn.delete(key);
    } else {
        txn.put(key, page.bytes());
    }
}

#[cfg(test)]
mod tests;
