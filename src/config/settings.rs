//! What the settings are now, one by one, and where each of them comes from.

use serde_json::Value;

use crate::config::place::{Places, Spot, Trail};
use crate::config::raw::Node;
use crate::config::resolve::settings::names;
use crate::config::section::{Findings, Section};
use crate::config::{Config, decode, read};
use crate::model::Settings;

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its name, with a dot where it stands in a part.
    pub key: String,
    /// What is in force; null is none.
    pub value: Value,
    /// What is in force when the file does not say.
    pub default: Value,
    /// The line of the file that says so, counted from 1; nothing when it does not.
    pub line: Option<usize>,
}

/// Returns every setting, in the usual order.
pub fn settings(config: &Config) -> Vec<Setting> {
    let (values, defaults) = (as_json(&config.settings), as_json(&Settings::default()));
    let text = read(&config.path).ok().flatten().unwrap_or_default();
    let text = decode(&config.path, &text).unwrap_or_default();
    let root = Node::parse(text).unwrap_or(Node::Null);
    let mut places = None;
    let all = names().into_iter().map(|key| {
        let line = trail(&root, &key)
            .map(|trail| places.get_or_insert_with(|| Places::new(text)).find(&trail, Spot::Key).0);
        Setting { value: at(&values, &key), default: at(&defaults, &key), line, key }
    });
    all.collect()
}

/// Returns the way to a setting in the file, if it is written there.
fn trail(root: &Node, key: &str) -> Option<Trail> {
    // What is wrong with the file was told when it was loaded.
    let out = &mut Findings::default();
    let mut section = Section::open_any(Some(root), Trail::default(), out);
    let mut names = std::iter::once("settings").chain(key.split('.')).peekable();
    while let Some(name) = names.next() {
        let value = section.value(name)?;
        if names.peek().is_none() {
            return Some(section.trail_of(name));
        }
        section = Section::open_any(Some(value), section.trail_of(name), out);
    }
    None
}

fn as_json(settings: &Settings) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

fn at(settings: &Value, key: &str) -> Value {
    key.split('.').try_fold(settings, |here, name| here.get(name)).cloned().unwrap_or_default()
}

/// Returns the setting of this name as it is in force; null when there is none.
pub fn value_of(settings: &Settings, key: &str) -> Value {
    at(&as_json(settings), key)
}

#[cfg(test)]
mod tests;
