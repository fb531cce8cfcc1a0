//! Workers: who may run now, and the connection over which each gets its orders and tells how it goes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::audit::redact::redact;
use crate::daemon::hub::ConnectionId;
use crate::daemon::permits::Ticket;
use crate::daemon::protocol::{Order, ProgressView, Reply, Report, WorkerHello};
use crate::daemon::recover;
use crate::daemon::serve::Daemon;
use crate::daemon::session::Talk;
use crate::daemon::wire::WireError;
use crate::job::{JobRecord, ProcessId, State};
use crate::model::{JobId, Timestamp};
use crate::store::ledger::{self, ProgressLines, Source};
use crate::store::{CommitError, Fault};

/// How long a started run may keep its start to itself: then it is slow, but no longer starting.
const START_SLOT: Duration = Duration::from_secs(2);

/// Orders to one worker: run, stop, and the receipt of its report; a few more than it ever gets.
const ORDERS: usize = 8;

/// Lets run who may run now. A daemon that goes starts nothing: nobody would hear of it.
pub(super) fn pump(daemon: &Arc<Daemon>) {
    if daemon.stopping.is_cancelled() {
        return;
    }
    while let Some(job) = daemon.hub.grant() {
        let daemon = Arc::clone(daemon);
        daemon.tasks.clone().spawn(async move { begin(&daemon, job).await });
    }
    daemon.touch();
}

/// Notes on disk that the job starts, then lets its worker go.
async fn begin(daemon: &Arc<Daemon>, job: JobId) {
    if !start(daemon, job).await {
        pump(daemon);
        return;
    }
    daemon.hub.order(job, Order::Run);
    tokio::select! {
        () = tokio::time::sleep(START_SLOT) => {}
        () = daemon.stopping.cancelled() => return,
    }
    daemon.hub.started(job);
    pump(daemon);
}

/// Notes on disk that the job starts, and returns whether it does. Then it has a place, whatever became of it meanwhile (its
/// worker may have come back and wait in the queue again), and else it has none.
async fn start(daemon: &Arc<Daemon>, job: JobId) -> bool {
    let Some(worker) = daemon.hub.worker(job) else {
        daemon.hub.release(job);
        return false;
    };
    let started = daemon.store.commit(move |txn| ledger::start(txn, job, worker)).await;
    if let Ok(record) = &started {
        daemon.hub.resume(ticket(record));
        return true;
    }
    debug!(%job, error = ?started.err(), "a job was not started");
    match daemon.store.job(job) {
        // It was let in twice, and this is the second time.
        Ok(Some(record)) if matches!(record.state, State::Running | State::Cancelling) => {
            daemon.hub.resume(ticket(&record));
        }
        found => {
            if found.is_ok_and(|found| found.is_some_and(|record| record.state.is_terminal())) {
                daemon.hub.order(job, Order::Dismissed);
            }
            daemon.hub.release(job);
        }
    }
    false
}

/// Returns whether the job is known to have ended. One that cannot be read is not.
pub(super) fn has_ended(daemon: &Daemon, job: JobId) -> bool {
    daemon.store.job(job).is_ok_and(|found| found.is_some_and(|record| record.state.is_terminal()))
}

/// A worker that is connected for as long as this is held, whatever ends that.
struct Post {
    daemon: Arc<Daemon>,
    job: JobId,
    connection: ConnectionId,
    process: ProcessId,
}

impl Drop for Post {
    fn drop(&mut self) {
        if self.daemon.stopping.is_cancelled() {
            return;
        }
        if self.daemon.hub.disconnect_worker(self.job, self.connection) {
            recover::watch(&self.daemon, self.job, self.process);
        }
        pump(&self.daemon);
    }
}

impl Talk<'_> {
    /// Serves a worker until it leaves: orders out, reports in.
    pub(super) async fn worker(&mut self, hello: WorkerHello) -> Result<(), WireError> {
        let job = hello.job;
        let (orders, mut to_send) = mpsc::channel(ORDERS);
        let record = match self.daemon.store.job(job) {
            Ok(Some(record)) if record.state.is_terminal() => {
                return self.send(&Reply::Order(Order::Dismissed)).await;
            }
            Ok(Some(record)) => record,
            found => {
                // The store was set aside, has lost its end or is damaged: the worker may have all there is of an answer.
                warn!(%job, found = ?found.err(), "a worker came whose job is not known");
                return self.send(&Reply::Order(Order::Unknown)).await;
            }
        };
        self.daemon.hub.connect_worker(&record, self.number, hello.process, orders);
        let _post =
            Post { daemon: Arc::clone(self.daemon), job, connection: self.number, process: hello.process };
        self.place(&record, hello.running).await;
        self.reports(job, &mut to_send).await
    }

    /// Gives the worker's job its place in the queue, or back the place it holds. A worker that waits although its start is
    /// on disk has not heard the order: the last daemon died over it.
    async fn place(&self, record: &JobRecord, running: bool) {
        match record.state {
            State::Pending if running => {
                // Its start was lost with the end of the store: it has to be there before the end of the job is.
                let _dismissed_if_not = start(self.daemon, record.id).await;
            }
            State::Pending => self.daemon.hub.ask(ticket(record)),
            State::Running => {
                self.daemon.hub.resume(ticket(record));
                if !running {
                    self.daemon.hub.order(record.id, Order::Run);
                }
            }
            State::Cancelling => {
                self.daemon.hub.resume(ticket(record));
                let by = record.stopped_by.clone().unwrap_or_default();
                self.daemon.hub.order(record.id, Order::Stop(by));
            }
            State::Done | State::Failed | State::Cancelled | State::Interrupted => {}
        }
        pump(self.daemon);
    }

    async fn reports(&mut self, job: JobId, orders: &mut mpsc::Receiver<Order>) -> Result<(), WireError> {
        loop {
            tokio::select! {
                // Both cancel-safe: an order or a report that was not taken is still there.
                order = orders.recv() => match order {
                    Some(order) => self.send(&Reply::Order(order)).await?,
                    None => return self.closed().await,
                },
                report = self.connection.receive::<Report>() => match report? {
                    None => return Ok(()),
                    Some(Report::Alive) => {
                        self.daemon.hub.started(job);
                        pump(self.daemon);
                    }
                    Some(Report::Progress(steps)) => self.progress(job, steps),
                    Some(Report::Ended(findings)) => {
                        let lines = self.daemon.hub.progress_of(job);
                        let ended = self.daemon.store.commit(move |txn| {
                            if let Some((at, lines)) = lines.filter(|(_, lines)| !lines.is_empty()) {
                                ledger::progress(txn, job, &ProgressLines(at, lines))?;
                            }
                            ledger::finish(txn, job, *findings, Source::Worker)
                        });
                        match ended.await {
                            Ok(_) => {
                                self.daemon.hub.end(job);
                                // Who waits for the answer is served first: the worker, once it has its receipt,
                                // cleans up, and needs a processor for it.
                                tokio::task::yield_now().await;
                            }
                            // It was told before, and its receipt was lost with the last daemon.
                            Err(CommitError::Refused(Fault::Conflict(_))) if has_ended(self.daemon, job) => {}
                            Err(error) => {
                                warn!(%job, %error, "a result could not be recorded");
                                return Ok(());
                            }
                        }
                        self.send(&Reply::Order(Order::Recorded)).await?;
                    }
                },
                () = self.daemon.stopping.cancelled() => return Ok(()),
            }
        }
    }

    /// The job has ended: the worker's place is kept until it has cleaned up and closes the connection.
    async fn closed(&mut self) -> Result<(), WireError> {
        tokio::select! {
            said = self.connection.receive::<Report>() => said.map(|_| ()),
            () = self.daemon.stopping.cancelled() => Ok(()),
        }
    }

    fn progress(&self, job: JobId, mut steps: Vec<ProgressView>) {
        for step in &mut steps {
            if let std::borrow::Cow::Owned(clean) = redact(&step.text, self.daemon.store.key()) {
                step.text = clean;
            }
        }
        if let Some(lines) = self.daemon.hub.progress(job, steps, Timestamp::now()) {
            self.daemon.store.note(move |txn| ledger::progress(txn, job, &ProgressLines(lines.0, lines.1)));
        }
    }
}

/// Returns the job's wish to run.
pub(super) fn ticket(record: &JobRecord) -> Ticket {
    Ticket {
        job: record.id,
        depth: record.caller.depth,
        places: record.places,
        agent: record.agent.clone(),
        session: record.session.clone(),
    }
}

#[cfg(test)]
mod tests;
