//! What is refused, and how: as something a model can put right.

use serde_json::{Value, json};

use crate::client::{Client, Home};

fn error_of(client: &mut Client, tool: &str, arguments: &Value) -> (String, String, String) {
    let failure = client.failure(tool, arguments);
    assert!(failure.is_object(), "{failure}");
    let text = |key: &str| failure[key].as_str().expect("it is a text").to_owned();
    assert!(!text("hint").is_empty(), "{failure}");
    // Under the names that failed dispatches have, too.
    assert_eq!((text("error_type"), text("retry")), (text("code"), "never".to_owned()), "{failure}");
    (text("code"), text("error"), text("hint"))
}

/// Checks that each call is refused with this code, in these words.
fn are_refused(calls: &[(&str, Value, &str, &str)]) {
    let home = Home::new();
    let client = &mut home.client();
    for (tool, arguments, code, told) in calls {
        let (got, error, _) = error_of(client, tool, arguments);
        assert_eq!(got, *code, "{tool}: {error}");
        assert!(error.contains(told), "{tool}: {error}");
    }
}

#[test]
fn arguments_that_do_not_fit_the_schema_are_named() {
    let code = "invalid_arguments";
    are_refused(&[
        ("dispatch", json!({"agent": "worker"}), code, "`task` is required"),
        ("dispatch", json!({"agnet": "worker", "task": "x"}), code, "did you mean `agent`"),
        ("dispatch", json!({"agent": "worker", "task": ["x"]}), code, "`task` is [\"x\"], not a text"),
        (
            "dispatch",
            json!({"agent": "worker", "task": "x", "timeout_seconds": "soon"}),
            code,
            "`timeout_seconds` is \"soon\", not a whole number",
        ),
        ("inspect_agent", json!({"name": "worker", "lines": 5}), code, "there is no argument `lines`"),
        (
            "dispatch_wait",
            json!({"job_id": "0", "mode": "some"}),
            code,
            "`mode` is \"some\", not one of: all, any",
        ),
        ("dispatch_status", json!({"job_id": ["a"]}), code, "`job_id` is [\"a\"], not a text"),
        ("dispatch_cancel", json!({"job_id": 5}), code, "`job_id` is 5, not a text"),
    ]);
}

#[test]
fn requests_that_make_no_sense_are_told_why() {
    let code = "invalid_request";
    let long = "x".repeat(10_000_000);
    let format = |format: Value| json!({"agent": "worker", "task": "x", "response_format": format});
    are_refused(&[
        ("dispatch", json!({"agent": "worker", "task": " \n "}), code, "`task` is blank"),
        ("dispatch", json!({"agent": "worker", "task": "a\0b"}), code, "`task` contains a NUL"),
        ("dispatch", json!({"agent": "worker", "task": long}), code, "`task` and context are 10000000"),
        ("dispatch", json!({"agent": "-x", "task": "x"}), code, "`agent` is not valid"),
        ("dispatch", format(json!("xml")), code, "`response_format` is \"xml\""),
        ("dispatch", format(json!(5)), code, "`response_format` has the wrong type"),
        (
            "dispatch_async",
            json!({"agent": "worker", "task": "x", "session_id": "--resume"}),
            code,
            "`session_id` is not valid",
        ),
        ("dispatch_wait", json!({"job_id": 5}), "invalid_id", "`job_id`"),
    ]);
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let code = "not_found";
    are_refused(&[
        (
            "dispatch",
            json!({"agent": "workre", "task": "x"}),
            code,
            "there is no agent `workre` (did you mean `worker`?): there are",
        ),
        ("dispatch", json!({"agent": "worker", "task": "x", "group": "g"}), code, "there is no group `g`"),
        ("dispatch_async", json!({"agent": "nobody", "task": "x"}), code, "there is no agent `nobody`"),
        ("inspect_agent", json!({"name": "nobody"}), code, "nobody"),
    ]);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let home = Home::new();
    let wrong = json!({"agent": "-", "task": "", "response_format": "xml", "group": "?"});
    let (_, error, _) = error_of(&mut home.client(), "dispatch", &wrong);
    for field in ["`agent`", "`task`", "`response_format`", "`group`"] {
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn numbers_and_flags_may_be_texts_and_nulls_are_left_out() {
    let home = Home::new();
    let arguments = json!({
        "agent": "worker", "task": "fake: say four words are here", "context": null, "timeout_seconds": "900",
        "return_ref": "true", "summary_chars": "4",
    });
    let document = home.client().document("dispatch", &arguments);
    assert_eq!((&document["summary"], &document["size"]), (&json!("four"), &json!(19)), "{document}");
}

#[test]
fn numbers_out_of_bounds_are_taken_as_the_bound() {
    let home = Home::new();
    let client = &mut home.client();
    let arguments =
        json!({"agent": "worker", "task": "fake: say hi", "return_ref": true, "summary_chars": -3});
    assert_eq!(client.document("dispatch", &arguments)["summary"], "");
    std::fs::write(home.path("worker/README.md"), "one\ntwo\n").expect("a file can be written");
    let detail = client.document("inspect_agent", &json!({"name": "worker", "preview_lines": -1}));
    assert_eq!((&detail["has_readme"], &detail["readme_preview"]), (&json!(true), &Value::Null), "{detail}");
    let detail = client.document("inspect_agent", &json!({"name": "worker", "preview_lines": 10_000}));
    assert!(detail["readme_preview"].as_str().is_some_and(|text| text.starts_with("one\ntwo")), "{detail}");
}

#[test]
fn what_is_no_tool_call_is_an_error_of_the_protocol_with_its_id() {
    let home = Home::new();
    let client = &mut home.client();
    let unknown = client.start("dispach", &json!({}));
    let answer = client.answer(unknown);
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let message = answer["error"]["message"].as_str().expect("there is a message");
    assert!(message.contains("dispach") && message.contains("list_agents"), "{message}");

    let shapeless = client.request("tools/call", &json!({"name": 5}));
    assert_eq!(client.answer(shapeless)["error"]["code"], -32602);
    let listed = client.start("list_agents", &json!(["x"]));
    assert_eq!(client.answer(listed)["error"]["code"], -32602);
    let odd = client.request("no/such/method", &json!({}));
    assert_eq!(client.answer(odd)["error"]["code"], -32601);
    client.send_line(br#"{"jsonrpc":"2.0","id":901,"method":"tools/call","params":{"name":"list_agents"}}"#);
    assert!(client.result(901)["structuredContent"]["agents"].is_array());
    client.send_line(br#"{"jsonrpc":"3.0","id":902,"method":"ping"}"#);
    assert_eq!(client.answer(902)["error"]["code"], -32600);
}

#[test]
fn text_that_rust_cannot_hold_is_still_a_task() {
    let home = Home::new();
    let client = &mut home.client();
    for (id, task, want) in [
        (801, r"\ud83d half", "\u{fffd} half"),
        (802, r"\udc00\ud83d halves", "\u{fffd}\u{fffd} halves"),
        (803, r"\ud83d\ude00 whole", "😀 whole"),
    ] {
        let arguments = format!(r#"{{"agent":"worker","task":"fake: echo-stdin\nsay {task}"}}"#);
        let params = format!(r#"{{"name":"dispatch","arguments":{arguments}}}"#);
        client.send_line(
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#).as_bytes(),
        );
        let document = client.finished(id);
        let said = document["result"].as_str().expect("there is an answer");
        assert!(said.contains(want), "{said}");
    }
}

#[test]
fn a_task_of_a_megabyte_arrives_whole() {
    let home = Home::new();
    let text = "żółw 0123456789 \\ \" ".repeat(50_000);
    assert!(text.len() > 1_000_000);
    let task = format!("fake: report {}; say got it\n{text}", home.text_path("report"));
    let document = home.client().document("dispatch", &json!({"agent": "worker", "task": task}));
    assert_eq!(document["result"], "got it", "{document}");
    let report: Value =
        serde_json::from_str(&crate::client::read(&home.path("report"))).expect("the report is JSON");
    assert!(report["stdin"].as_str().expect("there is a prompt").contains(text.trim_end()));
}
