//! Schemas that pass, schemas that lose a part, schemas that are refused.

use serde_json::json;

use super::*;

fn reduced(schema: &Value) -> Result<(Value, Vec<String>), String> {
    reduce(schema.as_object().unwrap())
        .map(|reduced| (serde_json::from_str(&reduced.schema).unwrap(), reduced.dropped))
}

#[test]
fn what_the_cli_honours_passes_unchanged() {
    let rows = [
        json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "exclusiveMaximum": 2.5}},
            "required": ["n"], "additionalProperties": false, "title": "T", "description": "D"}),
        json!({"type": "object", "properties": {"a": {"type": ["string", "null"], "pattern": "^x", "minLength": 0},
            "b": {"type": "array", "items": {"$ref": "#/$defs/s"}, "maxItems": 3}, "any": true},
            "$defs": {"s": {"enum": ["x", 1, null]}, "tree": {"anyOf": [{"const": {}}, {"$ref": "#"}]}}}),
        json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            "additionalProperties": {"type": "number"}}),
        json!({"type": "object", "properties": {"format": {"type": "string"}, "$schema": {"type": "string"}}}),
    ];
    for schema in rows {
        assert_eq!(reduced(&schema), Ok((schema.clone(), Vec::new())), "{schema}");
    }
}

#[test]
fn the_rest_is_taken_out_and_named_when_it_said_something() {
    let rows = [
        (json!({}), json!({"type": "object"}), vec![]),
        (json!({"type": ["null", "object"]}), json!({"type": "object"}), vec![]),
        (
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "x", "type": "object"}),
            json!({"type": "object"}),
            vec![],
        ),
        (
            json!({"type": "object", "x-extra": 1, "properties": {"d": {"type": "string", "format": "date", "default": ""}}}),
            json!({"type": "object", "properties": {"d": {"type": "string"}}}),
            vec!["/: x-extra", "/properties/d: format"],
        ),
        (
            json!({"type": "object", "properties": {"t": {"type": "array", "prefixItems": [{}], "items": false}}}),
            json!({"type": "object", "properties": {"t": {"type": "array"}}}),
            vec!["/properties/t: prefixItems", "/properties/t: items"],
        ),
        (
            json!({"type": "object", "patternProperties": {"^x": {}}, "additionalProperties": false}),
            json!({"type": "object"}),
            vec!["/: patternProperties", "/: additionalProperties"],
        ),
        (
            json!({"type": "object", "properties": {"a": {"$ref": "#/definitions/s"}}, "definitions": {"s": {}}, "$defs": {"t": {}}}),
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/s"}}, "$defs": {"s": {}, "t": {}}}),
            vec![],
        ),
        (json!({"type": "object", "items": [{}]}), json!({"type": "object"}), vec!["/: items"]),
        // Both branches are the same without it: exactly one could never fit.
        (
            json!({"properties": {"n": {"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]}}}),
            json!({"type": "object", "properties": {"n": {"anyOf": [{}, {}]}}}),
            vec!["/properties/n/oneOf/0: multipleOf", "/properties/n/oneOf/1: multipleOf"],
        ),
        (
            json!({"oneOf": [{}], "anyOf": [{"required": ["a"]}], "not": {}}),
            json!({"type": "object", "anyOf": [{"required": ["a"]}]}),
            vec!["/: oneOf", "/: not"],
        ),
    ];
    for (schema, kept, dropped) in rows {
        let dropped = dropped.into_iter().map(str::to_owned).collect();
        assert_eq!(reduced(&schema), Ok((kept, dropped)), "{schema}");
    }
}

#[test]
fn what_cannot_be_reduced_is_refused_with_the_place() {
    let nested = (0..40).fold(json!({}), |inner, _| json!({"items": inner}));
    let long = "x".repeat(ARGUMENT_BYTES_MAX);
    let rows = [
        (json!({"type": "array"}), "the answer must be an object, not \"array\""),
        (json!({"enum": ["a", "b"]}), "the answer must be an object, not what this schema allows"),
        (json!({"const": 1}), "the answer must be an object"),
        (json!({"$ref": "#/$defs/l", "$defs": {"l": {"type": "array"}}}), "the answer must be an object"),
        (json!({"anyOf": [{"type": "string"}, {"type": ["null", "array"]}]}), "the answer must be an object"),
        (json!({"allOf": [{}, {"type": "number"}]}), "the answer must be an object"),
        (json!({"type": "nonsense"}), "/type must be one of the seven JSON types"),
        (json!({"properties": {"a": {"type": []}}}), "/properties/a/type must be one of"),
        (json!({"properties": []}), "/properties must be an object of schemas"),
        (json!({"properties": {"a": 1}}), "/properties/a is not a schema"),
        (json!({"required": "a"}), "/required must be a list of names"),
        (json!({"required": [1]}), "/required must be a list of names"),
        (json!({"enum": []}), "/enum must be a list of values"),
        (json!({"anyOf": []}), "/anyOf must be a list of schemas"),
        (json!({"minimum": "1"}), "/minimum must be a number"),
        (json!({"exclusiveMinimum": true}), "/exclusiveMinimum must be a number"),
        (
            json!({"properties": {"a": {"minLength": -1}}}),
            "/properties/a/minLength must be a whole number from 0",
        ),
        (json!({"pattern": 1}), "/pattern must be a regular expression"),
        (
            json!({"properties": {"a": {"$ref": "other.json"}}}),
            "/properties/a/$ref must point into this schema",
        ),
        (json!({"properties": {"a": {"$ref": "#/$defs/no"}}}), "\"$ref\": \"#/$defs/no\" leads nowhere"),
        (json!({"properties": {"a": nested}}), "it is nested more than 32 schemas deep"),
        (json!({"description": long}), "it is 100034 bytes long, more than 100000"),
    ];
    for (schema, problem) in rows {
        let refused = reduced(&schema).unwrap_err();
        assert!(refused.starts_with(problem), "expected {problem}, got {refused}");
    }
}

#[test]
fn what_may_be_an_object_is_not_refused() {
    for schema in [
        json!({"enum": ["none", {"port": 1}]}),
        json!({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": ["null", "object"]}}}),
        json!({"$ref": "#"}),
        json!({"anyOf": [{"type": "string"}, {"properties": {"a": {}}}]}),
    ] {
        let (kept, _) = reduced(&schema).unwrap();
        assert_eq!(kept["type"], "object", "{schema}");
    }
}

/// A few parts that lead to each other over and over: gone through one way after the other, it would never end.
#[test]
fn references_that_lead_to_each_other_many_times_are_looked_at_once() {
    let four = |name: &str| json!(vec![json!({"$ref": format!("#/$defs/{name}")}); 4]);
    let circle = json!({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": four("a")}}});
    assert_eq!(reduced(&circle).unwrap().0["type"], "object");
    let mut ladder = json!({"$ref": "#/$defs/n0", "$defs": {"n40": {"type": "array"}}});
    for step in 0..40 {
        ladder["$defs"][format!("n{step}")] = json!({"anyOf": four(&format!("n{}", step + 1))});
    }
    let refused = reduced(&ladder).unwrap_err();
    assert!(refused.starts_with("the answer must be an object"), "{refused}");
}
