//! What a run changed in the repository it worked in, without anybody waiting for git.

#![expect(clippy::disallowed_methods, reason = "a test works with git as a user does")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::real::until;
use crate::recording::{dispatch, records_of};
use crate::world::{SOON, World};

/// A home whose agent works in a repository, and whose git notes in the file `calls` what it was asked; one that is to be
/// slow says nothing for a minute.
pub(super) fn with_repository() -> World {
    let world = World::with_worker();
    let script = format!(
        "#!/bin/sh\n[ -e '{slow}' ] && exec sleep 60\n/usr/bin/git \"$@\"\ncode=$?\necho \"$*\" >> '{calls}'\nexit $code\n",
        slow = world.path("slow").display(),
        calls = world.path("calls").display(),
    );
    fs::write(world.path("bin/git"), script).unwrap();
    fs::set_permissions(world.path("bin/git"), fs::Permissions::from_mode(0o755)).unwrap();
    git(&world, &["init", "-q", "-b", "main"]);
    for name in ["tracked", "mine"] {
        fs::write(world.path("worker").join(name), "1").unwrap();
    }
    git(&world, &["add", "."]);
    git(&world, &["commit", "-qm", "first"]);
    fs::write(world.path("worker/mine"), "under way before the run").unwrap();
    world
}

pub(super) fn git(world: &World, arguments: &[&str]) -> String {
    let mut command = Command::new("/usr/bin/git");
    command.args(["-c", "user.name=T", "-c", "user.email=t@example.com"]).args(arguments);
    command.current_dir(world.path("worker")).env_clear().env("HOME", world.home());
    let done = command.output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Waits until git was asked so many questions of this kind.
#[track_caller]
pub(super) fn asked(world: &World, what: &str, times: usize) {
    let calls = || fs::read_to_string(world.path("calls")).unwrap_or_default();
    let enough = || (calls().lines().filter(|line| line.contains(what)).count() >= times).then_some(());
    assert!(until(SOON, enough).is_some(), "waited in vain for {times} times {what}: {}", calls());
}

#[test]
fn commits_and_files_of_a_run_are_in_its_record_and_its_result() {
    let world = with_repository();
    let before = git(&world, &["rev-parse", "HEAD"]);
    world.script("touch @ready; wait @go; tool Bash make it so; wait @seen; say done");
    let job = world.run(&["dispatch", "worker", "make it so", "--async"]).ok().stdout.trim().to_owned();
    world.appears("ready");
    asked(&world, " status ", 1);
    git(&world, &["checkout", "-qb", "fix"]);
    fs::write(world.path("worker/new file"), "1").unwrap();
    git(&world, &["add", "new file"]);
    git(&world, &["commit", "-qm", "second"]);
    fs::write(world.path("worker/tracked"), "2").unwrap();
    let head = git(&world, &["rev-parse", "HEAD"]);
    world.touch("go");
    // It looks again when a tool has returned, and a moment has passed since the last look.
    asked(&world, " diff ", 1);
    world.touch("seen");
    world.run(&["wait", &job]).ok();
    let changes = records_of(&world, "finished")[0]["end"]["changes"].clone();
    let want = json!({
        "repository": world.path("worker"),
        "branch_before": "main", "branch": "fix", "head_before": before, "head": head, "commits": [head],
        "files": ["new file", "tracked"], "files_total": 2, "incomplete": false,
    });
    assert_eq!(changes, want);
    let shown = world.run(&["job", &job, "--json"]).ok().json();
    assert_eq!(shown["result"]["files_changed"], json!(["new file", "tracked"]), "{shown}");
    assert_eq!(shown["result"]["commits"], json!([head]), "{shown}");
    let text = world.run(&["job", &job]).ok().stdout;
    let moved = format!("branch main → fix, HEAD {} → {}", &before[..12], &head[..12]);
    assert!(
        text.contains(&format!("changed       {moved}, 1 commit, 2 files: new file, tracked\n")),
        "{text}"
    );
    assert_eq!(git(&world, &["status", "--porcelain"]), "M mine\n M tracked", "nothing was added or locked");
}

#[test]
fn an_answer_does_not_wait_for_a_slow_git_and_says_that_more_may_have_changed() {
    let world = with_repository();
    world.touch("slow");
    world.script("tool Bash make it so; say done");
    let result = dispatch(&world, &["make it so"]);
    assert_eq!(
        (&result["result"], &result["changes_incomplete"]),
        (&json!("done"), &json!(true)),
        "{result}"
    );
    let finished = &records_of(&world, "finished")[0];
    assert_eq!(finished["end"]["changes"]["incomplete"], true, "{finished}");
    // It was not waited for: it would still be asleep, had it not been killed with the worker.
    let took = finished["time"].as_str().unwrap().to_owned();
    assert!(!world.path("calls").exists(), "{took}");
    let gone = until(Duration::from_secs(10), || {
        (!world.processes().iter().any(|(_, command)| command.contains("sleep"))).then_some(())
    });
    assert!(gone.is_some(), "{:?}", world.processes());
}

#[test]
fn a_run_that_only_reads_and_one_outside_of_a_repository_say_nothing_of_changes() {
    let world = with_repository();
    world.script("tool Read tracked; say done");
    dispatch(&world, &["read it"]);
    let elsewhere = World::with_worker();
    fs::write(
        elsewhere.path("bin/git"),
        format!("#!/bin/sh\ntouch '{}'\n", elsewhere.path("calls").display()),
    )
    .unwrap();
    fs::set_permissions(elsewhere.path("bin/git"), fs::Permissions::from_mode(0o755)).unwrap();
    elsewhere.script("tool Bash make it so; say done");
    dispatch(&elsewhere, &["make it so"]);
    for world in [&world, &elsewhere] {
        let finished = records_of(world, "finished");
        assert_eq!(finished[0]["end"]["changes"], Value::Null, "{finished:?}");
    }
    assert!(!elsewhere.path("calls").exists(), "git was asked where there is no repository");
}
