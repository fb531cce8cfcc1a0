//! `agent-dispatch daemon status` and `stop`: how the daemon is, and sending it away. They never start it.

use serde::Serialize;

use crate::cli::render::{duration, fact, print_json, print_text, size};
use crate::daemon::ClientError;
use crate::daemon::protocol::{DaemonStatus, Reply, Request, WireFault, trail};
use crate::dispatch::Frontend;
use crate::error::Report;
use crate::model::Timestamp;

/// How the daemon is, as JSON.
#[derive(Debug, Serialize)]
struct Document {
    running: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// What was imported instead of a trail of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<String>,
}

#[derive(Debug, Serialize)]
struct Status {
    pid: u32,
    version: String,
    started_at: f64,
    connections: u32,
    jobs: u32,
    queued: u32,
    store_bytes: u64,
    audit_seq: u64,
    durability: String,
}

/// Shows how the daemon is.
pub(super) async fn status(frontend: &Frontend, as_json: bool) -> Result<(), Report> {
    let status = match frontend.client.ask_if_running(&Request::Status).await? {
        None => None,
        Some(Reply::Status(status)) => Some(status),
        Some(_) => return Err(ClientError::Confused.into()),
    };
    let imported = match status {
        Some(_) => imported(frontend).await?,
        None => None,
    };
    if as_json {
        let running = status.is_some();
        return print_json(&Document { running, status: status.map(Status::from), imported });
    }
    match status {
        None => print_text("not running (it starts when it is needed)\n"),
        Some(status) => {
            let imported = imported.map(|told| fact("audit trail", &told)).unwrap_or_default();
            print_text(&(told(&status, frontend, Timestamp::now()) + &imported))
        }
    }
}

/// Returns what the store holds instead of a trail of its own. A daemon that does not know the question holds nothing else.
async fn imported(frontend: &Frontend) -> Result<Option<String>, Report> {
    match frontend.client.ask_if_running(&Request::Trail(trail::Asked::Origin)).await {
        Ok(Some(Reply::Trail(trail::Told::Origin(Some(imported), head)))) => Ok(Some(imported.told(head))),
        Ok(_) | Err(ClientError::Fault(WireFault::Unsupported)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sends the daemon away. Work that is under way goes on, and starts another one when it ends.
pub(super) async fn stop(frontend: &Frontend) -> Result<(), Report> {
    let was_running = frontend.client.stop().await?;
    print_text(if was_running { "stopped\n" } else { "was not running\n" })
}

fn told(status: &DaemonStatus, frontend: &Frontend, now: Timestamp) -> String {
    let jobs = match (status.jobs, status.queued) {
        (0, _) => "none".to_owned(),
        (jobs, 0) => format!("{jobs} under way"),
        (jobs, queued) => format!("{jobs} under way, {queued} of them waiting for a place"),
    };
    [
        fact("running for", &duration(now.millis_since(status.started))),
        fact("process", &status.pid.to_string()),
        fact("version", &status.version),
        fact("connections", &status.connections.to_string()),
        fact("jobs", &jobs),
        fact("store", &size(status.store_bytes)),
        fact("audit records", &status.audit_seq.to_string()),
        fact("durability", &status.durability.to_string()),
        fact("state", &frontend.environment.state.root.display().to_string()),
        fact("socket", &frontend.environment.state.socket.display().to_string()),
    ]
    .concat()
}

impl From<DaemonStatus> for Status {
    fn from(status: DaemonStatus) -> Self {
        let DaemonStatus {
            pid,
            version,
            started,
            connections,
            jobs,
            queued,
            store_bytes,
            audit_seq,
            durability,
        } = status;
        let (started_at, durability) = (started.as_seconds(), durability.to_string());
        Self { pid, version, started_at, connections, jobs, queued, store_bytes, audit_seq, durability }
    }
}
