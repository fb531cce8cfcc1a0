//! What both doors tell of conversations and of jobs that go on.

use serde_json::json;

use crate::client::Home;

#[test]
fn a_conversation_that_nobody_has_is_nobodys_afterwards() {
    let home = Home::new();
    let client = &mut home.client();
    let made = client.document("dispatch_session", &json!({"agent": "worker", "task": "fake: say here"}));
    let id = "aaaaaaaa-1234-4234-8234-123456789012";
    for agent in ["other", "worker"] {
        let asked = json!({"agent": agent, "task": "fake: say x", "session_id": id});
        let failed = client.failure("dispatch_session", &asked);
        assert_eq!(failed["error_type"], "not_found", "{failed}");
        assert_eq!(failed["status"], "failed", "{failed}");
    }
    let listed = client.document("dispatch_sessions", &json!({}));
    let listed = listed["sessions"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["session_id"], made["session_id"]);
    // One that was known stays known, also when `claude` has lost it.
    std::fs::remove_dir_all(home.path(".fake-claude")).unwrap();
    let asked = json!({"agent": "worker", "task": "fake: say x", "session_id": made["session_id"]});
    assert_eq!(client.failure("dispatch_session", &asked)["error_type"], "not_found");
    let asked = json!({"agent": "other", "task": "fake: say x", "session_id": made["session_id"]});
    assert_eq!(client.failure("dispatch_session", &asked)["status"], "refused");
}
