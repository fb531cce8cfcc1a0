//! What is a `traceparent`, what only looks like one, and the spans of runs.

use super::*;

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_header_is_read_and_written_the_same() {
    for text in [GIVEN, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"] {
        assert_eq!(text.parse::<TraceParent>().unwrap().to_string(), text);
    }
    let later = format!("01{}-what.comes.later", &GIVEN[2..]);
    assert_eq!(later.parse::<TraceParent>().unwrap().to_string(), GIVEN);
}

#[test]
fn everything_else_is_refused() {
    let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
    let rows = [
        "",
        "00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1\n1",
        &zero_trace,
    ];
    for text in rows {
        assert_eq!(text.parse::<TraceParent>(), Err(BadTrace), "{text}");
    }
}

#[test]
fn a_run_is_a_new_span_of_its_callers_trace_or_of_its_own() {
    let job: JobId = "0197a3f2c4d17b3e8000000000000001".parse().unwrap();
    let own = TraceParent::of_run(None, job);
    assert_eq!(own.to_string(), "00-0197a3f2c4d17b3e8000000000000001-8000000000000001-01");
    let caller: TraceParent = GIVEN.parse().unwrap();
    let inside = TraceParent::of_run(Some(caller), job);
    assert_eq!(inside.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-8000000000000001-01");
    assert!(inside.is_beside(&caller) && !inside.is_beside(&own));
}
