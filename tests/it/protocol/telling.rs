//! What is told: of refusals and failures in one shape, of what was yesterday, and what to do in words a model can act on.

use serde_json::{Value, json};

use crate::client::{Client, Home};

/// Returns the text of a prompt.
fn prompt(client: &mut Client, name: &str, arguments: &Value) -> String {
    let id = client.request("prompts/get", &json!({"name": name, "arguments": arguments}));
    client.result(id)["messages"][0]["content"]["text"].as_str().expect("it is a text").to_owned()
}

#[test]
fn what_was_dispatched_before_the_daemon_went_is_known_to_a_review_and_to_a_list() {
    let home = Home::new();
    let client = &mut home.client();
    let text = prompt(client, "review", &json!({}));
    assert!(text.contains("no dispatches are known since 24h"), "{text}");
    assert!(!home.path(".local/state/agent-dispatch/store").exists(), "a store was made to say so");
    let mut last = Value::Null;
    for number in 0..3 {
        let task = format!("fake: cost 1; say {number}");
        last = client.document("dispatch", &json!({"agent": "worker", "task": task}))["job_id"].take();
    }
    home.stop_daemon();
    let client = &mut home.client();
    let text = prompt(client, "review", &json!({}));
    assert!(text.contains(last.as_str().expect("it is an id")), "{text}");
    home.stop_daemon();
    let client = &mut home.client();
    let known = crate::real::until(crate::client::SOON, || {
        let listed = client.document("list_agents", &json!({}));
        listed["agents"][0]["typical"]["median_cost_usd"].as_f64()
    });
    assert_eq!(known, Some(1.0));
}

#[test]
fn a_refusal_and_a_failure_are_told_in_one_shape() {
    let home = Home::new();
    let client = &mut home.client();
    let failing = json!({"agent": "worker", "task": "fake: auth-error"});
    let unknown = json!({"agent": "nobody", "task": "x"});
    let keys = ["agent", "job_id", "status", "error", "error_type", "code", "retry", "hint"];
    let told = [
        client.failure("dispatch", &failing),
        client.failure("dispatch", &unknown),
        client.failure("dispatch_async", &unknown),
        client.failure("dispatch_session", &unknown),
    ];
    for told in &told {
        for key in keys {
            assert!(told[key].as_str().is_some_and(|it| !it.is_empty()), "{key}: {told}");
        }
        assert_eq!((&told["success"], &told["code"]), (&json!(false), &told["error_type"]), "{told}");
    }
    assert_eq!((&told[0]["status"], &told[0]["code"]), (&json!("failed"), &json!("auth")));
    assert_eq!((&told[1]["status"], &told[1]["code"]), (&json!("refused"), &json!("not_found")));
    assert_eq!(told[1]["retry"], "never");
    let shown = client.document("audit_show", &json!({"id": told[1]["job_id"]}));
    assert!(shown.to_string().contains("there is no agent `nobody`"), "{shown}");
}

#[test]
fn a_model_is_told_of_tools_and_not_of_commands() {
    let home = Home::new();
    let client = &mut home.client();
    let nothing = "0".repeat(32);
    for (tool, arguments, hint) in [
        ("dispatch_wait", json!({"job_id": nothing}), "dispatch_jobs"),
        ("dispatch_cancel", json!({"job_id": nothing}), "dispatch_jobs"),
        ("remove_agent", json!({"name": "nobody"}), "list_agents"),
        ("update_agent", json!({"name": "nobody", "model": "opus"}), "list_agents"),
        ("update_agent", json!({"name": "worker"}), "other arguments"),
        (
            "add_agent",
            json!({"name": "worker", "directory": home.path("worker")}),
            "the tool that updates it",
        ),
        ("update_group", json!({"name": "nobody", "description": "x"}), "list_groups"),
        ("audit_search", json!({"since": "nonsense"}), "one of those ways"),
    ] {
        let told = client.failure(tool, &arguments);
        let said = told["hint"].as_str().expect("there is a hint");
        assert!(said.contains(hint) && !told.to_string().contains("agent-dispatch "), "{tool}: {told}");
    }
    home.configure("agents: [\n");
    let told = client.failure("list_agents", &json!({}));
    assert!(told["hint"].as_str().is_some_and(|hint| hint.contains("make this call again")), "{told}");
    let id = client.request("prompts/get", &json!({"name": "review"}));
    assert_eq!(client.answer(id)["error"]["code"], -32603, "the file is wrong, not the request");
}

#[test]
fn an_edit_tells_what_the_configuration_warns_of() {
    let home = Home::new();
    let client = &mut home.client();
    let changed = client.document("update_agent", &json!({"name": "worker", "permission_mode": "plann"}));
    let note = &changed["notes"]["agents.worker.permission_mode"];
    assert!(note.as_str().is_some_and(|note| note.contains("did you mean `plan`?")), "{changed}");
    let more = json!({"name": "more", "directory": home.path("worker"), "permission_mode": "foo"});
    let added = client.document("add_agent", &more);
    assert!(added["notes"]["agents.more.permission_mode"].is_string(), "{added}");
    let mended = client.document("update_agent", &json!({"name": "worker", "permission_mode": "plan"}));
    assert_eq!(mended["notes"], Value::Null, "{mended}");
}

#[test]
fn an_agent_is_shown_as_it_would_run_and_with_what_is_not_its_own() {
    let home = Home::with_settings(
        "  default_allowed_tools: [Read]\n  default_permission_mode: plan\n  default_max_budget_usd: 5\n",
    );
    let client = &mut home.client();
    let detail = client.document("inspect_agent", &json!({"name": "worker"}));
    assert_eq!((&detail["allowed_tools"], &detail["permission_mode"]), (&json!(["Read"]), &json!("plan")));
    assert_eq!(detail["disallowed_tools"], Value::Null);
    let inherited = json!(["timeout", "max_budget_usd", "permission_mode", "allowed_tools"]);
    assert_eq!(detail["inherited"], inherited, "{detail}");
    let own = json!({"name": "worker", "allowed_tools": [], "timeout": 60, "max_budget_usd": "none"});
    client.document("update_agent", &own);
    let detail = client.document("inspect_agent", &json!({"name": "worker"}));
    assert_eq!((&detail["allowed_tools"], &detail["inherited"]), (&json!([]), &json!(["permission_mode"])));
}

#[test]
fn a_plan_may_be_about_going_on_with_a_conversation() {
    let home = Home::new();
    let client = &mut home.client();
    let begun = client.document("dispatch_session", &json!({"agent": "worker", "task": "fake: say begun"}));
    let again = json!({"agent": "worker", "task": "fake: say more", "session_id": begun["session_id"]});
    let plan = client.document("dispatch_plan", &again);
    assert_eq!((&plan["verdict"], &plan["resumed"]), (&json!("run"), &json!(true)), "{plan}");
    let proposed = json!({
        "ref": {"type": "ref/prompt", "name": "delegate"}, "argument": {"name": "session_id", "value": ""},
    });
    let id = client.request("completion/complete", &proposed);
    assert_eq!(client.result(id)["completion"]["values"], json!([begun["session_id"]]));
    // A conversation of an agent that works elsewhere now cannot be gone on with.
    client.document("update_agent", &json!({"name": "worker", "directory": home.path("other")}));
    let id = client.request("completion/complete", &proposed);
    assert_eq!(client.result(id)["completion"]["values"], json!([]));
}

#[test]
fn a_server_cleans_up_when_the_settings_say_so() {
    let home = Home::with_settings("  job_retention_days: 7\n");
    home.client().document("dispatch", &json!({"agent": "worker", "task": "fake: say hi"}));
    let _client = home.client();
    let log = home.path(".local/state/agent-dispatch/daemon.log");
    let cleaned = crate::real::until(crate::client::SOON, || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("cleaned up")).then_some(())
    });
    assert!(cleaned.is_some(), "nobody cleaned up; stderr: {}", home.stderr());
}
