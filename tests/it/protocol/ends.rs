//! How a server ends: at once, whatever ends it, and with what becomes of the work.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::client::{Client, Home};

/// What is promised: Claude Code kills a server half a second after it asked it to go. A busy machine may take longer; a
/// server that waits for something does so every time.
const PROMISED: Duration = Duration::from_millis(300);

/// No end takes longer than this, however busy the machine is.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// How often an end may take longer than is promised.
const TRIES: usize = 40;

/// Cancelled work is stopped within this: the graces of the ladder, and a busy machine.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// What a client does to be rid of its server.
const WAYS: [Option<Signal>; 4] = [None, Some(Signal::INT), Some(Signal::TERM), Some(Signal::HUP)];

/// Ends a server, and returns how long that took.
#[track_caller]
fn end(client: &mut Client, way: Option<Signal>) -> Duration {
    match way {
        None => client.close(),
        Some(signal) => client.signal(signal),
    }
    let (status, took) = client.wait();
    assert!(status.success(), "{way:?}: {status}");
    assert!(took < ENDS_WITHIN, "{way:?}: {took:?}");
    took
}

#[test]
fn an_idle_server_ends_at_once() {
    let home = Home::new();
    for way in WAYS {
        let kept = (0..TRIES).any(|_| {
            let mut client = home.client();
            client.document("list_agents", &json!({}));
            end(&mut client, way) < PROMISED
        });
        assert!(kept, "{way:?}");
    }
}

#[test]
fn a_server_that_nobody_has_spoken_to_ends_at_once() {
    let home = Home::new();
    let mut client = home.serve();
    end(&mut client, None);
    for way in WAYS.into_iter().flatten() {
        let mut client = home.serve();
        // Its handlers are in place when it answers.
        let ping = client.request("ping", &json!({}));
        client.result(ping);
        end(&mut client, Some(way));
    }
}

#[test]
fn a_server_ends_at_once_during_a_dispatch_which_is_cancelled() {
    let home = Home::new();
    let mut kept = 0;
    for (number, way) in WAYS.into_iter().cycle().take(TRIES).enumerate() {
        let mut client = home.client();
        let there = format!("there-{number}");
        let task = format!("fake: touch {}; hang", home.text_path(&there));
        let dispatch = client.start("dispatch", &json!({"agent": "worker", "task": task}));
        home.until_there(&there);
        let [job] = home.run_ids().try_into().expect("one job runs");
        kept += usize::from(end(&mut client, way) < PROMISED);
        assert!(!client.is_answered(dispatch), "{way:?}: nobody is there to read it");
        let began = Instant::now();
        home.until_gone(&job);
        assert!(began.elapsed() < STOPPED_WITHIN, "{way:?}: {:?}", began.elapsed());
        let status = home.client().document("dispatch_wait", &json!({"job_id": job}));
        assert_eq!(status["status"], "cancelled", "{way:?}: {status}");
        if number + 1 >= WAYS.len() && kept > 0 {
            return;
        }
    }
    panic!("not one server ended within {PROMISED:?}");
}

#[test]
fn a_dispatch_that_may_outlive_its_server_does() {
    let home = Home::with_settings("  on_disconnect: detach\n");
    let mut client = home.client();
    let task = format!("fake: touch {}; wait {}; say so there", home.text_path("one"), home.text_path("go"));
    client.start("dispatch", &json!({"agent": "worker", "task": task}));
    home.until_there("one");
    let [job] = home.run_ids().try_into().expect("one job runs");
    end(&mut client, Some(Signal::TERM));
    home.make("go");
    let done = home.client().document("dispatch_wait", &json!({"job_id": job}));
    assert_eq!(done["result"]["result"], "so there", "{done}");
}

#[test]
fn work_in_the_background_goes_on_and_is_answered_to_another_server() {
    let home = Home::new();
    for (number, way) in WAYS.into_iter().enumerate() {
        let mut client = home.client();
        let (there, go) = (format!("there-{number}"), format!("go-{number}"));
        let task = format!(
            "fake: touch {}; wait {}; say late {number}",
            home.text_path(&there),
            home.text_path(&go)
        );
        let started = client.document("dispatch_async", &json!({"agent": "worker", "task": task}));
        home.until_there(&there);
        end(&mut client, way);
        home.make(&go);
        let mut second = home.client();
        second.document("dispatch_wait", &json!({"job_id": started["job_id"]}));
        let fetched = second.document("fetch_result", &json!({"ref": started["job_id"]}));
        assert_eq!(fetched["result"], format!("late {number}"), "{way:?}: {fetched}");
    }
}

#[test]
fn what_was_asked_before_the_input_ended_is_answered() {
    let home = Home::new();
    let mut client = home.client();
    let calls: Vec<i64> = (0..20).map(|_| client.start("list_agents", &json!({}))).collect();
    client.close();
    for call in calls {
        assert!(client.finished(call)["agents"].is_array());
    }
    assert!(client.wait().0.success());
}
