//! What both doors tell of conversations and of jobs that go on.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Client, Home, SOON};
use crate::real::until;
use crate::world::World;

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
    // What the other did last is told again.
    told(client, |line| line.starts_with("1 of 2 done; other: Bash two (1 turn, "));
    // What had ended before counts too.
    client.notifications.clear();
    let again = telling(client, "dispatch_wait", &json!({"job_id": jobs}));
    told(client, |line| line.starts_with("1 of 2 done; other: Bash two (1 turn, "));
    home.make("two");
    for call in [both, again] {
        assert_eq!(client.finished(call)["jobs"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn a_job_says_the_same_as_json_and_as_text() {
    let home = Home::new();
    let yaml = home.usual_configuration("") + "groups:\n  team:\n    members:\n      - agent: worker\n";
    home.configure(&yaml);
    let client = &mut home.client();
    let asked = json!({
        "agent": "worker", "task": "fake: tool Bash look; say {\"a\": 1}", "response_format": "json",
        "timeout_seconds": 120, "group": "team", "caller": "tester",
    });
    let done = client.document("dispatch", &asked);
    let job = client.document("dispatch_status", &json!({"job_id": done["job_id"]}));
    assert_eq!((&job["group"], &job["response_format"]), (&json!("team"), &json!("json")), "{job}");
    assert_eq!((&job["timeout_seconds"], &job["tools"]), (&json!(120), &json!({"Bash": 1})), "{job}");
    assert!(job["asked_by"].as_str().is_some_and(|by| by.contains(" as \"tester\"")), "{job}");
    assert!(job["model"].as_str().is_some_and(|model| !model.is_empty()), "{job}");
    // A listing stays short.
    let listed = client.document("dispatch_jobs", &json!({}));
    assert!(listed["jobs"][0]["tools"].is_null(), "{listed}");
}

#[test]
fn a_job_as_text_says_what_bounds_it_had() {
    let world = World::with_worker();
    world.script("say {\"a\": 1}");
    world.run(&["dispatch", "worker", "x", "--timeout", "120", "--response-format", "json"]).ok();
    let job = world.run(&["jobs", "--json"]).ok().json()[0]["id"].as_str().unwrap().to_owned();
    let shown = world.run(&["job", &job]).ok().stdout;
    for line in ["\nmay take      2 min 0 s\n", "\nanswer as\n    json\n"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

#[test]
fn a_broken_file_is_told_without_sending_one_in_circles() {
    let world = World::with_worker();
    world.config("agents: 5\n");
    for (arguments, nothing) in [(&["list"][..], false), (&["remove", "worker"], true)] {
        let told = world.run(arguments).exits(3).stderr;
        assert!(told.contains("agent-dispatch doctor") && !told.contains("agent-dispatch list"), "{told}");
        assert_eq!(told.contains("Nothing was changed. Fix"), nothing, "{told}");
    }
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let home = Home::new();
    let client = &mut home.client();
    let settings =
        json!({"settings": {"cache": {"tll": 1}, "bogus": 3, "max_concurency": 3, "max_dispatch_depth": 2}});
    let told = client.failure("update_settings", &settings);
    let message = told["error"].as_str().unwrap();
    for name in
        ["cache.tll", "bogus", "there is no setting `max_concurency` (did you mean `max_concurrency`?)"]
    {
        assert!(message.contains(name), "{told}");
    }
    assert!(!message.contains("max_dispatch_depth"), "{told}");
    let told =
        client.failure("dispatch_parallel", &json!({"dispatches": [{"agent": "nope", "task": 3, "tsk": 1}]}));
    let message = told["error"].as_str().unwrap();
    for named in ["`dispatches[0].task` is 3", "`dispatches[0].tsk`", "no agent `nope`"] {
        assert!(message.contains(named), "{named}: {told}");
    }
    let many = vec![json!({"agent": "worker", "task": "x"}); 101];
    let told = client.failure("dispatch_parallel", &json!({"dispatches": many}));
    assert!(told["hint"].as_str().unwrap().contains("split it into several calls"), "{told}");
}

#[test]
fn a_number_that_comes_as_a_text_is_written_as_a_number() {
    let home = Home::new();
    let client = &mut home.client();
    client
        .document("update_settings", &json!({"settings": {"max_concurrency": "3", "cache": {"ttl": "60"}}}));
    let written = std::fs::read_to_string(home.configuration()).unwrap();
    assert!(written.contains("max_concurrency: 3\n") && written.contains("ttl: 60\n"), "{written}");
}

#[test]
fn a_default_is_one_of_the_words_to_choose_from() {
    let home = Home::new();
    let client = &mut home.client();
    let list = client.request("tools/list", &json!({}));
    let list = client.result(list);
    for tool in list["tools"].as_array().unwrap() {
        for (name, schema) in tool["inputSchema"]["properties"].as_object().unwrap() {
            if let (Some(words), Some(default)) = (schema["enum"].as_array(), schema.get("default")) {
                assert!(words.contains(default), "{} {name}: {schema}", tool["name"]);
            }
        }
    }
}

#[test]
fn a_cache_forgets_as_many_answers_as_it_said_it_had() {
    let home = Home::new();
    let client = &mut home.client();
    client.document("dispatch", &json!({"agent": "worker", "task": "fake: say one"}));
    client.document("update_settings", &json!({"settings": {"cache.ttl": 1}}));
    // The answer grows too old.
    let old = until(SOON, || (client.document("cache_stats", &json!({}))["size"] == 0).then_some(()));
    assert!(old.is_some());
    assert_eq!(client.document("cache_clear", &json!({}))["cleared"], 0);
}

#[test]
fn a_job_that_is_not_there_is_told_in_the_same_words() {
    let home = Home::new();
    let client = &mut home.client();
    let absent = json!({"job_id": "00000000000000000000000000000000"});
    let all = ["dispatch_status", "dispatch_wait", "dispatch_cancel"];
    let told = all.map(|tool| client.failure(tool, &absent)["error"].as_str().unwrap().to_owned());
    assert!(told.iter().all(|message| message.starts_with("there is no job `0000")), "{told:?}");
}

#[test]
fn a_dialogue_takes_a_group_of_both_and_says_for_whom_it_is() {
    let home = Home::new();
    let groups = "groups:\n  team:\n    shared_context: we ship on Fridays\n    members: [{agent: worker}, {agent: other}]\n  \
                  one:\n    members: [{agent: worker}]\n";
    home.configure(&(home.usual_configuration("") + groups));
    let client = &mut home.client();
    let asked = |group: &str| {
        json!({
            "requester": "worker", "responder": "other", "topic": "fake: say x", "max_rounds": 1,
            "group": group, "caller": "tester",
        })
    };
    let told = client.failure("dispatch_dialogue", &asked("one"))["error"].to_string();
    assert!(told.contains("`responder`") && !told.contains("`requester`"), "{told}");
    let talked = client.document("dispatch_dialogue", &asked("team"));
    let job = client.document("dispatch_status", &json!({"job_id": talked["conversation"][0]["job_id"]}));
    assert_eq!((&job["group"], &job["caller"]), (&json!("team"), &json!("worker for tester")), "{job}");
}
