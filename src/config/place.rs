//! Where in the text a value stands: line and column of what a problem is about.
//!
//! The reader of the values keeps no places, so the text is parsed a second time, with a parser that does, and only
//! when there is something to report.

use std::fmt;

use yaml_edit::{Document, Mapping, YamlFile, YamlNode};

/// The way from the top of the file to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Trail(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// The entry number `index`, counted as written, of a mapping; without number it came through a merge key.
    Entry { index: Option<usize>, key: String },
    /// An item of a list.
    Item(usize),
}

/// What of an entry a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Key,
    Value,
}

impl Trail {
    /// Returns the trail to an entry of the mapping this one leads to.
    pub(super) fn entry(&self, index: Option<usize>, key: &str) -> Self {
        self.with(Step::Entry { index, key: key.to_owned() })
    }

    /// Returns the trail to an item of the list this one leads to.
    pub(super) fn item(&self, index: usize) -> Self {
        self.with(Step::Item(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Entry { key, .. } => {
                    let dot = if position == 0 { "" } else { "." };
                    let plain = key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
                    if plain && !key.is_empty() {
                        write!(f, "{dot}{key}")?;
                    } else {
                        let cut: String = key.chars().take(KEY_CHARS_MAX).collect();
                        write!(f, "{dot}{cut:?}")?;
                    }
                }
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Longest key that a message repeats, in characters.
const KEY_CHARS_MAX: usize = 100;

/// A text that places can be looked up in.
pub(super) struct Places<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    root: Option<YamlNode>,
}

impl<'a> Places<'a> {
    /// Parses `text`, which the strict reader has accepted.
    pub(super) fn new(text: &'a str) -> Self {
        let document: Option<Document> = YamlFile::parse(text).tree().document();
        let root = document.and_then(|document| document.as_mapping()).map(YamlNode::Mapping);
        let bytes = text.as_bytes();
        let ends_line = |index: usize| match bytes.get(index) {
            Some(b'\n') => true,
            Some(b'\r') => bytes.get(index + 1) != Some(&b'\n'),
            Some(_) | None => false,
        };
        let breaks = (0..bytes.len()).filter(|&index| ends_line(index)).map(|index| index + 1);
        Self { text, line_starts: std::iter::once(0).chain(breaks).collect(), root }
    }

    /// Returns line and column of what `trail` leads to, or of the last thing on the way that stands in the text:
    /// what came through an alias or a merge key stands elsewhere.
    pub(super) fn find(&self, trail: &Trail, spot: Spot) -> (usize, usize) {
        let mut node = self.root.clone();
        let mut offset = 0;
        for (position, step) in trail.0.iter().enumerate() {
            let last = position + 1 == trail.0.len();
            let next = match (node.as_ref(), step) {
                (Some(YamlNode::Mapping(mapping)), Step::Entry { index: Some(index), key }) => {
                    entry(mapping, *index, key)
                }
                (Some(YamlNode::Sequence(list)), Step::Item(index)) => {
                    list.get(*index).map(|item| (start(&item), Some(item)))
                }
                (Some(_) | None, Step::Entry { .. } | Step::Item(_)) => None,
            };
            let Some((key_start, value)) = next else {
                offset = node.as_ref().map_or(offset, start);
                break;
            };
            offset = match value.as_ref().map(YamlNode::byte_range) {
                Some(range) if last && spot == Spot::Value && range.end > range.start => {
                    start_of(range.start)
                }
                Some(_) | None => key_start,
            };
            node = value;
        }
        self.line_and_column(offset)
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        (line.max(1), column + 1)
    }
}

/// Returns where the key of an entry stands, and its value.
fn entry(mapping: &Mapping, index: usize, key: &str) -> Option<(usize, Option<YamlNode>)> {
    let entry = mapping.entries().nth(index)?;
    let written = entry.key_node()?;
    // Only a text that differs means that the two parsers disagree: other values can be written in several ways.
    let same = written
        .as_scalar()
        .is_none_or(|scalar| scalar.as_string().eq_ignore_ascii_case(key) || !is_word(key));
    same.then(|| (start(&written), entry.value_node()))
}

/// Returns whether a key was surely written as text.
fn is_word(key: &str) -> bool {
    key != "null" && key.parse::<f64>().is_err()
}

fn start(node: &YamlNode) -> usize {
    start_of(node.byte_range().start)
}

fn start_of(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(0)
}

#[cfg(test)]
mod tests;
