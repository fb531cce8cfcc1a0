//! A home of its own for the whole program: a configuration, a scripted `claude` on the path, and nothing left behind.

#![expect(clippy::disallowed_methods, reason = "tests start the program in an environment of their choice")]
#![expect(clippy::panic, reason = "a check that fails says all it knows")]

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::real::{finish, until};

/// How long a thing may take to be seen that normally takes some milliseconds.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A scratch home. Dropping it stops its daemon and checks that no process of this home is left.
#[derive(Debug)]
pub(crate) struct World {
    root: TempDir,
    script: Mutex<String>,
}

/// What a run of the program did.
#[derive(Debug)]
pub(crate) struct Done {
    /// Its exit code.
    pub(crate) status: i32,
    /// All it wrote to its standard output.
    pub(crate) stdout: String,
    /// All it wrote to its standard error.
    pub(crate) stderr: String,
}

impl World {
    /// Makes a home without any agent, and with a `claude` that plays [`World::script`].
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("world-").tempdir().expect("a scratch folder can be made");
        let world = Self { root, script: Mutex::new(String::new()) };
        for folder in ["home", "bin"] {
            fs::create_dir_all(world.path(folder)).expect("a folder can be made");
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-claude"), world.path("bin/claude"))
            .expect("a link can be made");
        world
    }

    /// Makes a home with one agent, `worker`.
    pub(crate) fn with_worker() -> Self {
        let world = Self::new();
        world.agent("worker");
        world
    }

    /// Returns a path outside the home; a script calls it `@name`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Returns the home.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Returns the agents file; it need not exist.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.home().join(".config/agent-dispatch/agents.yaml")
    }

    /// Writes the agents file.
    pub(crate) fn config(&self, text: &str) {
        let file = self.config_file();
        fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("a folder can be made");
        fs::write(file, text).expect("the agents file can be written");
    }

    /// Adds an agent to the agents file, by hand, and returns its new directory. Call it before anything else is written
    /// there: it appends to the section of the agents.
    pub(crate) fn agent(&self, name: &str) -> PathBuf {
        let directory = self.path(name);
        fs::create_dir_all(&directory).expect("a folder can be made");
        if !self.config_file().exists() {
            self.config("agents:\n");
        }
        let entry = format!("  {name}:\n    directory: {}\n", directory.display());
        let mut file = OpenOptions::new().append(true).open(self.config_file()).expect("it is there");
        file.write_all(entry.as_bytes()).expect("the agents file can be written");
        directory
    }

    /// Says what `claude` does in runs that are started from now on (see `tools/fake_claude/script.rs`); `@name` stands
    /// for the file [`World::path`] returns. A task overrules it with lines that begin with `fake:`.
    pub(crate) fn script(&self, text: &str) {
        let text = text.replace('@', &format!("{}/", self.root.path().display()));
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// Returns the environment: nothing but what this home needs.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut variables = vec![
            ("HOME", self.home().display().to_string()),
            ("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", self.path("bin").display())),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            // A daemon that no test stops goes by itself.
            ("AGENT_DISPATCH_IDLE_SECONDS", "60".to_owned()),
        ];
        if !script.is_empty() {
            variables.push(("FAKE_CLAUDE_SCRIPT", script));
        }
        variables
    }

    /// Returns a run of the program in this home, with nothing to read.
    pub(crate) fn agent_dispatch<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-dispatch"));
        command.args(arguments).current_dir(self.root.path()).stdin(Stdio::null());
        command.env_clear().envs(self.environment());
        command
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Done {
        Done::of(self.agent_dispatch(arguments))
    }

    /// Runs the program to its end, with this to read.
    #[track_caller]
    pub(crate) fn run_with_input<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S], input: &str) -> Done {
        let mut file = tempfile::tempfile_in(self.root.path()).expect("a file can be made");
        file.write_all(input.as_bytes()).expect("it takes the input");
        file.rewind().expect("a file can be read from its beginning");
        let mut command = self.agent_dispatch(arguments);
        command.stdin(file);
        Done::of(command)
    }

    /// Lets scripts go on that wait for the file `@name`.
    pub(crate) fn touch(&self, name: &str) {
        File::create(self.path(name)).expect("a file can be made");
    }

    /// Waits until a script has made the file `@name`.
    #[track_caller]
    pub(crate) fn appears(&self, name: &str) {
        let file = self.path(name);
        assert!(
            until(SOON, || file.exists().then_some(())).is_some(),
            "waited in vain for {}",
            file.display()
        );
    }

    /// Returns the processes of this home: number and command line.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let home = format!("HOME={}", self.home().display());
        let of_home = |folder: &Path| {
            // Gone between the two looks, or a zombie: then there is nothing to read.
            let environment = fs::read(folder.join("environ")).ok()?;
            let ours = environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes());
            let arguments = fs::read(folder.join("cmdline")).ok().filter(|_| ours)?;
            Some(String::from_utf8_lossy(&arguments).replace('\0', " "))
        };
        let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
        let numbered =
            processes.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
        numbered.filter_map(|(pid, folder): (u32, _)| Some((pid, of_home(&folder)?))).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !thread::panicking() {
            let stopped = Done::of(self.agent_dispatch(&["daemon", "stop"]));
            assert_eq!(stopped.status, 0, "the daemon does not stop: {stopped:?}");
            if until(Duration::from_secs(5), || self.processes().is_empty().then_some(())).is_some() {
                return;
            }
        }
        let left = self.processes();
        let gone = until(SOON, || {
            let processes = self.processes();
            for pid in processes.iter().filter_map(|(pid, _)| Pid::from_raw(i32::try_from(*pid).ok()?)) {
                // One that ended in the meantime is what is wanted.
                let _gone = kill_process(pid, Signal::KILL);
            }
            processes.is_empty().then_some(())
        });
        assert!(thread::panicking() || (left.is_empty() && gone.is_some()), "processes were left: {left:#?}");
    }
}

impl Done {
    /// Runs `command` to its end.
    #[track_caller]
    pub(crate) fn of(command: Command) -> Self {
        let finished = finish(command);
        let status = finished.code.unwrap_or_else(|| panic!("it was ended by a signal: {finished:?}"));
        Self { status, stdout: finished.stdout, stderr: finished.stderr }
    }

    /// Checks that it went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    /// Checks its exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status, code, "stdout: {:.4000}\nstderr: {:.4000}", self.stdout, self.stderr);
        self
    }

    /// Returns its standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
