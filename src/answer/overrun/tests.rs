//! Which number is offered, and why.

use std::collections::BTreeMap;

use super::*;

fn usual(p90_seconds: f64) -> Typical {
    Typical {
        dispatches: 12,
        median_seconds: 1.0,
        p90_seconds,
        median_cost_usd: None,
        failed: 0,
        outcomes: BTreeMap::new(),
    }
}

#[test]
fn a_run_is_offered_what_others_needed_else_twice_what_it_had_and_never_more_than_may_be_asked_for() {
    let rows = [
        (60, None, Some(120), false),
        (60, Some(340.0), Some(510), true),
        (60, Some(61.2), Some(120), true),
        // What others needed is not more than it had.
        (600, Some(340.0), Some(1200), false),
        (510, Some(340.0), Some(1020), false),
        // Others needed less: what would leave room for them is no reason.
        (10, Some(6.0), Some(20), false),
        (340, Some(340.0), Some(510), true),
        (0, None, Some(1), false),
        (5000, None, Some(7200), false),
        (5000, Some(1e6), Some(7200), true),
        (7200, Some(1e6), None, false),
        (86_400, None, None, false),
    ];
    for (seconds, p90, more, reasoned) in rows {
        let overrun = Overrun { agent: "web", session: None, seconds, text_kept: false };
        let hint = overrun.hint(p90.map(usual).as_ref());
        let told = more.map(|more| {
            format!(
                "give it more time with timeout_seconds={more} in the call or `agent-dispatch update web --timeout {more}`"
            )
        });
        let told = told.unwrap_or_else(|| "split the task".to_owned());
        let why = p90
            .filter(|_| reasoned)
            .map(|p90| format!(", for nine in ten of its last 12 dispatches took up to {p90} s"));
        assert_eq!(hint, told + &why.unwrap_or_default(), "{seconds} {p90:?}");
    }
}
