//! Reduces a JSON Schema to what `claude --json-schema` honours.
//!
//! The CLI ignores the whole schema without a word when its validator does not like a part of it - any `format`, any
//! unknown keyword, another draft - or when the value is not an object. So everything outside the subset that was seen to
//! work is taken out, and what cannot be expressed in it is refused before a run is paid for.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::schema::target;
use crate::plan::arguments::ARGUMENT_BYTES_MAX;

/// A schema that the CLI honours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced {
    /// The schema, as JSON text.
    pub schema: String,
    /// Constraints that were taken out, as `path: keyword`: the CLI does not check them.
    pub dropped: Vec<String>,
}

/// Deepest nesting of schemas in a schema.
const DEPTH_MAX: usize = 32;

/// Keywords that say nothing about the value: dropped without being mentioned.
const SILENT: [&str; 10] = [
    "$schema",
    "$id",
    "id",
    "$comment",
    "$anchor",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
];

/// Reduces `schema`, or says why it cannot be.
pub fn reduce(schema: &Map<String, Value>) -> Result<Reduced, String> {
    let mut work = Work::default();
    let mut root = work.object(schema, "", 0)?;
    if !work.dropped.is_empty() {
        // Without what was dropped, branches that exclude each other may be the same.
        work = Work { any_of_one: true, ..Work::default() };
        root = work.object(schema, "", 0)?;
    }
    let refused = |found: &str| {
        Err(format!(
            "the answer must be an object, not {found}: wrap it, such as \
             {{\"type\":\"object\",\"properties\":{{\"value\":...}},\"required\":[\"value\"]}}"
        ))
    };
    match root.get("type") {
        None if !Objects::of(&root).fit(&root) => return refused("what this schema allows"),
        None => {
            root.insert("type".to_owned(), Value::from("object"));
        }
        Some(Value::String(kind)) if kind == "object" => {}
        Some(Value::Array(kinds)) if kinds.iter().any(|kind| kind == "object") => {
            root.insert("type".to_owned(), Value::from("object"));
        }
        Some(other) => return refused(&other.to_string()),
    }
    let root = Value::Object(root);
    for reference in work.references {
        let pointer = reference.strip_prefix('#').unwrap_or(&reference);
        if root.pointer(pointer).is_none() {
            return Err(format!("\"$ref\": {reference:?} leads nowhere"));
        }
    }
    let schema = root.to_string();
    if schema.len() > ARGUMENT_BYTES_MAX {
        let bytes = schema.len();
        return Err(format!("it is {bytes} bytes long, more than {ARGUMENT_BYTES_MAX}"));
    }
    Ok(Reduced { schema, dropped: work.dropped })
}

/// Which parts of a schema an object can fit, as far as their types and values tell.
struct Objects<'s> {
    root: &'s Map<String, Value>,
    /// What is known of the parts that references lead to. Each is looked at once: a few that lead to each other many
    /// times over make more ways than anybody can go.
    known: BTreeMap<&'s str, bool>,
}

impl<'s> Objects<'s> {
    const fn of(root: &'s Map<String, Value>) -> Self {
        Self { root, known: BTreeMap::new() }
    }

    fn fit(&mut self, schema: &'s Map<String, Value>) -> bool {
        schema.iter().all(|(keyword, value)| match (keyword.as_str(), value) {
            ("type", Value::String(kind)) => kind == "object",
            ("type" | "enum", Value::Array(items)) => {
                items.iter().any(|item| item.is_object() || item == "object" && keyword == "type")
            }
            ("const", value) => value.is_object(),
            ("anyOf" | "oneOf", Value::Array(parts)) => parts.iter().any(|part| self.fit_part(part)),
            ("allOf", Value::Array(parts)) => parts.iter().all(|part| self.fit_part(part)),
            ("$ref", Value::String(reference)) => self.fit_reference(reference),
            _ => true,
        })
    }

    fn fit_part(&mut self, part: &'s Value) -> bool {
        part.as_object().is_none_or(|part| self.fit(part))
    }

    fn fit_reference(&mut self, reference: &'s str) -> bool {
        if let Some(known) = self.known.get(reference) {
            return *known;
        }
        // What leads in a circle says nothing.
        self.known.insert(reference, true);
        let fits = target(self.root, reference).is_none_or(|part| self.fit_part(part));
        self.known.insert(reference, fits);
        fits
    }
}

#[derive(Default)]
struct Work {
    dropped: Vec<String>,
    references: Vec<String>,
    /// Whether one of several branches is made any of them.
    any_of_one: bool,
}

impl Work {
    fn schema(&mut self, value: &Value, path: &str, depth: usize) -> Result<Value, String> {
        match value {
            Value::Object(map) => self.object(map, path, depth).map(Value::Object),
            Value::Bool(_) => Ok(value.clone()),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(format!("{} is not a schema", place(path)))
            }
        }
    }

    fn object(
        &mut self,
        map: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Result<Map<String, Value>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} schemas deep"));
        }
        // Without the patterns or the first items the first two would forbid what the schema allows; of the last, there is one.
        let rivals = [
            ("additionalProperties", map.contains_key("patternProperties")),
            ("items", map.contains_key("prefixItems")),
            ("oneOf", self.any_of_one && map.contains_key("anyOf")),
        ];
        let drops_rest: Vec<&str> =
            rivals.into_iter().filter_map(|(keyword, drops)| drops.then_some(keyword)).collect();
        let mut out = Map::new();
        for (keyword, value) in map {
            let below = format!("{path}/{keyword}");
            match self.keyword(keyword, value, &below, depth)? {
                Some((known, value)) if !drops_rest.contains(&keyword.as_str()) => {
                    merge(&mut out, known, value);
                }
                None if SILENT.contains(&keyword.as_str()) => {}
                Some(_) | None => self.dropped.push(format!("{}: {keyword}", place(path))),
            }
        }
        Ok(out)
    }

    /// Returns the keyword and its value as the CLI takes them, or nothing when it does not know the keyword.
    fn keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        path: &str,
        depth: usize,
    ) -> Result<Option<(String, Value)>, String> {
        let wrong = |wanted: &str| Err(format!("{path} must be {wanted}"));
        let kept = match keyword {
            "title" | "description" => value.is_string().then(|| value.clone()),
            "enum" => match value.as_array() {
                Some(values) if !values.is_empty() => Some(value.clone()),
                Some(_) | None => return wrong("a list of values"),
            },
            "const" => Some(value.clone()),
            "type" if is_type(value) => Some(value.clone()),
            "type" => return wrong("one of the seven JSON types, or a list of them"),
            "required" if is_list_of_texts(value) => Some(value.clone()),
            "required" => return wrong("a list of names"),
            "pattern" if value.is_string() => Some(value.clone()),
            "pattern" => return wrong("a regular expression"),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" if value.is_number() => {
                Some(value.clone())
            }
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => return wrong("a number"),
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
                if value.is_u64() =>
            {
                Some(value.clone())
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
                return wrong("a whole number from 0");
            }
            "properties" | "$defs" | "definitions" => Some(self.named(value, path, depth)?),
            // A list of schemas is draft-07's form of `prefixItems`.
            "items" if value.is_array() => None,
            "items" | "additionalProperties" => Some(self.schema(value, path, depth + 1)?),
            "anyOf" | "oneOf" | "allOf" => Some(self.list(value, path, depth)?),
            "$ref" => Some(self.reference(value, path)?),
            _ => None,
        };
        let keyword = match keyword {
            "definitions" => "$defs",
            "oneOf" if self.any_of_one => "anyOf",
            other => other,
        };
        Ok(kept.map(|value| (keyword.to_owned(), value)))
    }

    fn named(&mut self, value: &Value, path: &str, depth: usize) -> Result<Value, String> {
        let Value::Object(schemas) = value else {
            return Err(format!("{path} must be an object of schemas"));
        };
        let mut out = Map::new();
        for (name, schema) in schemas {
            out.insert(name.clone(), self.schema(schema, &format!("{path}/{name}"), depth + 1)?);
        }
        Ok(Value::Object(out))
    }

    fn list(&mut self, value: &Value, path: &str, depth: usize) -> Result<Value, String> {
        let Some(schemas) = value.as_array().filter(|schemas| !schemas.is_empty()) else {
            return Err(format!("{path} must be a list of schemas"));
        };
        let reduced = schemas
            .iter()
            .enumerate()
            .map(|(index, schema)| self.schema(schema, &format!("{path}/{index}"), depth + 1));
        reduced.collect::<Result<Vec<_>, _>>().map(Value::Array)
    }

    fn reference(&mut self, value: &Value, path: &str) -> Result<Value, String> {
        let text = value.as_str().unwrap_or_default();
        if text != "#" && !text.starts_with("#/") {
            return Err(format!("{path} must point into this schema, such as \"#/$defs/name\""));
        }
        let text = text.replacen("#/definitions/", "#/$defs/", 1);
        self.references.push(text.clone());
        Ok(Value::from(text))
    }
}

/// Adds a keyword; `definitions` and `$defs` of one schema become one.
fn merge(out: &mut Map<String, Value>, keyword: String, value: Value) {
    match (out.get_mut(&keyword), value) {
        (Some(Value::Object(there)), Value::Object(more)) => there.extend(more),
        (_, value) => {
            out.insert(keyword, value);
        }
    }
}

fn place(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

fn is_list_of_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

fn is_type(value: &Value) -> bool {
    let known = |kind: &Value| {
        let names = ["object", "array", "string", "number", "integer", "boolean", "null"];
        kind.as_str().is_some_and(|kind| names.contains(&kind))
    };
    match value {
        Value::Array(kinds) => !kinds.is_empty() && kinds.iter().all(known),
        kind => known(kind),
    }
}

#[cfg(test)]
mod tests;
