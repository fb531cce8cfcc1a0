//! A raw MCP client over pipes, and a home of its own for the server that it starts: nothing between a test and the
//! bytes. Dropping the home ends every process that was started in it.

#![expect(clippy::disallowed_methods, reason = "tests start the program in an environment of their choice")]
#![expect(clippy::panic, reason = "a check that fails says all it knows")]
#![expect(clippy::indexing_slicing, reason = "a key that is not there is null, and the check says so")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use agent_dispatch::daemon::handshake::{Intent, hello};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::real::until;

/// How long anything may take that normally takes a moment: a busy machine is no failure.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Messages of a server that nobody has looked at yet: more than any test lets pile up.
const MESSAGES: usize = 100_000;

/// Every process of a dispatch carries its job's id under this name.
const RUN_ID: &str = "AGENT_DISPATCH_RUN_ID";

/// A home with agents, a state directory and a runtime directory.
pub(crate) struct Home {
    scratch: TempDir,
}

/// A server and the pipes to it.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Result<Value, String>>,
    answers: BTreeMap<i64, Value>,
    /// What came that answers no request.
    pub(crate) notifications: Vec<Value>,
    next: i64,
}

impl Home {
    /// Makes a home in which the agents `worker` and `other` are played by the scripted `claude`.
    pub(crate) fn new() -> Self {
        Self::with_settings("")
    }

    /// Makes a home with further lines of settings.
    pub(crate) fn with_settings(settings: &str) -> Self {
        // The name of a socket is at most 107 bytes long.
        let scratch =
            tempfile::Builder::new().prefix("ad-").tempdir_in("/tmp").expect("a folder can be made");
        let home = Self { scratch };
        for folder in [home.path("worker"), home.path("other"), home.path("run")] {
            fs::create_dir_all(folder).expect("a folder can be made");
        }
        home.configure(&home.usual_configuration(settings));
        home
    }

    /// Returns the configuration of a new home.
    pub(crate) fn usual_configuration(&self, settings: &str) -> String {
        let mut text = String::from("agents:\n");
        for name in ["worker", "other"] {
            let directory = self.path(name);
            writeln!(
                text,
                "  {name}:\n    directory: {}\n    description: plays a script",
                directory.display()
            )
            .expect("a text takes more text");
        }
        let claude = env!("CARGO_BIN_EXE_fake-claude");
        text + "settings:\n  claude_path: " + claude + "\n" + settings
    }

    /// Replaces the configuration.
    pub(crate) fn configure(&self, text: &str) {
        let file = self.configuration();
        fs::create_dir_all(file.parent().expect("it has a folder")).expect("a folder can be made");
        fs::write(file, text).expect("a file can be written");
    }

    /// Returns the configuration file.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.path(".config/agent-dispatch/agents.yaml")
    }

    /// Returns the home itself.
    pub(crate) fn root(&self) -> &Path {
        self.scratch.path()
    }

    /// Returns a path in the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Returns a path in the home, for a script.
    pub(crate) fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().expect("its name is text").to_owned()
    }

    /// Starts a server.
    pub(crate) fn serve(&self) -> Client {
        self.serve_with(&[])
    }

    /// Starts a server with further variables in its environment.
    pub(crate) fn serve_with(&self, variables: &[(&str, &str)]) -> Client {
        self.spawn(variables, MESSAGES)
    }

    /// Starts a server for a client that reads nothing but what it waits for, and says hello.
    pub(crate) fn deaf_client(&self) -> Client {
        let mut client = self.spawn(&[], 0);
        client.initialize("2025-11-25");
        client
    }

    /// Starts a server of whose messages at most `unheard` are read before they are looked at.
    fn spawn(&self, variables: &[(&str, &str)], unheard: usize) -> Client {
        let log = File::options().create(true).append(true).open(self.path("stderr"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_agent-dispatch"))
            .arg("serve")
            .current_dir(self.scratch.path())
            .env_clear()
            .env("HOME", self.scratch.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.expect("a file can be made"))
            .spawn()
            .expect("the server starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("it is a pipe");
        let (sender, messages) = sync_channel(unheard);
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n') {
                let Ok(line) = line else { return };
                let message = serde_json::from_slice(&line)
                    .map_err(|error| format!("{error}: {:.200}", String::from_utf8_lossy(&line)));
                // The test may be over.
                let Ok(()) = sender.send(message) else { return };
            }
        });
        Client { child, stdin, messages, answers: BTreeMap::new(), notifications: Vec::new(), next: 1 }
    }

    /// Starts a server and says hello in the way of 2025.
    pub(crate) fn client(&self) -> Client {
        let mut client = self.serve();
        client.initialize("2025-11-25");
        client
    }

    /// Returns what the servers wrote to their standard error.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    /// Returns the ids of the jobs whose `claude` runs, each once.
    pub(crate) fn run_ids(&self) -> Vec<String> {
        let runs = self.processes().into_iter().filter_map(|(_, environment)| variable(&environment, RUN_ID));
        runs.collect::<BTreeSet<String>>().into_iter().collect()
    }

    /// Returns the ids of the jobs that have a run folder.
    pub(crate) fn folders(&self) -> Vec<String> {
        let folders =
            fs::read_dir(self.path(".local/state/agent-dispatch/runs")).into_iter().flatten().flatten();
        folders.filter_map(|folder| folder.file_name().into_string().ok()).collect()
    }

    /// Makes a file, for a script that waits for it.
    pub(crate) fn make(&self, name: &str) {
        File::create(self.path(name)).expect("a file can be made");
    }

    /// Returns once no process of this job is left.
    #[track_caller]
    pub(crate) fn until_gone(&self, job: &str) {
        let gone = until(SOON, || (!self.run_ids().iter().any(|run| run == job)).then_some(()));
        assert!(gone.is_some(), "a process of {job} is left");
    }

    /// Returns once the file exists.
    #[track_caller]
    pub(crate) fn until_there(&self, name: &str) {
        let there = until(SOON, || self.path(name).exists().then_some(()));
        assert!(there.is_some(), "{name} was not made; stderr: {}", self.stderr());
    }

    /// Asks the daemon to go, and waits until it is gone.
    pub(crate) fn stop_daemon(&self) {
        let folder = self.path("run/agent-dispatch");
        let sockets = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for socket in sockets {
            let stopped = UnixStream::connect(socket).and_then(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                stream.write_all(&hello(Intent::Stop, std::process::id()))?;
                io::copy(&mut stream, &mut io::sink())
            });
            // One that is gone already is what is wanted.
            drop(stopped);
        }
    }

    /// Returns the processes that were started in this home, and their environments.
    fn processes(&self) -> Vec<(Pid, Vec<u8>)> {
        let home = self.scratch.path().to_str().expect("its name is text");
        let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
        let processes = processes.filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            // Gone between the two looks, or a zombie: then there is nothing to read.
            Some((pid, fs::read(entry.path().join("environ")).ok()?))
        });
        processes.filter(|(_, environment)| variable(environment, "HOME").as_deref() == Some(home)).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.stop_daemon();
        // Processes of this home can start others until the last one is gone.
        let gone = until(Duration::from_secs(10), || {
            let left = self.processes();
            for (pid, _) in &left {
                let _gone = kill_process(*pid, Signal::KILL);
            }
            left.is_empty().then_some(())
        });
        if thread::panicking() {
            let log =
                fs::read_to_string(self.path(".local/state/agent-dispatch/daemon.log")).unwrap_or_default();
            // Past nothing: the harness shows it with the failure.
            let _shown = writeln!(io::stderr(), "stderr of the servers:\n{}\nlog:\n{log}", self.stderr());
        } else {
            assert!(gone.is_some(), "processes are left in {}", self.scratch.path().display());
        }
    }
}

/// Returns the value of a variable in an environment as the kernel shows it.
fn variable(environment: &[u8], name: &str) -> Option<String> {
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

impl Client {
    /// Sends a line as it is.
    pub(crate) fn send_line(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(&[line, b"\n"].concat()).and_then(|()| stdin.flush()).expect("the server reads");
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &Value) {
        self.send_line(message.to_string().as_bytes());
    }

    /// Sends a request and returns its id.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> i64 {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Sends a call of a tool and returns its id.
    pub(crate) fn start(&mut self, tool: &str, arguments: &Value) -> i64 {
        self.request("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Sends a notification.
    pub(crate) fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Takes a request back.
    pub(crate) fn take_back(&mut self, id: i64) {
        self.notify("notifications/cancelled", &json!({"requestId": id, "reason": "the test says so"}));
    }

    /// Returns the whole answer to a request.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: i64) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(self.hear(left), "request {id} is not answered; heard: {:#?}", self.notifications);
        }
    }

    /// Returns the result of a request that must have one.
    #[track_caller]
    pub(crate) fn result(&mut self, id: i64) -> Value {
        let mut answer = self.answer(id);
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].take()
    }

    /// Takes in what comes next, for at most this long. Returns whether something came.
    #[track_caller]
    pub(crate) fn hear(&mut self, limit: Duration) -> bool {
        let message = match self.messages.recv_timeout(limit) {
            Ok(message) => {
                message.unwrap_or_else(|error| panic!("not a message on standard output: {error}"))
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
        };
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        match message["id"].as_i64() {
            Some(id) if message["method"].is_null() => {
                let before = self.answers.insert(id, message);
                assert!(before.is_none(), "request {id} is answered twice");
            }
            _ => self.notifications.push(message),
        }
        true
    }

    /// Returns whether the request has been answered, as far as heard.
    pub(crate) fn is_answered(&self, id: i64) -> bool {
        self.answers.contains_key(&id)
    }

    /// Says hello in the way of 2025 and returns the server's hello.
    #[track_caller]
    pub(crate) fn initialize(&mut self, version: &str) -> Value {
        let client = json!({"name": "raw", "version": "1.0"});
        let id = self.request(
            "initialize",
            &json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client}),
        );
        let result = self.result(id);
        self.notify("notifications/initialized", &json!({}));
        result
    }

    /// Calls a tool that must succeed, and returns its document.
    #[track_caller]
    pub(crate) fn document(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.start(tool, arguments);
        self.finished(id)
    }

    /// Returns the document of a call that must succeed.
    #[track_caller]
    pub(crate) fn finished(&mut self, id: i64) -> Value {
        let mut result = self.result(id);
        assert_ne!(result["isError"], true, "{result}");
        let text: Value = text_of(&result);
        assert_eq!(text, result["structuredContent"], "the text and the document differ");
        result["structuredContent"].take()
    }

    /// Calls a tool that must fail, and returns what it says.
    #[track_caller]
    pub(crate) fn failure(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.start(tool, arguments);
        self.failed(id)
    }

    /// Returns what a call says that must fail.
    #[track_caller]
    pub(crate) fn failed(&mut self, id: i64) -> Value {
        let result = self.result(id);
        assert_eq!(result["isError"], true, "{result}");
        text_of(&result)
    }

    /// Sends the server a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it is there");
    }

    /// Closes the server's standard input.
    pub(crate) fn close(&mut self) {
        drop(self.stdin.take());
    }

    /// Waits for the end of the server, and returns how it ended and after how long. All it still said is heard.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> (ExitStatus, Duration) {
        let ended = self.wait_deaf();
        while self.hear(SOON) {}
        ended
    }

    /// Waits for the end of the server without hearing anything.
    #[track_caller]
    pub(crate) fn wait_deaf(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let status = until(SOON, || self.child.try_wait().transpose());
        let took = began.elapsed();
        (status.expect("the server ends").expect("it can be waited for"), took)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the JSON in the text of a result.
#[track_caller]
pub(crate) fn text_of(result: &Value) -> Value {
    let text = result["content"][0]["text"].as_str().expect("there is a text");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:.500}"))
}

/// Returns all that a file says.
#[track_caller]
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
