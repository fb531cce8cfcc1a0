//! Tests of what the arguments of edits mean.

use serde_json::json;

use super::fields::{budget, spending, words};
use super::*;
use crate::model::BudgetLimit;

#[test]
fn words_come_as_lists_texts_and_json() {
    let set = |words: &[&str]| Change::Set(words.iter().map(|word| (*word).to_owned()).collect());
    for (given, expected) in [
        (json!(""), Change::Keep),
        (json!(" none "), Change::Clear),
        (json!(","), set(&[])),
        (json!("Read, Bash(a, b)"), set(&["Read", "Bash(a, b)"])),
        (json!("[\"Read\"]"), set(&["Read"])),
        (json!("[Read"), set(&["[Read"])),
        (json!([" Read "]), set(&["Read"])),
        (json!([]), set(&[])),
    ] {
        assert_eq!(words("w", &given).expect("words"), expected, "{given}");
    }
    for given in [json!(5), json!({}), json!([5]), json!(true)] {
        let report = words("w", &given).expect_err("no words");
        assert!(report.message.starts_with(&format!("`w` is {given}")), "{}", report.message);
    }
}

#[test]
fn a_budget_is_kept_inherited_lifted_or_an_amount() {
    for (given, expected) in [
        (json!(""), Change::Keep),
        (json!(0), Change::Keep),
        (json!("0.0"), Change::Keep),
        (json!("None"), Change::Set(BudgetLimit::Unlimited)),
        (json!("default"), Change::Clear),
        (json!(-1), Change::Clear),
        (json!(" $2.50 "), Change::Set(BudgetLimit::Usd(2.5))),
    ] {
        assert_eq!(budget(&given, Asks::ForChange).expect("a budget"), expected, "{given}");
    }
    for given in
        [json!("nan"), json!("inf"), json!("much"), json!(true), json!([1]), json!(-0.5), json!("-5")]
    {
        budget(&given, Asks::ForChange).expect_err("no budget");
    }
    budget(&json!(-1), Asks::ForNew).expect_err("there is nothing to take back");
}

#[test]
fn a_cap_of_days_or_months_is_not_lifted_by_a_slip_of_the_sign() {
    for (given, expected) in [
        (json!(0), Change::Keep),
        (json!("none"), Change::Clear),
        (json!(-1), Change::Clear),
        (json!("$5"), Change::Set(5.0)),
    ] {
        assert_eq!(spending("budget_day", &given).expect("a cap"), expected, "{given}");
    }
    for given in [json!(-5), json!("-5"), json!("$-5"), json!(-0.5), json!("nan")] {
        let report = spending("budget_day", &given).expect_err("no cap");
        assert!(report.message.starts_with(&format!("`budget_day` is {given}")), "{}", report.message);
    }
}
