//! Where the chain goes on after each kind of loss, and what is said of it.

use super::*;
use crate::model::Digest;
use crate::store::schema::FORMAT;
use crate::store::workbench::{Copy, Room, record, role, say, store_dir};
use crate::store::{Store, keys};

fn head(seq: u64) -> Head {
    Head { seq, hash: Digest::of(&seq.to_le_bytes()) }
}

fn found(comparison: Comparison, stored: Head) -> Found {
    Found { comparison, stored, outside: Some(head(3)), closed: None, forgotten: false, quarantined: None }
}

#[test]
fn a_store_that_is_as_it_was_left_needs_no_word() {
    assert_eq!(found(Comparison::Same, head(3)).judge(), (head(3), None));
    assert_eq!(found(Comparison::Ahead, head(4)).judge(), (head(4), None));
}

#[test]
fn after_a_loss_the_chain_goes_on_from_the_remembered_end() {
    let (start, gap) = found(Comparison::Lost { stored: head(3), outside: head(9) }, head(3)).judge();
    let gap = gap.unwrap();
    assert_eq!((start, gap.code), (head(9), Code::Gap));
    assert!(gap.reason.contains("records 4 to 9 are missing"), "{}", gap.reason);
    assert_eq!(gap.details["remembered_hash"], head(9).hash.to_string());
}

#[test]
fn a_replaced_record_is_told_and_the_chain_goes_on_from_the_store() {
    let comparison = Comparison::Different { found: Some(Digest::ZERO), outside: head(2) };
    let (start, gap) = found(comparison, head(5)).judge();
    assert_eq!((start, gap.map(|gap| gap.code)), (head(5), Some(Code::Gap)));
}

#[test]
fn a_lost_head_file_is_told_unless_the_store_is_new() {
    let forgetful = |stored| Found { forgotten: true, ..found(Comparison::Ahead, stored) };
    let (start, gap) = forgetful(head(5)).judge();
    let gap = gap.unwrap();
    assert_eq!((start, gap.code), (head(5), Code::Gap));
    assert!(gap.reason.contains("after number 5"), "{}", gap.reason);
    assert_eq!(forgetful(Head::EMPTY).judge(), (Head::EMPTY, None));
}

#[test]
fn a_head_file_that_was_put_back_is_told() {
    let far = Head { seq: 4 + LAG_MAX, ..head(3) };
    let cases = [
        // It was complete when the store was closed, or is further behind than a crash leaves it.
        (Found { closed: Some(head(4)), ..found(Comparison::Ahead, head(4)) }, true),
        (found(Comparison::Ahead, far), true),
        // An earlier orderly end says nothing of a later crash.
        (Found { closed: Some(head(3)), ..found(Comparison::Ahead, head(4)) }, false),
        (Found { outside: None, ..found(Comparison::Ahead, head(4)) }, false),
    ];
    for (found, is_told) in cases {
        let what = format!("{found:?}");
        let (start, gap) = found.judge();
        assert_eq!(gap.is_some_and(|gap| gap.reason.contains("the file was put back")), is_told, "{what}");
        assert!(start.seq >= 4, "{what}");
    }
}

#[test]
fn a_store_set_aside_is_told_even_when_nothing_was_in_it() {
    let mut aside = found(Comparison::Same, Head::EMPTY);
    aside.quarantined = Some("aside".into());
    let (start, gap) = aside.judge();
    assert_eq!((start, gap.unwrap().code), (Head::EMPTY, Code::Quarantined));
}

#[test]
fn a_head_file_that_was_put_back_stays_as_it_is_until_that_is_on_record() {
    if let Some((_, dir)) = role() {
        let store = Store::open(&store_dir(&dir), &dir.join("audit-heads.log")).unwrap();
        say(store.notes().first().map_or("nothing", String::as_str));
        store.stop();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    for _ in 0..3 {
        room.commit(|txn| txn.append(record("one"))).unwrap();
    }
    // Of a format in which this program writes nothing: what is found can be told, and is never recorded.
    room.put(keys::FORMAT, (FORMAT + 1).to_be_bytes().to_vec());
    drop(room);
    let heads = dir.path().join("audit-heads.log");
    let whole = std::fs::read_to_string(&heads).unwrap();
    let put_back = whole.split_inclusive('\n').next().unwrap();
    std::fs::write(&heads, put_back).unwrap();
    for _ in 0..2 {
        let test = "a_head_file_that_was_put_back_stays_as_it_is_until_that_is_on_record";
        let said = Copy::of(module_path!(), test, "open", dir.path()).rest();
        assert!(said.len() == 1 && said[0].contains("the file was put back"), "{said:?}");
        assert_eq!(std::fs::read_to_string(&heads).unwrap(), put_back);
    }
}
