//! What a stranger types: mistakes are told in words, with what to type next, and what is shown can be typed again.

use serde_json::json;

use crate::world::World;

#[test]
fn help_is_there_under_the_name_that_people_try() {
    let world = World::new();
    for (tried, known) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "dispatch"], &["dispatch", "--help"]),
        (&["help", "audit", "show"], &["audit", "show", "--help"]),
    ] {
        assert_eq!(world.run(tried).ok().stdout, world.run(known).ok().stdout, "{tried:?}");
    }
    assert!(world.run(&["help", "dispach"]).exits(2).stderr.contains("'dispatch'"));
}

#[test]
fn the_beginning_of_a_conversations_id_is_enough_to_go_on_with_it() {
    let world = World::with_worker();
    let first = world.run(&["dispatch", "worker", "one", "--json"]).ok().json();
    let id = first["session_id"].as_str().unwrap();
    let planned = world.run(&["dispatch", "worker", "two", "--session", &id[..8], "--plan"]);
    planned.ok();
    let second = world.run(&["dispatch", "worker", "two", "--session", &id[..8], "--json"]).ok().json();
    assert_eq!(second["session_id"], json!(id));
    // A program reads whole ids.
    assert!(world.run(&["sessions"]).ok().stdout.contains(id));
}

#[test]
fn no_line_of_what_is_shown_ends_in_blanks() {
    let world = World::with_worker();
    let job = world.run(&["dispatch", "worker", "one", "--context", "a\n\nb", "--json"]).ok().json();
    let job = job["job_id"].as_str().unwrap();
    world.run(&["cache", "clear"]).ok();
    let last = world.run(&["audit", "-n", "1", "--json"]).ok().json()[0]["seq"].to_string();
    for typed in [&["job", job][..], &["audit", "show", job], &["audit", "show", &last]] {
        let shown = world.run(typed).ok().stdout;
        let blank: Vec<&str> = shown.lines().filter(|line| line.ends_with(' ')).collect();
        assert!(blank.is_empty(), "{typed:?}: {blank:?}");
    }
}
