//! Answers: that they fit what was declared, how long ones come, and what a failed one looks like.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::client::{Client, Home, text_of};
use crate::protocol::shape::misfits;

/// Returns what each tool declares of its answers.
fn declared(client: &mut Client) -> BTreeMap<String, Value> {
    let id = client.request("tools/list", &json!({}));
    let listed = client.result(id);
    let tools = listed["tools"].as_array().expect("there is a list").iter();
    tools
        .map(|tool| (tool["name"].as_str().expect("it has a name").to_owned(), tool["outputSchema"].clone()))
        .collect()
}

#[test]
fn every_answer_fits_what_its_tool_declares() {
    let home = Home::new();
    let client = &mut home.client();
    let declared = declared(client);
    let dispatch = |task: &str| json!({"agent": "worker", "task": task});
    std::fs::write(home.path("worker/CLAUDE.md"), "line\n".repeat(100)).expect("a file can be written");
    let rich = "fake: cost 0.25; turns 3; deny Bash; tool Read a; say rich; status partial";
    let done = client.document("dispatch", &dispatch(rich))["job_id"].clone();
    let open = dispatch(&format!("fake: touch {}; hang", home.text_path("open")));
    let open = client.document("dispatch_async", &open)["job_id"].clone();
    home.until_there("open");
    let failed = client.document("dispatch_async", &dispatch("fake: error 500 broken"))["job_id"].clone();
    client.document("dispatch_wait", &json!({"job_id": failed}));
    let calls = [
        ("list_agents", json!({})),
        ("inspect_agent", json!({"name": "worker"})),
        ("dispatch", dispatch(rich)),
        ("dispatch", json!({"agent": "worker", "task": "x", "response_format": "json"})),
        ("dispatch", json!({"agent": "worker", "task": "fake: flood 50000"})),
        ("dispatch", json!({"agent": "worker", "task": rich, "return_ref": true})),
        ("dispatch_async", dispatch("fake: say async")),
        ("dispatch_status", json!({"job_id": done})),
        ("dispatch_status", json!({"job_id": open})),
        ("dispatch_status", json!({"job_id": failed})),
        ("dispatch_wait", json!({"job_id": done})),
        ("dispatch_wait", json!({"job_id": open, "timeout_seconds": 1})),
        ("dispatch_wait", json!({"job_id": [done, open], "timeout_seconds": 1})),
        ("fetch_result", json!({"ref": done})),
        ("fetch_result", json!({"ref": done, "max_chars": 2})),
        ("fetch_result", json!({"ref": open})),
        ("fetch_result", json!({"ref": failed})),
        ("dispatch_cancel", json!({"job_id": open})),
        ("dispatch_cancel", json!({"job_id": done})),
    ];
    for (tool, arguments) in calls {
        // The text is compared with it in there.
        let document = client.document(tool, &arguments);
        let misfits = misfits(&declared[tool], &document);
        assert!(misfits.is_empty(), "{tool} {arguments}: {misfits:#?} in {document:#}");
    }
}

#[test]
fn an_answer_says_all_that_is_known_of_the_run() {
    let home = Home::new();
    let task = "fake: cost 0.25; deny Bash; turns 3; say some of it; status partial";
    let mut document = home.client().document("dispatch", &json!({"agent": "worker", "task": task}));
    let taken = |document: &mut Value, key: &str| document.as_object_mut().expect("it is one").remove(key);
    for key in ["job_id", "session_id"] {
        let id = taken(&mut document, key).expect("it is there");
        assert!(id.as_str().is_some_and(|id| id.len() >= 32), "{key}: {id}");
    }
    assert!(taken(&mut document, "duration_ms").is_some_and(|it| it.is_u64()), "{document}");
    assert!(taken(&mut document, "hint").is_some_and(|it| it.is_string()), "{document}");
    let want = json!({
        "agent": "worker", "status": "done", "success": true, "result": "some of it", "cost_usd": 0.25, "num_turns": 3,
        "denied_tools": ["Bash"], "outcome": "partial",
    });
    assert_eq!(document, want);
}

#[test]
fn a_recent_answer_is_served_again() {
    let home = Home::new();
    let client = &mut home.client();
    let arguments = json!({"agent": "worker", "task": "fake: say as before"});
    let mut first = client.document("dispatch", &arguments);
    assert_eq!(first["cached"], Value::Null);
    let again = client.document("dispatch", &arguments);
    assert_eq!(again["cached"], true, "{again}");
    first["cached"] = json!(true);
    for key in ["result", "session_id", "cost_usd", "success", "agent"] {
        assert_eq!(again[key], first[key], "{key}");
    }
}

#[test]
fn a_failed_dispatch_is_an_error_that_says_everything() {
    let home = Home::new();
    let client = &mut home.client();
    for (task, error_type, retry) in [
        ("fake: error 500 out of order", "overloaded", "after"),
        ("fake: auth-error", "auth", "never"),
        ("fake: no-result; exit 3", "cli_error", "now"),
    ] {
        let id = client.start("dispatch", &json!({"agent": "worker", "task": task}));
        let result = client.result(id);
        assert_eq!(result["isError"], true, "{result}");
        let document = text_of(&result);
        assert_eq!(document["success"], false, "{document}");
        assert_eq!(document["status"], "failed", "{document}");
        assert_eq!(document["error_type"], error_type, "{document}");
        assert_eq!(
            document["retry"].as_str().map(|it| it.split(' ').next()),
            Some(Some(retry)),
            "{document}"
        );
        for key in ["agent", "job_id", "session_id", "error", "hint"] {
            assert!(document[key].as_str().is_some_and(|it| !it.is_empty()), "{key}: {document}");
        }
    }
}

#[test]
fn a_long_answer_comes_as_its_beginning_and_in_pieces() {
    let home = Home::new();
    let client = &mut home.client();
    let task = json!({"agent": "worker", "task": "fake: flood 3000000"});
    let head = client.document("dispatch", &task);
    assert_eq!(head["truncated"], true, "no word of it");
    assert_eq!(head["size"], 3_000_000);
    let reference = head["ref"].clone();
    assert_eq!(reference, head["job_id"]);
    let mut whole = head["result"].as_str().expect("there is a beginning").to_owned();
    assert_eq!(whole.len(), 45_000);

    let mut offset = head["next_offset"].as_u64();
    while let Some(at) = offset {
        let piece = json!({"ref": reference, "offset": at, "max_chars": 499_999});
        let piece = client.document("fetch_result", &piece);
        whole.push_str(piece["result"].as_str().expect("there is a piece"));
        assert_eq!((&piece["size"], &piece["full_size"]), (&json!(3_000_000), &json!(3_000_000)));
        offset = piece["next_offset"].as_u64();
    }
    assert_eq!(whole.len(), 3_000_000);
    let mut counted = String::new();
    for number in 0..3_000_000 / 64 {
        let _infallible = write!(counted, "{number:08x}{:-<56}", "");
    }
    assert!(whole == counted, "the pieces are not the whole");

    let beyond = client.document("fetch_result", &json!({"ref": reference, "offset": 4_000_000}));
    assert_eq!((&beyond["result"], &beyond["next_offset"]), (&json!(""), &Value::Null), "{beyond}");
    let unbounded = client.document("fetch_result", &json!({"ref": reference}));
    assert_eq!(unbounded["result"].as_str().map(str::len), Some(45_000));
    let most = client.document("fetch_result", &json!({"ref": reference, "max_chars": 10_000_000}));
    assert_eq!(most["result"].as_str().map(str::len), Some(500_000));
    let status = client.document("dispatch_status", &json!({"job_id": reference}));
    assert_eq!(status["result"]["result"].as_str().map(str::len), Some(45_000));
}

#[test]
fn the_length_of_answers_is_a_setting() {
    let home = Home::with_settings("  max_answer_chars: 1000\n");
    let client = &mut home.client();
    let whole = client.document("dispatch", &json!({"agent": "worker", "task": "fake: flood 1000"}));
    assert_eq!((whole["result"].as_str().map(str::len), &whole["truncated"]), (Some(1000), &Value::Null));
    let head = client.document("dispatch", &json!({"agent": "worker", "task": "fake: flood 1001"}));
    assert_eq!((head["result"].as_str().map(str::len), &head["truncated"]), (Some(1000), &json!(true)));
    assert_eq!(head["next_offset"], 1000);
}

#[test]
fn a_reference_comes_with_a_summary_and_stands_for_the_answer() {
    let home = Home::new();
    let client = &mut home.client();
    let arguments = |more: Value| {
        let mut arguments =
            json!({"agent": "worker", "task": "fake: cost 0.5; flood 2000", "return_ref": true});
        arguments.as_object_mut().expect("it is one").extend(more.as_object().expect("it is one").clone());
        arguments
    };
    let document = client.document("dispatch", &arguments(json!({})));
    assert_eq!(document["summary"].as_str().map(str::len), Some(500), "{document}");
    assert_eq!((&document["size"], &document["summary_chars"]), (&json!(2000), &json!(500)), "{document}");
    assert_eq!((&document["result"], &document["success"]), (&Value::Null, &json!(true)), "{document}");
    assert_eq!(document["cost_usd"], 0.5, "{document}");
    let fetched = client.document("fetch_result", &json!({"ref": document["ref"]}));
    assert_eq!(fetched["result"].as_str().map(str::len), Some(2000));
    assert_eq!((&fetched["truncated"], &fetched["cost_usd"]), (&Value::Null, &json!(0.5)));
    let none = client.document("dispatch", &arguments(json!({"summary_chars": 0})));
    assert_eq!((&none["summary"], &none["cached"]), (&json!(""), &json!(true)), "{none}");
    let all = client.document("dispatch", &arguments(json!({"summary_chars": 9_000_000})));
    assert_eq!(all["summary_chars"], 2000, "{all}");

    let failing = json!({"agent": "worker", "task": "fake: say so far; error 500 x", "return_ref": true});
    let failed = client.failure("dispatch", &failing);
    assert_eq!((&failed["success"], failed["ref"].is_string()), (&json!(false), true), "{failed}");
}

#[test]
fn json_comes_parsed() {
    let home = Home::new();
    let client = &mut home.client();
    let said = r#"fake: say {"a": [1, null, "b\;"]}"#;
    let json_answer = json!({"agent": "worker", "task": said, "response_format": "json"});
    let document = client.document("dispatch", &json_answer);
    assert_eq!(document["parsed_result"], json!({"a": [1, null, "b;"]}), "{document}");
    let text = json!({"agent": "worker", "task": said});
    assert_eq!(client.document("dispatch", &text)["parsed_result"], Value::Null);
    let not = json!({"agent": "worker", "task": "fake: say no", "response_format": "json"});
    let document = client.document("dispatch", &not);
    assert_eq!((&document["parsed_result"], &document["result"]), (&Value::Null, &json!("no")), "{document}");
    assert!(document["hint"].is_string(), "{document}");

    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    for format in [schema.clone(), json!(schema.to_string())] {
        let task = r#"fake: structured {"n": 5}"#;
        let arguments = json!({"agent": "other", "task": task, "response_format": format});
        let document = client.document("dispatch", &arguments);
        assert_eq!(document["parsed_result"], json!({"n": 5}), "{document}");
    }
}

#[test]
fn a_long_json_answer_is_read_in_pieces_without_its_value() {
    let home = Home::with_settings("  max_answer_chars: 1000\n");
    let client = &mut home.client();
    let long = format!("fake: say [\"{}\"]", "x".repeat(5000));
    let arguments = json!({"agent": "worker", "task": long, "response_format": "json"});
    let head = client.document("dispatch", &arguments);
    assert_eq!((&head["truncated"], &head["parsed_result"]), (&json!(true), &Value::Null));
    let message = head["message"].as_str().unwrap_or_default();
    assert!(message.contains("`parsed_result` has more than 500 characters and is left out"), "{head}");
    let piece = json!({"ref": head["ref"], "offset": 1000, "max_chars": 10});
    let piece = client.document("fetch_result", &piece);
    assert_eq!((&piece["result"], &piece["parsed_result"]), (&json!("xxxxxxxxxx"), &Value::Null));
    let whole = client.document("fetch_result", &json!({"ref": head["ref"], "max_chars": 20_000}));
    assert_eq!(whole["parsed_result"][0].as_str().map(str::len), Some(5000));
}

#[test]
fn a_short_value_comes_with_the_beginning_of_a_long_text() {
    let home = Home::with_settings("  max_answer_chars: 1000\n");
    let client = &mut home.client();
    let task = format!("fake: say {} ```json\\n{{\"n\": 5}}\\n```", "x".repeat(5000));
    let arguments = json!({"agent": "worker", "task": task, "response_format": "json"});
    let document = client.document("dispatch", &arguments);
    assert_eq!((&document["truncated"], &document["parsed_result"]), (&json!(true), &json!({"n": 5})));
    assert_eq!(document["result"].as_str().map(str::len), Some(1000 - r#"{"n": 5}"#.len()), "{document}");
}
