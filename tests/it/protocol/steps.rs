//! What a run did, step by step, as a session reads it.

use serde_json::{Value, json};

use crate::client::Home;
use crate::protocol::several::fits;

#[test]
fn a_dispatch_is_shown_with_the_tools_that_it_called_when_they_are_asked_for() {
    let home = Home::new();
    let client = &mut home.client();
    let secret = format!("ghp_{}", "a1".repeat(18));
    let script = format!("fake: tool Bash login {secret}; deny Write; tool Read a.txt; say done");
    let asked = json!({"agent": "worker", "task": script});
    let done = client.document("dispatch", &asked);
    let brief = client.document("audit_show", &json!({"id": done["job_id"]}));
    assert_eq!((brief.get("calls"), brief["records"].as_array().map(Vec::len)), (None, Some(3)), "{brief}");

    let shown = client.document("audit_show", &json!({"id": done["job_id"], "tools": true}));
    fits(client, "audit_show", &shown);
    assert_eq!(shown["records"], brief["records"]);
    let calls: Vec<(&str, &str)> = shown["calls"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|call| (call["tool"].as_str().unwrap_or_default(), call["end"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(calls, [("Bash", "done"), ("Write", "denied"), ("Read", "done")], "{shown}");
    let on = shown["calls"][0]["on"].as_str().expect("a text");
    assert!(on.starts_with("login [redacted:github-token:"), "{on}");
    assert_eq!(shown.get("calls_left_out"), None);

    // The number of a record is as good, and who was answered by another's run did what that one did.
    let by_number = client.document("audit_show", &json!({"id": "3", "tools": true}));
    assert_eq!(by_number["calls"], shown["calls"]);
    client.document("dispatch", &json!({"agent": "worker", "task": "fake: tool Read b; say plain"}));
    client.document("dispatch", &json!({"agent": "worker", "task": "fake: tool Read b; say plain"}));
    let hit = client.document("audit_show", &json!({"id": "7", "tools": true}));
    assert_eq!(
        (&hit["records"][0]["event"], &hit["calls"][0]["tool"]),
        (&json!("hit"), &json!("Read")),
        "{hit}"
    );
    assert_eq!(shown["records"][2]["event"], "finished");
    assert_ne!(shown["records"][2]["tools"], Value::Null, "counts are there in any case");
}
