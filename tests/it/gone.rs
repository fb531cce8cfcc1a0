//! Jobs that are removed while somebody waits for them or reads them: the answer, or one clear error.

use std::future::pending;
use std::time::Duration;

use agent_dispatch::daemon::ClientError;
use agent_dispatch::daemon::protocol::upkeep::Manner;
use agent_dispatch::daemon::protocol::{WaitEnd, WaitRequest, WireFault};
use agent_dispatch::dispatch::{DispatchError, Dispatched, Frontend, Patience};
use agent_dispatch::model::JobId;
use agent_dispatch::retention::Retention;

use crate::scene::{Scene, end_of, on_runtime, start};

/// How often the two meet; each time a little differently.
const TIMES: u32 = 15;

/// Removes whatever has ended, until the other side is done.
async fn sweep(frontend: &Frontend, until: impl Future<Output = ()>) {
    let sweeping = async {
        loop {
            frontend.gc("test", Retention::Unended, Manner::Remove).await.unwrap();
            // As long as there is no store this is done at once, and would let nobody make one.
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = until => {}
        () = sweeping => {}
    }
}

/// Returns a wait to the end, by somebody for whom the jobs do not live.
fn waiting_for(jobs: Vec<JobId>) -> WaitRequest {
    WaitRequest {
        jobs,
        any: false,
        timeout_ms: None,
        attach: false,
        detach_at_timeout: false,
        inside: None,
        answer: None,
    }
}

fn is_gone(error: &ClientError, job: JobId) -> bool {
    matches!(error, ClientError::Fault(WireFault::NotFound(said)) if said.contains(&job.to_string()))
}

#[test]
fn a_wait_for_a_job_that_is_removed_ends_with_the_job_or_says_that_it_is_gone() {
    on_runtime(async {
        let scene = Scene::new();
        let (frontend, other) = (scene.frontend(), scene.frontend());
        for number in 0..TIMES {
            let job = start(&frontend, &scene.request("worker", &format!("say {number}"))).await;
            let wait = waiting_for(vec![job]);
            sweep(&other, async {
                match frontend.wait(&wait, &mut |_, _| {}, pending()).await {
                    Ok((views, end)) => {
                        assert_eq!((views.len(), end), (1, WaitEnd::Ended));
                    }
                    Err(DispatchError::Client(error)) => assert!(is_gone(&error, job), "{error}"),
                    Err(error) => panic!("{error}"),
                }
            })
            .await;
        }
    });
}

#[test]
fn a_dispatch_has_its_answer_however_often_everything_that_has_ended_is_removed() {
    on_runtime(async {
        let scene = Scene::new();
        let (frontend, other) = (scene.frontend(), scene.frontend());
        for number in 0..TIMES {
            let request = scene.request("worker", &format!("say {number}"));
            sweep(&other, async {
                let patience = Patience::AtMost(Duration::from_secs(60));
                match frontend.dispatch(&request, "test", patience, &mut |_, _| {}, pending()).await {
                    Ok(Dispatched::Ended(ended)) => assert_eq!(ended.answer.text, number.to_string()),
                    other => panic!("{other:?}"),
                }
            })
            .await;
        }
    });
}

#[test]
fn an_answer_that_is_read_while_it_is_removed_is_whole_or_gone() {
    on_runtime(async {
        let scene = Scene::new();
        let (frontend, other) = (scene.frontend(), scene.frontend());
        for number in 0..TIMES {
            let job = start(&frontend, &scene.request("worker", "flood 300000")).await;
            end_of(&frontend, job).await;
            let reading = async {
                // Each time it is removed at another moment.
                for _ in 0..number % 5 {
                    tokio::task::yield_now().await;
                }
                loop {
                    match frontend.answer(job).await {
                        Ok(answer) => assert_eq!(answer.text.len(), 300_000),
                        Err(error) => {
                            assert!(is_gone(&error, job), "{error}");
                            break;
                        }
                    }
                }
            };
            let removing = async {
                frontend.answer(job).await.unwrap();
                other.gc("test", Retention::Unended, Manner::Remove).await.unwrap();
            };
            tokio::join!(reading, removing);
        }
    });
}

#[test]
fn what_ends_while_others_are_waited_for_is_kept_until_the_wait_is_over() {
    on_runtime(async {
        let scene = Scene::new();
        let (frontend, other) = (scene.frontend(), scene.frontend());
        let early = start(&frontend, &scene.request("worker", "wait @first; say early")).await;
        let late = start(&frontend, &scene.request("worker", "wait @second; say late")).await;
        let wait = waiting_for(vec![early, late]);
        let mut hear = |_, _: &_| {};
        let waiting = frontend.wait(&wait, &mut hear, pending());
        let removing = async {
            // The other side has asked by then: it is polled first, and what is asked below takes longer.
            crate::scene::reaches(&other, late, agent_dispatch::job::State::Running).await;
            scene.touch("first");
            end_of(&other, early).await;
            let swept = other.gc("test", Retention::Unended, Manner::Remove).await.unwrap();
            assert_eq!(swept.tally.jobs, 0, "it is waited for");
            scene.touch("second");
        };
        let (waited, ()) = tokio::join!(waiting, removing);
        assert_eq!(waited.unwrap().0.len(), 2);
        let swept = other.gc("test", Retention::Unended, Manner::Remove).await.unwrap();
        assert_eq!(swept.tally.jobs, 2);
    });
}
