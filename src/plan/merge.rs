//! Several answers put before one agent that makes one of them: the request for it, with a label on every part.

use std::fmt::Write as _;

use crate::model::request::{RawRequest, without_nul};
use crate::model::{DispatchRequest, Outcome};

/// Room for the answers in one prompt, in bytes; what is left is for headings and the agent's own context.
const BYTES_MAX: usize = DispatchRequest::PROMPT_BYTES_MAX / 10 * 9;

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Who gave it.
    pub agent: String,
    /// Whether it was given without an error.
    pub success: bool,
    /// The agent's own verdict.
    pub outcome: Option<Outcome>,
    /// The answer, or its beginning.
    pub text: String,
    /// Length of the whole answer in characters, when this is only its beginning.
    pub preview_of: Option<u64>,
    /// What went wrong.
    pub error: Option<String>,
}

/// Returns the request to `agent` to make one answer of these.
pub fn request(agent: String, parts: &[Part]) -> RawRequest {
    RawRequest {
        agent,
        task: TASK.to_owned(),
        context: context(parts, BYTES_MAX),
        caller: "dispatch_parallel".to_owned(),
        goal: "One answer out of several".to_owned(),
        ..RawRequest::default()
    }
}

const TASK: &str = "\
The context holds what several agents answered, each under a heading with its name and how it went. Make one answer of \
them: begin with what they establish together, name where they contradict each other and which side the evidence is on, \
and end with what follows. Keep facts, paths, commands and numbers exact, say which agent each comes from, and say what is \
missing because an agent failed or is not done.";

fn context(parts: &[Part], bytes_max: usize) -> String {
    let share = bytes_max / parts.len().max(1);
    let mut text = String::new();
    for part in parts {
        let (body, cut) = cut(&body(part), share);
        let mut label = if part.success { "OK" } else { "FAILED" }.to_owned();
        if let Some(outcome) = part.outcome.filter(|outcome| *outcome != Outcome::Done) {
            let _infallible = write!(label, ", agent reports {}", outcome.as_str().to_uppercase());
        }
        if cut || part.preview_of.is_some() {
            let _infallible = write!(label, ", preview of {} characters", body.chars().count());
            if let Some(all) = part.preview_of {
                let _infallible = write!(label, " out of {all}");
            }
        }
        let gap = if text.is_empty() { "" } else { "\n\n" };
        let _infallible = write!(text, "{gap}## Agent: {} [{label}]\n\n{}", part.agent, body.trim_end());
    }
    text
}

/// Returns what a part says, as a request may hold it.
fn body(part: &Part) -> String {
    let body = match (&part.error, part.text.trim().is_empty()) {
        (Some(error), true) => format!("error: {error}"),
        (Some(error), false) => format!("error: {error}\n\n{}", part.text),
        (None, true) => "(no text)".to_owned(),
        (None, false) => part.text.clone(),
    };
    without_nul(&body)
}

fn cut(text: &str, bytes_max: usize) -> (String, bool) {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text.get(..end).unwrap_or_default().to_owned(), end < text.len())
}

#[cfg(test)]
mod tests;
