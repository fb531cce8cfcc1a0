//! Every way to dispatch, as a client sees it.

use serde_json::{Value, json};

use crate::client::{Client, Home, SOON, text_of};
use crate::protocol::shape::misfits;

/// Checks a document against what its tool declares.
pub(super) fn fits(client: &mut Client, tool: &str, document: &Value) {
    let id = client.request("tools/list", &json!({}));
    let listed = client.result(id);
    let declared = listed["tools"].as_array().expect("there is a list").iter().find(|it| it["name"] == tool);
    let misfits = misfits(&declared.expect("it is listed")["outputSchema"], document);
    assert!(misfits.is_empty(), "{tool}: {misfits:#?} in {document:#}");
}

fn item(agent: &str, task: &str) -> Value {
    json!({"agent": agent, "task": task})
}

#[test]
fn several_are_dispatched_as_a_list_or_as_its_text() {
    let home = Home::new();
    let client = &mut home.client();
    let list = json!([
        item("worker", "fake: say one"),
        item("other", "fake: error 500 broken"),
        {"agent": "worker", "task": "fake: say three", "return_ref": true, "summary_chars": "2"},
        item("worker", "fake: say one"),
    ]);
    for given in [list.clone(), json!(list.to_string())] {
        let document = client.document("dispatch_parallel", &json!({"dispatches": given}));
        fits(client, "dispatch_parallel", &document);
        let results = document["individual_results"].as_array().expect("there are results");
        assert_eq!(results.len(), 4);
        assert_eq!((&results[0]["result"], &results[3]["result"]), (&json!("one"), &json!("one")));
        assert_eq!(results[0]["job_id"], results[3]["job_id"], "the same was run twice");
        assert_eq!(
            (&results[1]["success"], &results[1]["error_type"]),
            (&json!(false), &json!("overloaded"))
        );
        assert_eq!((&results[2]["summary"], &results[2]["size"]), (&json!("th"), &json!(5)), "{document}");
        assert!(document["aggregated"].is_null() && document["message"].is_null(), "{document}");
    }
}

#[test]
fn nothing_starts_when_anything_is_wrong_and_all_of_it_is_said() {
    let home = Home::new();
    let client = &mut home.client();
    let starts = home.text_path("starts");
    let list =
        json!([item("worker", &format!("fake: count-starts {starts}")), item("wroker", "x"), {"task": "x"}]);
    let told = client.failure("dispatch_parallel", &json!({"dispatches": list, "aggregate": "nobody"}));
    assert_eq!(told["code"], "invalid_arguments");
    let error = told["error"].as_str().expect("there is a text");
    for problem in [
        "`dispatches[1]`: there is no agent `wroker`",
        "did you mean `worker`?",
        "`dispatches[2].agent` is required and missing",
        "`aggregate`: there is no agent `nobody`",
    ] {
        assert!(error.contains(problem), "{problem} is not in {error}");
    }
    assert!(!home.path("starts").exists() && home.folders().is_empty());
}

#[test]
fn when_all_of_several_fail_the_call_does() {
    let home = Home::new();
    let list = json!([item("worker", "fake: error 500 a"), item("other", "fake: auth-error")]);
    let told = home.client().failure("dispatch_parallel", &json!({"dispatches": list}));
    assert_eq!(told["individual_results"][1]["error_type"], "auth", "{told}");
}

#[test]
fn one_agent_makes_one_answer_of_several_and_sees_how_each_went() {
    let home = Home::new();
    // The one that puts them together answers with what it was given.
    let text = home.usual_configuration("") + "";
    let text = text.replace("  other:\n", "  other:\n    env: {set: {FAKE_CLAUDE_SCRIPT: echo-stdin}}\n");
    home.configure(&text);
    let client = &mut home.client();
    let list = json!([
        item("worker", "fake: say all is well"),
        item("worker", "fake: say half of it; status partial"),
        item("worker", "fake: error 500 broken"),
        {"agent": "worker", "task": "fake: flood 2000", "return_ref": true, "summary_chars": 8},
    ]);
    let arguments = json!({"dispatches": list, "aggregate": "other"});
    let document = client.document("dispatch_parallel", &arguments);
    fits(client, "dispatch_parallel", &document);
    let merged = &document["aggregated"];
    assert_eq!((&merged["agent"], &merged["success"]), (&json!("other"), &json!(true)), "{document}");
    let seen = merged["result"].as_str().expect("there is an answer");
    for part in [
        "## Dispatched by\n\ndispatch_parallel",
        "## Agent: worker [OK]\n\nall is well\n\n",
        "## Agent: worker [OK, agent reports PARTIAL]\n\nhalf of it\n\n",
        "## Agent: worker [FAILED]\n\nerror: API Error: 500 broken\n\n",
        "## Agent: worker [OK, preview of 8 characters out of 2000]\n\n00000000\n\n",
    ] {
        assert!(seen.contains(part), "{part:?} is not in {seen}");
    }
    // It is asked anew each time: its own answer is not kept.
    let again = client.document("dispatch_parallel", &arguments);
    assert_eq!(again["individual_results"][0]["cached"], true, "{again}");
    assert_ne!(again["aggregated"]["job_id"], merged["job_id"]);
}

#[test]
fn what_still_runs_when_the_wait_is_over_is_named_and_goes_on() {
    let home = Home::with_settings("  inline_wait_seconds: 1\n");
    let client = &mut home.client();
    let go = home.text_path("go");
    let list =
        json!([item("worker", "fake: say quick"), item("other", &format!("fake: wait {go}; say slow"))]);
    let document = client.document("dispatch_parallel", &json!({"dispatches": list, "aggregate": "worker"}));
    fits(client, "dispatch_parallel", &document);
    let [quick, slow] = [0, 1].map(|at| &document["individual_results"][at]);
    assert_eq!((&quick["result"], &slow["status"]), (&json!("quick"), &json!("running")), "{document}");
    assert!(document["aggregated"].is_null() && slow["success"].is_null(), "{document}");
    let job = slow["job_id"].as_str().expect("it has an id");
    let message = document["message"].as_str().expect("there is something to say");
    assert!(message.contains(&format!("dispatch_wait(job_id=\"{job}\")")), "{message}");
    assert!(message.contains("Nothing was aggregated"), "{message}");
    home.make("go");
    assert_eq!(client.document("dispatch_wait", &json!({"job_id": job}))["result"]["result"], "slow");
}

#[test]
fn progress_says_how_many_are_done() {
    let home = Home::new();
    let client = &mut home.client();
    let go = home.text_path("go");
    let list = json!([
        item("worker", "fake: say quick"),
        item("other", &format!("fake: delay 300; tool Bash docker logs; wait {go}; say slow")),
    ]);
    let call = json!({"name": "dispatch_parallel", "arguments": {"dispatches": list}, "_meta": {"progressToken": 1}});
    let call = client.request("tools/call", &call);
    let wanted = "1 of 2 done; other: Bash docker logs (1 turn, ";
    while !client
        .notifications
        .iter()
        .any(|it| it["params"]["message"].as_str().is_some_and(|it| it.starts_with(wanted)))
    {
        assert!(client.hear(SOON), "it is not told: {:#?}", client.notifications);
    }
    home.make("go");
    client.finished(call);
}

#[test]
fn taking_the_call_back_stops_all_of_several() {
    let home = Home::new();
    let client = &mut home.client();
    let tasks =
        ["a", "b", "c"].map(|name| item("worker", &format!("fake: touch {}; hang", home.text_path(name))));
    let call = client.start("dispatch_parallel", &json!({"dispatches": tasks}));
    for name in ["a", "b", "c"] {
        home.until_there(name);
    }
    let runs = home.run_ids();
    assert_eq!(runs.len(), 3);
    client.take_back(call);
    for job in runs {
        home.until_gone(&job);
        let status = client.document("dispatch_wait", &json!({"job_id": job}));
        assert_eq!(status["status"], "cancelled", "{status}");
    }
    assert!(!client.is_answered(call));
}

#[test]
fn a_conversation_goes_on_where_it_was() {
    let home = Home::new();
    let client = &mut home.client();
    let begun = client.document("dispatch_session", &item("worker", "fake: say begun"));
    fits(client, "dispatch_session", &begun);
    let session = &begun["session_id"];
    let arguments = |agent: &str| json!({"agent": agent, "task": "fake: say more", "session_id": session});
    let more = client.document("dispatch_session", &arguments("worker"));
    assert_eq!((&more["session_id"], &more["result"]), (session, &json!("more")));
    // Never from the cache, although the same was asked.
    let again = client.document("dispatch_session", &arguments("worker"));
    assert_eq!((&again["session_id"], &again["cached"]), (session, &Value::Null));
    let fresh = client.document("dispatch_session", &item("worker", "fake: say begun"));
    assert_ne!(&fresh["session_id"], session);
    let refused = client.failure("dispatch_session", &arguments("other"));
    assert_eq!(refused["code"], "refused", "{refused}");
    assert!(
        refused["hint"].as_str().is_some_and(|it| it.contains("dispatch_session(agent=\"worker\"")),
        "{refused}"
    );
}

#[test]
fn a_fresh_dispatch_is_not_served_from_the_cache_but_joins() {
    let home = Home::new();
    let client = &mut home.client();
    let (starts, go) = (home.text_path("starts"), home.text_path("go"));
    let kept = item("worker", "fake: say kept");
    let first = client.document("dispatch", &kept);
    let fresh = client.document("dispatch_stream", &kept);
    assert_eq!(fresh["cached"], Value::Null);
    assert_ne!(fresh["job_id"], first["job_id"]);
    let slow = item("worker", &format!("fake: count-starts {starts}; wait {go}; say slow"));
    let calls = [client.start("dispatch_stream", &slow), client.start("dispatch_stream", &slow)];
    home.until_there("starts");
    home.make("go");
    let joined = calls.map(|call| client.finished(call)["joined"].clone());
    assert!(joined.contains(&json!(true)) && joined.contains(&Value::Null), "{joined:?}");
}

#[test]
fn what_goes_on_says_whether_it_was_joined() {
    let home = Home::with_settings("  inline_wait_seconds: 1\n");
    let client = &mut home.client();
    let slow = item("worker", &format!("fake: wait {}; say slow", home.text_path("go")));
    let first = client.document("dispatch", &slow);
    let second = client.document("dispatch", &slow);
    let third = client.document("dispatch_async", &slow);
    assert_eq!((&first["status"], &first["joined"]), (&json!("running"), &Value::Null), "{first}");
    for joined in [second, third] {
        assert_eq!((&joined["job_id"], &joined["joined"]), (&first["job_id"], &json!(true)), "{joined}");
    }
    home.make("go");
    client.document("dispatch_wait", &json!({"job_id": first["job_id"]}));
}

#[test]
fn two_agents_talk_and_every_turn_is_told() {
    let home = Home::new();
    let text = home.usual_configuration("");
    let says = r"'cost 0.12345; say Port 80 it is.\n\n[RESOLVED]; status done'";
    let env = format!("  worker:\n    env: {{set: {{FAKE_CLAUDE_SCRIPT: {says}}}}}\n");
    home.configure(&text.replace("  worker:\n", &env));
    let client = &mut home.client();
    let arguments =
        json!({"requester": "worker", "responder": "other", "topic": "which port?", "max_rounds": "9"});
    let document = client.document("dispatch_dialogue", &arguments);
    fits(client, "dispatch_dialogue", &document);
    assert_eq!((&document["resolved"], &document["rounds"]), (&json!(true), &json!(1)), "{document}");
    assert_eq!(document["final_answer"], "Port 80 it is.");
    assert_eq!(document["total_cost_usd"], 0.1335, "{document}");
    assert!(document["total_duration_ms"].is_u64());
    let [first, second] = document["conversation"].as_array().expect("there are turns").as_slice() else {
        panic!("{document:#}")
    };
    assert_eq!((&first["agent"], &first["role"]), (&json!("other"), &json!("responder")));
    assert_eq!(
        (&second["agent"], &second["role"], &second["round"]),
        (&json!("worker"), &json!("requester"), &json!(1))
    );
    assert_eq!(
        (&second["message"], &second["outcome"]),
        (&json!("Port 80 it is.\n\n[RESOLVED]"), &json!("done"))
    );
    let status = client.document("dispatch_status", &json!({"job_id": second["job_id"]}));
    assert_eq!((&status["caller"], &status["goal"]), (&json!("other"), &json!("which port?")), "{status}");

    let wrong = json!({"requester": "nobody", "responder": "no body", "topic": " "});
    let told = client.failure("dispatch_dialogue", &wrong)["error"].to_string();
    for problem in ["`requester`", "`responder`", "`topic` is blank"] {
        assert!(told.contains(problem), "{problem} is not in {told}");
    }
}

#[test]
fn a_dialogue_that_fails_says_all_that_was_said() {
    let home = Home::new();
    let text = home.usual_configuration("");
    let env = "  worker:\n    env: {set: {FAKE_CLAUDE_SCRIPT: error 500 broken}}\n";
    home.configure(&text.replace("  worker:\n", env));
    let client = &mut home.client();
    let id = client
        .start("dispatch_dialogue", &json!({"requester": "worker", "responder": "other", "topic": "x"}));
    let result = client.result(id);
    assert_eq!(result["isError"], true, "{result}");
    let document = text_of(&result);
    assert_eq!(
        (&document["resolved"], &document["final_answer"]),
        (&json!(false), &json!("API Error: 500 broken"))
    );
    let [said, failed] = [0, 1].map(|at| &document["conversation"][at]);
    assert!(said["message"].as_str().is_some_and(|it| it.starts_with("fake answer to:")), "{document}");
    assert_eq!((&failed["error_type"], &said["error"]), (&json!("overloaded"), &Value::Null), "{document}");
}

#[test]
fn a_plan_says_what_would_come_of_it_and_starts_nothing() {
    let home = Home::with_settings("  budget: {day: 5}\n  max_concurrency: 2\n");
    let client = &mut home.client();
    let arguments = json!({
        "agent": "worker", "task": "fake: cost 1; say kept", "timeout_seconds": 99, "return_ref": true,
        "response_format": {"type": "object", "properties": {"n": {"multipleOf": 5}}},
    });
    let plan = client.document("dispatch_plan", &arguments);
    fits(client, "dispatch_plan", &plan);
    assert_eq!(
        (&plan["verdict"], &plan["profile"]["timeout_seconds"]),
        (&json!("run"), &json!(99)),
        "{plan}"
    );
    assert_eq!(plan["profile"]["directory"], home.text_path("worker"));
    let places = json!({"everyone": 2, "in_use": 0, "of_agent_in_use": 0, "waiting": 0});
    assert_eq!(plan["places"], places);
    let budgets =
        json!([{"period": "day", "limit_usd": 5.0, "spent_usd": 0.0, "reserved_usd": 0.0, "left_usd": 5.0}]);
    assert_eq!(plan["budgets"], budgets);
    assert!(plan["notes"][0].as_str().is_some_and(|it| it.contains("/properties/n: multipleOf")), "{plan}");
    assert!(home.folders().is_empty() && home.run_ids().is_empty());

    let kept = item("worker", "fake: cost 1; say kept");
    for number in 0..3 {
        let task = format!("fake: cost 1; say kept {number}");
        client.document("dispatch", &item("worker", &task));
    }
    let done = client.document("dispatch", &kept);
    let hit = client.document("dispatch_plan", &kept);
    fits(client, "dispatch_plan", &hit);
    assert_eq!((&hit["verdict"], &hit["answered_by"]), (&json!("hit"), &done["job_id"]), "{hit}");
    assert!(hit["age_seconds"].as_f64().is_some_and(|age| age < 60.0), "{hit}");
    assert_eq!(
        (&hit["typical"]["dispatches"], &hit["typical"]["median_cost_usd"]),
        (&json!(4), &json!(1.0)),
        "{hit}"
    );
    assert_eq!(hit["budgets"][0]["left_usd"], 1.0, "{hit}");
    let refused = client.document("dispatch_plan", &item("nobody", "x"));
    fits(client, "dispatch_plan", &refused);
    assert_eq!(
        (&refused["verdict"], &refused["error_type"]),
        (&json!("refused"), &json!("not_found")),
        "{refused}"
    );
    assert!(
        refused["reason"].is_string() && refused["hint"].is_string() && refused["profile"].is_null(),
        "{refused}"
    );
}

#[test]
fn a_schema_that_is_none_is_refused_before_anything_runs() {
    let home = Home::new();
    let client = &mut home.client();
    let starts = home.text_path("starts");
    for schema in
        [json!({"type": "nonsense"}), json!(r#"{"required": 3}"#), json!({"$ref": "https://example.com"})]
    {
        let task = format!("fake: count-starts {starts}");
        let arguments = json!({"agent": "worker", "task": task, "response_format": schema});
        for tool in ["dispatch", "dispatch_session", "dispatch_stream", "dispatch_async", "dispatch_plan"] {
            let told = client.failure(tool, &arguments);
            assert_eq!(told["code"], "invalid_request", "{tool}: {told}");
            let error = told["error"].as_str().expect("there is a text");
            assert!(error.contains("`response_format` is not a JSON Schema"), "{tool}: {error}");
        }
    }
    assert!(!home.path("starts").exists());
}
