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
fn what_is_no_number_is_told_in_words() {
    let world = World::with_worker();
    for (typed, told) in [
        (&["jobs", "-n", "x"][..], "expected a whole number from 1 to 1000"),
        (&["jobs", "-n", "0"], "expected a whole number from 1 to 1000"),
        (&["update", "worker", "--timeout", "abc"], "expected a whole number from 0 to 86400"),
        (&["test", "worker", "--timeout", "5"], "expected a whole number from 10 to 7200"),
        (&["wait", "12345678", "--timeout", "0"], "expected a whole number from 1 to 86400"),
        (&["stats", "--days", "-1"], "expected a whole number from 0 to 36500"),
        (&["audit", "--min-cost", "much"], "expected a number"),
        (&["gc", "--days", "x"], "expected a number"),
        (&["gc", "--days", "0"], "--days: 0.0 is not an age in days"),
    ] {
        let done = world.run(typed).exits(2);
        assert!(done.stderr.contains(told), "{typed:?}: {}", done.stderr);
    }
}

#[test]
fn what_does_not_exist_is_told_with_what_there_is() {
    let world = World::with_worker();
    world.run(&["dispatch", "worker", "one"]).ok();
    std::fs::write(world.path("list.json"), "[{\"agent\": \"worker\"").unwrap();
    for (typed, code, told) in [
        (&["remove", "nobody"][..], 1, "there is no agent `nobody`: there is only `worker`"),
        (&["dispatch", "nobody", "x"], 4, "there is no agent `nobody`: there is only `worker`"),
        (&["dispatch", "nobody", "x"], 4, "`agent-dispatch list`"),
        (&["dispatch", "worker", "x", "--group", "g"], 4, "`agent-dispatch group list`"),
        (
            &["audit", "--event", "foo"],
            2,
            "there is no event `foo`\nhint: Use one of: requested, refused, hit,",
        ),
        (&["audit", "show", "x"], 2, "agent-dispatch audit --dispatches"),
        (&["audit", "diff", "00000000", "x"], 1, "agent-dispatch audit --dispatches"),
        (&["job", "x"], 2, "agent-dispatch jobs"),
        (&["dispatch", "--parallel", "list.json"], 2, "list.json: `dispatches` is not JSON"),
        (
            &["audit", "report", "--html", "/no/such/x.html"],
            2,
            "written: No such file or directory (os error 2)\n",
        ),
        (&["dispatch", "worker", "x", "--session", "0000000f"], 1, "agent-dispatch sessions"),
        (&["dispatch", "worker", "x", "--session", "zz"], 2, "expected a UUID"),
    ] {
        let done = world.run(typed).exits(code);
        assert!(done.stderr.contains(told), "{typed:?}: {}", done.stderr);
    }
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

#[test]
fn an_answer_that_was_not_given_is_told_beside() {
    let world = World::with_worker();
    world.script("error 500 broken");
    let job = world.run(&["dispatch", "worker", "one", "--json"]).exits(1).json();
    let done = world.run(&["audit", "show", job["job_id"].as_str().unwrap(), "--result"]).ok();
    assert_eq!(done.stdout, "");
    assert!(done.stderr.starts_with("It gave no answer: API Error: 500"), "{}", done.stderr);
}

#[test]
fn an_agent_that_is_not_there_is_told_in_the_same_words_everywhere() {
    let world = World::with_worker();
    world.agent("web");
    let said = "there is no agent `wroker` (did you mean `worker`?): there are `worker`, `web`\n";
    for (typed, code) in [
        (&["describe", "wroker"][..], 1),
        (&["update", "wroker", "--timeout", "5"], 1),
        (&["remove", "wroker"], 1),
        (&["group", "add", "shop", "--member", "wroker"], 1),
        (&["dispatch", "wroker", "x"], 4),
        (&["test", "wroker"], 4),
    ] {
        let told = world.run(typed).exits(code).stderr;
        assert!(told.starts_with(&format!("error: {said}hint: `agent-dispatch list`")), "{typed:?}: {told}");
    }
    // Of what is over, records may be left.
    for (typed, code) in
        [(&["jobs", "--agent", "wroker", "--status", "done"][..], 0), (&["sessions", "--agent", "wroker"], 0)]
    {
        let told = world.run(typed).exits(code).stderr;
        assert!(told.ends_with(&format!("note: {said}")), "{typed:?}: {told}");
    }
    let told = world.run(&["audit", "--agent", "wroker", "--event", "gap"]).exits(1).stderr;
    assert!(told.contains(&format!("note: {said}")), "{told}");
    assert!(!world.run(&["jobs", "--agent", "web"]).ok().stderr.contains("note:"));
}
