//! Which entries are good, and where they are found.

use std::fs;

use super::*;

fn environment(home: &Path) -> Environment {
    let variables = [("HOME", home.to_str().unwrap()), ("PATH", home.to_str().unwrap())];
    let variables = variables.map(|(name, value)| (name.into(), value.into())).into();
    Environment::new(variables, home.join("project"), home.join("agent-dispatch")).unwrap()
}

/// Returns a home with this program and another one in it.
fn home() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("project")).unwrap();
    for name in ["agent-dispatch", "other"] {
        fs::write(home.path().join(name), "").unwrap();
        fs::set_permissions(home.path().join(name), fs::Permissions::from_mode(0o700)).unwrap();
    }
    home
}

#[test]
fn the_entry_we_make_has_no_flaw_and_every_other_its_own() {
    let home = home();
    let environment = environment(home.path());
    let good = entry(&environment.program);
    let with = |key: &str, value: Value| {
        let mut changed = good.clone();
        changed[key] = value;
        flaws(&changed, &environment)
    };
    assert_eq!(flaws(&good, &environment), []);
    // Found on the PATH, it is the same program.
    assert_eq!(with("command", json!("agent-dispatch")), []);
    assert_eq!(with("timeout", json!(7_200_000)), []);
    assert_eq!(with("command", json!("/nowhere/at-all")), [Flaw::Missing("/nowhere/at-all".to_owned())]);
    assert_eq!(with("command", json!("other")), [Flaw::Other("other".to_owned())]);
    assert_eq!(with("args", json!(["serve", "--old"])), [Flaw::Arguments]);
    assert_eq!(with("timeout", json!(60_000)), [Flaw::Timeout]);
    assert_eq!(with("alwaysLoad", json!(false)), [Flaw::NotAlwaysLoaded]);
    let all = flaws(&json!({}), &environment);
    assert_eq!(all, [Flaw::Missing(String::new()), Flaw::Arguments, Flaw::Timeout, Flaw::NotAlwaysLoaded]);
}

#[test]
fn entries_are_found_where_claude_code_keeps_them() {
    let home = home();
    let environment = environment(home.path());
    let project = home.path().join("project");
    for scope in [Scope::User, Scope::Local, Scope::Project] {
        assert_eq!(find(&environment, scope), None);
    }
    let named = |name: &str| json!({"mcpServers": {"agent-dispatch": {"command": name}, "x": {}}});
    let mut state = named("user");
    state["projects"] = json!({project.to_str().unwrap(): named("local"), "/else": named("else")});
    fs::write(home.path().join(".claude.json"), state.to_string()).unwrap();
    fs::write(project.join(".mcp.json"), named("project").to_string()).unwrap();
    for (scope, name) in [(Scope::User, "user"), (Scope::Local, "local"), (Scope::Project, "project")] {
        assert_eq!(find(&environment, scope), Some(json!({"command": name})));
    }
    fs::write(home.path().join(".claude.json"), "{broken").unwrap();
    assert_eq!(find(&environment, Scope::User), None);
}

#[test]
fn registrations_under_other_names_are_told_from_other_servers() {
    let home = home();
    let environment = environment(home.path());
    let program = environment.program.to_str().unwrap().to_owned();
    std::os::unix::fs::symlink(&program, home.path().join("linked")).unwrap();
    let linked = home.path().join("linked").to_str().unwrap().to_owned();
    let entry = |command: &str, args: &[&str]| json!({"command": command, "args": args});
    let servers = json!({
        "agent-dispatch": entry(&program, &["serve"]),
        "ours": entry(&program, &["serve"]),
        "by-name": entry("agent-dispatch", &["serve"]),
        "linked": entry(&linked, &["serve"]),
        "uvx": entry("uvx", &["agent-dispatch", "serve"]),
        "module": entry("/usr/bin/python3", &["-m", "agent_dispatch", "serve"]),
        "listing": entry("agent-dispatch", &["list"]),
        "files": entry("npx", &["server-filesystem", "/srv/agent-dispatch", "x"]),
        "served": entry("other", &["serve"]),
        "remote": {"type": "http", "url": "https://agent-dispatch.example/serve"},
        "odd": 5,
    });
    fs::write(home.path().join(".claude.json"), json!({"mcpServers": servers}).to_string()).unwrap();
    fs::write(
        home.path().join("project/.mcp.json"),
        json!({"mcpServers": {"here": entry("agent-dispatch", &["serve"])}}).to_string(),
    )
    .unwrap();
    let found: Vec<_> = strays(&environment).into_iter().map(|stray| (stray.scope, stray.name)).collect();
    let user = ["ours", "by-name", "linked", "uvx", "module"].map(|name| (Scope::User, name.to_owned()));
    let mut found_in_user: Vec<_> =
        found.iter().filter(|(scope, _)| *scope == Scope::User).cloned().collect();
    let mut user = user.to_vec();
    found_in_user.sort_by(|one, other| one.1.cmp(&other.1));
    user.sort_by(|one, other| one.1.cmp(&other.1));
    assert_eq!(found_in_user, user);
    assert_eq!(found.first(), Some(&(Scope::Project, "here".to_owned())));
    assert_eq!(found.len(), 6);
}

#[test]
fn what_claude_code_says_of_the_connection_is_understood() {
    let said =
        |status: &str| format!("agent-dispatch:\n  Scope: User config\n  Status: {status}\n  Type: stdio\n");
    for (status, connection_is) in [
        ("✔ Connected", Connection::Connected),
        ("✓ Connected", Connection::Connected),
        ("✘ Failed to connect", Connection::Failed),
        ("✗ Not connected", Connection::Failed),
        ("⏸ Pending approval (run `claude` to approve)", Connection::Pending),
        ("?", Connection::Unknown),
    ] {
        assert_eq!(connection(&said(status)), connection_is, "{status}");
    }
    assert_eq!(connection("no such server"), Connection::Unknown);
}
