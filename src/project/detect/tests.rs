//! Tests of stacks, databases and MCP servers.

use std::fs;
use std::path::Path;

use crate::project::detect::{databases, has_allow_rules, mcp_servers, settings, stacks};
use crate::project::top::{JSON_BYTES_MAX, Top};
use crate::project::watch::Watch;

fn with_top<T>(directory: &Path, look: impl FnOnce(&mut Top<'_>) -> T) -> T {
    look(&mut Top::list(directory, &mut Watch::default()).expect("a directory"))
}

fn servers(directory: &Path) -> Vec<String> {
    with_top(directory, |top| {
        let settings = settings(top);
        mcp_servers(top, &settings)
    })
}

#[test]
fn every_stack_is_known_by_its_files() {
    for (file, expected) in [
        ("Dockerfile", "Docker"),
        ("docker-compose.yaml", "Docker Compose"),
        ("docker-compose.yml", "Docker Compose"),
        ("Cargo.toml", "Rust"),
        ("go.mod", "Go"),
        ("requirements.txt", "Python"),
        ("pyproject.toml", "Python"),
        ("package.json", "Node.js"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(folder.path().join(file)).expect("made");
        assert_eq!(with_top(folder.path(), stacks), Vec::<&str>::new(), "a directory called {file}");
        fs::remove_dir(folder.path().join(file)).expect("removed");
        fs::write(folder.path().join(file), "").expect("written");
        assert_eq!(with_top(folder.path(), stacks), [expected], "{file}");
    }
}

#[test]
fn every_way_to_keep_a_database_is_known() {
    for (name, is_folder, expected) in [
        ("prisma", true, "Prisma"),
        ("schema.prisma", false, "Prisma"),
        ("alembic", true, "Alembic"),
        ("alembic.ini", false, "Alembic"),
        ("migrations", true, "migrations"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join(name);
        if is_folder { fs::create_dir_all(path) } else { fs::write(path, "") }.expect("made");
        assert_eq!(with_top(folder.path(), databases), [expected], "{name}");
    }
}

#[test]
fn servers_are_named_once_in_the_order_of_the_files() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir_all(folder.path().join(".claude")).expect("made");
    for (file, text) in [
        (".mcp.json", r#"{"mcpServers": {"b": {}, "a": 5}}"#),
        (".claude/settings.json", r#"{"mcpServers": {"c": {}}}"#),
        (".claude/settings.local.json", r#"{"mcpServers": {"a": {}, "d\n\u001b": {}}}"#),
    ] {
        fs::write(folder.path().join(file), text).expect("written");
    }
    assert_eq!(servers(folder.path()), ["b", "a", "c", "d"]);
}

#[test]
fn files_that_make_no_sense_name_no_servers() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let large = format!("{{\"mcpServers\": {{\"a\": \"{}\"}}}}", "x".repeat(JSON_BYTES_MAX));
    for text in [
        "",
        "{",
        "[]",
        "5",
        r#"{"mcpServers": []}"#,
        r#"{"mcpServers": "a"}"#,
        "{\"mcpServers\": {\"\u{e9}",
        large.as_str(),
    ] {
        fs::write(folder.path().join(".mcp.json"), text).expect("written");
        assert_eq!(servers(folder.path()), Vec::<String>::new());
    }
}

#[test]
fn rules_that_allow_tools_are_seen_in_either_file_of_settings() {
    for (file, text, expected) in [
        ("settings.json", r#"{"permissions": {"allow": ["Bash"]}}"#, true),
        ("settings.local.json", r#"{"permissions": {"allow": ["Bash"], "deny": []}}"#, true),
        ("settings.json", r#"{"permissions": {"allow": []}}"#, false),
        ("settings.json", r#"{"permissions": {"deny": ["Bash"]}}"#, false),
        ("settings.json", r#"{"permissions": ["allow"]}"#, false),
        ("settings.json", r#"{"permissions": {"allow": "Bash"}}"#, false),
        ("other.json", r#"{"permissions": {"allow": ["Bash"]}}"#, false),
    ] {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(folder.path().join(".claude")).expect("made");
        fs::write(folder.path().join(".claude").join(file), text).expect("written");
        let found = with_top(folder.path(), |top| has_allow_rules(&settings(top)));
        assert_eq!(found, expected, "{file}: {text}");
    }
}
