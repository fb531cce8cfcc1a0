//! Other processes: those that a script leaves behind, and the count of those that are alive at the same time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::arguments::Grandchild;

/// Nothing that is left behind stays longer than this, whatever goes wrong with the test that should end it.
const LIFE_MAX: Duration = Duration::from_secs(600);

/// Files to remove at the end.
static TRACES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Is one of the processes that are left behind.
pub(crate) fn live(kind: &Grandchild) -> Result<u8, String> {
    match kind {
        Grandchild::HoldsFiles => {}
        Grandchild::OwnSession => {
            rustix::process::setsid().map_err(|error| error.to_string())?;
            writeln!(io::stdout(), "ready").map_err(|error| error.to_string())?;
        }
    }
    thread::sleep(LIFE_MAX);
    Ok(0)
}

/// Starts such a process, writes its number to `file`, and returns once it is what it should be.
pub(crate) fn leave_behind(kind: &Grandchild, file: Option<&Path>) -> io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(kind.argument()).stdin(Stdio::null());
    if matches!(kind, Grandchild::OwnSession) {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
    }
    let mut child = command.spawn()?;
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut String::new())?;
    }
    file.map_or(Ok(()), |file| write_whole(file, child.id().to_string().as_bytes()))
}

/// Counts this process among the living in `folder`, and records the greatest number so far in its file `max`.
pub(crate) fn count(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let lock = OpenOptions::new().create(true).append(true).open(folder.join("lock"))?;
    lock.lock()?;
    let trace = folder.join(std::process::id().to_string());
    File::create(&trace)?;
    if let Ok(mut traces) = TRACES.lock() {
        traces.push(trace);
    }
    let mut alive = 0_usize;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse::<u32>().ok());
        // One that was killed could not remove its trace.
        alive += usize::from(number.is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists()));
    }
    let max = folder.join("max");
    let before = fs::read_to_string(&max).ok().and_then(|text| text.trim().parse::<usize>().ok());
    if before.is_none_or(|before| alive > before) {
        fs::write(max, alive.to_string())?;
    }
    Ok(())
}

/// Removes what [`count`] has made. Called at every orderly end.
pub(crate) fn leave() {
    let Ok(mut traces) = TRACES.lock() else { return };
    for trace in traces.drain(..) {
        _ = fs::remove_file(trace).is_ok();
    }
}

/// Writes a file that is whole from the moment it can be seen.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    fs::write(&name, bytes)?;
    fs::rename(&name, path)
}
