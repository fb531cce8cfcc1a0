//! Values that are checked, and those that would take for ever.

use serde_json::json;

use super::*;

fn bounded(schema: &Value, value: &Value) -> bool {
    is_bounded(schema.as_object().unwrap(), value)
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!({}), |inner, _| json!({"a": inner}))
}

#[test]
fn what_people_write_is_checked_whatever_its_size() {
    let tree = json!({"properties": {"a": {"$ref": "#"}, "b": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}});
    assert!(bounded(&tree, &nested(120)));
    let list = json!({"properties": {"l": {"items": {"oneOf": [{"type": "integer"}, {"type": "string"}]}}}});
    assert!(bounded(&list, &json!({"l": vec![1; 1_000_000]})));
    let open = json!({"additionalProperties": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "object"}}});
    assert!(bounded(&open, &nested(3)));
}

#[test]
fn what_doubles_with_each_level_of_the_value_is_not() {
    let again = json!({"properties": {"a": {"$ref": "#"}}});
    let schema = json!({"allOf": [again, again]});
    assert!(bounded(&schema, &nested(10)));
    assert!(!bounded(&schema, &nested(60)));
    let items = json!({"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]});
    assert!(!bounded(&items, &(0..60).fold(json!([]), |inner, _| json!([inner]))));
}

#[test]
fn what_leads_in_a_circle_is_not() {
    assert!(!bounded(&json!({"$ref": "#"}), &json!({})));
    let pair =
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
    assert!(!bounded(&pair, &json!({})));
}
