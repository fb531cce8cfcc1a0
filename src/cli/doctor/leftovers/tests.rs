//! What is said of what should be gone, and nothing of what should not.

use super::*;
use crate::cli::doctor::finding::Status;

fn server(pid: u32, daemon: bool, other: Option<&str>) -> Server {
    Server { pid, daemon, other: other.map(str::to_owned) }
}

/// Returns the findings that are not good: section and fix; all of them only warn.
fn bad(facts: &Facts) -> Vec<(&'static str, String)> {
    let found = check(facts).into_iter().filter(|found| found.status != Status::Ok);
    let found = found.inspect(|found| assert_eq!(found.status, Status::Warn));
    found.map(|found| (found.section, found.fix.unwrap())).collect()
}

#[test]
fn nothing_left_is_said_so() {
    let facts = Facts { servers: vec![server(1, false, None), server(2, true, None)], ..Facts::default() };
    let said: Vec<String> = check(&facts).into_iter().map(|found| found.message).collect();
    assert_eq!(said, ["1 session is served by this build", "none"]);
}

#[test]
fn other_builds_are_told_with_their_processes() {
    let servers = vec![
        server(1, false, None),
        server(2, false, Some("/old/agent-dispatch (deleted)")),
        server(3, false, Some("/other/agent-dispatch")),
        server(4, true, Some("/old/agent-dispatch (deleted)")),
    ];
    let facts = Facts { servers, ..Facts::default() };
    let want = [(SESSIONS, "kill 2 3".to_owned()), (SESSIONS, "agent-dispatch daemon stop".to_owned())];
    assert_eq!(bad(&facts), want);
}

#[test]
fn what_could_not_be_taken_in_is_told_with_the_file_that_holds_it() {
    let (runs, job) = (tempfile::tempdir().unwrap(), JobId::generate());
    RunFolder::create(runs.path(), job).unwrap();
    let kept = RunFolder::keep(runs.path(), job).unwrap();
    let facts = Facts { kept: vec![kept.clone()], ..Facts::default() };
    assert_eq!(bad(&facts), [(LEFTOVERS, format!("rm -r {}", shell::path(kept.path())))]);
    let told: Vec<String> = check(&facts).into_iter().flat_map(|found| found.details).collect();
    assert!(told.contains(&kept.stdout().display().to_string()), "{told:?}");
}

#[test]
fn only_what_belongs_to_no_living_dispatch_is_left_over() {
    let (alive, over) = (JobId::generate(), JobId::generate());
    let process = |pid, run| RunProcess { pid, command: "claude".to_owned(), run };
    let facts = Facts {
        processes: vec![process(5, alive), process(6, over), process(7, over)],
        folders: vec![(alive, "/runs/a".into()), (over, "/runs/b".into())],
        living: [alive].into(),
        set_aside: vec![("/state/store.corrupt-1".into(), 10)],
        ..Facts::default()
    };
    let want = [
        (LEFTOVERS, "kill -9 6 7".to_owned()),
        (LEFTOVERS, "agent-dispatch daemon stop && agent-dispatch gc".to_owned()),
        (LEFTOVERS, "rm -r /state/store.corrupt-1".to_owned()),
    ];
    assert_eq!(bad(&facts), want);
    let everything = Facts { living: [alive, over].into(), set_aside: Vec::new(), ..facts };
    assert_eq!(bad(&everything), []);
}
