//! Runs that were stopped, runs that died, answers that are not whole, and telemetry that is not what it should be.

use serde_json::json;

use crate::answer::Stream;
use crate::model::{
    Answer, Ending, Exit, FailureClass, Outcome, Retry, RunResult, StopReason, Timestamp, ToolUse, Usage,
};
use crate::plan::Expects;

const SESSION: &str = "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47";

fn said(message: &str, text: &str) -> serde_json::Value {
    let content = json!([{"type": "text", "text": text}]);
    json!({"type": "assistant", "session_id": SESSION, "message": {"id": message, "model": "m", "content": content}})
}

fn answered(text: &str) -> serde_json::Value {
    json!({"type": "result", "subtype": "success", "is_error": false, "result": text, "session_id": SESSION})
}

fn conclude(expects: Expects, lines: &[serde_json::Value], ending: &Ending) -> (RunResult, Answer) {
    let mut stream = Stream::new(expects, Some(1.5));
    for line in lines {
        drop(stream.feed(format!("{line}\n").as_bytes(), 5));
    }
    stream.conclude(ending, "web", 300_000, Timestamp::from_millis(0))
}

fn stopped(reason: StopReason) -> Ending {
    Ending { stopped: Some(reason), exit: Some(Exit::Signal(9)), elapsed_ms: 300_123, ..Default::default() }
}

fn exited(exit: Exit, stderr: &str) -> Ending {
    Ending { exit: Some(exit), stderr_tail: stderr.to_owned(), ..Default::default() }
}

fn ended() -> Ending {
    exited(Exit::Code(0), "")
}

#[test]
fn a_stopped_run_keeps_its_words_and_says_how_to_go_on() {
    let aborted = json!({"type": "result", "subtype": "error_during_execution", "is_error": true, "num_turns": 3,
        "total_cost_usd": 0.01, "errors": ["[ede_diagnostic] x"], "terminal_reason": "aborted_tools"});
    let silent = [said("a", "first"), said("b", "second")];
    let loud = [said("a", "first"), said("b", "second"), aborted];
    let rows = [
        (StopReason::TimedOut, FailureClass::Timeout, Retry::Never, "stopped after 300 s, the time it had"),
        (
            StopReason::Stalled,
            FailureClass::Stalled,
            Retry::Now,
            "stopped after 300 s because it had fallen silent",
        ),
        (
            StopReason::Cancelled("by the user".to_owned()),
            FailureClass::Cancelled,
            Retry::Never,
            "cancelled: by the user",
        ),
        (StopReason::Cancelled(String::new()), FailureClass::Cancelled, Retry::Never, "cancelled"),
    ];
    for (reason, class, retry, error) in rows {
        for (lines, cost) in [(&silent[..], None), (&loud[..], Some(0.01))] {
            let (result, answer) = conclude(Expects::Text, lines, &stopped(reason.clone()));
            assert_eq!(
                (result.class, result.retry, result.error.as_deref()),
                (Some(class), Some(retry), Some(error))
            );
            assert_eq!(answer, Answer { text: "first\n\nsecond".to_owned(), parsed: None });
            assert_eq!((result.partial, result.cost_usd), (true, cost));
            let hint = result.hint.unwrap();
            for part in [
                "what it had written is kept",
                "dispatch_session(agent=\"web\", session_id=\"3f1c",
                "--session 3f1c",
            ] {
                assert!(hint.contains(part), "{hint}");
            }
        }
    }
}

#[test]
fn a_run_stopped_before_it_said_anything_has_nothing_to_keep_or_to_go_on_with() {
    let (result, answer) = conclude(Expects::Text, &[], &stopped(StopReason::TimedOut));
    assert_eq!(
        (result.partial, result.session, result.duration_ms, answer),
        (false, None, 300_123, Answer::default())
    );
    assert_eq!(
        result.hint.as_deref(),
        Some(
            "give it more time with timeout_seconds=600 in the call or `agent-dispatch update web --timeout 600`"
        )
    );
}

#[test]
fn an_answer_beats_the_stop_that_came_after_it_and_so_does_an_error_of_its_own() {
    let (result, answer) = conclude(Expects::Text, &[answered("whole")], &stopped(StopReason::TimedOut));
    assert_eq!((result.success, result.partial, answer.text.as_str()), (true, true, "whole"));
    assert!(!result.cacheable(), "it is served to those who have more patience");
    assert_eq!(
        result.hint.as_deref(),
        Some("it answered while it was being stopped because its time was over")
    );
    let budget = json!({"type": "result", "subtype": "error_max_budget_usd", "is_error": true});
    let (result, _) = conclude(Expects::Text, &[budget], &stopped(StopReason::TimedOut));
    assert_eq!(result.class, Some(FailureClass::Budget));
    let refused = json!({"type": "result", "subtype": "success", "is_error": true, "api_error_status": 401});
    let (result, _) = conclude(Expects::Text, &[refused], &stopped(StopReason::TimedOut));
    assert_eq!(result.class, Some(FailureClass::Auth));
}

#[test]
fn a_budget_stop_keeps_the_answer_that_claude_throws_away() {
    let budget =
        json!({"type": "result", "subtype": "error_max_budget_usd", "is_error": true, "total_cost_usd": 2});
    let lines = [said("a", "on the way"), said("b", "the"), said("b", "answer"), budget];
    let (result, answer) = conclude(Expects::Text, &lines, &ended());
    assert_eq!(answer.text, "the\n\nanswer");
    assert_eq!(result.error.as_deref(), Some("stopped after $2.00 because its budget of $1.50 was used up"));
    assert_eq!(
        (result.class, result.budget_exceeded, result.partial),
        (Some(FailureClass::Budget), true, true)
    );
}

#[test]
fn a_run_without_a_result_is_judged_by_how_it_ended() {
    let init = json!({"type": "system", "subtype": "init", "session_id": SESSION});
    let lost = Ending::default();
    let rows = [
        (
            vec![],
            exited(Exit::Code(1), ""),
            FailureClass::CliError,
            Retry::Never,
            "claude ended with exit code 1 and without a result",
        ),
        (
            vec![init.clone()],
            exited(Exit::Code(0), " \n"),
            FailureClass::CliError,
            Retry::Now,
            "claude ended with exit code 0 and without a result",
        ),
        (
            vec![init.clone()],
            exited(Exit::Signal(9), "bad\nthings"),
            FailureClass::CliError,
            Retry::Now,
            "claude was ended by signal 9 and left no result: bad things",
        ),
        (
            vec![init],
            lost.clone(),
            FailureClass::Interrupted,
            Retry::Now,
            "the process that watched over the run died before the run had a result",
        ),
        (
            vec![],
            exited(Exit::Code(1), "No conversation found with session ID: x"),
            FailureClass::NotFound,
            Retry::Never,
            "No conversation found with session ID: x",
        ),
        (
            vec![],
            exited(Exit::Code(1), "Error: Session ID x is already in use."),
            FailureClass::CliError,
            Retry::Never,
            "Error: Session ID x is already in use.",
        ),
        (
            vec![],
            exited(Exit::Code(1), "--dangerously-skip-permissions cannot be used with root/sudo privileges"),
            FailureClass::Permission,
            Retry::Never,
            "--dangerously-skip-permissions cannot be used with root/sudo privileges",
        ),
        (
            vec![],
            exited(Exit::Code(1), "error: unknown option '--x'"),
            FailureClass::CliError,
            Retry::Never,
            "error: unknown option '--x'",
        ),
    ];
    for (lines, ending, class, retry, error) in rows {
        let (result, answer) = conclude(Expects::Text, &lines, &ending);
        assert_eq!(
            (result.class, result.retry, result.error.as_deref()),
            (Some(class), Some(retry), Some(error))
        );
        assert!(result.hint.is_some() && answer == Answer::default());
    }
    let (result, answer) = conclude(Expects::Text, &[said("a", "so far")], &lost);
    assert_eq!((result.partial, answer.text.as_str()), (true, "so far"));
}

#[test]
fn the_agents_own_verdict_is_lifted_and_an_unfinished_one_says_how_to_go_on() {
    let (result, answer) = conclude(Expects::Text, &[answered("fine\n\nSTATUS: done")], &ended());
    assert_eq!((result.outcome, result.hint, answer.text.as_str()), (Some(Outcome::Done), None, "fine"));
    let (result, answer) = conclude(Expects::Text, &[answered("half\nSTATUS: partial")], &ended());
    assert_eq!((result.outcome, answer.text.as_str()), (Some(Outcome::Partial), "half"));
    assert!(
        result.hint.unwrap().starts_with("the agent calls its work partial; go on with dispatch_session(")
    );
    let failed = json!({"type": "result", "is_error": true, "result": "x\nSTATUS: done"});
    assert_eq!(conclude(Expects::Text, &[failed], &ended()).0.outcome, None);
}

#[test]
fn an_empty_answer_falls_back_on_what_was_said_and_is_not_whole() {
    let (result, answer) = conclude(Expects::Text, &[said("a", "before"), answered(" ")], &ended());
    assert_eq!((result.success, result.partial, answer.text.as_str()), (true, true, "before"));
    assert!(!result.cacheable());
    let (result, answer) = conclude(Expects::Text, &[answered("")], &ended());
    assert_eq!((result.success, result.partial, answer.text.as_str()), (true, true, ""));
    assert_eq!(result.hint.as_deref(), Some("the agent ended without a word"));
}

#[test]
fn json_is_found_in_the_answer_or_its_absence_is_told() {
    let (result, answer) =
        conclude(Expects::Json, &[answered("```json\n{\"a\": 1}\n```\nSTATUS: done")], &ended());
    assert_eq!((result.success, result.hint, answer.parsed.as_deref()), (true, None, Some("{\"a\": 1}")));
    assert!(!result.partial);
    assert_eq!(answer.text, "```json\n{\"a\": 1}\n```");
    let (result, answer) = conclude(Expects::Json, &[answered("no")], &ended());
    assert_eq!((result.success, result.partial, answer.parsed), (true, true, None));
    assert_eq!(result.hint.as_deref(), Some("the answer is not the one JSON value that was asked for"));
    let (_, answer) = conclude(Expects::Text, &[answered("{}")], &ended());
    assert_eq!(answer.parsed, None, "nobody asked for it");
}

#[test]
fn a_schema_is_answered_by_structured_output_or_not_at_all() {
    let schema = || Expects::Schema("{}".to_owned());
    let mut line = answered("{\"a\":1}\nSTATUS: done");
    let (result, answer) = conclude(schema(), &[line.clone()], &ended());
    assert_eq!((result.class, result.retry), (Some(FailureClass::CliError), Some(Retry::Now)));
    assert_eq!(
        (result.partial, answer.text.as_str(), answer.parsed),
        (false, "{\"a\":1}\nSTATUS: done", None)
    );
    line["structured_output"] = json!({"b": [1.5, null]});
    line["result"] = json!("");
    let (result, answer) = conclude(schema(), &[line], &ended());
    let parsed = "{\"b\":[1.5,null]}".to_owned();
    assert_eq!(
        (result.success, result.outcome, answer),
        (true, None, Answer { text: parsed.clone(), parsed: Some(parsed) })
    );
}

#[test]
fn hints_on_a_success_come_in_order() {
    let mut line = answered("x\nSTATUS: blocked");
    line["permission_denials"] = json!([{"tool_name": "Bash"}, {"tool_name": "Write"}]);
    line["total_cost_usd"] = json!(2.0);
    let (result, _) = conclude(Expects::Text, &[line], &stopped(StopReason::Stalled));
    assert_eq!(result.denied_tools, ["Bash", "Write"]);
    assert_eq!((result.success, result.budget_exceeded), (true, true));
    let hint = result.hint.unwrap();
    let parts = [
        "tools were denied (Bash, Write)",
        "--allowed-tools \"Bash,Write\"",
        "being stopped",
        "calls its work blocked",
        "it cost $2.00, more than its budget of $1.50",
    ];
    let places: Vec<_> =
        parts.iter().map(|part| hint.find(part).unwrap_or_else(|| panic!("{part}: {hint}"))).collect();
    assert!(places.is_sorted(), "{hint}");
}

#[test]
fn malformed_telemetry_never_fails_an_answer() {
    let line = json!({"type": "result", "is_error": false, "result": "fine", "session_id": 7, "total_cost_usd": "1",
        "duration_ms": -5, "num_turns": 1e300, "usage": [], "modelUsage": {"m": 5, "n": {"inputTokens": -1, "outputTokens": "x",
        "cacheReadInputTokens": 3.7}}, "permission_denials": {"tool": "x"}, "structured_output": {"a": 1}});
    let mut expected = RunResult::succeeded(42);
    expected.usage = Usage { cache_read: 3, ..Default::default() };
    expected.model = Some("n".to_owned());
    let ending = Ending { elapsed_ms: 42, ..ended() };
    assert_eq!(
        conclude(Expects::Text, &[line], &ending),
        (expected, Answer { text: "fine".to_owned(), parsed: None })
    );
    let texts = [(json!({"a": 1}), "{\"a\":1}"), (json!(5), "5"), (json!(null), "")];
    for (value, text) in texts {
        let line = json!({"type": "result", "subtype": "success", "result": value});
        assert_eq!(conclude(Expects::Text, &[line], &ended()).1.text, text);
    }
}

#[test]
fn the_last_result_counts_and_what_follows_it_changes_nothing() {
    let lines = [
        answered("one"),
        said("x", "later"),
        answered("two"),
        json!({"type": "system", "subtype": "task_updated"}),
    ];
    let (result, answer) = conclude(Expects::Text, &lines, &ended());
    assert_eq!((result.success, answer.text.as_str()), (true, "two"));
}

#[test]
fn words_of_subagents_and_of_claude_itself_are_not_the_agents() {
    let mut inner = said("i", "inner words");
    inner["parent_tool_use_id"] = json!("t");
    let call = json!({"type": "tool_use", "id": "u", "name": "Grep", "input": {}});
    inner["message"]["content"].as_array_mut().unwrap().push(call);
    let mut made_up = said("s", "API Error: 500");
    made_up["message"]["model"] = json!("<synthetic>");
    made_up["error"] = json!("server_error");
    let failed = json!({"type": "result", "is_error": true, "result": "API Error: something new"});
    let (result, answer) = conclude(Expects::Text, &[said("a", "mine"), inner, made_up, failed], &ended());
    assert_eq!(
        (result.class, answer.text.as_str(), result.partial),
        (Some(FailureClass::Overloaded), "mine", true)
    );
    assert_eq!(result.model.as_deref(), Some("m"));
    assert_eq!(result.tools, [("Grep".to_owned(), ToolUse { count: 1, millis: 0 })].into());
}

#[test]
fn a_value_that_the_cli_took_is_checked_against_the_whole_schema() {
    // `format` and `multipleOf` are among what `claude` is not given.
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 5}}, "required": ["n"]});
    let expects = || Expects::Schema(schema.to_string());
    let result = |value: serde_json::Value| {
        let mut line = answered("");
        line["structured_output"] = value;
        line["total_cost_usd"] = json!(0.25);
        line
    };
    let (fits, answer) = conclude(expects(), &[result(json!({"n": 10}))], &ended());
    assert!(fits.success, "{fits:?}");
    assert_eq!(answer.parsed.as_deref(), Some(r#"{"n":10}"#));

    let (wrong, answer) = conclude(expects(), &[result(json!({"n": 7}))], &ended());
    assert_eq!(
        (wrong.success, wrong.class, wrong.retry),
        (false, Some(FailureClass::CliError), Some(Retry::Now))
    );
    let error = wrong.error.unwrap();
    assert_eq!(error, "the agent's value does not fit the JSON Schema: at /n: 7 is not multipleOf 5");
    assert_eq!(answer.parsed.as_deref(), Some(r#"{"n":7}"#), "it was paid for");
    assert_eq!((answer.text.as_str(), wrong.partial, wrong.cost_usd), (r#"{"n":7}"#, false, Some(0.25)));
}

#[test]
fn a_value_that_cannot_be_checked_in_time_is_an_answer_all_the_same() {
    // The work doubles with each level of the value.
    let again = json!({"properties": {"a": {"$ref": "#"}}});
    let expects = Expects::Schema(json!({"allOf": [again, again]}).to_string());
    let mut line = answered("");
    line["structured_output"] = (0..60).fold(json!({}), |inner, _| json!({"a": inner}));
    let (result, answer) = conclude(expects, &[line], &ended());
    let hint = result.hint.unwrap();
    assert!(result.success && hint.contains("fits the JSON Schema was not checked"), "{hint}");
    assert!(answer.parsed.is_some_and(|parsed| parsed.starts_with(r#"{"a":{"a":"#)));
}

#[test]
fn servers_that_did_not_connect_are_told_with_every_end() {
    let server = |name: &str, status: &str| json!({"name": name, "status": status});
    let servers = json!([server("a", "connected"), server("b", "failed"), {"name": 1}, 5, server("c", "pending"),
        server("d\ne", "needs-auth"), server("f", "disabled")]);
    let init = json!({"type": "system", "subtype": "init", "session_id": SESSION, "mcp_servers": servers});
    let told = "MCP servers did not connect, so their tools were missing: b (failed), d e (needs-auth)";
    let (result, _) = conclude(Expects::Text, &[init.clone(), answered("done")], &ended());
    assert_eq!((result.success, result.hint.as_deref()), (true, Some(told)));
    let (result, _) = conclude(Expects::Text, &[init], &stopped(StopReason::TimedOut));
    assert!(result.hint.unwrap().ends_with(&format!(". {told}")));
    let quiet = json!({"type": "system", "subtype": "init", "mcp_servers": [server("a", "connected")]});
    assert_eq!(conclude(Expects::Text, &[quiet, answered("done")], &ended()).0.hint, None);
}
