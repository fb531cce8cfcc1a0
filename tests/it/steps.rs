//! Steps: each one that `claude` reports is told to whoever looks on, however fast they follow one another.

use std::future::pending;
use std::process::Stdio;

use agent_dispatch::dispatch::Patience;
use agent_dispatch::job::State;
use serde_json::Value;

use crate::scene::{Scene, holds, on_runtime, reaches, start};

fn said(range: std::ops::Range<u32>) -> (String, Vec<String>) {
    let steps: Vec<String> = range.map(|number| format!("step {number}")).collect();
    (steps.iter().map(|step| ["say ", step, "; "].concat()).collect(), steps)
}

/// Starts following a job; its output goes to a file of the scene.
fn follow(scene: &Scene, job: &str, file: &str) -> std::process::Child {
    let out = std::fs::File::create(scene.file(file)).unwrap();
    scene.program(&["tail", job, "--json"]).stdout(out).stderr(Stdio::null()).spawn().unwrap()
}

fn steps_in(scene: &Scene, file: &str) -> Vec<String> {
    let lines = scene.lines(file);
    let told = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    told.filter_map(|line| line["step"].as_str().map(str::to_owned)).collect()
}

#[test]
fn whoever_waits_hears_every_step_once() {
    on_runtime(async {
        let scene = Scene::new();
        let (script, steps) = said(0..15);
        let request =
            scene.request("worker", &format!("{script}tool Bash same; tool Bash same; say the end"));
        let mut told = Vec::new();
        let mut hear = |_, view: &agent_dispatch::daemon::protocol::ProgressView| {
            told.extend(Some(view.text.clone()).filter(|text| !text.is_empty()));
        };
        let frontend = scene.frontend();
        frontend.dispatch(&request, "test", Patience::ToTheEnd, &mut hear, pending()).await.unwrap();
        let last = ["Bash same", "Bash same", "the end"].map(str::to_owned);
        assert_eq!(told, [steps, last.to_vec()].concat());
    });
}

#[test]
fn a_tail_shows_what_was_before_it_and_what_comes_after_without_a_gap() {
    on_runtime(async {
        let scene = Scene::new();
        let frontend = scene.frontend();
        let ((before, early), (after, late)) = (said(0..12), said(12..40));
        let request = scene.request("worker", &format!("{before}wait @go; {after}"));
        let job = start(&frontend, &request).await;
        reaches(&frontend, job, State::Running).await;
        let mut tails =
            [follow(&scene, &job.to_string(), "first"), follow(&scene, &job.to_string(), "second")];
        holds("both have seen what was", || {
            ["first", "second"].iter().all(|file| steps_in(&scene, file).len() == early.len())
        })
        .await;
        scene.touch("go");
        for tail in &mut tails {
            assert_eq!(crate::scene::exit_of(tail).await, Some(0));
        }
        let all = [early, late].concat();
        assert_eq!(steps_in(&scene, "first"), all);
        assert_eq!(steps_in(&scene, "second"), all);
        // Afterwards, the last ones are still there.
        let mut tail = follow(&scene, &job.to_string(), "third");
        assert_eq!(crate::scene::exit_of(&mut tail).await, Some(0));
        assert_eq!(steps_in(&scene, "third"), all[all.len() - 20..]);
    });
}

#[test]
fn of_a_flood_the_newest_steps_are_told() {
    on_runtime(async {
        let scene = Scene::new();
        let request = scene.request("worker", "wait @go; lines 5000; say the end");
        let frontend = scene.frontend();
        let job = start(&frontend, &request).await;
        reaches(&frontend, job, State::Running).await;
        let mut tail = follow(&scene, &job.to_string(), "told");
        scene.touch("go");
        assert_eq!(crate::scene::exit_of(&mut tail).await, Some(0));
        let told = steps_in(&scene, "told");
        assert_eq!(told.last().map(String::as_str), Some("the end"));
        assert!((50..=5001).contains(&told.len()), "{}", told.len());
        // `lines` numbers what it says: nothing is told twice.
        let different: std::collections::BTreeSet<_> = told.iter().collect();
        assert_eq!(different.len(), told.len());
    });
}

#[test]
fn a_tail_goes_on_where_it_was_when_the_daemon_dies() {
    on_runtime(async {
        let scene = Scene::new();
        let frontend = scene.frontend();
        let ((before, early), (after, late)) = (said(0..6), said(6..12));
        let request = scene.request("worker", &format!("{before}wait @go; {after}"));
        let job = start(&frontend, &request).await;
        let mut tail = follow(&scene, &job.to_string(), "told");
        holds("it has seen what was", || steps_in(&scene, "told").len() == early.len()).await;
        scene.daemons().iter().for_each(crate::scene::Process::kill);
        holds("the worker has found another one", || !scene.log("took in jobs").is_empty()).await;
        scene.touch("go");
        assert_eq!(crate::scene::exit_of(&mut tail).await, Some(0));
        assert_eq!(steps_in(&scene, "told"), [early, late].concat());
    });
}
