//! Values of every size come back whole; what is replaced or removed leaves no pieces; damage is an error.

use proptest::prelude::*;

use super::*;
use crate::store::Writes;
use crate::store::workbench::{Room, contents};

const KEY: &[u8] = b"r/1";

fn pattern(bytes: usize) -> Vec<u8> {
    (0..=250).cycle().take(bytes).collect()
}

fn piece_keys(database: &Database) -> Vec<Vec<u8>> {
    let keys = contents(database).into_iter().map(|(key, _)| key);
    keys.filter(|key| key.starts_with(keys::CHUNK)).collect()
}

#[test]
fn values_of_every_size_come_back_and_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let sizes = [0, 1, 4095, 4096, 4097, 8192, 8193, 1024 * 1024, 10 * 1024 * 1024, 5000, 4095, 0];
    for size in sizes {
        room.put(KEY, pattern(size));
        assert_eq!(room.database.get(KEY).unwrap(), Some(pattern(size)), "{size}");
        // A further change waits for the one before it to be cleaned up.
        room.commit(|_| Ok(())).unwrap();
        let pieces = if size <= 4095 { 0 } else { size.div_ceil(4096) };
        assert_eq!(piece_keys(&room.database).len(), pieces, "{size}");
        assert!(!room.database.blobs_present(), "{size}");
    }
    room.put(KEY, pattern(20_000));
    room.commit(|txn| {
        txn.delete(KEY.to_vec());
        Ok(())
    })
    .unwrap();
    room.committer.stop();
    assert_eq!(room.database.get(KEY).unwrap(), None);
    assert_eq!(contents(&room.database), []);
}

#[test]
fn every_stored_value_stays_below_the_size_at_which_the_engine_leaks() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    for (at, size) in [(1, 4095), (2, 4096), (3, 100_000)] {
        room.put(&[b'r', b'/', at], pattern(size));
    }
    let longest = contents(&room.database).iter().map(|(_, raw)| raw.len()).max();
    assert_eq!(longest, Some(4096));
}

#[test]
fn the_same_value_again_and_a_value_put_twice_in_one_change_keep_their_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    room.put(KEY, pattern(9000));
    room.put(KEY, pattern(9000));
    room.commit(|txn| {
        txn.put(KEY.to_vec(), vec![1; 9000]);
        assert_eq!(txn.get(KEY)?, Some(vec![1; 9000]));
        txn.put(KEY.to_vec(), pattern(9000));
        assert_eq!(txn.get(KEY)?, Some(pattern(9000)));
        Ok(())
    })
    .unwrap();
    room.committer.stop();
    assert_eq!(room.database.get(KEY).unwrap(), Some(pattern(9000)));
    assert_eq!(piece_keys(&room.database).len(), 3);
}

#[test]
fn a_value_that_is_put_again_is_whole_at_every_moment() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    room.put(KEY, pattern(200_000));
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| (0..50).for_each(|_| room.put(KEY, pattern(200_000))));
        while !writing.is_finished() {
            assert!(room.database.get(KEY).unwrap() == Some(pattern(200_000)));
        }
    });
}

#[test]
fn a_long_value_is_written_about_once() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    // The log only grows as long as nothing in it is dead enough to be cleaned up.
    let before = room.database.size_on_disk().unwrap();
    let bytes = 8 * 1024 * 1024;
    room.put(KEY, pattern(bytes));
    let grown = room.database.size_on_disk().unwrap() - before;
    assert!(grown < bytes as u64 * 3 / 2, "{grown} bytes for {bytes}");
}

#[test]
fn a_missing_or_changed_piece_is_an_error_and_never_a_short_answer() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    room.put(KEY, pattern(12_000));
    let pieces = piece_keys(&room.database);
    let original: Writes =
        pieces.iter().map(|key| (key.clone(), room.database.get_raw(key).unwrap())).collect();
    for (at, key) in pieces.iter().enumerate() {
        for (spoilt, what) in [
            (None, "a piece of it is missing"),
            (Some(vec![0; 4096]), "its pieces do not add up to what was stored"),
            (Some(vec![]), "its pieces do not add up to what was stored"),
        ] {
            room.database.write(&Writes::from([(key.clone(), spoilt)])).unwrap();
            let expected = EngineError::Damaged { key: "r/1".to_owned(), what };
            assert_eq!(room.database.get(KEY), Err(expected.clone()), "piece {at}");
            let scanned: Vec<_> = room.database.scan(keys::under(b"r/"), Direction::Forward).collect();
            assert_eq!(scanned, [Err(expected)], "piece {at}");
            room.database.write(&original).unwrap();
        }
    }
    assert_eq!(room.database.get(KEY).unwrap(), Some(pattern(12_000)));
}

#[test]
fn pieces_that_a_crash_left_without_a_head_are_swept_up_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    room.put(b"r/keep", pattern(9000));
    for owner in [b"r/gone".as_slice(), b"r/keep"] {
        store(&room.database, owner, &vec![3; 10_000]).unwrap();
    }
    assert_eq!(piece_keys(&room.database).len(), 9);
    let found = orphans(&room.database).unwrap();
    assert_eq!(found.len(), 6);
    assert_eq!(room.commit(move |txn| txn.sweep(found)).unwrap(), 6);
    // Pieces go after their commit is answered, and before the next one is.
    room.put(b"s/next", Vec::new());
    assert_eq!(piece_keys(&room.database).len(), 3);
    assert_eq!(orphans(&room.database).unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(room.database.get(b"r/keep").unwrap(), Some(pattern(9000)));
}

#[test]
fn a_piece_that_became_part_of_a_value_again_is_not_swept_away() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    // The daemon died before the head was written, and its worker sends the same answer again.
    store(&room.database, KEY, &pattern(10_000)).unwrap();
    let found = orphans(&room.database).unwrap();
    let swept = room.commit(move |txn| {
        let swept = txn.sweep(found)?;
        txn.put(KEY.to_vec(), pattern(10_000));
        Ok(swept)
    });
    assert_eq!(swept, Ok(3));
    room.put(b"s/next", Vec::new());
    assert_eq!(room.database.get(KEY).unwrap(), Some(pattern(10_000)));
    let found = piece_keys(&room.database);
    assert_eq!(room.commit(move |txn| txn.sweep(found)).unwrap(), 0);
}

#[test]
fn a_reader_never_sees_a_value_torn_by_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    room.put(KEY, vec![0; 9000]);
    let database = room.database.clone();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for at in 1..=200_u8 {
                room.put(KEY, vec![at; 9000 + usize::from(at)]);
            }
        });
        let mut last = 0;
        while !writing.is_finished() {
            let value = database.get(KEY).unwrap().unwrap();
            let at = value[0];
            assert!(at >= last, "{at} after {last}");
            assert_eq!(value, vec![at; 9000 + usize::from(at)]);
            last = at;
        }
    });
}

proptest! {
    #[test]
    fn arbitrary_heads_never_panic(raw: Vec<u8>) {
        let raw = [vec![IN_PIECES], raw].concat();
        if let Some(pieces) = Pieces::decode(&raw) {
            prop_assert_eq!(pieces.encode(), raw);
        }
    }

    #[test]
    fn a_pieces_key_tells_its_owner(owner: Vec<u8>, value in prop::collection::vec(any::<u8>(), 4096..5000)) {
        let pieces = Pieces::of(&value);
        let key = pieces.key(&owner, 1);
        let parsed = PieceKey::parse(&key).unwrap();
        prop_assert_eq!(parsed.owner, owner.as_slice());
        prop_assert!(parsed.is_of(Some(&pieces.encode())));
        prop_assert!(!parsed.is_of(Some(&inline(&value[..4]))));
        prop_assert!(!parsed.is_of(None));
    }
}
