//! The daemon as a process: one at a time, found again after every way of dying, polite to newer and broken clients,
//! gone when nobody needs it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as StaleListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use agent_dispatch::config::paths::Environment;
use agent_dispatch::daemon::handshake::{self, HELLO_BYTES, Intent, WELCOME_BYTES};
use agent_dispatch::daemon::protocol::{Order, Reply, Report, Request, WorkerHello};
use agent_dispatch::daemon::wire::{Connection, FRAME_BYTES_MAX, WireError};
use agent_dispatch::daemon::{Client, ClientError};
use agent_dispatch::dispatch::Frontend;
use agent_dispatch::model::{Answer, JobId, RunResult, with_causes};
use agent_dispatch::runner::identify;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::scene::{
    Part, Scene, codes, dispatch, end_of, exit_of, holds, on_runtime, start, status, until, whole_trail,
};

/// Returns a connection to the daemon's socket that has said nothing yet.
async fn knock(scene: &Scene) -> UnixStream {
    UnixStream::connect(scene.environment().state.socket).await.unwrap()
}

/// Returns a connection that has said hello.
async fn greeted(scene: &Scene) -> UnixStream {
    let mut stream = knock(scene).await;
    stream.write_all(&handshake::hello(Intent::Talk, 1)).await.unwrap();
    let mut welcome = [0; WELCOME_BYTES];
    stream.read_exact(&mut welcome).await.unwrap();
    assert_ne!(handshake::parse_welcome(welcome).unwrap().chosen, 0);
    stream
}

/// Returns the bytes of a hello that speaks these versions.
fn hello_of(oldest: u16, newest: u16, intent: Intent) -> [u8; HELLO_BYTES] {
    let mut hello = handshake::hello(intent, 1);
    hello[4..6].copy_from_slice(&oldest.to_le_bytes());
    hello[6..8].copy_from_slice(&newest.to_le_bytes());
    hello
}

#[test]
fn front_ends_that_start_at_once_find_one_daemon() {
    for starters in [2, 16] {
        let scene = Scene::new();
        let part = Part::Ask { at: scene.file("go") };
        let others: Vec<_> = (0..starters).map(|at| scene.other(&format!("report-{at}"), &part)).collect();
        on_runtime(async {
            holds("all are there", || others.iter().all(|other| !other.reported().is_empty())).await;
            scene.touch("go");
            let said = join_all(others.into_iter().map(crate::scene::Other::finish)).await;
            let daemon = status(&scene.frontend()).await.pid.to_string();
            let expected = vec![vec!["here".to_owned(), daemon]; starters];
            assert_eq!(said, expected);
            assert_eq!(scene.daemons().len(), 1);
            assert_eq!(scene.log("started").len(), 1, "{:#?}", scene.log(""));
        });
    }
}

#[test]
fn a_socket_that_nobody_listens_on_is_taken_over() {
    let scene = Scene::new();
    on_runtime(async {
        let socket = scene.environment().state.socket;
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        fs::set_permissions(socket.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
        drop(StaleListener::bind(&socket).unwrap());
        assert!(socket.exists());
        let first = status(&scene.frontend()).await.pid;

        for daemon in scene.daemons() {
            daemon.kill();
        }
        holds("it is gone", || scene.daemons().is_empty()).await;
        assert!(socket.exists(), "a killed daemon leaves its socket behind");
        assert_ne!(status(&scene.frontend()).await.pid, first);
    });
}

#[test]
fn a_state_directory_that_others_may_enter_is_refused_with_the_remedy() {
    let scene = Scene::new();
    let state = scene.environment().state.root;
    fs::create_dir_all(&state).unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o755)).unwrap();
    let remedy = format!("chmod 700 '{}'", state.display());
    on_runtime(async {
        let refused = scene.frontend().client.ask(&Request::Status).await.unwrap_err();
        let refused = with_causes(&refused);
        assert!(refused.contains(&remedy) && refused.contains("755"), "{refused}");
        assert_eq!(scene.daemons().len(), 0);
    });
    let output = scene.program(&["daemon", "run"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.contains(&remedy)), (Some(5), true), "{told}");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "it was used nevertheless");

    fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
    on_runtime(async { assert_eq!(status(&scene.frontend()).await.audit_seq, 0) });
}

#[test]
fn a_second_daemon_is_refused_and_the_first_one_does_not_notice() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let first = status(&frontend).await.pid;
        let output = scene.program(&["daemon", "run"]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{told}");
        assert!(told.contains("another daemon is running"), "{told}");
        assert_eq!(status(&scene.frontend()).await.pid, first);
    });
}

#[test]
fn a_daemon_that_nobody_needs_ends_and_says_why() {
    let scene = Scene::new();
    let log = scene.file("log");
    let mut daemon = scene.program(&["daemon", "run", "--idle-seconds", "1"]);
    let mut daemon = daemon.stderr(File::create(&log).unwrap()).stdout(Stdio::null()).spawn().unwrap();
    on_runtime(async {
        let socket = scene.environment().state.socket;
        holds("it listens", || scene.lines("log").iter().any(|line| line.contains("started"))).await;
        // A connection is a need: what it costs the daemon to stay shows only in the time after it.
        let connection = greeted(&scene).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert!(daemon.try_wait().unwrap().is_none(), "it left its client");
        drop(connection);
        let left = Instant::now();
        assert_eq!(exit_of(&mut daemon).await, Some(0));
        assert!(left.elapsed() >= Duration::from_millis(990), "{:?}", left.elapsed());
        assert!(!socket.exists());
    });
    let lines = scene.lines("log");
    let pid = format!("pid={}", daemon.id());
    assert!(lines.iter().any(|line| line.contains("started") && line.contains(&pid)), "{lines:#?}");
    let last = lines.last().unwrap();
    assert!(last.contains("stopped") && last.contains("nobody needed it for 1 s"), "{lines:#?}");
}

#[test]
fn versions_that_do_not_meet_are_told_and_the_connection_ends() {
    let scene = Scene::new();
    on_runtime(async {
        let daemon = status(&scene.frontend()).await.pid;
        let mut stream = knock(&scene).await;
        stream.write_all(&hello_of(90, 99, Intent::Talk)).await.unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
        let welcome = handshake::parse_welcome(said.as_slice().try_into().unwrap()).unwrap();
        let expected = handshake::Welcome { chosen: 0, versions: handshake::VERSIONS, pid: daemon };
        assert_eq!(welcome, expected);
    });
}

#[test]
fn a_front_end_that_meets_a_newer_daemon_names_it_and_starts_no_other() {
    let scene = Scene::new();
    on_runtime(async {
        let socket = scene.environment().state.socket;
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let newer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; HELLO_BYTES];
            stream.read_exact(&mut hello).await.unwrap();
            let mut welcome = handshake::welcome((0, 0), 4242).0;
            welcome[6..8].copy_from_slice(&90_u16.to_le_bytes());
            welcome[8..10].copy_from_slice(&99_u16.to_le_bytes());
            stream.write_all(&welcome).await.unwrap();
        };
        let frontend = scene.frontend();
        let (asked, ()) = tokio::join!(frontend.client.ask(&Request::Status), newer);
        let theirs = (90, 99);
        assert!(
            matches!(asked, Err(ClientError::Version { pid: 4242, theirs: found, ours: handshake::VERSIONS }) if found == theirs),
            "{asked:?}"
        );
        assert_eq!(scene.daemons().len(), 0);
    });
}

#[test]
fn a_daemon_that_is_asked_to_stop_is_gone_when_the_asker_is_told_and_work_goes_on() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let request = scene.request("worker", "count-starts @starts; wait @go; say survived");
        let asking = dispatch(&frontend, &request);
        let replacing = async {
            holds("it runs", || !scene.lines("starts").is_empty()).await;
            let client = Client::new(&scene.environment());
            let first = status(&scene.frontend()).await.pid;
            assert!(client.stop().await.unwrap(), "there was one");
            assert_eq!(scene.log("stopped").len(), 1, "its store is not closed yet");
            let second = status(&scene.frontend()).await.pid;
            assert_ne!(first, second);
            scene.touch("go");
        };
        let (ended, ()) = tokio::join!(asking, replacing);
        let ended = ended.unwrap();
        assert_eq!(ended.answer.text, "survived");
        assert_eq!(scene.lines("starts").len(), 1);
        assert_eq!(codes(&frontend, ended.job.id).await, ["requested", "started", "finished"]);
        whole_trail(&frontend).await;
    });
}

#[test]
fn stopping_is_understood_in_every_version_and_needs_no_daemon() {
    let scene = Scene::new();
    on_runtime(async {
        let client = Client::new(&scene.environment());
        assert!(!client.stop().await.unwrap(), "there was none");
        assert_eq!(scene.daemons().len(), 0, "one was started to be stopped");

        status(&scene.frontend()).await;
        let mut stream = knock(&scene).await;
        stream.write_all(&hello_of(90, 99, Intent::Stop)).await.unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
        assert_eq!(said.len(), WELCOME_BYTES);
        holds("it is gone", || scene.daemons().is_empty()).await;
        assert!(scene.log("stopped")[0].contains("asked to stop"));
    });
}

#[test]
fn front_ends_that_come_while_a_daemon_goes_are_served_by_the_next_one() {
    let scene = Scene::new();
    on_runtime(async {
        // A run that has just started is the most that a daemon has to finish when it goes.
        let frontend = scene.frontend();
        let job = start(&frontend, &scene.request("worker", "touch @runs; wait @go")).await;
        holds("it runs", || scene.file("runs").exists()).await;
        let first = status(&frontend).await.pid;
        let client = Client::new(&scene.environment());
        let comers: Vec<_> = (0..8).map(|_| scene.frontend()).collect();
        let stopping = client.stop();
        let coming = async {
            holds("the socket is gone", || !scene.environment().state.socket.exists()).await;
            join_all(comers.iter().map(status)).await
        };
        let (stopped, found) = tokio::join!(stopping, coming);
        assert!(stopped.unwrap());
        assert!(found.iter().all(|status| status.pid == found[0].pid && status.pid != first), "{found:?}");
        scene.touch("go");
        assert!(end_of(&frontend, job).await.record.result.unwrap().success);
    });
}

#[test]
fn a_front_end_waits_for_a_daemon_that_takes_its_time_to_go() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        status(&frontend).await;
        assert!(frontend.client.stop().await.unwrap());
        // Another process that still holds the lock, and does not listen any more.
        let lock = File::open(scene.environment().state.daemon_lock()).unwrap();
        lock.lock().unwrap();
        let going = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            drop(lock);
        };
        let (status, ()) = tokio::join!(status(&frontend), going);
        assert_eq!(scene.daemons().len(), 1);
        assert_eq!(scene.log("started").len(), 2, "{} had predecessors: {:#?}", status.pid, scene.log(""));
    });
}

#[test]
fn a_message_over_the_limit_ends_its_connection_and_no_other() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let before = status(&frontend).await;
        let mut stream = greeted(&scene).await;
        let length = u32::try_from(FRAME_BYTES_MAX + 1).unwrap();
        stream.write_all(&length.to_le_bytes()).await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "it was not closed");
        assert_eq!(status(&frontend).await.pid, before.pid);
    });
}

#[test]
fn bytes_that_mean_nothing_disturb_nobody() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let before = status(&frontend).await;
        // In place of a hello: closed without a word.
        let mut stream = knock(&scene).await;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut said = Vec::new();
        // A close with unread bytes is a reset to the other side.
        let _reset = stream.read_to_end(&mut said).await;
        assert!(said.is_empty(), "{said:?}");
        // In place of a request: told, and the connection can be used on.
        let mut connection = Connection::new(greeted(&scene).await);
        let garbage = [0xFF_u8; 32];
        let told: Result<Reply, WireError> = connection.ask(&garbage).await;
        assert!(matches!(told, Ok(Reply::Fault(_))), "{told:?}");
        let told: Reply = connection.ask(&Request::Status).await.unwrap();
        assert!(matches!(told, Reply::Status(_)), "{told:?}");
        assert_eq!(status(&frontend).await.pid, before.pid);
    });
}

#[test]
fn clients_that_stop_in_the_middle_of_a_message_hold_up_nobody() {
    let scene = Scene::new();
    on_runtime(async {
        status(&scene.frontend()).await;
        let silent = knock(&scene).await;
        let mut half_hello = knock(&scene).await;
        half_hello.write_all(b"AD").await.unwrap();
        let mut half_frame = greeted(&scene).await;
        half_frame.write_all(&1000_u32.to_le_bytes()).await.unwrap();
        half_frame.write_all(&[0; 10]).await.unwrap();

        let frontend = scene.frontend();
        let begun = Instant::now();
        let ended = dispatch(&frontend, &scene.request("worker", "say in time")).await.unwrap();
        assert_eq!(ended.answer.text, "in time");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        // Who says nothing is not waited for for ever.
        let closed = until("the silent ones are closed", async || {
            (status(&frontend).await.connections == 2).then_some((&silent, &half_hello, &half_frame))
        });
        closed.await;
    });
}

#[test]
fn a_dispatch_survives_the_death_of_the_daemon() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let request = scene.request("worker", "count-starts @starts; say half; wait @go; say whole");
        let asking = dispatch(&frontend, &request);
        let killing = async {
            holds("it runs", || !scene.lines("starts").is_empty()).await;
            let daemons = scene.daemons();
            assert_eq!(daemons.len(), 1);
            daemons[0].kill();
            holds("it is gone", || scene.daemons().iter().all(|it| it.pid != daemons[0].pid)).await;
            scene.touch("go");
        };
        let (ended, ()) = tokio::join!(asking, killing);
        let ended = ended.unwrap();
        assert_eq!(ended.answer.text, "whole");
        assert_eq!(scene.lines("starts").len(), 1);
        assert_eq!(codes(&frontend, ended.job.id).await, ["requested", "started", "finished"]);
        assert_eq!(whole_trail(&frontend).await, 3);
        holds("its worker is gone", || scene.worker_of(ended.job.id).is_none()).await;
    });
}

#[test]
fn connections_kept_open_to_a_daemon_that_died_do_no_harm() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let asked = join_all((0..12).map(|_| status(&frontend))).await;
        assert!(asked.iter().any(|status| status.connections >= 8), "they were to be asked at once");
        scene.daemons()[0].kill();
        // Without giving the runtime a chance to notice.
        while !scene.daemons().is_empty() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        assert_ne!(status(&frontend).await.pid, asked[0].pid);
    });
}

/// Says hello as the worker of a job, as a worker does that runs already or not.
pub(crate) async fn as_worker(frontend: &Frontend, job: JobId, running: bool) -> Connection {
    let mut connection = frontend.client.connection().await.unwrap();
    let process = identify(std::process::id()).unwrap();
    connection.send(&Request::Worker(WorkerHello { job, process, running })).await.unwrap();
    connection
}

/// Returns a front end whose jobs wait for a worker: the test, since the program that is started in its place does nothing.
pub(crate) fn without_workers(scene: &Scene) -> Frontend {
    Frontend::new(Environment { program: "/bin/true".into(), ..scene.environment() })
}

/// Returns the next order that a worker gets.
pub(crate) async fn order(connection: &mut Connection) -> Order {
    match connection.receive::<Reply>().await.unwrap() {
        Some(Reply::Order(order)) => order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_that_did_not_hear_its_order_is_told_again_by_whichever_daemon_there_is() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        status(&frontend).await;
        let job = start(&without_workers(&scene), &scene.request("worker", "say nothing")).await;
        for daemon_dies in [false, true] {
            assert_eq!(order(&mut as_worker(&frontend, job, false).await).await, Order::Run);
            if daemon_dies {
                scene.daemons()[0].kill();
                holds("it is gone", || scene.daemons().is_empty()).await;
            }
        }
        let mut worker = as_worker(&frontend, job, true).await;
        let answer = Answer { text: "heard".to_owned(), parsed: None };
        worker.send(&Report::Ended(Box::new((RunResult::succeeded(1), answer).into()))).await.unwrap();
        assert_eq!(order(&mut worker).await, Order::Recorded, "it was told to run although it ran");
        drop(worker);
        // The receipt was lost, so it reports again: it is told the same.
        assert_eq!(order(&mut as_worker(&frontend, job, true).await).await, Order::Dismissed);
        assert_eq!(codes(&frontend, job).await, ["requested", "started", "finished"]);
        assert_eq!(frontend.answer(job).await.unwrap().text, "heard");
    });
}
