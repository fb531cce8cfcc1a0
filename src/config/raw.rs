//! The agents file as it is written: every value and every entry, duplicates included, before anything is judged.

use std::fmt;

use serde::de::{
    self, Deserialize, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess as _, Visitor,
};

/// One YAML value. Aliases are expanded (within the reader's bounds); merge keys are still plain entries.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// A value with a tag of its own (`!secret x`): the tag.
    Tagged(String),
}

/// Why the text is not YAML, and where, as far as the reader says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxProblem {
    pub(super) place: Option<(usize, usize)>,
    pub(super) message: String,
}

impl Node {
    /// Reads one YAML document; empty text is null.
    pub(super) fn parse(text: &str) -> Result<Self, SyntaxProblem> {
        serde_yaml::from_str(text).map_err(|error| SyntaxProblem::new(&error, text))
    }

    /// Returns the value as an error message shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) if text.chars().count() > SHOWN_CHARS_MAX => {
                format!("{:?}…", text.chars().take(SHOWN_CHARS_MAX).collect::<String>())
            }
            Self::Text(text) => format!("{text:?}"),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
            Self::Tagged(tag) => format!("a value with the tag `!{}`", tag.escape_debug()),
        }
    }

    /// Returns the value as a message about one that may be a secret tells it: what it is, not what it says.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Text(_) => "text".to_owned(),
            Self::Int(_) | Self::Float(_) => "a number".to_owned(),
            // What begins with `!` may be a secret that lacks its quotes.
            Self::Tagged(_) => "a value with a tag".to_owned(),
            Self::Null | Self::Bool(_) | Self::List(_) | Self::Map(_) => self.shown(),
        }
    }

    /// Returns the text of a key, nothing when the key is no scalar.
    pub(super) fn key_text(&self) -> Option<String> {
        match self {
            Self::Null => Some("null".to_owned()),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => Some(self.shown()),
            Self::Text(text) => Some(text.clone()),
            Self::List(_) | Self::Map(_) | Self::Tagged(_) => None,
        }
    }
}

/// Longest text that a message repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;

impl SyntaxProblem {
    /// Returns what the reader's error says, its own place cut out of the sentence.
    pub(super) fn new(error: &serde_yaml::Error, text: &str) -> Self {
        let said = unquoted(&error.to_string());
        let Some(at) = error.location() else {
            let several = said.contains("more than one document");
            let place = several.then(|| second_document(text)).flatten();
            let message = if several {
                "a second document begins here: keep everything in one, without `---` in between".to_owned()
            } else {
                said
            };
            return Self { place, message };
        };
        let (line, column) = (at.line(), at.column());
        let mut message = said.replacen(&format!(" at line {line} column {column}"), "", 1);
        if text
            .lines()
            .nth(line.saturating_sub(1))
            .is_some_and(|line| line.trim_start_matches(' ').starts_with('\t'))
        {
            message.push_str(" (the line begins with a tab: YAML indents with spaces)");
        }
        Self { place: Some((line, column)), message }
    }
}

/// Returns a sentence of the reader without what it quotes: that may be a secret. It quotes one value at most, and a key in
/// front may hold a quote, too: so all from the first to the last goes.
fn unquoted(said: &str) -> String {
    match (said.split_once('"'), said.rsplit_once('"')) {
        (Some((before, _)), Some((quoting, after))) if quoting.len() > before.len() => {
            format!("{before}\"…\"{after}")
        }
        _ => said.to_owned(),
    }
}

/// Returns the place of the `---` that begins the second document.
fn second_document(text: &str) -> Option<(usize, usize)> {
    let mut content = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("---") && content {
            return Some((index + 1, 1));
        }
        content = content || !(line.trim().is_empty() || line.starts_with(['#', '%']));
    }
    None
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Int(value.into()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Int(value.into()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Node, E> {
        // Far beyond every bound either way.
        Ok(Node::Int(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (tag, content) = tagged.variant::<String>()?;
        // The content is read all the same, so that its own errors come to light.
        content.newtype_variant::<Node>()?;
        Ok(Node::Tagged(tag))
    }
}

#[cfg(test)]
mod tests;
