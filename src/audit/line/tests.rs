//! A line says what its record says, wherever that stands in it.

use super::*;

#[test]
fn a_line_is_read_wherever_its_fields_stand() {
    let event = |body: &str| Line::read(body.as_bytes()).map(|line| line.event);
    assert_eq!(event(r#"{"event":"hit","time":"2026-11-21T10:00:00.000Z"}"#), Some(Code::Hit));
    assert_eq!(event(r#"{"time":"2026-11-21T10:00:00.000Z","event":"hit"}"#), Some(Code::Hit));
    assert_eq!(event(r#"{"event":"gc","time":"2026-11-21T10:00:00.000Z"}"#), None);
    assert_eq!(event(r#"{"time":"2026-11-21T10:00:00.000Z","event":"gc"}"#), None);
    assert_eq!(event(r#"{"time":"2026-11-21T10:00:00.000Z","event":"hit""#), None);
    assert_eq!(event("not json"), None);
}

#[test]
fn texts_are_not_copied_unless_something_in_them_is_escaped() {
    let body =
        r#"{"time":"2026-11-21T10:00:00.000Z","event":"hit","agent":"docs","caller":{"client":"a\n b"}}"#;
    let line = Line::read(body.as_bytes()).unwrap();
    assert!(matches!(line.agent, Some(Text(Cow::Borrowed("docs")))));
    assert_eq!(line.caller(), Some(("a\n", None)));
}

#[test]
fn what_is_no_id_and_no_sum_says_nothing() {
    let body = |end: &str| {
        format!(
            r#"{{"event":"finished","time":"2026-11-21T10:00:00Z","dispatch":"x","end":{{"success":true,{end}}}}}"#
        )
    };
    let wrong = body(r#""cost_usd":-1,"duration_ms":1000000000"#);
    let line = Line::read(wrong.as_bytes()).unwrap();
    assert_eq!((line.dispatch(), line.cost_usd(), line.millis()), (None, None, None));
    let right = body(r#""cost_usd":2.5,"duration_ms":7"#);
    let line = Line::read(right.as_bytes()).unwrap();
    assert_eq!((line.cost_usd(), line.millis(), line.failure()), (Some(2.5), Some(7), None));
    // An answer from the cache cost nothing and took no time, whatever its record says.
    let hit = right.replace("finished", "hit");
    let line = Line::read(hit.as_bytes()).unwrap();
    assert_eq!((line.cost_usd(), line.millis()), (None, None));
}
