//! One connection: the handshake, then one request after the other, or a worker's reports until it leaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::daemon::consider::around;
use crate::daemon::handshake::{self, HELLO_BYTES, Intent};
use crate::daemon::hub::{Abandoned, ConnectionId};
use crate::daemon::pending::Pending;
use crate::daemon::protocol::{
    CancelEffect, DaemonStatus, JobView, Order, Reply, Request, Traces, WaitEnd, WaitRequest, WireFault,
};
use crate::daemon::review::apart;
use crate::daemon::serve::Daemon;
use crate::daemon::wire::{Connection, WireError};
use crate::daemon::workers::pump;
use crate::daemon::{recover, review, trail, upkeep};
use crate::job::{Admission, JobRecord, OpenRequest, State};
use crate::model::{Answer, Caller, JobId, OnDisconnect, Portion};
use crate::store::ledger;
use crate::store::{CommitError, Fault, ReadError, admit};

/// How long the other side may take to say hello, and to take an answer.
const HELLO_BUDGET: Duration = Duration::from_secs(2);
const SEND_BUDGET: Duration = Duration::from_secs(30);

/// Longest part of an answer that is read on the thread that serves everybody, in bytes: it takes as long as to hand it over.
const READ_HERE_MAX: u64 = 64 * 1024;

/// How long a job may be open without a worker: a front end starts it within milliseconds.
pub(super) const LAUNCH_BUDGET: Duration = Duration::from_secs(15);

/// Holds a connection from its first byte to its last.
pub(super) async fn hold(daemon: &Arc<Daemon>, mut stream: UnixStream, number: ConnectionId) {
    let Some(intent) = greet(&mut stream).await else { return };
    if intent == Intent::Stop {
        daemon.stop_for(stream);
        return;
    }
    let mut talk = Talk { daemon, connection: Connection::new(stream), number };
    if let Err(error) = talk.run().await {
        debug!(%error, "a connection broke");
    }
}

/// A connection has ended: what it alone waited for is given up.
pub(super) fn left(daemon: &Arc<Daemon>, number: ConnectionId) {
    // When the daemon goes, its callers have not left: they come back to the next one.
    if daemon.stopping.is_cancelled() {
        return;
    }
    for abandoned in daemon.hub.disconnect(number) {
        let daemon = Arc::clone(daemon);
        daemon.tasks.clone().spawn(async move {
            give_up(&daemon, abandoned, "its caller disconnected").await;
        });
    }
}

async fn greet(stream: &mut UnixStream) -> Option<Intent> {
    let mut bytes = [0; HELLO_BYTES];
    timeout(HELLO_BUDGET, stream.read_exact(&mut bytes)).await.ok()?.ok()?;
    let (versions, intent) = handshake::parse_hello(bytes)?;
    let (answer, chosen) = handshake::welcome(versions, std::process::id());
    stream.write_all(&answer).await.ok()?;
    (chosen != 0 || intent == Intent::Stop).then_some(intent)
}

/// A job that nobody waits for is stopped or lives on by itself, as it was asked for.
pub(super) async fn give_up(daemon: &Arc<Daemon>, abandoned: Abandoned, why: &str) {
    let job = abandoned.job;
    match abandoned.on_disconnect {
        OnDisconnect::Cancel => {
            let guard = Arc::clone(daemon);
            // Looked at again on the writer's thread: a join that was decided in between keeps the job.
            let by = why.to_owned();
            let cancelled = daemon.store.commit(move |txn| match guard.hub.abandoned(job) {
                Some(_) => ledger::cancel(txn, job, &by, None).map(Some),
                None => Ok(None),
            });
            match cancelled.await {
                Ok(Some(record)) => after_cancel(daemon, &record),
                Ok(None) => {}
                Err(error) => debug!(%job, %error, "an abandoned job was not cancelled"),
            }
        }
        OnDisconnect::Detach => detach(daemon, job).await,
    }
}

async fn detach(daemon: &Arc<Daemon>, job: JobId) {
    daemon.hub.detach(job);
    if let Err(error) = daemon.store.commit(move |txn| ledger::detach(txn, job)).await {
        debug!(%job, %error, "a job was not detached");
    }
}

fn after_cancel(daemon: &Arc<Daemon>, record: &JobRecord) {
    let by = record.stopped_by.clone().unwrap_or_default();
    daemon.hub.order(record.id, Order::Stop(by));
    if record.state.is_terminal() {
        daemon.hub.end(record.id);
        daemon.hub.release(record.id);
        pump(daemon);
    }
}

/// A connection whose handshake is done.
pub(super) struct Talk<'a> {
    pub(super) daemon: &'a Arc<Daemon>,
    pub(super) connection: Connection,
    pub(super) number: ConnectionId,
}

impl Talk<'_> {
    async fn run(&mut self) -> Result<(), WireError> {
        loop {
            let request = tokio::select! {
                // Cancel-safe: see `Connection::receive`.
                request = self.connection.receive::<Request>() => match request {
                    Ok(Some(request)) => request,
                    Ok(None) => return Ok(()),
                    Err(WireError::Garbled(what)) => {
                        warn!(what, "a request was not understood");
                        self.send(&Reply::Fault(WireFault::Unsupported)).await?;
                        continue;
                    }
                    Err(error) => return Err(error),
                },
                () = self.daemon.stopping.cancelled() => return Ok(()),
            };
            let reply = match request {
                Request::Worker(hello) => return self.worker(hello).await,
                Request::Wait(wait) => {
                    let waited = self.wait(wait).await;
                    self.daemon.hub.told(self.number);
                    match waited? {
                        Some(reply) => reply,
                        None => return Ok(()),
                    }
                }
                Request::Search(search) => match self.search(*search).await? {
                    Some(reply) => reply,
                    None => return Ok(()),
                },
                Request::Open(request, portion) => self.open(*request, portion).await,
                Request::Check(anchor) => self.check(anchor).await?,
                other => self.answer(other).await.unwrap_or_else(Reply::Fault),
            };
            self.send(&reply).await?;
        }
    }

    pub(super) async fn send(&mut self, reply: &Reply) -> Result<(), WireError> {
        let sent = async {
            match self.connection.send(reply).await {
                // Closed without a word, the connection would be opened again, and the same asked for ever.
                Err(error @ WireError::TooLong(_)) => {
                    let fault = WireFault::Store(error.to_string());
                    self.connection.send(&Reply::Fault(fault)).await
                }
                sent => sent,
            }
        };
        match timeout(SEND_BUDGET, sent).await {
            Ok(sent) => sent,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    async fn open(&mut self, request: OpenRequest, portion: Portion) -> Reply {
        let guard = Arc::clone(self.daemon);
        let (number, job, attached) = (self.number, request.job, request.attached);
        let inside = request.caller.parent;
        let decided = self.daemon.store.commit(move |txn| {
            let may_join = |line: &[JobId], running| guard.hub.may_join(line, running);
            let admission = admit::admit(txn, &request, &around(&guard, request.caller.depth, &may_join))?;
            // On the writer's thread, so that no cancellation comes between a join and the caller being counted.
            let of = match &admission {
                Admission::Opened => {
                    let job = ledger::job(txn, request.job)?;
                    // A request that was sent again may find that its job has ended meanwhile.
                    let lives = !job.state.is_terminal();
                    if lives {
                        guard.hub.enter(&job);
                    }
                    lives.then_some(request.job)
                }
                Admission::Joined(running) => Some(*running),
                Admission::Hit(..) | Admission::Refused(_) => None,
            };
            if let Some(of) = of {
                if attached {
                    guard.hub.wait(of, number, true, inside);
                } else {
                    guard.hub.detach(of);
                }
            }
            Ok(admission)
        });
        match decided.await {
            Ok(mut admission) => {
                if let Admission::Hit(_, answer) = &mut admission {
                    answer.keep(portion);
                }
                if admission == Admission::Opened {
                    recover::expect_worker(self.daemon, job, LAUNCH_BUDGET);
                }
                Reply::Admission(admission)
            }
            Err(error) => Reply::Fault(fault(error)),
        }
    }

    /// Streams progress until the wait is over. Nothing when the caller has gone.
    async fn wait(&mut self, wait: WaitRequest) -> Result<Option<Reply>, WireError> {
        if !wait.attach && self.daemon.spare_connections() == 0 {
            let why = "the daemon has as many callers as it can serve; look again later without waiting";
            return Ok(Some(Reply::Fault(WireFault::Conflict(why.to_owned()))));
        }
        for job in &wait.jobs {
            match self.daemon.store.job(*job) {
                Ok(None) => {
                    return Ok(Some(Reply::Fault(WireFault::NotFound(format!("there is no job `{job}`")))));
                }
                Ok(Some(_)) => {}
                Err(error) => return Ok(Some(Reply::Fault(WireFault::Store(error.to_string())))),
            }
        }
        let signal = |job| self.daemon.hub.wait(job, self.number, wait.attach, wait.inside);
        let mut pending: Vec<Pending> =
            wait.jobs.iter().filter_map(|job| Some(Pending::new(*job, signal(*job)?))).collect();
        let deadline = wait.timeout_ms.map(|millis| Instant::now() + Duration::from_millis(millis));
        let enough = if wait.any { wait.jobs.len().saturating_sub(1) } else { 0 };
        if pending.len() > enough {
            for job in wait.jobs.iter().filter(|job| !pending.iter().any(|one| one.job == **job)) {
                self.send(&Reply::Progress(*job, Vec::new())).await?;
            }
        }
        while pending.len() > enough {
            let changed = futures_util::future::select_all(
                pending.iter_mut().map(|one| Box::pin(async { one.signal.changed().await })),
            );
            let at = tokio::select! {
                // Cancel-safe: a change that was not taken is seen by the next `changed`.
                (_, at, _) = changed => at,
                () = async { match deadline { Some(at) => tokio::time::sleep_until(at).await, None => std::future::pending().await } } => {
                    return Ok(Some(self.wait_timed_out(&wait).await));
                }
                said = self.connection.receive::<Request>() => match said {
                    Ok(Some(Request::Leave(job))) => {
                        self.leave(job).await;
                        continue;
                    }
                    Ok(Some(_)) => return Ok(Some(Reply::Fault(WireFault::Unsupported))),
                    Ok(None) => return Ok(None),
                    Err(error) => return Err(error),
                },
                () = self.daemon.stopping.cancelled() => return Ok(None),
            };
            let Some(one) = pending.get_mut(at) else { continue };
            let (job, (steps, ended)) = (one.job, one.news());
            if !steps.is_empty() {
                self.send(&Reply::Progress(job, steps)).await?;
            }
            if ended {
                pending.remove(at);
                if pending.len() > enough {
                    self.send(&Reply::Progress(job, Vec::new())).await?;
                }
            }
        }
        if !wait.attach {
            // It may be over while some of them go on.
            for job in &wait.jobs {
                let _leaves_nobody_alone = self.daemon.hub.leave(*job, self.number);
            }
        }
        let collected = self.collected(&wait).await;
        Ok(Some(collected.unwrap_or_else(|| self.waited(&wait, WaitEnd::Ended))))
    }

    /// Returns the one job that was waited for, with as much of its answer as the caller would ask for next.
    async fn collected(&self, wait: &WaitRequest) -> Option<Reply> {
        let (&[job], Some(portion)) = (wait.jobs.as_slice(), wait.answer) else { return None };
        let view = view(self.daemon, job).ok().flatten()?;
        let store = &self.daemon.store;
        let bytes = view.record.answer_size.map_or(0, |(bytes, _)| bytes);
        let answer = if bytes.min(portion.chars) > READ_HERE_MAX {
            apart(store.clone(), move |store| store.answer(job, portion)).await.ok()?
        } else {
            store.answer(job, portion).ok()?
        };
        Some(Reply::Collected(Box::new(view), answer.unwrap_or_default()))
    }

    async fn wait_timed_out(&mut self, wait: &WaitRequest) -> Reply {
        for job in &wait.jobs {
            if wait.detach_at_timeout {
                detach(self.daemon, *job).await;
            }
            self.daemon.hub.leave(*job, self.number);
        }
        self.waited(wait, WaitEnd::TimedOut)
    }

    async fn leave(&mut self, job: JobId) {
        let left = self.daemon.hub.leave(job, self.number);
        if let Some(abandoned) = left {
            // Leaving on purpose stops the job whatever a broken connection would have done to it.
            let asked = Abandoned { on_disconnect: OnDisconnect::Cancel, ..abandoned };
            give_up(self.daemon, asked, "its caller cancelled the call").await;
        }
    }

    /// Returns how the jobs are that were waited for. One that is gone had ended before, and was removed just when the wait
    /// began.
    fn waited(&self, wait: &WaitRequest, end: WaitEnd) -> Reply {
        let view = |job: &JobId| match view(self.daemon, *job) {
            Ok(Some(view)) => Ok(view),
            Ok(None) => Err(gone(*job)),
            Err(error) => Err(WireFault::Store(error.to_string())),
        };
        let views: Result<_, _> = wait.jobs.iter().map(view).collect();
        views.map_or_else(Reply::Fault, |views| Reply::Waited(views, end))
    }

    async fn answer(&mut self, request: Request) -> Result<Reply, WireFault> {
        let store = &self.daemon.store;
        let read = |error: ReadError| WireFault::Store(error.to_string());
        Ok(match request {
            Request::Status => Reply::Status(status(self.daemon).map_err(read)?),
            Request::Job(job) => Reply::Job(view(self.daemon, job).map_err(read)?.map(Box::new)),
            Request::Jobs(filter) => {
                let records = apart(store.clone(), move |store| store.jobs(&filter)).await?;
                Reply::Jobs(records.into_iter().map(|record| with_progress(self.daemon, record)).collect())
            }
            Request::Answer(job, portion) => {
                let found = apart(store.clone(), move |store| store.answer(job, portion)).await;
                Reply::Answer(self.answer_of(job, found)?)
            }
            Request::Calls(job) => {
                let calls = apart(store.clone(), move |store| store.calls(job)).await?;
                Reply::Calls(calls.unwrap_or_default())
            }
            Request::Texts(job) => Reply::Texts(apart(store.clone(), move |store| store.texts(job)).await?),
            Request::Session(id) => Reply::Session(store.session(&id).map_err(read)?),
            Request::Audit(filter) => {
                Reply::Audit(apart(store.clone(), move |store| store.audit(&filter)).await?)
            }
            Request::AuditRecord(seq) => {
                Reply::Audit(store.audit_record(seq).map_err(read)?.into_iter().collect())
            }
            Request::Find(first, last) => Reply::Found(store.dispatches_between(first, last).map_err(read)?),
            Request::Hash(value) => {
                let (mac, entries) = apart(store.clone(), move |store| store.passed(&value)).await?;
                Reply::Hashed(Traces { mac: mac.to_string(), entries })
            }
            Request::Compare(job) => {
                Reply::Compared(apart(store.clone(), move |store| store.differing(job)).await?)
            }
            Request::Stats(filter) => {
                let stats = apart(store.clone(), move |store| store.stats(&filter)).await?;
                Reply::Stats(Box::new(stats))
            }
            Request::Overview(period) => {
                let overview = apart(store.clone(), move |store| store.overview(&period)).await?;
                Reply::Overview(Box::new(overview))
            }
            Request::Typical(agents) => {
                Reply::Typical(apart(store.clone(), move |store| review::typical(store, agents)).await?)
            }
            Request::Record { id, body } => {
                store.record(id, body).await.map_err(fault)?;
                Reply::Done
            }
            Request::Trail(asked) => Reply::Trail(trail::answer(self.daemon, asked).await?),
            Request::Upkeep(asked) => Reply::Upkeep(upkeep::answer(self.daemon, asked).await?),
            Request::Cancel { job, by, caller } => self.cancel(job, by, *caller).await?,
            Request::Leave(job) => {
                self.leave(job).await;
                Reply::Done
            }
            Request::LaunchFailed { job, error } => {
                recover::launch_failed(self.daemon, job, &error).await.map_err(fault)?;
                Reply::Done
            }
            Request::Consider(request) => Reply::Considered(Box::new(self.consider(*request).await?)),
            Request::Open(..)
            | Request::Wait(_)
            | Request::Worker(_)
            | Request::Check(_)
            | Request::Search(_) => {
                return Err(WireFault::Unsupported);
            }
        })
    }

    /// Returns what was read of an answer. One that is not there, or not whole, may have been removed with its job.
    fn answer_of(
        &self,
        job: JobId,
        read: Result<Option<Answer>, WireFault>,
    ) -> Result<Option<Answer>, WireFault> {
        if !matches!(read, Ok(Some(_))) && matches!(self.daemon.store.job(job), Ok(None)) {
            return Err(gone(job));
        }
        read
    }

    async fn cancel(&mut self, job: JobId, by: String, caller: Caller) -> Result<Reply, WireFault> {
        let cancelled = self.daemon.store.commit(move |txn| {
            let before = ledger::job(txn, job)?.state;
            let stops = matches!(before, State::Pending | State::Running);
            if stops { ledger::cancel(txn, job, &by, Some(&caller)).map(Some) } else { Ok(None) }
        });
        let effect = match cancelled.await.map_err(fault)? {
            Some(record) => {
                after_cancel(self.daemon, &record);
                if record.state.is_terminal() { CancelEffect::Cancelled } else { CancelEffect::Stopping }
            }
            None => CancelEffect::AlreadyTerminal,
        };
        let found = view(self.daemon, job).map_err(|error| WireFault::Store(error.to_string()))?;
        let found = found.ok_or_else(|| WireFault::NotFound(format!("there is no job `{job}`")))?;
        let stopping = effect == CancelEffect::AlreadyTerminal && !found.record.state.is_terminal();
        let effect = if stopping { CancelEffect::Stopping } else { effect };
        Ok(Reply::Cancelled(Box::new(found), effect))
    }
}

fn gone(job: JobId) -> WireFault {
    WireFault::NotFound(format!("there is no job `{job}`: it has been removed"))
}

pub(super) fn fault(error: CommitError) -> WireFault {
    match error {
        CommitError::Refused(fault) => match fault {
            Fault::NotFound(what) => WireFault::NotFound(what),
            other => WireFault::Conflict(other.to_string()),
        },
        other => WireFault::Store(other.to_string()),
    }
}

fn view(daemon: &Daemon, job: JobId) -> Result<Option<JobView>, ReadError> {
    Ok(daemon.store.job(job)?.map(|record| with_progress(daemon, record)))
}

fn with_progress(daemon: &Daemon, record: JobRecord) -> JobView {
    let lines = daemon.hub.progress_of(record.id).or_else(|| daemon.store.progress(record.id).ok().flatten());
    let (at, progress) = lines.map_or((None, Vec::new()), |(at, lines)| (Some(at), lines));
    JobView { record, progress_at: at.filter(|_| !progress.is_empty()), progress }
}

fn status(daemon: &Daemon) -> Result<DaemonStatus, ReadError> {
    let (jobs, queued) = daemon.hub.counts();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(DaemonStatus {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: daemon.started,
        connections: daemon.connections.load(std::sync::atomic::Ordering::Relaxed),
        jobs: count(jobs),
        queued: count(queued),
        store_bytes: daemon.store.size_on_disk()?,
        audit_seq: daemon.store.head()?.seq,
        durability: daemon.durability.clone(),
    })
}
