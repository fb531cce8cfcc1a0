//! Taking a dispatch back: by an interrupt, by name from elsewhere, and by leaving at once.

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::real::until;
use crate::world::{SOON, World};

/// Starts a dispatch that somebody waits for, up to the moment its `claude` runs.
fn waiting(world: &World) -> Child {
    world.script("touch @started; hang");
    let mut dispatch = world.agent_dispatch(&["dispatch", "worker", "never end"]);
    let child = dispatch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    world.appears("started");
    child
}

/// Returns the only job, once it has ended.
fn ended(world: &World) -> serde_json::Value {
    let job = until(SOON, || {
        let jobs = world.run(&["jobs", "--json"]).ok().json();
        let job = jobs.get(0).expect("there is a job").clone();
        Some(job).filter(|job| job["status"] != "running" && job["status"] != "pending")
    });
    job.expect("it ends")
}

#[test]
fn an_interrupt_takes_the_dispatch_back() {
    let world = World::with_worker();
    let child = waiting(&world);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("error: the dispatch was cancelled by its caller\nhint: "), "{told}");
    assert_eq!(output.stdout, b"");
    let job = ended(&world);
    assert_eq!((&job["status"], &job["error_type"]), (&json!("cancelled"), &json!("cancelled")));
    let events = world.run(&["audit", "--json"]).ok().json();
    let events: Vec<&str> =
        events.as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["cancelled", "cancel_requested", "started", "requested"]);
}

#[test]
fn whoever_waits_hears_that_it_was_stopped_elsewhere() {
    let world = World::with_worker();
    let child = waiting(&world);
    let id = world.run(&["jobs", "--json"]).ok().json()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.run(&["cancel", &id]).ok().stdout, format!("stopping {id}\n"));
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("it was stopped: `agent-dispatch cancel` on the command line"), "{told}");
}

#[test]
fn a_dispatch_whose_caller_is_gone_is_stopped() {
    let world = World::with_worker();
    let mut child = waiting(&world);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ended(&world)["status"], "cancelled");
}

#[test]
fn waiting_can_be_given_up_without_stopping_the_job() {
    let world = World::with_worker();
    world.script("touch @started; wait @go; say at last");
    let job = super::start(&world, "take your time");
    world.appears("started");
    let mut child = world.agent_dispatch(&["wait", &job]).stdout(Stdio::piped()).spawn().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    world.touch("go");
    assert_eq!(world.run(&["wait", &job]).ok().stdout, "at last\n");
}
