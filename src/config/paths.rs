//! Where things live, and the one place that reads the environment.
//!
//! Everything else gets an [`Environment`] or a part of it as an argument.

#![expect(clippy::disallowed_methods, reason = "this is the module that reads the environment")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::model::JobId;
pub use crate::model::caller::{DEPTH_VARIABLE, RUN_VARIABLE};

/// What the process was started with.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Every variable.
    pub variables: BTreeMap<OsString, OsString>,
    /// The user's home directory.
    pub home: PathBuf,
    /// The working directory.
    pub directory: PathBuf,
    /// This program's own path.
    pub program: PathBuf,
    /// The agents file.
    pub config_file: PathBuf,
    /// Where state lives.
    pub state: StatePaths,
    /// How deep this process is nested in dispatches; 0 outside any.
    pub depth: u32,
    /// The dispatch this process runs inside.
    pub run: Option<JobId>,
}

/// Files and directories of one state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePaths {
    /// The state directory; 0700.
    pub root: PathBuf,
    /// The socket of the daemon.
    pub socket: PathBuf,
}

/// An environment that leaves something essential unsaid.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::enum_variant_names, reason = "each names what there is none of")]
pub enum EnvironmentError {
    /// No home directory.
    #[error("the variable HOME is not set to an absolute path")]
    NoHome,
    /// No working directory.
    #[error("the working directory cannot be read")]
    NoDirectory(#[source] io::Error),
    /// Own path unknown.
    #[error("the path of this program cannot be read")]
    NoProgram(#[source] io::Error),
}

/// Returns what was typed after the program's name.
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Result<Self, EnvironmentError> {
        let variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let directory = std::env::current_dir().map_err(EnvironmentError::NoDirectory)?;
        let program = std::env::current_exe().map_err(EnvironmentError::NoProgram)?;
        Self::new(variables, directory, replaced_program(program))
    }

    /// Returns the environment that these variables make.
    pub fn new(
        mut variables: BTreeMap<OsString, OsString>,
        directory: PathBuf,
        program: PathBuf,
    ) -> Result<Self, EnvironmentError> {
        let text = |name: &str| variables.get(OsStr::new(name)).filter(|value| !value.is_empty());
        let absolute = |name: &str| text(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("HOME").ok_or(EnvironmentError::NoHome)?;
        let from_here = |value: &OsString| directory.join(expand_home(Path::new(value), &home));
        let config_file = text("AGENT_DISPATCH_CONFIG")
            .map_or_else(|| home.join(".config/agent-dispatch/agents.yaml"), from_here);
        let standard =
            || absolute("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")).join("agent-dispatch");
        let root = text("AGENT_DISPATCH_STATE_DIR").map_or_else(standard, from_here);
        let state = StatePaths::new(root, absolute("XDG_RUNTIME_DIR").as_deref());
        let named = [("AGENT_DISPATCH_CONFIG", &config_file), ("AGENT_DISPATCH_STATE_DIR", &state.root)]
            .map(|(name, path)| text(name).map(|_| (OsString::from(name), path.as_os_str().to_owned())));
        let parsed = |name: &str| text(name).and_then(|value| value.to_str());
        // A depth that is not a number counts as outside; a negative one must not buy extra levels.
        let depth = parsed(DEPTH_VARIABLE).and_then(|depth| depth.trim().parse().ok()).unwrap_or(0);
        let run = parsed(RUN_VARIABLE).and_then(|id| id.parse().ok());
        // The daemon, workers and runs work in other directories, and must end up at the same places.
        variables.extend(named.into_iter().flatten());
        Ok(Self { variables, home, directory, program, config_file, state, depth, run })
    }

    /// Returns where programs are searched for.
    pub fn path_variable(&self) -> Option<&OsStr> {
        self.variables.get(OsStr::new("PATH")).map(AsRef::as_ref)
    }

    /// Returns the file in which Claude Code keeps its state.
    pub fn claude_state(&self) -> PathBuf {
        let folder = self.text("CLAUDE_CONFIG_DIR").map(PathBuf::from);
        folder.as_deref().unwrap_or(&self.home).join(".claude.json")
    }

    /// Returns a variable as text; nothing when it is unset, empty or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(OsStr::new(name))?.to_str().filter(|value| !value.is_empty())
    }
}

impl StatePaths {
    /// Returns the layout of the state directory `root`. The socket lies in the runtime directory when there is one;
    /// its name carries the digest of the state directory, so that two states never share a daemon.
    pub fn new(root: PathBuf, runtime: Option<&Path>) -> Self {
        let digest = blake3::hash(root.as_os_str().as_encoded_bytes()).to_hex();
        let name = format!("s-{}.sock", digest.get(..16).unwrap_or_default());
        let folder = runtime.map_or_else(|| root.clone(), |runtime| runtime.join("agent-dispatch"));
        let socket = folder.join(name);
        Self { root, socket }
    }

    /// Returns the directory of the store.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Returns the directory of run folders.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Returns the daemon's log file.
    pub fn log(&self) -> PathBuf {
        self.root.join("daemon.log")
    }

    /// Returns the file that the daemon holds locked for as long as it lives.
    pub fn daemon_lock(&self) -> PathBuf {
        self.root.join("daemon.lock")
    }

    /// Returns the file that a front end holds locked while it starts the daemon.
    pub fn start_lock(&self) -> PathBuf {
        self.root.join("start.lock")
    }

    /// Returns the file that keeps the audit head outside the store.
    pub fn heads(&self) -> PathBuf {
        self.root.join("audit-heads.log")
    }
}

/// Returns the user as whom this process runs: by name, or by number where there is none.
pub fn user() -> String {
    let number = rustix::process::geteuid().as_raw();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    named(&known, number).map_or_else(|| number.to_string(), str::to_owned)
}

/// Returns the name of a user in the list of them.
fn named(known: &str, number: u32) -> Option<&str> {
    known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(number)).then_some(name)
    })
}

/// Returns `path` with a leading `~` replaced by `home`.
pub fn expand_home(path: &Path, home: &Path) -> PathBuf {
    path.strip_prefix("~").map_or_else(|_| path.to_owned(), |rest| home.join(rest))
}

/// A program that was replaced while it ran is called `… (deleted)` by the kernel; its successor has the old path.
fn replaced_program(program: PathBuf) -> PathBuf {
    match program.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(path) => PathBuf::from(path),
        None => program,
    }
}

#[cfg(test)]
mod tests;
