//! Why a dispatch may not run: each refusal with its class and the next thing to do.

use std::path::Path;

use crate::audit::redact::one_line;
use crate::model::absent::{Step, listed, there_is_no, without_agent};
use crate::model::{Agent, AgentName, FailureClass, Group};
use crate::plan::{Refusal, UnknownAgent};

fn refusal(class: FailureClass, message: String, hint: impl Into<String>) -> Refusal {
    Refusal { class, message, hint: hint.into() }
}

pub(super) fn unknown_agent(name: &AgentName, unknown: &UnknownAgent) -> Refusal {
    if let Some(why) = &unknown.broken {
        return refusal(
            FailureClass::NotFound,
            format!("the agent `{name}` is disabled by a mistake in the configuration: {why}"),
            format!(
                "correct it with `agent-dispatch update {name}` or in the file, then check with `agent-dispatch list`"
            ),
        );
    }
    let known = &unknown.known;
    let steps = without_agent(name.as_str(), known).into_iter();
    let hints: Vec<String> =
        steps.map(|Step { command, tool, does }| format!("`{command}` or {tool} {does}")).collect();
    refusal(FailureClass::NotFound, there_is_no("agent", name.as_str(), known), hints.join("; "))
}

pub(super) fn unknown_group(name: &AgentName, groups: &[Group]) -> Refusal {
    let known: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    refusal(
        FailureClass::NotFound,
        there_is_no("group", name.as_str(), &known),
        "see what there is with `agent-dispatch group list` or list_groups; or leave `group` out to dispatch without one",
    )
}

pub(super) fn not_a_member(agent: &AgentName, group: &Group) -> Refusal {
    let name = &group.name;
    let members: Vec<_> = group.members.iter().map(|member| member.agent.to_string()).collect();
    let message = match members.as_slice() {
        [] => format!("the group `{name}` has no members yet"),
        members => {
            format!("the agent `{agent}` is not in the group `{name}`, whose members are {}", listed(members))
        }
    };
    refusal(
        FailureClass::NotFound,
        message,
        format!("dispatch to a member (see `agent-dispatch group inspect {name}`) or leave `group` out"),
    )
}

pub(super) fn caller_not_allowed(agent: &Agent, allowed: &[String]) -> Refusal {
    let name = &agent.name;
    let allowed = match allowed {
        [] => "nobody".to_owned(),
        names => format!("{} only", listed(names)),
    };
    refusal(
        FailureClass::Refused,
        format!("the agent `{name}` takes tasks from {allowed}"),
        format!("ask the user: `callers` of `{name}` in the configuration says who may dispatch to it"),
    )
}

pub(super) fn too_deep(depth: u32, most: u32) -> Refusal {
    refusal(
        FailureClass::Recursion,
        format!("this session is nested {depth} dispatches deep and {most} are allowed"),
        "do the work here, or report what is missing to whoever dispatched you; \
         `max_dispatch_depth` in the settings raises the limit",
    )
}

pub(super) fn no_claude(configured: Option<&Path>) -> Refusal {
    let message = match configured {
        Some(path) => format!("`claude_path` in the settings is {}, which is not there", path.display()),
        None => "the program `claude` is not on the PATH".to_owned(),
    };
    refusal(
        FailureClass::NotFound,
        message,
        "install Claude Code (`npm install -g @anthropic-ai/claude-code`) or set `claude_path` in the settings to where \
         it is",
    )
}

pub(super) fn no_directory(agent: &Agent) -> Refusal {
    let Agent { name, directory, .. } = agent;
    refusal(
        FailureClass::NotFound,
        format!(
            "the directory of the agent `{name}` is missing, is no directory or does not answer: {}",
            directory.display()
        ),
        format!("create it, or name its new directory with `agent-dispatch update {name} --directory DIR`"),
    )
}

pub(super) fn bad_value(name: &AgentName, field: &str, value: &str, problem: &str) -> Refusal {
    refusal(
        FailureClass::CliError,
        format!("`{field}` of the agent `{name}` is {:?}, which {problem}", one_line(value, 60)),
        format!("correct it with `agent-dispatch update {name}` or in the settings"),
    )
}

pub(super) fn too_long(name: &AgentName, bytes: usize, most: usize) -> Refusal {
    refusal(
        FailureClass::CliError,
        format!(
            "the instructions of the agent `{name}` make a system prompt of {bytes} bytes, more than {most}"
        ),
        "move them to CLAUDE.md in the agent's directory, which is read in every session there",
    )
}

pub(super) fn prompt_too_long(bytes: usize, most: usize) -> Refusal {
    refusal(
        FailureClass::CliError,
        format!("the prompt is {bytes} bytes long, more than the {most} that claude reads"),
        "put the context into a file and name the file in the task",
    )
}

pub(super) fn bad_schema(problem: &str) -> Refusal {
    refusal(
        FailureClass::CliError,
        format!("the JSON Schema in `response_format` cannot be used: {problem}"),
        "correct the schema, or use \"json\" and describe the answer in the task",
    )
}
