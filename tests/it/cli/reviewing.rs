//! Questions to the audit trail: filters, forms, parts of a dispatch, comparisons, numbers, and following.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::cli::auditing::events;
use crate::world::{SOON, World};

fn failing(world: &World) -> String {
    world.script("tool Bash; say half of it; fail it broke");
    let job = world.run(&["dispatch", "worker", "break it", "--json"]).exits(1).json();
    world.script("");
    job["job_id"].as_str().unwrap().to_owned()
}

#[test]
fn each_filter_finds_its_records_and_says_when_there_are_none() {
    let world = World::with_worker();
    world.script("tool Bash; say it is blue");
    world.run(&["dispatch", "worker", "which colour?", "--caller", "nightly"]).ok();
    world.run(&["dispatch", "worker", "which colour?", "--caller", "nightly"]).ok();
    world.run(&["dispatch", "nobody", "look"]).exits(4);
    let only = |arguments: &[&str]| {
        let done = world.run(&[&["audit", "--json"], arguments].concat());
        let found = done.json();
        assert_eq!(done.status, i32::from(found == json!([])), "{arguments:?}");
        events(&found).join(" ")
    };
    for (arguments, want) in [
        (&["--caller", "nightly"][..], "hit finished started requested"),
        (&["--caller", "cli"], "refused hit finished started requested"),
        (&["--status", "refused", "--status", "done"], "refused hit finished"),
        (&["--event", "started"], "started"),
        (&["--tool", "bash"], "finished"),
        (&["--cached"], "hit"),
        (&["--error-type", "not_found"], "refused"),
        (&["-g", "WHICH .*\\?$"], "hit requested"),
        (&["--min-cost", "0.000001", "--agent", "worker"], "finished"),
        (&["--slower-than", "1h"], ""),
        (&["--until", "1h ago"], ""),
        (&["--denied"], ""),
        (&["--agent", "worker", "--status", "refused"], ""),
        (&["-n", "2", "-r"], "hit refused"),
    ] {
        assert_eq!(only(arguments), want, "{arguments:?}");
    }
    for wrong in [
        &["--since", "soon"][..],
        &["--status", "well"],
        &["--event", "finishd"],
        &["-g", "("],
        &["--fields", "agnet"],
        &["--slower-than", "long"],
    ] {
        let done = world.run(&[&["audit"], wrong].concat()).exits(2);
        assert!(done.stderr.contains("hint: "), "{}", done.stderr);
    }
}

#[test]
fn records_come_in_every_form() {
    let world = World::with_worker();
    world.run(&["dispatch", "worker", "look, \"here\""]).ok();
    let fields = ["--fields", "seq,event,task_preview"];
    let text = |form: &str| world.run(&[&["audit", "-o", form], &fields[..]].concat()).ok().stdout;
    assert_eq!(
        text("csv"),
        "seq,event,task_preview\r\n3,finished,\r\n2,started,\r\n1,requested,\"look, \"\"here\"\"\"\r\n"
    );
    assert_eq!(text("jsonl").lines().next(), Some(r#"{"seq":3,"event":"finished","task_preview":null}"#));
    assert_eq!(text("table").lines().nth(3), Some("1    requested  look, \"here\""));
    assert_eq!(text("oneline").lines().nth(1), Some("2 started"));
    let lines = world.run(&["audit", "-o", "oneline"]).ok().stdout;
    assert_eq!(lines.lines().count(), 3, "{lines}");
    let dispatches = world.run(&["audit", "--dispatches", "--json"]).ok().json();
    let [one] = dispatches.as_array().unwrap().as_slice() else { panic!("{dispatches}") };
    assert_eq!(
        (&one["event"], &one["seq"], &one["task_preview"]),
        (&json!("finished"), &json!(3), &json!("look, \"here\""))
    );
    assert!(one["time"].as_str() <= one["ended"].as_str(), "{one}");
    let table = world.run(&["audit", "--dispatches"]).ok().stdout;
    assert_eq!(table.lines().count(), 2, "{table}");
}

#[test]
fn parts_of_a_dispatch_are_shown_alone() {
    let world = World::with_worker();
    world.script("tool Bash; say it is blue");
    let job = world.run(&["dispatch", "worker", "which colour?", "--json"]).ok().json();
    let again = world.run(&["dispatch", "worker", "which colour?", "--json"]).ok().json();
    assert_eq!(again["cached"], true);
    let id = job["job_id"].as_str().unwrap();
    let hit = world.run(&["audit", "--cached", "--json"]).ok().json();
    let hit = hit[0]["dispatch"].as_str().unwrap();
    let part = |id: &str, part: &str| world.run(&["audit", "show", id, part]).ok().stdout;
    for id in [id, hit, "2"] {
        assert_eq!(part(id, "--prompt"), "which colour?\n");
        assert_eq!(part(id, "--result"), "it is blue\n");
        let session = job["session_id"].as_str().unwrap();
        let directory = world.path("worker");
        assert_eq!(
            part(id, "--resume"),
            format!("cd {} && claude --resume {session}\n", directory.display())
        );
        assert!(part(id, "--tree").lines().count() == 2);
    }
    let tools = part(id, "--tools");
    assert!(tools.starts_with("TOOL  CALLS") && tools.contains("Bash      1"), "{tools}");
    let tools = world.run(&["audit", "show", id, "--tools", "--json"]).ok().json();
    assert_eq!((&tools["tools"]["Bash"]["count"], &tools["denied_tools"]), (&json!(1), &json!([])));
    world.run(&["audit", "show", id, "--tools", "--tree"]).exits(2);
    world.run(&["gc", "--all"]).ok();
    assert!(world.run(&["audit", "show", id, "--result"]).exits(1).stderr.contains("is not kept"));
}

#[test]
fn two_dispatches_are_compared() {
    let world = World::with_worker();
    let ask = |script: &str| {
        world.script(script);
        let job = world.run(&["dispatch", "worker", "which colour?", "--no-cache", "--json"]).ok().json();
        job["job_id"].as_str().unwrap().to_owned()
    };
    let (first, second, third) = (ask("say it is blue"), ask("say it is red"), ask("say it is red"));
    let text = world.run(&["audit", "diff", &first, &second]).exits(1).stdout;
    assert!(text.ends_with("\n\n-it is blue\n+it is red\n"), "{text}");
    let value = world.run(&["audit", "diff", &second, &third, "--json"]).ok().json();
    assert_eq!((&value["same_answer"], &value["answer_diff"]), (&json!(true), &json!("")));
    assert_eq!(
        (&value["facts"]["agent"]["same"], &value["facts"]["dispatch"]["same"]),
        (&json!(true), &json!(false))
    );
}

#[test]
fn dispatches_are_counted_by_what_is_asked_for() {
    let world = World::with_worker();
    assert_eq!(world.run(&["audit", "stats", "--json"]).exits(1).json()["parts"], json!([]));
    world.run(&["dispatch", "worker", "look", "--caller", "nightly"]).ok();
    world.run(&["dispatch", "worker", "look", "--caller", "nightly"]).ok();
    failing(&world);
    let stats = |by: &str| world.run(&["audit", "stats", "--by", by, "--json"]).ok().json();
    let keys = |by: &str| -> Vec<Value> {
        let parts = stats(by)["parts"].as_array().unwrap().clone();
        let mut keys: Vec<Value> = parts.into_iter().map(|part| part[by].clone()).collect();
        keys.sort_by_key(Value::to_string);
        keys
    };
    assert_eq!(keys("agent"), ["worker"]);
    assert_eq!(keys("caller"), ["cli", "nightly"]);
    assert_eq!(keys("day").len(), 1);
    assert_eq!(keys("error").len(), 2);
    let total = &stats("caller")["total"];
    assert_eq!(
        (&total["dispatches"], &total["ok"], &total["cached_hits"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert!(total["saved_usd"].as_f64() > Some(0.0), "{total}");
    let narrow = world.run(&["audit", "stats", "--by", "caller", "--cached", "--json"]).ok().json();
    assert_eq!((&narrow["total"]["dispatches"], &narrow["total"]["cached_hits"]), (&json!(0), &json!(1)));
    let table = world.run(&["audit", "stats", "--by", "caller"]).ok().stdout;
    assert!(table.starts_with("CALLER") && table.contains("\ntotal"), "{table}");
}

#[test]
fn who_follows_the_trail_sees_what_comes_also_from_the_next_daemon() {
    let world = World::with_worker();
    world.run(&["dispatch", "worker", "first"]).ok();
    let mut command =
        world.agent_dispatch(&["audit", "-f", "-n", "1", "-o", "jsonl", "--fields", "seq,event"]);
    let mut following = command.stdout(Stdio::piped()).spawn().unwrap();
    let (said, heard) = mpsc::channel();
    let output = BufReader::new(following.stdout.take().unwrap());
    let reading = std::thread::spawn(move || output.lines().try_for_each(|line| said.send(line.unwrap())));
    let hear = || heard.recv_timeout(SOON).unwrap();
    assert_eq!(hear(), r#"{"seq":3,"event":"finished"}"#);
    world.run(&["dispatch", "worker", "second"]).ok();
    assert_eq!(hear(), r#"{"seq":4,"event":"requested"}"#);
    assert_eq!((hear(), hear()).1, r#"{"seq":6,"event":"finished"}"#);
    world.run(&["daemon", "stop"]).ok();
    world.run(&["dispatch", "worker", "second"]).ok();
    assert_eq!(hear(), r#"{"seq":7,"event":"hit"}"#);
    following.kill().unwrap();
    following.wait().unwrap();
    reading.join().unwrap().unwrap();
}
