//! Schemas as people write them, and those that nobody can go through.

use serde_json::json;

use super::*;

fn fits(schema: &Value) -> bool {
    problem(schema.as_object().unwrap()).is_none()
}

/// A schema whose parts each name the next so many times over.
fn ladder(steps: usize, keyword: &str, times: usize) -> Value {
    let next = |step: usize| json!(vec![json!({"$ref": format!("#/$defs/n{step}")}); times]);
    let mut schema = json!({"$defs": {}});
    for step in 0..steps {
        schema["$defs"][format!("n{step}")] = json!({keyword: next(step + 1)});
    }
    schema
}

#[test]
fn what_people_write_can_be_gone_through() {
    let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {"properties": {
        "left": {"$ref": "#/$defs/node"}, "right": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    }}}});
    let many = json!({"oneOf": vec![json!({"properties": {"kind": {"const": "x"}}}); 1000]});
    for schema in [json!({}), tree, many, ladder(200, "allOf", 1), ladder(10, "anyOf", 2)] {
        assert!(fits(&schema), "{schema}");
    }
}

#[test]
fn what_is_named_over_and_over_cannot() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        assert!(!fits(&ladder(40, keyword, 2)), "{keyword}");
    }
    let inside = json!({"properties": {"a": {"items": ladder(40, "allOf", 2)["$defs"]["n0"]}},
        "$defs": ladder(40, "allOf", 2)["$defs"]});
    assert!(!fits(&inside));
}

#[test]
fn what_leads_too_far_cannot_wherever_the_count_begins() {
    for steps in [300, 100_000] {
        let mut schema = ladder(steps, "allOf", 1);
        assert!(!fits(&schema), "{steps}");
        schema["properties"] = json!({"a": {"$ref": "#/$defs/n0"}});
        assert!(!fits(&schema), "{steps}");
    }
}

#[test]
fn what_leads_back_to_itself_cannot_unless_a_value_lies_between() {
    let four = vec![json!({"$ref": "#/$defs/a"}); 4];
    let pair =
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
    let inside =
        json!({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}});
    for schema in [json!({"$ref": "#"}), json!({"$defs": {"a": {"allOf": four}}}), pair, inside] {
        let told = problem(schema.as_object().unwrap()).unwrap();
        assert!(told.contains("back to itself"), "{schema}: {told}");
    }
    assert!(fits(&json!({"properties": {"a": {"$ref": "#"}}})));
    assert!(fits(&json!({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"})));
}
