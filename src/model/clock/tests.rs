//! Times as people write them.

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

#[test]
fn ages_are_counted_back_from_now() {
    for (text, millis) in [
        ("2h ago", 7_200_000),
        ("90 min", 5_400_000),
        ("3d", 259_200_000),
        ("1 week ago", 604_800_000),
        ("45s", 45_000),
        ("now", 0),
    ] {
        assert_eq!(Timestamp::parse(text, NOW).unwrap(), NOW.minus_millis(millis), "{text}");
    }
}

#[test]
fn exact_times_are_taken_as_written() {
    assert_eq!(Timestamp::parse("2027-01-15T08:00:00Z", NOW).unwrap(), NOW);
    assert_eq!(Timestamp::parse("2027-01-15T09:00:00+01:00", NOW).unwrap(), NOW);
    assert_eq!(NOW.rfc3339(), "2027-01-15T08:00:00.000Z");
    let today = Timestamp::parse("today", NOW).unwrap();
    assert!(today <= NOW && NOW.millis_since(today) < 86_400_000 + 3_600_000);
    assert!(Timestamp::parse("yesterday", NOW).unwrap() < today);
    assert!(Timestamp::parse("2027-01-14 12:30", NOW).unwrap() < NOW);
}

#[test]
fn nonsense_is_refused() {
    for text in ["", "soon", "2 fortnights", "h", "-3h", "99999999999999999999d", "2027-13-01"] {
        assert!(Timestamp::parse(text, NOW).is_err(), "{text}");
    }
}

#[test]
fn a_clock_that_goes_backwards_gives_no_negative_age() {
    assert_eq!(NOW.millis_since(NOW.plus_millis(5)), 0);
}

#[test]
fn a_day_of_the_week_is_the_last_one() {
    let today = Timestamp::parse("today", NOW).unwrap();
    let days = ["monday", "tuesday", "Wednesday", "thursday", "fri", "saturday", "sunday"];
    let mut ages: Vec<u64> = days
        .iter()
        // Half a day more, so that a night with a changed clock counts as one.
        .map(|day| (today.millis_since(Timestamp::parse(day, NOW).unwrap()) + 43_200_000) / 86_400_000)
        .collect();
    ages.sort_unstable();
    assert_eq!(ages, [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn lengths_of_time_are_read_as_people_write_them() {
    for (text, millis) in [
        ("45", Some(45_000)),
        ("45s", Some(45_000)),
        ("250 ms", Some(250)),
        ("2 min", Some(120_000)),
        ("1H", Some(3_600_000)),
        ("2h ago", None),
        ("", None),
        ("-1", None),
        ("long", None),
    ] {
        assert_eq!(millis_of(text), millis, "{text}");
    }
}
