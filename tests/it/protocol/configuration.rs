//! The configuration as the server sees it: as it is at each call, and said plainly when it is broken.

use std::fs;

use serde_json::{Value, json};

use crate::client::Home;

#[test]
fn an_edit_takes_effect_at_the_next_call() {
    let home = Home::new();
    let client = &mut home.client();
    let names = |agents: &Value| -> Vec<String> {
        let agents = agents["agents"].as_array().expect("a list").iter();
        agents.map(|agent| agent["name"].as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(names(&client.document("list_agents", &json!({}))), ["worker", "other"]);
    fs::create_dir_all(home.path("third")).expect("a folder can be made");
    let more = format!("agents:\n  third: {{directory: {}}}\n", home.text_path("third"));
    home.configure(&home.usual_configuration("").replace("agents:\n", &more));
    assert_eq!(names(&client.document("list_agents", &json!({}))), ["third", "worker", "other"]);
    let answer = client.document("dispatch", &json!({"agent": "third", "task": "fake: say here"}));
    assert_eq!(answer["result"], "here", "{answer}");
    home.configure(&home.usual_configuration(""));
    assert_eq!(
        client.failure("dispatch", &json!({"agent": "third", "task": "fake: say here"}))["code"],
        "not_found"
    );
}

#[test]
fn a_broken_file_is_told_with_its_place_and_jobs_can_still_be_read() {
    let home = Home::new();
    let client = &mut home.client();
    let done = client.document("dispatch", &json!({"agent": "worker", "task": "fake: say kept"}));
    let job = done["job_id"].clone();
    home.configure("agents:\n  worker:\n    directory: [unfinished\n");
    for (tool, arguments) in [
        ("list_agents", json!({})),
        ("inspect_agent", json!({"name": "worker"})),
        ("dispatch", json!({"agent": "worker", "task": "x"})),
        ("dispatch_async", json!({"agent": "worker", "task": "x"})),
    ] {
        let failure = client.failure(tool, &arguments);
        assert_eq!(failure["code"], "config", "{tool}: {failure}");
        let error = failure["error"].as_str().expect("a text");
        assert!(error.contains("agents.yaml") && error.contains("line "), "{tool}: {error}");
        assert!(failure["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{tool}: {failure}");
    }
    for (tool, argument) in [
        ("dispatch_status", "job_id"),
        ("dispatch_wait", "job_id"),
        ("dispatch_cancel", "job_id"),
        ("fetch_result", "ref"),
    ] {
        client.document(tool, &json!({ argument: job }));
    }
    home.configure(&home.usual_configuration(""));
    assert!(client.document("list_agents", &json!({}))["agents"].is_array());
}

#[test]
fn one_broken_agent_does_not_disturb_the_others() {
    let home = Home::new();
    let client = &mut home.client();
    let broken = "agents:\n  broken: {directory: 5, timeout: -1}\n";
    home.configure(&home.usual_configuration("").replace("agents:\n", broken));
    let listed = client.document("list_agents", &json!({}));
    let agents = listed["agents"].as_array().expect("a list");
    let found = agents.iter().find(|agent| agent["name"] == "broken").expect("it is listed");
    assert_eq!(found["healthy"], false, "{found}");
    assert!(
        found["problem"].as_str().is_some_and(|it| it.contains("directory") && it.contains("timeout")),
        "{found}"
    );
    let answer = client.document("dispatch", &json!({"agent": "worker", "task": "fake: say fine"}));
    assert_eq!(answer["result"], "fine", "{answer}");
    for (tool, arguments) in
        [("inspect_agent", json!({"name": "broken"})), ("dispatch", json!({"agent": "broken", "task": "x"}))]
    {
        let failure = client.failure(tool, &arguments);
        assert!(failure["error"].as_str().is_some_and(|it| it.contains("directory")), "{tool}: {failure}");
    }
}

#[test]
fn without_agents_the_command_that_adds_one_is_named() {
    let home = Home::new();
    let client = &mut home.client();
    for text in ["", "agents: {}\n", "# nothing yet\n"] {
        home.configure(text);
        let failure = client.failure("list_agents", &json!({}));
        assert!(
            failure["hint"].as_str().is_some_and(|hint| hint.contains("agent-dispatch add")),
            "{failure}"
        );
    }
    fs::remove_file(home.configuration()).expect("a file can be removed");
    let failure = client.failure("list_agents", &json!({}));
    assert!(failure["hint"].as_str().is_some_and(|hint| hint.contains("agent-dispatch")), "{failure}");
}

#[test]
fn an_agent_is_shown_with_what_its_folder_holds() {
    let home = Home::new();
    let client = &mut home.client();
    fs::write(home.path("worker/Cargo.toml"), "[package]\nname = \"x\"\n").expect("a file can be written");
    fs::write(home.path("worker/.mcp.json"), r#"{"mcpServers": {"db": {"command": "x"}}}"#)
        .expect("a file can be written");
    fs::write(home.path("worker/CLAUDE.md"), "first\nsecond\nthird\n").expect("a file can be written");
    let listed = client.document("list_agents", &json!({}));
    let (worker, other) = (&listed["agents"][0], &listed["agents"][1]);
    assert_eq!(
        (&worker["has_claude_md"], &worker["has_mcp_config"]),
        (&json!(true), &json!(true)),
        "{worker}"
    );
    assert_eq!(worker["mcp_servers"], json!(["db"]), "{worker}");
    assert_eq!((&other["mcp_servers"], &other["has_claude_md"]), (&Value::Null, &json!(false)), "{other}");

    let worker = client.document("inspect_agent", &json!({"name": "worker", "preview_lines": 2}));
    assert_eq!(
        (&worker["claude_md_preview"], &worker["claude_md_truncated"]),
        (&json!("first\nsecond"), &json!(true))
    );
    assert_eq!(
        (&worker["timeout"], &worker["description"]),
        (&json!(300), &json!("plays a script")),
        "{worker}"
    );
    let other = client.document("inspect_agent", &json!({"name": "other"}));
    assert_eq!(
        (&other["mcp_servers"], &other["stacks"], &other["dbs"]),
        (&json!([]), &json!([]), &json!([]))
    );
}

#[test]
fn an_agent_whose_folder_is_gone_is_not_healthy_and_not_dispatched_to() {
    let home = Home::new();
    let client = &mut home.client();
    fs::remove_dir(home.path("other")).expect("a folder can be removed");
    let listed = client.document("list_agents", &json!({}));
    assert_eq!(
        (&listed["agents"][0]["healthy"], &listed["agents"][1]["healthy"]),
        (&json!(true), &json!(false))
    );
    let failure = client.failure("dispatch", &json!({"agent": "other", "task": "x"}));
    assert_eq!(failure["code"], "not_found", "{failure}");
}
