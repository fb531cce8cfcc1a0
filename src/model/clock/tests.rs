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
        ("1h30m", 5_400_000),
        ("1h 30 min ago", 5_400_000),
        ("1.5 hours ago", 5_400_000),
        ("a week ago", 604_800_000),
        ("an hour ago", 3_600_000),
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
    for text in [
        "",
        "soon",
        "2 fortnights",
        "h",
        "-3h",
        "99999999999999999999d",
        "2027-13-01",
        "25:00",
        "monday 9",
        "last",
        "1h30",
        "1..5h",
        "a",
        "last 10:15",
    ] {
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
fn a_time_is_the_last_one_of_its_day_or_of_all() {
    let time = |text: &str| Timestamp::parse(text, NOW).unwrap();
    assert_eq!(time("yesterday 15:00"), time("yesterday").plus_millis(15 * 3_600_000));
    assert_eq!(time("yesterday at 15:00:30"), time("yesterday 15:00").plus_millis(30_000));
    assert_eq!((time("2027-01-15"), time("today 00:00")), (time("today"), time("today")));
    let now = NOW.local();
    for (later, day) in [(0, "today"), (60_000, "yesterday")] {
        let clock = NOW.plus_millis(later).local()[11..16].to_owned();
        assert_eq!(time(&clock), time(&format!("{day} {clock}")), "{clock} at {now}");
    }
    // NOW is a Friday, and no clock was changed that winter.
    assert_eq!(time("friday 00:00"), time("today"));
    assert_eq!(time("last friday"), time("today").minus_millis(7 * 86_400_000));
    assert_eq!(time("last monday"), time("monday"));
    assert_eq!(time("1 month ago").rfc3339(), "2026-12-15T08:00:00.000Z");
    assert_eq!(time("a month ago"), time("1 month ago"));
    assert_eq!(time("2 years ago").rfc3339(), "2025-01-15T08:00:00.000Z");
}

#[test]
fn lengths_of_time_are_read_as_people_write_them() {
    for (text, millis) in [
        ("45", Some(45_000)),
        ("45s", Some(45_000)),
        ("250 ms", Some(250)),
        ("1.5s", Some(1500)),
        ("1.0 s", Some(1000)),
        ("0.25", Some(250)),
        (".5", None),
        ("1h30m", Some(5_400_000)),
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
