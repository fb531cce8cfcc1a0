//! The trail taken elsewhere: exported whole or by a cursor, checked by the standalone verifier, imported for review.

#![expect(clippy::disallowed_methods, reason = "tests start the program in an environment of their choice")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use agent_dispatch::audit::chain::{Head, Link};
use agent_dispatch::audit::export::Writer;
use agent_dispatch::model::Timestamp;
use serde_json::{Value, json};

use crate::world::{Done, World};

/// A home whose trail has a dozen records, one of them with what a spreadsheet would compute.
fn world() -> World {
    let world = World::with_worker();
    world.script("say well");
    for task in ["=1+1, \"please\"", "two\nlines", "three"] {
        world.run(&["dispatch", "worker", task]).ok();
    }
    world.run(&["dispatch", "worker", "three"]).ok();
    world.run(&["dispatch", "nobody", "four"]).exits(4);
    world
}

/// Exports the whole trail into a file of this name.
fn exported(world: &World, name: &str) -> (PathBuf, String) {
    let file = world.path(name);
    let done = world.run(&["audit", "export", "--out", file.to_str().unwrap()]).ok();
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    let text = fs::read_to_string(&file).unwrap();
    (file, text)
}

fn verify(arguments: &[&str], file: &Path) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verify-export"));
    command.args(arguments).arg(file);
    Done::of(command)
}

/// Returns how the standalone verifier and the importer judge this text; the import goes into a store of its own, which must
/// stay empty.
fn judged(world: &World, text: impl AsRef<[u8]>) -> (i32, String) {
    let file = world.path("tampered.jsonl");
    fs::write(&file, text).unwrap();
    let verified = verify(&[], &file);
    let mut import = world.agent_dispatch(&["audit", "import", file.to_str().unwrap()]);
    import.env("AGENT_DISPATCH_STATE_DIR", world.path("never"));
    let imported = Done::of(import);
    assert!(imported.status == 1 || imported.status == 2, "{imported:?}");
    assert!(!world.path("never").exists(), "{imported:?}");
    (verified.status, verified.stdout)
}

#[test]
fn an_export_holds_every_record_as_it_is_stored_and_is_checked_without_the_store() {
    let world = world();
    let (file, text) = exported(&world, "trail.jsonl");
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let manifest = lines.pop().unwrap()["manifest"].clone();
    let listed = world.run(&["audit", "-n", "1000", "--json"]).ok().json();
    let listed: Vec<&Value> = listed.as_array().unwrap().iter().rev().collect();
    assert_eq!(lines.len(), listed.len());
    for (line, record) in lines.iter().zip(listed) {
        let mut body: Value = serde_json::from_str(line["body"].as_str().unwrap()).unwrap();
        body["seq"] = line["seq"].clone();
        body["hash"] = line["hash"].clone();
        assert_eq!(&body, record);
    }
    let last = lines.last().unwrap();
    assert_eq!(manifest["format"], "agent-dispatch audit export v1");
    assert_eq!((&manifest["first"], &manifest["last"]), (&json!(1), &last["seq"]));
    assert_eq!((&manifest["records"], &manifest["hash"]), (&json!(lines.len()), &last["hash"]));
    assert_eq!(manifest["prev"], "0".repeat(64));

    let done = verify(&[], &file).ok();
    assert!(done.stdout.starts_with("export   whole\n"), "{done:?}");
    let anchor = format!("{}:{}", lines[4]["seq"], lines[4]["hash"].as_str().unwrap());
    verify(&["--anchor", &anchor], &file).ok();
    let other = format!("{}:{}", lines[4]["seq"], lines[5]["hash"].as_str().unwrap());
    let done = verify(&["--anchor", &other], &file).exits(1);
    assert!(done.stdout.contains("record 5 is not the record that the anchor names"), "{done:?}");
    verify(&["--anchor", &format!("99:{}", "0".repeat(64))], &file).exits(2);
    verify(&["--anchor", "5"], &file).exits(3);
    verify(&[], &world.path("nowhere")).exits(3);

    // The same through a pipe, and never half of it in a file.
    let piped = world.run(&["audit", "export"]).ok();
    assert_eq!(piped.stdout.lines().count(), lines.len() + 1);
    let done = world.run(&["audit", "export", "--out", "/proc/nowhere/trail"]).exits(5);
    assert!(done.stderr.contains("cannot be written"), "{done:?}");
}

#[test]
fn whatever_is_done_to_an_export_is_found_and_the_first_bad_record_is_named() {
    let world = world();
    let (_, text) = exported(&world, "trail.jsonl");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let count = lines.len();
    let joined = |lines: &[&str]| lines.concat();

    // One bit of bytes all over the file, its manifest included.
    for at in (0..text.len()).step_by(211) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let (code, said) = judged(&world, &bytes);
        assert_ne!(code, 0, "byte {at}: {said}");
        let line = text[..at].matches('\n').count() + 1;
        let named = [format!("record {line}"), format!("line {line}"), "manifest".to_owned()];
        let is_first = line == 1 && said.contains("first line");
        assert!(is_first || named.iter().any(|name| said.contains(name)), "byte {at}, line {line}: {said}");
    }
    for gone in 0..count {
        let mut left = lines.clone();
        left.remove(gone);
        let (code, said) = judged(&world, joined(&left));
        let wanted = if gone + 1 == count {
            (2, "its end is missing".to_owned())
        } else {
            (1, format!("record {} is missing", gone + 1))
        };
        assert!(code == wanted.0 && said.contains(&wanted.1), "line {gone}: {code} {said}");
    }
    for at in 0..count {
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        let (code, said) = judged(&world, joined(&twice));
        assert_eq!(code, 1, "{said}");
    }
    for at in 1..count - 1 {
        let mut swapped = lines.clone();
        swapped.swap(at - 1, at);
        let (code, said) = judged(&world, joined(&swapped));
        assert!(code == 1 && said.contains("record"), "{code} {said}");
    }
    for cut in [1, 70, lines[count - 1].len() + 10] {
        let (code, said) = judged(&world, &text[..text.len() - cut]);
        assert_eq!(code, 2, "{cut}: {said}");
    }
    for nothing in ["", "{}\n", "SEQ,WHEN\n"] {
        assert_eq!(judged(&world, nothing).0, 3);
    }
}

#[test]
fn a_cursor_takes_what_is_new_and_only_then_moves() {
    let world = world();
    let cursor = world.path("cursor");
    let export = |name: &str| {
        let (cursor, out) =
            (cursor.to_str().unwrap().to_owned(), world.path(name).to_str().unwrap().to_owned());
        world.run(&["audit", "export", "--cursor", &cursor, "--out", &out])
    };
    export("one").ok();
    verify(&[], &world.path("one")).ok();
    let nothing = export("two").exits(1);
    assert_eq!((nothing.stderr.as_str(), world.path("two").exists()), ("Nothing new to export.\n", false));
    world.run(&["dispatch", "worker", "three"]).ok();
    // An earlier export is not written over, and a place that cannot be written moves no cursor.
    let before = fs::read_to_string(&cursor).unwrap();
    assert!(export("one").exits(2).stderr.contains("exists"));
    export("no/such/folder").exits(5);
    assert_eq!(fs::read_to_string(&cursor).unwrap(), before);
    export("two").ok();
    let one = verify(&[], &world.path("one")).ok().stdout;
    let two = verify(&[], &world.path("two")).ok().stdout;
    let head =
        |said: &str, name: &str| said.lines().find(|line| line.starts_with(name)).unwrap()[9..].to_owned();
    assert_eq!(head(&one, "head"), head(&two, "after"));
    assert!(two.contains("records  1 ("), "{two}");

    let moved = fs::read_to_string(&cursor).unwrap();
    fs::write(&cursor, &moved[..20]).unwrap();
    assert!(export("three").exits(10).stderr.contains("is not a cursor"));
    fs::write(&cursor, moved.replace("\"seq\":", "\"seq\":9")).unwrap();
    assert!(export("three").exits(11).stderr.contains("is gone"));
    fs::write(&cursor, moved.replace("\"hash\":\"", "\"hash\":\"0")).unwrap();
    export("three").exits(10);
    let other = before.replace(&before[before.len() - 8..before.len() - 3], "00000");
    fs::write(&cursor, other).unwrap();
    assert!(export("three").exits(11).stderr.contains("another one"));
    assert!(!world.path("three").exists());
}

#[test]
fn a_cursor_that_cannot_be_moved_is_told_with_what_was_exported_all_the_same() {
    let world = world();
    // A folder that is there, and takes no file from anybody.
    let (cursor, out) = (Path::new("/proc/cursor"), world.path("one"));
    let export = |cursor: &Path, out: &Path| {
        let (cursor, out) = (cursor.to_str().unwrap(), out.to_str().unwrap());
        world.run(&["audit", "export", "--cursor", cursor, "--out", out])
    };
    let failed = export(cursor, &out).exits(5);
    let last = world.run(&["audit", "--json"]).ok().json()[0]["seq"].as_u64().unwrap();
    let told = format!("error: records 1 to {last} were exported, but the cursor `{}`", cursor.display());
    assert!(failed.stderr.starts_with(&told) && !failed.stderr.contains("Nothing"), "{failed:?}");
    verify(&[], &out).ok();
    assert!(export(cursor, &out).exits(2).stderr.contains("name a new file"));
    let again = world.path("two");
    export(&world.path("cursor"), &again).ok();
    let head = |said: &str| said.lines().find(|line| line.starts_with("head")).unwrap().to_owned();
    assert_eq!(head(&verify(&[], &out).ok().stdout), head(&verify(&[], &again).ok().stdout));
}

#[test]
fn a_cursor_that_cannot_be_used_is_refused_for_what_it_is_before_anything_is_exported() {
    let world = world();
    let large = world.path("large");
    fs::write(&large, " ".repeat(100_000)).unwrap();
    let out = world.path("out");
    for (cursor, code, told, hint) in [
        (world.path("none/cursor"), 2, "error: there is no folder `", "mkdir -p "),
        (large.join("cursor"), 2, "error: there is no folder `", "mkdir -p "),
        (world.home(), 10, "cannot be read: not a regular file", "Name the cursor of an earlier export"),
        (large, 10, "is not a cursor", "Put it back from a copy"),
        // Not opened for anybody, whatever may be read.
        (
            world.path(&"x".repeat(300)),
            10,
            "cannot be read: File name too long",
            "See to it that you may read it",
        ),
    ] {
        let arguments =
            ["audit", "export", "--cursor", cursor.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let said = world.run(&arguments).exits(code).stderr;
        assert!(said.contains(told) && said.contains(hint), "{said}");
        assert!(!out.exists());
    }
}

#[test]
fn times_cut_a_part_out_that_can_be_checked_by_itself() {
    let world = world();
    let middle = world.run(&["audit", "show", "5", "--json"]).ok().json()["records"][0]["time"].clone();
    let middle = middle.as_str().unwrap();
    let file = world.path("part");
    let file = file.to_str().unwrap();
    world.run(&["audit", "export", "--since", middle, "--out", file]).ok();
    let since = verify(&[], Path::new(file)).ok().stdout;
    assert!(since.contains("after    "), "{since}");
    world.run(&["audit", "export", "--until", middle, "--out", file]).ok();
    assert!(verify(&[], Path::new(file)).ok().stdout.contains("(1 to "));
    let done = world.run(&["audit", "export", "--since", "2100-01-01", "--out", "-"]).exits(1);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", "There are no such records.\n"));
    world.run(&["audit", "export", "--since", "soon"]).exits(2);
}

#[test]
fn tables_and_events_are_what_their_readers_expect() {
    let world = world();
    let table = world.run(&["audit", "export", "--format", "csv"]).ok().stdout;
    let (header, rows) = table.split_once("\r\n").unwrap();
    assert!(header.starts_with("seq,time,event,dispatch,answered_by,parent,root,agent,"), "{header}");
    assert!(rows.contains(",\"'=1+1, \"\"please\"\"\","), "{rows}");
    assert_eq!(
        rows.matches("\r\n").count(),
        world.run(&["audit", "--json"]).ok().json().as_array().unwrap().len()
    );

    let events = world.run(&["audit", "export", "--format", "ocsf"]).ok().stdout;
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let operations: Vec<&str> =
        events.iter().map(|event| event["api"]["operation"].as_str().unwrap()).collect();
    assert_eq!(operations[..3], ["requested", "started", "finished"]);
    assert_eq!(operations[operations.len() - 2..], ["hit", "refused"]);
    assert!(events.iter().all(|event| event["class_uid"] == 6003 && event["metadata"]["version"] == "1.9.0"));
    let finished = &events[2];
    assert_eq!((&finished["status"], &finished["ai_agent"]["name"]), (&json!("Success"), &json!("worker")));
    assert!(finished["message_context"]["total_tokens"].is_u64(), "{finished:#}");
}

#[test]
fn an_imported_trail_is_the_same_trail_and_takes_nothing_more() {
    let world = world();
    let (file, text) = exported(&world, "trail.jsonl");
    let file = file.to_str().unwrap();
    let elsewhere = |arguments: &[&str]| {
        let mut command = world.agent_dispatch(arguments);
        command.env("AGENT_DISPATCH_STATE_DIR", world.path("review"));
        Done::of(command)
    };
    let done = elsewhere(&["audit", "import", file]).ok();
    assert!(done.stdout.starts_with("imported "), "{done:?}");
    // Sent again it changes nothing; another one is refused, and so is one into a store that has records.
    elsewhere(&["audit", "import", file]).ok();
    world.run(&["dispatch", "worker", "three"]).ok();
    let (longer, _) = exported(&world, "longer.jsonl");
    let refused = elsewhere(&["audit", "import", longer.to_str().unwrap()]).exits(1);
    assert!(refused.stderr.contains("holds a trail already"), "{refused:?}");
    let refused = world.run(&["audit", "import", file]).exits(1);
    assert!(refused.stderr.contains("records of its own"), "{refused:?}");

    let verified = elsewhere(&["audit", "verify", "--json"]).ok().json();
    let remarks = verified["remarks"].as_array().unwrap();
    assert!(remarks.iter().any(|said| said.as_str().unwrap().contains("not a live trail")), "{verified:#}");
    assert_eq!(verified["outside"]["hash"], verified["head"]["hash"]);
    let status = elsewhere(&["daemon", "status"]).ok().stdout;
    assert!(status.contains("not a live trail"), "{status}");
    assert!(elsewhere(&["daemon", "status", "--json"]).ok().json()["imported"].is_string());

    let records = |listed: Done| listed.ok().json().as_array().unwrap().clone();
    let (mut here, there) = (
        records(world.run(&["audit", "--agent", "worker", "--json"])),
        records(elsewhere(&["audit", "--agent", "worker", "--json"])),
    );
    here.remove(0);
    assert_eq!(here, there);
    let id = there[0]["dispatch"].as_str().unwrap();
    assert!(
        elsewhere(&["audit", "show", id]).ok().stdout.contains("finished") || there[0]["event"] != "finished"
    );
    assert!(elsewhere(&["stats"]).ok().stdout.contains("worker"));

    let refused = elsewhere(&["dispatch", "worker", "five"]);
    assert!(refused.status != 0 && refused.stderr.contains("audit trail for review"), "{refused:?}");
    // Exported again it is the same, but for the manifest's own time.
    elsewhere(&["daemon", "stop"]).ok();
    let again = elsewhere(&["audit", "export"]).ok().stdout;
    let records = |text: &str| {
        text.lines().filter(|line| !line.starts_with("{\"manifest")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(records(&again), records(&text));
    elsewhere(&["daemon", "stop"]).ok();
}

/// Returns an export of so many records, without the record of this number.
fn made(records: u64, without: u64) -> String {
    let (mut writer, mut text, mut head) = (Writer::default(), String::new(), Head::EMPTY);
    for seq in 1..=records {
        let time = Timestamp::from_millis(1_790_000_000_000 + seq).rfc3339();
        let body = json!({"time": time, "event": "hit", "agent": "docs", "task_preview": "x".repeat(300)});
        let link = Link::after(head, body.to_string().into_bytes());
        head = link.head();
        if seq != without {
            text.push_str(&writer.line(&link).unwrap());
        }
    }
    text + &writer.finish("a test".to_owned(), Timestamp::now()).unwrap()
}

#[test]
fn a_long_trail_comes_and_goes_in_parts_and_is_the_same() {
    let world = World::new();
    let text = made(1300, 0);
    fs::write(world.path("long"), &text).unwrap();
    assert!(
        world.run(&["audit", "import", "long"]).ok().stdout.starts_with("imported 1300 records (1 to 1300)")
    );
    let again = world.run(&["audit", "export"]).ok().stdout;
    let records = |text: &str| text.lines().take(1300).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(records(&again), records(&text));
    assert_eq!(world.run(&["audit", "verify", "--json"]).ok().json()["records"], 1300);
    // Half of it by its time: exactly that half.
    let half = Timestamp::from_millis(1_790_000_000_000 + 651).rfc3339();
    let half = world.run(&["audit", "export", "--since", &half]).ok().stdout;
    assert_eq!(half.lines().count(), 651);
    assert!(half.starts_with("{\"seq\":651,"), "{half:.80}");
}

#[test]
fn what_was_lost_before_the_export_is_told_everywhere_and_keeps_nobody_from_looking_at_the_rest() {
    let world = World::new();
    fs::write(world.path("holed"), made(20, 7)).unwrap();
    let done = verify(&[], &world.path("holed")).exits(2);
    assert!(done.stdout.contains("record 7 was missing already"), "{done:?}");
    let done = world.run(&["audit", "import", "holed"]).ok();
    assert!(done.stderr.contains("record 7 was missing already"), "{done:?}");
    let done = world.run(&["audit", "verify"]);
    assert!(done.status != 0 && done.stdout.contains("record 7 is missing"), "{done:?}");
    let done = world.run(&["audit", "export"]).ok();
    assert_eq!(done.stderr, "note: record 7 is missing\n");
    assert_eq!(done.stdout.lines().count(), 20);
}

#[test]
fn what_retention_has_left_is_exported_and_follows_from_the_checkpoint() {
    let world = world();
    // Everything but the newest record is that old.
    world.run(&["gc", "--audit-days", "0.00000001"]).ok();
    world.run(&["dispatch", "worker", "another"]).ok();
    let kept = world.run(&["audit", "verify", "--json"]).ok().json()["kept"].clone();
    let (last, hash) = (kept["last"].as_u64().unwrap(), kept["hash"].as_str().unwrap());
    assert!(last > 10, "{kept}");

    let (file, text) = exported(&world, "rest.jsonl");
    assert!(text.starts_with(&format!("{{\"seq\":{},\"prev\":\"{hash}\",", last + 1)), "{text:.120}");
    let checkpoint = format!("{last}:{hash}");
    let done = verify(&["--anchor", &checkpoint], &file).ok();
    assert!(done.stdout.contains(&format!("\nafter    {checkpoint}\n")), "{done:?}");
    let other = format!("{last}:{}", "ab".repeat(32));
    let done = verify(&["--anchor", &other], &file).exits(1);
    assert!(
        done.stdout.contains(&format!("record {last} is not the record that the anchor names")),
        "{done:?}"
    );
    // What is gone cannot be proven any more, and nobody says that it was.
    let gone = format!("{}:{hash}", last - 1);
    let done = verify(&["--anchor", &gone], &file).exits(2);
    assert!(done.stdout.contains("which the anchor names, is not in it"), "{done:?}");
    // A first record that is not the one after the checkpoint does not pass for it.
    let (first, rest) = text.split_once('\n').unwrap();
    fs::write(&file, rest).unwrap();
    let done = verify(&["--anchor", &checkpoint], &file).exits(1);
    assert!(done.stdout.contains(&format!("record {} is missing", last + 1)), "{done:?}");

    // Elsewhere it is whole, too, and begins where it begins here.
    fs::write(&file, format!("{first}\n{rest}")).unwrap();
    let elsewhere = |arguments: &[&str]| {
        let mut command = world.agent_dispatch(arguments);
        command.env("AGENT_DISPATCH_STATE_DIR", world.path("review"));
        Done::of(command)
    };
    elsewhere(&["audit", "import", file.to_str().unwrap()]).ok();
    let anchored = elsewhere(&["audit", "verify", "--from-anchor", &checkpoint, "--json"]).ok().json();
    assert_eq!((anchored["first"].as_u64(), &anchored["faults"]), (Some(last + 1), &json!([])));
    elsewhere(&["daemon", "stop"]).ok();
}
