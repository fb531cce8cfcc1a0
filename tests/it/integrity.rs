//! The trail from outside: checks and anchors, the old end that goes on request, a head file that is put back, and a disk
//! that is full.

#![expect(clippy::disallowed_methods, reason = "the program is started under a limit, and git beside it")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::world::{Done, World};

/// An age so short that everything that has ended is older.
const ANY: &str = "0.00000001";

fn state(world: &World) -> PathBuf {
    world.home().join(".local/state/agent-dispatch")
}

fn verified(world: &World, code: i32) -> Value {
    world.run(&["audit", "verify", "--json"]).exits(code).json()
}

/// Returns a home in which this many different tasks were done.
fn after(tasks: usize) -> World {
    let world = World::with_worker();
    world.script("say well");
    for number in 0..tasks {
        world.run(&["dispatch", "worker", &format!("task {number}")]).ok();
    }
    world
}

#[test]
fn an_anchor_is_printed_noted_in_a_repository_and_proves_the_trail_later() {
    let world = World::with_worker();
    let none = world.run(&["audit", "anchor"]).exits(1);
    assert!(none.stderr.contains("there is no audit record yet"), "{none:?}");
    world.script("say well");
    world.run(&["dispatch", "worker", "one"]).ok();
    let printed = world.run(&["audit", "anchor"]).ok().stdout;
    let (anchor, time) = printed.trim_end().split_once(' ').unwrap();
    let newest = world.run(&["audit", "-n", "1", "--json"]).ok().json()[0].clone();
    assert_eq!(anchor, format!("3:{}", newest["hash"].as_str().unwrap()));
    assert_eq!(time, newest["time"]);
    let told = world.run(&["audit", "anchor", "--json"]).ok().json();
    assert_eq!((&told["anchor"], &told["seq"], &told["time"]), (&json!(anchor), &json!(3), &json!(time)));

    world.run(&["dispatch", "worker", "two"]).ok();
    // As it was printed, with its time.
    let proven = world.run(&["audit", "verify", "--from-anchor", printed.trim_end()]).ok().stdout;
    assert!(proven.contains("\nrecords       3\nfirst         4\n"), "{proven}");
    assert!(proven.contains("\nanchor        record 3 is the one that was anchored\n"), "{proven}");
    let other = format!("3:{}", "ab".repeat(32));
    let broken = world.run(&["audit", "verify", "--from-anchor", &other]).exits(1);
    assert!(broken.stderr.contains("record 3 is not the record that the anchor names"), "{broken:?}");
    let beyond = format!("30:{}", "ab".repeat(32));
    let incomplete = world.run(&["audit", "verify", "--from-anchor", &beyond]).exits(2);
    assert!(incomplete.stdout.starts_with("audit trail   INCOMPLETE\n"), "{incomplete:?}");
    for wrong in ["3", "3:ab", "0:", "x:y"] {
        world.run(&["audit", "verify", "--from-anchor", wrong]).exits(2);
    }
    // Whoever asks with a wrong anchor does not make the trail say that it is broken.
    assert_eq!(verified(&world, 0)["records"], 6);
}

#[test]
fn an_anchor_becomes_a_note_at_the_commit_that_is_checked_out() {
    let world = after(1);
    let repository = world.path("repository");
    fs::create_dir_all(&repository).unwrap();
    let into = |path: &str| world.run(&["audit", "anchor", "--git-note", path]);
    let refused = into("repository").exits(1);
    assert!(refused.stderr.contains("the note was not added in repository: "), "{refused:?}");
    into("nowhere").exits(1);
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(&repository).env_clear().envs(world.environment());
        Done::of(command).ok().stdout
    };
    git(&["init", "-q"]);
    git(&["config", "user.name", "a test"]);
    git(&["config", "user.email", "test@example.invalid"]);
    git(&["commit", "-q", "--allow-empty", "-m", "a commit"]);
    let anchor = into("repository").ok().stdout;
    world.run(&["dispatch", "worker", "another"]).ok();
    let later = into("repository").ok().stdout;
    let notes = git(&["notes", "--ref=agent-dispatch", "show", "HEAD"]);
    let lines: Vec<&str> = notes.lines().filter(|line| !line.is_empty()).collect();
    let expected = [&anchor, &later].map(|line| format!("agent-dispatch audit anchor {}", line.trim_end()));
    assert_eq!(lines, expected);
}

#[test]
fn a_fault_is_recorded_once_and_every_check_tells_of_it_from_then_on() {
    let world = after(1);
    let heads = state(&world).join("audit-heads.log");
    let whole = fs::read_to_string(&heads).unwrap();
    // The file is put back while the daemon runs.
    let first = whole.lines().next().unwrap();
    fs::write(&heads, format!("{first}\n")).unwrap();
    let report = verified(&world, 1);
    assert_eq!((&report["faults"][0]["kind"], &report["faults"][0]["seq"]), (&json!("behind"), &json!(1)));
    let newest = world.run(&["audit", "-n", "1", "--json"]).ok().json()[0].clone();
    assert_eq!((&newest["seq"], &newest["event"]), (&json!(4), &json!("verify_failed")), "{newest}");
    assert_eq!(newest["details"], json!({"kind": "behind", "seq": "1"}));
    // The file has grown again, with what was recorded; the trail has not forgotten.
    for _ in 0..2 {
        let report = verified(&world, 2);
        assert_eq!(
            (&report["records"], report["notes"].as_array().unwrap().len()),
            (&json!(4), 1),
            "{report}"
        );
    }
}

#[test]
fn a_head_file_that_was_put_back_while_no_daemon_ran_is_told() {
    let world = after(2);
    world.run(&["daemon", "stop"]).ok();
    let heads = state(&world).join("audit-heads.log");
    let whole = fs::read_to_string(&heads).unwrap();
    let first = whole.lines().next().unwrap();
    fs::write(&heads, format!("{first}\n")).unwrap();
    let report = verified(&world, 2);
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.starts_with("record 7: the head file ends with number 1, the store with 6"), "{note}");
    // It was nothing that is wrong with the records.
    assert_eq!(report["faults"], json!([]));
}

#[test]
fn old_records_go_on_request_only_and_the_rest_stays_whole() {
    let world = after(3);
    assert_eq!(verified(&world, 0)["records"], 9);
    let kept = world.run(&["gc", "--days", "1", "--audit-days", "1"]).ok().stdout;
    assert_eq!(kept, "nothing to remove\nno audit record is that old\n");
    world.run(&["gc", "--all"]).ok();
    assert_eq!(verified(&world, 0)["first"], 1);

    let before = verified(&world, 0)["records"].as_u64().unwrap();
    let dry = world.run(&["gc", "--audit-days", ANY, "--dry-run", "--json"]).ok().json();
    let last = dry["audit"]["last"].as_u64().unwrap();
    assert_eq!((&dry["audit"]["removed"], &dry["audit"]["would_remove"]), (&json!(0), &json!(last)));
    assert_eq!(verified(&world, 0)["records"], before);
    // A gc without anything to remove makes a record, too.
    let told = world.run(&["gc", "--audit-days", ANY]).ok().stdout;
    assert!(
        told.starts_with(&format!("removed {} audit records: 1 to {}, of ", last + 1, last + 1)),
        "{told}"
    );

    let text = world.run(&["audit", "verify"]).ok().stdout;
    let expected = format!("\nkept          from {} (older removed on 20", last + 2);
    assert!(text.contains(&expected) && text.contains(" by cli in "), "{text}");
    let newest = world.run(&["audit", "-n", "1", "--json"]).ok().json()[0].clone();
    assert_eq!((&newest["event"], &newest["details"]["first"]), (&json!("retention"), &json!("1")));
    assert_eq!(newest["caller"]["client"], "cli");
    // It goes on from there, also in the next life of the daemon.
    world.run(&["daemon", "stop"]).ok();
    world.run(&["dispatch", "worker", "another"]).ok();
    assert_eq!(verified(&world, 0)["kept"]["last"], last + 1);
    for days in ["0", "-1", "nan", "soon"] {
        world.run(&["gc", "--audit-days", days]).exits(2);
    }
}

#[test]
fn a_clean_up_that_is_recorded_leaves_a_whole_trail() {
    let world = after(3);
    let running = {
        world.script("touch @there; wait @go; say slowly");
        world.run(&["dispatch", "worker", "slow", "--async"]).ok().stdout.trim_end().to_owned()
    };
    world.appears("there");
    assert_eq!(verified(&world, 0)["jobs"], 4);
    world.run(&["gc", "--all", "-q"]).ok();
    let report = verified(&world, 0);
    assert_eq!((&report["jobs"], &report["remarks"]), (&json!(1), &json!([])));
    world.touch("go");
    world.run(&["wait", &running]).ok();
    world.run(&["gc", "--days", ANY, "-q"]).ok();
    assert_eq!(verified(&world, 0)["jobs"], 0);
}

#[test]
fn a_dispatch_is_refused_when_the_disk_is_full_and_the_trail_stays_whole() {
    let world = after(1);
    world.run(&["daemon", "stop"]).ok();
    // No file of anything that is started from here may grow beyond this: writing fails as on a full disk.
    let blocks = 1300 * 1024 / 512;
    let limited = |arguments: &[&str]| {
        let mut command = Command::new("/bin/sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, crate::scene::PROGRAM]).args(arguments).stdin(Stdio::null());
        command.current_dir(world.home()).env_clear().envs(world.environment());
        Done::of(command)
    };
    world.script("flood 60000");
    let mut answered = 1;
    let full = loop {
        let done = limited(&["dispatch", "worker", &format!("large {answered}")]);
        if done.status != 0 {
            break done;
        }
        answered += 1;
        assert!(answered < 200, "the disk is never full");
    };
    assert_eq!(full.status, 5, "{full:?}");
    assert!(answered > 1, "nothing was written in the middle of which it could fail");
    // From now on none runs.
    world.script("touch @ran; say well");
    let refused = limited(&["dispatch", "worker", "one more"]).exits(5);
    assert!(refused.stderr.starts_with("error: "), "{refused:?}");
    assert!(!world.path("ran").exists(), "it ran without a record");

    // When there is room again, all that was answered is there, and nothing is missing or wrong.
    let report = verified(&world, 0);
    assert!(report["records"].as_u64().unwrap() >= 3 * answered, "{report}");
    let done = world.run(&["jobs", "--status", "done", "-n", "1000", "--json"]).ok().json();
    assert!(done.as_array().unwrap().len() as u64 >= answered);
    // A run that had ended without room for its answer brings it now.
    let unheard = world.run(&["jobs", "--status", "running", "--json"]).ok().json();
    for job in unheard.as_array().unwrap() {
        world.run(&["wait", job["id"].as_str().unwrap()]).ok();
    }
    assert_eq!(world.run(&["dispatch", "worker", "one more"]).ok().stdout, "well\n");
    verified(&world, 0);
}
