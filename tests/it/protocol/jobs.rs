//! Jobs by their ids: waited for, one or several, looked at, cancelled.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Home, SOON};
use crate::real::until;

/// Starts a job that ends when the file is made.
fn start(home: &Home, client: &mut Client, file: &str) -> Value {
    let task = format!("fake: wait {}; say {file} it is", home.text_path(file));
    let mut started = client.document("dispatch_async", &json!({"agent": "worker", "task": task}));
    assert_eq!(started["agent"], "worker", "{started}");
    assert!(["pending", "running"].contains(&started["status"].as_str().expect("a text")), "{started}");
    started["job_id"].take()
}

#[test]
fn several_jobs_are_waited_for_in_any_spelling() {
    let home = Home::new();
    let client = &mut home.client();
    let (one, two) = (start(&home, client, "one"), start(&home, client, "two"));
    home.make("one");
    home.make("two");
    let (a, b) = (one.as_str().expect("a text"), two.as_str().expect("a text"));
    for ids in [json!([b, a]), json!(json!([b, a]).to_string()), json!(format!("{b}, {a}")), json!([b, a, b])]
    {
        let waited = client.document("dispatch_wait", &json!({"job_id": ids}));
        let said: Vec<&Value> =
            waited["jobs"].as_array().expect("a list").iter().map(|it| &it["result"]["result"]).collect();
        assert_eq!(said, ["two it is", "one it is"], "{ids}: {waited}");
        assert_eq!(waited["timed_out_waiting"], Value::Null);
    }
    let single = client.document("dispatch_wait", &json!({"job_id": [a]}));
    assert_eq!(single["result"]["result"], "one it is", "{single}");
}

#[test]
fn any_returns_with_the_first_and_all_with_the_last() {
    let home = Home::new();
    let client = &mut home.client();
    let (one, two) = (start(&home, client, "one"), start(&home, client, "two"));
    let any = client.start("dispatch_wait", &json!({"job_id": [one, two], "mode": "any"}));
    let all = client.start("dispatch_wait", &json!({"job_id": [one, two], "mode": "all"}));
    home.make("two");
    let any = client.finished(any);
    let states = |waited: &Value| [0, 1].map(|at| waited["jobs"][at]["status"].clone());
    assert_eq!(states(&any)[1], "done", "{any}");
    assert_ne!(states(&any)[0], "done", "{any}");
    assert_eq!(any["timed_out_waiting"], Value::Null, "{any}");
    assert!(!client.is_answered(all));
    home.make("one");
    assert_eq!(states(&client.finished(all)), ["done", "done"]);
}

#[test]
fn a_wait_ends_with_its_time_and_says_so() {
    let home = Home::new();
    let client = &mut home.client();
    let (one, two) = (start(&home, client, "one"), start(&home, client, "two"));
    home.make("one");
    client.document("dispatch_wait", &json!({"job_id": one}));
    let began = Instant::now();
    // 0 is taken as the shortest wait there is, one second.
    let waited = client.document("dispatch_wait", &json!({"job_id": two, "timeout_seconds": 0}));
    assert!((900..20_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!(waited["timed_out_waiting"], true, "{waited}");
    assert!(["pending", "running"].contains(&waited["status"].as_str().expect("a text")), "{waited}");
    let both = client.document("dispatch_wait", &json!({"job_id": [one, two], "timeout_seconds": 1}));
    assert_eq!(both["timed_out_waiting"], true, "{both}");
    assert_eq!(both["jobs"][0]["timed_out_waiting"], Value::Null, "{both}");
    assert_eq!(both["jobs"][1]["timed_out_waiting"], true, "{both}");
    home.make("two");
    let done = client.document("dispatch_wait", &json!({"job_id": two}));
    assert_eq!((&done["status"], &done["timed_out_waiting"]), (&json!("done"), &Value::Null), "{done}");
}

#[test]
fn a_job_says_what_it_was_asked_and_where_it_is() {
    let home = Home::new();
    let client = &mut home.client();
    let task = format!(
        "fake: tool Bash look; touch {}; wait {}; say x",
        home.text_path("there"),
        home.text_path("go")
    );
    let asked = json!({"agent": "worker", "task": task, "context": "some", "caller": "me", "goal": "an end"});
    let job = client.document("dispatch_async", &asked)["job_id"].clone();
    home.until_there("there");
    let mut status = Value::Null;
    // Its steps come a moment after they were made.
    let told = until(SOON, || {
        status = client.document("dispatch_status", &json!({"job_id": job}));
        status["progress"].is_array().then_some(())
    });
    assert!(told.is_some(), "{status}");
    assert!(status["progress"][0].as_str().is_some_and(|line| line.contains("Bash")), "{status}");
    assert!(status["progress_updated_at"].as_f64() >= status["created_at"].as_f64(), "{status}");
    for (key, want) in [
        ("id", job.clone()),
        ("agent", json!("worker")),
        ("task", json!(task)),
        ("context", json!("some")),
        ("caller", json!("me")),
        ("goal", json!("an end")),
        ("status", json!("running")),
        ("result", Value::Null),
        ("completed_at", Value::Null),
    ] {
        assert_eq!(status[key], want, "{key}: {status}");
    }
    assert!(status["created_at"].as_f64() > Some(1.7e9), "{status}");
    assert!(status["started_at"].as_f64() >= status["created_at"].as_f64(), "{status}");
    home.make("go");
    let done = client.document("dispatch_wait", &json!({"job_id": job}));
    assert_eq!((&done["status"], &done["result"]["success"]), (&json!("done"), &json!(true)), "{done}");
    assert!(done["completed_at"].as_f64() >= done["started_at"].as_f64(), "{done}");
}

#[test]
fn a_job_that_is_not_there_is_told_so() {
    let home = Home::new();
    let client = &mut home.client();
    let absent = "0123456789abcdef0123456789abcdef";
    for (tool, argument) in [
        ("dispatch_status", "job_id"),
        ("dispatch_wait", "job_id"),
        ("dispatch_cancel", "job_id"),
        ("fetch_result", "ref"),
    ] {
        for (id, code) in [
            (absent, "not_found"),
            ("nonsense", "invalid_id"),
            ("../../etc/passwd", "invalid_id"),
            ("", "invalid_id"),
        ] {
            let failure = client.failure(tool, &json!({ argument: id }));
            assert_eq!(failure["code"], code, "{tool} {id}: {failure}");
            assert!(failure["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{tool}: {failure}");
        }
    }
}

#[test]
fn a_job_is_cancelled_wherever_it_is() {
    let home = Home::with_settings("  max_concurrency: 1\n");
    let client = &mut home.client();
    let hang = format!("fake: touch {}; say so far; hang", home.text_path("there"));
    let running =
        client.document("dispatch_async", &json!({"agent": "worker", "task": hang}))["job_id"].clone();
    home.until_there("there");
    let waiting =
        client.document("dispatch_async", &json!({"agent": "worker", "task": "fake: say x"}))["job_id"]
            .clone();

    let cancelled = client.document("dispatch_cancel", &json!({"job_id": waiting}));
    assert_eq!((&cancelled["outcome"], &cancelled["status"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(cancelled["job_id"], waiting);
    // Another session does it.
    let cancelled = home.client().document("dispatch_cancel", &json!({"job_id": running}));
    assert_eq!(
        (&cancelled["outcome"], &cancelled["status"]),
        (&json!("cancelled_running"), &json!("running"))
    );
    assert!(cancelled["message"].is_string(), "{cancelled}");
    let ended = client.document("dispatch_wait", &json!({"job_id": running}));
    assert_eq!(ended["status"], "cancelled", "{ended}");
    home.until_gone(running.as_str().expect("a text"));
    for job in [&running, &waiting] {
        let again = client.document("dispatch_cancel", &json!({"job_id": job}));
        assert_eq!((&again["outcome"], &again["status"]), (&json!("already_terminal"), &json!("cancelled")));
        let fetched = client.document("fetch_result", &json!({"ref": job}));
        assert_eq!(fetched["status"], "cancelled", "{fetched}");
        assert!(
            fetched["error"].as_str().is_some_and(|error| error.contains("dispatch_cancel by raw 1.0")),
            "{fetched}"
        );
    }
}

#[test]
fn a_long_dispatch_hands_over_to_a_wait() {
    let home = Home::with_settings("  inline_wait_seconds: 1\n");
    let client = &mut home.client();
    let task = format!("fake: wait {}; say slowly", home.text_path("go"));
    let arguments = json!({"agent": "worker", "task": task});
    let began = Instant::now();
    let running = client.document("dispatch", &arguments);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(["pending", "running"].contains(&running["status"].as_str().expect("a text")), "{running}");
    assert_eq!((&running["success"], &running["result"]), (&Value::Null, &Value::Null), "{running}");
    let job = running["job_id"].as_str().expect("there is a job");
    assert!(running["message"].as_str().is_some_and(|it| it.contains(job)), "{running}");
    let again = client.start("dispatch", &arguments);
    home.make("go");
    let done = client.document("dispatch_wait", &json!({"job_id": job}));
    assert_eq!(done["result"]["result"], "slowly", "{done}");
    let again = client.finished(again);
    assert_eq!((&again["job_id"], &again["result"]), (&json!(job), &json!("slowly")), "{again}");
}

#[test]
fn a_conversation_goes_on_in_the_background() {
    let home = Home::new();
    let client = &mut home.client();
    let first = client.document("dispatch", &json!({"agent": "worker", "task": "fake: say hello"}));
    let arguments = json!({"agent": "worker", "task": "fake: say again", "session_id": first["session_id"]});
    let job = client.document("dispatch_async", &arguments)["job_id"].clone();
    let done = client.document("dispatch_wait", &json!({"job_id": job}));
    assert_eq!(done["result"]["result"], "again", "{done}");
    assert_eq!(done["session_id"], first["session_id"], "{done}");
}
