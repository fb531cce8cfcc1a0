//! What fits and what is refused, with the type that was meant.

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

fn fit(given: Value) -> Result<Map<String, Value>, String> {
    let mut problems = Vec::new();
    let fitting = fit_within("", object(given), &schema(), &mut problems);
    if problems.is_empty() { Ok(fitting) } else { Err(problems.join("; ")) }
}

#[test]
fn numbers_and_flags_may_come_as_text() {
    let given = json!({"agent": "a", "timeout_seconds": "900", "max_age_days": "0.5", "return_ref": "true"});
    let want = json!({"agent": "a", "timeout_seconds": 900, "max_age_days": 0.5, "return_ref": true});
    assert_eq!(fit(given).unwrap(), object(want));
    let whole = json!({"agent": "a", "timeout_seconds": 900.0, "max_age_days": null, "return_ref": 0});
    let want = json!({"agent": "a", "timeout_seconds": 900, "return_ref": false});
    assert_eq!(fit(whole).unwrap(), object(want));
}

#[test]
fn a_choice_may_be_written_in_capitals_or_left_open() {
    for (given, want) in [
        (json!({"agent": "a", "mode": " Any "}), json!({"agent": "a", "mode": "any"})),
        (json!({"agent": "a", "mode": ""}), json!({"agent": "a"})),
        (json!({"agent": "Any", "mode": null}), json!({"agent": "Any"})),
    ] {
        assert_eq!(fit(given).unwrap(), object(want));
    }
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
        assert_eq!(fit(json!({"agent": "a", name: odd})).unwrap_err(), want);
    }
}

#[test]
fn an_argument_of_several_forms_is_left_to_its_tool() {
    let given = json!({"agent": "a", "response_format": {"type": "object"}});
    assert_eq!(fit(given.clone()).unwrap(), object(given));
}
