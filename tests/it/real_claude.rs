//! The real `claude` answers through the mock, as the runner expects of it.

use std::fs::{self, File};
use std::time::Duration;

use serde_json::{Value, json};

use crate::real::{RealClaude, finish, script, until};

/// The form of output that every dispatch asks for.
const STREAM: [&str; 4] = ["-p", "--output-format", "stream-json", "--verbose"];

fn last_result(lines: &[Value]) -> &Value {
    lines.iter().rfind(|line| line["type"] == "result").expect("there is a result line")
}

#[test]
fn the_real_cli_answers_through_the_mock() {
    let Some(real) = RealClaude::start() else { return };
    let folder = real.folder("project");
    let done = finish(real.claude(&STREAM, &folder, "what is up")).succeeded();
    let lines = done.lines();
    let result = last_result(&lines);
    assert_eq!(result["result"], "mock reply to: what is up");
    assert!(result["total_cost_usd"].as_f64() > Some(0.0), "{result}");
    assert_eq!(result["session_id"], lines[0]["session_id"]);
    let [call] = real.api_calls().try_into().expect("one call is enough");
    assert_eq!((&call["prompt"], &call["stream"]), (&json!("what is up"), &json!(true)));
}

#[test]
fn the_real_cli_runs_the_tools_of_a_script() {
    let Some(real) = RealClaude::start() else { return };
    let folder = real.folder("project");
    let prompt = script(&json!([
        {"text": "first", "tool": {"name": "Bash", "input": {"command": "pwd -P | tee made.txt"}}},
        {"text": "it said {{last_tool_result}}"},
    ]));
    let arguments = [&STREAM[..], &["--allowedTools", "Bash"]].concat();
    let done =
        finish(real.claude(&arguments, &folder, &format!("## Task\n{prompt}\n## Rules\n"))).succeeded();
    let here = folder.canonicalize().expect("the folder is there");
    assert_eq!(last_result(&done.lines())["result"], format!("it said {}", here.display()));
    let made = fs::read_to_string(folder.join("made.txt")).expect("the tool made a file");
    assert_eq!(made.trim_end(), here.to_str().expect("its name is text"));
    let steps: Vec<Value> = real.api_calls().iter().map(|call| call["step"].clone()).collect();
    assert_eq!(steps, [0, 1]);
}

#[test]
fn the_real_cli_reports_what_the_service_refuses() {
    let Some(real) = RealClaude::start() else { return };
    let folder = real.folder("project");
    let error =
        json!({"status": 429, "type": "rate_limit_error", "message": "slow down", "headers": {"x-a": 1}});
    let mut claude = real.claude(&STREAM, &folder, &script(&json!([{"error": error}])));
    claude.env("CLAUDE_CODE_MAX_RETRIES", "0");
    let done = finish(claude);
    let lines = done.lines();
    let result = last_result(&lines);
    assert_eq!(done.code, Some(1));
    assert_eq!((&result["is_error"], &result["api_error_status"]), (&json!(true), &json!(429)));
    assert_eq!(real.api_calls().len(), 1);
}

#[test]
fn a_long_answer_of_the_real_cli_is_whole_in_a_file() {
    let Some(real) = RealClaude::start() else { return };
    let folder = real.folder("project");
    let prompt = script(&json!([{"text": "begin ", "repeat": {"text": "0123456789", "times": 300_000}}]));
    let result = finish(real.claude(&["-p", "--output-format", "json"], &folder, &prompt)).succeeded().json();
    let text = result["result"].as_str().expect("the answer is text");
    assert!(text == format!("begin {}", "0123456789".repeat(300_000)), "{} characters", text.len());
}

#[test]
fn tools_of_a_killed_cli_live_on_and_carry_its_environment() {
    let Some(real) = RealClaude::start() else { return };
    let folder = real.folder("project");
    let prompt =
        script(&json!([{"tool": {"name": "Bash", "input": {"command": "echo > started; sleep 272"}}}]));
    let mut claude = real.claude(&[&STREAM[..], &["--allowedTools", "Bash"]].concat(), &folder, &prompt);
    let output = File::create(folder.join("output")).expect("a file can be made");
    let mut claude = claude.env("MARKER", "this run").stdout(output).spawn().expect("it starts");
    let started = until(Duration::from_secs(20), || folder.join("started").exists().then_some(()));
    claude.kill().expect("it can be killed");
    claude.wait().expect("it can be waited for");
    assert!(started.is_some(), "the tool did not start: {:#?}", real.api_calls());

    let left = until(Duration::from_secs(20), || {
        real.running("MARKER=").into_iter().find(|process| process.has_argument("272"))
    });
    // Why a run is swept by its environment when it is stopped: if this fails, the sweep is needed no more.
    assert_eq!(left.and_then(|process| process.variable("MARKER")).as_deref(), Some("this run"));
}
