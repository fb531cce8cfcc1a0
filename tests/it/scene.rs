//! What the system tests play in: a home of its own, agents, the scripted stand-in on the PATH, front ends inside the
//! test and in processes of their own, and a look at every process that was started there.
//!
//! Nothing here waits for a time: conditions are looked at until they hold, or until a test has failed.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests start programs, and this one again, in an environment of their choice"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::future::pending;
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use agent_dispatch::audit::Record;
use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::audit::verdict::VerifyReport;
use agent_dispatch::config::paths::{DEPTH_VARIABLE, Environment, RUN_VARIABLE};
use agent_dispatch::daemon::protocol::{DaemonStatus, JobView, Reply, Request, WaitEnd, WaitRequest};
use agent_dispatch::dispatch::{DispatchError, Dispatched, Ended, Frontend, Patience};
use agent_dispatch::job::State;
use agent_dispatch::model::request::{RawRequest, Sharing};
use agent_dispatch::model::{DispatchRequest, JobId};
use rustix::process::{Pid, Signal, kill_process};

mod part;

pub(crate) use part::{Other, Part, event};

/// The program itself.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-dispatch");

/// Longest wait for anything: only reached when a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A home with agents, and everything that is started in it. Dropping it ends every process of that home.
pub(crate) struct Scene {
    root: tempfile::TempDir,
    /// The path of a socket must be short.
    runtime: tempfile::TempDir,
}

impl Scene {
    /// Returns a scene whose one agent, `worker`, has the default settings.
    pub(crate) fn new() -> Self {
        Self::with("", "")
    }

    /// Returns a scene with these settings (lines of YAML), and these lines for its agent `worker`. There is a second agent,
    /// `other`, with nothing set.
    pub(crate) fn with(settings: &str, worker: &str) -> Self {
        let root = tempfile::Builder::new().prefix("scene-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let runtime = tempfile::Builder::new().prefix("ad-").tempdir().unwrap();
        let scene = Self { root, runtime };
        let project = scene.file("project");
        for folder in [&project, &scene.file("bin"), &scene.file("home/.config/agent-dispatch")] {
            fs::create_dir_all(folder).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_fake-claude"), scene.file("bin/claude")).unwrap();
        let indented = |text: &str, by: &str| {
            let lines = text.lines().map(|line| format!("{by}{}\n", line.trim()));
            lines.filter(|line| !line.trim().is_empty()).collect::<String>()
        };
        let project = project.display();
        let yaml = format!(
            "agents:\n  other:\n    directory: {project}\n  worker:\n    directory: {project}\n{}settings:\n  max_dispatch_depth: 5\n{}",
            indented(worker, "    "),
            indented(settings, "  ")
        );
        fs::write(scene.file("home/.config/agent-dispatch/agents.yaml"), yaml).unwrap();
        scene
    }

    /// Returns the file that scripts call `@name`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Makes an empty file.
    pub(crate) fn touch(&self, name: &str) {
        File::create(self.file(name)).unwrap();
    }

    /// Returns the lines of a file; none when there is no such file.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.file(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Returns the variables of every process here.
    pub(crate) fn variables(&self) -> BTreeMap<OsString, OsString> {
        let mut path = self.file("bin").into_os_string();
        path.push(":/usr/bin:/bin");
        let variables: [(&str, OsString); 5] = [
            ("HOME", self.file("home").into()),
            ("PATH", path),
            ("LANG", "C.UTF-8".into()),
            ("XDG_RUNTIME_DIR", self.runtime.path().into()),
            // Whatever goes wrong, nothing stays for long.
            ("AGENT_DISPATCH_IDLE_SECONDS", "60".into()),
        ];
        variables.map(|(name, value)| (name.into(), value)).into()
    }

    /// Returns the environment of a front end here.
    pub(crate) fn environment(&self) -> Environment {
        self.environment_with(&[])
    }

    fn environment_with(&self, more: &[(&str, String)]) -> Environment {
        let mut variables = self.variables();
        variables.extend(more.iter().map(|(name, value)| ((*name).into(), value.into())));
        Environment::new(variables, self.file("project"), PROGRAM.into()).unwrap()
    }

    /// Returns a new front end, as a session has it.
    pub(crate) fn frontend(&self) -> Frontend {
        Frontend::new(self.environment())
    }

    /// Returns a front end that runs inside `job`, which is nested in `depth - 1` others.
    pub(crate) fn inside(&self, job: JobId, depth: u32) -> Frontend {
        let markers = [(RUN_VARIABLE, job.to_string()), (DEPTH_VARIABLE, depth.to_string())];
        Frontend::new(self.environment_with(&markers))
    }

    /// Returns a request to `agent` that plays `script`, in which `@` stands for the scene's folder.
    pub(crate) fn request(&self, agent: &str, script: &str) -> DispatchRequest {
        self.raw_request(RawRequest {
            agent: agent.to_owned(),
            task: format!("play it\nfake: {}", self.script(script)),
            ..RawRequest::default()
        })
    }

    /// Returns a script in which `@` stands for the scene's folder.
    pub(crate) fn script(&self, script: &str) -> String {
        script.replace('@', &format!("{}/", self.root.path().display()))
    }

    /// Returns this request, shared with identical ones.
    #[expect(clippy::unused_self, reason = "it belongs to the scene as its sibling does")]
    pub(crate) fn raw_request(&self, raw: RawRequest) -> DispatchRequest {
        DispatchRequest::new(raw, Sharing::CacheAndJoin).unwrap()
    }

    /// Returns the program itself, to be run in this scene.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().envs(self.variables()).current_dir(self.file("project"));
        command.stdin(Stdio::null());
        command
    }

    /// Returns the processes of this scene whose environment has this entry.
    pub(crate) fn processes(&self, entry: &str) -> Vec<Process> {
        let home = format!("HOME={}", self.file("home").display());
        let all = fs::read_dir("/proc").unwrap().flatten();
        let all = all.filter_map(|found| Process::read(found.file_name().to_str()?.parse().ok()?));
        all.filter(|process| process.carries(&home) && (entry.is_empty() || process.carries(entry))).collect()
    }

    /// Returns the processes of the run of a job: `claude` and what it started.
    pub(crate) fn run_of(&self, job: JobId) -> Vec<Process> {
        self.processes(&format!("{RUN_VARIABLE}={job}"))
    }

    /// Returns the worker of a job.
    pub(crate) fn worker_of(&self, job: JobId) -> Option<Process> {
        let folder = self.environment().state.runs().join(job.to_string());
        let folder = folder.to_str().unwrap().to_owned();
        self.processes("").into_iter().find(|process| process.arguments.contains(&folder))
    }

    /// Returns the daemons.
    pub(crate) fn daemons(&self) -> Vec<Process> {
        let is_daemon = |process: &Process| process.arguments.iter().any(|argument| argument == "daemon");
        self.processes("").into_iter().filter(is_daemon).collect()
    }

    /// Returns the lines of the daemons' log that say `what`.
    pub(crate) fn log(&self, what: &str) -> Vec<String> {
        let text = fs::read_to_string(self.environment().state.log()).unwrap_or_default();
        text.lines().filter(|line| line.contains(what)).map(str::to_owned).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.environment().state.log()).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(25).collect();
            let mut told = String::new();
            for line in last.into_iter().rev() {
                told.push_str(line);
                told.push('\n');
            }
            // The test has failed already; this is all that is left to say.
            drop(writeln!(
                io::stderr(),
                "the log of the daemon ends with:\n{told}left: {:#?}",
                self.processes("")
            ));
        }
        // A process of this home can start others until the last one is gone.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = self.processes("");
            if left.is_empty() || Instant::now() > deadline {
                break;
            }
            left.iter().for_each(Process::kill);
            std::thread::park_timeout(LOOK_EVERY);
        }
    }
}

/// A process, and what it was started with.
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) arguments: Vec<String>,
    environment: Vec<u8>,
}

impl Process {
    fn read(number: i32) -> Option<Self> {
        let pid = Pid::from_raw(number)?;
        // Gone between two looks, or a zombie: then there is nothing to read.
        let environment = fs::read(format!("/proc/{number}/environ")).ok()?;
        let arguments = fs::read(format!("/proc/{number}/cmdline")).ok()?;
        let arguments =
            arguments.split(|byte| *byte == 0).map(|one| String::from_utf8_lossy(one).into_owned());
        Some(Self { pid, arguments: arguments.collect(), environment })
    }

    fn carries(&self, entry: &str) -> bool {
        self.environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
    }

    /// Sends it a signal; nothing when it is gone.
    pub(crate) fn signal(&self, signal: Signal) {
        let _gone = kill_process(self.pid, signal);
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Returns whether it is stopped by a signal.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid.as_raw_nonzero(), self.arguments.join(" "))
    }
}

/// Runs a test on a runtime like a front end's.
pub(crate) fn on_runtime<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// Looks until there is something to return.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks until it holds.
pub(crate) async fn holds(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, async || condition().then_some(())).await;
}

/// Dispatches and waits to the end.
pub(crate) async fn dispatch(frontend: &Frontend, request: &DispatchRequest) -> Result<Ended, DispatchError> {
    match frontend.dispatch(request, "test", Patience::ToTheEnd, &mut |_, _| {}, pending()).await? {
        Dispatched::Ended(ended) => Ok(*ended),
        Dispatched::Running(view, _) => panic!("it was to be waited for: {view:?}"),
    }
}

/// Dispatches without waiting, and returns the job.
pub(crate) async fn start(frontend: &Frontend, request: &DispatchRequest) -> JobId {
    match frontend.dispatch(request, "test", Patience::None, &mut |_, _| {}, pending()).await.unwrap() {
        Dispatched::Running(view, _) => view.record.id,
        Dispatched::Ended(ended) => ended.job.id,
    }
}

/// Returns what a dispatch was refused for.
pub(crate) async fn refusal(frontend: &Frontend, request: &DispatchRequest) -> agent_dispatch::plan::Refusal {
    match dispatch(frontend, request).await {
        Err(DispatchError::Refused { refusal, .. }) => refusal,
        other => panic!("it was to be refused: {other:?}"),
    }
}

/// Waits for the end of a job without being counted among its callers.
pub(crate) async fn end_of(frontend: &Frontend, job: JobId) -> JobView {
    let wait = WaitRequest {
        jobs: vec![job],
        any: false,
        timeout_ms: Some(30_000),
        attach: false,
        detach_at_timeout: false,
        inside: None,
        answer: None,
    };
    let (mut views, end) = frontend.wait(&wait, &mut |_, _| {}, pending()).await.unwrap();
    assert_eq!(end, WaitEnd::Ended, "{views:?}");
    views.pop().unwrap()
}

/// Waits until a job is in this state.
pub(crate) async fn reaches(frontend: &Frontend, job: JobId, state: State) -> JobView {
    let what = format!("job {job} is {state:?}");
    let look = async || frontend.job(job).await.unwrap().filter(|view| view.record.state == state);
    until(&what, look).await
}

/// Returns how the daemon is.
pub(crate) async fn status(frontend: &Frontend) -> DaemonStatus {
    match frontend.client.ask(&Request::Status).await.unwrap() {
        Reply::Status(status) => status,
        other => panic!("{other:?}"),
    }
}

/// Returns the audit records that `filter` takes, oldest first.
pub(crate) async fn audit(frontend: &Frontend, filter: AuditFilter) -> Vec<Record> {
    let filter = AuditFilter { limit: 1000, ..filter };
    let Reply::Audit(entries) = frontend.client.ask(&Request::Audit(filter)).await.unwrap() else {
        panic!("audit records were asked for");
    };
    entries.iter().rev().map(|entry| serde_json::from_str(&entry.body).unwrap()).collect()
}

/// Returns the codes of the records of a dispatch, oldest first.
pub(crate) async fn codes(frontend: &Frontend, job: JobId) -> Vec<&'static str> {
    let filter = AuditFilter { dispatch: Some(job), ..AuditFilter::default() };
    audit(frontend, filter).await.iter().map(|record| record.event.as_str()).collect()
}

/// Checks the whole audit trail.
pub(crate) async fn verify(frontend: &Frontend) -> VerifyReport {
    frontend.check(None, &mut |_, _| ()).await.unwrap()
}

/// Checks that the audit trail is whole, and returns how many records it has.
pub(crate) async fn whole_trail(frontend: &Frontend) -> u64 {
    let report = verify(frontend).await;
    assert_eq!((&report.faults, &report.notes), (&Vec::new(), &Vec::new()));
    assert_eq!(report.records, report.head.seq, "numbers are missing");
    // It is read first: what is recorded in between may be ahead of it.
    assert!(report.outside.is_some_and(|outside| outside.seq > 0), "the head file tells nothing: {report:?}");
    report.records
}

/// Waits for the end of a child, which must come in time, and returns its exit code.
pub(crate) async fn exit_of(child: &mut Child) -> Option<i32> {
    let status = until("a child ends", async || child.try_wait().unwrap()).await;
    status.code()
}
