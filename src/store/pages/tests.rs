//! A page is a set of numbers, and an index is one, too, whatever its pages.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::store::workbench::Room;

const NAME: &[u8] = b"aa/docs\0";

fn page(numbers: &BTreeSet<u8>) -> Page {
    let mut page = Page::default();
    numbers.iter().for_each(|number| page.insert(*number));
    page
}

fn found(room: &Room, first: u64, last: u64, direction: Direction) -> Vec<u64> {
    numbers(&room.database, NAME, first, last, direction).map(Result::unwrap).collect()
}

proptest! {
    #[test]
    fn a_page_is_a_set_of_numbers(
        numbers in prop::collection::btree_set(any::<u8>(), 0..256), more: u8, less: u8,
    ) {
        let (mut numbers, mut page) = (numbers.clone(), page(&numbers));
        numbers.insert(more);
        page.insert(more);
        prop_assert!(page.clone().eq(numbers.iter().copied()));
        numbers.remove(&less);
        page.remove(less);
        prop_assert!(page.clone().eq(numbers.iter().copied()));
        prop_assert_eq!(page.is_empty(), numbers.is_empty());
        prop_assert_eq!(Page::read(&page.bytes()), page);
    }

    #[test]
    fn bytes_that_are_no_page_name_nothing(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
        prop_assert!(bytes.len() == PAGE_BYTES || Page::read(&bytes).is_empty());
    }

    #[test]
    fn what_is_no_key_of_an_index_is_passed_over(key in prop::collection::vec(any::<u8>(), 0..12)) {
        let raw = chunks::inline(&[0xff; PAGE_BYTES]);
        let count = read(&key, &raw).map(|(name, numbers)| (name.len(), numbers.count()));
        prop_assert!(count.is_none_or(|count| count == (key.len() - 8, 256)));
    }
}

#[test]
fn the_bytes_of_a_page_are_part_of_the_format() {
    let page = page(&[0, 9, 127, 128, 255].into());
    let mut bytes = [0; PAGE_BYTES];
    (bytes[0], bytes[1], bytes[15], bytes[16], bytes[31]) = (1, 2, 0x80, 1, 0x80);
    assert_eq!(page.bytes(), bytes);
}

#[test]
fn numbers_come_from_any_place_on_in_both_directions() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let all: Vec<u64> = [1, 2, 255, 256, 300, 511, 512, 1024, 100_000, u64::MAX].into();
    let written = all.clone();
    room.commit(move |txn| {
        written.iter().for_each(|seq| insert(txn, NAME, *seq));
        // Neighbours of the name are no part of it.
        insert(txn, b"aa/doc\0", 3);
        insert(txn, b"aa/docs-2\0", 3);
        Ok(())
    })
    .unwrap();
    let bounds: BTreeSet<u64> =
        all.iter().flat_map(|seq| [seq - 1, *seq, seq.saturating_add(1)]).chain([0]).collect();
    for first in &bounds {
        for last in &bounds {
            let mut want: Vec<u64> =
                all.iter().copied().filter(|seq| (*first..=*last).contains(seq)).collect();
            assert_eq!(found(&room, *first, *last, Direction::Forward), want, "{first} to {last}");
            want.reverse();
            assert_eq!(found(&room, *first, *last, Direction::Backward), want, "{first} to {last}");
        }
    }
    for seq in bounds {
        assert_eq!(names(&room.database, NAME, seq).unwrap(), all.contains(&seq), "{seq}");
    }
}

#[test]
fn what_is_taken_out_is_gone_and_an_empty_page_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    room.commit(|txn| {
        [10, 20, 300].iter().for_each(|seq| insert(txn, NAME, *seq));
        remove(txn, NAME, 10);
        Ok(())
    })
    .unwrap();
    assert_eq!(found(&room, 0, u64::MAX, Direction::Forward), [20, 300]);
    room.commit(|txn| {
        remove(txn, NAME, 20);
        // What is not there does no harm.
        remove(txn, NAME, 21);
        remove(txn, NAME, 1000);
        Ok(())
    })
    .unwrap();
    assert_eq!(found(&room, 0, u64::MAX, Direction::Forward), [300]);
    assert_eq!(room.database.get_raw(&keys::audit_page(NAME, 0)).unwrap(), None);
}

#[test]
fn a_damaged_page_keeps_nothing_from_being_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let key = keys::audit_page(NAME, 0);
    for bad in [vec![], vec![1; 33], vec![9; 33], chunks::inline(&[0xff; 31])] {
        room.database.write(&[(key.clone(), Some(bad))].into()).unwrap();
        assert_eq!(found(&room, 0, u64::MAX, Direction::Forward), Vec::<u64>::new());
        room.commit(|txn| {
            insert(txn, NAME, 7);
            Ok(())
        })
        .unwrap();
        assert_eq!(found(&room, 0, u64::MAX, Direction::Forward), [7]);
    }
}
