//! Schemas that are none, and values that do not fit, each with the place that is named.

use serde_json::json;

use super::*;

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn a_schema_that_is_none_is_told_from_one_that_is() {
    for (schema, problem) in [
        (json!({"type": "object", "properties": {"n": {"type": "integer"}}}), None),
        (json!({}), None),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}), None),
        (json!({"type": "array", "items": [{"type": "string"}]}), None),
        (
            json!({"definitions": {"a": {"type": "null"}}, "properties": {"x": {"$ref": "#/definitions/a"}}}),
            None,
        ),
        (json!({"properties": {"n": {"type": "intege"}}}), Some("at /properties/n/type")),
        (json!({"required": "n"}), Some("at /required")),
        (json!({"minimum": "3"}), Some("at /minimum")),
        (json!({"properties": {"a": {"pattern": "("}}}), Some("/properties/a/pattern")),
        (json!({"$ref": "#/$defs/missing"}), Some("missing")),
        (json!({"$ref": "https://example.com/x.json"}), Some("only what the schema itself contains")),
        (json!({"$ref": "file:///etc/hostname"}), Some("only what the schema itself contains")),
        (json!({"$schema": "https://example.com/own"}), Some("only what the schema itself contains")),
    ] {
        match (check(&object(&schema)), problem) {
            (Ok(()), None) => {}
            (Err(told), Some(problem)) => assert!(told.contains(problem), "{schema}: {told}"),
            (got, want) => panic!("{schema}: {got:?}, expected {want:?}"),
        }
    }
}

#[test]
fn a_value_that_does_not_fit_is_told_by_its_places() {
    let person = json!({
        "type": "object", "required": ["name"], "additionalProperties": false,
        "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0},
            "tags": {"items": {"type": "string"}}},
    });
    let choice = json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]});
    let old = json!({"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"m": {"format": "email"}}});
    let nested = json!({"properties": {"child": {"$ref": "#"}}, "required": ["id"]});
    for (schema, value, places) in [
        (&person, json!({"name": "x", "age": 3, "tags": []}), &[][..]),
        (
            &person,
            json!({"age": -1}),
            &["at /: missing properties 'name'", "at /age: must be >=0, but got -1"],
        ),
        (
            &person,
            json!({"name": "", "tags": ["a", 3]}),
            &["at /name: length", "at /tags/1: want string, but got number"],
        ),
        (&person, json!({"name": "x", "more": 1}), &["at /: additionalProperties 'more' not allowed"]),
        (&person, json!([]), &["at /: want object, but got array"]),
        (
            &choice,
            json!({"c": 1}),
            &["at /: fits none of the alternatives (at /: missing properties 'a', or at /: missing"],
        ),
        (&choice, json!({"b": 1}), &[]),
        (&old, json!({"m": "nobody"}), &["at /m: 'nobody' is not valid email"]),
        (
            &nested,
            json!({"id": 1, "child": {"id": 2, "child": {}}}),
            &["at /child/child: missing properties 'id'"],
        ),
    ] {
        let mut told = misfits(&object(schema), &value).unwrap();
        told.sort();
        assert_eq!(told.len(), places.len(), "{value}: {told:?}");
        for (told, place) in told.iter().zip(places) {
            assert!(told.starts_with(place), "{value}: {told}, expected {place}");
        }
    }
}

#[test]
fn no_more_than_the_first_places_are_named() {
    let schema = object(&json!({"items": {"type": "string"}}));
    let told = misfits(&schema, &json!(vec![1; 1000])).unwrap();
    assert_eq!(told.len(), PLACES_MAX);
}
