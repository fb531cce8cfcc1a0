//! Whether the engine's flush reaches the disk, and the system-call filter that makes it so.
//!
//! On Linux sled 0.34.7 flushes with `sync_file_range`, which commits neither the file's size nor its extents: after a
//! power cut the store may not open. Told that the call does not exist (`ENOSYS`), sled takes its own fallback, a full
//! `fsync`. The filter does exactly that, for the whole process.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::Mode;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use serde::{Deserialize, Serialize};

/// How a commit reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// The filter is in force: the engine's flush is an fsync.
    Filtered,
    /// It could not be installed: every flush is followed by an fsync of the engine's file.
    SyncAfterCommit,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filtered => "fsync by system-call filter",
            Self::SyncAfterCommit => "second sync after each commit",
        })
    }
}

/// Installs the filter for every thread of this process and of its children, and tries it on a file in `dir`.
///
/// It also sets `no_new_privs`, so it belongs only into a process that starts no others.
pub fn make_sled_fsync(dir: &Path) -> Durability {
    match install().and_then(|()| check(dir)) {
        Ok(()) => Durability::Filtered,
        Err(error) => {
            tracing::warn!(%error, "the fsync filter is not in force; every commit syncs the store by itself");
            Durability::SyncAfterCommit
        }
    }
}

/// Makes every file that this process creates from now on readable and writable by its owner only. The engine would
/// create its files readable by all.
pub fn owner_only_files() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

fn install() -> io::Result<()> {
    let arch = if cfg!(target_arch = "x86_64") {
        TargetArch::x86_64
    } else if cfg!(target_arch = "aarch64") {
        TargetArch::aarch64
    } else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "no filter for this processor"));
    };
    let refuse = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let rules = [(libc::SYS_sync_file_range, Vec::new())].into_iter().collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).map_err(io::Error::other)?;
    let program: BpfProgram = filter.try_into().map_err(io::Error::other)?;
    seccompiler::apply_filter_all_threads(&program).map_err(io::Error::other)
}

/// Fails unless the call is refused as the engine expects.
fn check(dir: &Path) -> io::Result<()> {
    let file = tempfile::tempfile_in(dir)?;
    match sync_file_range(&file) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        other => Err(io::Error::other(format!("sync_file_range still answers {other:?}"))),
    }
}

#[expect(unsafe_code, reason = "no safe wrapper exists for the one call whose absence is to be proven")]
fn sync_file_range(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    // SAFETY: the descriptor is open for as long as `file` is borrowed; the call takes no pointers.
    let answer = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests;
