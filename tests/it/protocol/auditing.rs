//! The audit trail as the model asks it, and what it says of agents.

use serde_json::{Value, json};

use crate::client::Home;
use crate::protocol::several::fits;

fn events(document: &Value) -> Vec<&str> {
    let records = document["records"].as_array().expect("a list");
    records.iter().map(|record| record["event"].as_str().expect("a text")).collect()
}

#[test]
fn the_trail_is_searched_and_a_dispatch_is_shown() {
    let home = Home::new();
    let client = &mut home.client();
    let asked = json!({"agent": "worker", "task": "fake: cost 1; tool Bash; say kept", "caller": "nightly"});
    let done = client.document("dispatch", &asked);
    client.document("dispatch", &asked);
    let all = client.document("audit_search", &json!({}));
    fits(client, "audit_search", &all);
    assert_eq!(events(&all), ["hit", "finished", "started", "requested"], "{all}");
    let finished = &all["records"][1];
    assert_eq!((&finished["tools"], &finished["cost_usd"]), (&json!({"Bash": 1}), &json!(1.0)), "{finished}");
    assert_eq!((&finished["caller"], &finished["hash"]), (&json!("nightly"), &Value::Null), "{finished}");
    let only = |client: &mut crate::client::Client, arguments: Value| {
        let found = client.document("audit_search", &arguments);
        events(&found).join(" ")
    };
    assert_eq!(only(client, json!({"event": "hit, started", "agent": "worker,other"})), "hit started");
    assert_eq!(only(client, json!({"tool": "bash", "min_cost_usd": 0.5, "since": "1h ago"})), "finished");
    assert_eq!(only(client, json!({"caller": "nightly", "status": "failed"})), "");
    let tree = json!({"tree": done["job_id"], "pattern": "^fake"});
    assert_eq!(only(client, tree), "requested");
    let one = client.document("audit_search", &json!({"limit": 1}));
    assert_eq!((events(&one), &one["more"]), (vec!["hit"], &json!(true)));

    let shown = client.document("audit_show", &json!({"id": done["job_id"]}));
    fits(client, "audit_show", &shown);
    assert_eq!(events(&shown), ["requested", "started", "finished"], "{shown}");
    assert_eq!(shown["records"][0]["hash"].as_str().map(str::len), Some(64));
    let second = client.document("audit_show", &json!({"id": "2"}));
    assert_eq!(events(&second), ["started"]);
    for (tool, arguments, code) in [
        ("audit_search", json!({"since": "soon"}), "invalid_time"),
        ("audit_search", json!({"pattern": "("}), "invalid_pattern"),
        ("audit_search", json!({"tree": "x"}), "invalid_id"),
        ("audit_show", json!({"id": "99"}), "not_found"),
        ("audit_show", json!({"id": "0197a3f2c4d17b3e8000000000000001"}), "not_found"),
    ] {
        let refused = client.failure(tool, &arguments);
        assert!(refused.to_string().contains(code), "{refused}");
    }
}

#[test]
fn agents_are_listed_with_what_they_usually_take() {
    let home = Home::new();
    let mut client = home.client();
    let before = client.document("list_agents", &json!({}));
    assert_eq!(before["agents"][0]["typical"], Value::Null);
    for number in 0..3 {
        let task = format!("fake: cost 1; status done; say {number}");
        client.document("dispatch", &json!({"agent": "worker", "task": task}));
    }
    // Another server has nothing to remember.
    let client = &mut home.client();
    let listed = client.document("list_agents", &json!({}));
    let of = |agents: &Value, name: &str| {
        let agents = agents["agents"].as_array().expect("a list");
        agents.iter().find(|agent| agent["name"] == name).cloned().unwrap_or_default()
    };
    let worker = of(&listed, "worker");
    let typical = worker["typical"].as_object().expect("three are enough");
    assert_eq!(typical.keys().collect::<Vec<_>>(), ["median_seconds", "p90_seconds", "median_cost_usd"]);
    assert_eq!(typical["median_cost_usd"], 1.0);
    let detail = client.document("inspect_agent", &json!({"name": "worker"}));
    fits(client, "inspect_agent", &detail);
    assert_eq!(
        (&detail["typical"]["dispatches"], &detail["typical"]["median_cost_usd"]),
        (&json!(3), &json!(1.0))
    );

    let quiet = Home::with_settings("  usage_log: false\n");
    let client = &mut quiet.client();
    for number in 0..3 {
        client.document("dispatch", &json!({"agent": "worker", "task": format!("fake: say {number}")}));
    }
    assert_eq!(client.document("inspect_agent", &json!({"name": "worker"}))["typical"], Value::Null);
}
