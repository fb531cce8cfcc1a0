//! Which dispatch is named when it is asked who changed a file.

use crate::recording::repository::{asked, with_repository};

#[test]
fn a_dispatch_is_named_for_the_file_that_it_changed_and_for_no_other_of_that_name() {
    let world = with_repository();
    let agent = world.path("worker/svc");
    std::fs::create_dir_all(&agent).unwrap();
    world.run(&["add", "svc", agent.to_str().unwrap()]).ok();
    // It works in a part of the repository, and changes what lies at the top and in a new folder.
    let changing = "touch @worker/README.md; touch @worker/svc/gen/out";
    std::fs::create_dir_all(agent.join("gen")).unwrap();
    world.script(&format!("touch @ready; wait @go; {changing}; tool Bash make it so; wait @seen; say done"));
    let job = world.run(&["dispatch", "svc", "make it so", "--async"]).ok().stdout.trim().to_owned();
    world.appears("ready");
    asked(&world, " status ", 1);
    world.touch("go");
    asked(&world, " status ", 2);
    world.touch("seen");
    world.run(&["wait", &job]).ok();
    let blamed = |file: &str| {
        let path = world.path(file);
        let done = world.run(&["audit", "blame", path.to_str().unwrap(), "--json"]);
        (done.stdout.contains(&job), done.status, done.stderr.contains("may have changed"))
    };
    for file in ["worker/README.md", "worker/svc/gen/out"] {
        assert_eq!(blamed(file), (true, 0, false), "{file}");
    }
    for file in ["worker/svc/README.md", "README.md", "worker/gen/out"] {
        assert_eq!(blamed(file), (false, 1, false), "{file}");
    }
    // Another one, that is not seen to its end.
    world.touch("slow");
    world.script("tool Bash make it so; say done");
    world.run(&["dispatch", "svc", "and again"]).ok();
    for (file, perhaps) in [("worker/svc/README.md", true), ("README.md", false)] {
        assert_eq!(blamed(file), (false, 1, perhaps), "{file}");
    }
}
