//! What somebody has changed behind the program's back: told where it is shown, and not served again.

use std::path::{Path, PathBuf};

use agent_dispatch::config::paths::StatePaths;
use agent_dispatch::model::{Answer, JobId};
use agent_dispatch::store::{Store, keys, schema};
use serde_json::json;

use super::dispatch;
use crate::client::Home;
use crate::scene::on_runtime;
use crate::world::{Done, World};

/// Tells a copy of this program whose answer to change, and where.
const PART: &str = "AGENT_DISPATCH_TEST_CHANGE";

#[test]
fn another_process_changes_an_answer() {
    // Run among the other tests there is no part to play, and nothing to test.
    let Some(part) = std::env::var_os(PART) else { return };
    let (state, job): (PathBuf, JobId) = serde_json::from_str(part.to_str().unwrap()).unwrap();
    let paths = StatePaths::new(state, None);
    let store = Store::open(&paths.store(), &paths.heads()).unwrap();
    let forged = schema::encode(&Answer { text: "all is well".to_owned(), parsed: None }).unwrap();
    on_runtime(async {
        let change = move |txn: &mut agent_dispatch::store::Txn<'_>| {
            txn.put(keys::answer(job), forged);
            Ok(())
        };
        store.commit(change).await.unwrap();
    });
    store.stop();
}

/// Changes the answer of a job in the store of a home whose daemon has gone.
fn change_answer(home: &Path, job: &str) {
    let state = home.join(".local/state/agent-dispatch");
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "recording::changed::another_process_changes_an_answer", "--test-threads=1"])
        .env_clear()
        .env(PART, json!([state, job]).to_string());
    Done::of(command).ok();
}

#[test]
fn an_answer_that_was_changed_is_told_where_it_is_shown_and_is_not_served_again() {
    let world = World::with_worker();
    world.script("count-starts @starts; say the disk is failing");
    let starts = || std::fs::read_to_string(world.path("starts")).unwrap().lines().count();
    let asked = ["is it well?"];
    let job = dispatch(&world, &asked)["job_id"].as_str().unwrap().to_owned();
    assert_eq!((dispatch(&world, &asked)["cached"].clone(), starts()), (json!(true), 1));
    let show = |more: &[&str]| world.run(&[&["audit", "show", &job], more].concat()).ok();
    let whole = show(&[]);
    assert!(!whole.stderr.contains("warning"), "{whole:?}");
    assert_eq!(show(&["--json"]).json().get("differs"), None);

    world.run(&["daemon", "stop"]).ok();
    change_answer(Path::new(&world.home()), &job);
    let warning = "warning: the stored answer is not what was recorded\n";
    for part in [&[][..], &["--result"]] {
        let told = show(part);
        assert!(told.stdout.contains("all is well") && told.stderr.contains(warning), "{told:?}");
    }
    assert_eq!(show(&["--json"]).json()["differs"], json!(["answer"]));
    let again = dispatch(&world, &asked);
    assert_eq!((&again["result"], starts()), (&json!("the disk is failing"), 2), "{again}");
}

#[test]
fn a_session_is_told_of_a_changed_answer_too() {
    let home = Home::new();
    let asked = json!({"agent": "worker", "task": "fake: say the disk is failing"});
    let job = home.client().document("dispatch", &asked)["job_id"].as_str().unwrap().to_owned();
    let show = || home.client().document("audit_show", &json!({"id": job}));
    assert_eq!(show().get("differs"), None);
    home.stop_daemon();
    change_answer(home.root(), &job);
    assert_eq!(show()["differs"], json!(["answer"]));
}
