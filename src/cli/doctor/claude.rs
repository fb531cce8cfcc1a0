//! Claude Code: whether it is there, knows the options that runs are started with, and is logged in.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::audit::redact::one_line;
use crate::cli::doctor::finding::Finding;
use crate::model::Exit;
use crate::runner::probe::{ProbeError, Said};

const SECTION: &str = "claude";

/// What a program answered, if it did.
pub(super) type Answer = Result<Said, ProbeError>;

/// What is known of Claude Code.
#[derive(Debug)]
pub(super) struct Facts {
    /// Where it is.
    pub(super) program: Option<PathBuf>,
    /// Where the settings say that it is.
    pub(super) configured: Option<PathBuf>,
    /// Where the `PATH` has one.
    pub(super) on_path: Option<PathBuf>,
    /// Whether runs are given a system prompt.
    pub(super) system_prompt: bool,
    /// What it says to `--version`.
    pub(super) version: Option<Answer>,
    /// What it says to `--help`.
    pub(super) help: Option<Answer>,
    /// What it says to `auth status`; nothing when it has no such command.
    pub(super) login: Option<Answer>,
}

/// The options that runs are started with, and what each is for. Without one of the first five, none can be.
const OPTIONS: [(&str, &str); 15] = [
    ("--print", "every run"),
    ("--output-format", "every run"),
    ("--verbose", "every run"),
    ("--session-id", "every run"),
    ("--settings", "keeping runs from dispatching on without end"),
    ("--append-system-prompt", "the dispatch protocol and instructions"),
    ("--resume", "going on with a conversation"),
    ("--model", "`model`"),
    ("--max-budget-usd", "`max_budget_usd`"),
    ("--permission-mode", "`permission_mode`"),
    ("--allowedTools", "`allowed_tools`"),
    ("--disallowedTools", "`disallowed_tools`"),
    ("--tools", "an empty `allowed_tools`"),
    ("--strict-mcp-config", "an empty `allowed_tools`"),
    ("--json-schema", "`response_format` with a schema"),
];
const NEEDED_ALWAYS: usize = 5;

/// What brings a newer Claude Code.
const UPDATE: &str = "claude update";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(program) = &facts.program else {
        let missing = Finding::fail(SECTION, "`claude` is not on the PATH: nothing can be dispatched");
        return vec![missing.fix("npm install -g @anthropic-ai/claude-code")];
    };
    if !program.is_file() && facts.configured.is_some() {
        return vec![missing_setting(program, facts.on_path.as_deref())];
    }
    let mut found = vec![version(program, facts.version.as_ref())];
    found.extend(facts.help.as_ref().map(|help| options(help, facts.system_prompt)));
    found.push(login(facts.login.as_ref()));
    found
}

fn missing_setting(program: &Path, on_path: Option<&Path>) -> Finding {
    let message = format!("`claude_path` in the settings is {}, which is not there", program.display());
    let found = Finding::fail(SECTION, message);
    match on_path {
        Some(there) => found
            .details([format!("There is one on the PATH: {}", there.display())])
            .fix("agent-dispatch settings unset claude_path"),
        None => {
            found.fix("npm install -g @anthropic-ai/claude-code && agent-dispatch settings unset claude_path")
        }
    }
}

fn version(program: &Path, answer: Option<&Answer>) -> Finding {
    let program = program.display();
    match answer {
        Some(Ok(said)) if said.went_well() => {
            let version = said.stdout.split_whitespace().next().unwrap_or("of an unknown version");
            Finding::ok(SECTION, format!("Claude Code {} ({program})", one_line(version, 100)))
        }
        Some(Ok(said)) => {
            let words = one_line(said.last_words(), 500);
            Finding::fail(SECTION, format!("{program} does not tell its version"))
                .details([words])
                .fix(UPDATE)
        }
        Some(Err(error)) => {
            let why = crate::model::with_causes(error);
            Finding::fail(SECTION, format!("{program} does not run")).details([why]).fix(UPDATE)
        }
        None => Finding::ok(SECTION, program.to_string()),
    }
}

fn options(help: &Answer, system_prompt: bool) -> Finding {
    let text = match help {
        Ok(said) if said.went_well() => &said.stdout,
        Ok(_) | Err(_) => {
            return Finding::warn(SECTION, "its options could not be looked at: it does not answer `--help`")
                .fix(UPDATE);
        }
    };
    let wanted = |(at, (option, _)): &(usize, &(&str, &str))| {
        (*at < NEEDED_ALWAYS || *option != "--append-system-prompt" || system_prompt)
            && !has_option(text, option)
    };
    let missing: Vec<(usize, &(&str, &str))> = OPTIONS.iter().enumerate().filter(wanted).collect();
    if missing.is_empty() {
        return Finding::ok(SECTION, "it knows every option that runs are started with");
    }
    let details = missing.iter().map(|(_, (option, what))| format!("{option}: needed for {what}"));
    let message = "it lacks options that runs are started with";
    let found = if missing.iter().any(|(at, _)| *at < NEEDED_ALWAYS) {
        Finding::fail(SECTION, message)
    } else {
        Finding::warn(SECTION, message)
    };
    found.details(details.collect::<Vec<_>>()).fix(UPDATE)
}

/// Returns whether a help text names the option, not only a longer one.
fn has_option(help: &str, option: &str) -> bool {
    help.match_indices(option).any(|(at, _)| {
        let after = help.get(at + option.len()..).and_then(|rest| rest.chars().next());
        !after.is_some_and(|next| next.is_alphanumeric() || next == '-')
    })
}

/// Returns whether the help lists the command `auth`. An older release would take it for a prompt, and answer it.
pub(super) fn has_auth(help: &Answer) -> bool {
    help.as_ref().is_ok_and(|said| {
        let mut lines = said.stdout.lines().skip_while(|line| !line.starts_with("Commands:"));
        lines.any(|line| line.split_whitespace().next() == Some("auth"))
    })
}

fn login(answer: Option<&Answer>) -> Finding {
    let unknown =
        |why: String| Finding::warn(SECTION, "whether it is logged in could not be found out").details([why]);
    match answer {
        None => unknown("it has no command `auth`".to_owned()).fix(UPDATE),
        Some(Err(error)) => unknown(crate::model::with_causes(error)).fix("claude auth login"),
        Some(Ok(said)) => {
            let status: Value = serde_json::from_str(said.stdout.trim()).unwrap_or_default();
            let word = |key: &str| status.get(key).and_then(Value::as_str).map(|word| one_line(word, 100));
            match status.get("loggedIn").and_then(Value::as_bool) {
                Some(true) => {
                    let how = [word("authMethod"), word("apiProvider")].into_iter().flatten();
                    Finding::ok(SECTION, format!("logged in ({})", how.collect::<Vec<_>>().join(", ")))
                }
                Some(false) => Finding::fail(SECTION, "it is not logged in: every dispatch will fail")
                    .fix("claude auth login"),
                None if said.exit == Exit::Code(0) => Finding::ok(SECTION, "logged in"),
                None => unknown(one_line(said.last_words(), 500)).fix("claude auth login"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
