//! The real `claude` against the mock of the Messages API: found or installed once, with a home of its own, and nothing
//! left behind.
//!
//! Where npm cannot deliver it, tests say `skipped: REASON` and pass. `REAL_CLAUDE_VERSION` takes another version than
//! the pinned one.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests start programs in an environment of their choice"
)]
#![expect(clippy::panic, reason = "a check that fails says all it knows")]

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The longest an installation may take. It runs once per machine.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);
/// The longest a program may take that normally takes a second or two: a slow machine with two cores is no failure.
const RUN_LIMIT: Duration = Duration::from_secs(60);
/// How often a condition is looked at while waiting for it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A home, a mock, and the real `claude` between them. Dropping it ends every process that was started in that home.
#[derive(Debug)]
pub(crate) struct RealClaude {
    scratch: TempDir,
    claude: PathBuf,
    mock: MockApi,
}

/// The mock of the Messages API; it ends with this value.
#[derive(Debug)]
pub(crate) struct MockApi {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
    log: PathBuf,
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code; nothing when a signal ended it.
    pub(crate) code: Option<i32>,
    /// All it wrote to its standard output.
    pub(crate) stdout: String,
    /// All it wrote to its standard error.
    pub(crate) stderr: String,
}

/// A process, and what it was started with.
pub(crate) struct Running {
    pid: Pid,
    arguments: Vec<u8>,
    environment: Vec<u8>,
}

impl RealClaude {
    /// Starts a mock and makes a home; nothing, with a word on standard output, when there is no `claude` to be had.
    pub(crate) fn start() -> Option<Self> {
        static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let claude = match INSTALLED.get_or_init(install) {
            Ok(claude) => claude.clone(),
            Err(reason) => {
                // Past the test harness, which would keep it to itself.
                writeln!(io::stdout(), "skipped: {reason}").expect("standard output takes a line");
                return None;
            }
        };
        let scratch =
            tempfile::Builder::new().prefix("real-").tempdir().expect("a scratch folder can be made");
        for name in ["home", "tmp"] {
            fs::create_dir_all(scratch.path().join(name)).expect("a folder can be made");
        }
        let mock = MockApi::start(&scratch.path().join("api.jsonl"));
        Some(Self { scratch, claude, mock })
    }

    /// Returns the home everything runs in.
    pub(crate) fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    /// Returns a new folder, outside the home.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.scratch.path().join(name);
        fs::create_dir_all(&folder).expect("a folder can be made");
        folder
    }

    /// Returns a run of `claude` that reads `prompt`. Its environment is nothing but what this home needs.
    pub(crate) fn claude(&self, arguments: &[&str], folder: &Path, prompt: &str) -> Command {
        self.command(&self.claude, arguments, folder, prompt)
    }

    /// Returns a run of `program` in `folder`, with `input` to read, in the same environment as `claude`.
    pub(crate) fn command(&self, program: &Path, arguments: &[&str], folder: &Path, input: &str) -> Command {
        let mut stdin = tempfile::tempfile_in(self.scratch.path()).expect("a file can be made");
        stdin.write_all(input.as_bytes()).expect("it takes the input");
        stdin.rewind().expect("a file can be read from its beginning");
        let product = Path::new(env!("CARGO_BIN_EXE_agent-dispatch"));
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let own = [&*self.claude, product].into_iter().filter_map(Path::parent).map(Path::to_owned);
        let path = std::env::join_paths(own.chain(std::env::split_paths(&inherited)));
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(folder)
            .stdin(stdin)
            .env_clear()
            .env("HOME", self.home())
            .env("TMPDIR", self.scratch.path().join("tmp"))
            .env("CLAUDE_CODE_TMPDIR", self.scratch.path().join("tmp"))
            .env("PATH", path.expect("no folder has a colon in its name"))
            .env("ANTHROPIC_BASE_URL", format!("http://{}", self.mock.address))
            .env("ANTHROPIC_API_KEY", "sk-ant-mock")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .env("DISABLE_TELEMETRY", "1")
            .env("DISABLE_ERROR_REPORTING", "1");
        command
    }

    /// Returns what the mock wrote down: one object for every request for a message.
    pub(crate) fn api_calls(&self) -> Vec<Value> {
        self.mock.calls()
    }

    /// Returns the processes of this home that carry `variable` in their environment, with any value when it ends in
    /// `=`, else with exactly this one.
    pub(crate) fn running(&self, variable: &str) -> Vec<Running> {
        let home = format!("HOME={}", self.home().display());
        let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
        let processes = processes.filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            // Gone between the two looks, or a zombie: then there is nothing to read.
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let arguments = fs::read(entry.path().join("cmdline")).ok()?;
            Some(Running { pid, arguments, environment })
        });
        processes.filter(|process| process.carries(&home) && process.carries(variable)).collect()
    }
}

impl MockApi {
    /// Starts it; it logs to a new file at `log`.
    pub(crate) fn start(log: &Path) -> Self {
        // It ends with its standard input, so that it is gone even when this process has no time to end it.
        let mut child = Command::new(env!("CARGO_BIN_EXE_mock-api"))
            .arg("--until-eof")
            .arg("--log")
            .arg(log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the mock starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its standard output is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the mock says where it listens");
        let address = line.trim().strip_prefix("listening on ").expect("it says where").to_owned();
        Self { child, address, log: log.to_owned() }
    }

    /// Returns what the mock wrote down: one object for every request for a message.
    pub(crate) fn calls(&self) -> Vec<Value> {
        let log = fs::read(&self.log).expect("the mock keeps a log");
        // What has no line end yet is still being written.
        let lines = log.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let lines = lines.map(|line| serde_json::from_slice(line).expect("the log is JSON"));
        lines.filter(|call: &Value| call["path"] == "/v1/messages").collect()
    }
}

impl Drop for MockApi {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for RealClaude {
    fn drop(&mut self) {
        // Processes of this home can start others until the last one is gone.
        let gone = until(Duration::from_secs(5), || {
            let left = self.running("HOME=");
            // One that ended in the meantime is what is wanted.
            for process in &left {
                let _gone = kill_process(process.pid, Signal::KILL);
            }
            left.is_empty().then_some(())
        });
        assert!(gone.is_some() || thread::panicking(), "processes are left in {}", self.home().display());
    }
}

impl Running {
    /// Returns the value of an environment variable.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let mut variables = self.environment.split(|byte| *byte == 0);
        let value = variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Returns whether it was started with this argument.
    pub(crate) fn has_argument(&self, argument: &str) -> bool {
        self.arguments.split(|byte| *byte == 0).any(|found| found == argument.as_bytes())
    }

    fn carries(&self, variable: &str) -> bool {
        let mut variables = self.environment.split(|byte| *byte == 0);
        variables.any(|found| found == variable.as_bytes() || any_value(found, variable))
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: String = String::from_utf8_lossy(&self.arguments).chars().take(200).collect();
        write!(f, "{} {}", self.pid.as_raw_nonzero(), arguments.replace('\0', " "))
    }
}

fn any_value(found: &[u8], variable: &str) -> bool {
    variable.ends_with('=') && found.starts_with(variable.as_bytes())
}

impl Finished {
    /// Returns the objects on its standard output, one per line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Returns its standard output as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it went well.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(
            self.code,
            Some(0),
            "stdout: {}\nstderr: {}",
            shortened(&self.stdout),
            shortened(&self.stderr)
        );
        self
    }
}

/// Runs `command` to its end, which must come within [`RUN_LIMIT`].
#[track_caller]
pub(crate) fn finish(command: Command) -> Finished {
    let shown = format!("{command:?}");
    let (finished, in_time) = run(command, RUN_LIMIT).unwrap_or_else(|error| panic!("{error}: {shown}"));
    let (stdout, stderr) = (shortened(&finished.stdout), shortened(&finished.stderr));
    assert!(in_time, "not done after {RUN_LIMIT:?}: {shown}\nstdout: {stdout}\nstderr: {stderr}");
    finished
}

/// Runs `command`, kills it when `limit` is over, and returns whether that was not needed. Its output goes to files: on
/// a pipe the real `claude` loses what was not read in time.
pub(crate) fn run(mut command: Command, limit: Duration) -> io::Result<(Finished, bool)> {
    let output = tempfile::tempdir()?;
    let paths = ["stdout", "stderr"].map(|name| output.path().join(name));
    let [stdout, stderr] = &paths;
    let mut child = command.stdout(File::create(stdout)?).stderr(File::create(stderr)?).spawn()?;
    let ended = until(limit, || child.try_wait().transpose()).transpose()?;
    if ended.is_none() {
        child.kill()?;
    }
    let code = child.wait()?.code();
    let text = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok((Finished { code, stdout: text(stdout)?, stderr: text(stderr)? }, ended.is_some()))
}

/// Looks at a condition until it holds, and returns what it found; nothing when it does not hold in time.
pub(crate) fn until<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let found = condition();
        if found.is_some() || Instant::now() >= deadline {
            return found;
        }
        thread::park_timeout(LOOK_EVERY);
    }
}

/// Returns the script that makes the mock answer with these steps.
pub(crate) fn script(steps: &Value) -> String {
    format!("<<mock {steps} mock>>")
}

fn shortened(text: &str) -> String {
    text.chars().take(4000).collect()
}

/// Installs the real `claude`, unless it is there, and returns its program. One process at a time does it.
fn install() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("claude-code");
    let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/install_claude.sh"));
    script.arg(&folder).args(std::env::var_os("REAL_CLAUDE_VERSION")).stdin(Stdio::null());
    let installed = File::create(folder.with_extension("lock")).and_then(|lock| {
        lock.lock()?;
        run(script, INSTALL_LIMIT)
    });
    match installed {
        Ok((done, _)) if done.code == Some(0) => Ok(PathBuf::from(done.stdout.trim())),
        Ok((done, true)) => Err(done.stderr.trim().to_owned()),
        Ok((_, false)) => Err(format!("npm did not deliver claude in {} s", INSTALL_LIMIT.as_secs())),
        Err(error) => Err(format!("the installer of claude does not start: {error}")),
    }
}
