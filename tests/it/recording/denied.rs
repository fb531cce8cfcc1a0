//! What a run was not permitted, also when it never came to its end: known, or said not to be.

use serde_json::{Value, json};

use crate::recording::records_of;
use crate::world::World;

/// Returns what is recorded of a run without a result line, and its job.
fn ended_early(script: &str) -> (World, Value, String) {
    let world = World::with_worker();
    world.script(&format!("{script}; no-result; exit 1"));
    let failed = world.run(&["dispatch", "worker", "look", "--json"]).exits(1).json();
    let end = records_of(&world, "finished")[0]["end"].clone();
    assert_eq!(failed["denied_unknown"], end["denied_unknown"], "{failed}");
    let job = failed["job_id"].as_str().expect("it has one").to_owned();
    (world, end, job)
}

#[test]
fn what_was_denied_is_known_of_a_run_that_told_it_at_once() {
    let (world, end, job) = ended_early("deny-aloud Write; tool Read a.txt");
    assert_eq!((&end["denied_tools"], &end["denied_unknown"]), (&json!(["Write"]), &Value::Null), "{end}");
    let shown = world.run(&["audit", "show", &job, "--tools"]).ok();
    assert!(shown.stdout.contains("denied") && !shown.stderr.contains("not known"), "{shown:?}");
    let found = world.run(&["audit", "--denied", "--json"]).ok().json();
    assert_eq!(found[0]["dispatch"], json!(job));
}

#[test]
fn what_was_denied_is_said_to_be_unknown_of_a_run_that_would_have_told_it_in_the_end() {
    let (world, end, job) = ended_early("deny Write; tool Read a.txt");
    assert_eq!((&end["denied_tools"], &end["denied_unknown"]), (&Value::Null, &json!(true)), "{end}");
    let shown = world.run(&["audit", "show", &job, "--tools"]).ok();
    assert!(shown.stderr.contains("Whether it was denied any is not known"), "{shown:?}");
    let told = world.run(&["audit", "show", &job, "--tools", "--json"]).ok().json();
    assert_eq!((&told["denied_tools"], &told["denied_unknown"]), (&json!([]), &json!(true)), "{told}");
    let told = world.run(&["job", &job]).ok().stdout;
    assert!(told.contains("denied        not known: it was stopped"), "{told}");
}

#[test]
fn nothing_was_denied_to_a_run_none_of_whose_calls_failed() {
    let (_world, end, _) = ended_early("tool Read a.txt");
    assert_eq!((&end["denied_tools"], &end["denied_unknown"]), (&Value::Null, &Value::Null), "{end}");
}
