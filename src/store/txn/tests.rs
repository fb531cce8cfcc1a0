//! A change sees the store with the group on top, in both directions; records are numbered, linked and indexed.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::audit::Code;
use crate::audit::chain::BODY_BYTES_MAX;
use crate::store::workbench::{Room, audit_key, contents, open, record, verified};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0_u8), Just(b'a'), Just(0xff)], 1..4)
}

fn changes() -> impl Strategy<Value = Vec<(Vec<u8>, Option<u8>)>> {
    prop::collection::vec((key(), prop::option::of(any::<u8>())), 0..20)
}

fn apply(txn: &mut Txn<'_>, model: &mut Model, changes: Vec<(Vec<u8>, Option<u8>)>) {
    for (key, value) in changes {
        if let Some(value) = value {
            model.insert(key.clone(), vec![value]);
            txn.put(key, [value]);
        } else {
            model.remove(&key);
            txn.delete(key);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_group_behaves_like_an_ordered_map(
        stored in changes(), pending in changes(), failed in changes(), prefix in key(), count in 0..5_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let database = open(dir.path()).database;
        let mut model = Model::new();
        let mut group = Group::new(database.clone(), Head::EMPTY, Timestamp::from_millis(0), audit_key());
        group.run(|txn| { apply(txn, &mut model, stored); Ok(()) }).unwrap();
        database.write(group.writes()).unwrap();
        let mut group = Group::new(database, Head::EMPTY, Timestamp::from_millis(0), audit_key());
        group.run(|txn| { apply(txn, &mut model, pending); Ok(()) }).unwrap();
        let (writes, bytes) = (group.writes().clone(), group.bytes());
        let conflict = Fault::Conflict("x".to_owned());
        let result = group.run(|txn| {
            apply(txn, &mut model.clone(), failed);
            txn.append(record("x"))?;
            Err::<(), _>(conflict.clone())
        });
        prop_assert_eq!(result, Err(conflict));
        prop_assert_eq!((group.writes(), group.bytes(), group.head()), (&writes, bytes, Head::EMPTY));
        group.run(|txn| {
            let all: Vec<_> = model.iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
            let owned = |(key, value): &(&Vec<u8>, &Vec<u8>)| ((*key).clone(), (*value).clone());
            assert_eq!(txn.first(&prefix, count)?, all.iter().take(count).map(owned).collect::<Vec<_>>());
            assert_eq!(txn.last(&prefix, count)?, all.iter().rev().take(count).map(owned).collect::<Vec<_>>());
            for (key, value) in &model {
                assert_eq!(txn.get(key)?.as_ref(), Some(value));
            }
            assert_eq!(txn.get(b"none such")?, None);
            Ok(())
        }).unwrap();
    }
}

#[test]
fn a_range_the_wrong_way_round_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let bounds =
        |start: Bound<&[u8]>, end: Bound<&[u8]>| (start.map(<[u8]>::to_vec), end.map(<[u8]>::to_vec));
    for range in [
        bounds(Bound::Included(b"b"), Bound::Included(b"a")),
        bounds(Bound::Excluded(b"a"), Bound::Excluded(b"a")),
        bounds(Bound::Included(b"a"), Bound::Excluded(b"a")),
    ] {
        let found = room.commit(move |txn| {
            txn.put(b"a".to_vec(), b"1");
            txn.range(range, Direction::Forward, 10)
        });
        assert_eq!(found, Ok(vec![]));
    }
}

#[test]
fn a_record_is_stored_indexed_and_named_by_the_head_in_one_change() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let id = JobId::from_bytes([5; 16]);
    let about = |agent: &str, dispatch: &str| {
        let mut about = Record::new(Timestamp::from_millis(0), Code::Started);
        (about.agent, about.dispatch) = (Some(agent.to_owned()), Some(dispatch.to_owned()));
        about
    };
    let (whole, odd) = (about("docs", &id.to_string()), about("no\0name", "no id"));
    let end = room
        .commit({
            let (whole, odd) = (whole.clone(), odd.clone());
            move |txn| {
                txn.append(whole)?;
                let end = txn.append(odd)?;
                assert_eq!(txn.head(), end);
                Ok(end)
            }
        })
        .unwrap();
    assert_eq!(verified(&room.database, Head::EMPTY), end);
    let keys: Vec<_> = contents(&room.database).into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [
            keys::audit(1),
            keys::audit(2),
            keys::audit_page(&keys::audit_of_agent("docs"), 0),
            keys::audit_page(&keys::audit_of_dispatch(id), 0),
            keys::HEAD.to_vec(),
        ]
    );
    for (seq, record) in [(1, whole), (2, odd)] {
        let bytes = room.database.get(&keys::audit(seq)).unwrap().unwrap();
        let link = Link::decode(seq, &bytes).unwrap();
        assert_eq!(serde_json::from_slice::<Record>(&link.body).unwrap(), record);
    }
}

#[test]
fn a_record_too_long_for_its_place_is_shortened_and_stored() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let end = room.commit(|txn| txn.append(record(&"€\"".repeat(50_000)))).unwrap();
    assert_eq!(verified(&room.database, Head::EMPTY), end);
    let raw = room.database.get_raw(&keys::audit(1)).unwrap().unwrap();
    assert!(chunks::inlined(&raw).is_some_and(|link| link.len() <= BODY_BYTES_MAX + 65));
}
