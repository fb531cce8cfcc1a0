//! A state directory that holds a trail for review: nothing is changed where nothing is recorded.

use std::fs;

use crate::world::{Done, World};

#[test]
fn the_configuration_is_not_changed_where_a_trail_lies_for_review() {
    let world = World::with_worker();
    world.script("say so");
    world.run(&["dispatch", "worker", "look"]).ok();
    let file = world.path("trail.jsonl");
    fs::write(&file, world.run(&["audit", "export"]).ok().stdout).unwrap();
    let reviewed = world.path("review");
    let there = |arguments: &[&str]| {
        let mut command = world.agent_dispatch(arguments);
        command.env("AGENT_DISPATCH_STATE_DIR", &reviewed);
        Done::of(command)
    };
    there(&["audit", "import", file.to_str().unwrap()]).ok();
    let before = fs::read(world.config_file()).unwrap();
    for edit in [
        &["update", "worker", "--timeout", "60"][..],
        &["add", "other", world.path("worker").to_str().unwrap()],
        &["remove", "worker"],
        &["settings", "set", "max_concurrency", "3"],
        &["group", "add", "all", "--member", "worker"],
    ] {
        let refused = there(edit).exits(1);
        assert_eq!(fs::read(world.config_file()).unwrap(), before, "{edit:?}");
        let (errors, hints) =
            (refused.stderr.matches("error: ").count(), refused.stderr.matches("hint: ").count());
        assert_eq!((errors, hints), (1, 1), "{refused:?}");
        assert!(
            refused.stderr.contains("audit trail for review, imported from ")
                && refused.stderr.contains("nothing was changed")
                && refused.stderr.contains("hint: Name the state directory")
                && refused.stderr.contains("AGENT_DISPATCH_STATE_DIR="),
            "{refused:?}"
        );
    }
    for asked in [&["dispatch", "worker", "a task"][..], &["dispatch", "worker", "a task", "--plan"]] {
        let refused = there(asked).exits(1);
        assert!(refused.stderr.contains("audit trail for review, imported from "), "{refused:?}");
    }
    // What passed in the records is found where their key is.
    world.run(&["audit", "hash", "look"]).ok();
    let unknown = there(&["audit", "hash", "look", "--json"]).exits(1).json()["unknown"].clone();
    assert!(unknown.as_str().unwrap().contains("the key of the store that it came from"), "{unknown}");
    there(&["daemon", "stop"]).ok();
    // Where dispatches are recorded, it is changed.
    world.run(&["update", "worker", "--timeout", "60"]).ok();
}
