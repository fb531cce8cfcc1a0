//! What becomes of jobs whose worker is dead or never came. What was paid for is never lost: a result line in the run
//! folder is a finished job; without one the job is interrupted, with its conversation, so that it can be gone on with. What
//! cannot be taken in is kept for a person to read.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{info, warn};

use crate::daemon::serve::Daemon;
use crate::daemon::session::LAUNCH_BUDGET;
use crate::daemon::workers::{self, has_ended, pump};
use crate::job::{JobRecord, ProcessId, State};
use crate::model::changes::may_write;
use crate::model::{Answer, Changes, FailureClass, Findings, JobId, RunResult, with_causes};
use crate::runner::{self, FolderError, RunFolder, process, sweep};
use crate::store::ledger::{self, Source};
use crate::store::{CommitError, ReadError, Txn};

/// How long `claude` gets to end by itself after the death of its worker interrupted it.
const LAST_WORDS: Duration = Duration::from_millis(1500);

/// How often, and how often at most, a job and what its dead worker left are looked at when they cannot be read: for a minute.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOKS_MAX: u32 = 60;

/// How long callers and workers get to find the new daemon.
const RETURN_BUDGET: Duration = LAUNCH_BUDGET;

/// Takes in the jobs that were under way when the last daemon went. A daemon that cannot read which they are must not
/// serve: it would take them for strangers.
pub(super) fn take_in(daemon: &Arc<Daemon>) -> Result<(), ReadError> {
    let mut counts = BTreeMap::new();
    for job in daemon.store.unended()? {
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
    clear(daemon);
    Ok(())
}

/// Clears away the scratch of jobs that have ended: whatever mattered of it is in the store, or kept elsewhere. Where the store
/// does not know a job, or cannot read it, the folder may be all that there is of an answer, and whoever writes there may
/// still live.
fn clear(daemon: &Arc<Daemon>) {
    let mut over = Vec::new();
    for job in RunFolder::list(&daemon.paths.runs()).unwrap_or_default() {
        match daemon.store.job(job) {
            Ok(Some(record)) if record.state.is_terminal() => over.push(job),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => warn!(%job, "a run folder is left where it is: its job is not known"),
        }
    }
    let daemon = Arc::clone(daemon);
    daemon.tasks.clone().spawn(async move {
        for job in over {
            sweep::sweep(job).await;
            remove(&daemon, job).await;
        }
    });
}

/// Ends a job for which no worker came in time.
pub(super) fn expect_worker(daemon: &Arc<Daemon>, job: JobId, budget: Duration) {
    let daemon = Arc::clone(daemon);
    daemon.tasks.clone().spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(budget) => {}
            () = daemon.stopping.cancelled() => return,
        }
        let waits = record_of(&daemon, job).await.is_some_and(|record| record.state == State::Pending);
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
    if !daemon.hub.watch(job, true) {
        return;
    }
    let daemon = Arc::clone(daemon);
    daemon.tasks.clone().spawn(async move {
        tokio::select! {
            () = process::wait_gone(worker) => {}
            () = daemon.stopping.cancelled() => return,
        }
        let record = record_of(&daemon, job).await;
        daemon.hub.watch(job, false);
        // It may have come back and ended its job properly in between; then there is nothing to do.
        let open = record.filter(|record| !record.state.is_terminal());
        if let Some(record) = open.filter(|_| daemon.hub.worker(job).is_none()) {
            bury(&daemon, &record).await;
        }
        daemon.hub.release(job);
        pump(&daemon);
    });
}

/// Returns what is known of a job; nothing when the daemon has to go. Nobody looks again at a job that is passed over here: one
/// that cannot be read now is looked at again for a while.
async fn record_of(daemon: &Daemon, job: JobId) -> Option<JobRecord> {
    let mut looks_left = LOOKS_MAX;
    loop {
        match daemon.store.job(job) {
            Ok(found) => return found,
            Err(error) => warn!(%job, %error, looks_left, "a job without a worker cannot be read"),
        }
        looks_left -= 1;
        if looks_left == 0 || !rest(daemon).await {
            return None;
        }
    }
}

/// Waits until it is time to look again, and returns whether to: the daemon may have to go.
async fn rest(daemon: &Daemon) -> bool {
    tokio::select! {
        () = tokio::time::sleep(LOOK_EVERY) => true,
        () = daemon.stopping.cancelled() => false,
    }
}

/// Ends the job of a dead worker.
async fn bury(daemon: &Arc<Daemon>, record: &JobRecord) {
    let job = record.id;
    // The death of the worker interrupts `claude`, which then cleans up behind itself; what is left after that is killed.
    let _killed_next = timeout(LAST_WORDS, sweep::wait_gone(job)).await;
    let swept = sweep::sweep(job).await;
    let Some(left) = left_by(daemon, record).await else { return };
    let (found, mut kept) = match left {
        Ok(found) => (found, false),
        Err(error) => {
            warn!(%job, error = with_causes(&error), "what a dead worker left cannot be read");
            keep(daemon, job);
            (None, true)
        }
    };
    // An error that it reports is its end as an answer is, unless the death of the worker has brought it.
    let finished = found.as_ref().is_some_and(|found| found.result.class != Some(FailureClass::Interrupted));
    info!(%job, finished, killed = swept.len(), "a worker died");
    let ended = match found {
        Some(mut found) if finished => {
            found.result.changes = unwatched(record, Some(&found.result));
            let finish =
                move |txn: &mut Txn<'_>| ledger::finish(txn, job, found, Source::RunFolder).map(|_| ());
            daemon.store.commit(finish).await
        }
        found => lose(daemon, job, found).await,
    };
    let ended = match ended {
        Err(CommitError::Refused(fault)) if !kept && !has_ended(daemon, job) => {
            // It would be refused again: better an end without an answer than none.
            warn!(%job, %fault, "what a dead worker left cannot be recorded");
            keep(daemon, job);
            kept = true;
            lose(daemon, job, None).await
        }
        ended => ended,
    };
    match ended {
        Ok(()) => {
            daemon.hub.end(job);
            if !kept {
                remove(daemon, job).await;
            }
        }
        Err(error) => warn!(%job, %error, "the end of a job could not be recorded"),
    }
}

/// Keeps the run folder of a job for a person to read. Before the end of the job is on disk: from then on, whoever clears
/// away removes the folder if it bears the job's name.
fn keep(daemon: &Daemon, job: JobId) {
    match RunFolder::keep(&daemon.paths.runs(), job) {
        Ok(kept) => warn!(%job, folder = %kept.path().display(), "the run folder is kept"),
        Err(error) => warn!(%job, error = with_causes(&error), "the run folder is not kept"),
    }
}

/// Reads what a dead worker has left; nothing when the daemon has to go. Where it cannot be read (there may be no file
/// descriptor left) it is looked at again for a while.
async fn left_by(daemon: &Arc<Daemon>, record: &JobRecord) -> Option<Result<Option<Findings>, FolderError>> {
    let mut looks_left = LOOKS_MAX;
    loop {
        let (path, agent) = (folder_of(daemon, record.id), record.agent.clone());
        let started = record.started;
        let look = move || match RunFolder::open(&path) {
            Ok(folder) => runner::leftover(&folder, &agent, started),
            Err(FolderError::Open { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        // Megabytes of output take a while to be read: not on the thread on which everybody is served.
        let looked = tokio::task::spawn_blocking(look).await.ok()?;
        looks_left -= 1;
        if looked.is_ok() || looks_left == 0 {
            return Some(looked);
        }
        if !rest(daemon).await {
            return None;
        }
    }
}

fn folder_of(daemon: &Daemon, job: JobId) -> PathBuf {
    daemon.paths.runs().join(job.to_string())
}

/// Removes the folder of a job that has ended.
async fn remove(daemon: &Daemon, job: JobId) {
    let path = folder_of(daemon, job);
    let remove = move || RunFolder::open(&path).map(RunFolder::remove);
    let _left_for_gc = tokio::task::spawn_blocking(remove).await;
}

/// Notes that the job is interrupted, with what its run had found out.
async fn lose(daemon: &Arc<Daemon>, job: JobId, found: Option<Findings>) -> Result<(), CommitError> {
    let kept = RunFolder::kept(&daemon.paths.runs(), job);
    let lost = daemon.store.commit(move |txn| {
        let record = ledger::job(txn, job)?;
        let source = if found.is_some() { Source::RunFolder } else { Source::Daemon };
        let unheard = found.is_none() && record.started.is_some();
        let changes = unwatched(&record, found.as_ref().map(|found| &found.result));
        let mut findings = found.unwrap_or_else(|| {
            (RunResult::failed(FailureClass::Interrupted, "", 0), Answer::default()).into()
        });
        let result = &mut findings.result;
        result.class = Some(FailureClass::Interrupted);
        // Claude itself does not know what interrupted it.
        let left =
            if kept.is_some() { "and what it left could not be taken in" } else { "before an answer came" };
        result.error = Some(format!("the process that watched over the run died {left}"));
        result.changes = changes;
        result.denied_unknown |= unheard;
        if record.started.is_some() {
            result.session.get_or_insert_with(|| record.session.clone());
        }
        result.hint = Some(way_on(&record, kept.as_ref()));
        ledger::lose(txn, job, findings, source).map(|_| ())
    });
    lost.await?;
    daemon.hub.end(job);
    daemon.hub.release(job);
    pump(daemon);
    Ok(())
}

/// Returns what can be done about a job whose worker died.
fn way_on(record: &JobRecord, kept: Option<&RunFolder>) -> String {
    let read = kept.map(|kept| {
        format!(
            "All that `claude` said is in `{}`, for as long as this job is kept: if it came to an answer, that is in the \
             line of the type `result`.",
            kept.stdout().display()
        )
    });
    let go_on = record.started.map(|_| {
        format!(
            "Go on with what it had begun: dispatch_session(agent=\"{}\", session_id=\"{}\", task=\"continue\").",
            record.agent, record.session
        )
    });
    let hints: Vec<String> = read.into_iter().chain(go_on).collect();
    if hints.is_empty() { "Nothing had run: dispatch it again.".to_owned() } else { hints.join(" ") }
}

/// Returns what is known of the changes of a run whose worker died, and with it what it had seen: in a repository there may
/// be some, unless it is known that only reading tools were used.
fn unwatched(record: &JobRecord, result: Option<&RunResult>) -> Option<Changes> {
    let writing = result.is_none_or(|result| result.tools.keys().any(|tool| may_write(tool)));
    (record.started.is_some() && record.git_head.is_some() && writing)
        .then(|| Changes { incomplete: true, ..Changes::default() })
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

#[cfg(test)]
mod tests;
