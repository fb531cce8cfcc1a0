//! What must hold whatever dies, hangs or vanishes: a paid answer is not lost, no work is killed, nothing is orphaned.

use std::fs;

use agent_dispatch::daemon::protocol::{Order, Reply, Report, Request};
use agent_dispatch::job::State;
use agent_dispatch::model::{Answer, FailureClass, JobId, RunResult};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::daemon::{as_worker, order, without_workers};
use crate::scene::{Scene, end_of, event, holds, on_runtime, start, status};

#[test]
fn a_daemon_whose_socket_vanishes_is_found_again() {
    let scene = Scene::new();
    on_runtime(async {
        // Its connection stays: the daemon is needed, and would not go by itself.
        let before = scene.frontend();
        let job = start(&before, &scene.request("worker", "wait @go; say heard")).await;
        let first = status(&before).await.pid;
        let socket = scene.environment().state.socket;
        let folder = socket.parent().unwrap().to_owned();
        for with_its_folder in [false, true] {
            fs::remove_file(&socket).unwrap();
            if with_its_folder {
                fs::remove_dir(&folder).unwrap();
            }
            // Also by those who would not start another one.
            let asked = scene.frontend().client.ask_if_running(&Request::Status).await;
            assert!(matches!(asked, Ok(Some(Reply::Status(status))) if status.pid == first));
            fs::remove_file(&socket).unwrap();
            assert_eq!(status(&scene.frontend()).await.pid, first);
        }
        scene.touch("go");
        assert!(end_of(&scene.frontend(), job).await.record.result.unwrap().success);
        // Where it cannot listen again it goes: it would keep everybody from the store.
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        holds("it goes", || scene.daemons().is_empty()).await;
        assert!(scene.log("stopped")[0].contains("its socket is gone"), "{:#?}", scene.log("stopped"));
        assert_eq!(scene.log("started").len(), 1, "{:#?}", scene.log("started"));
    });
}

#[test]
fn a_run_whose_store_is_replaced_goes_on_and_leaves_its_answer() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let script = "touch @runs; wait @go; say paid for";
        let job = start(&frontend, &scene.request("worker", script)).await;
        holds("it runs", || scene.file("runs").exists()).await;
        let worker = scene.worker_of(job).unwrap();
        worker.signal(Signal::STOP);
        holds("the worker is stopped", || worker.is_stopped()).await;
        frontend.client.stop().await.unwrap();
        let state = scene.environment().state;
        fs::rename(state.store(), state.root.join("store.corrupt-1")).unwrap();
        // The next daemon starts with an empty store, beside the run.
        assert_eq!(frontend.job(job).await.unwrap().map(|view| view.record.id), None);
        worker.signal(Signal::CONT);
        holds("the worker is heard", || !scene.log("whose job is not known").is_empty()).await;
        assert!(!scene.run_of(job).is_empty(), "the run was killed");
        scene.touch("go");
        holds("the worker is gone", || scene.worker_of(job).is_none()).await;
        assert!(scene.run_of(job).is_empty(), "{:#?}", scene.run_of(job));
        let stdout = fs::read_to_string(state.runs().join(job.to_string()).join("stdout")).unwrap();
        assert!(stdout.contains("paid for"), "{stdout}");
    });
}

#[test]
fn a_worker_killed_after_an_error_was_reported_leaves_a_failed_job() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let job = start(&frontend, &scene.request("worker", "touch @runs; wait @go; auth-error")).await;
        holds("it runs", || scene.file("runs").exists()).await;
        let worker = scene.worker_of(job).unwrap();
        worker.signal(Signal::STOP);
        holds("the worker is stopped", || worker.is_stopped()).await;
        scene.touch("go");
        holds("it has ended", || scene.run_of(job).is_empty()).await;
        worker.kill();
        let ended = end_of(&frontend, job).await.record;
        assert_eq!((ended.state, ended.result.unwrap().class), (State::Failed, Some(FailureClass::Auth)));
        let folder = scene.environment().state.runs().join(job.to_string());
        holds("its folder is gone", || !folder.exists()).await;
    });
}

#[test]
fn a_worker_that_cannot_be_looked_at_is_not_taken_for_dead() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        status(&frontend).await;
        let job = start(&without_workers(&scene), &scene.request("worker", "say nothing")).await;
        // On a connection of its own: the front end keeps the one that it has.
        let mut worker = as_worker(&scene.frontend(), job, false).await;
        assert_eq!(order(&mut worker).await, Order::Run);
        let daemon = scene.daemons()[0].pid;
        // It has inherited ours.
        let none = Rlimit { current: Some(3), ..getrlimit(Resource::Nofile) };
        let before = prlimit(Some(daemon), Resource::Nofile, none).unwrap();
        drop(worker);
        // One after the other, on disk: what the end of the connection brings is done by then.
        for _ in 0..20 {
            frontend.client.ask(&event(JobId::generate())).await.unwrap();
        }
        prlimit(Some(daemon), Resource::Nofile, before).unwrap();
        assert_eq!(frontend.job(job).await.unwrap().unwrap().record.state, State::Running);
        let mut worker = as_worker(&frontend, job, true).await;
        let answer = Answer { text: "paid for".to_owned(), parsed: None };
        worker.send(&Report::Ended(Box::new((RunResult::succeeded(1), answer).into()))).await.unwrap();
        assert_eq!(order(&mut worker).await, Order::Recorded);
        assert_eq!(frontend.answer(job).await.unwrap().text, "paid for");
    });
}
