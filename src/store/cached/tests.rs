//! How many answers are kept, and what of them is told and removed.

use super::*;
use crate::model::JobId;
use crate::retention::Retention;
use crate::store::workbench::{Room, contents, head};

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
    assert_eq!(kept(&room, 0..12), (2..12).collect::<Vec<_>>());
    keep_all(&room, 12..200, 1000);
    assert_eq!(kept(&room, 0..200), (2..200).collect::<Vec<_>>());
    // Of 198 entries 2 may stay.
    keep_all(&room, 200..201, 2);
    assert_eq!(kept(&room, 0..201), (66..201).collect::<Vec<_>>());
    keep_all(&room, 201..205, 2);
    assert_eq!(kept(&room, 0..205), [203, 204]);
    // One that is kept again is the newest.
    keep_all(&room, 203..204, 2);
    keep_all(&room, 205..206, 2);
    assert_eq!(kept(&room, 0..206), [203, 205]);
}

#[test]
fn entries_that_are_too_old_or_lead_nowhere_are_not_told_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let now = room.commit(|txn| Ok(txn.now())).unwrap();
    keep_all(&room, 0..3, 10);
    room.put(&keys::job(JobId::from_bytes([1; 16])), vec![1]);
    room.commit(move |txn| {
        for (number, age) in [(3, 0), (4, 1000), (5, 1001)] {
            let entry = Entry { job: JobId::from_bytes([1; 16]), stored: now.minus_millis(age) };
            keep(txn, key(number), CachePolicy { ttl_ms: 1000, entries_max: 10 }, entry)?;
        }
        Ok(())
    })
    .unwrap();
    let before = contents(&room.database);
    let rule = Rule::new(Retention::Unended, Some(1000), now);
    let told = Reader::new(room.database.clone()).cache_counters(&rule).unwrap();
    assert_eq!((told.entries, told.next), (2, 6));
    assert_eq!(contents(&room.database), before);
}

#[test]
fn each_step_in_which_the_cache_is_cleared_is_on_record() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    keep_all(&room, 0..1500, 2000);
    let step = || room.commit(|txn| clear(txn, &Caller::default())).unwrap();
    assert_eq!((step(), head(&room.database).seq), ((1000, false), 1));
    assert_eq!((step(), head(&room.database).seq), ((500, true), 2));
    assert_eq!(kept(&room, 0..1500), Vec::<u32>::new());
}
