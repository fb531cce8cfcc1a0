//! What both doors tell of conversations and of jobs that go on.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Client, Home, SOON};

/// Waits until a line is told that `is_it`, and returns it.
fn told(client: &mut Client, is_it: impl Fn(&str) -> bool) -> String {
    loop {
        let lines = client.notifications.iter().filter_map(|it| it["params"]["message"].as_str());
        if let Some(line) = lines.map(str::to_owned).find(|line| is_it(line)) {
            return line;
        }
        assert!(client.hear(SOON), "it is not told: {:#?}", client.notifications);
    }
}

fn telling(client: &mut Client, tool: &str, arguments: &Value) -> i64 {
    client
        .request("tools/call", &json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": 1}}))
}

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

#[test]
fn the_clock_of_a_long_step_goes_on() {
    let home = Home::new();
    let client = &mut home.client();
    let task = format!("fake: tool Bash docker build; wait {}; say built", home.text_path("go"));
    let call = telling(client, "dispatch", &json!({"agent": "worker", "task": task}));
    let mut lines = BTreeSet::new();
    while lines.len() < 3 {
        let new = told(client, |line| {
            line.starts_with("worker: Bash docker build (1 turn, ") && !lines.contains(line)
        });
        lines.insert(new);
    }
    home.make("go");
    assert_eq!(client.finished(call)["result"], "built");
}

#[test]
fn a_dispatch_that_waits_for_a_place_says_so() {
    let home = Home::with_settings("  max_concurrency: 1\n");
    let client = &mut home.client();
    let task =
        |name: &str| format!("fake: touch {}; wait {}; say x", home.text_path(name), home.text_path("go"));
    let first = client.start("dispatch", &json!({"agent": "worker", "task": task("first")}));
    home.until_there("first");
    let second = telling(client, "dispatch", &json!({"agent": "other", "task": task("second")}));
    let first_line = told(client, |line| line.starts_with("other: waiting for a place ("));
    told(client, |line| line.starts_with("other: waiting for a place (") && line != first_line);
    home.make("go");
    for call in [first, second] {
        client.finished(call);
    }
}

#[test]
fn a_wait_names_the_agent_and_counts_the_jobs() {
    let home = Home::new();
    let client = &mut home.client();
    let mut start = |agent: &str, name: &str| {
        let task = format!("fake: delay 1; tool Bash {name}; wait {}; say x", home.text_path(name));
        let started = client.document("dispatch_async", &json!({"agent": agent, "task": task}));
        started["job_id"].clone()
    };
    let jobs = [start("worker", "one"), start("other", "two")];
    let single = telling(client, "dispatch_wait", &json!({"job_id": jobs[0]}));
    told(client, |line| line.starts_with("worker: Bash one (1 turn, "));
    let both = telling(client, "dispatch_wait", &json!({"job_id": jobs}));
    told(client, |line| line.starts_with("0 of 2 done; "));
    home.make("one");
    client.finished(single);
    told(client, |line| line.starts_with("1 of 2 done"));
    // What had ended before counts too.
    client.notifications.clear();
    let again = telling(client, "dispatch_wait", &json!({"job_id": jobs}));
    told(client, |line| line.starts_with("1 of 2 done; other: Bash two (1 turn, "));
    home.make("two");
    for call in [both, again] {
        assert_eq!(client.finished(call)["jobs"].as_array().map(Vec::len), Some(2));
    }
}
