//! One dispatch for identical questions, and refusals: each decision with its record in the audit trail.

use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::daemon::protocol::{Reply, Request};
use agent_dispatch::dispatch::{Dispatched, Frontend, Patience, Served};
use agent_dispatch::job::{Admission, CachePolicy, OpenRequest, Places, Proposal, RequestTexts, State};
use agent_dispatch::model::agent::{AuditContent, ProfileInForce};
use agent_dispatch::model::request::RawRequest;
use agent_dispatch::model::{
    Caller, Digest, FailureClass, JobId, OnDisconnect, Portion, SessionId, SpendLimit,
};
use futures_util::future::join_all;

use crate::scene::{
    Other, Part, Scene, audit, codes, dispatch, end_of, holds, on_runtime, reaches, refusal, start, status,
    whole_trail,
};

/// Returns how many records of each code there are.
async fn counts(frontend: &Frontend) -> Vec<(&'static str, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for record in audit(frontend, AuditFilter::default()).await {
        *counts.entry(record.event.as_str()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[test]
fn twenty_identical_dispatches_of_four_processes_are_one_run() {
    let scene = Scene::new();
    on_runtime(async {
        let part = Part::Dispatch {
            agent: "worker".to_owned(),
            script: scene.script("count-starts @starts; wait @go; say the one answer"),
            context_bytes: 0,
            times: 5,
        };
        let others: Vec<_> = (0..4).map(|at| scene.other(&format!("report-{at}"), &part)).collect();
        let frontend = scene.frontend();
        let recorded = async || counts(&frontend).await.iter().map(|(_, count)| count).sum::<usize>() == 21;
        crate::scene::until("all are decided", async || recorded().await.then_some(())).await;
        scene.touch("go");
        let said = join_all(others.into_iter().map(Other::finish)).await;
        let said: Vec<_> = said.iter().flat_map(|lines| &lines[1..]).collect();
        assert_eq!(said.len(), 20);
        assert!(said.iter().all(|line| line.ends_with(" the one answer")), "{said:#?}");
        assert_eq!(said.iter().filter(|line| line.starts_with("Run ")).count(), 1, "{said:#?}");
        assert_eq!(said.iter().filter(|line| line.starts_with("Join ")).count(), 19, "{said:#?}");
        assert_eq!(scene.lines("starts").len(), 1);
        assert_eq!(
            counts(&frontend).await,
            [("finished", 1), ("joined", 19), ("requested", 1), ("started", 1)]
        );
        whole_trail(&frontend).await;
    });
}

#[test]
fn the_same_question_again_is_answered_from_the_cache_and_that_is_on_disk() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let request = scene.request("worker", "count-starts @starts; say kept");
        let run = dispatch(&frontend, &request).await.unwrap();
        let hit = dispatch(&scene.frontend(), &request).await.unwrap();
        assert_eq!((run.served, hit.served), (Served::Run, Served::Cache));
        assert_eq!((hit.job.id, hit.answer), (run.job.id, run.answer));
        // What is not on disk is gone with the daemon.
        scene.daemons()[0].kill();
        let records = audit(&frontend, AuditFilter::default()).await;
        let last = records.last().unwrap();
        assert_eq!(last.event.as_str(), "hit");
        assert_eq!(last.answered_by, Some(run.job.id.to_string()));
        assert_eq!(last.end.as_ref().unwrap().answer_bytes, 4);
        let again = dispatch(&frontend, &request).await.unwrap();
        assert_eq!(again.served, Served::Cache, "the entry outlives the daemon");
        assert_eq!(scene.lines("starts").len(), 1);
        whole_trail(&frontend).await;
    });
}

#[test]
fn failures_are_not_kept() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let scripts = [
            ("error", "error 529 overloaded"),
            ("exit", "no-result; exit 3"),
            ("blocked", "say stuck; status blocked"),
        ];
        for (name, script) in scripts {
            let request = scene.request("worker", &format!("count-starts @{name}; {script}"));
            for _ in 0..2 {
                let ended = dispatch(&frontend, &request).await.unwrap();
                assert_eq!(ended.served, Served::Run, "{script}");
            }
            assert_eq!(scene.lines(name).len(), 2, "{script}");
        }
    });
}

#[test]
fn a_dispatch_that_is_being_stopped_is_not_joined() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let request = scene.request("worker", "count-starts @starts; ignore-int; wait @go; say at last");
        let first = start(&frontend, &request).await;
        holds("it runs", || !scene.lines("starts").is_empty()).await;
        let cancel = Request::Cancel { job: first, by: "the test".to_owned(), caller: Box::default() };
        frontend.client.ask(&cancel).await.unwrap();
        reaches(&frontend, first, State::Cancelling).await;

        let second = start(&frontend, &request).await;
        assert_ne!(first, second, "it joined what was being stopped");
        assert_eq!(end_of(&frontend, first).await.record.state, State::Cancelled);
        // The end of the first one does not take the second one's place among the shared.
        let third = start(&frontend, &request).await;
        assert_eq!(third, second);
        scene.touch("go");
        assert_eq!(end_of(&frontend, second).await.record.state, State::Done);
        assert_eq!(scene.lines("starts").len(), 2);
    });
}

#[test]
fn callers_that_would_wait_for_each_other_run_apart() {
    let scene = Scene::new();
    on_runtime(async {
        let outside = scene.frontend();
        // Two jobs, each of which asks the other's question: joined both ways, neither would ever end.
        let questions = ["left", "right"]
            .map(|name| scene.request("worker", &format!("count-starts @{name}; wait @go; say {name}")));
        let left = start(&outside, &questions[0]).await;
        let right = start(&outside, &questions[1]).await;
        holds("both run", || ["left", "right"].iter().all(|name| !scene.lines(name).is_empty())).await;
        let (in_left, in_right) = (scene.inside(left, 1), scene.inside(right, 1));
        let asking_right = dispatch(&in_left, &questions[1]);
        let asking_left = async {
            let joined = async || counts(&outside).await.contains(&("joined", 1)).then_some(());
            crate::scene::until("the first has joined", joined).await;
            let asking = dispatch(&in_right, &questions[0]);
            let releasing = async {
                holds("a second run of the left one", || scene.lines("left").len() == 2).await;
                scene.touch("go");
            };
            tokio::join!(asking, releasing).0
        };
        let (right_again, left_again) = tokio::join!(asking_right, asking_left);
        let (right_again, left_again) = (right_again.unwrap(), left_again.unwrap());
        assert_eq!((right_again.served, right_again.job.id), (Served::Join, right));
        assert_eq!(left_again.served, Served::Run);
        assert_ne!(left_again.job.id, left);
        assert_eq!((left_again.answer.text.as_str(), left_again.job.root), ("left", right));
        assert_eq!([scene.lines("left").len(), scene.lines("right").len()], [2, 1]);
        whole_trail(&outside).await;
    });
}

#[test]
fn the_same_task_inside_itself_is_refused() {
    let scene = Scene::new();
    on_runtime(async {
        let outside = scene.frontend();
        let question = scene.request("worker", "count-starts @starts; wait @go");
        let job = start(&outside, &question).await;
        holds("it runs", || !scene.lines("starts").is_empty()).await;
        let refused = refusal(&scene.inside(job, 1), &question).await;
        assert_eq!(refused.class, FailureClass::Recursion);
        assert!(refused.message.contains(&job.to_string()), "{}", refused.message);
        let last = audit(&outside, AuditFilter::default()).await.pop().unwrap();
        assert_eq!((last.event.as_str(), last.parent), ("refused", Some(job.to_string())));
        assert_eq!(scene.lines("starts").len(), 1);
        // To another agent it is another task; inside that one, the first is still under way.
        let other =
            start(&scene.inside(job, 1), &scene.request("other", "count-starts @starts; wait @go")).await;
        assert_ne!(other, job);
        let refused = refusal(&scene.inside(other, 2), &question).await;
        assert_eq!(refused.class, FailureClass::Recursion);
        scene.touch("go");
    });
}

#[test]
fn every_refusal_is_recorded_and_runs_nothing() {
    let scene = Scene::with("", "callers: [trusted]\nbudget: {day: 0.5}");
    on_runtime(async {
        let outside = scene.frontend();
        let script = "count-starts @starts; cost 0.6; say spent";
        let deep = refusal(&scene.inside(JobId::generate(), 5), &scene.request("other", script)).await;
        let caller = refusal(&outside, &scene.request("worker", script)).await;
        let trusted = |task: &str| {
            let task = format!("{task}\nfake: {}", scene.script(script));
            let (agent, caller) = ("worker".to_owned(), "trusted".to_owned());
            scene.raw_request(RawRequest { agent, task, caller, ..RawRequest::default() })
        };
        assert_eq!(scene.lines("starts").len(), 0);
        let paid = dispatch(&outside, &trusted("first")).await.unwrap();
        assert_eq!(paid.job.result.unwrap().cost_usd, Some(0.6));
        let budget = refusal(&outside, &trusted("second")).await;
        let unknown = refusal(&outside, &scene.request("wroker", script)).await;
        assert!(unknown.hint.contains("worker") || unknown.message.contains("worker"), "{unknown:?}");

        let classes = [&deep, &caller, &budget, &unknown].map(|refusal| refusal.class);
        let expected =
            [FailureClass::Recursion, FailureClass::Refused, FailureClass::Budget, FailureClass::NotFound];
        assert_eq!(classes, expected);
        let records = audit(&outside, AuditFilter::default()).await;
        let reasons: Vec<_> = records.iter().filter(|it| it.event.as_str() == "refused").collect();
        let reasons: Vec<_> = reasons.iter().map(|record| record.reason.as_deref().unwrap()).collect();
        for (reason, class) in reasons.iter().zip(expected) {
            assert!(reason.starts_with(&format!("{class}: ")), "{reasons:#?}");
        }
        assert_eq!(reasons.len(), 4);
        assert_eq!(scene.lines("starts").len(), 1);
        assert_eq!(status(&outside).await.jobs, 0);
        assert_eq!(whole_trail(&outside).await, 7);
    });
}

#[test]
fn a_question_asked_without_waiting_is_joined_and_answered_later() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let request = scene.request("worker", "count-starts @starts; wait @go; say later");
        let first = start(&frontend, &request).await;
        let mut silent = |_, _: &_| {};
        let waiting =
            frontend.dispatch(&request, "test", Patience::ToTheEnd, &mut silent, std::future::pending());
        let releasing = async {
            let joined = async || counts(&frontend).await.contains(&("joined", 1)).then_some(());
            crate::scene::until("it has joined", joined).await;
            scene.touch("go");
        };
        let (joined, ()) = tokio::join!(waiting, releasing);
        match joined.unwrap() {
            Dispatched::Ended(ended) => {
                assert_eq!(
                    (ended.job.id, ended.served, ended.answer.text.as_str()),
                    (first, Served::Join, "later")
                );
            }
            Dispatched::Running(view, _) => panic!("{view:?}"),
        }
        assert_eq!(codes(&frontend, first).await, ["requested", "started", "finished"]);
    });
}

/// Returns a request as a front end puts it before the store, under this id.
fn open_request(scene: &Scene, job: JobId) -> OpenRequest {
    let proposal = Proposal {
        directory: scene.file("project"),
        git_head: None,
        session: SessionId::generate(),
        resumed: false,
        profile: ProfileInForce::default(),
        digest: Digest::of(b"a question"),
        key: Some(Digest::of(b"a key")),
        cache: Some(CachePolicy { ttl_ms: 60_000, entries_max: 10 }),
        places: Places { everyone: 5, agent: None },
        spend: SpendLimit::default(),
        agent_spend: SpendLimit::default(),
    };
    OpenRequest {
        job,
        agent: "worker".to_owned(),
        group: None,
        caller: Caller::default(),
        texts: RequestTexts { task: "a question".to_owned(), ..RequestTexts::default() },
        proposal: Ok(proposal),
        attached: true,
        on_disconnect: OnDisconnect::Detach,
        audit_content: AuditContent::Digest,
    }
}

#[test]
fn a_request_that_is_sent_again_is_decided_the_same() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let [first, second] = [JobId::generate(), JobId::generate()];
        let open = async |job| match frontend
            .client
            .ask(&Request::Open(Box::new(open_request(&scene, job)), Portion::WHOLE))
            .await
        {
            Ok(Reply::Admission(admission)) => admission,
            other => panic!("{other:?}"),
        };
        for round in 0..3 {
            assert_eq!(open(first).await, Admission::Opened, "round {round}");
            assert_eq!(open(second).await, Admission::Joined(first), "round {round}");
            scene.daemons()[0].kill();
        }
        assert_eq!(counts(&frontend).await, [("joined", 1), ("requested", 1)]);

        // Also when the job has ended in between: who waits for it then is told so at once.
        let cancel = Request::Cancel { job: first, by: "the test".to_owned(), caller: Box::default() };
        frontend.client.ask(&cancel).await.unwrap();
        assert_eq!(open(first).await, Admission::Opened);
        assert_eq!(open(second).await, Admission::Joined(first));
        assert_eq!(end_of(&frontend, first).await.record.state, State::Cancelled);
        assert_eq!(status(&frontend).await.jobs, 0);
        assert_eq!(whole_trail(&frontend).await, 3);
    });
}
