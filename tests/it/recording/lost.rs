//! What is recorded of a run whose worker was killed, and with it what it had seen.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::recording::repository::with_repository;
use crate::recording::{records_of, signal_workers};
use crate::world::World;

/// Returns the job of a run that played this until its worker was killed, and what is on record of its end.
fn end_of(world: &World, script: &str) -> (String, Value) {
    world.script(&format!("{script}; touch @ready; hang"));
    let job = world.run(&["dispatch", "worker", "look", "--async"]).ok().stdout;
    world.appears("ready");
    signal_workers(world, Signal::KILL);
    world.run(&["wait", job.trim()]).exits(1);
    std::fs::remove_file(world.path("ready")).unwrap();
    (job.trim().to_owned(), records_of(world, "interrupted").pop().unwrap()["end"].clone())
}

#[test]
fn of_a_run_whose_worker_was_killed_it_is_on_record_that_more_may_have_changed() {
    let world = with_repository();
    let died = json!("the process that watched over the run died before an answer came");
    for (script, heard, incomplete) in [
        ("tool Bash make it so", true, json!(true)),
        ("tool Read tracked", true, Value::Null),
        // Deaf, so that it does not even say which tools it used.
        ("ignore-signals; tool Read tracked", false, json!(true)),
    ] {
        let (job, end) = end_of(&world, script);
        assert_eq!(end["recovered"] == json!(true), heard, "{script}: {end}");
        assert_eq!(end["changes"]["incomplete"], incomplete, "{script}: {end}");
        assert_eq!((&end["error"], &end["changes"]["head"]), (&died, &Value::Null), "{script}: {end}");
        let shown = world.run(&["job", &job]).ok().stdout;
        let told = shown.contains("changed       it is not known which files\n");
        assert_eq!(told, incomplete == json!(true), "{script}: {shown}");
    }
}

#[test]
fn of_a_run_outside_of_a_repository_nothing_is_missing() {
    let (_, end) = end_of(&World::with_worker(), "tool Bash make it so");
    assert_eq!(end["changes"], Value::Null, "{end}");
}

#[test]
fn of_a_paid_answer_that_outlived_its_worker_it_is_on_record_too() {
    let world = with_repository();
    world.script("touch @ready; wait @go; tool Bash make it so; say done; result; touch @told; wait @never");
    let job = world.run(&["dispatch", "worker", "look", "--async"]).ok().stdout;
    world.appears("ready");
    signal_workers(&world, Signal::STOP);
    world.touch("go");
    world.appears("told");
    signal_workers(&world, Signal::KILL);
    world.run(&["wait", job.trim()]).ok();
    let end = records_of(&world, "finished").pop().unwrap()["end"].clone();
    assert_eq!((&end["success"], &end["recovered"]), (&json!(true), &json!(true)), "{end}");
    assert_eq!(end["changes"]["incomplete"], true, "{end}");
}
