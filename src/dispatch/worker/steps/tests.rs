//! Tests of what is kept of the steps of a run until they are reported.

use super::*;

fn step(text: &str) -> Progress {
    Progress { text: text.to_owned(), turns: 0, cost_usd: None }
}

fn kept(steps: &Steps) -> Vec<(u64, String)> {
    steps.unreported().into_iter().map(|step| (step.number, step.text)).collect()
}

#[test]
fn every_step_is_kept_in_order_until_it_is_reported() {
    let mut steps = Steps::default();
    steps.begin();
    steps.begin();
    steps.take(step("same"));
    steps.take(step("same"));
    let same = |number| (number, "same".to_owned());
    assert_eq!(kept(&steps), [(1, String::new()), same(2), same(3)]);
    steps.take(step("next"));
    steps.reported(3);
    assert_eq!(kept(&steps), [(4, "next".to_owned())]);
    steps.reported(4);
    assert_eq!(kept(&steps), []);
}

#[test]
fn of_a_flood_the_newest_are_kept() {
    let mut steps = Steps::default();
    for number in 1..=10_000 {
        steps.take(step(&number.to_string()));
    }
    let kept = kept(&steps);
    assert_eq!((kept.len(), kept.first().map(|step| step.0)), (STEPS_MAX, Some(10_001 - STEPS_MAX as u64)));
    assert_eq!(kept.last(), Some(&(10_000, "10000".to_owned())));
}
