//! Finds what a run leaves behind: processes that carry its id in their environment. The commands that `claude` runs
//! live in sessions of their own, so no signal to its group reaches them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

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

/// A process that was left behind and has been killed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Swept {
    /// Its number.
    pub pid: u32,
    /// The name of its command, as the kernel keeps it: at most 15 bytes.
    pub command: String,
}

/// Kills every process of this user that carries the id of `run` in its environment, this one excepted, and returns them.
/// Looks again until nothing is found, a few times at most. Must be called inside a tokio runtime.
pub async fn sweep(run: JobId) -> Vec<Swept> {
    let mut swept = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let found = find(run);
        if found.is_empty() {
            break;
        }
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
        let left: Vec<_> = find(run).into_iter().map(|(process, handle)| (process.pid, handle)).collect();
        if left.is_empty() {
            return;
        }
        all_dead(left).await;
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

/// Returns the processes that carry the id of `run`, each with a handle.
fn find(run: JobId) -> Vec<(Swept, OwnedFd)> {
    let marker = format!("{RUN_VARIABLE}={run}");
    let user = rustix::process::getuid().as_raw();
    let this = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let candidate = pid != this && entry.metadata().ok()?.uid() == user;
            if !candidate || !carries(&entry.path(), marker.as_bytes()) {
                return None;
            }
            // Opened, then looked at again: now the handle and what was seen belong to the same process, or the handle's
            // process is dead and cannot be signalled.
            let number = Pid::from_raw(i32::try_from(pid).ok()?)?;
            let handle = rustix::process::pidfd_open(number, PidfdFlags::empty()).ok()?;
            let command = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            let still = carries(&entry.path(), marker.as_bytes());
            still.then(|| (Swept { pid, command: command.trim_end().to_owned() }, handle))
        })
        .collect()
}

fn carries(process: &Path, marker: &[u8]) -> bool {
    environment(process).is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|entry| entry == marker))
}

/// Returns the environment of the process whose folder in `/proc` this is, as the kernel keeps it.
pub(super) fn environment(process: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(process.join("environ"))?.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
