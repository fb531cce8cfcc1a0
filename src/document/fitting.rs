//! Fields against their schema: unknown names are refused with the nearest valid one, numbers and flags that come as text are
//! taken as what they say, and what has the wrong type is named.

use serde_json::{Map, Value};

use crate::model::absent::nearest;

/// Arguments that may come as a text or as a value; their tools look at them. Their schemas name the one form that clients
/// should use, because clients stumble over unions.
pub(crate) const SEVERAL_FORMS: [&str; 17] = [
    "job_id",
    "dispatches",
    "response_format",
    "settings",
    "max_budget_usd",
    "allowed_tools",
    "disallowed_tools",
    "capabilities",
    "risky_capabilities",
    "callers",
    "budget_day",
    "budget_month",
    "env_inherit",
    "env_deny",
    "env_set",
    "members",
    "remove_members",
];

/// Returns the fields of an object that fit, as the schema types them, and notes what is wrong with the others; `path` stands
/// before each name.
pub(crate) fn fit_within(
    path: &str,
    given: Map<String, Value>,
    schema: &Map<String, Value>,
    problems: &mut Vec<String>,
) -> Map<String, Value> {
    let nothing = Map::new();
    let known = properties(schema).unwrap_or(&nothing);
    let mut fitting = Map::new();
    let missing: Vec<&str> =
        required(schema).filter(|name| given.get(*name).is_none_or(Value::is_null)).collect();
    for (name, value) in given {
        match known.get(&name) {
            Some(wanted) => {
                // `null` says the same as leaving it out, and so does no word where there is a choice of words: clients that
                // fill every field send them.
                let is_open = value.as_str().is_some_and(|text| text.trim().is_empty());
                if !(value.is_null() || is_open && wanted.get("enum").is_some()) {
                    let value = coerce(value, wanted);
                    match misfit(path, &name, &value, wanted) {
                        Some(problem) => problems.push(problem),
                        None => drop(fitting.insert(name, value)),
                    }
                }
            }
            None => problems.push(unknown(path, &name, known)),
        }
    }
    problems.extend(missing.iter().map(|name| format!("`{path}{name}` is required and missing")));
    fitting
}

/// Returns what is wrong with a value, if its schema does not allow it.
fn misfit(path: &str, name: &str, value: &Value, wanted: &Value) -> Option<String> {
    if SEVERAL_FORMS.contains(&name) {
        return None;
    }
    let expected = match wanted.get("type").and_then(Value::as_str)? {
        "string" if !value.is_string() => "a text",
        "integer" if !value.is_i64() => "a whole number",
        "number" if !value.is_number() => "a number",
        "boolean" if !value.is_boolean() => "true or false",
        "array" if !value.is_array() => "a list",
        "object" if !value.is_object() => "an object",
        _ => {
            let choices = wanted.get("enum")?.as_array()?;
            let names: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
            let wrong = !choices.contains(value);
            return wrong
                .then(|| format!("`{path}{name}` is {}, not one of: {}", shown(value), names.join(", ")));
        }
    };
    Some(format!("`{path}{name}` is {}, not {expected}", shown(value)))
}

/// Returns a value as a message may show it.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    let head: String = text.chars().take(60).collect();
    if head.len() < text.len() { format!("{head}…") } else { head }
}

fn unknown(path: &str, name: &str, known: &Map<String, Value>) -> String {
    let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
    let known: Vec<&String> = known.keys().collect();
    match nearest(name, &known) {
        Some(nearest) => format!("there is no argument `{path}{shown}`; did you mean `{nearest}`?"),
        None => format!("there is no argument `{path}{shown}`"),
    }
}

/// Returns `value` as the type that `wanted` names, where its text says so without doubt.
fn coerce(value: Value, wanted: &Value) -> Value {
    let kind = wanted.get("type").and_then(Value::as_str);
    match (kind, &value) {
        (Some("integer"), Value::String(text)) => text.trim().parse::<i64>().map_or(value, Value::from),
        (Some("integer"), Value::Number(number)) => match number.as_f64() {
            // 900.0 is how some clients write 900.
            #[expect(clippy::cast_possible_truncation, reason = "the value is whole and within 53 bits")]
            Some(whole) if number.as_i64().is_none() && whole.fract() == 0.0 && whole.abs() < 9e15 => {
                Value::from(whole as i64)
            }
            Some(_) | None => value,
        },
        (Some("string"), Value::String(text)) => {
            let choices = wanted.get("enum").and_then(Value::as_array).into_iter().flatten();
            let mut words = choices.filter_map(Value::as_str);
            words.find(|word| word.eq_ignore_ascii_case(text.trim())).map_or(value, Value::from)
        }
        (Some("number"), Value::String(text)) => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Value::from(number),
            Ok(_) | Err(_) => value,
        },
        (Some("boolean"), Value::Number(number)) => match number.as_i64() {
            Some(0) => Value::Bool(false),
            Some(1) => Value::Bool(true),
            _ => value,
        },
        (Some("boolean"), Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Value::Bool(true),
            "false" | "no" | "0" => Value::Bool(false),
            _ => value,
        },
        _ => value,
    }
}

/// Returns the names that a schema requires.
pub(crate) fn required(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Returns the fields of a schema by their names.
pub(crate) fn properties(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

#[cfg(test)]
mod tests;
