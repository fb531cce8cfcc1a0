//! Reviews: lists, single records, whole dispatches, and the check of the trail.

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::world::{Done, World};

pub(super) fn events(records: &Value) -> Vec<&str> {
    records.as_array().unwrap().iter().map(|record| record["event"].as_str().unwrap()).collect()
}

#[test]
fn records_are_listed_and_narrowed_down() {
    let world = World::with_worker();
    assert_eq!(world.run(&["audit", "--json"]).exits(1).json(), json!([]));
    assert_eq!(world.run(&["audit"]).exits(1).stderr, "There are no such records.\n");
    world.agent("second");
    let job = world.run(&["dispatch", "worker", "look", "--json"]).ok().json();
    world.run(&["dispatch", "worker", "look"]).ok();
    world.run(&["dispatch", "nobody", "look"]).exits(4);
    world.run(&["dispatch", "second", "look", "--caller", "a test"]).ok();

    let all = world.run(&["audit", "--json"]).ok().json();
    let want = ["finished", "started", "requested", "refused", "hit", "finished", "started", "requested"];
    assert_eq!(events(&all), want);
    let seqs: Vec<u64> =
        all.as_array().unwrap().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [8, 7, 6, 5, 4, 3, 2, 1]);
    let newest = &all[0];
    assert_eq!(newest["hash"].as_str().unwrap().len(), 64);
    assert_eq!((&newest["agent"], &newest["caller"]["declared"]), (&json!("second"), &json!("a test")));
    assert_eq!(newest["end"]["success"], true);

    let only = |arguments: &[&str]| world.run(&[&["audit", "--json"], arguments].concat()).ok().json();
    assert_eq!(only(&["-n", "2"]).as_array().unwrap().as_slice(), &all.as_array().unwrap()[..2]);
    assert_eq!(events(&only(&["--agent", "second"])), ["finished", "started", "requested"]);
    let id = job["job_id"].as_str().unwrap();
    assert_eq!(events(&only(&["--dispatch", id])), ["finished", "started", "requested"]);
    assert_eq!(only(&["--since", "1h ago"]), all);
    let later = world.run(&["audit", "--json", "--since", "2999-01-01"]).exits(1);
    assert_eq!(later.json(), json!([]));

    let table = world.run(&["audit"]).ok().stdout;
    assert!(table.starts_with("SEQ  WHEN      EVENT"), "{table}");
    assert_eq!(table.lines().count(), 9, "{table}");
    assert!(table.contains("there is no agent `nobody`"), "{table}");
    assert!(table.contains(&format!("answer of {}: look", &id[..12])), "{table}");
}

#[test]
fn a_dispatch_is_shown_with_its_records_its_task_and_its_answer() {
    let world = World::with_worker();
    world.script("tool Bash; say it is blue");
    let job = world.run(&["dispatch", "worker", "which colour?", "--json"]).ok().json();
    let id = job["job_id"].as_str().unwrap();
    let shown = world.run(&["audit", "show", id, "--json"]).ok().json();
    assert_eq!(
        (&shown["job"]["task"], &shown["job"]["result"]["result"]),
        (&json!("which colour?"), &json!("it is blue"))
    );
    assert_eq!(events(&shown["records"]), ["requested", "started", "finished"]);
    let text = world.run(&["audit", "show", id]).ok().stdout;
    assert!(text.starts_with(&format!("job           {id}\n")), "{text}");
    assert!(text.contains("\ntask\n    which colour?\n"), "{text}");
    assert!(text.contains("\nanswer\n    it is blue\n"), "{text}");
    let order = ["\nrecord                    1 requested\n", "\nrecord                    3 finished\n"];
    assert!(text.find(order[0]).unwrap() < text.find(order[1]).unwrap(), "{text}");
    assert!(text.contains("\nend.tools.Bash.count      1\n"), "{text}");

    let one = world.run(&["audit", "show", "1", "--json"]).ok().json();
    assert_eq!(events(&one["records"]), ["requested"]);
    assert_eq!(one["job"], Value::Null);
    assert!(world.run(&["audit", "show", "1"]).ok().stdout.contains("\nasked by                  cli in "));
    world.run(&["audit", "show", "4"]).exits(1);
    world.run(&["audit", "show", "0197a3f2c4d17b3e8000000000000001"]).exits(1);
    world.run(&["audit", "show", "what"]).exits(2);
}

#[test]
fn a_refused_dispatch_can_be_shown_though_there_is_no_job() {
    let world = World::with_worker();
    world.run(&["dispatch", "nobody", "look"]).exits(4);
    let records = world.run(&["audit", "--json"]).ok().json();
    let id = records[0]["dispatch"].as_str().unwrap();
    let shown = world.run(&["audit", "show", &id[..16]]).ok().stdout;
    assert!(shown.starts_with("record                    1 refused\n"), "{shown}");
    let no_job = world.run(&["job", &id[..16]]).exits(1);
    assert!(no_job.stderr.contains(&format!("agent-dispatch audit show {id}")), "{}", no_job.stderr);
}

#[test]
fn a_whole_trail_is_whole_and_a_lost_end_is_found() {
    let world = World::with_worker();
    world.run(&["dispatch", "worker", "look"]).ok();
    let report = world.run(&["audit", "verify", "--json"]).ok().json();
    let head = report["head"].clone();
    assert_eq!(head["seq"], 3);
    let want = json!({
        "whole": true, "verdict": "whole", "records": 3, "first": 1, "head": head, "outside": head, "jobs": 1,
        "faults": [], "notes": [], "remarks": [],
    });
    assert_eq!(report, want);
    let text = world.run(&["audit", "verify"]).ok().stdout;
    let end = format!("3:{}", head["hash"].as_str().unwrap());
    let want = format!(
        "audit trail   whole\nrecords       3\nfirst         1\nhead          {end}\noutside head  {end}\njobs          1\n"
    );
    assert_eq!(text, want);

    // The file outside the store remembers a record that the store does not have.
    let heads = world.home().join(".local/state/agent-dispatch/audit-heads.log");
    let mut heads = OpenOptions::new().append(true).open(heads).unwrap();
    writeln!(heads, "4 {} 2026-11-21T10:15:00.000Z", "ab".repeat(32)).unwrap();
    let broken = world.run(&["audit", "verify"]).exits(2);
    assert!(broken.stdout.starts_with("audit trail   INCOMPLETE\n"), "{}", broken.stdout);
    let complaint = "error: the audit trail is incomplete: record 4 and what followed it are lost";
    assert!(broken.stderr.starts_with(complaint), "{}", broken.stderr);
    // That was recorded, as number 4: now it is another one than the file remembers.
    let report = world.run(&["audit", "verify", "--json"]).exits(1).json();
    assert_eq!((&report["verdict"], &report["faults"][0]["kind"]), (&json!("broken"), &json!("replaced")));

    let mut unreachable = world.agent_dispatch(&["audit", "verify"]);
    unreachable.env("AGENT_DISPATCH_STATE_DIR", "/proc/nowhere");
    Done::of(unreachable).exits(3);
}
