//! Finds what a run leaves behind: processes that carry its id in their environment. The commands that `claude` runs
//! live in sessions of their own, so no signal to its group reaches them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};

use crate::model::JobId;
use crate::model::caller::RUN_VARIABLE;
use crate::runner::readiness;

/// A process may fork between being looked at and being killed: its child is found by the next round.
const ROUNDS_MAX: u32 = 4;
/// How long a killed process is given to disappear before the next round.
const DEATH_MAX: Duration = Duration::from_millis(250);
/// More environment than this is not read; the kernel's own limit for arguments and environment is 6 MiB.
const ENVIRONMENT_BYTES_MAX: u64 = 8 << 20;

/// How often, and how often at most, it is tried again when the processes cannot be looked at: for a minute.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const FAILURES_MAX: u32 = 60;

/// A process that was left behind and has been killed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Swept {
    /// Its number.
    pub pid: u32,
    /// The name of its command, as the kernel keeps it: at most 15 bytes.
    pub command: String,
}

/// Kills every process of this user that carries the id of `run` in its environment, this one excepted, and returns them.
/// Looks again until nothing is found, a few times at most, and while it cannot look. Must be called inside a tokio runtime.
pub async fn sweep(run: JobId) -> Vec<Swept> {
    let mut swept = Vec::new();
    let (mut rounds_left, mut failures_left) = (ROUNDS_MAX, FAILURES_MAX);
    while rounds_left > 0 && failures_left > 0 {
        let found = match find(run).await {
            Ok(found) if found.is_empty() => break,
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%run, %error, "could not look for what a run has left");
                failures_left -= 1;
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
        };
        rounds_left -= 1;
        let mut dying = Vec::new();
        for (process, handle) in found {
            // The handle names the very process that was looked at, even if its number has a new owner by now.
            if rustix::process::pidfd_send_signal(&handle, Signal::KILL).is_ok() {
                dying.push((process.pid, handle));
                swept.push(process);
            }
        }
        _ = tokio::time::timeout(DEATH_MAX, all_dead(dying)).await;
    }
    swept.sort_unstable();
    swept.dedup();
    swept
}

/// Returns when no process carries the id of `run` any more. Must be called inside a tokio runtime.
pub async fn wait_gone(run: JobId) {
    loop {
        match find(run).await {
            Ok(left) if left.is_empty() => return,
            Ok(left) => {
                all_dead(left.into_iter().map(|(process, handle)| (process.pid, handle)).collect()).await;
            }
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

async fn all_dead(dying: Vec<(u32, OwnedFd)>) {
    for (_, handle) in dying {
        let Ok(handle) = readiness::register(handle) else { continue };
        if handle.readable().await.is_ok() {
            // An orphan that has become our child stays until it is reaped; one that is not ours is refused.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            _ = rustix::process::waitid(WaitId::PidFd(handle.get_ref().as_fd()), options);
        }
    }
}

/// Returns the processes that carry the id of `run`, each with a handle. Looks on a thread of its own: where there are
/// thousands of processes that takes a while.
async fn find(run: JobId) -> io::Result<Vec<(Swept, OwnedFd)>> {
    tokio::task::spawn_blocking(move || look(run)).await.map_err(io::Error::other)?
}

fn look(run: JobId) -> io::Result<Vec<(Swept, OwnedFd)>> {
    let marker = format!("{RUN_VARIABLE}={run}");
    let user = rustix::process::getuid().as_raw();
    let this = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that is gone between two looks is none of those that are left.
        let Ok(metadata) = entry.metadata() else { continue };
        if pid == this || metadata.uid() != user || !carries(&entry.path(), marker.as_bytes())? {
            continue;
        }
        // Opened, then looked at again: now the handle and what was seen belong to the same process, or the handle's
        // process is dead and cannot be signalled.
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { continue };
        let handle = match rustix::process::pidfd_open(number, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let command = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        if carries(&entry.path(), marker.as_bytes())? {
            found.push((Swept { pid, command: command.trim_end().to_owned() }, handle));
        }
    }
    Ok(found)
}

fn carries(process: &Path, marker: &[u8]) -> io::Result<bool> {
    match environment(process) {
        Ok(bytes) => Ok(bytes.split(|byte| *byte == 0).any(|entry| entry == marker)),
        // Of all other reasons only this one means that it may be one and cannot be looked at now.
        Err(error) if is_of_many(&error) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Returns whether there are too many open files.
fn is_of_many(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Returns the environment of the process whose folder in `/proc` this is, as the kernel keeps it.
pub(super) fn environment(process: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(process.join("environ"))?.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
