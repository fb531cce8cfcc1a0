//! Starts this program a second time, as a worker or as the daemon: detached, to outlive who starts it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;

use rustix::fs::{MemfdFlags, Mode};

use crate::model::caller::RUN_VARIABLE;
use crate::runner::process::{self, Tie};

/// Stack of the thread that waits for a started program: it only makes one system call.
const REAPER_STACK_BYTES: usize = 64 * 1024;

/// Priority of what nobody waits for ("nice"): behind others, and yet not starved, for it holds its place meanwhile.
const BEHIND_OTHERS: i32 = 5;

/// Length above which what is in a log file is set aside, in bytes.
const LOG_BYTES_MAX: u64 = 1 << 20;

/// Starts `program` in a session of its own with this standard input (`None`: null), its standard output null, its standard
/// error `stderr`; with this environment, or (`None`) with ours. Returns its number.
///
/// It never inherits the id of the run that we are part of: the sweep after that run kills whoever carries it, and a
/// worker has a run of its own while the daemon belongs to none.
pub fn detached(
    program: &Path,
    args: &[OsString],
    environment: Option<&BTreeMap<OsString, OsString>>,
    directory: &Path,
    stdin: Option<File>,
    stderr: File,
) -> io::Result<u32> {
    let mut command = process::command(program);
    let stdin = stdin.map_or_else(Stdio::null, Stdio::from);
    command.args(args).current_dir(directory).stdin(stdin).stdout(Stdio::null()).stderr(stderr);
    if let Some(environment) = environment {
        command.env_clear().envs(environment);
    }
    command.env_remove(RUN_VARIABLE);
    process::before_exec(&mut command, Tie::Free);
    let mut child = command.spawn()?;
    let pid = child.id();
    // A dead child stays in the process table until it is waited for. A thread that does nothing else works in every front
    // end, with and without a runtime, and is not lost when a runtime ends. If there is no room for one, the zombie
    // stays until we end, which is harmless.
    let reaper = std::thread::Builder::new().name("reaper".to_owned()).stack_size(REAPER_STACK_BYTES);
    drop(reaper.spawn(move || child.wait()));
    Ok(pid)
}

/// Returns a file that holds this text and lies in memory only, to be a standard input: nothing is left of it when nobody has
/// it open any more.
pub fn in_memory(text: &str) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("prompt", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// Returns our own standard input, to be handed on to a child that reads it in our place.
pub fn own_input() -> io::Result<File> {
    Ok(rustix::stdio::stdin().as_fd().try_clone_to_owned()?.into())
}

/// Opens the log file that detached programs write to, making it if need be. What is in one that has grown too long is set
/// aside first, in place of what was set aside before.
pub fn open_log(path: &Path) -> io::Result<File> {
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let is_long = || log.metadata().is_ok_and(|found| found.len() > LOG_BYTES_MAX);
    // One of those who start something at the same time; the others write behind it.
    if is_long() && log.try_lock().is_ok() {
        // Copied and emptied, not renamed: the daemon and workers that run have it open, and would write on where nobody
        // looks. All append, so they go on at the beginning. A line that comes between the two is lost. One that cannot be
        // copied grows on.
        if is_long() && fs::copy(path, path.with_extension("log.1")).is_ok() {
            log.set_len(0)?;
        }
        log.unlock()?;
    }
    Ok(log)
}

/// Makes this process wait for a processor behind others.
pub fn give_way() {
    // Refused by nobody, and only a courtesy.
    _ = rustix::process::setpriority_process(None, BEHIND_OTHERS);
}

/// Makes a program that was started by [`detached`], or by hand in a shell, independent of where it came from: a session
/// of its own, and files that only their owner may use.
pub fn leave_session() {
    // Refused to one that leads its group already: started by `detached` it has its session, and the leader of a
    // shell's job keeps it.
    _ = rustix::process::setsid();
    _ = rustix::process::umask(Mode::RWXG | Mode::RWXO);
}
