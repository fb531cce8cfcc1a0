//! Asks another program something: runs it for a short time and returns what it printed. For setting up, for checks,
//! and for what git says during a run; `claude` itself is run another way.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::MemfdFlags;
use rustix::process::Signal;

use crate::model::Exit;
use crate::plan::environment::is_marker;
use crate::runner::process::{self, Tie};

/// Most bytes of either output that are returned: the longest help is a tenth of it.
const OUTPUT_BYTES_MAX: u64 = 256 << 10;

/// How long a killed program is given to disappear.
const DEATH_MAX: Duration = Duration::from_millis(500);

/// From where programs are asked.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    /// What they find in their environment, but for what marks the Claude session that we may be part of.
    pub environment: &'a BTreeMap<OsString, OsString>,
    /// Where they run.
    pub directory: &'a Path,
    /// How long each may take.
    pub limit: Duration,
}

/// What a program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How it ended.
    pub exit: Exit,
    /// The beginning of its standard output.
    pub stdout: String,
    /// The beginning of its standard error.
    pub stderr: String,
}

/// Why a program said nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It cannot be run.
    #[error("`{}` cannot be run", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It did not end in time, and was killed; it may be about to die still.
    #[error("`{}` did not end within {seconds} s", program.display())]
    Late {
        /// The program.
        program: PathBuf,
        /// The limit.
        seconds: u64,
    },
    /// It ended, and said that it cannot answer.
    #[error("`{}` failed: {said}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its last words.
        said: String,
    },
}

impl Said {
    /// Returns whether it ended well.
    pub fn went_well(&self) -> bool {
        self.exit == Exit::Code(0)
    }

    /// Returns the error that `program` has ended with this failure.
    pub fn as_failure(&self, program: &Path) -> ProbeError {
        ProbeError::Failed { program: program.to_owned(), said: self.last_words().to_owned() }
    }

    /// Returns what it said of a failure: the last line of its standard error, else of its output.
    pub fn last_words(&self) -> &str {
        let last = |text: &'_ str| text.trim_end().rfind('\n').map_or(0, |at| at + 1);
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        said.get(last(said)..).unwrap_or_default().trim()
    }
}

impl Probe<'_> {
    /// Runs `program` to its end, with nothing to read. Whatever it left behind in its group is killed, and so is the whole
    /// group when it is late. Must be called inside a tokio runtime.
    pub async fn ask(&self, program: &Path, args: &[&str]) -> Result<Said, ProbeError> {
        let failed = |source| ProbeError::Start { program: program.to_owned(), source };
        // Files, because the real one loses what a pipe does not take at once; in memory, because a full disk is one of the
        // things to be found out.
        let outputs = (anonymous().map_err(failed)?, anonymous().map_err(failed)?);
        let stdio = |file: &File| file.try_clone().map(Stdio::from).map_err(failed);
        let mut command = process::command(program);
        let inherited = self.environment.iter().filter(|(name, _)| !name.to_str().is_some_and(is_marker));
        command
            .args(args)
            .current_dir(self.directory)
            .env_clear()
            .envs(inherited)
            .stdin(Stdio::null())
            .stdout(stdio(&outputs.0)?)
            .stderr(stdio(&outputs.1)?);
        process::before_exec(&mut command, Tie::DiesWithParent);
        let mut child = command.spawn().map_err(failed)?;
        let mut leader = process::watch(child.id()).map_err(|source| {
            // What cannot be watched must not run. The child is unreaped, so these reach it and nobody else.
            drop(child.kill());
            drop(child.wait());
            failed(source)
        })?;
        let ended = tokio::time::timeout(self.limit, leader.exited()).await;
        leader.signal_group(Signal::KILL);
        if ended.is_err() {
            // It has been killed this moment, and is reaped when it is gone. One that waits for a dead mount does not go
            // before that answers: it is left, and nobody waits with it.
            let _gone = tokio::time::timeout(DEATH_MAX, leader.exited()).await;
        }
        leader.reap();
        let late = |_| ProbeError::Late { program: program.to_owned(), seconds: self.limit.as_secs() };
        let exit = ended.map_err(late)?;
        Ok(Said {
            exit,
            stdout: beginning(outputs.0).map_err(failed)?,
            stderr: beginning(outputs.1).map_err(failed)?,
        })
    }
}

/// Returns a file without a name, which is gone when it is closed.
fn anonymous() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("probe", MemfdFlags::CLOEXEC)?.into())
}

fn beginning(mut file: File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
