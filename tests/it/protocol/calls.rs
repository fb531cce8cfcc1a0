//! Many calls at once, calls that are taken back, and what is told meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Home, SOON};
use crate::real::until;

/// Starts a dispatch that goes on until `go` is made, and returns its request's id once it runs.
fn start_waiting(home: &Home, client: &mut Client, name: &str) -> i64 {
    let (there, go) = (home.text_path(name), home.text_path("go"));
    let task = format!("fake: touch {there}; wait {go}; say {name} is done");
    let id = client.start("dispatch", &json!({"agent": "worker", "task": task}));
    home.until_there(name);
    id
}

#[test]
fn pings_are_answered_at_once_while_a_dispatch_runs() {
    let home = Home::new();
    let client = &mut home.client();
    let dispatch = start_waiting(&home, client, "one");
    let began = Instant::now();
    let pings: Vec<i64> = (0..20).map(|_| client.request("ping", &json!({}))).collect();
    for ping in pings {
        assert_eq!(client.result(ping), json!({}));
    }
    // Thousandths of this are enough, on a machine that does nothing else.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!client.is_answered(dispatch));
    home.make("go");
    assert_eq!(client.finished(dispatch)["result"], "one is done");
}

#[test]
fn twenty_dispatches_at_once_are_all_answered() {
    let home = Home::with_settings("  max_concurrency: 4\n");
    let client = &mut home.client();
    let calls: Vec<(i64, String)> = (0..20)
        .map(|number| {
            let said = format!("answer {number}");
            let agent = if number % 2 == 0 { "worker" } else { "other" };
            (client.start("dispatch", &json!({"agent": agent, "task": format!("fake: say {said}")})), said)
        })
        .collect();
    for (id, said) in calls {
        assert_eq!(client.finished(id)["result"], *said);
    }
}

#[test]
fn the_same_at_the_same_time_is_done_once() {
    let home = Home::new();
    let client = &mut home.client();
    let task =
        format!("fake: count-starts {}; wait {}; say once", home.text_path("starts"), home.text_path("go"));
    let arguments = json!({"agent": "worker", "task": task});
    let calls: Vec<i64> = (0..5).map(|_| client.start("dispatch", &arguments)).collect();
    home.until_there("starts");
    home.make("go");
    let answers: Vec<Value> = calls.into_iter().map(|id| client.finished(id)).collect();
    let joined = answers.iter().filter(|answer| answer["joined"] == true).count();
    let cached = answers.iter().filter(|answer| answer["cached"] == true).count();
    assert_eq!(joined + cached, 4, "{answers:#?}");
    assert!(answers.iter().all(|answer| answer["result"] == "once"), "{answers:#?}");
    assert_eq!(crate::client::read(&home.path("starts")).lines().count(), 1);
}

#[test]
fn a_call_that_is_taken_back_stops_what_it_started_and_is_not_answered() {
    let home = Home::new();
    let client = &mut home.client();
    let task = format!(
        "fake: setsid-grandchild {}; touch {}; hang",
        home.text_path("grandchild"),
        home.text_path("there")
    );
    let dispatch = client.start("dispatch", &json!({"agent": "worker", "task": task}));
    home.until_there("there");
    let [job] = home.run_ids().try_into().expect("one job runs");
    client.take_back(dispatch);
    home.until_gone(&job);
    let status = client.document("dispatch_wait", &json!({"job_id": job}));
    assert_eq!(status["status"], "cancelled", "{status}");
    assert_eq!(status["result"]["error_type"], "cancelled", "{status}");
    assert!(!client.is_answered(dispatch), "a call that was taken back is answered");
    // It can be asked again, and gets a run of its own.
    assert_ne!(start_and_take_back(&home, client, &task), job);
    assert!(!client.is_answered(dispatch));
}

fn start_and_take_back(home: &Home, client: &mut Client, task: &str) -> String {
    let id = client.start("dispatch", &json!({"agent": "worker", "task": task}));
    let job = until(SOON, || home.run_ids().pop()).expect("it runs");
    client.take_back(id);
    home.until_gone(&job);
    job
}

#[test]
fn calls_taken_back_before_they_could_start_anything_leave_nothing() {
    let home = Home::with_settings("  max_concurrency: 1\n");
    let client = &mut home.client();
    let first = start_waiting(&home, client, "one");
    // One in the queue; one that may not even have been decided; one that was not even read.
    let queued = client.start("dispatch", &json!({"agent": "worker", "task": "fake: say queued; hang"}));
    let job = until(SOON, || home.folders().into_iter().find(|id| !home.run_ids().contains(id)));
    client.take_back(queued);
    let quick = client.start("dispatch", &json!({"agent": "other", "task": "fake: say quick; hang"}));
    client.take_back(quick);
    let status = client.document("dispatch_wait", &json!({"job_id": job.expect("it waits for its turn")}));
    assert_eq!((&status["status"], &status["started_at"]), (&json!("cancelled"), &Value::Null), "{status}");
    home.make("go");
    assert_eq!(client.finished(first)["result"], "one is done");
    let empty = until(SOON, || home.folders().is_empty().then_some(()));
    assert!(empty.is_some(), "left: {:?}", home.folders());
    assert!(!client.is_answered(queued) && !client.is_answered(quick));
}

#[test]
fn a_wait_that_is_taken_back_leaves_the_job_alone() {
    let home = Home::new();
    let client = &mut home.client();
    let task = format!("fake: touch {}; wait {}; say at last", home.text_path("one"), home.text_path("go"));
    let started = client.document("dispatch_async", &json!({"agent": "worker", "task": task}));
    let job = started["job_id"].clone();
    home.until_there("one");
    let wait = client.start("dispatch_wait", &json!({"job_id": job}));
    client.take_back(wait);
    let running = client.document("dispatch_status", &json!({"job_id": job}));
    assert_eq!(running["status"], "running", "{running}");
    home.make("go");
    let done = client.document("dispatch_wait", &json!({"job_id": job}));
    assert_eq!(done["result"]["result"], "at last", "{done}");
    assert!(!client.is_answered(wait));
}

#[test]
fn progress_is_told_to_those_who_gave_a_token_and_only_grows() {
    let home = Home::new();
    let client = &mut home.client();
    let steps =
        (0..12).map(|step| format!("tool Bash step-{step}; delay 250; ")).collect::<Vec<_>>().concat();
    for (number, token) in [json!("tok"), json!(7), Value::Null].into_iter().enumerate() {
        client.notifications.clear();
        let task = format!("fake: {steps}say done {number}");
        let mut params = json!({"name": "dispatch", "arguments": {"agent": "worker", "task": task}});
        if !token.is_null() {
            params["_meta"] = json!({"progressToken": token});
        }
        let id = client.request("tools/call", &params);
        assert_eq!(client.finished(id)["result"], format!("done {number}"));
        let told = &client.notifications;
        if token.is_null() {
            assert!(told.is_empty(), "nobody asked for {told:#?}");
            continue;
        }
        assert!(told.len() >= 2, "{told:#?}");
        let mut last = -1.0;
        for step in told {
            assert_eq!(step["method"], "notifications/progress", "{step}");
            assert_eq!(step["params"]["progressToken"], token, "{step}");
            let progress = step["params"]["progress"].as_f64().expect("it is a number");
            assert!(progress > last, "{told:#?}");
            last = progress;
        }
        let messages: Vec<&str> = told.iter().filter_map(|step| step["params"]["message"].as_str()).collect();
        assert!(messages.iter().any(|message| message.contains("Bash step-")), "{messages:#?}");
    }
}

#[test]
fn a_wait_tells_of_progress_too() {
    let home = Home::new();
    let client = &mut home.client();
    let task = format!("fake: delay 300; tool Bash look; wait {}; say x", home.text_path("go"));
    let job = client.document("dispatch_async", &json!({"agent": "worker", "task": task}))["job_id"].clone();
    let wait =
        json!({"name": "dispatch_wait", "arguments": {"job_id": job}, "_meta": {"progressToken": "w"}});
    let wait = client.request("tools/call", &wait);
    while !client
        .notifications
        .iter()
        .any(|it| it["params"]["message"].as_str().is_some_and(|it| it.contains("Bash")))
    {
        assert!(client.hear(SOON), "nothing is told: {:#?}", client.notifications);
    }
    home.make("go");
    assert_eq!(client.finished(wait)["status"], "done");
}

#[test]
fn a_client_that_does_not_read_does_not_keep_its_server() {
    let home = Home::new();
    let client = &mut home.client();
    let long = client.document("dispatch", &json!({"agent": "worker", "task": "fake: flood 2000000"}));
    let deaf = &mut home.deaf_client();
    for _ in 0..20 {
        deaf.start("fetch_result", &json!({"ref": long["ref"], "max_chars": 500_000}));
    }
    deaf.signal(rustix::process::Signal::TERM);
    let (status, took) = deaf.wait_deaf();
    assert!(status.success() && took < Duration::from_secs(1), "{status} {took:?}");
}

#[test]
fn nothing_but_the_protocol_is_on_standard_output_however_much_is_logged() {
    let home = Home::new();
    let client = &mut home.serve_with(&[("AGENT_DISPATCH_LOG", "trace"), ("RUST_LOG", "trace")]);
    client.initialize("2025-11-25");
    client.send_line(b"\x00\xff not a message");
    client.document("list_agents", &json!({}));
    client.document("dispatch", &json!({"agent": "worker", "task": "fake: garbage; stderr oops; say clean"}));
    client.failure("dispatch", &json!({"agent": "nobody", "task": "x"}));
    client.close();
    // Each line is checked as it is heard.
    assert!(client.wait().0.success());
    assert!(home.stderr().lines().count() > 10, "nothing was logged");
}
