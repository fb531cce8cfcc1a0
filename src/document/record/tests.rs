//! Records for the model say what matters, in bounds.

use serde_json::{Value, json};

use super::*;
use crate::audit::chain::Head;
use crate::model::Digest;

fn entry(body: &Value) -> AuditEntry {
    AuditEntry { head: Head { seq: 7, hash: Digest::ZERO }, body: body.to_string() }
}

#[test]
fn a_record_is_flat_short_and_without_secrets() {
    let body = json!({
        "time": "2026-11-21T10:00:00.000Z", "event": "finished", "dispatch": "d", "agent": "infra",
        "caller": {"client": "cli", "session": null, "directory": null, "pid": 1, "declared": "nightly", "parent": null,
            "depth": 0},
        "reason": format!("token ghp_{}\u{1b}[2J {}", "a1".repeat(18), "x".repeat(400)),
        "end": {"success": false, "error_type": "timeout", "duration_ms": 5, "cost_usd": 0.5,
            "tools": {"Bash": {"count": 2, "millis": 9}}},
        "details": {"before": "a"},
    });
    let brief = serde_json::to_value(RecordDocument::brief(&entry(&body))).unwrap();
    let reason = brief["reason"].as_str().unwrap();
    assert!(
        reason.chars().count() <= BRIEF_CHARS + 1 && !reason.contains("ghp_a1") && !reason.contains('\u{1b}')
    );
    assert_eq!((&brief["caller"], &brief["error_type"]), (&json!("nightly"), &json!("timeout")));
    assert_eq!((&brief["tools"], &brief["duration_ms"]), (&json!({"Bash": 2}), &json!(5)));
    assert!(brief.get("hash").is_none() && brief.get("details").is_none());
    let full = serde_json::to_value(RecordDocument::full(&entry(&body))).unwrap();
    assert_eq!((&full["details"]["before"], full["hash"].as_str().map(str::len)), (&json!("a"), Some(64)));
}

#[test]
fn what_cannot_be_read_is_named_all_the_same() {
    let bad = serde_json::to_value(RecordDocument::brief(&entry(&json!("x")))).unwrap();
    assert_eq!((&bad["seq"], &bad["event"]), (&json!(7), &json!("unreadable")));
}
