//! The audit tools as the real Claude Code drives them: what was asked, what it did, what it was denied, and that it is on
//! record.

use serde_json::{Value, json};

use crate::real::{finish, script};
use crate::real_dispatch::{Setting, bash, call};
use crate::real_surface::answers;

fn drive(protocol: Option<&str>) {
    let Some(setting) = Setting::new() else { return };
    setting.register();
    let write = json!({"tool": {"name": "Write", "input": {"file_path": "note.txt", "content": "x"}}});
    let inner = script(&json!([write, bash("printf made > made.txt"), {"text": "inner done"}]));
    let steps = json!([
        call("dispatch", &json!({"agent": "worker", "task": inner, "caller": "the reviewer"})),
        call("audit_search", &json!({"agent": "worker", "denied": true, "since": "1h ago"})),
        call("audit_show", &json!({"id": "{{last:/records/0/dispatch}}"})),
        call("audit_show", &json!({"id": "{{last:/records/0/dispatch}}", "tools": true})),
        call("audit_search", &json!({"caller": "the reviewer", "event": "requested", "limit": 1})),
        {"text": "done"},
    ]);
    let mut outer = setting.outer_saying(&format!("the caller's script {}", script(&steps)));
    if let Some(protocol) = protocol {
        outer.env("MCP_PROTOCOL_NEGOTIATION", protocol);
    }
    let session = finish(outer).succeeded().lines()[0]["session_id"].clone();

    let answers = answers(&setting);
    let [done, denied, brief, shown, asked] = answers.as_slice() else {
        panic!("five tools were called: {answers:#?}")
    };
    assert_eq!(
        (&done["result"], &done["denied_tools"]),
        (&json!("inner done"), &json!(["Write"])),
        "{done:#}"
    );
    let found = denied["records"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{denied:#}");
    assert_eq!((&found[0]["dispatch"], &found[0]["event"]), (&done["job_id"], &json!("finished")));
    assert_eq!((&found[0]["tools"]["Bash"], &found[0]["denied_tools"]), (&json!(1), &json!(["Write"])));
    assert!(found[0]["cost_usd"].as_f64() > Some(0.0), "{denied:#}");

    let events = |document: &Value| -> Vec<Value> {
        document["records"].as_array().unwrap().iter().map(|record| record["event"].clone()).collect()
    };
    assert_eq!(events(brief), ["requested", "started", "finished"], "{brief:#}");
    assert_eq!((brief.get("calls"), &shown["records"]), (None, &brief["records"]));
    let calls: Vec<_> =
        shown["calls"].as_array().unwrap().iter().map(|call| (&call["tool"], &call["end"])).collect();
    let (write, bash) = (json!("Write"), json!("Bash"));
    assert_eq!(calls, [(&write, &json!("denied")), (&bash, &json!("done"))], "{shown:#}");
    assert_eq!(shown["calls"][1]["on"], "printf made > made.txt");

    assert_eq!((events(asked), &asked["more"]), (vec![json!("requested")], &Value::Null), "{asked:#}");
    let record = &asked["records"][0];
    assert_eq!(
        (&record["caller"], &record["caller_session"]),
        (&json!("the reviewer"), &session),
        "{asked:#}"
    );
    setting.product(&["audit", "verify"], "").succeeded();
}

#[test]
fn the_real_cli_asks_the_trail_in_its_own_protocol() {
    drive(None);
}

#[test]
fn the_real_cli_asks_the_trail_in_the_older_protocol() {
    drive(Some("legacy"));
}
