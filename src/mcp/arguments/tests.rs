//! What fits and what is refused, with the name that was meant.

use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn schema() -> Map<String, Value> {
    object(json!({
        "properties": {
            "agent": {"type": "string"},
            "timeout_seconds": {"type": "integer"},
            "max_age_days": {"type": "number"},
            "return_ref": {"type": "boolean"},
            "mode": {"type": "string", "enum": ["all", "any"]},
            "response_format": {"type": "string"},
        },
        "required": ["agent"],
    }))
}

#[test]
fn numbers_and_flags_may_come_as_text() {
    let given = json!({"agent": "a", "timeout_seconds": "900", "max_age_days": "0.5", "return_ref": "true"});
    let want = json!({"agent": "a", "timeout_seconds": 900, "max_age_days": 0.5, "return_ref": true});
    assert_eq!(fit("tool", object(given), &schema()).unwrap(), object(want));
    let whole = json!({"agent": "a", "timeout_seconds": 900.0, "max_age_days": null, "return_ref": 0});
    let want = json!({"agent": "a", "timeout_seconds": 900, "return_ref": false});
    assert_eq!(fit("tool", object(whole), &schema()).unwrap(), object(want));
}

#[test]
fn what_has_the_wrong_type_is_named() {
    for (name, odd, want) in [
        ("timeout_seconds", json!("soon"), "`timeout_seconds` is \"soon\", not a whole number"),
        ("timeout_seconds", json!(900.5), "`timeout_seconds` is 900.5, not a whole number"),
        ("timeout_seconds", json!(u64::MAX), "`timeout_seconds` is 18446744073709551615, not a whole number"),
        ("max_age_days", json!("NaN"), "`max_age_days` is \"NaN\", not a number"),
        ("return_ref", json!(2), "`return_ref` is 2, not true or false"),
        ("agent", json!(["a"]), "`agent` is [\"a\"], not a text"),
        ("mode", json!("some"), "`mode` is \"some\", not one of: all, any"),
        ("mode", json!(1), "`mode` is 1, not a text"),
    ] {
        let given = object(json!({"agent": "a", name: odd}));
        assert_eq!(fit("tool", given, &schema()).unwrap_err().message, want);
    }
}

#[test]
fn an_argument_of_several_forms_is_left_to_its_tool() {
    let given = object(json!({"agent": "a", "response_format": {"type": "object"}}));
    assert_eq!(fit("tool", given.clone(), &schema()).unwrap(), given);
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
    assert_eq!(
        report.hints,
        ["Valid arguments: agent, timeout_seconds, max_age_days, return_ref, mode, response_format."]
    );
}
