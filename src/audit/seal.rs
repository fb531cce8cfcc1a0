//! Takes secrets out of a whole value, whatever its fields are: what is written down passes here, so that no field of no
//! record is forgotten.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::audit::AuditKey;
use crate::audit::redact::{may_hold_any, redact};

/// Returns `value` without secrets of known shapes, in any text and any name that it holds. One that holds none, as nearly
/// all, is returned as it is.
pub fn clean<T: Serialize + DeserializeOwned>(value: T, key: &AuditKey) -> Result<T, serde_json::Error> {
    let mut tree = serde_json::to_value(&value)?;
    let mut texts = String::new();
    gather(&tree, &mut texts);
    if may_hold_any(&texts) && scrub(&mut tree, key) { serde_json::from_value(tree) } else { Ok(value) }
}

/// Puts everything that is text into one, which is searched faster than many.
fn gather(tree: &Value, texts: &mut String) {
    match tree {
        Value::String(text) => {
            texts.push_str(text);
            texts.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, texts)),
        Value::Object(fields) => {
            for (name, field) in fields {
                // The names of our own fields are short; what others name may be a secret.
                if name.len() > OWN_NAME_BYTES {
                    texts.push_str(name);
                    texts.push('\n');
                }
                gather(field, texts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Longest name of a field of our own. No secret is so short.
const OWN_NAME_BYTES: usize = 18;

/// Returns whether anything was changed.
fn scrub(tree: &mut Value, key: &AuditKey) -> bool {
    match tree {
        Value::String(text) => {
            let clean = redact(text, key);
            let changed = matches!(clean, std::borrow::Cow::Owned(_));
            if changed {
                *text = clean.into_owned();
            }
            changed
        }
        Value::Array(items) => {
            let mut changed = false;
            for item in items {
                changed |= scrub(item, key);
            }
            changed
        }
        Value::Object(fields) => {
            let mut changed = false;
            let old = std::mem::take(fields);
            *fields = old
                .into_iter()
                .map(|(name, mut field)| {
                    changed |= scrub(&mut field, key);
                    let clean = redact(&name, key);
                    changed |= *clean != *name;
                    (clean.into_owned(), field)
                })
                .collect::<Map<_, _>>();
            changed
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
