//! How many answers are kept, and what of them is told and removed.

use super::*;
use crate::model::JobId;
use crate::store::workbench::Room;

fn key(number: u32) -> Digest {
    Digest::of(&number.to_be_bytes())
}

fn keep_all(room: &Room, numbers: std::ops::Range<u32>, entries_max: u32) {
    room.commit(move |txn| {
        for number in numbers {
            let entry = Entry { job: JobId::from_bytes([0; 16]), stored: txn.now() };
            keep(txn, key(number), CachePolicy { ttl_ms: 60_000, entries_max }, entry)?;
        }
        Ok(())
    })
    .unwrap();
}

/// Returns the numbers of the entries that are kept, the oldest first.
fn kept(room: &Room, of: std::ops::Range<u32>) -> Vec<u32> {
    let all: Vec<_> = entries(&room.database).map(|entry| entry.unwrap().0).collect();
    let counted = room.commit(|txn| counters(txn)).unwrap().entries;
    assert_eq!(all.len() as u64, counted, "the counters say something else");
    of.filter(|number| all.contains(&key(*number))).collect()
}

#[test]
fn the_oldest_go_first_and_only_some_at_once_when_the_bound_was_lowered() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    keep_all(&room, 0..12, 10);
    assert_eq!(kept(&room, 0..12), Vec::from_iter(2..12));
    keep_all(&room, 12..200, 1000);
    assert_eq!(kept(&room, 0..200), Vec::from_iter(2..200));
    // Of 198 entries 2 may stay.
    keep_all(&room, 200..201, 2);
    assert_eq!(kept(&room, 0..201), Vec::from_iter(66..201));
    keep_all(&room, 201..205, 2);
    assert_eq!(kept(&room, 0..205), [203, 204]);
    // One that is kept again is the newest.
    keep_all(&room, 203..204, 2);
    keep_all(&room, 205..206, 2);
    assert_eq!(kept(&room, 0..206), [203, 205]);
}
