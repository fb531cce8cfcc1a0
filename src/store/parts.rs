//! A long trail is read in a few parts side by side.

use std::ops::RangeInclusive;
use std::thread;

use crate::store::database::panic_text;
use crate::store::txn::Fault;

/// Records from which on it is worth reading in parts.
const PART_RECORDS_MIN: u64 = 20_000;

/// Most parts: a machine with more processors has other things to do, too.
const PARTS_MAX: u64 = 4;

/// Cuts the numbers from `first` to `last` into parts of about the same length, one for each processor; none if there are no
/// such numbers.
pub(in crate::store) fn of(first: u64, last: u64) -> Vec<RangeInclusive<u64>> {
    let processors = thread::available_parallelism().map_or(1, |number| number.get() as u64);
    cut(first, last, processors.min(PARTS_MAX))
}

fn cut(first: u64, last: u64, most: u64) -> Vec<RangeInclusive<u64>> {
    let records = last.saturating_add(1).saturating_sub(first);
    let count = (records / PART_RECORDS_MIN).clamp(1, most).min(records);
    let begin = |part| first + records / count * part;
    (0..count).map(|part| begin(part)..=if part + 1 < count { begin(part + 1) - 1 } else { last }).collect()
}

/// Reads each part on a thread of its own, if there are several; returns what came of each, and of what was done `meanwhile`.
pub(in crate::store) fn side_by_side<P: Send, T: Send, M>(
    parts: Vec<P>,
    read: impl Fn(P) -> Result<T, Fault> + Sync,
    meanwhile: impl FnOnce() -> M,
) -> Result<(Vec<T>, M), Fault> {
    if parts.len() < 2 {
        return Ok((parts.into_iter().map(read).collect::<Result<_, _>>()?, meanwhile()));
    }
    let read = &read;
    thread::scope(|scope| {
        let begin = |part| {
            let named = thread::Builder::new().name("trail".to_owned());
            named.spawn_scoped(scope, move || read(part))
        };
        let begun: Vec<_> = parts.into_iter().map(begin).collect();
        let meanwhile = meanwhile();
        let join = |part: std::io::Result<thread::ScopedJoinHandle<'_, _>>| {
            let part = part.map_err(|error| Fault::Unreadable(format!("no thread to read on: {error}")))?;
            part.join().map_err(|panic| Fault::Panicked(panic_text(&*panic)))?
        };
        // All are waited for, whatever came of the first.
        let read: Vec<Result<T, Fault>> = begun.into_iter().map(join).collect();
        Ok((read.into_iter().collect::<Result<_, _>>()?, meanwhile))
    })
}

#[cfg(test)]
mod tests;
