//! A dialogue that is not waited for to its end, what both sides are told beforehand, and how much of it comes back.

use std::collections::BTreeSet;
use std::future::pending;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use agent_dispatch::dispatch::{Dispatched, Patience};
use agent_dispatch::plan::dialogue::{Dialogue, Stop};
use serde_json::{Value, json};

use crate::client::{Client, Home};
use crate::protocol::several::fits;
use crate::scene::{Scene, on_runtime, status};

/// Makes a home in which each of these agents plays its script whatever it is asked.
fn playing(settings: &str, scripts: &[(&str, &str)]) -> Home {
    let home = Home::with_settings(settings);
    let mut text = home.usual_configuration(settings);
    for (agent, script) in scripts {
        let script = script.replace('@', &home.text_path(""));
        let env = format!("  {agent}:\n    env: {{set: {{FAKE_CLAUDE_SCRIPT: '{script}'}}}}\n");
        text = text.replace(&format!("  {agent}:\n"), &env);
    }
    home.configure(&text);
    home
}

/// Returns a dialogue that `worker` wants with `other`, with further arguments.
fn wanted(more: &Value) -> Value {
    let mut call = json!({"requester": "worker", "responder": "other", "topic": "which port?"});
    call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call
}

/// Returns what a turn was asked.
fn asked(client: &mut Client, turn: &Value) -> Value {
    client.document("dispatch_status", &json!({"job_id": turn["job_id"]}))
}

#[test]
fn a_turn_that_outlasts_the_wait_is_named_and_goes_on_by_itself() {
    // For each of its two turns.
    let settings = "  inline_wait_seconds: 1\n";
    let home = playing(settings, &[("other", "cost 0.5; say Port 80?"), ("worker", "wait @go; say 81")]);
    let client = &mut home.client();
    // What starts with the first dispatch is not to be waited for here.
    client.document("dispatch", &json!({"agent": "other", "task": "wake up"}));
    let document = client.document("dispatch_dialogue", &wanted(&json!({"max_rounds": 1})));
    fits(client, "dispatch_dialogue", &document);
    assert_eq!((&document["status"], &document["resolved"]), (&json!("wait_over"), &json!(false)));
    assert_eq!((&document["rounds"], &document["final_answer"]), (&json!(1), &json!("Port 80?")));
    assert_eq!(document["total_cost_usd"], 0.5, "{document:#}");
    let [said, running] = document["conversation"].as_array().unwrap().as_slice() else {
        panic!("{document:#}")
    };
    assert_eq!((&said["status"], &said["message"]), (&json!("done"), &json!("Port 80?")), "{said}");
    assert_eq!((&running["agent"], &running["role"]), (&json!("worker"), &json!("requester")), "{running}");
    assert_eq!((&running["status"], &running["round"]), (&json!("running"), &json!(1)), "{running}");
    assert!(running["message"].is_null() && running["error"].is_null(), "{running}");
    let job = running["job_id"].as_str().expect("it has an id");
    let message = document["message"].as_str().expect("there is something to do");
    assert!(message.contains("`worker`") && message.contains("dispatch_session"), "{message}");
    assert!(message.contains(&format!("dispatch_wait(job_id=\"{job}\")")), "{message}");

    home.make("go");
    let ended = client.document("dispatch_wait", &json!({"job_id": job}));
    assert_eq!((&ended["status"], &ended["result"]["result"]), (&json!("done"), &json!("81")), "{ended}");
    // The next turn is for whoever reads that.
    let jobs = client.document("dispatch_jobs", &json!({}));
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(3), "{jobs:#}");
    for turn in [said, running] {
        let more = json!({"agent": turn["agent"], "task": "go on", "session_id": turn["session_id"]});
        let more = client.document("dispatch_session", &more);
        assert_eq!((&more["success"], &more["session_id"]), (&json!(true), &turn["session_id"]), "{more}");
    }
}

#[test]
fn a_first_turn_that_outlasts_the_wait_is_all_there_is() {
    let home = playing("  inline_wait_seconds: 1\n", &[("other", "wait @go; say 80")]);
    let client = &mut home.client();
    let document =
        client.document("dispatch_dialogue", &wanted(&json!({"return_ref": true, "max_rounds": 1})));
    fits(client, "dispatch_dialogue", &document);
    assert_eq!((&document["status"], &document["final_answer"]), (&json!("wait_over"), &json!("")));
    let turns = document["conversation"].as_array().unwrap();
    assert_eq!((turns.len(), &turns[0]["agent"]), (1, &json!("other")), "{document:#}");
    assert!(turns[0]["ref"].is_null() && turns[0]["summary"].is_null(), "{document:#}");
    home.make("go");
    let ended = client.document("dispatch_wait", &json!({"job_id": turns[0]["job_id"]}));
    assert_eq!(ended["result"]["result"], "80", "{ended}");
}

#[test]
fn no_turn_begins_when_the_wait_is_over() {
    let scene = Scene::new();
    let script = scene.script("say thinking; wait @go; say Port 80?");
    let topic = format!("which port?\nfake: {script}");
    on_runtime(async {
        let frontend = scene.frontend();
        let [requester, responder] = ["worker", "other"].map(|name| name.parse().unwrap());
        let mut dialogue = Dialogue::new(requester, responder, topic, 3);
        let patience = Duration::from_secs(4);
        let over = Instant::now() + patience;
        // The turn ends in time, and is heard only when the wait is over.
        let mut step = |_, _, _: &str, _: &_| {
            scene.touch("go");
            while let Some(left) = over.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            {
                park_timeout(left);
            }
        };
        let patience = Patience::AtMost(patience);
        let turns = frontend.dialogue(&mut dialogue, "test", patience, &mut step, pending()).await.unwrap();
        let [turn] = turns.as_slice() else { panic!("{turns:#?}") };
        assert!(matches!(&turn.outcome, Ok(Dispatched::Ended(ended)) if ended.answer.text == "Port 80?"));
        let ending = dialogue.ending();
        assert_eq!((ending.stop, ending.final_answer.as_str()), (Stop::WaitOver, "Port 80?"));
        assert_eq!(status(&frontend).await.jobs, 0);
    });
}

#[test]
fn both_are_told_the_background_once() {
    let home = playing("", &[("other", "echo-stdin"), ("worker", "say not yet")]);
    let client = &mut home.client();
    let call = wanted(&json!({"context": "we moved in May", "max_rounds": 2}));
    let document = client.document("dispatch_dialogue", &call);
    let turns = document["conversation"].as_array().unwrap();
    let told: Vec<Value> = turns.iter().map(|turn| asked(client, turn)["context"].clone()).collect();
    let may = json!("we moved in May");
    assert_eq!(told, [may.clone(), may, Value::Null, Value::Null], "{document:#}");
    let prompts = [0, 2].map(|at| turns[at]["message"].as_str().unwrap());
    assert!(prompts[0].contains("\n\n## Context\n\nwe moved in May\n\n## Task\n\n"), "{}", prompts[0]);
    assert!(!prompts[1].contains("May"), "{}", prompts[1]);

    let failed = client.failure("dispatch_dialogue", &wanted(&json!({"context": "a\u{0}b"})));
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("`context` contains a NUL character"), "{error}");
}

#[test]
fn turns_come_as_references_and_the_final_answer_as_it_is() {
    let home = playing("", &[("other", "say Port 80?"), ("worker", r"say Port 81 it is.\n\n[RESOLVED]")]);
    let client = &mut home.client();
    let call = wanted(&json!({"return_ref": true, "summary_chars": 6}));
    let document = client.document("dispatch_dialogue", &call);
    fits(client, "dispatch_dialogue", &document);
    assert_eq!(
        (&document["status"], &document["final_answer"]),
        (&json!("resolved"), &json!("Port 81 it is."))
    );
    assert!(document["message"].is_null(), "{document:#}");
    let texts = ["Port 80?", "Port 81 it is.\n\n[RESOLVED]"];
    let turns = document["conversation"].as_array().unwrap();
    for (turn, text) in turns.iter().zip(texts) {
        assert_eq!((&turn["ref"], &turn["size"]), (&turn["job_id"], &json!(text.len())), "{turn}");
        assert_eq!((&turn["summary"], &turn["summary_chars"]), (&json!("Port 8"), &json!(6)), "{turn}");
        assert_eq!((&turn["message"], &turn["status"]), (&Value::Null, &json!("done")), "{turn}");
        assert_eq!(client.document("fetch_result", &json!({"ref": turn["ref"]}))["result"], text);
    }
    let references: BTreeSet<_> = turns.iter().map(|turn| turn["ref"].as_str()).collect();
    assert_eq!(references.len(), 2, "{document:#}");
}
