//! What becomes of jobs whose worker is dead or never came. What was paid for is never lost: a result line in the run
//! folder is a finished job; without one the job is interrupted, with its conversation, so that it can be gone on with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{info, warn};

use crate::daemon::serve::Daemon;
use crate::daemon::session::LAUNCH_BUDGET;
use crate::daemon::workers::{self, pump};
use crate::job::{ProcessId, State};
use crate::model::{Answer, FailureClass, Findings, JobId, RunResult};
use crate::runner::{self, RunFolder, process, sweep};
use crate::store::ledger::{self, Source};
use crate::store::{CommitError, Txn};

/// How long `claude` gets to end by itself after the death of its worker interrupted it.
const LAST_WORDS: Duration = Duration::from_millis(1500);

/// How long callers and workers get to find the new daemon.
const RETURN_BUDGET: Duration = LAUNCH_BUDGET;

/// Takes in the jobs that were under way when the last daemon went.
pub(super) fn take_in(daemon: &Arc<Daemon>) {
    let mut counts = BTreeMap::new();
    for job in daemon.store.unended().unwrap_or_default() {
        *counts.entry(job.state.as_str()).or_insert(0_u32) += 1;
        match daemon.store.progress(job.id) {
            Ok(Some((at, lines))) => daemon.hub.enter_again(&job, at, lines),
            Ok(None) | Err(_) => daemon.hub.enter(&job),
        }
        match (job.state, job.worker) {
            (State::Running | State::Cancelling, Some(worker)) => {
                // Its place stays taken for as long as it runs, whether or not its worker has come back yet.
                daemon.hub.resume(workers::ticket(&job));
                watch(daemon, job.id, worker);
            }
            _ => expect_worker(daemon, job.id, RETURN_BUDGET),
        }
        if job.attached {
            expect_callers(daemon, job.id);
        }
    }
    if !counts.is_empty() {
        info!(?counts, "took in jobs of the last daemon");
    }
    let folders = RunFolder::list(&daemon.paths.runs()).unwrap_or_default();
    for job in folders {
        if daemon.store.job(job).is_ok_and(|found| found.is_none_or(|record| record.state.is_terminal())) {
            // Scratch of a job that has ended (or never was): whatever mattered of it is in the store.
            let daemon = Arc::clone(daemon);
            daemon.tasks.clone().spawn(async move {
                sweep::sweep(job).await;
                let _left_for_gc =
                    RunFolder::open(&daemon.paths.runs().join(job.to_string())).map(RunFolder::remove);
            });
        }
    }
}

/// Ends a job for which no worker came in time.
pub(super) fn expect_worker(daemon: &Arc<Daemon>, job: JobId, budget: Duration) {
    let daemon = Arc::clone(daemon);
    daemon.tasks.clone().spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(budget) => {}
            () = daemon.stopping.cancelled() => return,
        }
        let waits = daemon.store.job(job).ok().flatten().is_some_and(|record| record.state == State::Pending);
        if waits && daemon.hub.worker(job).is_none() {
            warn!(%job, "no worker came");
            let _ended_meanwhile = lose(&daemon, job, None).await;
        }
    });
}

/// Gives up a job for which no caller came back in time.
fn expect_callers(daemon: &Arc<Daemon>, job: JobId) {
    let daemon = Arc::clone(daemon);
    daemon.tasks.clone().spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(RETURN_BUDGET) => {}
            () = daemon.stopping.cancelled() => return,
        }
        if let Some(abandoned) = daemon.hub.abandoned(job) {
            super::session::give_up(
                &daemon,
                abandoned,
                "its caller did not come back after a restart of the daemon",
            )
            .await;
        }
    });
}

/// The worker's connection is gone, or not there yet: when the process is gone too, ends its job with what it left.
pub(super) fn watch(daemon: &Arc<Daemon>, job: JobId, worker: ProcessId) {
    let daemon = Arc::clone(daemon);
    daemon.tasks.clone().spawn(async move {
        tokio::select! {
            () = process::wait_gone(worker) => {}
            () = daemon.stopping.cancelled() => return,
        }
        // It may have come back and ended its job properly in between; then there is nothing to do.
        let open = daemon.store.job(job).ok().flatten().is_some_and(|record| !record.state.is_terminal());
        if open && daemon.hub.worker(job).is_none() {
            bury(&daemon, job).await;
        }
        daemon.hub.release(job);
        pump(&daemon);
    });
}

/// Ends the job of a dead worker.
async fn bury(daemon: &Arc<Daemon>, job: JobId) {
    // The death of the worker interrupts `claude`, which then cleans up behind itself; what is left after that is killed.
    let _killed_next = timeout(LAST_WORDS, sweep::wait_gone(job)).await;
    let swept = sweep::sweep(job).await;
    let folder = RunFolder::open(&daemon.paths.runs().join(job.to_string())).ok();
    let found = folder.as_ref().and_then(runner::leftover);
    let whole = found.as_ref().is_some_and(|found| found.result.success);
    info!(%job, whole, killed = swept.len(), "a worker died");
    let ended = match found {
        Some(found) if whole => {
            let finish =
                move |txn: &mut Txn<'_>| ledger::finish(txn, job, found, Source::RunFolder).map(|_| ());
            daemon.store.commit(finish).await
        }
        found => lose(daemon, job, found).await,
    };
    match ended {
        Ok(()) => {
            daemon.hub.end(job);
            let _left_for_gc = folder.map(RunFolder::remove);
        }
        Err(error) => warn!(%job, %error, "the end of a job could not be recorded"),
    }
}

/// Notes that the job is interrupted, with what its run had found out.
async fn lose(daemon: &Arc<Daemon>, job: JobId, found: Option<Findings>) -> Result<(), CommitError> {
    let lost = daemon.store.commit(move |txn| {
        let record = ledger::job(txn, job)?;
        let source = if found.is_some() { Source::RunFolder } else { Source::Daemon };
        let mut findings = found.unwrap_or_else(|| {
            let message = "the process that watched over the run died before an answer came";
            (RunResult::failed(FailureClass::Interrupted, message, 0), Answer::default()).into()
        });
        let result = &mut findings.result;
        result.class = Some(FailureClass::Interrupted);
        if record.started.is_some() {
            result.session.get_or_insert_with(|| record.session.clone());
            result.hint = Some(format!(
                "Go on with what it had begun: dispatch_session(agent=\"{}\", session_id=\"{}\", task=\"continue\").",
                record.agent, record.session
            ));
        } else {
            result.hint = Some("Nothing had run: dispatch it again.".to_owned());
        }
        ledger::lose(txn, job, findings, source).map(|_| ())
    });
    lost.await?;
    daemon.hub.end(job);
    daemon.hub.release(job);
    pump(daemon);
    Ok(())
}

/// Notes that the job's worker could not be started.
pub(super) async fn launch_failed(daemon: &Arc<Daemon>, job: JobId, error: &str) -> Result<(), CommitError> {
    let result =
        RunResult::failed(FailureClass::CliError, format!("the worker could not be started: {error}"), 0);
    let findings = (result, Answer::default()).into();
    let ended =
        daemon.store.commit(move |txn| ledger::finish(txn, job, findings, Source::Daemon).map(|_| ()));
    ended.await?;
    daemon.hub.end(job);
    daemon.hub.release(job);
    pump(daemon);
    Ok(())
}
