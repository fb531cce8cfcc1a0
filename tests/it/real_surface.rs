//! The tools as the real Claude Code drives them: several at once, conversations, jobs that are waited for and stopped, and
//! the removal of what is old, in its own protocol and in the older one.

use std::fs;

use serde_json::{Value, json};

use crate::real::{finish, script};
use crate::real_dispatch::{Setting, bash, call};

/// What the tools answered to the session that asked, step by step: the first is the answer to the first call.
pub(crate) fn answers(setting: &Setting) -> Vec<Value> {
    let calls = setting.real.api_calls();
    let asking = calls
        .iter()
        .filter(|call| call["prompt"].as_str().is_some_and(|text| text.contains("the caller's script")));
    let heard = asking.filter(|call| call["step"].as_u64() > Some(0));
    heard.map(|call| serde_json::from_str(call["last_tool_result"].as_str().unwrap()).unwrap()).collect()
}

fn drive(protocol: Option<&str>) {
    let Some(setting) = Setting::new() else { return };
    setting.register();
    let says = |text: &str| script(&json!([{ "text": text }]));
    let slow = script(&json!([bash("sleep 271"), {"text": "never said"}]));
    let steps = json!([
        call("dispatch_parallel", &json!({"dispatches": [
            {"agent": "worker", "task": says("one")},
            {"agent": "worker", "task": says("two")},
            {"agent": "worker", "task": says("one")},
        ]})),
        call("dispatch_session", &json!({"agent": "worker", "task": says("hello")})),
        call("dispatch_session", &json!({"agent": "worker", "task": says("again"), "session_id": "{{last:/session_id}}"})),
        call("dispatch_async", &json!({"agent": "worker", "task": says("later")})),
        call("dispatch_wait", &json!({"job_id": "{{last:/job_id}}"})),
        call("dispatch_async", &json!({"agent": "worker", "task": slow})),
        call("dispatch_cancel", &json!({"job_id": "{{last:/job_id}}"})),
        call("dispatch_wait", &json!({"job_id": "{{last:/job_id}}"})),
        call("dispatch_gc", &json!({"max_age_days": 0.000_000_1, "dry_run": true})),
        call("dispatch_gc", &json!({"max_age_days": 0.000_000_1})),
        {"text": "done"},
    ]);
    let mut outer = setting.outer_saying(&format!("the caller's script {}", script(&steps)));
    if let Some(protocol) = protocol {
        outer.env("MCP_PROTOCOL_NEGOTIATION", protocol);
    }
    finish(outer).succeeded();

    let answers = answers(&setting);
    let [parallel, first, second, started, waited, slow, cancelled, stopped, would, gone] =
        answers.as_slice()
    else {
        panic!("ten tools were called: {answers:#?}")
    };
    let results: Vec<&Value> =
        parallel["individual_results"].as_array().unwrap().iter().map(|item| &item["result"]).collect();
    assert_eq!(results, ["one", "two", "one"], "{parallel:#}");
    assert_eq!(parallel["individual_results"][0]["job_id"], parallel["individual_results"][2]["job_id"]);
    assert_eq!((&first["result"], &second["result"]), (&json!("hello"), &json!("again")));
    assert_eq!(first["session_id"], second["session_id"]);
    assert_eq!(waited["id"], started["job_id"]);
    assert_eq!(waited["result"]["result"], "later", "{waited:#}");
    assert_eq!(
        (&cancelled["job_id"], &stopped["status"]),
        (&slow["job_id"], &json!("cancelled")),
        "{stopped:#}"
    );
    // Two of the three at once, two of one conversation, two that were waited for.
    assert_eq!((&would["would_purge"], &gone["purged"]), (&json!(6), &json!(6)), "{would:#} {gone:#}");

    // The second task of the conversation was asked in the first one's.
    let calls = setting.real.api_calls();
    let resumed = calls.iter().rfind(|call| {
        call["prompt"]
            .as_str()
            .is_some_and(|text| text.contains("again") && !text.contains("the caller's script"))
    });
    assert!(resumed.is_some(), "{calls:#?}");
    setting.product(&["audit", "verify"], "").succeeded();
    assert!(
        fs::read_dir(setting.real.home().join(".local/state/agent-dispatch/runs")).unwrap().next().is_none()
    );
}

#[test]
fn the_real_cli_drives_every_kind_of_dispatch_in_its_own_protocol() {
    drive(None);
}

#[test]
fn the_real_cli_drives_every_kind_of_dispatch_in_the_older_protocol() {
    drive(Some("legacy"));
}
