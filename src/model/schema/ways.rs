//! How many ways lead through the parts of a schema that look at one and the same value. Whoever checks the value goes all
//! of them: a few parts that refer to each other over and over make more than anybody can go.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Most ways from one part of a schema: far more than schemas have that people write, and gone in no time.
const WAYS_MAX: u64 = 10_000;

/// Longest way, in parts: each of them takes some of the stack.
const LENGTH_MAX: u64 = 500;

/// Returns why a part of a schema cannot be checked in bounded time and space, if that is so.
pub(super) fn problem(schema: &Map<String, Value>) -> Option<&'static str> {
    let mut ways = Ways { root: schema, known: BTreeMap::new(), length: 0, circle: false };
    let mut parts: Vec<&Value> = schema.values().collect();
    let mut few = ways.through(schema).are_few();
    while let Some(part) = parts.pop().filter(|_| few && !ways.circle) {
        match part {
            Value::Object(part) => {
                few = ways.through(part).are_few();
                parts.extend(part.values());
            }
            Value::Array(items) => parts.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    if ways.circle {
        return Some("a part of it refers back to itself, and says nothing of any value");
    }
    (!few).then_some("its parts refer to each other so often that no value could be checked")
}

/// Returns the part of a schema that a reference leads to, if it is a place in the schema but its root.
pub fn target<'s>(root: &'s Map<String, Value>, reference: &str) -> Option<&'s Value> {
    let mut names = reference.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
    let first = root.get(&names.next()?)?;
    names.try_fold(first, |at, name| at.get(&name))
}

/// Returns the part of a schema that a reference leads to, be it its root, if it is one that can say something.
pub(super) fn part_at<'s>(root: &'s Map<String, Value>, reference: &str) -> Option<&'s Map<String, Value>> {
    if reference == "#" { Some(root) } else { target(root, reference)?.as_object() }
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
    known: BTreeMap<&'s str, Known>,
    /// How far it is from where the count began.
    length: u64,
    /// Whether a way leads back to where it came from.
    circle: bool,
}

/// What is known of what is behind a reference.
#[derive(Clone, Copy)]
enum Known {
    Looking,
    Found(Count),
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
        match self.known.get(reference) {
            Some(Known::Found(count)) => return *count,
            Some(Known::Looking) => {
                self.circle = true;
                return Count::ONE;
            }
            None => {}
        }
        self.known.insert(reference, Known::Looking);
        let count = part_at(self.root, reference).map_or(Count::ONE, |part| self.through(part));
        self.known.insert(reference, Known::Found(count));
        count
    }
}

#[cfg(test)]
mod tests;
