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
            "tools": {"Bash": {"count": 2, "millis": 9}},
            "changes": {"branch_before": "main", "branch": "main", "head_before": "a1", "head": "b2", "commits": ["b2"],
                "files": ["src/lib.rs"], "files_total": 70, "incomplete": false}},
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
    assert_eq!((&brief["files_changed_count"], brief.get("files_changed")), (&json!(70), None));
    let full = serde_json::to_value(RecordDocument::full(&entry(&body))).unwrap();
    assert_eq!((&full["details"]["before"], full["hash"].as_str().map(str::len)), (&json!("a"), Some(64)));
    assert_eq!((&full["files_changed"], &full["commits"]), (&json!(["src/lib.rs"]), &json!(["b2"])));
}

#[test]
fn what_cannot_be_read_is_named_all_the_same() {
    let bad = serde_json::to_value(RecordDocument::brief(&entry(&json!("x")))).unwrap();
    assert_eq!((&bad["seq"], &bad["event"]), (&json!(7), &json!("unreadable")));
}

#[test]
fn the_steps_of_a_run_are_bounded_and_without_secrets() {
    let call = |input: String| ToolCall {
        name: "Bash".to_owned(),
        input,
        parent: None,
        start_ms: 5,
        duration_ms: None,
        end: crate::model::CallEnd::Denied,
    };
    let records = || RecordsDocument { records: Vec::new(), more: None };
    let secret = format!("login ghp_{}\n{}", "a1".repeat(18), "x".repeat(400));
    let shown = |count| {
        let calls = vec![call(secret.clone()); count];
        // Of the longest list that is kept, there are fifty more.
        let made = if count == ToolCall::CALLS_MAX { count as u64 + 50 } else { 0 };
        ShownDocument::of(records(), Some((&calls, made)), Vec::new())
    };
    let few = serde_json::to_value(shown(1)).unwrap();
    let on = few["calls"][0]["on"].as_str().unwrap();
    assert!(on.starts_with("login [redacted") && !on.contains('\n'), "{on}");
    assert!(on.chars().count() <= CALL_CHARS + 1, "{on}");
    assert_eq!((&few["calls"][0]["end"], &few["calls_left_out"]), (&json!("denied"), &Value::Null));
    let many = serde_json::to_value(shown(ToolCall::CALLS_MAX)).unwrap();
    assert_eq!((many["calls"].as_array().map(Vec::len), &many["calls_left_out"]), (Some(100), &json!(150)));
    assert!(many.to_string().len() < 30_000, "{}", many.to_string().len());
    let none = serde_json::to_value(ShownDocument::of(records(), None, Vec::new())).unwrap();
    assert_eq!(none.get("calls"), None);
}
