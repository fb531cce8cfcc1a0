//! How Claude Code is told of this program: the entry it should have, the entries it has, and the commands between them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::cli::args::Scope;
use crate::config::paths::Environment;
use crate::dispatch::SERVER_NAME;
use crate::project::find_program;
use crate::project::regular::read_head;

/// Largest file of Claude Code's that is read: it keeps histories of every project.
const STATE_BYTES_MAX: usize = 32 << 20;

/// How long one call may take, in milliseconds, as Claude Code counts: the longest wait that a tool can be asked for.
const TIMEOUT_MS: u64 = 3_600_000;

/// Returns the entry that Claude Code should have for `program`. `alwaysLoad` puts the tools before the model at once and
/// makes the first request wait for them.
pub(super) fn entry(program: &Path) -> Value {
    let command = program.to_string_lossy();
    json!({"type": "stdio", "command": command, "args": ["serve"], "timeout": TIMEOUT_MS, "alwaysLoad": true})
}

/// Returns the arguments of `claude` that register `entry`.
pub(super) fn add(entry: &str, scope: Scope) -> [&str; 6] {
    ["mcp", "add-json", SERVER_NAME, entry, "--scope", scope.as_str()]
}

/// Returns the arguments of `claude` that take a registration back.
pub(super) const fn remove(scope: Scope) -> [&'static str; 5] {
    ["mcp", "remove", SERVER_NAME, "--scope", scope.as_str()]
}

/// The arguments of `claude` that show the registration that is in force, and try it.
pub(super) const GET: [&str; 3] = ["mcp", "get", SERVER_NAME];

/// Returns the entry that Claude Code has in `scope`, as its files say. Only read here, never written: that is for
/// Claude Code's own commands.
pub(super) fn find(environment: &Environment, scope: Scope) -> Option<Value> {
    servers(environment, scope)?.remove(SERVER_NAME)
}

/// This program, or one of its name, registered under another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stray {
    /// The name.
    pub(super) name: String,
    /// Where it is kept.
    pub(super) scope: Scope,
    /// What it starts.
    pub(super) starts: String,
}

impl Stray {
    /// Returns the arguments of `claude` that take it back.
    pub(super) fn remove(&self) -> [&str; 5] {
        ["mcp", "remove", &self.name, "--scope", self.scope.as_str()]
    }
}

/// Returns the registrations under other names that hold here.
pub(super) fn strays(environment: &Environment) -> Vec<Stray> {
    let mut found = Vec::new();
    for scope in [Scope::Local, Scope::Project, Scope::User] {
        let others =
            servers(environment, scope).into_iter().flatten().filter(|(name, _)| name != SERVER_NAME);
        found.extend(others.filter_map(|(name, entry)| {
            Some(Stray { name, scope, starts: serves(&entry, &environment.program)? })
        }));
    }
    found
}

/// Returns the command of an entry that starts a server of this program's name, be it through another one
/// (`uvx agent-dispatch serve`, `python -m agent_dispatch serve`).
fn serves(entry: &Value, program: &Path) -> Option<String> {
    let command = entry.get("command").and_then(Value::as_str)?;
    let arguments =
        entry.get("args").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let words: Vec<&str> = std::iter::once(command).chain(arguments).collect();
    let is_us = |word: &&str| {
        let path = Path::new(word);
        let named = path.file_name().and_then(|name| name.to_str()).map(|name| name.replace('_', "-"));
        named.as_deref() == Some(SERVER_NAME)
            || path.is_absolute() && path.canonicalize().ok().is_some_and(|path| path == program)
    };
    (words.iter().any(is_us) && words.contains(&"serve")).then(|| words.join(" "))
}

/// Returns the MCP servers that Claude Code has in `scope`, by name.
fn servers(environment: &Environment, scope: Scope) -> Option<Map<String, Value>> {
    let here = &environment.directory;
    let file = match scope {
        Scope::User | Scope::Local => environment.claude_state(),
        Scope::Project => here.join(".mcp.json"),
    };
    let head = read_head(&file, STATE_BYTES_MAX).ok()??;
    let state: Value = serde_json::from_slice(&head.bytes).ok()?;
    let servers = |holder: &Value| holder.get("mcpServers")?.as_object().cloned();
    match scope {
        Scope::User | Scope::Project => servers(&state),
        Scope::Local => {
            let projects = state.get("projects")?;
            // The directory may have been recorded with its links followed, or as it was typed.
            let followed = here.canonicalize().ok();
            let spellings = [followed, Some(here.clone())].into_iter().flatten();
            let found = spellings.filter_map(|path| servers(projects.get(path.to_str()?)?));
            found.reduce(|mut all, more| {
                all.extend(more);
                all
            })
        }
    }
}

/// What is not as it should be with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// The program it starts is not there.
    #[error("it starts `{0}`, which is not there")]
    Missing(String),
    /// It starts another program.
    #[error("it starts `{0}`, which is not this program")]
    Other(String),
    /// It starts it in another way.
    #[error("it does not start it with the one argument `serve`")]
    Arguments,
    /// Calls may be cut off.
    #[error("it has no `timeout` of an hour or more: a long wait may be cut off")]
    Timeout,
    /// The model may not see the tools.
    #[error("it lacks `alwaysLoad`: the first request may go without the tools")]
    NotAlwaysLoaded,
}

/// Returns what is wrong with `entry`, seen from this program.
pub(super) fn flaws(entry: &Value, environment: &Environment) -> Vec<Flaw> {
    let command = entry.get("command").and_then(Value::as_str).unwrap_or_default();
    let program = if command.contains('/') {
        Some(PathBuf::from(command)).filter(|path| path.exists())
    } else {
        find_program(command, environment.path_variable())
    };
    let followed = |path: &Path| path.canonicalize().ok();
    let mut flaws = Vec::new();
    match program {
        None => flaws.push(Flaw::Missing(command.to_owned())),
        Some(program) if followed(&program) != followed(&environment.program) => {
            flaws.push(Flaw::Other(command.to_owned()));
        }
        Some(_) => {}
    }
    if entry.get("args") != Some(&json!(["serve"])) {
        flaws.push(Flaw::Arguments);
    }
    if entry.get("timeout").and_then(Value::as_u64).is_none_or(|millis| millis < TIMEOUT_MS) {
        flaws.push(Flaw::Timeout);
    }
    if entry.get("alwaysLoad") != Some(&Value::Bool(true)) {
        flaws.push(Flaw::NotAlwaysLoaded);
    }
    flaws
}

/// How an entry does when Claude Code tries it, as `claude mcp get` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// It works.
    Connected,
    /// The user has not agreed to it yet.
    Pending,
    /// It does not work.
    Failed,
    /// Claude Code says nothing that is understood.
    Unknown,
}

/// Reads what `claude mcp get` printed. The signs in front of the words differ between releases.
pub(super) fn connection(said: &str) -> Connection {
    let status = said.lines().find_map(|line| line.trim_start().strip_prefix("Status:")).unwrap_or_default();
    let says = |word: &str| status.to_ascii_lowercase().contains(word);
    match () {
        () if says("fail") || says("not connected") => Connection::Failed,
        () if says("pending") => Connection::Pending,
        () if says("connected") => Connection::Connected,
        () => Connection::Unknown,
    }
}

#[cfg(test)]
mod tests;
