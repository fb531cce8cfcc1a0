//! The state directory, the disk it lies on, the daemon, and the audit trail.

use std::path::{Path, PathBuf};

use crate::audit::chain::Head;
use crate::cli::doctor::finding::Finding;
use crate::cli::render::{duration, size};
use crate::daemon::place::{PlaceError, SOCKET_PATH_BYTES_MAX};
use crate::daemon::protocol::DaemonStatus;
use crate::daemon::{ClientError, Durability, FREE_BYTES_MIN};
use crate::model::shell;
use crate::model::{Timestamp, with_causes};

const STATE: &str = "state";
const DAEMON: &str = "daemon";

/// Free space below which the store may soon give up, in bytes.
const FREE_BYTES_WARN: u64 = 200 << 20;

/// Size from which on people ask what can be done about it, in bytes.
const STORE_BYTES_LARGE: u64 = 2 << 30;

/// A directory or a socket, as it was found.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// What it is, for people.
    pub(super) what: &'static str,
    /// Where.
    pub(super) path: PathBuf,
    /// Its permission bits and its owner; nothing when it is not there.
    pub(super) found: Option<(u32, u32)>,
    /// Whether we may write to it, or to what is above it as long as it is not there.
    pub(super) writable: bool,
}

/// What is known of state and daemon.
#[derive(Debug)]
pub(super) struct Facts {
    /// Who we are.
    pub(super) user: u32,
    /// The state directory, the directory of the socket, the socket.
    pub(super) places: Vec<Place>,
    /// The path of the socket.
    pub(super) socket: PathBuf,
    /// Free bytes on the disk of the state directory.
    pub(super) free: Option<u64>,
    /// Bytes of the store's files.
    pub(super) store_bytes: u64,
    /// The end of the audit trail as the file outside the store knows it. Read before the daemon is asked, so that it is
    /// never newer than what the daemon says.
    pub(super) outside: Option<Head>,
    /// How the daemon is; nothing when none runs.
    pub(super) daemon: Result<Option<DaemonStatus>, ClientError>,
    /// The process that has the daemon's command line, if there is one.
    pub(super) daemon_pid: Option<u32>,
}

pub(super) fn check(facts: &Facts, now: Timestamp) -> Vec<Finding> {
    let mut found: Vec<Finding> = facts.places.iter().map(|place| private(place, facts.user)).collect();
    found.extend(socket_path(&facts.socket));
    found.extend(facts.free.map(free));
    found.push(store(facts.store_bytes));
    match &facts.daemon {
        Ok(None) => found.push(Finding::ok(DAEMON, "not running; it starts when it is needed")),
        Ok(Some(status)) => found.extend(daemon(status, now)),
        Err(error) => found.push(unreachable_daemon(error, facts.daemon_pid)),
    }
    found.extend(trail(facts.outside, facts.daemon.as_ref().ok().and_then(Option::as_ref)));
    found
}

/// What makes the program keep its state elsewhere.
const ELSEWHERE: &str = "export AGENT_DISPATCH_STATE_DIR=\"$HOME/.agent-dispatch\"";

fn private(place: &Place, user: u32) -> Finding {
    let (what, path) = (place.what, place.path.display());
    match place.found {
        None if !place.writable => {
            Finding::fail(STATE, format!("{what} cannot be made: {path}")).fix(ELSEWHERE)
        }
        None => Finding::ok(STATE, format!("{what}: {path} (made when it is needed)")),
        Some((_, owner)) if owner != user => {
            Finding::fail(STATE, format!("{what} belongs to user {owner}, not to you ({user}): {path}"))
                .fix(ELSEWHERE)
        }
        Some((mode, _)) if mode & 0o077 != 0 => {
            let bits = if what == SOCKET { "600" } else { "700" };
            Finding::fail(STATE, format!("{what} is open to other users (mode {mode:03o}): {path}"))
                .fix(format!("chmod {bits} {}", shell::path(&place.path)))
        }
        Some(_) if !place.writable => Finding::fail(STATE, format!("{what} cannot be written: {path}"))
            .fix(format!("chmod u+rwx {}", shell::path(&place.path))),
        Some(_) => Finding::ok(STATE, format!("{what}: {path}")),
    }
}

/// What the socket is called among the places.
pub(super) const SOCKET: &str = "socket";

fn socket_path(socket: &Path) -> Option<Finding> {
    let length = socket.as_os_str().len();
    (length > SOCKET_PATH_BYTES_MAX).then(|| {
        let message =
            format!("the path of the socket has {length} bytes; a socket takes {SOCKET_PATH_BYTES_MAX}");
        Finding::fail(STATE, message).details([socket.display().to_string()]).fix(ELSEWHERE)
    })
}

fn free(bytes: u64) -> Finding {
    let said = format!("{} free on the disk of the state directory", size(bytes));
    match bytes {
        0..FREE_BYTES_MIN => Finding::fail(STATE, said).fix("agent-dispatch gc"),
        FREE_BYTES_MIN..FREE_BYTES_WARN => Finding::warn(STATE, said).fix("agent-dispatch gc"),
        _ => Finding::ok(STATE, said),
    }
}

fn store(bytes: u64) -> Finding {
    let said = format!("the store takes {}", size(bytes));
    let full = bytes > STORE_BYTES_LARGE;
    // No warning: nothing would take it away again.
    let told = full
        .then(|| "It does not shrink: `agent-dispatch gc` makes room in it for what is to come.".to_owned());
    Finding::ok(STATE, said).details(told)
}

fn daemon(status: &DaemonStatus, now: Timestamp) -> Vec<Finding> {
    const STOP: &str = "agent-dispatch daemon stop";
    let ours = env!("CARGO_PKG_VERSION");
    let age = duration(now.millis_since(status.started));
    let running = format!("version {}, process {}, for {age}", status.version, status.pid);
    let version = if status.version == ours {
        Finding::ok(DAEMON, format!("running: {running}"))
    } else {
        Finding::warn(DAEMON, format!("it is of another version than this program ({ours}): {running}"))
            .details([
                "The next command starts one of this version; work that is under way goes on.".to_owned()
            ])
            .fix(STOP)
    };
    let slower = match status.durability {
        Durability::Filtered => "",
        // Not less safe: a system that forbids filters cannot be mended from here.
        Durability::SyncAfterCommit => ", if slower",
    };
    let durability = format!("every commit reaches the disk{slower}: {}", status.durability);
    vec![version, Finding::ok(DAEMON, durability)]
}

fn unreachable_daemon(error: &ClientError, pid: Option<u32>) -> Finding {
    let found = Finding::fail(DAEMON, "it cannot be asked").details([with_causes(error)]);
    match (error, pid) {
        (ClientError::Version { .. }, _) => found.fix("agent-dispatch daemon stop"),
        (ClientError::Place(PlaceError::Open { path, .. }), _) => {
            found.fix(format!("chmod 700 {}", shell::path(path)))
        }
        // Work that is under way goes on, and finds the next one.
        (_, Some(pid)) => found.fix(format!("kill {pid}")),
        (_, None) => found.fix("agent-dispatch daemon stop"),
    }
}

fn trail(outside: Option<Head>, status: Option<&DaemonStatus>) -> Option<Finding> {
    let known = outside.map_or(0, |head| head.seq);
    let Some(status) = status else {
        let said = format!("the audit trail ends with record {known}, as far as is known outside the store");
        return (known > 0).then(|| Finding::ok(DAEMON, said));
    };
    let stored = status.audit_seq;
    Some(match known {
        _ if known > stored => {
            let message =
                format!("the audit trail ends with record {stored}, but there was a record {known}");
            Finding::fail(DAEMON, message).fix("agent-dispatch audit verify")
        }
        0 if stored > 0 => {
            let message = "the file that keeps the end of the audit trail outside the store is gone or empty";
            Finding::warn(DAEMON, message).fix("agent-dispatch daemon stop && agent-dispatch jobs")
        }
        _ => Finding::ok(
            DAEMON,
            format!("the audit trail ends with record {stored}, and that is known outside the store"),
        ),
    })
}

#[cfg(test)]
mod tests;
