//! What an edit tells of an agent: the text as it is written, unless that holds values of variables. They may be secrets, and
//! what is told here stays on record.

use serde_yaml::{Mapping, Value};

use crate::config::edit::rewrite::{own, shown, way};
use crate::config::resolve::{AGENT_KEYS, ENV_KEYS};

/// What stands for a value. It is written as nothing that redaction takes for a secret.
const HIDDEN: &str = "<hidden>";

/// What stands for one that was another before.
const CHANGED: &str = "<hidden, changed>";

/// Returns what is written of an agent, nothing when there is none. With values to hide it is written anew from what it means
/// (aliases followed, comments gone), so that no layout of the text can bring one out; `before` is the text in which they stood
/// earlier.
pub(super) fn agent(text: &str, name: &str, before: Option<&str>) -> Option<String> {
    let way = way(["agents", name]);
    let root: Value = serde_yaml::from_str(text).ok()?;
    let written = own(&root, &way)?;
    let before = before.and_then(|text| serde_yaml::from_str::<Value>(text).ok());
    let mut told = written.clone();
    hide(&mut told, before.as_ref().and_then(|root| own(root, &way)), AGENT_KEYS);
    if told == *written {
        return shown(text, &way);
    }
    let entry = Mapping::from_iter([(Value::from(name), told)]);
    serde_yaml::to_string(&entry).ok()
}

/// Hides every value in a mapping but those of `open` keys: an anchor under any other may stand for one that is a secret.
fn hide(value: &mut Value, before: Option<&Value>, open: &[&str]) {
    match value {
        Value::Null => {}
        Value::Mapping(entries) => {
            for (key, value) in entries {
                let before = before.and_then(|before| before.get(&*key));
                match key.as_str() {
                    Some("<<") => hide(value, before, open),
                    Some("env") if open.contains(&"env") => hide(value, before, ENV_KEYS),
                    Some(key) if open.contains(&key) && key != "set" => {}
                    _ => hide(value, before, &[]),
                }
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| hide(item, None, open)),
        value => {
            let mark = if before.is_none_or(|before| before == value) { HIDDEN } else { CHANGED };
            *value = mark.into();
        }
    }
}

#[cfg(test)]
mod tests;
