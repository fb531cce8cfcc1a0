//! Callers that leave, in every way: what nobody waits for is stopped and cleaned up, unless it was to live on.

use std::fs;
use std::future::{pending, ready};
use std::process::Command;
use std::time::{Duration, Instant};

use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::daemon::ClientError;
use agent_dispatch::daemon::protocol::{Reply, Request, WaitRequest};
use agent_dispatch::dispatch::{DispatchError, Dispatched, Frontend, Patience};
use agent_dispatch::job::{JobFilter, State};
use agent_dispatch::model::{FailureClass, JobId};
use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use crate::scene::{
    Other, Part, Scene, audit, codes, dispatch, end_of, holds, on_runtime, reaches, start, status, until,
    whole_trail,
};

/// The longest that anything of a job may outlive its last caller.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Returns a process that dispatches this script and waits.
fn caller(scene: &Scene, name: &str, script: &str) -> Other {
    let script = scene.script(script);
    let part = Part::Dispatch { agent: "worker".to_owned(), script, context_bytes: 0, times: 1 };
    scene.other(name, &part)
}

/// Returns the only job there is.
async fn only_job(frontend: &Frontend) -> JobId {
    let jobs = newest_jobs(frontend).await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs[0]
}

async fn newest_job(frontend: &Frontend) -> JobId {
    newest_jobs(frontend).await[0]
}

async fn newest_jobs(frontend: &Frontend) -> Vec<JobId> {
    match frontend.client.ask(&Request::Jobs(JobFilter { limit: 10, ..JobFilter::default() })).await.unwrap()
    {
        Reply::Jobs(views) => views.iter().map(|view| view.record.id).collect(),
        other => panic!("{other:?}"),
    }
}

/// Waits until nothing of a job is left: no `claude`, nothing it started, no worker, no folder.
async fn all_gone(scene: &Scene, job: JobId) {
    holds("nothing of its run is left", || scene.run_of(job).is_empty()).await;
    holds("its worker is gone", || scene.worker_of(job).is_none()).await;
    assert!(!scene.environment().state.runs().join(job.to_string()).exists());
}

#[test]
fn a_daemon_that_hangs_keeps_nobody() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let job = start(&frontend, &scene.request("worker", "touch @runs; wait @go; say late")).await;
        holds("it runs", || scene.file("runs").exists()).await;
        let other = scene.frontend();
        let daemon = &scene.daemons()[0];
        status(&other).await;
        daemon.signal(Signal::STOP);
        holds("the daemon is stopped", || daemon.is_stopped()).await;
        let request = scene.request("other", "say never");
        let wait = WaitRequest {
            jobs: vec![job],
            any: false,
            timeout_ms: Some(1),
            attach: false,
            detach_at_timeout: false,
            inside: None,
            answer: None,
        };
        // Each on a connection that was there before: a new one is refused at the handshake.
        let (taken_back, waited) = tokio::join!(
            async {
                frontend.dispatch(&request, "test", Patience::ToTheEnd, &mut |_, _| {}, ready(())).await
            },
            async { other.wait(&wait, &mut |_, _| {}, pending()).await },
        );
        daemon.signal(Signal::CONT);
        assert!(matches!(taken_back, Err(DispatchError::Cancelled)), "{taken_back:?}");
        assert!(matches!(waited, Err(DispatchError::Client(ClientError::Silent(_)))), "{waited:?}");
        scene.touch("go");
        assert_eq!(end_of(&frontend, job).await.record.state, State::Done);
    });
}

#[test]
fn a_caller_that_is_killed_takes_its_dispatch_with_it() {
    let scripts = [
        "say half; touch @ready; hang",
        "say half; setsid-grandchild @child; grandchild-holds-files @held; touch @ready; hang",
        "say half; ignore-signals; setsid-grandchild @child; touch @ready; hang",
    ];
    for script in scripts {
        let scene = Scene::new();
        on_runtime(async {
            let calling = caller(&scene, "report", script);
            holds("it runs", || scene.file("ready").exists()).await;
            let frontend = scene.frontend();
            let job = only_job(&frontend).await;
            assert!(!scene.run_of(job).is_empty());
            let begun = Instant::now();
            calling.kill();
            all_gone(&scene, job).await;
            assert!(begun.elapsed() < GONE_WITHIN, "{script}: {:?}", begun.elapsed());
            let ended = end_of(&frontend, job).await.record;
            assert_eq!(
                (ended.state, ended.stopped_by.as_deref()),
                (State::Cancelled, Some("its caller disconnected"))
            );
            assert_eq!(ended.result.unwrap().class, Some(FailureClass::Cancelled));
            assert_eq!(
                codes(&frontend, job).await,
                ["requested", "started", "cancel_requested", "cancelled"]
            );
            assert_eq!(frontend.answer(job).await.unwrap().text, "half");
            whole_trail(&frontend).await;
        });
    }
}

#[test]
fn a_dispatch_that_was_only_started_outlives_who_started_it() {
    let scene = Scene::new();
    on_runtime(async {
        let script = scene.script("touch @ready; wait @go; say outlived");
        let part = Part::Start { agent: "worker".to_owned(), script };
        let starter = scene.other("report", &part);
        holds("it is started", || !starter.reported().is_empty()).await;
        let job = starter.reported()[0].parse().unwrap();
        starter.kill();
        holds("it runs", || scene.file("ready").exists()).await;
        scene.touch("go");
        let frontend = scene.frontend();
        let ended = end_of(&frontend, job).await.record;
        assert_eq!((ended.state, ended.attached), (State::Done, false));
        assert_eq!(frontend.answer(job).await.unwrap().text, "outlived");
    });
}

#[test]
fn where_leaving_detaches_the_dispatch_goes_on() {
    let scene = Scene::with("on_disconnect: detach", "");
    on_runtime(async {
        let calling = caller(&scene, "report", "touch @ready; wait @go; say alone");
        holds("it runs", || scene.file("ready").exists()).await;
        let frontend = scene.frontend();
        let job = only_job(&frontend).await;
        calling.kill();
        let detached = async || frontend.job(job).await.unwrap().filter(|view| !view.record.attached);
        until("it is detached", detached).await;
        scene.touch("go");
        assert_eq!(end_of(&frontend, job).await.record.state, State::Done);
        assert_eq!(frontend.answer(job).await.unwrap().text, "alone");
    });
}

#[test]
fn a_call_that_is_taken_back_stops_its_dispatch_even_where_leaving_detaches() {
    let scene = Scene::with("on_disconnect: detach", "");
    on_runtime(async {
        let frontend = scene.frontend();
        // Again and again, for its end must not depend on what the daemon says just then.
        for at in 0..12 {
            let taken_back = CancellationToken::new();
            let request = scene.request("worker", &format!("touch @ready{at}; hang"));
            let mut silent = |_, _: &_| {};
            let asking =
                frontend.dispatch(&request, "test", Patience::ToTheEnd, &mut silent, taken_back.cancelled());
            let taking = async {
                holds("it runs", || scene.file(&format!("ready{at}")).exists()).await;
                taken_back.cancel();
            };
            let (asked, ()) = tokio::join!(asking, taking);
            assert!(matches!(asked, Err(DispatchError::Cancelled)), "{asked:?}");
            let job = newest_job(&frontend).await;
            // It was heard before the call returned.
            let record = frontend.job(job).await.unwrap().unwrap().record;
            assert_eq!(record.stopped_by.as_deref(), Some("its caller cancelled the call"));
            assert_eq!(end_of(&frontend, job).await.record.state, State::Cancelled);
            all_gone(&scene, job).await;
        }
    });
}

#[test]
fn a_shared_dispatch_is_stopped_when_the_last_who_waits_leaves() {
    let scene = Scene::new();
    on_runtime(async {
        let script = "touch @ready; wait @go; say shared";
        let mut callers: Vec<_> = (0..3).map(|at| caller(&scene, &format!("report-{at}"), script)).collect();
        holds("it runs", || scene.file("ready").exists()).await;
        let frontend = scene.frontend();
        let joined = async || {
            let records = audit(&frontend, AuditFilter::default()).await;
            (records.iter().filter(|record| record.event.as_str() == "joined").count() == 2).then_some(())
        };
        until("all have joined", joined).await;
        let job = only_job(&frontend).await;
        for left in [2, 1] {
            let before = status(&frontend).await.connections;
            callers.pop().unwrap().kill();
            let noticed = async || (status(&frontend).await.connections < before).then_some(());
            until("it is noticed", noticed).await;
            let record = frontend.job(job).await.unwrap().unwrap().record;
            assert_eq!(record.state, State::Running, "{left} still wait");
        }
        callers.pop().unwrap().kill();
        assert_eq!(end_of(&frontend, job).await.record.state, State::Cancelled);
        all_gone(&scene, job).await;
    });
}

#[test]
fn a_dispatch_that_somebody_wants_without_waiting_outlives_those_who_wait() {
    let scene = Scene::new();
    on_runtime(async {
        let script = "touch @ready; wait @go; say wanted";
        let calling = caller(&scene, "report", script);
        holds("it runs", || scene.file("ready").exists()).await;
        let frontend = scene.frontend();
        let job = start(&frontend, &scene.request("worker", script)).await;
        let before = status(&frontend).await.connections;
        calling.kill();
        until("it is noticed", async || (status(&frontend).await.connections < before).then_some(())).await;
        scene.touch("go");
        assert_eq!(end_of(&frontend, job).await.record.state, State::Done);
    });
}

#[test]
fn another_process_can_stop_a_dispatch_and_what_was_said_is_kept() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let request = scene.request("worker", "say the first half; touch @ready; hang");
        let asking = dispatch(&frontend, &request);
        let stopping = async {
            holds("it runs", || scene.file("ready").exists()).await;
            let job = only_job(&scene.frontend()).await;
            let effect = scene.other("effect", &Part::Cancel { job }).finish().await;
            let again = scene.other("again", &Part::Cancel { job }).finish().await;
            (job, effect, again)
        };
        let (ended, (job, effect, again)) = tokio::join!(asking, stopping);
        assert_eq!(effect, ["Stopping"]);
        // It may have ended in between.
        assert!(["Stopping", "AlreadyTerminal"].contains(&again[0].as_str()), "{again:?}");
        let ended = ended.unwrap();
        assert_eq!((ended.job.id, ended.job.state), (job, State::Cancelled));
        assert_eq!(ended.answer.text, "the first half");
        let result = ended.job.result.unwrap();
        assert_eq!(
            (result.success, result.partial, result.class),
            (false, true, Some(FailureClass::Cancelled))
        );
        assert_eq!(result.session, Some(ended.job.session));
        let records = audit(&frontend, AuditFilter { dispatch: Some(job), ..AuditFilter::default() }).await;
        let asked = records.iter().find(|record| record.event.as_str() == "cancel_requested").unwrap();
        assert_eq!(asked.reason.as_deref(), Some("another process"));
        assert_eq!(records.last().unwrap().end.as_ref().unwrap().answer_bytes, 14);
        all_gone(&scene, job).await;
    });
}

#[test]
fn a_dispatch_whose_time_is_over_keeps_what_was_said_and_its_conversation() {
    let scene = Scene::with("", "timeout: 1");
    on_runtime(async {
        let frontend = scene.frontend();
        let ended = dispatch(&frontend, &scene.request("worker", "say so far; hang")).await.unwrap();
        assert_eq!((ended.job.state, ended.answer.text.as_str()), (State::Failed, "so far"));
        let result = ended.job.result.unwrap();
        assert_eq!((result.class, result.partial), (Some(FailureClass::Timeout), true));
        assert_eq!(result.session.as_ref(), Some(&ended.job.session));
        assert!(result.hint.unwrap().contains(ended.job.session.as_str()));
        all_gone(&scene, ended.job.id).await;
    });
}

#[test]
fn a_dispatch_that_takes_too_long_to_wait_for_goes_on_by_itself() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let request = scene.request("worker", "count-starts @starts; wait @go; say worth it");
        let patience = Patience::AtMost(Duration::from_millis(50));
        let asked = frontend.dispatch(&request, "test", patience, &mut |_, _| {}, pending()).await;
        let job = match asked.unwrap() {
            Dispatched::Running(view, _) => view.record,
            Dispatched::Ended(ended) => panic!("{ended:?}"),
        };
        assert!(!job.attached);
        // Not even its caller's end stops it now.
        drop(frontend);
        let frontend = scene.frontend();
        until("it is alone", async || (status(&frontend).await.connections == 2).then_some(())).await;
        holds("it runs", || !scene.lines("starts").is_empty()).await;
        assert_eq!(start(&frontend, &request).await, job.id, "the same question finds it");
        scene.touch("go");
        assert_eq!(end_of(&frontend, job.id).await.record.state, State::Done);
        assert_eq!(frontend.answer(job.id).await.unwrap().text, "worth it");
        assert_eq!(scene.lines("starts").len(), 1);
    });
}

#[test]
fn when_the_disk_is_full_a_dispatch_is_refused_and_nothing_runs() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let first = dispatch(&frontend, &scene.request("worker", "say before")).await.unwrap();
        frontend.client.stop().await.unwrap();
        // No disk is filled: no file of the process, and of those it starts, may grow over a limit that the store reaches
        // at once. Without the trap the writer would be killed instead of being told.
        let mut limited = Command::new("/bin/sh");
        limited.args(["-c", "trap '' XFSZ; exec prlimit --fsize=2000000:2000000 \"$@\"", "sh"]);
        let script = scene.script("count-starts @starts; say never");
        let part = Part::Dispatch { agent: "worker".to_owned(), script, context_bytes: 6_000_000, times: 1 };
        let said = scene.other_through(limited, "report", &part).finish().await;
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[1].contains("daemon") || said[1].contains("store"), "{said:?}");
        assert!(scene.lines("starts").is_empty());
        assert_eq!(fs::read_dir(scene.environment().state.runs()).unwrap().count(), 0);
        assert!(!scene.log("the store failed").is_empty(), "{:#?}", scene.log(""));

        for daemon in scene.daemons() {
            daemon.kill();
        }
        holds("they are gone", || scene.daemons().is_empty()).await;
        let again = dispatch(&frontend, &scene.request("worker", "say before")).await.unwrap();
        assert_eq!(again.job.id, first.job.id);
        assert_eq!(
            dispatch(&frontend, &scene.request("worker", "say after")).await.unwrap().answer.text,
            "after"
        );
        assert_eq!(status(&frontend).await.jobs, 0);
        whole_trail(&frontend).await;
        reaches(&frontend, first.job.id, State::Done).await;
    });
}
