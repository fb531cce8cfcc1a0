//! Several dispatches from a file, a job that is followed, and what a dispatch would come to.

use std::fs;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::real::until;
use crate::world::{SOON, World};

#[test]
fn several_dispatches_come_from_a_file_or_from_standard_input() {
    let world = World::with_worker();
    world.agent("other");
    let list = json!([
        {"agent": "worker", "task": "fake: cost 0.25; say one"},
        {"agent": "other", "task": "fake: error 500 broken"},
        {"agent": "worker", "task": "fake: say three", "timeout_seconds": "60"},
    ]);
    fs::write(world.path("list.json"), list.to_string()).unwrap();
    let done = world.run(&["dispatch", "--parallel", "list.json"]).exits(1);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", done.stdout);
    assert!(lines[0].starts_with("AGENT   STATUS  JOB"), "{}", done.stdout);
    assert!(lines[1].starts_with("worker  done    ") && lines[1].ends_with("one"), "{}", done.stdout);
    assert!(lines[1].contains("  $0.25  "), "{}", done.stdout);
    assert!(lines[2].starts_with("other   failed  ") && lines[2].ends_with("500 broken"), "{}", done.stdout);
    assert_eq!(done.stderr, "Read a whole answer with: agent-dispatch wait JOB\n");

    let told =
        world.run_with_input(&["dispatch", "--parallel", "-", "--json"], &list.to_string()).exits(1).json();
    let results = told["individual_results"].as_array().unwrap();
    assert_eq!((&results[0]["cached"], &results[2]["result"]), (&json!(true), &json!("three")), "{told}");
    let good =
        json!([{"agent": "worker", "task": "fake: say one"}, {"agent": "other", "task": "fake: say two"}]);
    let merged =
        world.run_with_input(&["dispatch", "--parallel", "-", "--aggregate", "worker"], &good.to_string());
    let merged = merged.ok().stdout;
    assert!(merged.contains("\n\nfake answer to: The context holds"), "{merged}");
}

#[test]
fn a_list_that_is_wrong_starts_nothing_and_all_of_it_is_said() {
    let world = World::with_worker();
    let list = r#"[{"agent": "worker"}, {"agent": "wroker", "task": "x"}, {"agent": "worker", "task": "x", "gaol": "y"}]"#;
    let refused = world.run_with_input(&["dispatch", "--parallel", "-"], list).exits(2);
    for problem in ["`dispatches[0].task` is required", "did you mean `worker`?", "did you mean `goal`?"] {
        assert!(refused.stderr.contains(problem), "{problem}: {}", refused.stderr);
    }
    assert!(
        world.run_with_input(&["dispatch", "--parallel", "-"], "[{").exits(2).stderr.contains("is not JSON")
    );
    let missing = world.run(&["dispatch", "--parallel", "nowhere.json"]).exits(2);
    assert!(missing.stderr.contains("nowhere.json: there is no such file"), "{}", missing.stderr);
    for mixed in [
        &["dispatch", "--parallel", "-", "worker", "task"][..],
        &["dispatch", "worker", "task", "--aggregate", "worker"],
        &["dispatch", "worker"],
        &["dispatch", "worker", "task", "--plan", "--async"],
    ] {
        world.run(mixed).exits(2);
    }
    assert_eq!(world.run(&["jobs", "--json"]).ok().json(), json!([]));
}

#[test]
fn an_interrupt_takes_several_back() {
    let world = World::with_worker();
    let tasks = ["a", "b"].map(|name| {
        let there = world.path(name);
        json!({"agent": "worker", "task": format!("fake: touch {}; hang", there.display())})
    });
    fs::write(world.path("list.json"), json!(tasks).to_string()).unwrap();
    let mut command = world.agent_dispatch(&["dispatch", "--parallel", "list.json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    world.appears("a");
    world.appears("b");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let both = until(SOON, || {
        let jobs = world.run(&["jobs", "--json", "--status", "cancelled"]).ok().json();
        (jobs.as_array()?.len() == 2).then_some(())
    });
    assert!(both.is_some(), "they were not stopped");
}

#[test]
fn a_plan_tells_what_a_dispatch_would_come_to() {
    let world = World::with_worker();
    let plan = world.run(&["dispatch", "worker", "hello", "--plan"]).ok().stdout;
    assert!(plan.starts_with("agent         worker\nverdict       runs\n"), "{plan}");
    assert!(plan.contains("places        0 of 5 in use, 0 waiting\n"), "{plan}");
    assert_eq!(world.run(&["jobs", "--json"]).ok().json(), json!([]));
    world.run(&["dispatch", "worker", "hello"]).ok();
    let hit = world.run(&["dispatch", "worker", "hello", "--plan", "--json"]).ok().json();
    assert_eq!(hit["verdict"], "hit", "{hit}");
    let afresh = world.run(&["dispatch", "worker", "hello", "--no-cache", "--plan", "--json"]).ok().json();
    assert_eq!(afresh["verdict"], "run", "{afresh}");
    let refused = world.run(&["dispatch", "nobody", "hello", "--plan"]).exits(4).stdout;
    assert!(refused.contains("verdict       refused\nwhy           there is no agent `nobody`"), "{refused}");
    let records = world.run(&["audit", "--json"]).ok().json();
    assert_eq!(records.as_array().map(Vec::len), Some(3), "planning was recorded: {records:#}");
}

#[test]
fn a_job_is_followed_from_another_terminal_to_its_end() {
    let world = World::with_worker();
    world.script(
        "tool Bash first-step; touch @first; wait @go; tool Bash last-step; delay 600; error 500 broken",
    );
    let job = super::start(&world, "take your time");
    world.appears("first");
    let mut tail = world.agent_dispatch(&["tail", &job[..16]]);
    let tail = tail.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Steps are told every quarter of a second: the first is known before the next one is made.
    let known = until(SOON, || {
        let told = world.run(&["job", &job, "--json"]).ok().json();
        (told["progress"][0] == "Bash first-step").then_some(())
    });
    assert!(known.is_some(), "the first step is not told");
    world.touch("go");
    let output = tail.wait_with_output().unwrap();
    let (said, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(said.starts_with("Bash first-step\n") && said.contains("\nBash last-step\n"), "{said}");
    assert!(told.starts_with("error: API Error: 500 broken\n") && told.contains("worker: failed"), "{told}");

    // One that has ended is told the same, and ended.
    let again = world.run(&["tail", &job, "--json"]).exits(1).stdout;
    let lines: Vec<Value> = again.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({"step": "Bash first-step"}));
    assert_eq!(lines.last().unwrap()["status"], "failed", "{again}");
    world.run(&["tail", "00000000"]).exits(1);
}

#[test]
fn a_test_shows_its_steps_when_it_is_asked_to() {
    let world = World::with_worker();
    world.script("tool Bash look-around; delay 400; say all is well");
    let shown = world.run(&["test", "worker", "--stream"]).ok();
    assert_eq!(shown.stdout, "all is well\n");
    assert!(shown.stderr.starts_with("→ Bash look-around\n"), "{}", shown.stderr);
    let plain = world.run(&["test", "worker"]).ok();
    assert!(!plain.stderr.contains('→'), "{}", plain.stderr);
}
