//! Keys that differ when their fields do, and entries that grow old.

use super::*;

#[test]
fn where_one_field_ends_is_part_of_the_fingerprint() {
    let of = |fields: &[(&str, &str)]| {
        fields.iter().fold(Fingerprint::new("t"), |print, (name, value)| print.field(name, value)).finish()
    };
    let all = [
        of(&[]),
        of(&[("", "")]),
        of(&[("a", "bc")]),
        of(&[("ab", "c")]),
        of(&[("a", "b"), ("", "c")]),
        of(&[("a", "b"), ("c", "")]),
        Fingerprint::new("u").finish(),
        Fingerprint::new("t").optional("a", None::<&str>).finish(),
        Fingerprint::new("t").optional("a", Some("")).finish(),
    ];
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(of(&[("a", "bc")]), of(&[("a", "bc")]));
}

#[test]
fn an_entry_is_fresh_for_its_time_whichever_way_the_clock_goes() {
    let entry = Entry { job: JobId::from_bytes([7; 16]), stored: Timestamp::from_millis(10_000) };
    let rows = [
        (10_000, 1000, true),
        (11_000, 1000, true),
        (11_001, 1000, false),
        (9000, 1000, true),
        (8999, 1000, false),
        (10_000, 0, false),
        (u64::MAX, 1000, false),
        (0, u64::MAX, true),
    ];
    for (now, ttl, fresh) in rows {
        assert_eq!(is_fresh(&entry, Timestamp::from_millis(now), ttl), fresh, "at {now} for {ttl}");
    }
}
