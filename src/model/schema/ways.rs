//! How many ways lead through the parts of a schema that look at one and the same value. Whoever checks the value goes all
//! of them: a few parts that refer to each other over and over make more than anybody can go.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Most ways from one part of a schema: far more than schemas have that people write, and gone in no time.
const WAYS_MAX: u64 = 10_000;

/// Longest way, in parts: each of them takes some of the stack.
const LENGTH_MAX: u64 = 500;

/// Returns whether each part of a schema can be checked in bounded time and space.
pub(super) fn can_be_gone(schema: &Map<String, Value>) -> bool {
    let mut ways = Ways { root: schema, known: BTreeMap::new(), length: 0 };
    let mut parts: Vec<&Value> = schema.values().collect();
    let mut fits = ways.through(schema).are_few();
    while let Some(part) = parts.pop().filter(|_| fits) {
        match part {
            Value::Object(part) => {
                fits = ways.through(part).are_few();
                parts.extend(part.values());
            }
            Value::Array(items) => parts.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    fits
}

/// Returns the part of a schema that a reference leads to, if it is a place in the schema.
pub fn target<'s>(root: &'s Map<String, Value>, reference: &str) -> Option<&'s Value> {
    let mut names = reference.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
    let first = root.get(&names.next()?)?;
    names.try_fold(first, |at, name| at.get(&name))
}

/// How many ways there are, and how long the longest is.
#[derive(Clone, Copy)]
struct Count {
    ways: u64,
    longest: u64,
}

impl Count {
    const ONE: Self = Self { ways: 1, longest: 1 };
    const TOO_MANY: Self = Self { ways: u64::MAX, longest: u64::MAX };

    const fn are_few(self) -> bool {
        self.ways <= WAYS_MAX && self.longest <= LENGTH_MAX
    }

    fn and(self, other: Self) -> Self {
        Self { ways: self.ways.saturating_add(other.ways), longest: self.longest.max(other.longest) }
    }
}

struct Ways<'s> {
    root: &'s Map<String, Value>,
    /// What there is behind references.
    known: BTreeMap<&'s str, Count>,
    /// How far it is from where the count began.
    length: u64,
}

impl<'s> Ways<'s> {
    fn through(&mut self, schema: &'s Map<String, Value>) -> Count {
        if self.length > LENGTH_MAX {
            return Count::TOO_MANY;
        }
        self.length += 1;
        let behind = schema.iter().fold(Count { ways: 0, longest: 0 }, |count, (keyword, value)| {
            match (keyword.as_str(), value) {
                ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => self.all(count, parts),
                ("dependentSchemas" | "dependencies", Value::Object(parts)) => {
                    self.all(count, parts.values())
                }
                ("not" | "if" | "then" | "else", part) => self.all(count, [part]),
                ("$ref" | "$dynamicRef", Value::String(reference)) => count.and(self.behind(reference)),
                _ => count,
            }
        });
        self.length -= 1;
        Count { ways: behind.ways.saturating_add(1), longest: behind.longest.saturating_add(1) }
    }

    fn all(&mut self, count: Count, parts: impl IntoIterator<Item = &'s Value>) -> Count {
        let parts = parts.into_iter().filter_map(Value::as_object);
        parts.fold(count, |count, part| count.and(self.through(part)))
    }

    fn behind(&mut self, reference: &'s str) -> Count {
        if let Some(known) = self.known.get(reference) {
            return *known;
        }
        // What leads in a circle is noticed by whoever checks a value.
        self.known.insert(reference, Count::ONE);
        let count = match target(self.root, reference) {
            Some(Value::Object(part)) => self.through(part),
            Some(_) | None => Count::ONE,
        };
        self.known.insert(reference, count);
        count
    }
}

#[cfg(test)]
mod tests;
