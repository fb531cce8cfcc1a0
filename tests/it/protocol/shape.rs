//! Whether a value fits a schema, for schemas of the plain kind: `type`, `properties`, `required`, `items`, `enum`, `anyOf`.

use serde_json::{Value, json};

/// Returns where the value does not fit, and why. A property that the schema does not name does not fit either.
pub(crate) fn misfits(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(schema, value, "$", &mut found);
    found
}

fn look(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let fits = match schema["type"].as_str() {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some(other) => panic!("an unknown type: {other}"),
    };
    let choices = schema["anyOf"].as_array();
    if choices.is_some_and(|choices| choices.iter().all(|choice| !misfits(choice, value).is_empty())) {
        found.push(format!("{at}: {value:.100} fits none of {}", schema["anyOf"]));
    }
    if !fits {
        found.push(format!("{at}: {value:.100} is no {}", schema["type"]));
    }
    if schema["enum"].as_array().is_some_and(|choices| !choices.contains(value)) {
        found.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            found.push(format!("{at}: `{name}` is missing"));
        }
    }
    if let (Some(known), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, value) in object {
            match known.get(name) {
                Some(schema) => look(schema, value, &format!("{at}.{name}"), found),
                None => found.push(format!("{at}: `{name}` is not declared")),
            }
        }
    }
    if let (Some(items), Some(array)) = (schema.get("items"), value.as_array()) {
        for (index, value) in array.iter().enumerate() {
            look(items, value, &format!("{at}[{index}]"), found);
        }
    }
}

#[test]
fn misfits_are_found() {
    let schema = json!({
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}},
            "c": {},
            "d": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"e": {"type": "integer"}}}]},
        },
        "required": ["a"],
    });
    for value in
        [json!({"a": 1, "b": ["x"], "c": null}), json!({"a": 1, "d": "x"}), json!({"a": 1, "d": {"e": 1}})]
    {
        assert_eq!(misfits(&schema, &value), Vec::<String>::new());
    }
    for (value, count) in [
        (json!([]), 2),
        (json!({"a": 1.5}), 1),
        (json!({"a": 1, "b": ["z", 1]}), 3),
        (json!({"a": 1, "f": 0}), 1),
        (json!({"a": 1, "d": 0}), 1),
        (json!({"a": 1, "d": {"e": "x"}}), 1),
    ] {
        assert_eq!(misfits(&schema, &value).len(), count, "{value}: {:?}", misfits(&schema, &value));
    }
}
