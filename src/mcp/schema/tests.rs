//! What is rewritten, and what is left alone.

use serde_json::json;

use super::*;

#[test]
fn references_formats_and_null_unions_go() {
    let rich = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Args",
        "type": "object",
        "properties": {
            "mode": {"$ref": "#/$defs/Mode", "description": "how"},
            "count": {"type": ["integer", "null"], "format": "uint32", "minimum": 0},
            "inner": {"anyOf": [{"$ref": "#/$defs/Mode"}, {"type": "null"}]},
            "format": {"type": "string", "description": "one\nline\n\nand  another"},
        },
        "$defs": {"Mode": {"title": "Mode", "type": "string", "enum": ["all", "any"]}},
    });
    let want = json!({
        "type": "object",
        "properties": {
            "mode": {"type": "string", "enum": ["all", "any"], "description": "how"},
            "count": {"type": "integer", "minimum": 0},
            "inner": {"type": "string", "enum": ["all", "any"]},
            "format": {"type": "string", "description": "one line\n\nand another"},
        },
    });
    assert_eq!(Value::Object(plain(rich.as_object().unwrap())), want);
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let endless = json!({"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}}}});
    plain(endless.as_object().unwrap());
}

#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Job {
    /// Its name.
    id: String,
    result: Answer,
}

#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Answer {
    /// The job's name.
    id: String,
    result: String,
    cost: f64,
}

#[test]
fn either_of_two_documents_fits_the_schema_of_both() {
    let want = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Its name."},
            "result": {"anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "description": "The job's name."},
                        "result": {"type": "string"},
                        "cost": {"type": "number"},
                    },
                    "required": ["id", "result", "cost"],
                },
                {"type": "string"},
            ]},
            "cost": {"type": "number"},
        },
    });
    assert_eq!(Value::Object(plain(&either::<Job, Answer>())), want);
}
