//! The engine behaves like an ordered map, also after a reopen, and its files are its owner's alone.

use std::ops::Bound;
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;
use crate::store::workbench::{contents, open, store_dir};

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0_u8), Just(b'a'), Just(0xff)], 1..4)
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn batches_and_scans_behave_like_an_ordered_map(
        batches in prop::collection::vec(prop::collection::btree_map(key(), prop::option::of(any::<u8>()), 0..20), 0..6),
        ranges in prop::collection::vec((bound(), bound()), 1..20),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut database = open(dir.path()).database;
        let mut model = BTreeMap::new();
        for batch in batches {
            let value = |value: Option<u8>| value.map(|value| chunks::inline(&[value]));
            let writes: Writes = batch.into_iter().map(|(key, of)| (key, value(of))).collect();
            database.write(&writes).unwrap();
            for (key, value) in writes {
                match value {
                    Some(value) => model.insert(key, value[1..].to_vec()),
                    None => model.remove(&key),
                };
            }
        }
        for reopened in [false, true] {
            if reopened {
                drop(database);
                database = open(dir.path()).database;
            }
            let all: Vec<_> =
                contents(&database).into_iter().map(|(key, raw)| (key, raw[1..].to_vec())).collect();
            prop_assert_eq!(all, model.clone().into_iter().collect::<Vec<_>>());
            for range in &ranges {
                let mut expected: Vec<_> = model
                    .iter()
                    .filter(|(key, _)| std::ops::RangeBounds::contains(range, *key))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                let found = |direction| {
                    let entries = database.scan(range.clone(), direction).map(Result::unwrap);
                    entries.filter(|(key, _)| key != keys::FORMAT).collect::<Vec<_>>()
                };
                prop_assert_eq!(found(Direction::Forward), expected.clone());
                expected.reverse();
                prop_assert_eq!(found(Direction::Backward), expected);
            }
        }
    }
}

#[test]
fn files_and_directories_belong_to_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    drop(open(dir.path()));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&store_dir(dir.path())), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(store_dir(dir.path())).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert!(names.contains(&"db".to_owned()), "{names:?}");
}

#[test]
fn a_store_that_is_open_is_busy_for_others_and_its_size_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    assert!(matches!(open_once(&store_dir(dir.path())), Err(Attempt::Busy)));
    assert!(opened.database.size_on_disk().unwrap() > 0);
    assert!(!opened.database.blobs_present());
    assert_eq!((opened.quarantined, opened.repaired), (None, vec![]));
}

#[test]
fn a_value_in_a_file_of_its_own_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(dir.path()).database;
    database.write(&Writes::from([(b"k".to_vec(), Some(vec![0; 300_000]))])).unwrap();
    assert!(database.blobs_present());
}

#[test]
fn a_panic_of_the_engine_is_an_error() {
    let fails = guarded::<()>(|| panic!("tried to serialize {}", "Uninitialized"));
    assert_eq!(fails, Err(EngineError::Panicked("tried to serialize Uninitialized".to_owned())));
}

#[test]
fn a_scan_ends_with_the_first_damaged_value() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(dir.path()).database;
    let good = || Some(chunks::inline(b"v"));
    let writes = [(b"a".to_vec(), good()), (b"b".to_vec(), Some(vec![7])), (b"c".to_vec(), good())];
    database.write(&Writes::from(writes)).unwrap();
    let found: Vec<_> = database.scan(keys::under(b""), Direction::Forward).collect();
    let what = "it has no known form";
    assert_eq!(
        found,
        [Ok((b"a".to_vec(), b"v".to_vec())), Err(EngineError::Damaged { key: "b".to_owned(), what })]
    );
}
