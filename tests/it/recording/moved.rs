//! What a run changed by going elsewhere in the history of its repository.

use std::fs;

use serde_json::{Value, json};

use crate::recording::records_of;
use crate::recording::repository::{asked, git, with_repository};
use crate::world::World;

/// Dispatches a run that does this to its repository, and returns its job and what its record says that changed.
fn changes_of(world: &World, question: &str, deed: impl FnOnce()) -> (String, Value) {
    world.script("touch @ready; wait @go; tool Bash make it so; wait @seen; say done");
    let job = world.run(&["dispatch", "worker", "make it so", "--async"]).ok().stdout.trim().to_owned();
    world.appears("ready");
    asked(world, " status ", 1);
    deed();
    world.touch("go");
    asked(world, question, 1);
    world.touch("seen");
    world.run(&["wait", &job]).ok();
    (job, records_of(world, "finished")[0]["end"]["changes"].clone())
}

#[test]
fn a_run_that_goes_back_to_an_older_commit_has_changed_what_differs() {
    let world = with_repository();
    let old = git(&world, &["rev-parse", "HEAD"]);
    fs::write(world.path("worker/tracked"), "2").unwrap();
    git(&world, &["commit", "-qam", "second"]);
    let new = git(&world, &["rev-parse", "HEAD"]);
    let (job, changes) = changes_of(&world, " diff ", || {
        git(&world, &["reset", "-q", "--hard", &old]);
    });
    let want = json!({
        "repository": world.path("worker"), "branch_before": "main", "branch": "main",
        "head_before": new, "head": old, "commits": [],
        "files": ["mine", "tracked"], "files_total": 2, "incomplete": false,
    });
    assert_eq!(changes, want);
    let shown = world.run(&["audit", "show", &job]).ok().stdout;
    let moved = format!("changed       HEAD {} → {}, 2 files: mine, tracked\n", &new[..12], &old[..12]);
    assert!(shown.contains(&moved), "{shown}");
}

#[test]
fn a_commit_on_another_branch_is_on_record_also_when_the_run_came_back_from_there() {
    let world = with_repository();
    let home = git(&world, &["rev-parse", "HEAD"]);
    let mut away = String::new();
    let (job, changes) = changes_of(&world, " log ", || {
        git(&world, &["checkout", "-qb", "fix"]);
        fs::write(world.path("worker/new file"), "1").unwrap();
        git(&world, &["add", "new file"]);
        git(&world, &["commit", "-qm", "second"]);
        away = git(&world, &["rev-parse", "HEAD"]);
        git(&world, &["checkout", "-q", "main"]);
    });
    let want = json!({
        "repository": world.path("worker"), "branch_before": "main", "branch": "main",
        "head_before": home, "head": home, "commits": [away],
        "files": ["new file"], "files_total": 1, "incomplete": false,
    });
    assert_eq!(changes, want);
    let shown = world.run(&["job", &job]).ok().stdout;
    assert!(shown.contains("changed       1 commit, 1 file: new file\n"), "{shown}");
}
