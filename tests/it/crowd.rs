//! More dispatches than there is room for: refused, recorded, and no hindrance to who looks, stops or tries again.

use std::process::{Command, Stdio};

use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::daemon::protocol::Request;
use agent_dispatch::dispatch::{DispatchError, Dispatched, Frontend, Patience};
use agent_dispatch::model::{FailureClass, JobId};
use agent_dispatch::plan::Refusal;

use crate::daemon::without_workers;
use crate::scene::{PROGRAM, Scene, audit, codes, exit_of, holds, on_runtime, status, whole_trail};

/// File descriptors that the daemon may have: room for some dozens of connections.
const DESCRIPTORS: u32 = 200;

/// Dispatches a task without waiting for it.
async fn try_to_start(scene: &Scene, frontend: &Frontend, number: usize) -> Result<JobId, Refusal> {
    let request = scene.request("worker", &format!("say {number}"));
    let never = std::future::pending();
    match frontend.dispatch(&request, "test", Patience::None, &mut |_, _: &_| {}, never).await {
        Ok(Dispatched::Running(view, _)) => Ok(view.record.id),
        Err(DispatchError::Refused { refusal, .. }) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_does_not_fit_is_refused_and_commands_get_through_all_the_same() {
    let scene = Scene::new();
    let script = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" daemon run");
    let mut daemon = Command::new("sh");
    daemon.args(["-c", &script, PROGRAM]).env_clear().envs(scene.variables());
    let mut daemon = daemon.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    on_runtime(async {
        let socket = scene.environment().state.socket;
        holds("it listens", || socket.exists()).await;
        // Workers that are still to come count.
        let frontend = without_workers(&scene);
        let mut jobs = Vec::new();
        let refused = loop {
            match try_to_start(&scene, &frontend, jobs.len()).await {
                Ok(job) => jobs.push(job),
                Err(refusal) => break refusal,
            }
        };
        assert_eq!(refused.class, FailureClass::QueueFull, "{refused:?}");
        assert!((20..100).contains(&jobs.len()), "{} fitted", jobs.len());
        let last = audit(&frontend, AuditFilter::default()).await.pop().unwrap();
        assert_eq!(last.event.as_str(), "refused");
        assert!(last.reason.as_deref().unwrap().starts_with("queue_full: the queue is full"), "{last:?}");

        assert_eq!(status(&scene.frontend()).await.jobs as usize, jobs.len());
        let told = scene.program(&["dispatch", "worker", "one more"]).output().unwrap();
        let told = (told.status.code(), String::from_utf8(told.stderr).unwrap());
        assert!(told.0 == Some(4) && told.1.contains("the queue is full"), "{told:?}");
        let cancelled = scene.program(&["cancel", &jobs[0].to_string()]).output().unwrap();
        assert_eq!(cancelled.status.code(), Some(0));
        let next = try_to_start(&scene, &frontend, jobs.len()).await.expect("there is room again");
        assert_eq!(codes(&frontend, next).await, ["requested"]);
        for job in jobs.into_iter().skip(1).chain([next]) {
            let cancel = Request::Cancel { job, by: "the test".to_owned(), caller: Box::default() };
            frontend.client.ask(&cancel).await.unwrap();
        }
        whole_trail(&frontend).await;
        frontend.client.stop().await.unwrap();
        assert_eq!(exit_of(&mut daemon).await, Some(0));
    });
}
