//! Pages and halves of a trail, and a trail that is taken in.

use super::*;
use crate::store::committer::CommitError;
use crate::store::verify::{Check, Steps};
use crate::store::workbench::{Room, contents, record};

/// Returns a store with records of these minutes, its directory, and its reader.
fn trail(minutes: &[u64]) -> (tempfile::TempDir, Room, Reader) {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    for minute in minutes {
        let mut record = record(&format!("minute {minute}"));
        record.time = at(*minute);
        record.agent = Some("docs".to_owned());
        room.commit(move |txn| txn.append(record)).unwrap();
    }
    let reader = Reader::new(room.database.clone());
    (dir, room, reader)
}

fn at(minute: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + minute * 60_000)
}

fn imported(page: &Page) -> Imported {
    let (first, last) = (page.links.first().unwrap(), page.links.last().unwrap());
    let before = Head { seq: first.seq - 1, hash: first.prev };
    Imported { file: "trail".to_owned(), digest: Digest::of(b"x"), at: at(0), before, last: last.head() }
}

#[test]
fn pages_are_bounded_and_lead_from_one_to_the_next() {
    let (_dir, _room, reader) = trail(&[1, 2, 3, 4, 5]);
    let (mut next, mut found) = (0, Vec::new());
    while next <= 5 {
        let page = reader.page(next, 2).unwrap();
        assert!(page.links.len() <= 2 && page.next > next && page.head.seq == 5);
        found.extend(page.links.iter().map(|link| link.seq));
        next = page.next;
    }
    assert_eq!(found, [1, 2, 3, 4, 5]);
    assert_eq!(reader.page(6, 2).unwrap().links, []);
    assert_eq!(reader.page(1, 0).unwrap().links.len(), 1);
}

#[test]
fn what_cannot_be_read_is_named_and_passed_over() {
    let (_dir, room, reader) = trail(&[1, 2, 3]);
    room.put(&keys::audit(2), b"?".to_vec());
    let page = reader.page(1, 10).unwrap();
    assert_eq!((page.unreadable, page.next), (vec![2], 4));
    assert_eq!(page.links.iter().map(|link| link.seq).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn the_first_record_of_a_time_is_found_by_halves_also_where_numbers_are_missing() {
    let (_dir, room, reader) = trail(&[1, 2, 2, 4, 8, 9, 9]);
    let first = |minute| reader.first_since(at(minute)).unwrap();
    let wanted = [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (5, 5), (9, 6), (10, 8)];
    for (minute, seq) in wanted {
        assert_eq!(first(minute), seq, "minute {minute}");
    }
    room.commit(|txn| {
        for seq in [3, 4, 5] {
            txn.delete(keys::audit(seq));
        }
        Ok(())
    })
    .unwrap();
    assert!((3..=6).contains(&first(3)) && first(2) == 2 && first(10) == 8);
    let empty = trail(&[]);
    assert_eq!(empty.2.first_since(at(0)).unwrap(), 1);
}

#[test]
fn a_trail_is_taken_in_as_it_was_with_its_indexes() {
    let (_dir, from, reader) = trail(&[1, 2, 3, 4]);
    let (_other, to, copy) = trail(&[]);
    let page = reader.page(1, 10).unwrap();
    let note = imported(&page);
    assert_eq!(to.commit(move |txn| begin(txn, &note)).unwrap(), 1);
    let links = page.links.clone();
    assert_eq!(to.commit(move |txn| take_in(txn, &links[..2])).unwrap(), 3);
    // A page that comes twice, or overlaps, is no harm.
    let links = page.links.clone();
    assert_eq!(to.commit(move |txn| take_in(txn, &links)).unwrap(), 5);
    let without_note = |room: &Room| {
        contents(&room.database).into_iter().filter(|(key, _)| key != keys::IMPORTED).collect::<Vec<_>>()
    };
    assert_eq!(without_note(&to), without_note(&from));
    let told = copy.imported().unwrap().unwrap();
    assert!(!told.told(copy.head().unwrap()).contains("not complete"));
    assert!(told.told(page.links[1].head()).contains("go on after record 2"));
    // Nothing is ever added to it.
    let refused = to.commit(|txn| txn.append(record("new"))).unwrap_err();
    assert!(matches!(refused, CommitError::Refused(Fault::Conflict(_))), "{refused}");
}

#[test]
fn a_part_of_a_trail_begins_with_its_own_number_and_is_whole_by_itself() {
    let (_dir, _from, reader) = trail(&[1, 2, 3, 4]);
    let (_other, to, copy) = trail(&[]);
    let page = reader.page(3, 10).unwrap();
    let note = imported(&page);
    assert_eq!(to.commit(move |txn| begin(txn, &note)).unwrap(), 3);
    let links = page.links.clone();
    assert_eq!(to.commit(move |txn| take_in(txn, &links)).unwrap(), 5);
    let check = Check { anchor: None, heads: vec![page.head], witnessed: page.head };
    let report = copy.verify(&check, &Steps::default()).unwrap();
    assert_eq!((report.faults, report.first, report.records), (vec![], 3, 2));
    assert!(report.remarks.iter().any(|said| said.contains("not a live trail")), "{:?}", report.remarks);
}

#[test]
fn only_an_empty_store_takes_a_trail_and_only_one_that_fits() {
    let (_dir, used, reader) = trail(&[1, 2, 3]);
    let page = reader.page(1, 10).unwrap();
    let note = imported(&page);
    let refused = used.commit(move |txn| begin(txn, &note)).unwrap_err().to_string();
    assert!(refused.contains("3 records of its own"), "{refused}");
    let (_other, to, copy) = trail(&[]);
    let links = page.links.clone();
    assert!(
        to.commit(move |txn| take_in(txn, &links)).unwrap_err().to_string().contains("no import was begun")
    );
    let note = imported(&page);
    to.commit(move |txn| begin(txn, &note)).unwrap();
    let mut links = page.links.clone();
    links[1].body.push(b' ');
    let refused = to.commit(move |txn| take_in(txn, &links)).unwrap_err().to_string();
    assert!(refused.contains("record 2 was changed"), "{refused}");
    // Nothing of a page that does not fit is kept.
    assert_eq!(copy.head().unwrap(), Head::EMPTY);
    let other = Imported { digest: Digest::of(b"y"), ..imported(&page) };
    assert!(
        to.commit(move |txn| begin(txn, &other)).unwrap_err().to_string().contains("holds a trail already")
    );
}
