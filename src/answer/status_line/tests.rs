//! Last lines that are a verdict and last lines that are not.

use super::*;

#[test]
fn a_verdict_alone_is_lifted_from_the_answer() {
    use Outcome::{Blocked, Done, Partial};
    let rows = [
        ("All good.\n\nSTATUS: done", Some(Done), "All good."),
        ("All good.\nSTATUS: done\n\n  \n", Some(Done), "All good."),
        ("x\n**STATUS: partial**", Some(Partial), "x"),
        ("x\n**Status:** `blocked`.", Some(Blocked), "x"),
        ("x\n  _STATUS_ :  DONE!", Some(Done), "x"),
        ("x\r\nSTATUS: done\r\n", Some(Done), "x"),
        ("STATUS: done", Some(Done), ""),
        ("x\nSTATUS:done", Some(Done), "x"),
    ];
    for (answer, outcome, rest) in rows {
        assert_eq!(lift(answer), (outcome, rest), "{answer:?}");
    }
}

#[test]
fn a_verdict_with_a_reason_stays_in_the_answer() {
    use Outcome::{Blocked, Partial};
    let rows =
        [("x\nSTATUS: blocked - no network", Blocked), ("x\nSTATUS: partial, two tests fail\n", Partial)];
    for (answer, outcome) in rows {
        assert_eq!(lift(answer), (Some(outcome), answer));
    }
}

#[test]
fn everything_else_is_no_verdict() {
    let rows = [
        "",
        "\n \n",
        "x\nSTATUS: finished",
        "x\nSTATUS: doneness",
        "x\nSTATUS done",
        "x\n## STATUS: done",
        "x\n- STATUS: done",
        "x\nTHE STATUS: done",
        "x\nSTATUSES: done",
        "STATUS: done\nand more",
        "x\nSTATUS: żółw",
        "x\nżółw",
    ];
    for answer in rows {
        assert_eq!(lift(answer), (None, answer), "{answer:?}");
    }
}
