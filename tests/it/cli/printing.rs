//! What is printed: nothing forged, nothing coloured, and no harm when nobody reads on.

use std::fs;
use std::process::Command;

use crate::world::World;

/// What a task, an answer or a description could hold to deceive whoever reads.
const EVIL: &str =
    "fine\u{1b}[2K\u{1b}[1A\rjob           forged\u{9b}31m\u{7}\nstatus        forged\n\u{202e}drowssap";

fn is_harmless(text: &str) -> bool {
    !text.chars().any(|char| char != '\n' && (char.is_control() || char == '\u{202e}'))
}

/// Runs `command` with a standard output that nobody reads.
fn unread(mut command: Command) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn nothing_foreign_can_forge_a_line_or_steer_a_terminal() {
    let world = World::new();
    let directory = world.agent("worker");
    fs::write(directory.join("CLAUDE.md"), format!("{EVIL}\n")).unwrap();
    fs::write(world.path("script"), format!("say {}", EVIL.replace('\n', "\\n"))).unwrap();
    world.script(&fs::read_to_string(world.path("script")).unwrap());
    let task = format!("look {EVIL}");
    let answered = world.run(&["dispatch", "worker", &task, "--caller", EVIL, "--json"]).ok();
    assert!(is_harmless(&answered.stdout), "{:?}", answered.stdout);
    assert!(answered.json()["result"].as_str().unwrap().contains("\u{1b}[2K"), "it was lost");
    let id = answered.json()["job_id"].as_str().unwrap().to_owned();
    world.run(&["dispatch", EVIL, "look"]).exits(2);
    for command in [
        &["list"][..],
        &["describe", "worker"],
        &["jobs"],
        &["job", &id],
        &["audit"],
        &["audit", "show", &id],
        &["audit", "show", "1"],
        &["jobs", "--json"],
        &["job", &id, "--json"],
        &["audit", "show", &id, "--json"],
    ] {
        let done = world.run(command).ok();
        assert!(is_harmless(&done.stdout) && is_harmless(&done.stderr), "{command:?}: {:?}", done.stdout);
        let forged =
            |line: &str| line.starts_with("status        forged") || line.starts_with("job           forged");
        assert!(!done.stdout.lines().any(forged), "{command:?}: {}", done.stdout);
    }
    for refused in [&["job", EVIL][..], &["describe", EVIL], &["remove", EVIL], &["audit", "--since", EVIL]] {
        let done = world.run(refused);
        assert_ne!(done.status, 0, "{refused:?}");
        assert!(is_harmless(&done.stderr), "{refused:?}: {:?}", done.stderr);
        let forged = |line: &str| line.starts_with("status        forged");
        assert!(!done.stderr.lines().any(forged), "{refused:?}: {}", done.stderr);
    }
}

#[test]
fn a_program_gets_the_answer_as_it_is() {
    let world = World::with_worker();
    world.script("say red \u{1b}[31mtext");
    let answer = world.run(&["dispatch", "worker", "colour it"]).ok().stdout;
    assert_eq!(answer, "red \u{1b}[31mtext\n");
}

#[test]
fn nobody_reading_is_no_error() {
    let world = World::with_worker();
    world.script("flood 1_000_000");
    let answer = unread(world.agent_dispatch(&["dispatch", "worker", "flood me", "--json"]));
    assert_eq!(answer, (Some(0), String::new()));
    for command in
        [&["list"][..], &["jobs"], &["audit"], &["--help"], &["list", "--json"], &["audit", "verify"]]
    {
        assert_eq!(unread(world.agent_dispatch(command)), (Some(0), String::new()), "{command:?}");
    }
}
