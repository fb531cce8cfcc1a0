//! One child process and its group: started in a session of its own, watched without being reaped, signalled only while
//! its number is certainly its own, and reaped last.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions};
use tokio::io::unix::AsyncFd;

use crate::job::ProcessId;
use crate::model::Exit;
use crate::model::FailureClass;
use crate::plan::RunPlan;
use crate::runner::folder::{FolderError, RunFolder};
use crate::runner::readiness;

/// A run that did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The agent's directory is gone, or is no directory.
    #[error("the directory `{}` does not exist or cannot be entered", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program does not exist.
    #[error("the program `{}` does not exist", path.display())]
    NoProgram {
        /// The program.
        path: PathBuf,
    },
    /// The program exists and may not be run, or is not a program.
    #[error("the program `{}` cannot be executed", path.display())]
    NotExecutable {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system has no room for another process, or an argument or the environment is too long.
    #[error("could not start `{}`", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The run folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The system refuses what it takes to watch over a run (a sandbox that filters system calls, or no more instances).
    #[error("could not watch over the run: {what} is refused")]
    Watch {
        /// What is refused.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl SpawnError {
    /// Returns what class of failure this is for the caller.
    pub const fn class(&self) -> FailureClass {
        match self {
            Self::Directory { .. } | Self::NoProgram { .. } => FailureClass::NotFound,
            Self::NotExecutable { .. } => FailureClass::Permission,
            Self::Start { .. } | Self::Folder(_) | Self::Watch { .. } => FailureClass::CliError,
        }
    }
}

/// The process that leads a run: `claude` itself, whose number names its session and its group. As long as it is not
/// reaped, that number cannot become somebody else's, so the group may be signalled.
#[derive(Debug)]
pub struct Leader {
    pid: Pid,
    handle: AsyncFd<OwnedFd>,
    reaped: bool,
}

impl Leader {
    /// What is said of an exit whose status is nowhere to be had.
    const TAKEN: Exit = Exit::Code(-1);

    /// Starts the program of `plan` with exactly this environment, `prompt` as its standard input and the output files of
    /// `folder`. The child gets SIGINT when the calling thread ends: it must be one that lives as long as the worker.
    /// Must be called inside a tokio runtime.
    pub fn spawn(
        plan: &RunPlan,
        folder: &RunFolder,
        prompt: File,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<Self, SpawnError> {
        check_directory(&plan.directory)?;
        let mut command = command(&plan.program);
        command
            .args(&plan.args)
            .current_dir(&plan.directory)
            .env_clear()
            .envs(environment)
            .stdin(prompt)
            .stdout(RunFolder::open_output(folder.stdout())?)
            .stderr(RunFolder::open_output(folder.stderr())?);
        before_exec(&mut command, Tie::DiesWithParent);
        let mut child = command.spawn().map_err(|source| start_error(plan, source))?;
        watch(child.id()).map_err(|source| {
            // What cannot be watched must not run. The child is unreaped, so these reach it and nobody else.
            drop(child.kill());
            drop(child.wait());
            SpawnError::Watch { what: "a handle on the process (pidfd)", source }
        })
    }

    /// Returns its number.
    pub const fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for its end without reaping it. Cancel-safe: nothing is consumed.
    pub async fn exited(&mut self) -> Exit {
        loop {
            if let Some(exit) = self.peek() {
                return exit;
            }
            match self.handle.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                // The runtime is ending, and with it whoever waits here.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Returns how it ended, without reaping it; nothing while it lives.
    pub fn peek(&mut self) -> Option<Exit> {
        let handle = WaitId::PidFd(self.handle.get_ref().as_fd());
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if let Ok(status) = rustix::process::waitid(handle, options) {
            return status.as_ref().and_then(exit_of);
        }
        // We were started with SIGCHLD ignored: the kernel has reaped it, and its number may be another's.
        self.reaped = true;
        Some(Self::TAKEN)
    }

    /// Sends `signal` to its whole group; does nothing once it is reaped.
    pub fn signal_group(&self, signal: Signal) {
        if !self.reaped {
            // Refused only when the group is gone already: then there is nobody to signal.
            _ = rustix::process::kill_process_group(self.pid, signal);
        }
    }

    /// Reaps it if it has ended, and with it the dead of its group that have become our children.
    pub fn reap(&mut self) {
        if self.reaped || self.peek().is_none() {
            return;
        }
        // Its number stays taken while the group has members, so this cannot reach another group.
        while let Ok(Some(_)) = rustix::process::waitpgid(self.pid, WaitOptions::NOHANG) {
            self.reaped = true;
        }
    }
}

impl Drop for Leader {
    /// A run that nobody watches any more must not go on spending. After an orderly end there is nothing left to do.
    fn drop(&mut self) {
        self.signal_group(Signal::KILL);
        self.reap();
    }
}

/// Makes this process the parent of what its descendants leave behind, so that the dead among it can be reaped.
pub(super) fn adopt_orphans() -> Result<(), SpawnError> {
    let this = Some(rustix::process::getpid());
    rustix::process::set_child_subreaper(this)
        .map_err(|errno| SpawnError::Watch { what: "to adopt orphans", source: errno.into() })
}

/// Returns whether this process has a child, be it dead and not reaped.
pub(super) fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::All, options).is_ok()
}

/// Returns the identity of the process that has this number now; `None` when there is none.
pub fn identify(pid: u32) -> Option<ProcessId> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may itself contain parentheses and spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let alive = !matches!(fields.next()?, "Z" | "X");
    // The state was field 3 and the start is field 22.
    let start_ticks = fields.nth(18)?.parse().ok()?;
    alive.then_some(ProcessId { pid, start_ticks })
}

/// Returns when the process is gone, at once when it is already. Must be called inside a tokio runtime.
pub async fn wait_gone(process: ProcessId) {
    let number = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let Some(handle) = number.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok())
    else {
        return;
    };
    // Looked at after it was opened: a number that has a new owner by now names another process.
    if !is_alive(process) {
        return;
    }
    if let Ok(handle) = readiness::register(handle) {
        drop(handle.readable().await);
    }
}

/// Returns whether that very process is still running; a dead one that waits to be reaped is not.
pub fn is_alive(process: ProcessId) -> bool {
    identify(process.pid) == Some(process)
}

/// Returns a command for `program`, with nothing set yet.
#[expect(clippy::disallowed_methods, reason = "here, and nowhere else, commands are made")]
pub(super) fn command(program: &Path) -> Command {
    Command::new(program)
}

/// What binds a child to the process that starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// It gets SIGINT when the thread that started it ends.
    DiesWithParent,
    /// Nothing.
    Free,
}

/// Makes `command` start in a session of its own, out of reach of the terminal and of signals to our group, and without
/// files that we were started with and that it was not given: a lock that a caller holds must not be held for ever by
/// a child that outlives it.
#[expect(
    unsafe_code,
    reason = "between fork and exec only Command::pre_exec can act, and it is unsafe to call"
)]
pub(super) fn before_exec(command: &mut Command, tie: Tie) {
    const FIRST_AFTER_STDERR: libc::c_uint = 3;
    let parent = rustix::process::getpid();
    let step = move || {
        rustix::process::setsid()?;
        if tie == Tie::DiesWithParent {
            rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
            // A parent that died before that call sends nothing any more.
            if rustix::process::getppid() != Some(parent) {
                return Err(rustix::io::Errno::SRCH.into());
            }
        }
        // SAFETY: the call takes three numbers and marks files as not to be inherited; it touches no memory. Kernels
        // before 5.11 refuse it: then our own files, all opened so, are still not inherited.
        unsafe {
            libc::syscall(
                libc::SYS_close_range,
                FIRST_AFTER_STDERR,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        Ok(())
    };
    // SAFETY: the step runs in the child between fork and exec, where other threads may have held locks. It makes plain
    // system calls only: it allocates nothing, takes no lock and cannot panic.
    unsafe { command.pre_exec(step) };
}

fn check_directory(directory: &Path) -> Result<(), SpawnError> {
    let entered = fs::metadata(directory).and_then(|metadata| {
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(rustix::fs::access(directory, rustix::fs::Access::EXEC_OK)?)
    });
    entered.map_err(|source| SpawnError::Directory { path: directory.to_owned(), source })
}

/// Returns what a failed start means. The directory and the program share their error numbers, so both are looked at.
fn start_error(plan: &RunPlan, source: io::Error) -> SpawnError {
    if let Err(error) = check_directory(&plan.directory) {
        return error;
    }
    let path = plan.program.clone();
    let exists = path.exists();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if !exists => SpawnError::NoProgram { path },
        // A script whose interpreter is missing is "not found" as well.
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            SpawnError::NotExecutable { path, source }
        }
        _ => SpawnError::Start { path, source },
    }
}

/// Returns a handle on a child of ours that has just been started.
pub(super) fn watch(pid: u32) -> io::Result<Leader> {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let handle = rustix::process::pidfd_open(number, PidfdFlags::empty())?;
    let handle = readiness::register(handle)?;
    Ok(Leader { pid: number, handle, reaped: false })
}

fn exit_of(status: &WaitIdStatus) -> Option<Exit> {
    status.exit_status().map(Exit::Code).or_else(|| status.terminating_signal().map(Exit::Signal))
}

#[cfg(test)]
mod tests;
