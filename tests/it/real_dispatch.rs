//! The whole program with the real `claude` on both sides: one session asks, another one answers.

#![expect(clippy::panic, reason = "a check that fails says all it knows")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::{Value, json};

use crate::real::{Finished, RealClaude, finish, script, until};

/// How long a thing may take to be seen that happens within a second or two.
const SOON: Duration = Duration::from_secs(20);
/// How long a dispatch may outlive the session that waits for it.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Every process of a dispatch carries its job's id under this name.
const RUN_ID: &str = "AGENT_DISPATCH_RUN_ID";

/// A home with one agent, and folders for it and for its caller.
pub(crate) struct Setting {
    /// The real `claude` and its home.
    pub(crate) real: RealClaude,
    caller: PathBuf,
    target: PathBuf,
}

impl Setting {
    /// Adds the agent `worker`, which may use Bash.
    pub(crate) fn new() -> Option<Self> {
        let real = RealClaude::start()?;
        let (caller, target) = (real.folder("caller"), real.folder("target"));
        let setting = Self { real, caller, target };
        let target = setting.target.to_str().expect("its name is text");
        setting.product(&["add", "worker", target, "--allowed-tools", "Bash"], "").succeeded();
        Some(setting)
    }

    /// Runs `agent-dispatch` in the caller's folder.
    #[track_caller]
    pub(crate) fn product(&self, arguments: &[&str], input: &str) -> Finished {
        finish(self.real.command(Path::new(PRODUCT), arguments, &self.caller, input))
    }

    /// Registers the server with the real `claude`, as the manual says.
    pub(crate) fn register(&self) {
        let entry = json!({
            "type": "stdio", "command": PRODUCT, "args": ["serve"], "timeout": 3_600_000, "alwaysLoad": true,
        });
        let entry = entry.to_string();
        let arguments = ["mcp", "add-json", "agent-dispatch", &entry, "--scope", "user"];
        finish(self.real.claude(&arguments, &self.caller, "")).succeeded();
    }

    /// Returns the session that asks. It may use every tool of the server.
    fn outer(&self, steps: &Value) -> Command {
        self.outer_saying(&script(steps))
    }

    /// Returns the session that asks, with this prompt.
    pub(crate) fn outer_saying(&self, prompt: &str) -> Command {
        let arguments =
            ["-p", "--output-format", "stream-json", "--verbose", "--allowedTools", "mcp__agent-dispatch"];
        self.real.claude(&arguments, &self.caller, prompt)
    }

    /// Starts the session that asks, to be killed later.
    fn start_outer(&self, steps: &Value) -> Child {
        let output = File::create(self.caller.join("outer.jsonl")).expect("a file can be made");
        self.outer(steps).stdout(output).spawn().expect("the session starts")
    }

    /// Waits until the inner session's tool has made the file `started`, and returns the id of its job.
    fn started(&self) -> String {
        let id = until(SOON, || {
            let processes = self.real.running(&format!("{RUN_ID}="));
            let id = processes.iter().find_map(|process| process.variable(RUN_ID));
            id.filter(|_| self.target.join("started").exists())
        });
        id.unwrap_or_else(|| panic!("no run has started: {:#?}", self.real.api_calls()))
    }

    /// Returns the audit records of a job.
    fn records(&self, job: &str) -> Vec<Value> {
        let records = self.product(&["audit", "--json"], "").succeeded().json();
        let records = records.as_array().expect("the audit is an array").iter();
        records.filter(|record| record["dispatch"] == job).cloned().collect()
    }
}

/// The program itself.
const PRODUCT: &str = env!("CARGO_BIN_EXE_agent-dispatch");

pub(crate) fn call(tool: &str, input: &Value) -> Value {
    json!({"tool": {"name": format!("mcp__agent-dispatch__{tool}"), "input": input}})
}

pub(crate) fn bash(command: &str) -> Value {
    json!({"tool": {"name": "Bash", "input": {"command": command, "description": "a step of a test"}}})
}

fn record<'a>(records: &'a [Value], event: &str) -> &'a Value {
    let found = records.iter().find(|record| record["event"] == event);
    found.unwrap_or_else(|| panic!("no {event} among {records:#?}"))
}

fn kill(mut outer: Child) {
    outer.kill().expect("the session can be killed");
    outer.wait().expect("the session can be waited for");
}

#[test]
fn a_session_dispatches_to_another_one_and_the_audit_tells_of_it() {
    let Some(setting) = Setting::new() else { return };
    setting.register();
    let inner = script(&json!([bash("printf made-by-inner > made.txt"), {"text": "inner done"}]));
    let done = finish(setting.outer(&json!([
        call("list_agents", &json!({})),
        call("dispatch", &json!({"agent": "worker", "task": inner})),
        {"text": "outer heard: {{last_tool_result}}"},
    ])))
    .succeeded();
    let lines = done.lines();
    let init = lines.iter().find(|line| line["subtype"] == "init").expect("there is an init line");
    let result = lines.iter().rfind(|line| line["type"] == "result").expect("there is a result line");
    let heard = result["result"].as_str().expect("the answer is text");
    assert!(heard.starts_with("outer heard: ") && heard.contains("inner done"), "{heard}");
    let made = fs::read_to_string(setting.target.join("made.txt")).expect("the inner session made a file");
    assert_eq!(made, "made-by-inner");

    let calls = setting.real.api_calls();
    let listed = calls.iter().find(|call| call["step"] == 1).expect("the first tool was answered");
    assert!(listed["last_tool_result"].as_str().expect("with text").contains("worker"), "{listed}");
    assert_eq!(calls.len(), 5, "three answers outside, two inside: {calls:#?}");

    let records = setting.product(&["audit", "--json"], "").succeeded().json();
    let finished = record(records.as_array().expect("the audit is an array"), "finished");
    let client = finished["caller"]["client"].as_str().expect("the caller has a name");
    assert!(client.starts_with("claude-code"), "{finished}");
    assert_eq!(finished["caller"]["session"], init["session_id"], "{finished}");
    assert_eq!(finished["agent"], "worker", "{finished}");
    assert!(finished["end"]["cost_usd"].as_f64() > Some(0.0), "{finished}");
    assert_eq!(finished["end"]["tools"]["Bash"]["count"], 1, "{finished}");
    setting.product(&["audit", "verify"], "").succeeded();
}

#[test]
fn nothing_of_a_synchronous_dispatch_outlives_the_session_that_waits_for_it() {
    let Some(setting) = Setting::new() else { return };
    setting.register();
    let inner = script(&json!([bash("echo > started; sleep 271"), {"text": "never said"}]));
    let outer = setting.start_outer(&json!([call("dispatch", &json!({"agent": "worker", "task": inner}))]));
    let job = setting.started();
    let carried = format!("{RUN_ID}={job}");
    assert!(!setting.real.running(&carried).is_empty());

    kill(outer);
    let gone = until(GONE_WITHIN, || setting.real.running(&carried).is_empty().then_some(()));
    assert!(gone.is_some(), "still there: {:#?}", setting.real.running(&carried));
    record(&setting.records(&job), "cancelled");
}

#[test]
fn an_asynchronous_dispatch_outlives_its_session_and_is_answered_later() {
    let Some(setting) = Setting::new() else { return };
    setting.register();
    let wait = "echo > started; until test -e go; do sleep 0.1; done; echo went on";
    let inner = script(&json!([bash(wait), {"text": "late answer: {{last_tool_result}}"}]));
    let outer = setting.start_outer(&json!([
        call("dispatch_async", &json!({"agent": "worker", "task": inner})),
        {"hang": true},
    ]));
    let job = setting.started();
    // The session has its answer, so the job is its own by now.
    let handed_over = until(SOON, || {
        let calls = setting.real.api_calls();
        calls
            .into_iter()
            .find(|call| call["last_tool_result"].as_str().is_some_and(|text| text.contains(&job)))
    });
    assert!(handed_over.is_some(), "the session was not told of {job}: {:#?}", setting.real.api_calls());
    kill(outer);
    // The server goes with its session; the job does not.
    let gone = until(GONE_WITHIN, || {
        let processes = setting.real.running("HOME=");
        let mut servers = processes.iter().filter(|process| process.variable(RUN_ID).is_none());
        (!servers.any(|process| process.has_argument("serve"))).then_some(())
    });
    assert!(gone.is_some(), "the server outlives its session");
    File::create(setting.target.join("go")).expect("a file can be made");

    let answer = setting.product(&["wait", &job, "--json"], "").succeeded().json().to_string();
    assert!(answer.contains("late answer: went on"), "{answer}");
    let records = setting.records(&job);
    assert_eq!(record(&records, "finished")["end"]["success"], true, "{records:#?}");
}

#[test]
fn a_long_task_and_a_long_answer_arrive_whole() {
    let Some(setting) = Setting::new() else { return };
    let lines: Vec<String> = (0..20_000).map(|number| format!("line {number:09}")).collect();
    let task = lines.join("\n");
    assert!(task.len() > 290_000);
    let steps = script(&json!([{"text": "begin ", "repeat": {"text": "0123456789", "times": 300_000}}]));
    let input = format!("{task}\n{steps}");
    let answer = setting.product(&["dispatch", "worker", "-", "--json"], &input).succeeded().json();
    let text = answer["result"].as_str().expect("the answer is text");
    let whole = format!("begin {}", "0123456789".repeat(300_000));
    assert!(text == whole, "{} characters: {:.100}", text.len(), text);

    let [call] = setting.real.api_calls().try_into().expect("one call is enough");
    let prompt = call["prompt"].as_str().expect("the prompt is text");
    assert!(prompt.contains(&task), "{} characters arrived: {prompt:.100}", prompt.len());
}
