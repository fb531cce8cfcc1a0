//! One mapping of the agents file, read field by field; whatever is wrong is noted and reading goes on.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::config::place::{Spot, Trail};
use crate::config::raw::Node;
use crate::model::absent::nearest;

/// Something to tell about a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) trail: Trail,
    pub(super) spot: Spot,
    pub(super) message: String,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
}

impl Findings {
    pub(super) fn problem(&mut self, trail: Trail, spot: Spot, message: impl Into<String>) {
        self.problems.push(Finding { trail, spot, message: message.into() });
    }

    pub(super) fn warning(&mut self, trail: Trail, spot: Spot, message: impl Into<String>) {
        self.warnings.push(Finding { trail, spot, message: message.into() });
    }
}

/// A mapping with its merge keys applied; every key at most once.
#[derive(Debug)]
pub(super) struct Section<'a> {
    trail: Trail,
    fields: Vec<Field<'a>>,
    /// Keys that are written more than once, and where the others stand.
    repeated: Vec<(String, usize)>,
}

/// An entry of a section.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) key: String,
    /// Whether the key is written as text, not as a number or another value.
    pub(super) key_is_text: bool,
    pub(super) value: &'a Node,
    /// Where it stands in the mapping as written; nothing when it came through a merge key.
    index: Option<usize>,
}

/// Bounds of a text, and what it may be made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextBound(pub(super) usize);

/// Longest item of a list, and most items, unless said otherwise.
pub(super) const ITEM_CHARS_MAX: usize = 200;
pub(super) const ITEMS_MAX: usize = 100;
/// Longest single word: a model, a permission mode.
pub(super) const WORD_CHARS_MAX: usize = 200;
/// Largest amount of money, in US dollars.
pub(super) const DOLLARS_MAX: f64 = 1_000_000.0;

/// Keys that keep something from happening: what may be meant for one of them is not passed over.
const RESTRICTING: [&str; 12] = [
    "allowed_tools",
    "default_allowed_tools",
    "disallowed_tools",
    "default_disallowed_tools",
    "permission_mode",
    "default_permission_mode",
    "max_budget_usd",
    "default_max_budget_usd",
    "budget",
    "callers",
    "env",
    "mcp_config_edits",
];

impl<'a> Section<'a> {
    /// Opens a value that must be a mapping with these keys; nothing or null is an empty one.
    pub(super) fn open(value: Option<&'a Node>, trail: Trail, known: &[&str], out: &mut Findings) -> Self {
        let section = Self::open_any(value, trail, out);
        section.no_key_twice(out);
        for field in &section.fields {
            // Keys for anchors alone, as in other YAML formats.
            if known.contains(&field.key.as_str()) || field.key.starts_with("x-") {
                continue;
            }
            let (at, meant) = (section.at(field), nearest(&field.key, known));
            let advice = meant.map_or_else(
                || format!("the keys known here are {}", known.join(", ")),
                |known| format!("did you mean `{known}`?"),
            );
            if meant.is_some_and(|meant| RESTRICTING.contains(&meant)) {
                out.problem(
                    at,
                    Spot::Key,
                    format!("unknown key, and nothing may run unrestricted by mistake: {advice}"),
                );
            } else {
                out.warning(at, Spot::Key, format!("unknown key, it is ignored: {advice}"));
            }
        }
        section
    }

    /// Opens a value that must be a mapping with any keys. That no key is written twice is left to the caller.
    pub(super) fn open_any(value: Option<&'a Node>, trail: Trail, out: &mut Findings) -> Self {
        let mut section = Self { trail, fields: Vec::new(), repeated: Vec::new() };
        match value {
            None | Some(Node::Null) => {}
            Some(Node::Map(entries)) => section.take(entries, out),
            Some(other) => {
                let message = format!("expected a mapping of keys and values, found {}", other.kind());
                out.problem(section.trail.clone(), Spot::Value, message);
            }
        }
        section
    }

    fn take(&mut self, entries: &'a [(Node, Node)], out: &mut Findings) {
        let mut merges = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, (key, value)) in entries.iter().enumerate() {
            let Some(text) = key.key_text() else {
                let trail = self.trail.entry(Some(index), "?");
                out.problem(trail, Spot::Key, format!("a key must be plain text, found {}", key.kind()));
                continue;
            };
            if text == MERGE_KEY && !matches!(value, Node::Null) {
                merges.push((index, value));
            } else if !seen.insert(text.clone()) {
                self.repeated.push((text, index));
            } else {
                let key_is_text = matches!(key, Node::Text(_));
                self.fields.push(Field { key: text, key_is_text, value, index: Some(index) });
            }
        }
        for (index, value) in merges {
            if !self.merge(value, &mut seen) {
                let trail = self.trail.entry(Some(index), MERGE_KEY);
                out.problem(
                    trail,
                    Spot::Value,
                    format!("only mappings can be merged, found {}", value.kind()),
                );
            }
        }
    }

    /// Adds the entries of a merged value that are not there yet; what comes first wins. Returns whether it is
    /// something that can be merged.
    fn merge(&mut self, value: &'a Node, seen: &mut BTreeSet<String>) -> bool {
        match value {
            Node::Map(entries) => {
                let (merges, own): (Vec<_>, Vec<_>) =
                    entries.iter().partition(|(key, _)| matches!(key, Node::Text(text) if text == MERGE_KEY));
                for (key, value) in own {
                    let Some(text) = key.key_text() else { continue };
                    if seen.insert(text.clone()) {
                        let key_is_text = matches!(key, Node::Text(_));
                        self.fields.push(Field { key: text, key_is_text, value, index: None });
                    }
                }
                merges.into_iter().all(|(_, value)| self.merge(value, seen))
            }
            Node::List(maps) => {
                maps.iter().all(|map| matches!(map, Node::Map(_)))
                    && maps.iter().all(|map| self.merge(map, seen))
            }
            Node::Null => true,
            Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Text(_) | Node::Tagged(_) => false,
        }
    }

    /// Returns each key that is written again, with the problem that it is.
    pub(super) fn repeated(&self) -> impl Iterator<Item = (&str, Finding)> {
        self.repeated.iter().map(|(key, index)| {
            let trail = self.trail.entry(Some(*index), key);
            let message = "is written twice: keep one of the two".to_owned();
            (key.as_str(), Finding { trail, spot: Spot::Key, message })
        })
    }

    /// Notes every key that is written twice.
    pub(super) fn no_key_twice(&self, out: &mut Findings) {
        out.problems.extend(self.repeated().map(|(_, finding)| finding));
    }

    /// Returns every entry, in file order.
    pub(super) fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// Returns where an entry stands.
    pub(super) fn at(&self, field: &Field<'_>) -> Trail {
        self.trail.entry(field.index, &field.key)
    }

    /// Returns where the mapping stands.
    pub(super) fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Returns where `key` stands; for a key that is absent, where the mapping does.
    pub(super) fn trail_of(&self, key: &str) -> Trail {
        self.field(key).map_or_else(|| self.trail.clone(), |field| self.at(field))
    }

    /// Returns a value; null counts as absent everywhere.
    pub(super) fn value(&self, key: &str) -> Option<&'a Node> {
        self.field(key).map(|field| field.value).filter(|value| !matches!(value, Node::Null))
    }

    fn field(&self, key: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// Notes a problem with the value of `key`.
    pub(super) fn wrong(&self, key: &str, message: impl Into<String>, out: &mut Findings) {
        out.problem(self.trail_of(key), Spot::Value, message);
    }

    /// Reads a mapping inside this one.
    pub(super) fn section(&self, key: &str, known: &[&str], out: &mut Findings) -> Section<'a> {
        Section::open(self.value(key), self.trail_of(key), known, out)
    }

    /// Reads a text of any number of lines.
    pub(super) fn text(&self, key: &str, bound: TextBound, out: &mut Findings) -> Option<String> {
        match checked_text(self.value(key)?, bound) {
            Ok(text) => Some(text.to_owned()),
            Err(message) => {
                self.wrong(key, message, out);
                None
            }
        }
    }

    /// Reads a word that becomes an argument of `claude`: trimmed, absent when blank, never like an option.
    pub(super) fn word(&self, key: &str, out: &mut Findings) -> Option<String> {
        let text = self.text(key, TextBound(WORD_CHARS_MAX), out)?;
        match argument(text.trim()) {
            Ok(word) => word,
            Err(message) => {
                self.wrong(key, message, out);
                None
            }
        }
    }

    /// Reads a list of words.
    pub(super) fn words(&self, key: &str, out: &mut Findings) -> Option<Vec<String>> {
        self.words_told(key, Node::shown, out)
    }

    /// Reads a list of words; messages tell of a wrong value what `told` makes of it.
    pub(super) fn words_told(
        &self,
        key: &str,
        told: fn(&Node) -> String,
        out: &mut Findings,
    ) -> Option<Vec<String>> {
        if let Some(field) = self.field(key).filter(|field| matches!(field.value, Node::Null)) {
            let message = "has no value, which is as if it were not there: write [] for an empty list";
            out.warning(self.at(field), Spot::Value, message);
        }
        let items = match self.value(key)? {
            Node::List(items) if items.len() <= ITEMS_MAX => items,
            Node::List(items) => {
                self.wrong(key, format!("{} items are more than {ITEMS_MAX}", items.len()), out);
                return None;
            }
            other => {
                let message = format!("expected a list such as [Read, Grep], found {}", told(other));
                self.wrong(key, message, out);
                return None;
            }
        };
        let mut words = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let text = match item {
                Node::Text(_) => checked_text(item, TextBound(ITEM_CHARS_MAX)),
                other => Err(no_text(other, &told(other))),
            };
            let word = text.and_then(|text| argument(text.trim()));
            match word {
                Ok(Some(word)) => words.push(word),
                Ok(None) => out.problem(self.trail_of(key).item(index), Spot::Value, "is blank: remove it"),
                Err(message) => out.problem(self.trail_of(key).item(index), Spot::Value, message),
            }
        }
        Some(words)
    }

    /// Reads a whole number.
    pub(super) fn whole(
        &self,
        key: &str,
        bounds: RangeInclusive<u32>,
        unit: &str,
        out: &mut Findings,
    ) -> Option<u32> {
        let value = self.value(key)?;
        let number = whole_number(value).filter(|number| bounds.contains(number));
        if number.is_none() {
            let (least, most) = bounds.into_inner();
            let message =
                format!("expected a whole number of {unit} from {least} to {most}, found {}", value.shown());
            self.wrong(key, message, out);
        }
        number
    }

    /// Reads an amount of money; 0 counts as absent.
    pub(super) fn dollars(&self, key: &str, out: &mut Findings) -> Option<f64> {
        let value = self.value(key)?;
        let number = number(value).filter(|number| (0.0..=DOLLARS_MAX).contains(number));
        if number.is_none() {
            let message = format!("expected US dollars from 0 to {DOLLARS_MAX}, found {}", value.shown());
            self.wrong(key, message, out);
        }
        number.filter(|&number| number > 0.0)
    }

    /// Reads a yes or no, in any of YAML's spellings.
    pub(super) fn flag(&self, key: &str, out: &mut Findings) -> Option<bool> {
        let value = self.value(key)?;
        let flag = match value {
            Node::Bool(flag) => Some(*flag),
            Node::Int(0) => Some(false),
            Node::Int(1) => Some(true),
            Node::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
            Node::Null | Node::Int(_) | Node::Float(_) | Node::List(_) | Node::Map(_) | Node::Tagged(_) => {
                None
            }
        };
        if flag.is_none() {
            self.wrong(key, format!("expected true or false, found {}", value.shown()), out);
        }
        flag
    }

    /// Reads one of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], out: &mut Findings) -> Option<T> {
        let value = self.value(key)?;
        let said = match value {
            Node::Text(text) => text.trim(),
            Node::Null
            | Node::Bool(_)
            | Node::Int(_)
            | Node::Float(_)
            | Node::List(_)
            | Node::Map(_)
            | Node::Tagged(_) => "",
        };
        let chosen = choices.iter().find(|(name, _)| *name == said).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let guess =
                nearest(said, &names).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
            let message = format!("expected one of {}, found {}{guess}", names.join(", "), value.shown());
            self.wrong(key, message, out);
        }
        chosen
    }
}

/// The key whose value is merged into its mapping.
const MERGE_KEY: &str = "<<";

/// Returns the text of a value, or what is wrong with it.
pub(super) fn checked_text(value: &Node, bound: TextBound) -> Result<&str, String> {
    let Node::Text(text) = value else { return Err(no_text(value, &value.shown())) };
    let chars = text.chars().count();
    if chars > bound.0 {
        return Err(format!("{chars} characters are more than {}", bound.0));
    }
    if text.contains('\0') {
        return Err("contains a NUL character: remove it".to_owned());
    }
    Ok(text)
}

/// Says that a value is not text, and what it is instead.
pub(super) fn no_text(value: &Node, shown: &str) -> String {
    let quote = match value {
        Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Tagged(_) => ": put it in quotes",
        Node::Null | Node::Text(_) | Node::List(_) | Node::Map(_) => "",
    };
    format!("expected text, found {shown}{quote}")
}

/// Returns a trimmed text as an argument of `claude`, nothing when it is blank.
fn argument(text: &str) -> Result<Option<String>, String> {
    if text.starts_with('-') {
        return Err("begins with `-`: `claude` would take it for an option".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("must be a single line".to_owned());
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn whole_number(value: &Node) -> Option<u32> {
    match value {
        Node::Int(number) => u32::try_from(*number).ok(),
        Node::Float(number) => from_float(*number),
        Node::Text(text) => text.trim().parse().ok().or_else(|| from_float(text.trim().parse().ok()?)),
        Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) | Node::Tagged(_) => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked first")]
fn from_float(number: f64) -> Option<u32> {
    let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    whole.then_some(number as u32)
}

#[expect(clippy::cast_precision_loss, reason = "an amount of money that large is refused anyway")]
fn number(value: &Node) -> Option<f64> {
    match value {
        Node::Int(number) => Some(*number as f64),
        Node::Float(number) => Some(*number),
        Node::Text(text) => text.trim().parse().ok(),
        Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) | Node::Tagged(_) => None,
    }
}
