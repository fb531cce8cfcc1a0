//! Changes of the configuration that a session may not make: refused, and on record.

use serde_json::{Value, json};

use crate::client::{Client, Home, read};

/// Returns what is recorded of refused changes, the oldest first.
fn refusals(client: &mut Client) -> Vec<Value> {
    let found = client.document("audit_search", &json!({"event": "config_refused"}));
    let records = found["records"].as_array().expect("a list");
    let numbers: Vec<String> = records.iter().rev().map(|record| record["seq"].to_string()).collect();
    let shown = |number: String| client.document("audit_show", &json!({"id": number}))["records"][0].clone();
    numbers.into_iter().map(shown).collect()
}

#[test]
fn each_refused_change_is_recorded_once_with_who_asked_and_what_was_refused() {
    let home = Home::with_settings("  mcp_config_edits: deny\n");
    let variables = [("CLAUDE_CODE_SESSION_ID", "the-session")];
    let mut client = home.serve_with(&variables);
    client.initialize("2025-11-25");
    let client = &mut client;
    let before = read(&home.configuration());
    let asked = [
        (
            "update_agent",
            json!({"name": "worker", "timeout": 5, "model": "opus"}),
            "update agent `worker`: timeout, model",
        ),
        ("remove_agent", json!({"name": "worker"}), "remove agent `worker`"),
        ("add_group", json!({"name": "all", "members": "worker"}), "add group `all`: members"),
        (
            "update_settings",
            json!({"settings": {"max_concurrency": 9}}),
            "update the settings: max_concurrency",
        ),
    ];
    for (tool, arguments, _) in &asked {
        assert_eq!(client.failure(tool, arguments)["code"], "config_denied", "{tool}");
    }
    assert_eq!(read(&home.configuration()), before);
    let recorded = refusals(client);
    assert_eq!(recorded.len(), asked.len(), "{recorded:#?}");
    for (record, (tool, _, what)) in recorded.iter().zip(&asked) {
        assert_eq!(record["details"]["asked"], *what, "{tool}: {record}");
        assert_eq!(record["details"]["file"], home.configuration().to_str().expect("a text"), "{tool}");
        assert_eq!(
            (&record["caller"], &record["caller_session"]),
            (&json!("raw 1.0"), &json!("the-session")),
            "{record}"
        );
        let reason = record["reason"].as_str().expect("a text");
        assert!(reason.contains("settings.mcp_config_edits: deny"), "{reason}");
    }
    assert_eq!(recorded[0]["agent"], "worker");
    // What is wrong in itself is no refusal, and no record.
    client.failure("update_agent", &json!({"name": "worker"}));
    assert_eq!(refusals(client).len(), asked.len());
}

#[test]
fn a_refused_escalation_is_recorded_with_what_it_would_have_widened() {
    let home = Home::with_settings("  mcp_config_edits: no-escalation\n");
    let client = &mut home.client();
    let wide = json!({"name": "worker", "permission_mode": "bypassPermissions", "description": "new"});
    assert_eq!(client.failure("update_agent", &wide)["code"], "escalation");
    client.document("update_agent", &json!({"name": "worker", "description": "new"}));
    let recorded = refusals(client);
    assert_eq!(recorded.len(), 1, "{recorded:#?}");
    let reason = recorded[0]["reason"].as_str().expect("a text");
    assert!(reason.contains("`agents.worker.permission_mode` would go from"), "{reason}");
    assert_eq!(recorded[0]["details"]["asked"], "update agent `worker`: description, permission_mode");
    let changed = client.document("audit_search", &json!({"event": "config_changed"}));
    assert_eq!(changed["records"].as_array().map(Vec::len), Some(1), "{changed}");
}
