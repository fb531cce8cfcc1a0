//! What a conversation asks the mock to say: scripts inside the prompt, and the step a conversation has reached.
//!
//! A prompt may hold `<<mock [STEP, ...] mock>>`, one step for every answer of the model. The list is JSON, so a script
//! inside a script is text in a JSON string: reading the outer one as JSON passes over it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Opens a script.
const OPEN: &str = "<<mock";
/// Closes a script.
const CLOSE: &str = "mock>>";
/// Stands, in any text of a step, for what the last tools answered.
const LAST_TOOL_RESULT: &str = "{{last_tool_result}}";
/// Opens, in any text of a step, a JSON pointer into what the last tool answered; it stands for what is found there.
const LAST_POINTER: &str = "{{last:";
/// How much of a prompt without a script is repeated, in characters.
const ECHO_CHARS: usize = 60;

/// One answer of the model. Everything that is not said is left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    /// Text, before any tool.
    pub(crate) text: Option<String>,
    /// A long text.
    pub(crate) repeat: Option<Repeat>,
    /// A tool to call.
    pub(crate) tool: Option<ToolCall>,
    /// Tools to call in one message.
    pub(crate) tools: Vec<ToolCall>,
    /// How long the answer takes to begin.
    pub(crate) delay_ms: u64,
    /// An error instead of an answer.
    pub(crate) error: Option<ApiError>,
    /// Never finish: nothing at all, or nothing after the text.
    pub(crate) hang: bool,
    /// Fields of the usage to report instead of the usual ones.
    pub(crate) usage: Map<String, Value>,
    /// Why the model stopped, when not the usual reason.
    pub(crate) stop_reason: Option<String>,
}

/// A text that is too long to be written out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repeat {
    text: String,
    times: usize,
}

/// One call of a tool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolCall {
    /// The tool.
    pub(crate) name: String,
    /// Its arguments.
    #[serde(default)]
    pub(crate) input: Value,
}

/// An error as the service reports it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The kind, such as `rate_limit_error`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What it says.
    pub(crate) message: String,
    /// HTTP headers that come with it.
    #[serde(default)]
    pub(crate) headers: Map<String, Value>,
}

impl Step {
    /// Returns a step that says `text`.
    fn saying(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// Returns all it says.
    pub(crate) fn full_text(&self) -> String {
        let mut text = self.text.clone().unwrap_or_default();
        if let Some(repeat) = &self.repeat {
            text.push_str(&repeat.text.repeat(repeat.times));
        }
        text
    }

    /// Returns all tools it calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.tool.iter().chain(&self.tools)
    }

    /// Returns how long it takes to begin.
    pub(crate) fn delay(&self) -> Option<Duration> {
        (self.delay_ms > 0).then(|| Duration::from_millis(self.delay_ms))
    }

    fn fill(&mut self, last_tool_result: &str) {
        if let Some(text) = &mut self.text {
            *text = filled(text, last_tool_result);
        }
        for call in self.tool.iter_mut().chain(&mut self.tools) {
            fill_value(&mut call.input, last_tool_result);
        }
    }
}

fn filled(text: &str, last_tool_result: &str) -> String {
    let text = text.replace(LAST_TOOL_RESULT, last_tool_result);
    let Some((before, rest)) = text.split_once(LAST_POINTER) else { return text };
    let Some((pointer, after)) = rest.split_once("}}") else { return text };
    let answer: Value = serde_json::from_str(last_tool_result).unwrap_or_default();
    let found = match answer.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    format!("{before}{found}{}", filled(after, last_tool_result))
}

fn fill_value(value: &mut Value, last_tool_result: &str) {
    match value {
        // What stands inside an inner script is for the inner conversation.
        Value::String(text) if !text.contains(OPEN) => {
            *text = filled(text, last_tool_result);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill_value(item, last_tool_result)),
        Value::Object(fields) => fields.values_mut().for_each(|item| fill_value(item, last_tool_result)),
        _ => {}
    }
}

/// What the mock understood of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Turn {
    /// The text that decided: the one with the script, else the last one the user wrote.
    pub(crate) prompt: String,
    /// How many answers the script has given already.
    pub(crate) number: usize,
    /// What the last tools answered, one after the other.
    pub(crate) last_tool_result: Option<String>,
    /// What to say now, or why the script cannot be read.
    pub(crate) step: Result<Step, String>,
}

/// Reads the script in `text`, if there is one. A single step need not be in a list.
pub(crate) fn find_script(text: &str) -> Option<Result<Vec<Step>, String>> {
    let rest = text.get(text.find(OPEN)? + OPEN.len()..)?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Some(Err(format!("the script is not JSON: {error}"))),
        None => return Some(Err("the script is empty".to_owned())),
    };
    let after = rest.get(values.byte_offset()..).unwrap_or_default();
    if !after.trim_start().starts_with(CLOSE) {
        return Some(Err(format!("no {CLOSE} after the script")));
    }
    let list = if value.is_array() { value } else { Value::Array(vec![value]) };
    Some(serde_json::from_value(list).map_err(|error| format!("the script has a wrong step: {error}")))
}

/// Reads a conversation: the `messages` of a request.
///
/// Nothing is remembered between requests. The step is the number of answers that follow the script, so a retried
/// request gets the same step again, and a resumed conversation follows the script of its newest prompt.
pub(crate) fn read(messages: &[Value]) -> Turn {
    let scripted = messages.iter().enumerate().rev().find_map(|(at, message)| {
        let found = user_texts(message).find_map(|text| Some((text, find_script(text)?)))?;
        Some((at, found))
    });
    let last_tool_result = messages.iter().rev().find_map(tool_results);
    let Some((at, (prompt, script))) = scripted else {
        let prompt = messages.iter().rev().find_map(|message| user_texts(message).last()).unwrap_or_default();
        let echo: String = prompt.chars().take(ECHO_CHARS).collect();
        let step = Step::saying(format!("mock reply to: {echo}"));
        return Turn { prompt: prompt.to_owned(), number: 0, last_tool_result, step: Ok(step) };
    };
    let number = messages.iter().skip(at).filter(|message| is_from(message, "assistant")).count();
    let step = script.map(|steps| {
        let mut step = steps.into_iter().nth(number).unwrap_or_else(|| Step::saying("the script is over"));
        step.fill(last_tool_result.as_deref().unwrap_or_default());
        step
    });
    Turn { prompt: prompt.to_owned(), number, last_tool_result, step }
}

fn is_from(message: &Value, role: &str) -> bool {
    message.get("role").and_then(Value::as_str) == Some(role)
}

/// Returns what the user wrote in `message`; not what tools answered, which may hold scripts of other conversations.
fn user_texts(message: &Value) -> impl Iterator<Item = &str> {
    let content = message.get("content").filter(|_| is_from(message, "user"));
    content.into_iter().flat_map(texts)
}

/// Returns the texts of a message's content, which is a text or a list of blocks.
fn texts(content: &Value) -> impl Iterator<Item = &str> {
    let blocks = content.as_array().into_iter().flatten();
    content.as_str().into_iter().chain(blocks.filter_map(|block| block.get("text")?.as_str()))
}

fn tool_results(message: &Value) -> Option<String> {
    let blocks = message.get("content")?.as_array()?;
    let results: Vec<&str> = blocks
        .iter()
        .filter(|block| block.get("type").and_then(Value::as_str) == Some("tool_result"))
        .flat_map(|block| block.get("content").into_iter().flat_map(texts))
        .collect();
    (!results.is_empty()).then(|| results.join("\n"))
}

#[cfg(test)]
#[path = "script/tests.rs"]
mod tests;
