//! What the records say: who asked, what a run did, which texts passed, and which never do.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::world::World;

mod asking;
mod blame;
mod changed;
mod denied;
mod foreign;
mod lost;
mod moved;
mod repository;
mod secrets;

/// Returns the records of this home, the oldest first.
fn records(world: &World) -> Vec<Value> {
    let mut records = world.run(&["audit", "-n", "1000", "--json"]).ok().json();
    let records = records.as_array_mut().expect("it is a list");
    records.reverse();
    records.clone()
}

/// Returns the records of this event, the oldest first.
fn records_of(world: &World, event: &str) -> Vec<Value> {
    records(world).into_iter().filter(|record| record["event"] == event).collect()
}

/// Dispatches, and returns the result.
fn dispatch(world: &World, arguments: &[&str]) -> Value {
    world.run(&[&["dispatch", "worker"], arguments, &["--json"]].concat()).ok().json()
}

fn signal_workers(world: &World, signal: Signal) {
    for (pid, command) in world.processes() {
        if command.contains(" worker ") {
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            rustix::process::kill_process(pid, signal).unwrap();
        }
    }
}

#[test]
fn every_way_to_begin_and_to_end_has_its_own_code() {
    let world = World::with_worker();
    world.script("say so");
    dispatch(&world, &["look"]);
    dispatch(&world, &["look"]);
    world.run(&["dispatch", "nobody", "look"]).exits(4);
    world.script("error 500 broken");
    world.run(&["dispatch", "worker", "fail"]).exits(1);
    world.script("touch @ready; hang");
    let job = world.run(&["dispatch", "worker", "hang", "--async"]).ok().stdout;
    world.appears("ready");
    world.run(&["dispatch", "worker", "hang", "--async"]).ok();
    world.run(&["cancel", job.trim()]).ok();
    world.run(&["wait", job.trim()]).exits(1);
    world.run(&["update", "worker", "--description", "new words"]).ok();
    world.run(&["cache", "clear"]).ok();
    world.run(&["gc", "--days", "30"]).ok();
    let told: Vec<String> = records(&world)
        .iter()
        .map(|record| {
            let failed = if record["end"]["success"] == json!(false) { "!" } else { "" };
            format!("{}{failed}", record["event"].as_str().unwrap_or_default())
        })
        .collect();
    let want = [
        "requested",
        "started",
        "finished",
        "hit",
        "refused",
        "requested",
        "started",
        "finished!",
        "requested",
        "started",
        "joined",
        "cancel_requested",
        "cancelled!",
        "config_changed",
        "cache_cleared",
        "gc",
    ];
    assert_eq!(told, want);
}

#[test]
fn a_job_without_a_worker_was_not_recovered_from_anywhere() {
    let world = World::with_worker();
    // Deaf, so that it gives no last words.
    world.script("ignore-signals; touch @ready; hang");
    let job = world.run(&["dispatch", "worker", "look", "--async"]).ok().stdout;
    world.appears("ready");
    signal_workers(&world, Signal::KILL);
    world.run(&["wait", job.trim()]).exits(1);
    let end = &records_of(&world, "interrupted")[0]["end"];
    assert_eq!((&end["error_type"], &end["recovered"]), (&json!("interrupted"), &Value::Null), "{end}");
}

#[test]
fn how_much_of_a_text_is_repeated_is_a_setting() {
    for (content, task, answer) in
        [("digest", None, None), ("preview", Some(121), Some(121)), ("full", Some(1000), Some(1000))]
    {
        let world = World::new();
        let directory = world.path("worker");
        std::fs::create_dir_all(&directory).unwrap();
        let agents = format!("agents:\n  worker:\n    directory: {}\n", directory.display());
        world.config(&format!("{agents}settings:\n  audit:\n    content: {content}\n"));
        let (asked, said) = ("a".repeat(1000), "b".repeat(1000));
        world.script(&format!("touch @ready; wait @go; say {said}"));
        let job = world.run(&["dispatch", "worker", &asked, "--async"]).ok().stdout;
        world.appears("ready");
        world.run(&["dispatch", "worker", &asked, "--async"]).ok();
        world.touch("go");
        world.run(&["wait", job.trim()]).ok();
        dispatch(&world, &[&asked]);
        dispatch(&world, &[&asked]);
        world.run(&["dispatch", "nobody", &asked]).exits(4);
        world.script(&format!("error 500 {said}"));
        world.run(&["dispatch", "worker", &asked, "--no-cache"]).exits(1);

        let length = |text: &Value| text.as_str().map(|text| text.chars().count());
        let records = records(&world);
        for event in ["requested", "joined", "hit", "refused"] {
            let record = records.iter().find(|record| record["event"] == event);
            let record = record.unwrap_or_else(|| panic!("{event} of {content}: {records:#?}"));
            assert_eq!(length(&record["task_preview"]), task, "{event} of {content}");
            assert_eq!(length(&record["task_mac"]), Some(32), "{event} of {content}");
        }
        let ends = records.iter().filter(|record| record["event"] == "hit" || record["event"] == "finished");
        for end in ends.map(|record| &record["end"]) {
            let failed = end["success"] == json!(false);
            let shown = if failed { &end["error"] } else { &end["answer_preview"] };
            assert_eq!(shown.is_null(), answer.is_none(), "{content}: {end}");
            assert!(failed || length(shown) == answer, "{content}: {end}");
        }
        let trail = serde_json::to_string(&records).unwrap();
        let repeated = trail.contains("aaaaaaaaaa") || trail.contains("bbbbbbbbbb");
        assert_eq!(repeated, content != "digest");
    }
}
