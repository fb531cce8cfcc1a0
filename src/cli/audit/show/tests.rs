//! What is a number of a record, and that a record is shown whatever it holds.

use super::*;
use crate::audit::chain::Head;
use crate::document::audit::document;
use crate::model::Digest;

fn entry(body: &str) -> AuditEntry {
    AuditEntry { head: Head { seq: 7, hash: Digest::ZERO }, body: body.to_owned() }
}

#[test]
fn numbers_are_told_from_ids() {
    for (text, want) in [
        ("7", Some(7)),
        (" 1234567890 ", Some(1_234_567_890)),
        ("0", None),
        ("01976543", None),
        ("0197a3f2", None),
        ("+7", None),
        ("", None),
    ] {
        assert_eq!(number(text), want, "{text}");
    }
}

#[test]
fn a_record_is_its_place_and_what_it_says() {
    let body =
        r#"{"time":"2026-11-21T10:15:00.000Z","event":"refused","agent":"infra","reason":"no\u001b[2J"}"#;
    let hash = "0".repeat(64);
    let want = serde_json::json!({
        "seq": 7, "hash": hash, "time": "2026-11-21T10:15:00.000Z", "event": "refused", "agent": "infra",
        "reason": "no\u{1b}[2J",
    });
    assert_eq!(Value::Object(document(&entry(body))), want);
    let text = told(&entry(body), false, Timestamp::from_millis(0));
    assert!(text.starts_with("record                    7 refused\n"), "{text}");
    assert!(text.ends_with("agent                     infra\nreason                    no\n"), "{text}");
    let beside_job = told(&entry(body), true, Timestamp::from_millis(0));
    assert!(!beside_job.contains("infra") && beside_job.contains("reason"), "{beside_job}");
}

#[test]
fn a_record_that_cannot_be_read_is_shown_all_the_same() {
    let bad = entry("not\njson");
    assert_eq!(document(&bad)["unreadable"], "not\njson");
    let text = told(&bad, false, Timestamp::from_millis(0));
    assert!(text.ends_with("    not\n    json\n"), "{text}");
}
