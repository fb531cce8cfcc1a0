//! Keeping and cleaning through both doors: what is old goes, what lives stays, and all of it is told and recorded.

use std::fs;
use std::path::PathBuf;

use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::audit::{Code, Record};
use serde_json::{Value, json};

use crate::client::{Client, Home};
use crate::scene::{self, Scene, on_runtime};
use crate::world::{Done, World};

/// An age so short that everything that has ended is older.
const ANY: &str = "0.00000001";

fn state(world: &World) -> PathBuf {
    world.home().join(".local/state/agent-dispatch")
}

fn counts(document: &Value) -> Vec<&Value> {
    ["cache_entries", "sessions", "decisions", "orphan_pieces", "run_folders"]
        .map(|name| &document[name])
        .into()
}

#[test]
fn where_there_is_no_store_nothing_goes_and_nothing_is_started() {
    let world = World::new();
    for arguments in [&["gc"][..], &["gc", "--all"], &["gc", "--dry-run"]] {
        assert_eq!(world.run(arguments).ok().stdout, "nothing to remove\n");
    }
    assert_eq!(world.run(&["gc", "-q"]).ok().stdout, "");
    let told = world.run(&["gc", "--json"]).ok().json();
    assert_eq!((&told["purged"], &told["max_age_days"]), (&json!(0), &json!(7.0)));
    assert_eq!((world.processes(), state(&world).exists()), (Vec::new(), false));
}

#[test]
fn what_a_dry_run_names_goes_and_what_runs_stays() {
    let world = World::with_worker();
    world.script("say well");
    for task in ["one", "two", "three"] {
        world.run(&["dispatch", "worker", task]).ok();
    }
    world.script("touch @there; wait @go; say slowly");
    let running = world.run(&["dispatch", "worker", "four", "--async"]).ok().stdout.trim_end().to_owned();
    world.appears("there");
    let records = world.run(&["audit", "verify", "--json"]).ok().json()["records"].clone();
    assert_eq!(world.run(&["gc", "--dry-run"]).ok().stdout, "nothing to remove\n");

    let dry = world.run(&["gc", "--days", ANY, "--dry-run", "--json"]).ok().json();
    assert_eq!((&dry["purged"], &dry["would_purge"], &dry["dry_run"]), (&json!(0), &json!(3), &json!(true)));
    let listed = world.run(&["jobs", "--status", "done", "--json"]).ok().json();
    let ids: Vec<&Value> = listed.as_array().unwrap().iter().map(|job| &job["id"]).collect();
    assert_eq!(dry["job_ids"].as_array().unwrap().iter().collect::<Vec<_>>(), ids);
    let table = world.run(&["gc", "--all", "--dry-run"]).ok().stdout;
    assert!(table.starts_with("JOB ") && table.contains("  three\n"), "{table}");
    assert!(table.ends_with("\nwould remove 3 jobs, 3 conversations, 3 cached answers\n"), "{table}");
    // Nothing was changed, not even the audit trail.
    assert_eq!(world.run(&["audit", "verify", "--json"]).ok().json()["records"], records);

    let removed = world.run(&["gc", "--days", ANY, "--json"]).ok().json();
    assert_eq!((&removed["purged"], &removed["would_purge"]), (&json!(3), &Value::Null));
    assert_eq!(counts(&removed), counts(&dry));
    let left = world.run(&["jobs", "--json"]).ok().json();
    assert_eq!(left.as_array().unwrap().iter().map(|job| &job["id"]).collect::<Vec<_>>(), [&json!(running)]);
    let record = world.run(&["audit", "-n", "1", "--json"]).ok().json()[0].clone();
    assert_eq!((&record["event"], &record["caller"]["client"]), (&json!("gc"), &json!("cli")));
    let details = &record["details"];
    assert_eq!((&details["jobs"], &details["sessions"]), (&json!("3"), &json!("3")), "{record}");
    assert!(
        record["reason"].as_str().unwrap().starts_with("removed 3 jobs that ended before 20"),
        "{record}"
    );

    // The answer went with its job: it is asked for again.
    world.script("say again");
    assert_eq!(world.run(&["dispatch", "worker", "one"]).ok().stdout, "again\n");
    world.touch("go");
    assert_eq!(world.run(&["wait", &running]).ok().stdout, "slowly\n");
    assert_eq!(world.run(&["gc", "--all", "-q"]).ok().stdout, "");
    assert_eq!(world.run(&["jobs", "--json"]).ok().json(), json!([]));
    assert_eq!(world.run(&["sessions", "--json"]).ok().json(), json!([]));
    world.run(&["audit", "verify"]).ok();
}

#[test]
fn cron_finds_the_daemon_of_a_session_and_a_session_that_of_cron() {
    let world = World::with_worker();
    world.script("say well");
    let runtime = world.path("run");
    fs::create_dir_all(&runtime).unwrap();
    let in_session = |arguments: &[&str]| {
        let mut command = world.agent_dispatch(arguments);
        command.env("XDG_RUNTIME_DIR", &runtime);
        Done::of(command).ok().stdout
    };
    let daemons = || world.processes().iter().filter(|(_, line)| line.contains(" daemon ")).count();
    in_session(&["dispatch", "worker", "one"]);
    assert_eq!(world.run(&["gc", "--all"]).ok().stdout, "removed 1 job, 1 conversation, 1 cached answer\n");
    assert_eq!(daemons(), 1);
    assert_eq!(world.run(&["daemon", "stop"]).ok().stdout, "stopped\n");
    assert_eq!(world.run(&["gc"]).ok().stdout, "nothing to remove\n");
    assert_eq!(in_session(&["jobs", "--json"]), "[]\n");
    assert_eq!(daemons(), 1);
    assert_eq!(in_session(&["daemon", "stop"]), "stopped\n");
}

#[test]
fn an_age_that_is_none_removes_nothing() {
    let world = World::with_worker();
    world.script("say well");
    world.run(&["dispatch", "worker", "one"]).ok();
    for days in ["0", "-1", "-0.5", "nan", "inf", "1e300", "soon"] {
        let refused = world.run(&["gc", "--days", days]).exits(2);
        assert!(refused.stderr.contains("--days"), "{refused:?}");
    }
    world.run(&["gc", "--all", "--days", "1"]).exits(2);
    let home = Home::new();
    let client = &mut home.client();
    for days in [json!(0), json!(-3), json!("-0.1"), json!(1e300)] {
        let failure = client.failure("dispatch_gc", &json!({"max_age_days": days}));
        assert_eq!(failure["code"], "invalid_age", "{failure}");
    }
    assert_eq!(world.run(&["jobs", "--json"]).ok().json().as_array().unwrap().len(), 1);
}

#[test]
fn settings_that_cannot_be_read_remove_nothing_unless_an_age_is_typed() {
    let world = World::with_worker();
    world.script("say well");
    world.run(&["dispatch", "worker", "one"]).ok();
    let good = fs::read_to_string(world.config_file()).unwrap();
    world.config("agents: [\n");
    world.run(&["gc"]).exits(3);
    assert_eq!(world.run(&["gc", "--days", "1"]).ok().stdout, "nothing to remove\n");
    world.config(&format!("{good}settings:\n  job_retention_days: 30\n"));
    assert_eq!(world.run(&["gc", "--json"]).ok().json()["max_age_days"], 30.0);
    world.config("agents: [\n");
    assert_eq!(world.run(&["gc", "--all", "--json"]).ok().json()["purged"], 1);
}

#[test]
fn stores_that_were_set_aside_are_shown_and_never_removed() {
    let world = World::new();
    world.run(&["jobs"]).ok();
    let aside = state(&world).join("store.corrupt-2026-11-21T10-15-00.000Z");
    fs::create_dir_all(&aside).unwrap();
    fs::write(aside.join("db"), [0; 3000]).unwrap();
    let told = world.run(&["gc", "--all"]).ok().stdout;
    let line = format!("kept          {0} (2.9 KiB); remove it with: rm -r {0}\n", aside.display());
    assert_eq!(told, format!("nothing to remove\n{line}"));
    let kept = json!([{"path": aside, "bytes": 3000, "remove_with": format!("rm -r {}", aside.display())}]);
    assert_eq!(world.run(&["gc", "--json"]).ok().json()["kept"], kept);
    assert!(aside.join("db").exists());
}

#[test]
fn a_run_folder_goes_when_its_job_is_long_gone_and_at_no_other_time() {
    let world = World::with_worker();
    world.script("touch @there; wait @go; say slowly");
    let running = world.run(&["dispatch", "worker", "one", "--async"]).ok().stdout.trim_end().to_owned();
    world.appears("there");
    let folder = |job: &str| state(&world).join("runs").join(job);
    // One from 2020, and one whose job was admitted a moment ago, as far as its id tells.
    let (old, fresh) = ("0170000000007000800000000000abcd", format!("{}{}", &running[..12], "0".repeat(20)));
    for (job, file) in [(old, "prompt"), (fresh.as_str(), "prompt"), ("not-a-job", "notes")] {
        fs::create_dir_all(folder(job)).unwrap();
        fs::write(folder(job).join(file), "x").unwrap();
    }
    let dry = world.run(&["gc", "--dry-run", "--json"]).ok().json();
    assert_eq!(dry["run_folders"], 1);
    assert!(folder(old).exists());
    assert_eq!(world.run(&["gc"]).ok().stdout, "removed 1 run folder\n");
    let there = [old, fresh.as_str(), "not-a-job", running.as_str()].map(|job| folder(job).exists());
    assert_eq!(there, [false, true, true, true]);
    world.touch("go");
    assert_eq!(world.run(&["wait", &running]).ok().stdout, "slowly\n");
}

/// Dispatches and returns the document.
fn ask(client: &mut Client, task: &str) -> Value {
    client.document("dispatch", &json!({"agent": "worker", "task": format!("fake: say {task}")}))
}

#[test]
fn the_tool_tells_in_the_keys_of_the_original() {
    let home = Home::new();
    let client = &mut home.client();
    let (one, two) = (ask(client, "one"), ask(client, "two"));
    let usual = client.document("dispatch_gc", &json!({}));
    assert_eq!((&usual["purged"], &usual["max_age_days"]), (&json!(0), &json!(7.0)), "{usual}");
    let dry = client.document("dispatch_gc", &json!({"max_age_days": 1e-8, "dry_run": true}));
    let ids = json!([two["job_id"], one["job_id"]]);
    let want = json!({
        "dry_run": true, "purged": 0, "would_purge": 2, "job_ids": ids, "max_age_days": 1e-8, "cache_entries": 2,
        "sessions": 2, "decisions": 0, "orphan_pieces": 0, "run_folders": 0,
    });
    assert_eq!(dry, want);
    let removed = client.document("dispatch_gc", &json!({"max_age_days": "0.00000001"}));
    assert_eq!((&removed["purged"], &removed["dry_run"]), (&json!(2), &Value::Null), "{removed}");
    assert_eq!(counts(&removed), counts(&dry));
    let gone = client.failure("dispatch_status", &json!({"job_id": one["job_id"]}));
    assert_eq!(gone["code"], "not_found", "{gone}");
    assert_eq!(client.document("dispatch_jobs", &json!({})), json!({"jobs": []}));
}

#[test]
fn the_cache_is_shown_and_emptied() {
    let home = Home::new();
    let client = &mut home.client();
    let empty = client.document("cache_stats", &json!({}));
    let want = json!({
        "enabled": true, "size": 0, "max_size": 1000, "hits": 0, "misses": 0, "evictions": 0, "hit_rate": 0.0, "ttl": 300,
    });
    assert_eq!(empty, want);
    let first = ask(client, "one");
    assert_eq!(ask(client, "one")["cached"], true);
    ask(client, "two");
    let stats = client.document("cache_stats", &json!({}));
    assert_eq!(
        [&stats["size"], &stats["hits"], &stats["misses"]],
        [&json!(2), &json!(1), &json!(2)],
        "{stats}"
    );
    assert_eq!(stats["hit_rate"], 0.333);
    assert_eq!(client.document("cache_clear", &json!({})), json!({"cleared": 2}));
    assert_eq!(client.document("cache_stats", &json!({})), empty);
    assert_eq!(ask(client, "one")["cached"], Value::Null);
    // Its job stayed.
    assert_eq!(client.document("fetch_result", &json!({"ref": first["job_id"]}))["result"], "one");

    home.configure(&home.usual_configuration("  cache: {enabled: false}\n"));
    for tool in ["cache_stats", "cache_clear"] {
        let off = client.document(tool, &json!({}));
        assert_eq!(off["enabled"], false, "{off}");
        assert!(off["message"].as_str().is_some_and(|it| it.contains("cache.enabled")), "{off}");
    }
}

#[test]
fn the_cache_forgets_what_is_too_old_and_says_so_to_the_command_line() {
    let world = World::with_worker();
    let good = fs::read_to_string(world.config_file()).unwrap();
    world.script("say well");
    world.run(&["dispatch", "worker", "one"]).ok();
    assert_eq!(world.run(&["cache", "stats", "--json"]).ok().json()["size"], 1);
    assert!(world.run(&["cache", "stats"]).ok().stdout.starts_with("answers       1 of at most 1000\n"));
    assert_eq!(world.run(&["cache", "clear"]).ok().stdout, "forgot 1 answer\n");
    assert_eq!(world.run(&["cache", "clear", "--json"]).ok().json(), json!({"cleared": 0}));
    let records = world.run(&["audit", "-n", "2", "--json"]).ok().json();
    assert_eq!(
        (&records[1]["event"], &records[1]["details"]["cache_entries"]),
        (&json!("cache_cleared"), &json!("1"))
    );
    world.config(&format!("{good}settings:\n  cache: {{ttl: 0}}\n"));
    let off = world.run(&["cache", "stats"]).ok().stdout;
    assert!(off.starts_with("The cache is switched off"), "{off}");
    assert_eq!(world.run(&["cache", "clear"]).ok().stdout, off);
}

#[test]
fn jobs_are_listed_by_status_and_agent_newest_first() {
    let home = Home::new();
    let client = &mut home.client();
    let one = ask(client, "one");
    let failed = client.failure("dispatch", &json!({"agent": "other", "task": "fake: error 529 overloaded"}));
    let task = format!("fake: touch {}; wait {}; say x", home.text_path("there"), home.text_path("go"));
    let running =
        client.document("dispatch_async", &json!({"agent": "worker", "task": task}))["job_id"].clone();
    home.until_there("there");
    let mut listed = |arguments: Value| -> Vec<Value> {
        let told = client.document("dispatch_jobs", &arguments);
        told["jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect()
    };
    let (one, failed) = (one["job_id"].clone(), failed["job_id"].clone());
    assert_eq!(listed(json!({})), [&running, &failed, &one].map(Clone::clone));
    assert_eq!(listed(json!({"limit": 1})), std::slice::from_ref(&running));
    assert_eq!(listed(json!({"limit": -5})), std::slice::from_ref(&running));
    assert_eq!(listed(json!({"status": " DONE "})), std::slice::from_ref(&one));
    assert_eq!(listed(json!({"status": "failed", "agent": "other"})), [failed]);
    assert_eq!(listed(json!({"agent": "worker"})), [running, one]);
    for status in ["pending", "cancelled", "interrupted"] {
        assert_eq!(listed(json!({"status": status})).len(), 0, "{status}");
    }
    assert_eq!(listed(json!({"agent": "nobody"})).len(), 0);
    let refused = client.failure("dispatch_jobs", &json!({"status": "lost"}));
    assert_eq!(refused["code"], "invalid_arguments");
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("pending, running, done, failed, cancelled, interrupted"), "{error}");
    home.make("go");
}

#[test]
fn conversations_are_listed_with_the_way_to_go_on() {
    let home = Home::new();
    let client = &mut home.client();
    assert_eq!(client.document("dispatch_sessions", &json!({})), json!({"sessions": []}));
    let first =
        client.document("dispatch", &json!({"agent": "worker", "task": "fake: cost 0.5; turns 3; say one"}));
    client.document("dispatch", &json!({"agent": "other", "task": "fake: say two"}));
    let task = format!("fake: wait {}; cost 0.25; turns 1; say on", home.text_path("go"));
    let arguments = json!({"agent": "worker", "task": task, "session_id": first["session_id"]});
    let job = client.document("dispatch_async", &arguments)["job_id"].clone();

    let busy = client.document("dispatch_sessions", &json!({"agent": "worker"}));
    let session = &busy["sessions"][0];
    assert_eq!(
        (&session["session_id"], &session["resumable"]),
        (&first["session_id"], &json!(false)),
        "{busy}"
    );
    assert!(session["why_not"].as_str().unwrap().contains(job.as_str().unwrap()), "{busy}");
    assert_eq!(busy["message"], Value::Null);
    home.make("go");
    client.document("dispatch_wait", &json!({"job_id": job}));

    let all = client.document("dispatch_sessions", &json!({}));
    let sessions = all["sessions"].as_array().unwrap();
    assert_eq!(sessions.iter().map(|it| &it["agent"]).collect::<Vec<_>>(), ["worker", "other"]);
    let session = &sessions[0];
    assert_eq!(
        (&session["dispatches"], &session["turns"], &session["cost_usd"]),
        (&json!(2), &json!(4), &json!(0.75))
    );
    assert_eq!((&session["last_job"], &session["resumable"]), (&job, &json!(true)));
    assert!(session["last_task"].as_str().unwrap().starts_with("fake: wait "), "{session}");
    let how = all["message"].as_str().unwrap();
    assert!(how.contains(&format!("session_id=\"{}\"", first["session_id"].as_str().unwrap())), "{how}");
    assert_eq!(
        client.document("dispatch_sessions", &json!({"limit": 1}))["sessions"].as_array().unwrap().len(),
        1
    );

    home.configure("agents: {}\n");
    let gone = client.document("dispatch_sessions", &json!({}));
    assert!(
        gone["sessions"][0]["why_not"].as_str().unwrap().contains("there is no agent `worker`"),
        "{gone}"
    );
}

#[test]
fn the_command_line_lists_conversations() {
    let world = World::with_worker();
    assert_eq!(world.run(&["sessions"]).ok().stderr, "There are no conversations.\n");
    world.script("cost 0.25; turns 2; say well");
    let first = world.run(&["dispatch", "worker", "one", "--json"]).ok().json();
    let id = first["session_id"].as_str().unwrap();
    let listed = world.run(&["sessions"]).ok();
    assert!(listed.stdout.starts_with("SESSION "), "{listed:?}");
    assert!(listed.stdout.contains(id) && listed.stdout.contains("$0.25") && listed.stdout.contains("yes"));
    let how = format!("Go on with one: agent-dispatch dispatch worker --session {id} \"...\"\n");
    assert_eq!(listed.stderr, how);
    world.run(&["dispatch", "worker", "two", "--session", id]).ok();
    let listed = world.run(&["sessions", "--agent", "worker", "--json"]).ok().json();
    assert_eq!(
        (&listed[0]["dispatches"], &listed[0]["last_task"], listed.as_array().unwrap().len()),
        (&json!(2), &json!("two"), 1)
    );
    assert_eq!(world.run(&["sessions", "--agent", "nobody", "--json"]).ok().json(), json!([]));
    world.run(&["sessions", "-n", "0"]).exits(2);
}

/// Returns the records of clean-ups.
async fn clean_ups(frontend: &agent_dispatch::dispatch::Frontend) -> Vec<Record> {
    let records = scene::audit(frontend, AuditFilter::default()).await;
    records.into_iter().filter(|record| record.event == Code::Gc).collect()
}

#[test]
fn the_settings_clean_up_once_a_day_whoever_starts() {
    let scene = Scene::with("job_retention_days: 30", "");
    on_runtime(async {
        let frontend = scene.frontend();
        // Without a store nothing is old, and none is made.
        frontend.gc_once_a_day().await;
        assert!(scene.daemons().is_empty() && !scene.environment().state.store().exists());
        scene::status(&frontend).await;
        let others = [scene.frontend(), scene.frontend(), scene.frontend()];
        futures_util::future::join_all(others.iter().map(agent_dispatch::dispatch::Frontend::gc_once_a_day))
            .await;
        frontend.gc_once_a_day().await;
        let [record] = clean_ups(&frontend).await.try_into().unwrap();
        assert_eq!(record.details["asked_by"], "the setting `job_retention_days`");
        assert_eq!(record.details["max_age"], format!("{} ms", 30_u64 * 86_400_000));
        assert_eq!(record.caller.unwrap().client, "agent-dispatch serve");
    });
}

#[test]
fn settings_that_say_nothing_or_nonsense_clean_up_nothing() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        scene::status(&frontend).await;
        frontend.gc_once_a_day().await;
        let file = scene.file("home/.config/agent-dispatch/agents.yaml");
        fs::write(file, "settings: {job_retention_days: 1}\nagents: [\n").unwrap();
        scene.frontend().gc_once_a_day().await;
        assert_eq!(clean_ups(&frontend).await, []);
    });
}

#[test]
fn a_server_cleans_up_by_itself_after_its_start() {
    let home = Home::with_settings("  job_retention_days: 1\n");
    let client = &mut home.client();
    ask(client, "one");
    let log = home.path(".local/state/agent-dispatch/daemon.log");
    let cleaned = crate::real::until(crate::client::SOON, || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("cleaned up")).then_some(())
    });
    assert!(cleaned.is_some(), "{}", fs::read_to_string(&log).unwrap());
    assert_eq!(client.document("dispatch_jobs", &json!({}))["jobs"].as_array().unwrap().len(), 1);
}
