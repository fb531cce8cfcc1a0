//! Readers that have seen enough: whoever writes for them stops, and calls it no error.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::real::until;
use crate::world::{Done, SOON, World};

/// Lets a command print its first line, and reads no further.
fn first_line(mut command: Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line)
}

/// Returns the exit code of a program that must end by itself.
#[track_caller]
fn ends(mut child: Child) -> Option<i32> {
    let status = until(SOON, || child.try_wait().unwrap());
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    status.expect("it ends").code()
}

#[test]
fn a_follower_of_the_trail_ends_with_its_reader() {
    let world = World::with_worker();
    world.run(&["dispatch", "worker", "look"]).ok();
    let (child, line) = first_line(world.agent_dispatch(&["audit", "--follow", "-n", "1"]));
    assert!(line.contains("finished"), "{line}");
    world.run(&["dispatch", "worker", "look again"]).ok();
    assert_eq!(ends(child), Some(0));
}

#[test]
fn a_follower_of_a_job_ends_with_its_reader_and_the_job_goes_on() {
    let world = World::with_worker();
    world.script("tool Bash first-step; touch @first; wait @go; tool Bash last-step; hang");
    let job = super::start(&world, "take your time");
    world.appears("first");
    let (child, line) = first_line(world.agent_dispatch(&["tail", &job]));
    assert_eq!(line, "Bash first-step\n");
    world.touch("go");
    assert_eq!(ends(child), Some(0));
    assert_eq!(world.run(&["job", &job, "--json"]).ok().json()["status"], "running");
    world.run(&["cancel", &job]).ok();
    world.run(&["wait", &job]).exits(1);
}

#[test]
fn an_export_that_nobody_reads_is_no_error_unless_a_cursor_was_to_be_moved() {
    let world = World::with_worker();
    world.run(&["dispatch", "worker", "look"]).ok();
    let unread = |arguments: &[&str]| {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut command = world.agent_dispatch(&[&["audit"], arguments].concat());
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for arguments in [&["export"][..], &["--output", "jsonl"], &["--follow"]] {
        assert_eq!(unread(arguments), (Some(0), String::new()), "{arguments:?}");
    }
    let cursor = world.path("cursor").display().to_string();
    let (code, said) = unread(&["export", "--cursor", &cursor]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("no cursor was moved") && !world.path("cursor").exists(), "{said}");
    let mut whole = world.agent_dispatch(&["audit", "export", "--cursor", &cursor]);
    whole.stdin(Stdio::null());
    assert_eq!(Done::of(whole).ok().stdout.lines().count(), 4);
}
