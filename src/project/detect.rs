//! What a directory is built with, by the files at its top.

use std::path::Path;

use serde_json::Value;

use crate::project::watch::Watch;

/// Files that tell a stack, any of them.
const STACKS: [(&str, &[&str]); 6] = [
    ("Docker", &["Dockerfile"]),
    ("Docker Compose", &["docker-compose.yaml", "docker-compose.yml"]),
    ("Rust", &["Cargo.toml"]),
    ("Go", &["go.mod"]),
    ("Python", &["requirements.txt", "pyproject.toml"]),
    ("Node.js", &["package.json"]),
];

/// Directories and files that tell how a database is kept, any of them.
const DATABASES: [(&str, &[&str], &[&str]); 3] = [
    ("Prisma", &["prisma"], &["schema.prisma"]),
    ("Alembic", &["alembic"], &["alembic.ini"]),
    ("migrations", &["migrations"], &[]),
];

/// The project's own settings of Claude Code.
const SETTINGS_FILES: [&str; 2] = [".claude/settings.json", ".claude/settings.local.json"];
/// Files that may name MCP servers.
const SERVER_FILES: [&str; 3] = [".mcp.json", SETTINGS_FILES[0], SETTINGS_FILES[1]];
/// Largest of these files that is read; JSON is understood whole or not at all.
pub(super) const JSON_BYTES_MAX: usize = 1 << 20;
/// Most servers that are named.
const SERVERS_MAX: usize = 100;
/// Longest name of a server that is repeated, in characters.
const SERVER_CHARS_MAX: usize = 100;

/// Returns the stacks of a directory.
pub(super) fn stacks(directory: &Path) -> Vec<&'static str> {
    let has = |files: &[&str]| files.iter().any(|file| directory.join(file).is_file());
    STACKS.iter().filter(|(_, files)| has(files)).map(|(name, _)| *name).collect()
}

/// Returns the ways databases are kept in a directory.
pub(super) fn databases(directory: &Path) -> Vec<&'static str> {
    let has = |folders: &[&str], files: &[&str]| {
        folders.iter().any(|folder| directory.join(folder).is_dir())
            || files.iter().any(|file| directory.join(file).is_file())
    };
    DATABASES.iter().filter(|(_, folders, files)| has(folders, files)).map(|(name, ..)| *name).collect()
}

/// Returns the names of the MCP servers that the files of a directory configure.
pub(super) fn mcp_servers(directory: &Path, watch: &mut Watch) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for file in SERVER_FILES {
        let Some(settings) = json(&directory.join(file), watch) else { continue };
        let Some(servers) = settings.get("mcpServers").and_then(Value::as_object) else { continue };
        for name in servers.keys() {
            let name = one_line(name, SERVER_CHARS_MAX);
            if names.len() < SERVERS_MAX && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// Returns whether the project's own settings have rules that allow tools.
pub(super) fn has_allow_rules(directory: &Path, watch: &mut Watch) -> bool {
    SETTINGS_FILES.iter().any(|file| {
        let settings = json(&directory.join(file), watch);
        let rules =
            settings.as_ref().and_then(|settings| settings.get("permissions")?.get("allow")?.as_array());
        rules.is_some_and(|rules| !rules.is_empty())
    })
}

/// Returns the content of a JSON file, nothing when it cannot be read or understood.
pub(super) fn json(path: &Path, watch: &mut Watch) -> Option<Value> {
    let head = watch.read(path, JSON_BYTES_MAX).filter(|head| !head.truncated)?;
    serde_json::from_slice(&head.bytes).ok()
}

/// Returns `text` as a line that can be shown anywhere: no control characters, spaces collapsed, cut.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(chars_max) {
        Some(_) => {
            let cut: String = line.chars().take(chars_max.saturating_sub(1)).collect();
            format!("{}…", cut.trim_end())
        }
        None => line,
    }
}

#[cfg(test)]
mod tests;
