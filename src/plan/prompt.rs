//! The words a run gets: the prompt on its standard input, and what is appended to its system prompt.

use crate::audit::redact::one_line;
use crate::budget::usd;
use crate::model::agent::ProfileInForce;
use crate::model::{Agent, DispatchRequest, Group, ResponseFormat};

/// Returns the prompt. It always begins with a heading: a prompt whose first character is `/` would be taken for a command
/// of `claude` instead of being answered.
pub fn prompt(request: &DispatchRequest, group: Option<&Group>) -> String {
    let context = context(request, group);
    let mut out = String::with_capacity(request.task.len() + context.len() + request.goal.len() + 1024);
    let mut section = |heading: &str, text: &str| {
        if !text.trim().is_empty() {
            for part in [if out.is_empty() { "" } else { "\n\n" }, "## ", heading, "\n\n", text.trim_end()] {
                out.push_str(part);
            }
        }
    };
    section("Goal", &request.goal);
    section("Dispatched by", &request.caller);
    section("Context", &context);
    section("Task", &request.task);
    if request.response_format == ResponseFormat::Json {
        section("Response format", JSON_FORMAT);
    }
    out
}

const JSON_FORMAT: &str = "\
Reply with exactly one JSON value and nothing else: no words before or after it and no code fence around it, because a \
program parses the reply as it stands. If the task cannot be answered that way, reply with a JSON object whose key \
`error` says why.";

/// Returns the context of the request with what its group shares with every member in front of it.
pub fn context(request: &DispatchRequest, group: Option<&Group>) -> String {
    let Some(group) = group.filter(|group| !group.shared_context.trim().is_empty()) else {
        return request.context.clone();
    };
    let shared = format!("Shared context of the group `{}`:\n{}", group.name, group.shared_context.trim());
    if request.context.trim().is_empty() { shared } else { format!("{shared}\n\n{}", request.context) }
}

/// Returns what is appended to the system prompt: how to answer a machine, if `protocol`, and the agent's standing
/// instructions. Begins with a heading, never with a `-`.
pub fn system(
    agent: &Agent,
    request: &DispatchRequest,
    profile: &ProfileInForce,
    protocol: bool,
) -> Option<String> {
    let mut parts = Vec::new();
    if protocol {
        parts.push(dispatch_protocol(agent, request, profile));
    }
    let instructions = agent.instructions.trim();
    if !instructions.is_empty() {
        parts.push(format!("## Standing instructions for the agent `{}`\n\n{instructions}", agent.name));
    }
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

fn dispatch_protocol(agent: &Agent, request: &DispatchRequest, profile: &ProfileInForce) -> String {
    // One line: who asks is free text and must not add rules of its own.
    let caller = match one_line(&request.caller, 80) {
        caller if caller.is_empty() => "Another agent".to_owned(),
        caller => format!("`{}`", caller.replace('`', "'")),
    };
    let seconds = profile.timeout_seconds;
    let money =
        profile.max_budget_usd.map(|cap| format!(" and may spend at most {}", usd(cap))).unwrap_or_default();
    let mut text = format!(
        "## You were dispatched\n\n\
         You are the agent `{}`. {caller} sent you this task through agent-dispatch. Nobody watches this session: no \
         question will be answered and no permission can be granted while you work.\n\n\
         - Do not end with a question. Where the task leaves something open, assume what is most likely, say so, and go \
         on; where the possible readings differ in risk, take the safer one.\n\
         - If a tool is denied or something you need is missing, report it by name and finish everything that does not \
         depend on it.\n\
         - You have {seconds} seconds{money}. Fit the work to that and keep time for the answer: what is not said when \
         the time is over is lost.\n",
        agent.name
    );
    if request.response_format == ResponseFormat::Text {
        text.push_str(
            "- Your answer is read by a program. Begin with the outcome, then give the evidence or the changes (files, \
             commands, numbers), then list what was not done.\n\
             - Let the very last line be one of `STATUS: done`, `STATUS: partial`, `STATUS: blocked`, whichever is true \
             of the task as a whole.\n",
        );
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests;
