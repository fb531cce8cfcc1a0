//! `claude mcp ...`: the entries of MCP servers, kept where the real one keeps them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

/// Carries out `mcp` with these words, and returns what it prints; an error goes to standard error, with exit code 1.
///
/// `FAKE_CLAUDE_REFUSES` names commands that fail: `add-json remove`.
pub(crate) fn answer(words: &[&str]) -> Result<String, String> {
    let (command, rest) = words.split_first().ok_or("error: missing command")?;
    let refused = std::env::var("FAKE_CLAUDE_REFUSES").unwrap_or_default();
    if refused.split_whitespace().any(|refused| refused == *command) {
        return Err(format!("told to refuse {command}"));
    }
    let at = rest.iter().position(|word| matches!(*word, "--scope" | "-s"));
    let scope = at.and_then(|at| rest.get(at + 1)).copied().unwrap_or("local");
    let given: Vec<&str> = match at {
        Some(at) => rest.iter().take(at).chain(rest.iter().skip(at + 2)).copied().collect(),
        None => rest.to_vec(),
    };
    match (*command, given.as_slice()) {
        ("add-json", [name, entry]) => add(name, entry, scope),
        ("add", [name, program @ ..]) => {
            let words: Vec<&str> = program.iter().copied().filter(|word| *word != "--").collect();
            let (program, args) =
                words.split_first().ok_or("error: missing required argument 'commandOrUrl'")?;
            add(
                name,
                &json!({"type": "stdio", "command": program, "args": args, "env": {}}).to_string(),
                scope,
            )
        }
        ("remove", [name]) => {
            let mut state = read(scope)?;
            let removed = holder(&mut state, scope).and_then(|servers| servers.shift_remove(*name));
            removed.ok_or(format!("No MCP server named \"{name}\" in {scope} scope"))?;
            write(scope, &state)?;
            Ok(format!("Removed MCP server {name} from {scope} config"))
        }
        ("get", [name]) => get(name),
        ("list", []) => Ok("No MCP servers configured. Use `claude mcp add` to add a server.".to_owned()),
        _ => Err(format!("error: unknown command '{command}'")),
    }
}

fn add(name: &str, entry: &str, scope: &str) -> Result<String, String> {
    let entry: Value = serde_json::from_str(entry).map_err(|_| "Invalid configuration: : Invalid input")?;
    let mut state = read(scope)?;
    let servers = holder(&mut state, scope).ok_or("the file holds no object")?;
    if servers.contains_key(name) {
        return Err(format!("MCP server {name} already exists in {scope} config"));
    }
    servers.insert(name.to_owned(), entry);
    write(scope, &state)?;
    Ok(format!("Added stdio MCP server {name} to {scope} config"))
}

fn get(name: &str) -> Result<String, String> {
    let found = ["local", "project", "user"].into_iter().find_map(|scope| {
        let mut state = read(scope).ok()?;
        Some((scope, holder(&mut state, scope)?.get(name)?.clone()))
    });
    let (scope, entry) =
        found.ok_or(format!("No MCP server named \"{name}\". Run `claude mcp add` to add one."))?;
    let command = entry.get("command").and_then(Value::as_str).unwrap_or_default();
    let status = match (scope, PathBuf::from(command).is_file()) {
        ("project", _) => "⏸ Pending approval (run `claude` to approve)",
        (_, true) => "✔ Connected",
        (_, false) => "✘ Failed to connect",
    };
    Ok(format!("{name}:\n  Scope: {scope} config\n  Status: {status}\n  Type: stdio\n  Command: {command}"))
}

fn file(scope: &str) -> PathBuf {
    if scope == "project" {
        return ".mcp.json".into();
    }
    let home = std::env::var_os("CLAUDE_CONFIG_DIR").or_else(|| std::env::var_os("HOME"));
    PathBuf::from(home.unwrap_or_default()).join(".claude.json")
}

fn read(scope: &str) -> Result<Value, String> {
    match fs::read(file(scope)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        Err(_) => Ok(json!({})),
    }
}

fn write(scope: &str, state: &Value) -> Result<(), String> {
    fs::write(file(scope), state.to_string()).map_err(|error| error.to_string())
}

/// Returns the servers of a scope, making room for them if need be.
fn holder<'a>(state: &'a mut Value, scope: &str) -> Option<&'a mut serde_json::Map<String, Value>> {
    fn inside<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
        Some(value.as_object_mut()?.entry(key).or_insert_with(|| json!({})))
    }
    let place = if scope == "local" {
        let here = std::env::current_dir().ok()?;
        inside(inside(state, "projects")?, here.to_str()?)?
    } else {
        state
    };
    inside(place, "mcpServers")?.as_object_mut()
}

/// What it prints for `--help`: the options it knows, and the commands.
pub(crate) const HELP: &str = include_str!("../../tests/data/claude/help.txt");
