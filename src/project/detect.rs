//! What a directory is built with, by the files at its top.

use serde_json::Value;

use crate::audit::redact::one_line;
use crate::project::top::Top;

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
/// The project's MCP servers, for everybody who works on it.
const SERVER_FILE: &str = ".mcp.json";
/// Most servers that are named.
const SERVERS_MAX: usize = 100;
/// Longest name of a server that is repeated, in characters.
const SERVER_CHARS_MAX: usize = 100;

/// Returns the stacks of a directory.
pub(super) fn stacks(top: &mut Top<'_>) -> Vec<&'static str> {
    let mut has = |files: &[&str]| files.iter().any(|file| top.has_file(file));
    STACKS.iter().filter(|(_, files)| has(files)).map(|(name, _)| *name).collect()
}

/// Returns the ways databases are kept in a directory.
pub(super) fn databases(top: &mut Top<'_>) -> Vec<&'static str> {
    let mut has = |folders: &[&str], files: &[&str]| {
        folders.iter().any(|folder| top.has_folder(folder)) || files.iter().any(|file| top.has_file(file))
    };
    DATABASES.iter().filter(|(_, folders, files)| has(folders, files)).map(|(name, ..)| *name).collect()
}

/// Returns the project's own settings of Claude Code, as far as they can be understood.
pub(super) fn settings(top: &mut Top<'_>) -> Vec<Value> {
    SETTINGS_FILES.iter().filter_map(|file| top.json(file)).collect()
}

/// Returns the names of the MCP servers that the files of a directory configure, its settings among them.
pub(super) fn mcp_servers(top: &mut Top<'_>, settings: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for file in top.json(SERVER_FILE).iter().chain(settings) {
        let Some(servers) = file.get("mcpServers").and_then(Value::as_object) else { continue };
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
pub(super) fn has_allow_rules(settings: &[Value]) -> bool {
    let rules = |settings: &Value| Some(!settings.get("permissions")?.get("allow")?.as_array()?.is_empty());
    settings.iter().filter_map(rules).any(|some| some)
}

#[cfg(test)]
mod tests;
