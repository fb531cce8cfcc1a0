//! What fits and what is refused, with the names that were meant.

use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn schema() -> Map<String, Value> {
    object(json!({"properties": {"agent": {}, "timeout_seconds": {}}, "required": ["agent"]}))
}

#[test]
fn every_unknown_and_missing_name_is_told_at_once_with_the_nearest() {
    let report =
        fit("tool", object(json!({"agnet": "a", "timeout": 5, "\u{1b}[2J": 1})), &schema()).unwrap_err();
    assert_eq!(
        report.message,
        "there is no argument `agnet`; did you mean `agent`?; there is no argument `timeout`; \
         there is no argument `\\u{1b}[2J`; `agent` is required and missing"
    );
    assert_eq!(report.hints, ["Valid arguments: agent, timeout_seconds."]);
}
