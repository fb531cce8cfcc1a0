//! Plain schemas: what every client understands. References are written out, numeric formats and null unions dropped.
//!
//! Clients stumble over the rest: ajv-based ones warn of unknown formats on every call, Gemini-backed ones refuse type
//! arrays (google-gemini/gemini-cli issue 21094).

use std::sync::Arc;

#[cfg(test)]
use rmcp::handler::server::router::tool::ToolRouter;
use serde_json::{Map, Value};

/// How deep schemas may refer to each other; ours are flat.
const DEPTH_MAX: usize = 16;

/// Returns the schema of a document, as a tool declares it.
pub(super) fn of<T: schemars::JsonSchema>() -> Arc<Map<String, Value>> {
    Arc::new(written::<T>())
}

/// Returns a schema that either of two documents fits: the keys of both, none required; a key that means different
/// things may be either of them.
pub(super) fn either<A: schemars::JsonSchema, B: schemars::JsonSchema>() -> Arc<Map<String, Value>> {
    let (mut first, second) = (plain(&written::<A>()), plain(&written::<B>()));
    first.remove("required");
    let more = second.get("properties").and_then(Value::as_object).into_iter().flatten();
    if let Some(both) = first.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, schema) in more {
            both.entry(name.clone())
                .and_modify(|known| *known = common(known, schema))
                .or_insert_with(|| schema.clone());
        }
    }
    Arc::new(first)
}

/// Returns what fits either of two schemas of one name; their words do not count.
fn common(one: &Value, other: &Value) -> Value {
    let meaning = |schema: &Value| {
        let mut schema = schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("description");
        }
        schema
    };
    if meaning(one) == meaning(other) { one.clone() } else { serde_json::json!({ "anyOf": [one, other] }) }
}

/// Returns the schema of what is written: keys that may be left out are not required.
fn written<T: schemars::JsonSchema>() -> Map<String, Value> {
    let settings = schemars::generate::SchemaSettings::default().for_serialize();
    match settings.into_generator().into_root_schema_for::<T>().to_value() {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Rewrites the schemas of all tools.
#[cfg(test)]
pub(super) fn make_plain<S>(tools: &mut ToolRouter<S>) {
    for route in tools.map.values_mut() {
        route.attr.description = route.attr.description.as_deref().map(|text| unwrapped(text).into());
        route.attr.input_schema = Arc::new(plain(&route.attr.input_schema));
        route.attr.output_schema = route.attr.output_schema.as_deref().map(|schema| Arc::new(plain(schema)));
    }
}

/// Returns text of a comment without the line breaks that only keep the source narrow; paragraphs stay.
fn unwrapped(text: &str) -> String {
    let paragraphs =
        text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Returns the schema without references, numeric formats, null unions and titles.
fn plain(schema: &Map<String, Value>) -> Map<String, Value> {
    let nothing = Map::new();
    let definitions = schema.get("$defs").and_then(Value::as_object).unwrap_or(&nothing);
    let mut rewritten = rewrite_object(schema, definitions, 0);
    for noise in ["$defs", "$schema", "title"] {
        rewritten.remove(noise);
    }
    // Some clients refuse an object whose properties are not named, even when it has none.
    rewritten.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    rewritten
}

fn rewrite(value: &Value, definitions: &Map<String, Value>, depth: usize) -> Value {
    match value {
        Value::Object(object) => Value::Object(rewrite_object(object, definitions, depth)),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| rewrite(item, definitions, depth)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn rewrite_object(
    object: &Map<String, Value>,
    definitions: &Map<String, Value>,
    depth: usize,
) -> Map<String, Value> {
    let mut plain = Map::new();
    if let Some(target) = object.get("$ref").and_then(Value::as_str).filter(|_| depth < DEPTH_MAX) {
        let name = target.rsplit('/').next().unwrap_or_default();
        if let Some(Value::Object(definition)) = definitions.get(name) {
            plain = rewrite_object(definition, definitions, depth + 1);
            plain.remove("title");
        }
    }
    for (key, value) in object {
        match (key.as_str(), value) {
            ("$ref", _) => {}
            ("format", Value::String(format)) if is_numeric(format) => {}
            ("description", Value::String(text)) => {
                plain.insert(key.clone(), Value::String(unwrapped(text)));
            }
            ("type", Value::Array(kinds)) => {
                let mut kinds = kinds.iter().filter(|kind| kind.as_str() != Some("null"));
                if let Some(kind) = kinds.next() {
                    plain.insert("type".to_owned(), kind.clone());
                }
            }
            ("anyOf", Value::Array(options)) => {
                let mut real =
                    options.iter().filter(|it| it.get("type").and_then(Value::as_str) != Some("null"));
                match (real.next(), real.next()) {
                    (Some(Value::Object(only)), None) => {
                        plain.extend(rewrite_object(only, definitions, depth + 1));
                    }
                    _ => {
                        plain.insert(key.clone(), rewrite(value, definitions, depth));
                    }
                }
            }
            // A property may be called anything, also `format` or `title`.
            ("properties", Value::Object(properties)) => {
                let rewritten = properties
                    .iter()
                    .map(|(name, it)| (name.clone(), spelled_out(rewrite(it, definitions, depth))));
                plain.insert(key.clone(), Value::Object(rewritten.collect()));
            }
            _ => {
                plain.insert(key.clone(), rewrite(value, definitions, depth));
            }
        }
    }
    plain
}

/// Returns a schema that says nothing as one that names everything it allows: strict clients take silence for a mistake.
fn spelled_out(schema: Value) -> Value {
    let mut object = match schema {
        Value::Bool(true) => Map::new(),
        Value::Object(object) if object.keys().all(|key| key == "description") => object,
        other => return other,
    };
    let kinds = ["object", "array", "string", "number", "boolean"];
    let kinds = kinds.map(|kind| serde_json::json!({ "type": kind }));
    object.insert("anyOf".to_owned(), kinds.into_iter().collect());
    Value::Object(object)
}

fn is_numeric(format: &str) -> bool {
    matches!(
        format,
        "uint"
            | "uint8"
            | "uint16"
            | "uint32"
            | "uint64"
            | "int8"
            | "int16"
            | "int32"
            | "int64"
            | "float"
            | "double"
    )
}

#[cfg(test)]
mod tests;
