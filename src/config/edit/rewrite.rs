//! Single changes of values, made on the text of the agents file and proved by making them on its values as well.

use std::fmt;
use std::str::FromStr as _;

use serde_yaml::{Mapping, Value};
use yaml_edit::{Document, YamlFile, YamlNode};

use crate::config::edit::lines::{End, appended, cut, entry_range, inserted, item_range, line_end};

/// One change: what, and the way to it from the top of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) way: Vec<Key>,
    pub(super) what: What,
}

/// One part of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Name(String),
    Item(usize),
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// Writes a value, and the mappings on the way to it.
    Set(Value),
    /// Takes an entry or item out.
    Unset,
    /// Adds an item to a list, and the list if there is none.
    Push(Value),
}

/// The section that is not a mapping of names.
const SETTINGS: &str = "settings";

/// Returns a way made of names.
pub(super) fn way<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Vec<Key> {
    names.into_iter().map(|name| Key::Name(name.as_ref().to_owned())).collect()
}

/// Returns what stands at the end of a way; nothing that comes through a merge key.
pub(super) fn own<'a>(root: &'a Value, way: &[Key]) -> Option<&'a Value> {
    way.iter().try_fold(root, |here, key| match key {
        Key::Name(name) => here.as_mapping()?.get(name.as_str()),
        Key::Item(index) => here.as_sequence()?.get(*index),
    })
}

/// Returns the text of the entry at the end of a way, as it is written.
pub(super) fn shown(text: &str, way: &[Key]) -> Option<String> {
    let (last, parents) = way.split_last()?;
    let (Key::Name(name), YamlNode::Mapping(parent)) = (last, node(&tree(text)?, parents).ok()?) else {
        return None;
    };
    text.get(entry_range(text, &parent.find_entry_by_key(name)?, End::Said)?).map(str::to_owned)
}

/// Takes the steps one after the other. The result means exactly what they ask for, and everything else is left as it is;
/// when that cannot be had, the reason is returned.
pub(super) fn rewrite(text: &str, steps: &[Step]) -> Result<String, String> {
    steps.iter().try_fold(text.to_owned(), taken)
}

fn taken(text: String, step: &Step) -> Result<String, String> {
    let before: Value = serde_yaml::from_str(&text).map_err(|error| error.to_string())?;
    let Some(step) = plain(&before, step)? else { return Ok(text) };
    let meant = on_values(before, &step)?;
    let mut reason = String::new();
    // Whole lines leave the most alone, block style reads best; where neither fits (inside braces, odd indents), flow
    // style may.
    for style in [Style::Lines(End::Said), Style::Lines(End::Whole), Style::Block, Style::Flow] {
        match on_text(&text, &step, style).and_then(|new| proved(new, &meant)) {
            Ok(new) => return Ok(new),
            Err(why) => reason = why,
        }
    }
    Err(reason)
}

/// Returns `text` if it reads as the values that were meant.
fn proved(text: String, meant: &Value) -> Result<String, String> {
    let read: Value =
        serde_yaml::from_str(&text).map_err(|error| format!("the result would not be YAML: {error}"))?;
    if read == *meant {
        Ok(text)
    } else {
        Err("the edit would change more than it should, because of an anchor or an unusual layout".to_owned())
    }
}

/// Returns the step with which nothing on the way is missing, empty or left empty; nothing when there is nothing to do.
fn plain(root: &Value, step: &Step) -> Result<Option<Step>, String> {
    match &step.what {
        What::Set(value) if own(root, &step.way) == Some(value) => Ok(None),
        What::Set(value) => setting(root, &step.way, value.clone()).map(Some),
        What::Push(item) => match own(root, &step.way) {
            Some(Value::Sequence(items)) if !items.is_empty() => Ok(Some(step.clone())),
            None | Some(Value::Null | Value::Sequence(_)) => {
                setting(root, &step.way, Value::Sequence(vec![item.clone()])).map(Some)
            }
            Some(_) => Err(format!("`{}` is not a list", Way(&step.way))),
        },
        What::Unset => unsetting(root, &step.way),
    }
}

fn setting(root: &Value, way: &[Key], mut value: Value) -> Result<Step, String> {
    // Mappings on the way that are missing or empty are written together with what goes into them.
    let mut depth = way.len();
    while depth > 1 && own(root, way.get(..depth - 1).unwrap_or_default()).is_none_or(is_nothing) {
        depth -= 1;
        let Some(Key::Name(name)) = way.get(depth) else {
            return Err(format!("`{}` has no such item", Way(way)));
        };
        value = Value::Mapping(Mapping::from_iter([(Value::from(name.as_str()), value)]));
    }
    let here = way.get(..depth).unwrap_or_default();
    if depth < way.len() && own(root, here).is_none() && inherits(root, here) {
        return Err(format!("`{}` comes through a merge key", Way(here)));
    }
    Ok(Step { way: here.to_vec(), what: What::Set(value) })
}

fn unsetting(root: &Value, way: &[Key]) -> Result<Option<Step>, String> {
    // The section, and the names in it, stay when what is in them goes.
    let floor = if way.first() == Some(&Key::Name(SETTINGS.to_owned())) { 2 } else { 3 };
    let step = |what| Ok(Some(Step { way: way.to_vec(), what }));
    match (own(root, way), inherits(root, way)) {
        (None, false) | (Some(Value::Null), true) => Ok(None),
        // Taking out what comes through a merge key takes writing it as null.
        (_, true) if way.len() >= floor => step(What::Set(Value::Null)),
        (_, true) => Err(format!("`{}` comes through a merge key", Way(way))),
        (Some(_), false) => {
            let parent = way.get(..way.len().saturating_sub(1)).unwrap_or_default();
            let alone = match own(root, parent) {
                Some(Value::Mapping(mapping)) => mapping.len() == 1,
                Some(Value::Sequence(items)) => items.len() == 1,
                _ => false,
            };
            if alone && parent.len() >= floor { unsetting(root, parent) } else { step(What::Unset) }
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Mapping(mapping) => mapping.is_empty(),
        _ => false,
    }
}

/// Returns whether something would stand at the end of `way` if nothing were written there.
fn inherits(root: &Value, way: &[Key]) -> bool {
    let Some((Key::Name(name), parents)) = way.split_last() else { return false };
    let Some(Value::Mapping(parent)) = own(root, parents) else { return false };
    let mut others = parent.clone();
    others.shift_remove(name.as_str());
    let mut others = Value::Mapping(others);
    others.apply_merge().is_ok() && others.get(name.as_str()).is_some()
}

fn on_values(mut root: Value, step: &Step) -> Result<Value, String> {
    if root.is_null() {
        root = Value::Mapping(Mapping::new());
    }
    let (last, parents) = step.way.split_last().ok_or("the way leads nowhere")?;
    let no_mapping = || format!("`{}` is not a mapping", Way(parents));
    let parent = parents.iter().try_fold(&mut root, child).ok_or_else(no_mapping)?;
    match (&step.what, last, &mut *parent) {
        (What::Set(value), Key::Name(name), Value::Mapping(parent)) => {
            parent.insert(name.as_str().into(), value.clone());
        }
        (What::Unset, Key::Name(name), Value::Mapping(parent)) => {
            parent.shift_remove(name.as_str());
        }
        (What::Unset, Key::Item(index), Value::Sequence(items)) if *index < items.len() => {
            items.remove(*index);
        }
        (What::Push(item), ..) => match child(parent, last) {
            Some(Value::Sequence(items)) => items.push(item.clone()),
            _ => return Err(no_mapping()),
        },
        _ => return Err(no_mapping()),
    }
    Ok(root)
}

fn child<'a>(here: &'a mut Value, key: &Key) -> Option<&'a mut Value> {
    match key {
        Key::Name(name) => here.as_mapping_mut()?.get_mut(name.as_str()),
        Key::Item(index) => here.as_sequence_mut()?.get_mut(*index),
    }
}

/// How a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// By adding and taking out whole lines.
    Lines(End),
    /// In the tree, new values on lines of their own.
    Block,
    /// In the tree, new values in braces and brackets.
    Flow,
}

fn on_text(text: &str, step: &Step, style: Style) -> Result<String, String> {
    let (last, parents) = step.way.split_last().ok_or("the way leads nowhere")?;
    let file = YamlFile::parse(text).tree();
    let Some(root) = file.document().and_then(|document| document.as_mapping()) else {
        return match (&step.what, last) {
            (What::Set(value), Key::Name(name)) => Ok(appended(text, &block(&entry(name, value))?)),
            _ => Err("the file says nothing yet".to_owned()),
        };
    };
    let root = YamlNode::Mapping(root);
    if let Style::Lines(end) = style {
        let new = on_lines(text, &root, step, end)?;
        return new.ok_or_else(|| "it does not stand on lines of its own".to_owned());
    }
    match (&step.what, last, node(&root, parents)?) {
        (What::Set(value), Key::Name(name), YamlNode::Mapping(parent)) => {
            let holder = written(&entry(name, value), style, text)?;
            parent.set(name, holder.get(name).ok_or("the new value cannot be written")?);
        }
        (What::Unset, Key::Name(name), YamlNode::Mapping(parent)) => {
            parent.remove(name).ok_or("it is written elsewhere, behind a merge key")?;
        }
        (What::Unset, Key::Item(index), YamlNode::Sequence(items)) => {
            items.remove(*index).ok_or("there is no such item")?;
        }
        (What::Push(item), ..) => {
            let YamlNode::Sequence(items) = node(&root, &step.way)? else {
                return Err(format!("`{}` is written elsewhere, behind an alias", Way(&step.way)));
            };
            let holder = written(&entry("item", item), style, text)?;
            items.push(holder.get("item").ok_or("the new item cannot be written")?);
        }
        _ => return Err(format!("`{}` is written elsewhere, behind an alias", Way(parents))),
    }
    Ok(file.to_string())
}

/// Adds or takes out whole lines; nothing when that is not how it stands in the text.
fn on_lines(text: &str, root: &YamlNode, step: &Step, end: End) -> Result<Option<String>, String> {
    let (last, parents) = step.way.split_last().ok_or("the way leads nowhere")?;
    let new = match (&step.what, last, node(root, parents)?) {
        (What::Set(value), Key::Name(name), YamlNode::Mapping(parent)) => {
            let new = parent.find_entry_by_key(name).is_none() && !parent.is_flow_style();
            let after = parent.entries().last().filter(|_| new).and_then(|it| entry_range(text, &it, end));
            let yaml = block(&entry(name, value))?;
            after.and_then(|after| inserted(text, &after, &yaml))
        }
        (What::Unset, Key::Name(name), YamlNode::Mapping(parent)) => {
            let several = parent.len() > 1 && !parent.is_flow_style();
            let gone = parent.find_entry_by_key(name).filter(|_| several);
            gone.and_then(|gone| cut(text, &entry_range(text, &gone, end)?))
        }
        (What::Unset, Key::Item(index), YamlNode::Sequence(items)) => {
            let several = items.len() > 1 && !items.is_flow_style();
            let gone = items.get(*index).filter(|_| several);
            gone.and_then(|gone| cut(text, &item_range(text, &gone, end)?))
        }
        (What::Push(item), ..) => {
            let YamlNode::Sequence(items) = node(root, &step.way)? else { return Ok(None) };
            let after = items.last().filter(|_| !items.is_flow_style());
            let yaml = block(&Value::Sequence(vec![item.clone()]))?;
            after.and_then(|after| inserted(text, &item_range(text, &after, end)?, &yaml))
        }
        _ => None,
    };
    Ok(new)
}

fn tree(text: &str) -> Option<YamlNode> {
    YamlFile::parse(text).tree().document()?.as_mapping().map(YamlNode::Mapping)
}

/// Returns what stands at the end of a way in the tree.
fn node(root: &YamlNode, way: &[Key]) -> Result<YamlNode, String> {
    way.iter().enumerate().try_fold(root.clone(), |here, (depth, key)| {
        let next = match (&here, key) {
            (YamlNode::Mapping(mapping), Key::Name(name)) => mapping.get(name),
            (YamlNode::Sequence(items), Key::Item(index)) => items.get(*index),
            _ => None,
        };
        let shown = Way(way.get(..depth).unwrap_or_default());
        next.ok_or_else(|| format!("`{shown}` is written elsewhere, behind an alias"))
    })
}

fn entry(name: &str, value: &Value) -> Value {
    Value::Mapping(Mapping::from_iter([(Value::from(name), value.clone())]))
}

fn block(value: &Value) -> Result<String, String> {
    serde_yaml::to_string(value).map_err(|error| error.to_string())
}

/// Returns the value as a tree to put into the text, with the text's own line ends.
fn written(value: &Value, style: Style, text: &str) -> Result<Document, String> {
    let yaml = match style {
        Style::Lines(_) | Style::Block => block(value)?,
        // Every JSON text is a YAML text.
        Style::Flow => serde_json::to_string(value).map_err(|error| error.to_string())?,
    };
    Document::from_str(&yaml.replace('\n', line_end(text))).map_err(|error| error.to_string())
}

/// A way as a message shows it.
struct Way<'a>(&'a [Key]);

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, key) in self.0.iter().enumerate() {
            match key {
                Key::Name(name) if position == 0 => f.write_str(name)?,
                Key::Name(name) => write!(f, ".{}", name.escape_debug())?,
                Key::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
