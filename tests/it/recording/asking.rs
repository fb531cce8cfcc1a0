//! Who asked, taken from the connection and the environment, through every door.

use std::process::Command;

use serde_json::{Value, json};

use crate::client::Home;
use crate::recording::records_of;
use crate::world::{Done, World};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Returns what is recorded of who made the first request of this home.
fn caller(world: &World) -> Value {
    records_of(world, "requested")[0]["caller"].clone()
}

fn with(world: &World, variables: &[(&str, &str)]) -> Command {
    let mut command = world.agent_dispatch(&["dispatch", "worker", "look"]);
    command.envs(variables.iter().copied());
    command
}

/// Returns the user as whom this test runs, as its home tells.
fn user() -> String {
    agent_dispatch::config::paths::user()
}

#[test]
fn a_dispatch_by_cron_says_who_and_where_without_a_terminal_or_a_session() {
    let world = World::with_worker();
    let mut command = world.agent_dispatch(&["dispatch", "worker", "look", "--caller", "nightly"]);
    // Cron sets little more than this.
    command.env_remove("LANG").env_remove("TZ").env("LOGNAME", "whoever").env("SHELL", "/bin/sh");
    Done::of(command).ok();
    let mut known = caller(&world);
    let pid = known.as_object_mut().unwrap().remove("pid");
    assert!(pid.and_then(|pid| pid.as_u64()).is_some_and(|pid| pid > 1), "{known}");
    let want = json!({
        "client": "cli", "session": null, "directory": world.path("").to_str().unwrap().trim_end_matches('/'),
        "declared": "nightly", "parent": null, "depth": 0, "tool_use": null, "user": user(), "traceparent": null,
    });
    assert_eq!(known, want);
}

#[test]
fn a_nested_dispatch_names_its_parent_its_root_and_its_trace() {
    let world = World::with_worker();
    world.script("report @outer; say outer");
    Done::of(with(&world, &[])).ok();
    let outer = records_of(&world, "requested")[0].clone();
    let id = outer["dispatch"].as_str().unwrap();
    let report = std::fs::read_to_string(world.path("outer")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let handed_on = report["env"]["TRACEPARENT"].as_str().unwrap().to_owned();
    assert_eq!(outer["trace"], handed_on, "what is recorded is what the run got");
    assert_eq!(
        handed_on,
        format!("00-{id}-{}-01", &id[16..]),
        "a new trace is found by the id of its first run"
    );

    let inside = [
        ("AGENT_DISPATCH_RUN_ID", id),
        ("AGENT_DISPATCH_DEPTH", "1"),
        ("TRACEPARENT", &handed_on),
        ("CLAUDE_CODE_SESSION_ID", "inner-session"),
        ("CLAUDE_PROJECT_DIR", "/srv/inner"),
    ];
    let mut command = world.agent_dispatch(&["dispatch", "worker", "look deeper"]);
    Done::of({
        command.envs(inside);
        command
    })
    .ok();
    let inner = records_of(&world, "requested")[1].clone();
    assert_eq!((&inner["parent"], &inner["root"]), (&json!(id), &json!(id)));
    assert_eq!(inner["caller"]["depth"], 1);
    assert_eq!(inner["caller"]["session"], "inner-session");
    assert_eq!(inner["caller"]["directory"], "/srv/inner");
    assert_eq!(inner["caller"]["traceparent"], handed_on);
    let trace = inner["trace"].as_str().unwrap();
    assert_eq!(trace.split('-').nth(1), Some(id), "one trace");
    assert_ne!(trace, handed_on, "and a span of its own");
}

#[test]
fn a_trace_that_is_none_is_not_believed() {
    let world = World::with_worker();
    Done::of(with(&world, &[("TRACEPARENT", "00-zz-1-01\nX: y")])).ok();
    assert_eq!(caller(&world)["traceparent"], Value::Null);
}

#[test]
fn a_client_of_either_era_is_named_with_its_session_its_call_and_its_trace() {
    let home = Home::new();
    let variables = [
        ("CLAUDE_CODE_SESSION_ID", "the-session"),
        ("CLAUDE_PROJECT_DIR", "/srv/project"),
        ("TRACEPARENT", "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01"),
    ];
    let mut client = home.serve_with(&variables);
    let name = client.initialize("2025-11-25");
    assert!(name.is_object());
    let call = |number: u32, meta: Value| {
        let mut meta = meta;
        meta["claudecode/toolUseId"] = json!(format!("toolu_{number}"));
        meta["traceparent"] = json!(format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let arguments = json!({"agent": "worker", "task": format!("fake: say {number}")});
        json!({"name": "dispatch", "arguments": arguments, "_meta": meta})
    };
    let id = client.request("tools/call", &call(1, json!({})));
    let answered = client.result(id);
    assert_eq!(answered["structuredContent"]["result"], "1", "{answered}");

    let mut modern = home.serve_with(&variables);
    let era = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "2.0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let id = modern.request("tools/call", &call(2, era));
    let answered = modern.result(id);
    assert_eq!(answered["structuredContent"]["result"], "2", "{answered}");

    let mut list = Command::new(env!("CARGO_BIN_EXE_agent-dispatch"));
    list.args(["audit", "--json"])
        .env_clear()
        .env("HOME", home.root())
        .env("XDG_RUNTIME_DIR", home.path("run"));
    let records = Done::of(list).ok().json();
    let asked: Vec<&Value> =
        records.as_array().unwrap().iter().rev().filter(|record| record["event"] == "requested").collect();
    assert_eq!(asked.len(), 2, "{records}");
    for (record, number) in asked.iter().zip(1..) {
        let caller = &record["caller"];
        assert_eq!(caller["tool_use"], format!("toolu_{number}"), "{caller}");
        assert_eq!(
            (&caller["session"], &caller["directory"]),
            (&json!("the-session"), &json!("/srv/project"))
        );
        assert_eq!(caller["user"], user());
        assert_eq!(
            caller["traceparent"],
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            "the call's, not the server's"
        );
        assert!(record["trace"].as_str().unwrap().starts_with(&format!("00-{TRACE}-")), "{record}");
        assert!(caller["client"].as_str().unwrap().contains(' '), "name and version: {caller}");
    }
    assert_eq!(asked[1]["caller"]["client"], "raw 2.0");
}
