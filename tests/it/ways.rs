//! Every way to dispatch: in a conversation, several at once, in turns, and only in thought.

use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::daemon::protocol::WaitRequest;
use agent_dispatch::dispatch::{
    DispatchError, Dispatched, Ended, Frontend, Outcome, Patience, Served, Standing, Turn,
};
use agent_dispatch::job::{Considered, State};
use agent_dispatch::model::request::{RawRequest, Sharing};
use agent_dispatch::model::{DispatchRequest, FailureClass, SessionId};
use agent_dispatch::plan::dialogue::{Dialogue, Side, Stop};
use tokio::sync::oneshot;

use crate::scene::{
    Scene, audit, codes, dispatch, end_of, holds, on_runtime, reaches, refusal, start, until, whole_trail,
};

/// Returns a request that goes on with a conversation.
fn turn(scene: &Scene, agent: &str, session: &SessionId, script: &str) -> DispatchRequest {
    scene.raw_request(RawRequest {
        agent: agent.to_owned(),
        task: format!("go on\nfake: {}", scene.script(script)),
        session_id: session.to_string(),
        ..RawRequest::default()
    })
}

/// Returns what would become of a request.
async fn considered(frontend: &Frontend, request: &DispatchRequest) -> Considered {
    frontend.consider(request, "test").await.unwrap().outlook.verdict
}

#[test]
fn a_conversation_belongs_to_its_agent() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let begun = dispatch(&frontend, &scene.request("worker", "say begun")).await.unwrap();
        let session = begun.session();
        for spelling in [session.to_string(), session.to_string().to_uppercase()] {
            let stranger = turn(&scene, "other", &spelling.parse().unwrap(), "count-starts @strange");
            let refused = refusal(&frontend, &stranger).await;
            assert_eq!(refused.class, FailureClass::Refused);
            assert!(
                refused.message.ends_with("belongs to the agent `worker`, not to `other`"),
                "{refused:?}"
            );
            let call = "dispatch_session(agent=\"worker\", session_id=\"";
            assert!(refused.hint.contains(call), "{refused:?}");
        }
        assert_eq!(scene.lines("strange").len(), 0);
        let records = audit(&frontend, AuditFilter::default()).await;
        assert_eq!(records.last().unwrap().event.as_str(), "refused");

        let own = dispatch(&frontend, &turn(&scene, "worker", &session, "say more")).await.unwrap();
        assert_eq!((own.answer.text.as_str(), own.session()), ("more", session));
        // One that nobody here has heard of may be a person's own: `claude` knows.
        let unknown = turn(&scene, "other", &SessionId::generate(), "say it is mine");
        assert_eq!(considered(&frontend, &unknown).await, Considered::Run);
        whole_trail(&frontend).await;
    });
}

#[test]
fn one_dispatch_at_a_time_goes_on_with_a_conversation() {
    let scene = Scene::with("max_concurrency: 1", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let begun = dispatch(&frontend, &scene.request("worker", "say begun")).await.unwrap();
        let session = begun.session();
        let first =
            start(&frontend, &turn(&scene, "worker", &session, "touch @first; wait @go; say first")).await;
        let second = turn(&scene, "worker", &session, "count-starts @second; say second");
        // While it waits for its place, and while it runs.
        let refused = [refusal(&frontend, &second).await, {
            holds("it runs", || scene.file("first").exists()).await;
            refusal(&frontend, &second).await
        }];
        for refused in refused {
            assert_eq!(refused.class, FailureClass::Refused);
            assert!(refused.message.contains(&first.to_string()), "{refused:?}");
            assert!(refused.hint.contains(&format!("dispatch_wait(job_id=\"{first}\")")), "{refused:?}");
        }
        // Somebody else's is refused as that, although it is in use.
        let stranger = refusal(&frontend, &turn(&scene, "other", &session, "say x")).await;
        assert!(stranger.message.contains("belongs to the agent `worker`"), "{stranger:?}");
        scene.touch("go");
        assert_eq!(end_of(&frontend, first).await.record.state, State::Done);
        assert_eq!(dispatch(&frontend, &second).await.unwrap().answer.text, "second");
        assert_eq!(scene.lines("second").len(), 1);
    });
}

#[test]
fn what_is_considered_is_decided_like_a_dispatch_and_leaves_nothing() {
    let scene = Scene::with("budget: {day: 2}", "max_budget_usd: 1.5\nmax_concurrency: 3");
    on_runtime(async {
        let frontend = scene.frontend();
        let kept = scene.request("worker", "cost 0.25; say kept");
        assert_eq!(considered(&frontend, &kept).await, Considered::Run);
        assert_eq!(whole_records(&frontend).await, 0);
        let run = dispatch(&frontend, &kept).await.unwrap();
        let (job, ended) = (run.job.id, run.job.ended.unwrap());
        assert_eq!(considered(&frontend, &kept).await, Considered::Hit(job, ended));

        let open = scene.request("worker", "touch @open; wait @go; say open");
        let running = start(&frontend, &open).await;
        holds("it runs", || scene.file("open").exists()).await;
        assert!(matches!(considered(&frontend, &open).await, Considered::Join(job, _) if job == running));
        let records = whole_records(&frontend).await;
        // 0.25 was spent and 1.5 may be by the one that runs: there is room for 0.25 more, not for 1.5.
        let prospect = frontend.consider(&scene.request("worker", "say too much"), "test").await.unwrap();
        let Considered::Refused(refused) = &prospect.outlook.verdict else { panic!("{prospect:?}") };
        assert_eq!(refused.class, FailureClass::Budget);
        let [cap] = prospect.outlook.caps.as_slice() else { panic!("{prospect:?}") };
        assert_eq!((cap.limit, cap.spent, cap.reserved, cap.left()), (2.0, 0.25, 1.5, 0.25));
        assert_eq!((prospect.outlook.crowd.running, prospect.outlook.crowd.waiting), (1, 0));
        let proposal = prospect.proposal.unwrap();
        assert_eq!((proposal.places.agent, proposal.profile.max_budget_usd), (Some(3), Some(1.5)));
        let nobody = frontend.consider(&scene.request("nobody", "x"), "test").await.unwrap();
        assert!(matches!(nobody.outlook.verdict, Considered::Refused(_)) && nobody.proposal.is_none());
        assert_eq!(whole_records(&frontend).await, records, "considering was recorded");
        scene.touch("go");
        end_of(&frontend, running).await;
    });
}

async fn whole_records(frontend: &Frontend) -> usize {
    audit(frontend, AuditFilter::default()).await.len()
}

#[test]
fn three_dispatches_make_what_is_usual() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        for (number, script) in ["cost 0.1; say a", "cost 0.3; say b", "error 500 c"].into_iter().enumerate()
        {
            let request = scene.request("worker", script);
            let before = frontend.consider(&request, "test").await.unwrap().outlook.typical;
            assert_eq!(before, None, "{number} are not enough");
            dispatch(&frontend, &request).await.unwrap();
        }
        let request = scene.request("worker", "say d");
        let typical = frontend.consider(&request, "test").await.unwrap().outlook.typical.unwrap();
        assert_eq!((typical.dispatches, typical.failed), (3, 1));
        let other = frontend.consider(&scene.request("other", "say d"), "test").await.unwrap();
        assert_eq!(other.outlook.typical, None);
    });
}

#[test]
fn whoever_waits_inside_a_job_is_not_joined_by_what_he_waits_for() {
    let scene = Scene::new();
    on_runtime(async {
        let outside = scene.frontend();
        let questions = ["left", "right"]
            .map(|name| scene.request("worker", &format!("count-starts @{name}; wait @go; say {name}")));
        let left = start(&outside, &questions[0]).await;
        let right = start(&outside, &questions[1]).await;
        holds("both run", || ["left", "right"].iter().all(|name| !scene.lines(name).is_empty())).await;
        let (in_left, in_right) = (scene.inside(left, 1), scene.inside(right, 1));
        assert!(matches!(considered(&in_right, &questions[0]).await, Considered::Join(..)));
        let wait = WaitRequest {
            jobs: vec![right],
            any: false,
            timeout_ms: None,
            attach: false,
            detach_at_timeout: false,
            inside: Some(left),
            answer: None,
        };
        let (give_up, given_up) = oneshot::channel::<()>();
        let mut step = |_, _: &_| {};
        let waiting = async {
            tokio::select! {
                ended = in_left.wait(&wait, &mut step, pending()) => panic!("{ended:?}"),
                _ = given_up => {}
            }
        };
        let asking = async {
            let runs = async || (considered(&in_right, &questions[0]).await == Considered::Run).then_some(());
            until("it would run by itself", runs).await;
            give_up.send(()).unwrap();
        };
        tokio::join!(waiting, asking);
        // Nobody waits any more: the connection is closed.
        let joins =
            async || matches!(considered(&in_right, &questions[0]).await, Considered::Join(..)).then_some(());
        until("it would be joined again", joins).await;
        scene.touch("go");
        end_of(&outside, left).await;
    });
}

async fn parallel(frontend: &Frontend, requests: &[DispatchRequest], patience: Patience) -> Vec<Outcome> {
    frontend.parallel(requests, "test", patience, &mut |_| {}, pending()).await.unwrap()
}

/// Returns how each came out, in a word or two.
fn words(outcomes: &[Outcome]) -> Vec<String> {
    let word = |outcome: &Outcome| match outcome {
        Ok(Dispatched::Ended(ended)) => ended.job.error().unwrap_or_else(|| ended.answer.text.clone()),
        Ok(Dispatched::Running(view, served)) => format!("{:?} {served:?}", view.record.state),
        Err(error) => format!("{error}"),
    };
    outcomes.iter().map(word).collect()
}

#[test]
fn several_come_out_in_their_order_and_the_failure_of_one_is_its_own() {
    let scene = Scene::with("max_concurrency: 2", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let requests = [
            scene.request("worker", "count-starts @starts; delay 30; say slow"),
            scene.request("other", "error 500 broken"),
            scene.request("nobody", "x"),
            scene.request("worker", "count-starts @starts; delay 30; say slow"),
            scene.request("worker", "say quick"),
            scene.request("other", "no-result; exit 3"),
        ];
        let mut told = Vec::new();
        let mut standing = |standing: &Standing| told.push(standing.clone());
        let outcomes =
            frontend.parallel(&requests, "test", Patience::ToTheEnd, &mut standing, pending()).await;
        let outcomes = outcomes.unwrap();
        let words = words(&outcomes);
        assert_eq!(words[0], "slow");
        assert_eq!(words[1], "API Error: 500 broken");
        assert!(words[2].starts_with("there is no agent `nobody`"), "{words:?}");
        assert_eq!((words[3].as_str(), words[4].as_str()), ("slow", "quick"));
        assert!(words[5].contains("exit code 3"), "{words:?}");
        assert_eq!(scene.lines("starts").len(), 1, "the same was run twice");
        let served = |at: usize| match &outcomes[at] {
            Ok(Dispatched::Ended(ended)) => ended.served,
            other => panic!("{other:?}"),
        };
        let mut twins = [served(0), served(3)];
        twins.sort_by_key(|served| *served != Served::Run);
        assert_eq!(twins, [Served::Run, Served::Join]);
        let done: Vec<usize> = told.iter().map(|standing| standing.done).collect();
        assert!(done.is_sorted() && done.last() == Some(&6), "{done:?}");
        assert!(told.iter().all(|standing| standing.total == 6));
        whole_trail(&frontend).await;
    });
}

#[test]
fn as_many_run_at_once_as_there_are_places_and_no_fewer() {
    let scene = Scene::with("max_concurrency: 12", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let requests: Vec<_> = (0..30)
            .map(|number| scene.request("worker", &format!("count-starts @starts; wait @go; say {number}")))
            .collect();
        let running = parallel(&frontend, &requests, Patience::ToTheEnd);
        let releasing = async {
            holds("twelve run at once", || scene.lines("starts").len() == 12).await;
            scene.touch("go");
        };
        let (outcomes, ()) = tokio::join!(running, releasing);
        assert_eq!(words(&outcomes), (0..30).map(|number| number.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn what_is_not_done_when_the_patience_is_over_goes_on_by_itself() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let requests = [
            scene.request("worker", "say quick"),
            scene.request("worker", "wait @go; say at last"),
            scene.request("other", "wait @go; say at last"),
        ];
        let patience = Patience::AtMost(Duration::from_millis(1500));
        let outcomes = parallel(&frontend, &requests, patience).await;
        let ids = outcomes.iter().filter_map(|outcome| match outcome {
            Ok(Dispatched::Running(view, _)) => Some(view.record.id),
            _ => None,
        });
        let ids: Vec<_> = ids.collect();
        assert_eq!((words(&outcomes)[0].as_str(), ids.len()), ("quick", 2), "{outcomes:?}");
        // Sent again, it meets those that run and says so.
        let again = parallel(&frontend, &requests[1..], Patience::AtMost(Duration::ZERO)).await;
        assert!(words(&again).iter().all(|word| word.ends_with(" Join")), "{again:?}");
        drop(frontend);
        scene.touch("go");
        let frontend = scene.frontend();
        for id in ids {
            assert_eq!(end_of(&frontend, id).await.record.state, State::Done);
        }
    });
}

#[test]
fn when_the_patience_is_over_nothing_more_is_opened_and_each_says_so() {
    let scene = Scene::with("max_concurrency: 1", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let requests: Vec<_> =
            (0..105).map(|number| scene.request("worker", &format!("wait @go; say {number}"))).collect();
        let told = words(&parallel(&frontend, &requests, Patience::AtMost(Duration::ZERO)).await);
        // A hundred find room at once; they go on by themselves.
        assert!(told[..100].iter().all(|word| word.ends_with(" Run")), "{told:?}");
        let late = "it was not started: the wait was over before its turn came";
        assert!(told[100..].iter().all(|word| word == late), "{told:?}");
        assert_eq!(crate::scene::status(&frontend).await.jobs, 100);
    });
}

#[test]
fn what_found_no_room_is_opened_before_the_patience_is_over() {
    let scene = Scene::with("max_concurrency: 1", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let requests: Vec<_> =
            (0..102).map(|number| scene.request("worker", &format!("wait @go; say {number}"))).collect();
        let told = words(&parallel(&frontend, &requests, Patience::AtMost(Duration::from_secs(4))).await);
        assert!(told.iter().all(|word| word.ends_with(" Run")), "{told:?}");
        assert_eq!(crate::scene::status(&frontend).await.jobs, 102);
    });
}

#[test]
fn taking_several_back_stops_all_of_them() {
    let scene = Scene::with("max_concurrency: 2", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let requests: Vec<_> = (0..5)
            .map(|number| scene.request("worker", &format!("count-starts @starts; say {number}; hang")))
            .collect();
        let (take_back, taken_back) = oneshot::channel::<()>();
        let cancelled = async { drop(taken_back.await) };
        let mut standing = |_: &Standing| {};
        let running = frontend.parallel(&requests, "test", Patience::ToTheEnd, &mut standing, cancelled);
        let outside = scene.frontend();
        let leaving = async {
            holds("two run", || scene.lines("starts").len() == 2).await;
            let all = async || (jobs(&outside).await.len() == 5).then_some(());
            until("all are open", all).await;
            take_back.send(()).unwrap();
        };
        let (outcome, ()) = tokio::join!(running, leaving);
        assert!(matches!(outcome, Err(DispatchError::Cancelled)), "{outcome:?}");
        for job in jobs(&outside).await {
            reaches(&outside, job, State::Cancelled).await;
        }
        assert_eq!(scene.lines("starts").len(), 2, "one was started after that");
    });
}

async fn jobs(frontend: &Frontend) -> Vec<agent_dispatch::model::JobId> {
    let all = agent_dispatch::job::JobFilter { states: Vec::new(), agent: None, limit: 100 };
    match frontend.client.ask(&agent_dispatch::daemon::protocol::Request::Jobs(all)).await.unwrap() {
        agent_dispatch::daemon::protocol::Reply::Jobs(views) => {
            views.iter().map(|view| view.record.id).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Returns a dialogue in which `worker` brings up a topic with `other`.
fn opened(rounds: i64) -> Dialogue {
    let [requester, responder] = ["worker", "other"].map(|name| name.parse().unwrap());
    Dialogue::new(requester, responder, "which port?".to_owned(), rounds)
}

/// A scene whose `worker` plays this script; `other` answers what it is asked.
fn talking(script: &str) -> Scene {
    Scene::with("", &format!("env: {{set: {{FAKE_CLAUDE_SCRIPT: '{script}'}}}}"))
}

/// Returns a turn that has come to its end.
fn ended(turn: Turn) -> Ended {
    match turn.outcome {
        Ok(Dispatched::Ended(ended)) => *ended,
        other => panic!("it was waited for: {other:?}"),
    }
}

#[test]
fn two_agents_talk_in_turns_until_one_says_that_it_is_settled() {
    let scene = talking(r"cost 0.5; say Port 80 it is.\n\n[RESOLVED]; status done");
    on_runtime(async {
        let frontend = scene.frontend();
        let steps = Mutex::new(Vec::new());
        let mut step = |round: usize, side: Side, agent: &str, _: &_| {
            steps.lock().unwrap().push(format!("{round} {} {agent}", side.as_str()));
        };
        let mut dialogue = opened(3).with(RawRequest { timeout_seconds: 60, ..RawRequest::default() });
        let turns =
            frontend.dialogue(&mut dialogue, "test", Patience::ToTheEnd, &mut step, pending()).await.unwrap();
        let order: Vec<_> = turns.iter().map(|turn| (turn.agent.as_str(), turn.side, turn.round)).collect();
        assert_eq!(order, [("other", Side::Responder, 1), ("worker", Side::Requester, 1)]);
        let ending = dialogue.ending();
        assert_eq!((ending.stop, ending.final_answer.as_str()), (Stop::Resolved, "Port 80 it is."));
        let turns: Vec<_> = turns.into_iter().map(ended).collect();
        let [first, second] = turns.try_into().unwrap();
        // Told of the rule, it repeats it, and that settles nothing.
        assert!(first.answer.text.starts_with("fake answer to: The agent `worker` wants"), "{first:?}");
        assert_eq!(first.job.caller.declared.as_deref(), Some("worker"));
        assert_eq!((second.job.key, second.job.profile.timeout_seconds), (None, 60));
        assert_ne!(first.session(), second.session());
        assert_eq!(codes(&frontend, second.job.id).await, ["requested", "started", "finished"]);
        let steps = steps.into_inner().unwrap();
        assert!(
            steps.iter().all(|step| step == "1 responder other" || step == "1 requester worker"),
            "{steps:?}"
        );
    });
}

#[test]
fn each_side_keeps_its_conversation_over_the_rounds() {
    let scene = talking("say not yet");
    on_runtime(async {
        let frontend = scene.frontend();
        let mut dialogue = opened(2);
        let turns = frontend
            .dialogue(&mut dialogue, "test", Patience::ToTheEnd, &mut |_, _, _, _| {}, pending())
            .await
            .unwrap();
        let ended: Vec<_> = turns.into_iter().map(ended).collect();
        let resumed: Vec<_> = ended.iter().map(|ended| ended.job.resumed).collect();
        assert_eq!(resumed, [false, false, true, true]);
        assert_eq!(ended[0].session(), ended[2].session());
        assert_eq!(ended[1].session(), ended[3].session());
        assert_eq!(
            (dialogue.ending().stop, dialogue.ending().final_answer.as_str()),
            (Stop::RoundsOver, "not yet")
        );
    });
}

#[test]
fn a_turn_that_fails_ends_a_dialogue() {
    let scene = talking("say [RESOLVED]; error 500 broken");
    on_runtime(async {
        let frontend = scene.frontend();
        let mut dialogue = opened(3);
        let turns = frontend
            .dialogue(&mut dialogue, "test", Patience::ToTheEnd, &mut |_, _, _, _| {}, pending())
            .await
            .unwrap();
        assert_eq!(turns.len(), 2);
        let ending = dialogue.ending();
        assert_eq!((ending.stop, ending.final_answer.as_str()), (Stop::Failed, "API Error: 500 broken"));
    });
}

#[test]
fn taking_a_dialogue_back_stops_the_turn_under_way() {
    let scene = talking("say here; hang");
    on_runtime(async {
        let frontend = scene.frontend();
        let (heard, there) = oneshot::channel();
        let mut heard = Some(heard);
        let mut step = |_: usize, side: Side, _: &str, _: &_| {
            if side == Side::Requester
                && let Some(heard) = heard.take()
            {
                heard.send(()).unwrap();
            }
        };
        let mut dialogue = opened(3);
        let cancelled = async { drop(there.await) };
        let outcome =
            frontend.dialogue(&mut dialogue, "test", Patience::ToTheEnd, &mut step, cancelled).await;
        assert!(matches!(outcome, Err(DispatchError::Cancelled)), "{outcome:?}");
        let all = jobs(&frontend).await;
        assert_eq!(all.len(), 2);
        reaches(&frontend, all[0], State::Cancelled).await;
        reaches(&frontend, all[1], State::Done).await;
    });
}

#[test]
fn a_value_that_does_not_fit_its_schema_fails_and_is_kept() {
    let scene = Scene::new();
    on_runtime(async {
        let schema = r#"{"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 5}}}"#;
        let raw = |script: &str| RawRequest {
            agent: "worker".to_owned(),
            task: format!("play it\nfake: {script}"),
            response_format: schema.into(),
            ..RawRequest::default()
        };
        let frontend = scene.frontend();
        let fits = DispatchRequest::new(raw(r#"structured {"n": 10}"#), Sharing::CacheAndJoin).unwrap();
        assert_eq!(dispatch(&frontend, &fits).await.unwrap().job.state, State::Done);
        let wrong = DispatchRequest::new(raw(r#"structured {"n": 7}"#), Sharing::CacheAndJoin).unwrap();
        for _ in 0..2 {
            let ended = dispatch(&frontend, &wrong).await.unwrap();
            assert_eq!(
                (ended.job.state, ended.served),
                (State::Failed, Served::Run),
                "it was kept for others"
            );
            assert!(ended.job.error().unwrap().contains("at /n: 7 is not multipleOf 5"), "{ended:?}");
            assert_eq!(ended.answer.parsed.as_deref(), Some(r#"{"n":7}"#));
        }
    });
}

#[test]
fn a_claude_that_is_not_there_is_refused_before_a_job_is_opened() {
    let scene = Scene::with("claude_path: /nowhere/claude", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let request = scene.request("worker", "say hello");
        assert!(matches!(considered(&frontend, &request).await, Considered::Refused(_)));
        let refused = refusal(&frontend, &request).await;
        assert_eq!(refused.class, FailureClass::NotFound);
        assert_eq!(refused.message, "`claude_path` in the settings is /nowhere/claude, which is not there");
        let records = audit(&frontend, AuditFilter::default()).await;
        assert!(records.iter().all(|record| record.event.as_str() == "refused"), "{records:?}");
    });
}
