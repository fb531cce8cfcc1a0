//! Parts are the whole, and what comes of them comes in their order.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn parts_follow_each_other_and_are_of_about_the_same_length(
        first in 1..1_000_000_u64, records in 0..1_000_000_u64, most in 1..=PARTS_MAX,
    ) {
        let last = first + records - 1;
        let parts = cut(first, last, most);
        let mut next = first;
        for part in &parts {
            prop_assert_eq!(*part.start(), next);
            next = part.end() + 1;
        }
        prop_assert_eq!(next, last + 1);
        let length = |part: &RangeInclusive<u64>| part.end() + 1 - part.start();
        let lengths: Vec<u64> = parts.iter().map(length).collect();
        prop_assert!(lengths.iter().all(|length| *length > 0), "{:?}", parts);
        prop_assert!(parts.len() < 2 || lengths.iter().all(|length| *length >= PART_RECORDS_MIN), "{:?}", parts);
        prop_assert!(parts.len() as u64 <= most);
    }
}

#[test]
fn what_comes_of_parts_comes_in_their_order_and_any_fault_is_told() {
    for count in 0..4 {
        let parts: Vec<u64> = (0..count).collect();
        let doubled = side_by_side(parts.clone(), |part| Ok(part * 2), || "meanwhile").unwrap();
        assert_eq!(doubled, (parts.iter().map(|part| part * 2).collect(), "meanwhile"));
    }
    let fault = Fault::Conflict("x".to_owned());
    let read = |part: u64| if part == 1 { Err(fault.clone()) } else { Ok(part) };
    assert_eq!(side_by_side(vec![0, 1, 2], read, || ()), Err(fault.clone()));
    let panics = |part: u64| if part == 1 { panic!("odd") } else { Ok(part) };
    assert_eq!(side_by_side(vec![0, 1, 2], panics, || ()), Err(Fault::Panicked("odd".to_owned())));
}
