//! Setting up with the real `claude`: it takes the registration, reaches the server, and is found to be in order.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::real::{RealClaude, finish, script};

const PRODUCT: &str = env!("CARGO_BIN_EXE_agent-dispatch");

#[test]
fn the_real_cli_is_told_checked_asked_and_told_again() {
    let Some(real) = RealClaude::start() else { return };
    let (here, target) = (real.folder("here"), real.folder("target"));
    let run = |arguments: &[&str]| finish(real.command(Path::new(PRODUCT), arguments, &here, ""));
    let registered = || -> Value {
        let state = fs::read(real.home().join(".claude.json")).expect("it keeps its state there");
        let state: Value = serde_json::from_slice(&state).expect("its state is JSON");
        state["mcpServers"]["agent-dispatch"].clone()
    };
    // An older registration, as `claude mcp add` makes it.
    let old = ["mcp", "add", "--scope", "user", "agent-dispatch", "--", "/old/agent-dispatch", "serve"];
    finish(real.claude(&old, &here, "")).succeeded();
    let done = run(&["init"]).succeeded().stdout;
    assert!(
        done.contains("registration  replaced (user scope)\nchecked       Claude Code reaches it\n"),
        "{done}"
    );
    let want = json!({
        "type": "stdio", "command": PRODUCT, "args": ["serve"], "timeout": 3_600_000, "alwaysLoad": true,
    });
    assert_eq!(registered(), want);

    let target = target.to_str().expect("its name is text");
    run(&["add", "worker", target]).succeeded();
    // Everything that the real one is asked is understood.
    let report = run(&["doctor", "--strict", "--json"]).succeeded().json();
    assert_eq!(report["status"], "ok", "{report:#}");
    let said = report.to_string();
    for what in
        ["logged in (api_key, firstParty)", "it knows every option", "knows this program (user scope)"]
    {
        assert!(said.contains(what), "{what}: {report:#}");
    }
    assert_eq!(real.api_calls().len(), 0, "looking cost something");
    let live = run(&["doctor", "--live", "worker"]).succeeded().stdout;
    assert!(live.contains("\nlive\n  ok    worker answered ("), "{live}");

    // A session finds the tools that were registered.
    let steps = json!([
        {"tool": {"name": "mcp__agent-dispatch__list_agents", "input": {}}},
        {"text": "it said {{last_tool_result}}"},
    ]);
    let arguments = ["-p", "--output-format", "json", "--allowedTools", "mcp__agent-dispatch"];
    let asked = finish(real.claude(&arguments, &here, &script(&steps))).succeeded().json();
    assert!(asked["result"].as_str().is_some_and(|said| said.contains("worker")), "{asked}");

    run(&["uninstall"]).succeeded();
    assert_eq!(registered(), Value::Null);
    run(&["daemon", "stop"]).succeeded();
}
