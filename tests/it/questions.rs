//! What the audit answers: the truth, also of what is gone, and all of it or a word about the rest.

use serde_json::{Value, json};

use crate::client::Home;
use crate::world::World;

/// Runs a dispatch with this script and returns its id.
fn ask(world: &World, script: &str) -> String {
    world.script(script);
    let done = world.run(&["dispatch", "worker", "which colour?", "--no-cache", "--json"]).json();
    done["job_id"].as_str().expect("it has an id").to_owned()
}

/// Returns the records of this event, the newest first.
fn records_of(world: &World, event: &str) -> Vec<Value> {
    world.run(&["audit", "--event", event, "--json"]).ok().json().as_array().cloned().expect("a list")
}

#[test]
fn answers_that_are_gone_are_compared_by_their_digests() {
    let world = World::with_worker();
    let (first, second, third) =
        (ask(&world, "say blue; deny Write"), ask(&world, "say red"), ask(&world, "say red"));
    world.run(&["gc", "--all"]).ok();
    let told = world.run(&["audit", "diff", &first, &second, "--json"]).exits(1).json();
    assert_eq!((&told["same_answer"], &told["answer_diff"]), (&json!(false), &Value::Null), "{told}");
    assert_eq!(told["facts"]["denied tools"]["a"], "Write", "{told}");
    let text = world.run(&["audit", "diff", &first, &second]).exits(1).stdout;
    assert!(text.ends_with("\nthe answers differ, by their digests; not both are kept any more\n"), "{text}");
    let told = world.run(&["audit", "diff", &second, &third, "--json"]).ok().json();
    assert_eq!(told["same_answer"], true, "{told}");
    // What was refused has no answer of which anything could be said.
    let refused = world.run(&["dispatch", "nobody", "x", "--json"]).exits(4);
    let refused =
        records_of(&world, "refused")[0]["dispatch"].as_str().map(str::to_owned).expect(&refused.stdout);
    let told = world.run(&["audit", "diff", &first, &refused, "--json"]).exits(1).json();
    assert_eq!(told["same_answer"], Value::Null, "{told}");
}

#[test]
fn who_asked_for_a_stop_is_on_record_and_the_dispatch_stays_that_of_who_asked_for_it() {
    let world = World::with_worker();
    world.script("touch @began; wait @never");
    let done = world.run(&["dispatch", "worker", "x", "--async", "--caller", "alice", "--json"]).ok().json();
    let job = done["job_id"].as_str().expect("it has an id");
    world.appears("began");
    world.run(&["cancel", job]).ok();
    world.run(&["wait", job, "--json"]);
    let cancel = &records_of(&world, "cancel_requested")[0];
    assert_eq!(cancel["reason"], "`agent-dispatch cancel` on the command line");
    assert_eq!((&cancel["caller"]["client"], &cancel["caller"]["declared"]), (&json!("cli"), &Value::Null));
    assert_eq!(
        cancel["caller"]["directory"],
        json!(world.path("").to_str().map(|it| it.trim_end_matches('/')))
    );
    assert_ne!(cancel["caller"]["pid"], 0);
    assert_eq!(records_of(&world, "cancelled")[0]["caller"]["declared"], "alice");
    let whole = world.run(&["audit", "--dispatches", "--json"]).ok().json();
    assert_eq!(whole[0]["caller"]["declared"], "alice", "{whole}");
}

#[test]
fn a_client_that_stops_the_job_of_another_is_found() {
    let home = Home::new();
    let client = &mut home.client();
    let task = format!("fake: touch {}; hang", home.text_path("began"));
    let asked = json!({"agent": "worker", "task": task, "caller": "alice"});
    let job = client.document("dispatch_async", &asked)["job_id"].clone();
    home.until_there("began");
    let other = &mut home.serve();
    let said = json!({"name": "other-client", "version": "9"});
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": said});
    let id = other.request("initialize", &hello);
    other.result(id);
    other.notify("notifications/initialized", &json!({}));
    other.document("dispatch_cancel", &json!({"job_id": job}));
    home.until_gone(job.as_str().expect("it has an id"));
    let found = client.document("audit_search", &json!({"caller": "other-client"}));
    let [record] = found["records"].as_array().expect("a list").as_slice() else { panic!("{found}") };
    assert_eq!((&record["event"], &record["caller"]), (&json!("cancel_requested"), &json!("other-client 9")));
    assert_eq!(record["reason"], "dispatch_cancel by other-client 9");
}

#[test]
fn calls_that_are_not_kept_are_counted() {
    let world = World::with_worker();
    let job = ask(&world, &"tool Bash; ".repeat(250));
    let shown = world.run(&["audit", "show", &job, "--tools"]).ok();
    assert!(shown.stdout.contains("Bash    250"), "{}", shown.stdout);
    assert_eq!(shown.stderr, "50 more calls are not kept one by one.\n");
    let told = world.run(&["audit", "show", &job, "--tools", "--json"]).ok().json();
    assert_eq!((told["calls"].as_array().map(Vec::len), &told["calls_not_kept"]), (Some(200), &json!(50)));
}

#[test]
fn a_tool_is_found_however_many_others_were_used_or_may_be_unnamed() {
    let world = World::with_worker();
    let tools =
        |count: usize| (0..count).map(|number| format!("tool T{number:03}")).collect::<Vec<_>>().join("; ");
    ask(&world, &tools(40));
    world.run(&["audit", "--tool", "T039,T999"]).ok();
    assert_eq!(world.run(&["audit", "--tool", "T999"]).exits(1).stderr, "There are no such records.\n");
    ask(&world, &tools(100));
    let found = world.run(&["audit", "--tool", "T999"]).exits(1);
    assert!(found.stderr.starts_with("Some runs used more tools than their records name"), "{found:?}");
    let all: u64 = records_of(&world, "finished")[0]["end"]["tools"]
        .as_object()
        .map(|tools| tools.values().filter_map(|used| used["count"].as_u64()).sum())
        .expect("there are tools");
    assert_eq!(all, 100);
}

#[test]
fn what_would_not_be_done_is_refused() {
    let world = World::with_worker();
    for arguments in [
        &["audit", "export", "--format", "ocsf", "--follow"][..],
        &["audit", "export", "--format", "csv", "-f"],
        &["audit", "--error-type", "bogus"],
        &["audit", "--error-type", "timeout,bogus"],
        &["audit", "--fields", "end.bogus"],
        &["audit", "--fields", "agnt"],
    ] {
        world.run(arguments).exits(2);
    }
    let refused = world.run(&["audit", "--fields", "end.cost"]).exits(2);
    assert!(refused.stderr.contains("did you mean `end.cost_usd`?"), "{refused:?}");
    let refused = world.run(&["audit", "--error-type", "bogus"]).exits(2);
    assert!(refused.stderr.contains("permission, timeout"), "{refused:?}");
}

#[test]
fn several_names_may_be_separated_by_commas() {
    let world = World::with_worker();
    ask(&world, "say blue");
    for (option, names) in [
        ("--agent", "infra,worker"),
        ("--caller", "nightly, cli"),
        ("--tool", "Bash,Read"),
        ("--status", "failed,done"),
        ("--event", "hit, finished"),
    ] {
        let found = world.run(&["audit", option, names]);
        assert_eq!(found.status == 0, option != "--tool", "{option} {found:?}");
    }
    world.run(&["dispatch", "worker", "x", "--caller", "one, two"]).ok();
    world.run(&["audit", "--caller", "one, two"]).ok();
}

#[test]
fn what_the_cache_saved_counts_for_the_model_that_answered() {
    let world = World::with_worker();
    world.script("cost 1; say blue");
    for _ in 0..3 {
        world.run(&["dispatch", "worker", "x"]).ok();
    }
    let stats = world.run(&["audit", "stats", "--by", "model", "--json"]).ok().json();
    assert_eq!(stats["parts"].as_array().map(Vec::len), Some(1), "{stats}");
    assert_eq!(
        (&stats["parts"][0]["cached_hits"], &stats["parts"][0]["saved_usd"]),
        (&json!(2), &json!(2.0))
    );
    let model = stats["parts"][0]["model"].as_str().expect("it has a name");
    assert_ne!(model, "unknown");
    world.run(&["audit", "--cached", "--model", model]).ok();
}
