//! Who may run at once: bounds over everybody, per agent, per conversation; first come, first served; no deadlock.

use std::fs::{self, File};

use agent_dispatch::daemon::protocol::{CancelEffect, Reply, Request};
use agent_dispatch::dispatch::Frontend;
use agent_dispatch::job::State;
use agent_dispatch::model::{DispatchRequest, JobId};
use futures_util::future::join_all;
use rustix::process::Signal;

use crate::scene::{
    Process, Scene, codes, dispatch, end_of, holds, on_runtime, reaches, start, status, until,
};

/// Starts jobs one after the other, each when the one before it has its place in the queue.
async fn line_up(frontend: &Frontend, requests: &[DispatchRequest], queued_before: u32) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for (at, request) in (1..).zip(requests) {
        jobs.push(start(frontend, request).await);
        let queued = async || (status(frontend).await.queued == queued_before + at).then_some(());
        until("it is in the queue", queued).await;
    }
    jobs
}

/// Returns the most that were alive at once, as the script's `count` has it.
fn most(scene: &Scene, folder: &str) -> usize {
    fs::read_to_string(scene.file(folder).join("max")).unwrap().parse().unwrap()
}

#[test]
fn a_parent_that_waits_for_its_child_does_not_hold_the_childs_place() {
    let scene = Scene::with("max_concurrency: 1", "");
    on_runtime(async {
        let outside = scene.frontend();
        let outer = start(&outside, &scene.request("worker", "touch @outer; wait @go; say outer")).await;
        holds("it runs", || scene.file("outer").exists()).await;
        // Two levels, as their parents wait: each has a place of its own.
        let inner = scene.request("worker", "touch @inner; wait @deep; say inner");
        let in_outer = scene.inside(outer, 1);
        let asking = dispatch(&in_outer, &inner);
        let deeper = async {
            holds("it runs", || scene.file("inner").exists()).await;
            let jobs = agent_dispatch::job::JobFilter { states: vec![State::Running], agent: None, limit: 1 };
            let Reply::Jobs(jobs) = outside.client.ask(&Request::Jobs(jobs)).await.unwrap() else { panic!() };
            let deep = scene.request("worker", "say deep");
            let deep = dispatch(&scene.inside(jobs[0].record.id, 2), &deep).await.unwrap();
            scene.touch("deep");
            deep
        };
        let (inner, deep) = tokio::join!(asking, deeper);
        let inner = inner.unwrap();
        assert_eq!((inner.answer.text.as_str(), deep.answer.text.as_str()), ("inner", "deep"));
        assert_eq!((inner.job.root, deep.job.root), (outer, outer));
        assert_eq!(deep.job.caller.parent, Some(inner.job.id));
        scene.touch("go");
        assert_eq!(end_of(&outside, outer).await.record.state, State::Done);
    });
}

#[test]
fn never_more_run_at_once_than_the_settings_say() {
    let scene = Scene::with("max_concurrency: 2", "");
    on_runtime(async {
        let frontends: Vec<_> = (0..10).map(|_| scene.frontend()).collect();
        let dispatches = (0..).zip(&frontends).map(|(at, frontend)| {
            let script = format!("count @alive; count-starts @starts; wait @go; say {at}");
            let request = scene.request("worker", &script);
            async move { dispatch(frontend, &request).await.unwrap().answer.text }
        });
        let releasing = async {
            holds("two run", || scene.lines("starts").len() == 2).await;
            let queued = async || (status(&frontends[0]).await.queued == 8).then_some(());
            until("the others wait", queued).await;
            scene.touch("go");
        };
        let (answers, ()) = tokio::join!(join_all(dispatches), releasing);
        assert_eq!(answers, (0..10).map(|at| at.to_string()).collect::<Vec<_>>());
        assert_eq!(most(&scene, "alive"), 2);
    });
}

#[test]
fn an_agent_has_a_bound_of_its_own_and_holds_back_nobody_else() {
    let scene = Scene::with("max_concurrency: 5", "max_concurrency: 1");
    on_runtime(async {
        let frontend = scene.frontend();
        let first = start(&frontend, &scene.request("worker", "count @alive; touch @first; wait @go")).await;
        holds("it runs", || scene.file("first").exists()).await;
        let held = [scene.request("worker", "count @alive; say second")];
        let second = line_up(&frontend, &held, 0).await[0];
        let other = dispatch(&frontend, &scene.request("other", "say not held back")).await.unwrap();
        assert_eq!(other.answer.text, "not held back");
        assert_eq!(frontend.job(second).await.unwrap().unwrap().record.state, State::Pending);
        scene.touch("go");
        assert_eq!(end_of(&frontend, first).await.record.state, State::Done);
        assert_eq!(end_of(&frontend, second).await.record.state, State::Done);
        assert_eq!(most(&scene, "alive"), 1);
    });
}

#[test]
fn who_comes_first_runs_first() {
    let scene = Scene::with("max_concurrency: 1", "");
    on_runtime(async {
        let frontend = scene.frontend();
        start(&frontend, &scene.request("worker", "touch @first; wait @go")).await;
        holds("it runs", || scene.file("first").exists()).await;
        let requests: Vec<_> = (0..6)
            .map(|at| scene.request("worker", &format!("count-starts @order; count-starts @{at}")))
            .collect();
        let jobs = line_up(&frontend, &requests, 0).await;
        scene.touch("go");
        for job in &jobs {
            assert_eq!(end_of(&frontend, *job).await.record.state, State::Done);
        }
        let own: Vec<_> = (0..6).flat_map(|at| scene.lines(&at.to_string())).collect();
        assert_eq!(own.len(), 6);
        assert_eq!(scene.lines("order"), own);
    });
}

#[test]
fn what_is_cancelled_in_the_queue_never_starts() {
    let scene = Scene::with("max_concurrency: 1", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let first = start(&frontend, &scene.request("worker", "touch @first; wait @go")).await;
        holds("it runs", || scene.file("first").exists()).await;
        let requests =
            ["cancelled", "kept"].map(|name| scene.request("worker", &format!("count-starts @{name}")));
        let jobs = line_up(&frontend, &requests, 0).await;

        let cancel = Request::Cancel { job: jobs[0], by: "the test".to_owned(), caller: Box::default() };
        match scene.frontend().client.ask(&cancel).await.unwrap() {
            Reply::Cancelled(view, CancelEffect::Cancelled) => {
                assert_eq!(view.record.state, State::Cancelled);
            }
            other => panic!("{other:?}"),
        }
        holds("its worker is gone", || scene.worker_of(jobs[0]).is_none()).await;
        scene.touch("go");
        end_of(&frontend, first).await;
        assert_eq!(end_of(&frontend, jobs[1]).await.record.state, State::Done);
        assert_eq!((scene.lines("cancelled").len(), scene.lines("kept").len()), (0, 1));
        assert_eq!(codes(&frontend, jobs[0]).await, ["requested", "cancelled"]);
        let record = reaches(&frontend, jobs[0], State::Cancelled).await.record;
        assert_eq!((record.started, record.stopped_by.as_deref()), (None, Some("the test")));
    });
}

/// Stops a worker. It may be about to look for a daemon, with the lock of whoever starts one: then nobody else could.
async fn stop_without_lock(scene: &Scene, worker: &Process) {
    loop {
        worker.signal(Signal::STOP);
        holds("it is stopped", || worker.is_stopped()).await;
        let lock = File::create(scene.environment().state.start_lock()).unwrap();
        if lock.try_lock().is_ok() {
            return;
        }
        worker.signal(Signal::CONT);
    }
}

#[test]
fn places_are_kept_while_one_daemon_follows_another() {
    let scene = Scene::with("max_concurrency: 1", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let first = start(&frontend, &scene.request("worker", "count @alive; touch @first; wait @go")).await;
        holds("it runs", || scene.file("first").exists()).await;
        let waiting = [scene.request("worker", "count @alive; say second")];
        let second = line_up(&frontend, &waiting, 0).await[0];
        let worker = scene.worker_of(first).unwrap();
        for slow_to_return in [false, true] {
            for killed in [false, true] {
                if slow_to_return {
                    stop_without_lock(&scene, &worker).await;
                }
                if killed {
                    scene.daemons()[0].kill();
                } else {
                    assert!(frontend.client.stop().await.unwrap());
                }
                let queued = async || (status(&frontend).await.queued == 1).then_some(());
                until("it is in the queue again", queued).await;
                worker.signal(Signal::CONT);
                let both_back = async || (status(&frontend).await.connections == 3).then_some(());
                until("both workers are back", both_back).await;
            }
        }
        assert_eq!(frontend.job(second).await.unwrap().unwrap().record.state, State::Pending);
        scene.touch("go");
        assert_eq!(end_of(&frontend, first).await.record.state, State::Done);
        assert_eq!(end_of(&frontend, second).await.record.state, State::Done);
        assert_eq!(most(&scene, "alive"), 1);
    });
}
