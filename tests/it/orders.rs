//! What a worker does with the orders of a daemon (the daemon is the test), and what it tells.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use agent_dispatch::daemon::handshake::{self, HELLO_BYTES};
use agent_dispatch::daemon::protocol::{Order, Reply, Report, Request};
use agent_dispatch::daemon::wire::Connection;
use agent_dispatch::model::agent::ProfileInForce;
use agent_dispatch::model::{FailureClass, JobId, RunResult, SessionId, TraceParent};
use agent_dispatch::plan::{EnvironmentRule, Expects, RunPlan};
use agent_dispatch::runner::{RunFolder, launch};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::scene::{Scene, dispatch, exit_of, holds, on_runtime};

/// A worker whose daemon the test is.
struct Watched {
    listener: UnixListener,
    job: JobId,
    folder: RunFolder,
    worker: Child,
}

impl Watched {
    fn new(scene: &Scene, script: &str) -> Self {
        Self::playing(scene, script, env!("CARGO_BIN_EXE_fake-claude"))
    }

    fn playing(scene: &Scene, script: &str, program: &str) -> Self {
        let state = scene.environment().state;
        for folder in [&state.root, &state.runs(), state.socket.parent().unwrap()] {
            fs::create_dir_all(folder).unwrap();
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let listener = UnixListener::bind(&state.socket).unwrap();
        let (job, session) = (JobId::generate(), SessionId::generate());
        let options = ["-p", "--output-format", "stream-json", "--verbose", "--session-id"];
        let plan = RunPlan {
            job,
            agent: "worker".parse().unwrap(),
            program: program.into(),
            args: options.iter().map(|option| (*option).to_owned()).chain([session.to_string()]).collect(),
            directory: scene.file("project"),
            environment: EnvironmentRule::default(),
            session,
            resumed: false,
            timeout_ms: 60_000,
            stall_ms: 0,
            expects: Expects::Text,
            profile: ProfileInForce::default(),
            trace: TraceParent::of_run(None, job),
        };
        let folder = RunFolder::create(&state.runs(), job).unwrap();
        folder.write(&plan).unwrap();
        let prompt = launch::in_memory(&format!("play it\nfake: {}", scene.script(script))).unwrap();
        let mut worker = scene.program(&["worker", folder.path().to_str().unwrap()]);
        let worker = worker.stdin(prompt).stderr(Stdio::null()).spawn().unwrap();
        Self { listener, job, folder, worker }
    }

    /// Returns the next connection of the worker, and whether it says that it runs.
    async fn comes(&self) -> (Connection, bool) {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        stream.read_exact(&mut [0; HELLO_BYTES]).await.unwrap();
        stream.write_all(&handshake::welcome(handshake::VERSIONS, 1).0).await.unwrap();
        let mut connection = Connection::new(stream);
        match connection.receive::<Request>().await.unwrap() {
            Some(Request::Worker(hello)) => {
                assert_eq!(hello.job, self.job);
                (connection, hello.running)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Lets the worker run, and returns the connection over which it was told to.
    async fn runs(&self, scene: &Scene) -> Connection {
        let (mut connection, running) = self.comes().await;
        assert!(!running);
        order(&mut connection, Order::Run).await;
        holds("it runs", || scene.file("runs").exists()).await;
        connection
    }
}

async fn order(connection: &mut Connection, order: Order) {
    connection.send(&Reply::Order(order)).await.unwrap();
}

/// Returns what the worker reports at the end.
async fn end(connection: &mut Connection) -> RunResult {
    loop {
        match connection.receive::<Report>().await.unwrap() {
            Some(Report::Ended(findings)) => return findings.result,
            Some(_) => {}
            None => panic!("it left without a report"),
        }
    }
}

#[test]
fn a_worker_that_is_dismissed_stops_its_run() {
    let scene = Scene::new();
    on_runtime(async {
        let mut watched = Watched::new(&scene, "touch @runs; wait @go; say too late");
        let mut daemon = watched.runs(&scene).await;
        order(&mut daemon, Order::Dismissed).await;
        assert_eq!(end(&mut daemon).await.class, Some(FailureClass::Cancelled));
        order(&mut daemon, Order::Dismissed).await;
        assert_eq!(exit_of(&mut watched.worker).await, Some(0));
        assert!(scene.run_of(watched.job).is_empty(), "{:#?}", scene.run_of(watched.job));
        assert!(!watched.folder.path().exists());
    });
}

#[test]
fn a_worker_of_whose_job_nothing_is_known_runs_on_and_leaves_its_folder() {
    let scene = Scene::new();
    on_runtime(async {
        let mut watched = Watched::new(&scene, "touch @runs; wait @go; say paid for");
        let mut first = watched.runs(&scene).await;
        order(&mut first, Order::Unknown).await;
        drop(first);
        // It asks again, for there may be another store by then.
        let (mut daemon, running) = watched.comes().await;
        assert!(running);
        scene.touch("go");
        assert!(end(&mut daemon).await.success);
        order(&mut daemon, Order::Unknown).await;
        assert_eq!(exit_of(&mut watched.worker).await, Some(0));
        let stdout = fs::read_to_string(watched.folder.stdout()).unwrap();
        assert!(stdout.contains("paid for"), "{stdout}");
    });
}

#[test]
fn a_worker_of_whose_job_nothing_is_known_starts_nothing() {
    let scene = Scene::new();
    on_runtime(async {
        let mut watched = Watched::new(&scene, "touch @runs");
        let (mut daemon, _) = watched.comes().await;
        order(&mut daemon, Order::Unknown).await;
        assert_eq!(exit_of(&mut watched.worker).await, Some(0));
        assert_eq!((scene.file("runs").exists(), watched.folder.path().exists()), (false, false));
    });
}

#[test]
fn what_a_run_leaves_behind_is_killed_and_told_in_the_log() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let ended = dispatch(&frontend, &scene.request("worker", "setsid-grandchild @child; say done")).await;
        let job = ended.unwrap().job.id;
        let told = || scene.log("left processes behind").iter().any(|line| line.contains(&job.to_string()));
        holds("it is told", told).await;
        assert!(scene.run_of(job).is_empty(), "{:#?}", scene.run_of(job));
    });
}

#[test]
fn a_run_that_cannot_be_started_names_the_agent_to_look_at() {
    let scene = Scene::new();
    on_runtime(async {
        let mut watched = Watched::playing(&scene, "say nothing", "/no/such/claude");
        let (mut daemon, _) = watched.comes().await;
        order(&mut daemon, Order::Run).await;
        let result = end(&mut daemon).await;
        assert_eq!(result.class, Some(FailureClass::NotFound));
        assert!(result.hint.as_ref().unwrap().ends_with("agent-dispatch describe worker"), "{result:?}");
        order(&mut daemon, Order::Recorded).await;
        assert_eq!(exit_of(&mut watched.worker).await, Some(0));
    });
}
