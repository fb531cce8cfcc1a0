//! Tests of what the arguments of edits mean.

use serde_json::json;

use super::fields::{budget, words};
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
        (json!(-0.5), Change::Clear),
        (json!(" $2.50 "), Change::Set(BudgetLimit::Usd(2.5))),
    ] {
        assert_eq!(budget(&given, Asks::ForChange).expect("a budget"), expected, "{given}");
    }
    for given in [json!("nan"), json!("inf"), json!("much"), json!(true), json!([1])] {
        budget(&given, Asks::ForChange).expect_err("no budget");
    }
    budget(&json!(-1), Asks::ForNew).expect_err("there is nothing to take back");
}
