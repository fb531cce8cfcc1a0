//! Secrets never reach the trail nor a listing, and are found again by whoever knows them.

use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::daemon::protocol::{Reply, Request};
use agent_dispatch::model::{CallEnd, JobId};
use serde_json::{Value, json};

use crate::recording::{dispatch, records, records_of};
use crate::scene::{Scene, audit, dispatch as dispatch_in, end_of, holds, on_runtime, start};
use crate::world::World;

/// A made-up secret of a known shape, put together so that no scanner takes it for a real one.
fn secret(number: u8) -> String {
    ["gh", "p_", &char::from(b'a' + number).to_string().repeat(36)].concat()
}

#[test]
fn a_secret_in_any_text_reaches_neither_records_nor_listings_and_is_found_by_its_digest() {
    let world = World::with_worker();
    let [task, context, goal, caller, tool, answer, failure, reason, field] =
        std::array::from_fn(|number| secret(u8::try_from(number).unwrap()));
    world.script(&format!("tool Bash curl -u {tool} x; say the answer is {answer}"));
    let asked_for = format!("use {task}");
    let asked = [asked_for.as_str(), "--context", &context, "--goal", &goal, "--caller", &caller];
    let done = dispatch(&world, &asked);
    let job = done["job_id"].as_str().unwrap();
    dispatch(&world, &asked);
    world.script(&format!("stderr it failed with {failure}; no-result; exit 3"));
    let failed = world.run(&["dispatch", "worker", "fail"]).exits(1);
    world.run(&["dispatch", &reason, "look"]).exits(4);
    world.run(&["update", "worker", "--description", &format!("uses {field}")]).ok();
    let records = records(&world);
    let listed = [
        serde_json::to_string(&records).unwrap(),
        world.run(&["audit"]).ok().stdout,
        world.run(&["audit", "show", "3"]).ok().stdout,
        world.run(&["jobs"]).ok().stdout,
        world.run(&["jobs", "--json"]).ok().stdout,
        world.run(&["sessions"]).ok().stdout,
        failed.stdout,
        failed.stderr,
        serde_json::to_string(&world.run(&["job", job, "--json"]).ok().json()["progress"]).unwrap(),
    ];
    let all = [&task, &context, &goal, &caller, &tool, &answer, &failure, &reason, &field];
    for (at, text) in listed.iter().enumerate() {
        for secret in all {
            assert!(!text.contains(secret.as_str()), "{secret} in listing {at}: {text}");
        }
    }
    // Where each of them passed.
    let rows: [(&String, &[&str]); 9] = [
        (&task, &["requested", "hit"]),
        (&context, &["requested", "hit"]),
        (&goal, &["requested", "hit"]),
        (&caller, &["requested", "started", "finished", "hit"]),
        (&tool, &["finished"]),
        (&answer, &["finished", "hit"]),
        (&failure, &["finished"]),
        (&reason, &["refused"]),
        (&field, &["config_changed"]),
    ];
    for (secret, events) in rows {
        let found = world.run_with_input(&["audit", "hash", "-", "--json"], secret).json();
        let mut told: Vec<&str> =
            found["records"].as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap()).collect();
        told.reverse();
        assert_eq!(told, events, "{secret}");
    }
    let shown = &records_of(&world, "requested")[0]["task_preview"];
    assert!(shown.as_str().unwrap().starts_with("use [redacted:github-token:"), "{shown}");
    // What was asked and answered is kept with the job, as it was.
    assert_eq!(done["result"], format!("the answer is {answer}"));
    assert_eq!(world.run(&["job", job, "--json"]).ok().json()["task"], format!("use {task}"));
}

#[test]
fn the_tools_that_a_run_used_are_kept_in_order_and_without_secrets() {
    let scene = Scene::new();
    let hidden = secret(0);
    on_runtime(async {
        let frontend = scene.frontend();
        let script = format!("tool Bash login {hidden}; deny Write; tool Read a.txt; say done");
        let job = dispatch_in(&frontend, &scene.request("worker", &script)).await.unwrap().job;
        let Reply::Calls(calls) = frontend.client.ask(&Request::Calls(job.id)).await.unwrap() else {
            panic!("calls were asked for");
        };
        let told: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.end)).collect();
        assert_eq!(told, [("Bash", CallEnd::Done), ("Write", CallEnd::Denied), ("Read", CallEnd::Done)]);
        assert!(calls[0].input.starts_with("login [redacted:github-token:"), "{calls:?}");
        assert!(calls.is_sorted_by_key(|call| call.start_ms), "{calls:?}");
        let filter = AuditFilter { dispatch: Some(job.id), ..AuditFilter::default() };
        let end = audit(&frontend, filter).await.pop().unwrap().end.unwrap();
        assert_eq!(end.calls_digest.map(|digest| digest.len()), Some(64));
        assert_eq!(end.denied_tools, ["Write"]);
        let other = frontend.client.ask(&Request::Calls(JobId::generate())).await.unwrap();
        assert_eq!(other, Reply::Calls(Vec::new()));
    });
}

#[test]
fn who_stops_a_job_leaves_no_secret_in_the_reason() {
    let scene = Scene::new();
    let hidden = secret(0);
    on_runtime(async {
        let frontend = scene.frontend();
        let script = format!("say working with {hidden}; touch @ready; hang");
        let job = start(&frontend, &scene.request("worker", &script)).await;
        holds("it runs", || scene.file("ready").exists()).await;
        let by = format!("somebody with {hidden}");
        frontend.client.ask(&Request::Cancel { job, by, caller: Box::default() }).await.unwrap();
        let view = end_of(&frontend, job).await;
        assert!(view.record.stopped_by.unwrap().starts_with("somebody with [redacted:"));
        let result = view.record.result.unwrap();
        assert!(result.error.as_ref().unwrap().contains("[redacted:"), "{result:?}");
        assert!(view.progress.iter().any(|line| line.contains("[redacted:")), "{:?}", view.progress);
        let records = audit(&frontend, AuditFilter { dispatch: Some(job), ..AuditFilter::default() }).await;
        let all = format!("{:?} {:?} {records:?}", view.progress, result.error);
        assert!(!all.contains(&hidden), "{all}");
        assert_eq!(
            records
                .iter()
                .filter(|it| it.reason.as_ref().is_some_and(|it| it.contains("[redacted:")))
                .count(),
            2
        );
    });
}

#[test]
fn an_exact_task_context_or_answer_is_found_and_nothing_else() {
    let world = World::with_worker();
    world.script("say it is blue");
    dispatch(&world, &["which colour?", "--context", "the sky"]);
    for (value, events) in [
        ("which colour?", vec!["requested"]),
        ("the sky", vec!["requested"]),
        ("it is blue", vec!["finished"]),
    ] {
        let found = world.run(&["audit", "hash", value, "--json"]).ok().json();
        let told: Vec<&Value> = found["records"].as_array().unwrap().iter().map(|it| &it["event"]).collect();
        assert_eq!(told, events, "{value}");
        assert_eq!(found["digest"].as_str().map(str::len), Some(32));
        let piped =
            world.run_with_input(&["audit", "hash", "-", "--json"], &format!("{value}\n")).ok().json();
        assert_eq!(piped, found, "a line feed at the end is not a part of it");
    }
    let text = world.run(&["audit", "hash", "it is blue"]).ok().stdout;
    assert!(text.starts_with("digest        ") && text.contains("finished"), "{text}");
    let nothing = world.run(&["audit", "hash", "it is"]).exits(1);
    assert_eq!((nothing.stdout.lines().count(), nothing.stderr.as_str()), (1, "It passed in no record.\n"));
    assert_eq!(world.run(&["audit", "hash", "it is", "--json"]).exits(1).json()["records"], json!([]));
}

#[test]
fn another_key_is_noticed_and_finds_nothing_from_before() {
    let world = World::with_worker();
    world.script("say it is blue");
    dispatch(&world, &["which colour?"]);
    let key = world.home().join(".local/state/agent-dispatch/audit.key");
    let before = std::fs::read_to_string(&key).unwrap();
    world.run(&["daemon", "stop"]).ok();
    world.run(&["audit", "hash", "it is blue"]).ok();
    assert!(records_of(&world, "key_replaced").is_empty(), "the same key after a restart is no other");
    world.run(&["daemon", "stop"]).ok();
    std::fs::remove_file(&key).unwrap();
    let told = world.run(&["audit", "hash", "it is blue"]).exits(1).stderr;
    assert!(told.contains("made with another key: it may have passed there"), "{told}");
    assert_ne!(std::fs::read_to_string(&key).unwrap(), before);
    let replaced = records_of(&world, "key_replaced");
    assert_eq!(replaced.len(), 1);
    assert_ne!(replaced[0]["details"]["before"], replaced[0]["details"]["after"]);
    assert!(!serde_json::to_string(&replaced).unwrap().contains(before.trim()), "the key itself is nowhere");
    world.run(&["audit", "verify"]).ok();

    world.run(&["daemon", "stop"]).ok();
    std::fs::write(&key, "damaged").unwrap();
    let refused = world.run(&["dispatch", "worker", "look"]).exits(5);
    assert!(refused.stderr.contains("audit.key"), "{}", refused.stderr);
    std::fs::remove_file(&key).unwrap();
}

#[test]
fn the_value_of_a_variable_that_is_set_for_an_agent_is_told_nowhere_whatever_its_name() {
    let world = World::with_worker();
    let set = |value: &str| world.run(&["update", "worker", "--env-set", &format!("DB_PASS={value}")]).ok();
    let mut told = vec![set("hunter2"), set("hunter3")];
    let reads: [&[&str]; 7] = [
        &["audit", "--json"],
        &["audit", "show", "1"],
        &["audit", "show", "2"],
        &["describe", "worker"],
        &["describe", "worker", "--json"],
        &["list", "--json"],
        &["doctor"],
    ];
    told.extend(reads.iter().map(|read| world.run(read)));
    world.run(&["update", "worker", "--env-set", "DB_PASS=hunter2", "--timeout", "5"]).ok();
    world.run(&["remove", "worker"]).ok();
    told.push(world.run(&["audit", "export"]).ok());
    for done in told {
        assert!(!format!("{}{}", done.stdout, done.stderr).contains("hunter"), "{done:?}");
    }
    let records = records_of(&world, "config_changed");
    let [first, second, ..] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&first["reason"], &second["reason"]), (&json!("agent updated: env.set"), &first["reason"]));
    let after = |record: &Value| record["details"]["after"].as_str().unwrap().to_owned();
    assert!(after(first).ends_with("DB_PASS: <hidden>\n"), "{first:#}");
    assert!(after(second).ends_with("DB_PASS: <hidden, changed>\n"), "{second:#}");
}
