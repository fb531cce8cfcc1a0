//! What dispatches to an agent usually take, where a person or a session sees it, and what is advised from it.

use serde_json::{Value, json};

use crate::client::Home;
use crate::world::World;

/// Makes an agent with a limit of one second about which something is known.
fn hurried() -> World {
    let world = World::new();
    let directory = world.path("worker");
    std::fs::create_dir_all(&directory).unwrap();
    world.config(&format!("agents:\n  worker:\n    directory: {}\n    timeout: 1\n", directory.display()));
    world
}

fn ask(world: &World, times: usize) {
    for number in 0..times {
        world.run(&["dispatch", "worker", &format!("fake: cost 0.25; say {number}")]).ok();
    }
}

/// Lets a run come to the end of its time, and returns what is said of it.
fn timed_out(world: &World) -> Value {
    let failed =
        world.run(&["dispatch", "worker", "fake: say begun; hang", "--json", "--no-cache"]).exits(1).json();
    assert_eq!(failed["error_type"], "timeout", "{failed}");
    failed
}

#[test]
fn a_run_whose_time_was_over_is_offered_the_time_that_others_took_with_a_command_that_works() {
    let world = hurried();
    ask(&world, 2);
    let hint = timed_out(&world)["hint"].to_string();
    assert!(hint.contains("timeout_seconds=2 in the call") && !hint.contains("nine in ten"), "{hint}");
    ask(&world, 3);
    let failed = timed_out(&world);
    let hint = failed["hint"].as_str().unwrap();
    assert!(
        hint.contains("timeout_seconds=30 in the call") && hint.contains("what it had written is kept"),
        "{hint}"
    );
    assert!(
        hint.contains(", for nine in ten of its last ") && hint.contains("; or go on where it stopped"),
        "{hint}"
    );
    // It is kept with the job.
    let job = world.run(&["job", failed["job_id"].as_str().unwrap(), "--json"]).ok().json();
    assert_eq!(job["result"]["hint"], failed["hint"], "{job}");

    let command = hint.split('`').nth(1).expect("it names a command");
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some("agent-dispatch"));
    world.run(&words.collect::<Vec<_>>()).ok();
    assert_eq!(world.run(&["describe", "worker", "--json"]).ok().json()["timeout"], 30);
}

#[test]
fn what_is_usual_is_listed_and_described_on_the_command_line() {
    let world = World::with_worker();
    ask(&world, 2);
    let listed = world.run(&["list"]).ok().stdout;
    assert!(!listed.contains("USUALLY"), "{listed}");
    ask(&world, 3);
    let listed = world.run(&["list"]).ok().stdout;
    assert!(listed.contains("  USUALLY  ") && listed.contains(" s, $0.25  "), "{listed}");
    let listed = world.run(&["list", "--json"]).ok().json();
    assert_eq!(listed[0]["typical"]["median_cost_usd"], 0.25, "{listed}");
    assert_eq!(listed[0]["typical"]["dispatches"], Value::Null, "a list is brief: {listed}");
    let detail = world.run(&["describe", "worker", "--json"]).ok().json();
    assert_eq!(detail["typical"]["median_cost_usd"], 0.25, "{detail}");
    assert!(detail["typical"]["dispatches"].as_u64() >= Some(3), "{detail}");
    let described = world.run(&["describe", "worker"]).ok().stdout;
    assert!(
        described.contains("\nusually       ") && described.contains("nine of ten within"),
        "{described}"
    );
}

#[test]
fn the_resources_of_agents_say_what_is_usual_as_the_tools_do() {
    let home = Home::new();
    let client = &mut home.client();
    for number in 0..3 {
        client
            .document("dispatch", &json!({"agent": "worker", "task": format!("fake: cost 1; say {number}")}));
    }
    let client = &mut home.client();
    for (uri, tool, arguments) in [
        ("agent-dispatch://agents", "list_agents", json!({})),
        ("agent-dispatch://agents/worker", "inspect_agent", json!({"name": "worker"})),
    ] {
        let id = client.request("resources/read", &json!({"uri": uri}));
        let read = client.result(id);
        let read: Value = serde_json::from_str(read["contents"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(read, client.document(tool, &arguments), "{uri}");
        assert!(read.to_string().contains("\"typical\":{"), "{read}");
    }
}
