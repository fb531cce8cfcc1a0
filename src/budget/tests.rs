//! Runs that fit a cap and runs that do not.

use super::*;

fn admit(spent: f64, reserved: f64, asked: Option<f64>, limit: f64) -> Result<(), OverBudget> {
    Cap { agent: None, period: Period::Day, limit, spent, reserved }.admit(asked)
}

#[test]
fn a_run_is_admitted_while_all_that_may_be_spent_fits() {
    let rows = [
        (0.0, 0.0, Some(1.0), 1.0, true),
        (0.1, 0.0, Some(0.2), 0.3, true),
        (0.5, 0.3, Some(0.3), 1.0, false),
        (1.2, 0.0, Some(0.1), 1.0, false),
        (0.99, 0.0, None, 1.0, true),
        (0.5, 0.5, None, 1.0, false),
        (1.0, 0.0, None, 1.0, false),
        (f64::NAN, 0.0, Some(0.1), 1.0, false),
        (0.0, 0.0, Some(f64::INFINITY), 1.0, false),
    ];
    for (spent, reserved, asked, limit, fits) in rows {
        assert_eq!(
            admit(spent, reserved, asked, limit).is_ok(),
            fits,
            "{spent} {reserved} {asked:?} {limit}"
        );
    }
}

#[test]
fn the_refusal_names_every_amount() {
    let small = admit(0.5, 0.25, Some(0.5), 1.0).unwrap_err();
    assert_eq!(
        small.to_string(),
        "the cap of $1.00 is too small: $0.50 spent, $0.25 reserved by running dispatches, $0.50 asked for"
    );
    let used = admit(1.0, 0.0, None, 1.0).unwrap_err();
    assert_eq!(
        used.to_string(),
        "the cap of $1.00 is used up: $1.00 spent, $0.00 reserved by running dispatches, no certain amount asked for"
    );
}

#[test]
fn a_run_whose_cost_is_not_known_counts_for_all_that_it_was_allowed() {
    let rows = [
        (Some(0.3), Some(5.0), true, 0.3),
        (Some(0.0), Some(5.0), true, 0.0),
        (None, Some(5.0), true, 5.0),
        // It never got as far as asking the model anything.
        (None, Some(5.0), false, 0.0),
        (None, None, true, 0.0),
        (Some(-1.0), Some(5.0), true, 0.0),
        (Some(f64::NAN), Some(5.0), true, 0.0),
    ];
    for (cost, cap, conversed, charged) in rows {
        assert_eq!(usd(charge(cost, cap, conversed)), usd(charged), "{cost:?} {cap:?} {conversed}");
    }
}

#[test]
fn amounts_are_written_so_that_small_ones_stay_visible() {
    for (amount, text) in
        [(0.0, "$0.00"), (1.5, "$1.50"), (0.05, "$0.05"), (0.001, "$0.001"), (0.0042, "$0.0042")]
    {
        assert_eq!(usd(amount), text);
    }
}
