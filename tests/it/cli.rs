//! The command line, as a person or a script uses it.

use std::fs;

use serde_json::{Value, json};

use crate::world::{Done, World};

mod auditing;
mod configuring;
mod pipes;
mod printing;
mod reviewing;
mod several;
mod stopping;

/// Returns a value without what differs from run to run.
fn without(mut value: Value, keys: &[&str]) -> Value {
    let object = value.as_object_mut().expect("it is an object");
    for key in keys {
        assert!(object.remove(*key).is_some(), "`{key}` is missing in {object:?}");
    }
    value
}

/// Starts a dispatch that goes on by itself, and returns its id.
fn start(world: &World, task: &str) -> String {
    let job = world.run(&["dispatch", "worker", task, "--async"]).ok().stdout.trim_end().to_owned();
    assert_eq!(job.len(), 32, "{job}");
    job
}

#[test]
fn the_version_is_the_programs_own() {
    let done = World::new().run(&["--version"]).ok();
    assert_eq!(done.stdout, concat!("agent-dispatch ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn help_names_the_commands_the_examples_and_the_exit_codes() {
    let world = World::new();
    assert_eq!(world.run(&["--help"]).ok().stdout, include_str!("../data/cli/help.txt"));
    // Without a command the same is shown, but it is a mistake.
    let none: [&str; 0] = [];
    assert_eq!(world.run(&none).exits(2).stderr, include_str!("../data/cli/help.txt"));
}

#[test]
fn an_agent_comes_changes_and_goes_and_comments_stay() {
    let world = World::new();
    let project = world.path("project");
    fs::create_dir_all(&project).unwrap();
    fs::write(project.join("CLAUDE.md"), "# Docs\n\nKeeps the manual.\n").unwrap();
    world.config("# my agents\nagents:\n  # the old one\n  other:\n    directory: ~/other # not there yet\n");

    let added = world.run(&["add", "docs", "project", "--allowed-tools", "Read,Bash(git log:*)"]).ok();
    assert!(added.stdout.starts_with(&format!("added docs: {}\n", project.display())), "{}", added.stdout);
    assert!(added.stdout.contains("Keeps the manual."), "{}", added.stdout);
    world.run(&["update", "docs", "--timeout", "60", "--max-budget-usd", "none", "-d", "the docs"]).ok();

    let listed = world.run(&["list", "--json"]).ok().json();
    let docs = json!({
        "name": "docs", "directory": project, "description": "the docs", "healthy": true, "has_claude_md": true,
        "has_mcp_config": false, "allowed_tools": ["Read", "Bash(git log:*)"],
    });
    assert_eq!(listed[1], docs);
    assert_eq!(listed[0]["healthy"], false);
    let detail = world.run(&["describe", "docs", "--json"]).ok().json();
    assert_eq!((&detail["timeout"], &detail["max_budget_usd"]), (&json!(60), &Value::Null));
    let table = world.run(&["list"]).ok().stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("AGENT  HEALTH        DIRECTORY"), "{table}");
    assert!(lines[1].starts_with("other  no directory  "), "{table}");
    assert!(lines[2].starts_with("docs   ok            ") && lines[2].ends_with("  the docs"), "{table}");
    assert!(world.run(&["describe", "docs"]).ok().stdout.contains("may use       Read, Bash(git log:*)\n"));

    world.run(&["remove", "docs"]).ok();
    let text = fs::read_to_string(world.config_file()).unwrap();
    let want = "# my agents\nagents:\n  # the old one\n  other:\n    directory: ~/other # not there yet\n";
    assert_eq!(text, want);
    world.run(&["describe", "docs"]).exits(1);
    world.run(&["remove", "docs"]).exits(1);
}

#[test]
fn every_change_of_the_configuration_is_recorded_with_before_and_after() {
    let world = World::with_worker();
    let secret = format!("call the API with token: {}", "s3cr3t".repeat(5));
    world.run(&["update", "worker", "--instructions", &secret]).ok();
    world.run(&["remove", "worker"]).ok();
    let records = world.run(&["audit", "--agent", "worker", "--json"]).ok().json();
    let [removed, updated] = records.as_array().unwrap().as_slice() else { panic!("{records:#}") };
    assert_eq!((&removed["event"], &removed["reason"]), (&json!("config_changed"), &json!("agent removed")));
    assert_eq!(updated["reason"], "agent updated: instructions");
    assert_eq!(updated["details"]["file"], json!(world.config_file()));
    let (before, after) = (&updated["details"]["before"], &updated["details"]["after"]);
    assert!(before.as_str().unwrap().starts_with("worker:\n    directory: "), "{before}");
    assert!(after.as_str().unwrap().contains("[redacted"), "{after}");
    assert!(!records.to_string().contains("s3cr3t"), "{records:#}");
    assert!(!removed["details"].as_object().unwrap().contains_key("after"), "{removed:#}");
}

#[test]
fn a_change_that_cannot_be_recorded_is_not_made() {
    let world = World::with_worker();
    let before = fs::read_to_string(world.config_file()).unwrap();
    let mut remove = world.agent_dispatch(&["remove", "worker"]);
    remove.env("AGENT_DISPATCH_STATE_DIR", "/proc/nowhere");
    let refused = Done::of(remove).exits(5);
    assert!(refused.stderr.contains("the change could not be recorded, so it was not made"), "{refused:?}");
    assert_eq!(fs::read_to_string(world.config_file()).unwrap(), before);
}

#[test]
fn what_only_looks_at_the_configuration_starts_nothing() {
    let world = World::with_worker();
    world.run(&["list"]).ok();
    world.run(&["describe", "worker"]).ok();
    world.run(&["--help"]).ok();
    assert_eq!(world.run(&["daemon", "status"]).ok().stdout, "not running (it starts when it is needed)\n");
    assert_eq!(world.run(&["daemon", "status", "--json"]).ok().json(), json!({"running": false}));
    assert_eq!(world.run(&["daemon", "stop"]).ok().stdout, "was not running\n");
    assert_eq!(world.processes(), []);
    world.run(&["jobs"]).ok();
    let status = world.run(&["daemon", "status", "--json"]).ok().json();
    assert_eq!(
        (&status["running"], &status["jobs"], &status["audit_seq"]),
        (&json!(true), &json!(0), &json!(0))
    );
    assert!(world.run(&["daemon", "status"]).ok().stdout.starts_with("running for   "));
    assert_eq!(world.run(&["daemon", "stop"]).ok().stdout, "stopped\n");
}

#[test]
fn the_same_question_is_answered_from_the_cache() {
    let world = World::with_worker();
    world.script("count-starts @starts; cost 0.25; turns 2; say forty-two\\nand a bit; status done");
    let first = world.run(&["dispatch", "worker", "what is it?"]).ok();
    assert_eq!(first.stdout, "forty-two\nand a bit\n");
    assert!(first.stderr.starts_with("worker: done, 2 turns, $0.25, "), "{}", first.stderr);
    assert!(!first.stderr.contains("cache"), "{}", first.stderr);
    let second = world.run(&["dispatch", "worker", "what is it?"]).ok();
    assert_eq!(second.stdout, first.stdout);
    assert!(second.stderr.trim_end().ends_with(", from the cache"), "{}", second.stderr);

    let cached = world.run(&["dispatch", "worker", "what is it?", "--json"]).ok().json();
    let want = json!({
        "agent": "worker", "status": "done", "success": true, "result": "forty-two\nand a bit", "cost_usd": 0.25,
        "num_turns": 2, "outcome": "done", "cached": true,
    });
    assert_eq!(without(cached, &["job_id", "session_id", "duration_ms"]), want);
    assert_eq!(fs::read_to_string(world.path("starts")).unwrap().lines().count(), 1);
    let anew = world.run(&["dispatch", "worker", "what is it?", "--no-cache", "--json"]).ok().json();
    assert_eq!(anew["cached"], Value::Null);
    world.run(&["test", "worker", "what is it?"]).ok();
    assert_eq!(fs::read_to_string(world.path("starts")).unwrap().lines().count(), 3);
}

#[test]
fn an_agent_is_tested_with_a_task_of_our_own() {
    let world = World::with_worker();
    world.script("echo-stdin");
    let answer = world.run(&["test", "worker"]).ok().stdout;
    assert!(answer.contains("what is this project"), "{answer}");
}

#[test]
fn a_long_task_is_read_from_standard_input_and_its_answer_comes_whole() {
    let world = World::with_worker();
    world.script("echo-stdin");
    let task = "żółw\n".repeat(50_000);
    let done = world.run_with_input(&["dispatch", "worker", "-", "--json"], &task).ok().json();
    assert!(done["result"].as_str().unwrap().contains(task.trim_end()));
    assert_eq!(done["truncated"], Value::Null);
    world.run_with_input(&["dispatch", "worker", "-"], " \n").exits(2);
}

#[test]
fn a_value_that_was_asked_for_is_printed_alone() {
    let world = World::with_worker();
    world.script(r#"say here it is: {"n": 3}"#);
    let done = world.run(&["dispatch", "worker", "how many?", "--response-format", "json"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&done.stdout).unwrap(), json!({"n": 3}));

    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    fs::write(world.path("schema.json"), schema.to_string()).unwrap();
    world.script(r#"structured {"n": 4}"#);
    for format in ["schema.json", &schema.to_string()] {
        let done = world.run(&["dispatch", "worker", "how many?", "--response-format", format]).ok();
        assert_eq!(serde_json::from_str::<Value>(&done.stdout).unwrap(), json!({"n": 4}), "{format}");
    }
    fs::write(world.path("broken.json"), "{").unwrap();
    for format in ["broken.json", "nowhere.json", "jsno", "{\"type\":"] {
        let bad = world.run(&["dispatch", "worker", "how many?", "--response-format", format]).exits(2);
        assert!(bad.stderr.starts_with("error: "), "{bad:?}");
    }
}

#[test]
fn each_exit_code_tells_whose_move_it_is() {
    let world = World::with_worker();
    world.script("say so far; error 529 overloaded");
    let failed = world.run(&["dispatch", "worker", "do it"]).exits(1);
    assert!(failed.stderr.contains("error: API Error: 529 overloaded\nhint: "), "{}", failed.stderr);
    let document = world.run(&["dispatch", "worker", "do it", "--json"]).exits(1).json();
    assert_eq!((&document["success"], &document["error_type"]), (&json!(false), &json!("overloaded")));
    for unknown in [["job", "0197a3f2c4d17b3e8000000000000001"], ["wait", "0197a3f2"], ["describe", "nobody"]]
    {
        assert_eq!(world.run(&unknown).exits(1).stdout, "");
    }
    for usage in [
        &["dispatch", "worker"][..],
        &["dispatch", "worker", " "],
        &["dispatch", "worker", "x", "--timeout", "5"],
        &["dispatch", "worker", "x", "--session", "not-a-session"],
        &["dispatch", "not/a/name", "x"],
        &["jobs", "--limit", "0"],
        &["jobs", "--status", "lost"],
        &["job", "xyz"],
        &["wait"],
        &["audit", "--since", "the other day"],
        &["add", "new", "nowhere"],
        &["add", "worker", "."],
        &["add", "no spaces", "."],
        &["update", "worker"],
        &["update", "worker", "--max-budget", "-1"],
        &["frobnicate"],
    ] {
        let done = world.run(usage).exits(2);
        assert_eq!(done.stdout, "", "{usage:?}");
        assert!(done.stderr.starts_with("error: "), "{usage:?}: {}", done.stderr);
    }
    let refused = world.run(&["dispatch", "workr", "do it"]).exits(4);
    assert!(refused.stderr.contains("did you mean `worker`?"), "{}", refused.stderr);
    world.config("agents: [\n");
    for command in
        [&["list"][..], &["describe", "worker"], &["dispatch", "worker", "x"], &["remove", "worker"]]
    {
        let done = world.run(command).exits(3);
        assert!(done.stderr.contains("agents.yaml"), "{command:?}: {}", done.stderr);
    }
    let mut jobs = world.agent_dispatch(&["jobs"]);
    jobs.env("AGENT_DISPATCH_STATE_DIR", "/proc/nowhere");
    Done::of(jobs).exits(5);
}

#[test]
fn a_job_is_found_by_the_beginning_of_its_id() {
    let world = World::with_worker();
    world.script("cost 0.5; say the answer; status partial");
    let done =
        world.run(&["dispatch", "worker", "first\nsecond line", "--goal", "to know", "--json"]).ok().json();
    let id = done["job_id"].as_str().unwrap();
    for shown in [id, &id[..8], &id[..31], &id[..12].to_uppercase()] {
        let job = world.run(&["job", shown, "--json"]).ok().json();
        assert_eq!((&job["id"], &job["status"]), (&json!(id), &json!("done")));
        assert_eq!((&job["task"], &job["goal"]), (&json!("first\nsecond line"), &json!("to know")));
        let result = json!({
            "agent": "worker", "job_id": id, "status": "done", "success": true, "result": done["result"],
            "session_id": done["session_id"], "cost_usd": 0.5, "duration_ms": done["duration_ms"], "num_turns": 1,
            "outcome": "partial", "hint": done["hint"],
        });
        assert_eq!(job["result"], result);
    }
    let shown = world.run(&["job", &id[..8]]).ok().stdout;
    for line in ["job           ", "status        done", "verdict       partial", "cost          $0.50"] {
        assert!(shown.lines().any(|it| it.starts_with(line)), "{line}: {shown}");
    }
    assert!(
        shown.contains("\ntask\n    first\n    second line\ngoal\n    to know\nprogress\n    the answer"),
        "{shown}"
    );
    assert!(shown.ends_with("\nanswer\n    the answer\n"), "{shown}");
}

#[test]
fn a_list_of_jobs_has_the_shape_of_the_original() {
    let world = World::with_worker();
    assert_eq!(world.run(&["jobs", "--json"]).ok().json(), json!([]));
    let empty = world.run(&["jobs"]).ok();
    assert_eq!((empty.stdout.as_str(), empty.stderr.as_str()), ("", "There are no such jobs.\n"));
    world.script("say fine");
    world.run(&["dispatch", "worker", &"long ".repeat(60)]).ok();
    world.script("error 529 busy");
    world.run(&["dispatch", "worker", "second"]).exits(1);
    let jobs = world.run(&["jobs", "--json"]).ok().json();
    let [second, first] = jobs.as_array().unwrap().as_slice() else { panic!("{jobs:#}") };
    let times = ["id", "created_at", "started_at", "completed_at"];
    let want = json!({"agent": "worker", "status": "done", "task": "long ".repeat(24), "success": true, "cost_usd": 0.01});
    assert_eq!(without(first.clone(), &times), want);
    let want = json!({
        "agent": "worker", "status": "failed", "task": "second", "success": false, "cost_usd": 0.0,
        "error_type": "overloaded",
    });
    assert_eq!(without(second.clone(), &times), want);
    let only = |arguments: &[&str]| world.run(&[&["jobs", "--json"], arguments].concat()).ok().json();
    assert_eq!(only(&["--status", "failed"]), json!([second]));
    assert_eq!(only(&["--limit", "1"]), json!([second]));
    assert_eq!(only(&["--agent", "worker"]), jobs);
    assert_eq!(only(&["--agent", "nobody"]), json!([]));
}

#[test]
fn every_command_that_a_sentence_names_exists() {
    let help = World::new().run(&["--help"]).ok().stdout;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"dispatch"), "{help}");
    // Not for people, so help does not tell of it.
    let exists = |command: &str| commands.contains(&command) || command == "worker";
    let named = regex_lite::Regex::new(r"agent-dispatch ([a-z]+)").unwrap();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut checked = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for line in
                fs::read_to_string(&path).unwrap().lines().filter(|line| !line.trim().starts_with("//"))
            {
                for command in named.captures_iter(line).map(|found| found[1].to_owned()) {
                    checked += 1;
                    assert!(exists(&command), "{}: {line}", path.display());
                }
            }
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn a_job_is_waited_for_and_stopped_from_another_process() {
    let world = World::with_worker();
    world.script("touch @started; wait @go; say at last");
    let job = start(&world, "take your time");
    world.appears("started");
    let early = world.run(&["wait", &job, "--timeout", "1", "--json"]).exits(1);
    assert_eq!(
        (&early.json()["status"], &early.json()["timed_out_waiting"]),
        (&json!("running"), &json!(true))
    );
    assert!(early.stderr.contains("goes on"), "{}", early.stderr);
    assert_eq!(world.run(&["jobs", "--status", "running", "--json"]).ok().json()[0]["id"], json!(job));
    world.touch("go");
    assert_eq!(world.run(&["wait", &job[..12]]).ok().stdout, "at last\n");

    world.script("touch @hanging; say so far; hang");
    let job = start(&world, "never end");
    world.appears("hanging");
    let cancelled = world.run(&["cancel", &job[..12], "--json"]).ok().json();
    let want = json!({"job_id": job, "outcome": "cancelled_running", "status": "cancelled"});
    assert_eq!(without(cancelled, &["message"]), want);
    world.run(&["wait", &job]).exits(1);
    let ended = world.run(&["job", &job, "--json"]).ok().json();
    assert_eq!(
        (&ended["status"], &ended["result"]["error_type"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    let again = world.run(&["cancel", &job]).ok().stdout;
    assert_eq!(again, format!("{job} had ended before: cancelled\n"));
}

#[test]
fn several_jobs_are_waited_for_at_once() {
    let world = World::with_worker();
    world.script("wait @go; say slow");
    let slow = start(&world, "slow");
    world.script("say quick");
    let quick = start(&world, "quick");
    let any = world.run(&["wait", &slow, &quick, "--any", "--json"]).ok().json();
    let states: Vec<&Value> = any.as_array().unwrap().iter().map(|job| &job["status"]).collect();
    assert_eq!(states[1], "done", "{any:#}");
    assert_ne!(states[0], "done", "{any:#}");
    world.touch("go");
    let all = world.run(&["wait", &slow, &quick, &slow, "--json"]).ok().json();
    let answers: Vec<&Value> = all.as_array().unwrap().iter().map(|job| &job["result"]["result"]).collect();
    assert_eq!(answers, ["slow", "quick"]);
    let table = world.run(&["wait", &slow, &quick]).ok().stdout;
    assert_eq!(table.lines().count(), 3, "{table}");
}

#[test]
fn a_conversation_is_gone_on_with() {
    let world = World::with_worker();
    let first = world.run(&["dispatch", "worker", "begin", "--json"]).ok().json();
    let session = first["session_id"].as_str().unwrap();
    let more = world.run(&["dispatch", "worker", "go on", "--session", session, "--json"]).ok().json();
    assert_eq!(more["session_id"], first["session_id"]);
    assert_ne!(more["job_id"], first["job_id"]);
}

#[test]
fn a_child_gets_credentials_and_no_marker_of_the_session_that_asks() {
    let world = World::with_worker();
    let report = world.config_file().with_file_name("report.json");
    world.script(&format!("report {}; say ok", report.display()));
    let mut command = world.agent_dispatch(&["dispatch", "worker", "look"]);
    let markers =
        ["CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_PROJECT_DIR", "AI_AGENT"];
    command.envs(markers.map(|name| (name, "of-the-caller"))).env("ANTHROPIC_API_KEY", "sk-ant-kept");
    assert!(command.output().unwrap().status.success());
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    for marker in markers {
        assert_eq!(report["env"].get(marker), None, "{marker}");
    }
    assert_eq!(report["env"]["ANTHROPIC_API_KEY"], "sk-ant-kept");
    assert_eq!(report["env"]["AGENT_DISPATCH_DEPTH"], "1");
}
