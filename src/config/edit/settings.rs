//! Settings as an edit sets them.

use std::fmt::Write as _;

use serde_yaml::Value;

use crate::config::edit::fields::{Written, words};
use crate::config::edit::rewrite::{own, way};
use crate::config::edit::{EditError, unknown};
use crate::config::resolve::settings::{Shape, names, shape};

/// Returns what a typed text means as the value of a setting: YAML, and words separated by commas where a list is wanted.
/// Nothing, `null` and `~` are null.
pub fn setting_value(key: &str, text: &str) -> serde_json::Value {
    let value = serde_yaml::from_str(text).unwrap_or_else(|_| serde_json::Value::from(text));
    match value {
        serde_json::Value::String(text) if shape(key) == Some(Shape::List) => words(&text).into(),
        value => value,
    }
}

/// Returns the settings to write, each with its whole name, and what cannot be written; objects are taken apart.
pub(super) fn written(values: &[(String, serde_json::Value)]) -> (Vec<Written>, Vec<EditError>) {
    let mut all = Vec::new();
    for (key, value) in values {
        match (value, shape(key)) {
            (serde_json::Value::Object(inner), Some(Shape::Part(_))) => {
                all.extend(inner.iter().map(|(name, value)| one(format!("{key}.{name}"), value)));
            }
            // The whole part goes back to its defaults.
            (serde_json::Value::Null, Some(Shape::Part(_))) => all.push(Ok((key.clone(), None))),
            (_, Some(Shape::Part(keys))) => {
                let message = format!(
                    "holds {}: name one, as `{key}.{}`",
                    keys.join(", "),
                    keys.first().unwrap_or(&"")
                );
                all.push(Err(EditError::invalid(format!("settings.{key}"), message)));
            }
            (value, _) => all.push(one(key.clone(), value)),
        }
    }
    let (written, wrong): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    (written.into_iter().flatten().collect(), wrong.into_iter().filter_map(Result::err).collect())
}

fn one(key: String, value: &serde_json::Value) -> Result<Written, EditError> {
    let known = names();
    if !known.contains(&key) {
        return Err(unknown("setting", &key, known));
    }
    let value = match value {
        serde_json::Value::Null => return Ok((key, None)),
        serde_json::Value::String(text) if shape(&key) == Some(Shape::List) => words(text).into(),
        // A number that comes as a text is written as the number.
        serde_json::Value::String(text) => match setting_value(&key, text) {
            number @ serde_json::Value::Number(_) => number,
            _ => value.clone(),
        },
        value => value.clone(),
    };
    let written = serde_yaml::to_value(&value);
    let written =
        written.map_err(|error| EditError::invalid(format!("settings.{key}"), error.to_string()))?;
    Ok((key, Some(written)))
}

/// Returns those of the settings that a text writes, a line each; nothing when it writes none of them.
pub(super) fn shown(text: &str, keys: &[String]) -> Option<String> {
    let root: Value = serde_yaml::from_str(text).ok()?;
    let mut shown = String::new();
    for key in keys {
        let way = way(std::iter::once("settings").chain(key.split('.')));
        if let Some(value) = own(&root, &way)
            && let Ok(value) = serde_json::to_string(value)
        {
            let _infallible = writeln!(shown, "{key}: {value}");
        }
    }
    (!shown.is_empty()).then_some(shown)
}
