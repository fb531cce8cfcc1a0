//! Keys sort as time does, come back from what they were built of, and no prefix reaches into another's range.

use std::ops::RangeBounds as _;

use proptest::prelude::*;

use super::*;

const ID: JobId = JobId::from_bytes([7; 16]);

fn one_of_each() -> Vec<Vec<u8>> {
    let digest = Digest::from_bytes([0xff; 32]);
    vec![
        job(ID),
        job_by_state(State::Done, ID),
        job_by_agent("docs", ID),
        job_by_agent_and_state("docs", State::Done, ID),
        request(ID),
        answer(ID),
        progress(ID),
        calls(ID),
        cache(digest),
        cache_order(u64::MAX),
        in_flight(digest),
        session("3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47"),
        idempotency(&[0xff; 16]),
        spent_in_day(20_261_121, None),
        spent_in_month(202_611, Some("docs")),
        audit(u64::MAX),
        audit_page(&audit_of_agent("docs"), 1),
        audit_page(&audit_of_dispatch(ID), 1),
        FORMAT.to_vec(),
    ]
}

#[test]
fn every_key_lies_in_the_range_of_its_own_prefix_only() {
    let prefixes = [
        JOB,
        JOB_BY_STATE,
        JOB_BY_AGENT,
        JOB_BY_AGENT_AND_STATE,
        REQUEST,
        ANSWER,
        PROGRESS,
        CALLS,
        CACHE,
        CACHE_ORDER,
        IN_FLIGHT,
        SESSION,
        IDEMPOTENCY,
        SPENT_IN_DAY,
        SPENT_IN_MONTH,
        AUDIT,
        AUDIT_BY_AGENT,
        AUDIT_BY_DISPATCH,
        b"m/",
    ];
    for (at, key) in one_of_each().iter().enumerate() {
        let owners: Vec<usize> =
            (0..prefixes.len()).filter(|prefix| under(prefixes[*prefix]).contains(key)).collect();
        assert_eq!(owners, [at], "{}", key.escape_ascii());
        assert!(!under(CHUNK).contains(key), "{}", key.escape_ascii());
    }
}

#[test]
fn what_a_key_was_built_of_can_be_read_back() {
    assert_eq!(job_of(&job(ID)), Some(ID));
    assert_eq!(job_of(&job_by_state(State::Pending, ID)), Some(ID));
    assert_eq!(job_of(&job_by_agent("a", ID)), Some(ID));
    assert_eq!(job_of(b"j/short"), None);
    assert_eq!(digest_of(&cache(Digest::ZERO)), Some(Digest::ZERO));
    assert_eq!(digest_of(&cache_order(1)), None);
    assert_eq!(digest_of(b"c/short"), None);
    for seq in [0, 1, 255, 256, u64::MAX] {
        assert_eq!(seq_of(&audit(seq)), Some(seq));
        assert_eq!(seq_of(&cache_order(seq)), Some(seq));
    }
    assert_eq!(seq_of(b"a/1"), None);
}

#[test]
fn the_bytes_of_keys_are_part_of_the_format() {
    assert_eq!(audit(258), b"a/\0\0\0\0\0\0\x01\x02");
    assert_eq!(audit_page(&audit_of_agent("docs"), 1), b"aa/docs\0\0\0\0\0\0\0\0\x01");
    assert_eq!(
        audit_page(&audit_of_dispatch(ID), 2),
        [b"ad/", [7; 16].as_slice(), b"\0\0\0\0\0\0\0\x02"].concat()
    );
    let states: Vec<u8> = State::ALL.iter().map(|state| jobs_in(*state)[3]).collect();
    assert_eq!(states, b"prxdfci");
    assert_eq!(job_by_state(State::Running, ID), [b"js/r".as_slice(), &[7; 16]].concat());
    assert_eq!(spent_in_day(1, Some("x")), b"bd/\0\0\0\x01x");
    assert_eq!(spent_in_month(1, None), b"bm/\0\0\0\x01");
}

#[test]
fn one_agents_index_holds_no_other_agent_whose_name_begins_alike() {
    let range = under(&jobs_of("docs"));
    assert!(range.contains(&job_by_agent("docs", ID)));
    assert!(!range.contains(&job_by_agent("docs-2", ID)));
    assert!(!range.contains(&job_by_agent("doc", ID)));
}

#[test]
fn a_range_of_dispatches_holds_all_their_records_and_no_others() {
    let (first, last) = (JobId::from_bytes([7; 16]), JobId::from_bytes([9; 16]));
    let range = audit_of_dispatches(first, last);
    for id in [[7; 16], [8; 16], [9; 16]].map(JobId::from_bytes) {
        for page in [0, u64::MAX] {
            let key = audit_page(&audit_of_dispatch(id), page);
            assert!(range.contains(&key), "{id} {page}");
            assert_eq!(dispatch_of(&key), Some(id));
        }
    }
    assert!(!range.contains(&audit_page(&audit_of_dispatch(JobId::from_bytes([10; 16])), 0)));
    assert!(!range.contains(&audit_page(&audit_of_dispatch(JobId::from_bytes([6; 16])), u64::MAX)));
    assert_eq!(dispatch_of(&audit(1)), None);
    assert_eq!(dispatch_of(b"ad/short"), None);
}

proptest! {
    #[test]
    fn a_prefix_range_holds_exactly_what_begins_with_it(
        prefix in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xfe), Just(0xff)], 0..4),
        key in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xfe), Just(0xff)], 0..6),
    ) {
        prop_assert_eq!(under(&prefix).contains(&key), key.starts_with(&prefix));
    }

    #[test]
    fn audit_keys_sort_like_their_numbers(one: u64, other: u64) {
        prop_assert_eq!(audit(one).cmp(&audit(other)), one.cmp(&other));
    }
}
