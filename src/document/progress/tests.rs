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
