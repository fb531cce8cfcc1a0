//! One edit on the text of the agents file, proved by doing it on its values as well.

use std::ops::Range;
use std::str::FromStr as _;

use serde_yaml::{Mapping, Value};
use yaml_edit::{Document, MappingEntry, YamlFile};

use crate::config::edit::fields::Written;

/// What to do with which agent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Edit {
    Add { name: String, fields: Mapping },
    Remove { name: String },
    Update { name: String, fields: Vec<Written> },
}

/// The new text, and the agent's part of the old and the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) text: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Edit {
    /// Returns the agent's name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Add { name, .. } | Self::Remove { name } | Self::Update { name, .. } => name,
        }
    }
}

/// Returns every key of `agents` that is text, in file order; nothing when the text cannot be read.
pub(super) fn agent_names(text: &str) -> Vec<String> {
    let Ok(Value::Mapping(root)) = serde_yaml::from_str(text) else { return Vec::new() };
    let Some(Value::Mapping(agents)) = root.get("agents") else { return Vec::new() };
    agents.keys().filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

/// Edits `text`. The result means exactly what the edit asks for, and everything else is left as it is; when that
/// cannot be had, the reason is returned.
pub(super) fn rewrite(text: &str, edit: &Edit) -> Result<Rewritten, String> {
    let before: Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let edit = &without_inherited(&before, edit);
    let meant = on_values(before, edit)?;
    let mut reason = String::new();
    // Block style reads best; where it does not fit (inside braces, odd indents), flow style may.
    for style in [Style::Block, Style::Flow] {
        match on_text(text, edit, style) {
            Ok(new) => match proved(&new, &meant) {
                Ok(()) => {
                    let (before, after) = (shown(text, edit.name()), shown(&new, edit.name()));
                    return Ok(Rewritten { text: new, before, after });
                }
                Err(why) => reason = why,
            },
            Err(why) => reason = why,
        }
    }
    Err(reason)
}

/// Checks that `text` reads as the values that were meant.
fn proved(text: &str, meant: &Value) -> Result<(), String> {
    let read: Value =
        serde_yaml::from_str(text).map_err(|error| format!("the result would not be YAML: {error}"))?;
    if read == *meant {
        Ok(())
    } else {
        Err("the edit would change more than this agent, because of an anchor or an unusual layout"
            .to_owned())
    }
}

/// Taking out a key that comes through a merge key takes writing it as null.
fn without_inherited(root: &Value, edit: &Edit) -> Edit {
    let Edit::Update { name, fields } = edit else { return edit.clone() };
    let inherits = |key: &str| {
        let mut agent = root.get("agents")?.get(name.as_str())?.clone();
        if let Value::Mapping(agent) = &mut agent {
            agent.shift_remove(key);
        }
        agent.apply_merge().ok()?;
        agent.get(key).map(|_| ())
    };
    let fields = fields
        .iter()
        .map(|(key, value)| match value {
            None if inherits(key).is_some() => (*key, Some(Value::Null)),
            value => (*key, value.clone()),
        })
        .collect();
    Edit::Update { name: name.clone(), fields }
}

fn on_values(root: Value, edit: &Edit) -> Result<Value, String> {
    let mut root = match root {
        Value::Null => Mapping::new(),
        Value::Mapping(root) => root,
        _ => return Err("the file is not a mapping".to_owned()),
    };
    let agents = root.entry("agents".into()).or_insert(Value::Null);
    if agents.is_null() {
        *agents = Value::Mapping(Mapping::new());
    }
    let agents = agents.as_mapping_mut().ok_or("`agents` is not a mapping")?;
    match edit {
        Edit::Add { name, fields } => {
            agents.insert(name.as_str().into(), Value::Mapping(fields.clone()));
        }
        Edit::Remove { name } => {
            agents.shift_remove(name.as_str());
        }
        Edit::Update { name, fields } => {
            let agent = agents.get_mut(name.as_str()).and_then(Value::as_mapping_mut);
            let agent = agent.ok_or("the agent is not a mapping")?;
            for (key, value) in fields {
                match value {
                    Some(value) => drop(agent.insert((*key).into(), value.clone())),
                    None => drop(agent.shift_remove(*key)),
                }
            }
        }
    }
    Ok(Value::Mapping(root))
}

/// How new values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Block,
    Flow,
}

fn on_text(text: &str, edit: &Edit, style: Style) -> Result<String, String> {
    let file = YamlFile::parse(text).tree();
    let Some((document, _)) = file.document().and_then(|document| {
        let root = document.as_mapping()?;
        Some((document, root))
    }) else {
        return appended(text, edit);
    };
    match edit {
        Edit::Add { name, fields } => {
            let agents = document.get_mapping("agents").filter(|agents| !agents.is_empty());
            if let (Style::Block, Some(agents)) =
                (style, agents.as_ref().filter(|agents| !agents.is_flow_style()))
            {
                let last = agents.entries().last().and_then(|entry| range(text, &entry));
                let last = last.ok_or("the last agent cannot be found")?;
                return inserted(text, &last, name, fields);
            }
            let written = written(&Value::Mapping(fields.clone()), style, text)?;
            let agent = written.as_mapping().ok_or("the new agent is not a mapping")?;
            if let Some(agents) = agents {
                agents.set(name, agent);
            } else {
                let agents = yaml_edit::Mapping::new_pending_block();
                agents.set(name, agent);
                document.set("agents", agents);
            }
        }
        Edit::Remove { name } => {
            let agents =
                document.get_mapping("agents").ok_or("`agents` is written elsewhere, behind an alias")?;
            if style == Style::Block && agents.len() > 1 && !agents.is_flow_style() {
                let agent = agents.find_entry_by_key(name).and_then(|entry| range(text, &entry));
                let done = agent.and_then(|agent| cut(text, &agent));
                return done.ok_or_else(|| "the agent does not stand on lines of its own".to_owned());
            }
            agents.remove(name).ok_or("the agent is written elsewhere, behind a merge key")?;
        }
        Edit::Update { name, fields } => {
            let agents =
                document.get_mapping("agents").ok_or("`agents` is written elsewhere, behind an alias")?;
            let agent = agents.get_mapping(name).ok_or("the agent is written elsewhere, behind an alias")?;
            for (key, value) in fields {
                match value {
                    None => drop(agent.remove(*key)),
                    Some(value) => {
                        let holder = Mapping::from_iter([(Value::from(*key), value.clone())]);
                        let holder = written(&Value::Mapping(holder), style, text)?;
                        let value = holder.get(*key).ok_or("the new value cannot be written")?;
                        agent.set(*key, value);
                    }
                }
            }
        }
    }
    Ok(file.to_string())
}

/// Returns the value as a tree to put into the text, with the text's own line ends.
fn written(value: &Value, style: Style, text: &str) -> Result<Document, String> {
    let yaml = match style {
        Style::Block => serde_yaml::to_string(value).map_err(|error| error.to_string())?,
        // Every JSON text is a YAML text.
        Style::Flow => serde_json::to_string(value).map_err(|error| error.to_string())?,
    };
    Document::from_str(&yaml.replace('\n', line_end(text))).map_err(|error| error.to_string())
}

fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// Adds an agent after the one that stands at `last`, and leaves every other byte.
fn inserted(text: &str, last: &Range<usize>, name: &str, fields: &Mapping) -> Result<String, String> {
    let (before, after) = text.split_at_checked(last.end).ok_or("the last agent cannot be found")?;
    let head = text.get(..last.start).unwrap_or_default();
    let indent = head.get(head.rfind('\n').map_or(0, |end| end + 1)..).unwrap_or_default();
    if !indent.bytes().all(|byte| byte == b' ') {
        return Err("the last agent does not begin a line".to_owned());
    }
    // What is left of the last line, and the comments that belong to the agent because they stand deeper.
    let mut end = before.len() + after.find('\n').map_or(after.len(), |end| end + 1);
    for line in text.get(end..).unwrap_or_default().split_inclusive('\n') {
        let inner = line.trim_start_matches(' ');
        if !inner.starts_with('#') || line.len() - inner.len() <= indent.len() {
            break;
        }
        end += line.len();
    }
    let agent = Mapping::from_iter([(Value::from(name), Value::Mapping(fields.clone()))]);
    let yaml = serde_yaml::to_string(&agent).map_err(|error| error.to_string())?;
    let (before, after) = text.split_at_checked(end).ok_or("the last agent cannot be found")?;
    let mut new = before.to_owned();
    if !before.ends_with('\n') {
        new.push_str(line_end(text));
    }
    for line in yaml.lines() {
        if !line.is_empty() {
            new.push_str(indent);
            new.push_str(line);
        }
        new.push_str(line_end(text));
    }
    new.push_str(after);
    Ok(new)
}

/// Adds to a text that holds nothing but comments.
fn appended(text: &str, edit: &Edit) -> Result<String, String> {
    let Edit::Add { name, fields } = edit else { return Err("the file holds no agents".to_owned()) };
    let agents = Mapping::from_iter([(Value::from(name.as_str()), Value::Mapping(fields.clone()))]);
    let root = Mapping::from_iter([(Value::from("agents"), Value::Mapping(agents))]);
    let yaml = serde_yaml::to_string(&root).map_err(|error| error.to_string())?;
    let end = line_end(text);
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    Ok(format!("{text}{gap}{}", yaml.replace('\n', end)))
}

/// Takes the lines of the agent that stands at `agent` out and leaves every other byte, blank lines and comments
/// between agents too.
fn cut(text: &str, agent: &Range<usize>) -> Option<String> {
    let before = text.get(..agent.start)?.trim_end_matches(' ');
    let after = text.get(agent.end..)?;
    let rest = after.find('\n').map_or("", |end| after.get(end + 1..).unwrap_or_default());
    (before.is_empty() || before.ends_with('\n')).then(|| format!("{before}{rest}"))
}

/// Returns how the agent is written in `text`.
fn shown(text: &str, name: &str) -> Option<String> {
    let agents = YamlFile::parse(text).tree().document()?.get_mapping("agents")?;
    text.get(range(text, &agents.find_entry_by_key(name)?)?).map(str::to_owned)
}

/// Returns where an entry stands in `text`: from the first byte of its key to the last of what it says.
fn range(text: &str, entry: &MappingEntry) -> Option<Range<usize>> {
    let start = usize::try_from(entry.key_node()?.byte_range().start).ok()?;
    let end = usize::try_from(entry.value_node()?.byte_range().end).ok()?;
    Some(start..start + text.get(start..end)?.trim_end().len())
}

#[cfg(test)]
mod tests;
