//! Waiting for jobs on a connection of one's own, whatever becomes of the daemon behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use crate::daemon::ClientError;
use crate::daemon::protocol::{JobView, ProgressView, Reply, Request, WaitEnd, WaitRequest};
use crate::daemon::wire::Connection;
use crate::dispatch::parallel::until;
use crate::dispatch::{DispatchError, Frontend, OnProgress, OnStanding, Standing};
use crate::model::{Answer, JobId};

/// How long a caller that takes its request back stays to see that it is heard.
pub(super) const LEAVE_BUDGET: Duration = Duration::from_secs(2);

/// How much longer than it was asked to wait a daemon may take to say that the time is over.
const ANSWER_BUDGET: Duration = Duration::from_secs(10);

/// How long before the next daemon is asked: one that breaks off again and again is not to be asked without a pause.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// Called with each step of a job that is waited for; with none when it has ended and others are still waited for.
pub(super) type OnNews<'a> = dyn FnMut(JobId, Option<&ProgressView>) + Send + 'a;

/// Returns what passes only steps on.
pub(super) fn steps_to<'a>(
    on_progress: &'a mut OnProgress<'_>,
) -> impl FnMut(JobId, Option<&ProgressView>) + Send + 'a {
    move |job, step| {
        if let Some(step) = step {
            on_progress(job, step);
        }
    }
}

/// How a wait came out.
pub(super) struct Waited {
    pub(super) views: Vec<JobView>,
    pub(super) end: WaitEnd,
    /// What was asked for of the answer of the one job, when it came along.
    pub(super) answer: Option<Answer>,
}

impl Frontend {
    /// Waits for jobs; returns how they stand and whether the time was over.
    pub async fn wait(
        &self,
        wait: &WaitRequest,
        on_progress: &mut OnProgress<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<(Vec<JobView>, WaitEnd), DispatchError> {
        let connection = self.client.connection().await?;
        let waited = self.wait_on(connection, wait, &mut steps_to(on_progress), cancelled).await?;
        Ok((waited.views, waited.end))
    }

    /// The same, telling how the jobs stand: each is numbered as it was named.
    pub async fn wait_for_all(
        &self,
        wait: &WaitRequest,
        on_standing: &mut OnStanding<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<(Vec<JobView>, WaitEnd), DispatchError> {
        let mut standing = Standing { total: wait.jobs.len(), ..Standing::default() };
        // After a new connection, all ends are told again.
        let mut ended = BTreeSet::new();
        let mut hear = |job, step: Option<&ProgressView>| {
            let Some(number) = wait.jobs.iter().position(|one| *one == job) else { return };
            if let Some(step) = step {
                standing.steps(number, step);
            } else {
                ended.insert(job);
                standing.done = ended.len();
                standing.leaves(number);
            }
            on_standing(&standing);
        };
        let connection = self.client.connection().await?;
        let waited = self.wait_on(connection, wait, &mut hear, cancelled).await?;
        Ok((waited.views, waited.end))
    }

    /// Waits on this connection, and on the next ones if the daemon changes meanwhile.
    pub(super) async fn wait_on(
        &self,
        mut connection: Connection,
        wait: &WaitRequest,
        on_news: &mut OnNews<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<Waited, DispatchError> {
        let mut cancelled = std::pin::pin!(cancelled);
        let deadline =
            wait.timeout_ms.map(|millis| tokio::time::Instant::now() + Duration::from_millis(millis));
        let mut wait = wait.clone();
        let mut told = BTreeMap::new();
        loop {
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(tokio::time::Instant::now());
                wait.timeout_ms = Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
            }
            let mut sent = connection.send(&Request::Wait(wait.clone())).await;
            while sent.is_ok() {
                let reply = tokio::select! {
                    // Cancel-safe: see `Connection::receive`.
                    reply = connection.receive::<Reply>() => reply,
                    () = &mut cancelled => {
                        self.take_back(connection, &wait).await;
                        return Err(DispatchError::Cancelled);
                    }
                    // Cancel-safe: a deadline is only compared with the clock.
                    () = until(deadline.map(|deadline| deadline + ANSWER_BUDGET)) => {
                        return Err(self.client.silent().into());
                    }
                };
                match reply {
                    Ok(Some(Reply::Progress(job, steps))) => {
                        if steps.is_empty() {
                            on_news(job, None);
                        }
                        // After a new connection, the last ones are told again.
                        let last: &mut u64 = told.entry(job).or_default();
                        let seen = *last;
                        for step in steps.iter().filter(|step| step.number > seen) {
                            *last = step.number;
                            on_news(job, Some(step));
                        }
                    }
                    Ok(Some(Reply::Waited(views, end))) => {
                        self.client.keep(connection);
                        return Ok(Waited { views, end, answer: None });
                    }
                    Ok(Some(Reply::Collected(view, answer))) => {
                        self.client.keep(connection);
                        let answer = Some(answer);
                        return Ok(Waited { views: vec![*view], end: WaitEnd::Ended, answer });
                    }
                    Ok(Some(Reply::Fault(fault))) => return Err(ClientError::from(fault).into()),
                    Ok(Some(_)) => return Err(ClientError::Confused.into()),
                    Ok(None) => sent = Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                    Err(error) => sent = Err(error),
                }
            }
            // The daemon went, the work did not: its successor knows the job.
            self.client.forget_idle();
            tokio::time::sleep(RETRY_EVERY).await;
            connection = self.client.connection().await?;
        }
    }

    /// Tells the daemon that this caller no longer wants the jobs it lives for, and sees to it that it is heard: a connection
    /// that is just closed says only that the caller is gone, which may mean something else.
    async fn take_back(&self, mut connection: Connection, wait: &WaitRequest) {
        if wait.attach {
            for job in &wait.jobs {
                if connection.send(&Request::Leave(*job)).await.is_err() {
                    return;
                }
            }
            let _gone_or_slow = tokio::time::timeout(LEAVE_BUDGET, connection.finish()).await;
        }
    }
}
