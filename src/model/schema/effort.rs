//! How much there is to do to check one value. A part of a schema that is named twice for one value, and again for what is in
//! it, doubles the work with each level of the value: how much it comes to, only the value tells.

use serde_json::{Map, Value};

use crate::model::schema::ways::part_at;

/// Most steps, each a part of the schema that looks at a part of the value: some seconds of work, and enough for millions of
/// plain values.
const STEPS_MAX: u32 = 5_000_000;

/// How deep the steps may lie in each other: each of them takes some of the stack.
const DEPTH_MAX: u32 = 1_000;

/// Returns whether a value can be checked against a schema in bounded time and space.
pub(super) fn is_bounded(schema: &Map<String, Value>, value: &Value) -> bool {
    Effort { root: schema, left: STEPS_MAX, depth: 0 }.take(schema, value)
}

struct Effort<'s> {
    root: &'s Map<String, Value>,
    left: u32,
    depth: u32,
}

impl<'s> Effort<'s> {
    fn take(&mut self, schema: &'s Map<String, Value>, value: &Value) -> bool {
        if self.left == 0 || self.depth == DEPTH_MAX {
            return false;
        }
        self.left -= 1;
        self.depth += 1;
        let taken = schema.iter().all(|(keyword, part)| match (keyword.as_str(), part) {
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter().all(|part| self.part(part, value))
            }
            ("dependentSchemas" | "dependencies", Value::Object(parts)) => {
                parts.values().all(|part| self.part(part, value))
            }
            ("not" | "if" | "then" | "else", part) => self.part(part, value),
            ("$ref" | "$dynamicRef", Value::String(reference)) => {
                part_at(self.root, reference).is_none_or(|part| self.take(part, value))
            }
            ("properties", Value::Object(parts)) => {
                parts.iter().all(|(name, part)| value.get(name).is_none_or(|inner| self.part(part, inner)))
            }
            ("patternProperties", Value::Object(parts)) => {
                parts.values().all(|part| self.each_member(part, value))
            }
            ("additionalProperties" | "unevaluatedProperties" | "propertyNames", part) => {
                self.each_member(part, value)
            }
            ("items" | "prefixItems", Value::Array(parts)) => {
                let items = value.as_array().into_iter().flatten();
                parts.iter().zip(items).all(|(part, inner)| self.part(part, inner))
            }
            ("items" | "additionalItems" | "unevaluatedItems" | "contains", part) => {
                value.as_array().into_iter().flatten().all(|inner| self.part(part, inner))
            }
            _ => true,
        });
        self.depth -= 1;
        taken
    }

    fn part(&mut self, part: &'s Value, value: &Value) -> bool {
        part.as_object().is_none_or(|part| self.take(part, value))
    }

    fn each_member(&mut self, part: &'s Value, value: &Value) -> bool {
        value.as_object().into_iter().flatten().all(|(_, inner)| self.part(part, inner))
    }
}

#[cfg(test)]
mod tests;
