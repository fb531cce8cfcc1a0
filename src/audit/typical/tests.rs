//! Ranks, bounds and sums, row by row.

use super::*;

fn sample(millis: u64, cost_usd: Option<f64>, success: bool, outcome: Option<&'static str>) -> Sample {
    let outcome = outcome.and_then(|name| Outcome::ALL.into_iter().find(|it| it.as_str() == name));
    Sample { millis, cost_usd, success, outcome }
}

#[test]
fn what_is_usual_is_what_the_numbers_of_the_same_dispatches_say() {
    let ten = (1..=10).map(|number| sample(number * 1000, Some(0.5), true, None));
    let typical = Typical::of(ten).unwrap();
    let millis: Vec<u64> = (1..=10).map(|number| number * 1000).collect();
    let counted = [50, 90].map(|percent| percentile(&millis, percent));
    assert_eq!(counted, [Some(6000), Some(10_000)]);
    assert_eq!((typical.median_seconds, typical.p90_seconds), (6.0, 10.0));
}

#[test]
fn three_dispatches_say_what_is_usual_and_two_do_not() {
    let two = [sample(1000, None, true, None), sample(2000, None, true, None)];
    assert_eq!(Typical::of(two), None);
    let damaged = [two[0], two[1], sample(u64::MAX, None, true, None)];
    assert_eq!(Typical::of(damaged), None);
    let typical = Typical::of([
        sample(61_049, Some(0.5), true, Some("done")),
        sample(1000, Some(f64::NAN), false, None),
        sample(2000, Some(0.1), true, Some("done")),
        sample(3000, Some(-1.0), true, Some("blocked")),
    ]);
    let outcomes = [("blocked".to_owned(), 1), ("done".to_owned(), 2)].into();
    let want = Typical {
        dispatches: 4,
        median_seconds: 2.0,
        p90_seconds: 61.0,
        median_cost_usd: Some(0.5),
        failed: 1,
        outcomes,
    };
    assert_eq!(typical, Some(want));
}

#[test]
fn a_suggested_limit_leaves_room_and_is_never_shorter_than_half_a_minute() {
    for (p90_millis, want) in
        [(0, 30), (1000, 30), (20_000, 30), (20_100, 60), (100_000, 150), (400_000, 600)]
    {
        let typical = Typical::of([sample(p90_millis, None, true, None); 3]).unwrap();
        assert_eq!(typical.suggested_timeout_seconds(), want, "{p90_millis}");
    }
}
