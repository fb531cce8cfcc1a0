//! Waiting for jobs on a connection of one's own, whatever becomes of the daemon behind it.

use std::io;
use std::time::Duration;

use crate::daemon::ClientError;
use crate::daemon::protocol::{JobView, Reply, Request, WaitEnd, WaitRequest};
use crate::daemon::wire::Connection;
use crate::dispatch::{DispatchError, Frontend, OnProgress};
use crate::model::Answer;

/// How long a caller that takes its request back stays to see that it is heard.
const LEAVE_BUDGET: Duration = Duration::from_secs(2);

/// How long before the next daemon is asked: one that breaks off again and again is not to be asked without a pause.
const RETRY_EVERY: Duration = Duration::from_millis(20);

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
        let waited = self.wait_on(connection, wait, on_progress, cancelled).await?;
        Ok((waited.views, waited.end))
    }

    /// Waits on this connection, and on the next ones if the daemon changes meanwhile.
    pub(super) async fn wait_on(
        &self,
        mut connection: Connection,
        wait: &WaitRequest,
        on_progress: &mut OnProgress<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<Waited, DispatchError> {
        let mut cancelled = std::pin::pin!(cancelled);
        let deadline =
            wait.timeout_ms.map(|millis| tokio::time::Instant::now() + Duration::from_millis(millis));
        let mut wait = wait.clone();
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
                };
                match reply {
                    Ok(Some(Reply::Progress(job, view))) => on_progress(job, &view),
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
