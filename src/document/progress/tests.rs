//! How a step reads.

use super::*;

#[test]
fn a_step_is_one_line_for_a_person() {
    let view =
        |text: &str, turns, cost_usd| ProgressView { number: 1, text: text.to_owned(), turns, cost_usd };
    let after = Duration::from_millis(12_400);
    for (view, want) in [
        (view("Bash docker logs", 3, Some(0.041)), "infra: Bash docker logs (3 turns, $0.04, 12 s)"),
        (view("thinking", 1, None), "infra: thinking (1 turn, 12 s)"),
        (view("", 0, None), "infra: starting (12 s)"),
    ] {
        assert_eq!(line("infra", &view, after), want);
    }
}

#[test]
fn several_are_counted_and_a_single_one_is_not() {
    let after = Duration::from_millis(12_400);
    let step = |number, text: &str| {
        (number, ProgressView { text: text.to_owned(), turns: 2, ..ProgressView::default() })
    };
    for (done, total, steps, want) in [
        (0, 1, vec![], "infra: waiting for a place (12 s)"),
        (0, 1, vec![step(0, "thinking")], "infra: thinking (2 turns, 12 s)"),
        (0, 2, vec![], "0 of 2 done; waiting for a place (12 s)"),
        (0, 2, vec![step(0, "looking"), step(1, "thinking")], "0 of 2 done; web: thinking (2 turns, 12 s)"),
        (1, 2, vec![], "1 of 2 done (12 s)"),
    ] {
        assert_eq!(stands(&["infra", "web"], &Standing { done, total, steps })(after), want);
    }
}

#[test]
fn the_seconds_are_those_of_when_it_is_shown() {
    let (line, seen) = Line::new(waits("infra"));
    let shown = |seconds| (*seen.borrow())(Duration::from_secs(seconds));
    assert_eq!(
        (shown(0), shown(7)),
        ("infra: waiting for a place (0 s)".into(), "infra: waiting for a place (7 s)".into())
    );
    line.step("infra", &ProgressView::default());
    assert_eq!((shown(8), shown(9)), ("infra: starting (8 s)".into(), "infra: starting (9 s)".into()));
}
