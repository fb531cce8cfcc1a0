//! Processes that are killed, stores that are damaged: what was acknowledged is there once, what is lost is told.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::dispatch::Frontend;
use agent_dispatch::job::State;
use agent_dispatch::model::request::RawRequest;
use agent_dispatch::model::{Digest, FailureClass, JobId, Timestamp};
use agent_dispatch::store::{Database, Durability, Reader};
use futures_util::future::join_all;
use rustix::process::Signal;

use crate::scene::{
    Other, Part, Process, Scene, audit, codes, dispatch, end_of, event, holds, on_runtime, start, status,
    until, verify, whole_trail,
};

/// Kills of each kind.
const KILLS: u32 = 100;

/// Numbers that look random, the same for the same seed.
struct Random(u64);

impl Random {
    /// Returns a new source, and says on standard output how to get it again.
    fn announced() -> Self {
        let now = Digest::of(format!("{:?}{}", Timestamp::now(), std::process::id()).as_bytes());
        let seed = u64::from_le_bytes(*now.as_bytes().first_chunk().unwrap()) | 1;
        // Through the standard library's capture, so that it is shown with a failure only.
        eprintln!("seed: {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    async fn pause(&mut self, at_most: Duration) {
        let micros = self.below(u64::try_from(at_most.as_micros()).unwrap());
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
}

/// Stops the daemon, and returns how often each id of [`event`] is in the store.
async fn recorded(scene: &Scene, frontend: &Frontend) -> BTreeMap<String, u32> {
    frontend.client.stop().await.unwrap();
    let opened = Database::open(&scene.environment().state.store(), Durability::SyncAfterCommit).unwrap();
    let reader = Reader::new(opened.database);
    let mut ids = BTreeMap::new();
    for seq in 1..=reader.head().unwrap().seq {
        let link = reader.link(seq).unwrap().unwrap();
        let record: agent_dispatch::audit::Record = serde_json::from_slice(&link.body).unwrap();
        if let Some(id) = record.details.get("id") {
            *ids.entry(id.clone()).or_insert(0) += 1;
        }
    }
    ids
}

/// Checks that each of these was recorded, and nothing twice.
fn check_recorded(ids: &BTreeMap<String, u32>, acknowledged: &[String]) {
    let twice: Vec<_> = ids.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "recorded more than once: {twice:?}");
    let lost: Vec<_> = acknowledged.iter().filter(|id| !ids.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged are lost: {lost:?}", lost.len(), acknowledged.len());
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may have ended by itself.
    let _gone = rustix::process::kill_process(pid, Signal::KILL);
}

#[test]
fn what_sixteen_processes_record_is_there_once_and_in_order() {
    const EACH: u32 = 500;
    let scene = Scene::new();
    on_runtime(async {
        let part = Part::Record { events: EACH };
        let others: Vec<_> = (0..16).map(|at| scene.other(&format!("report-{at}"), &part)).collect();
        let acknowledged = join_all(others.into_iter().map(Other::finish)).await.concat();
        let frontend = scene.frontend();
        assert_eq!(acknowledged.len(), 8000);
        assert_eq!(whole_trail(&frontend).await, 8000);
        let ids = recorded(&scene, &frontend).await;
        check_recorded(&ids, &acknowledged);
        assert_eq!(ids.len(), 8000);
    });
}

#[test]
fn a_daemon_killed_under_load_loses_nothing_that_it_acknowledged() {
    let scene = Scene::new();
    let mut random = Random::announced();
    on_runtime(async {
        let frontend = scene.frontend();
        let request = scene.request("worker", "count-starts @starts; wait @go; say outlived them all");
        let job = start(&frontend, &request).await;
        holds("it runs", || !scene.lines("starts").is_empty()).await;
        let part = Part::Record { events: u32::MAX };
        let others: Vec<_> = (0..3).map(|at| scene.other(&format!("report-{at}"), &part)).collect();
        let mut acknowledged_before = 0;
        for round in 0..KILLS {
            let daemon = until("there is a daemon", async || {
                let asked = frontend.client.ask(&agent_dispatch::daemon::protocol::Request::Status).await;
                asked.ok().and_then(|reply| match reply {
                    agent_dispatch::daemon::protocol::Reply::Status(status) => Some(status.pid),
                    _ => None,
                })
            });
            let daemon = daemon.await;
            random.pause(Duration::from_millis(40)).await;
            if round % 10 == 9 {
                // Kills that come so soon that nothing is ever done would prove nothing.
                let done = || others.iter().map(|other| other.reported().len()).sum::<usize>();
                holds("something is acknowledged", || done() > acknowledged_before).await;
                acknowledged_before = done();
            }
            kill(daemon);
        }
        let acknowledged: Vec<_> = others.iter().flat_map(Other::reported).collect();
        others.into_iter().for_each(Other::kill);
        scene.touch("go");
        let ended = end_of(&frontend, job).await;
        assert_eq!((ended.record.state, scene.lines("starts").len()), (State::Done, 1));
        assert_eq!(frontend.answer(job).await.unwrap().text, "outlived them all");
        assert_eq!(codes(&frontend, job).await, ["requested", "started", "finished"]);
        let records = whole_trail(&frontend).await;
        let ids = recorded(&scene, &frontend).await;
        check_recorded(&ids, &acknowledged);
        assert_eq!(records, 3 + ids.len() as u64, "nothing but these was recorded");
        assert!(acknowledged.len() >= 100, "only {} were acknowledged", acknowledged.len());
    });
}

#[test]
fn a_daemon_killed_while_it_starts_is_followed_by_one_that_knows_everything() {
    let scene = Scene::new();
    let mut random = Random::announced();
    on_runtime(async {
        let frontend = scene.frontend();
        let mut acknowledged = Vec::new();
        let mut time_to_start = Duration::from_millis(50);
        for round in 0..KILLS {
            let begun = Instant::now();
            let mut daemon = scene.program(&["daemon", "run"]).stderr(Stdio::null()).spawn().unwrap();
            if round % 5 == 0 {
                let id = JobId::generate();
                frontend.client.ask(&event(id)).await.unwrap();
                time_to_start = begun.elapsed();
                acknowledged.push(id.to_string());
                kill(status(&frontend).await.pid);
            } else {
                random.pause(time_to_start).await;
            }
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
        assert_eq!(whole_trail(&frontend).await, u64::from(KILLS) / 5);
        let ids = recorded(&scene, &frontend).await;
        check_recorded(&ids, &acknowledged);
        assert_eq!(ids.len(), acknowledged.len());
    });
}

/// A job that runs, its worker, and the file that its `claude` writes to.
async fn running(scene: &Scene, frontend: &Frontend, script: &str) -> (JobId, Process) {
    let job = start(frontend, &scene.request("worker", &format!("touch @runs; {script}"))).await;
    holds("it runs", || scene.file("runs").exists()).await;
    (job, scene.worker_of(job).unwrap())
}

fn stdout(scene: &Scene, job: JobId) -> std::path::PathBuf {
    scene.environment().state.runs().join(job.to_string()).join("stdout")
}

#[test]
fn a_worker_killed_before_the_result_leaves_an_interrupted_job_that_can_be_gone_on_with() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let (job, worker) = running(&scene, &frontend, "setsid-grandchild @child; say half; wait @go").await;
        holds("all of it runs", || scene.file("child").exists()).await;
        holds("it has said half", || fs::read_to_string(stdout(&scene, job)).unwrap().contains("half")).await;
        let begun = Instant::now();
        worker.kill();
        let ended = end_of(&frontend, job).await.record;
        assert!(scene.run_of(job).is_empty(), "{:#?}", scene.run_of(job));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let result = ended.result.unwrap();
        assert_eq!((ended.state, result.class), (State::Interrupted, Some(FailureClass::Interrupted)));
        assert_eq!(result.session.as_ref(), Some(&ended.session));
        assert!(result.hint.unwrap().contains(ended.session.as_str()));
        assert_eq!(codes(&frontend, job).await, ["requested", "started", "interrupted"]);
        holds("its folder is gone", || !stdout(&scene, job).exists()).await;

        let go_on = scene.raw_request(RawRequest {
            agent: "worker".to_owned(),
            task: "go on\nfake: say the rest".to_owned(),
            session_id: ended.session.to_string(),
            ..RawRequest::default()
        });
        let gone_on = dispatch(&frontend, &go_on).await.unwrap();
        assert_eq!((gone_on.answer.text.as_str(), gone_on.job.session), ("the rest", ended.session));
        whole_trail(&frontend).await;
    });
}

#[test]
fn a_worker_killed_in_the_middle_of_the_result_line_leaves_no_answer() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let (job, worker) = running(&scene, &frontend, "ignore-signals; hang").await;
        worker.signal(Signal::STOP);
        holds("the worker is stopped", || worker.is_stopped()).await;
        let half = br#"{"type":"result","subtype":"success","is_error":false,"result":"half"#;
        OpenOptions::new().append(true).open(stdout(&scene, job)).unwrap().write_all(half).unwrap();
        worker.kill();
        let ended = end_of(&frontend, job).await.record;
        assert_eq!(ended.state, State::Interrupted);
        assert!(scene.run_of(job).is_empty(), "{:#?}", scene.run_of(job));
        let record = audit(&frontend, AuditFilter::default()).await.pop().unwrap();
        assert!(!record.end.unwrap().success);
    });
}

#[test]
fn a_worker_killed_after_the_result_line_has_done_its_work() {
    for daemon_dies_too in [false, true] {
        let scene = Scene::new();
        on_runtime(async {
            let frontend = scene.frontend();
            let script = "count-starts @starts; wait @go; cost 0.25; say paid for; result; wait @never";
            let (job, worker) = running(&scene, &frontend, script).await;
            holds("it has begun", || !scene.lines("starts").is_empty()).await;
            worker.signal(Signal::STOP);
            holds("the worker is stopped", || worker.is_stopped()).await;
            scene.touch("go");
            let written = || fs::read_to_string(stdout(&scene, job)).unwrap();
            holds("the result is in the file", || written().contains(r#""type":"result""#)).await;
            holds("all of it", || written().ends_with('\n')).await;
            if daemon_dies_too {
                kill(status(&frontend).await.pid);
                holds("it is gone", || scene.daemons().is_empty()).await;
            }
            worker.kill();
            let ended = end_of(&frontend, job).await.record;
            assert_eq!(ended.state, State::Done, "{ended:?}");
            let result = ended.result.unwrap();
            assert_eq!((result.success, result.cost_usd), (true, Some(0.25)));
            assert_eq!(frontend.answer(job).await.unwrap().text, "paid for");
            assert_eq!(scene.lines("starts").len(), 1);
            holds("nothing of it is left", || scene.run_of(job).is_empty()).await;
            let record = audit(&frontend, AuditFilter::default()).await.pop().unwrap();
            let end = record.end.unwrap();
            assert_eq!((record.event.as_str(), end.success, end.recovered), ("finished", true, true));
            // And it answers the same question from then on.
            let again = dispatch(&frontend, &scene.request("worker", &format!("touch @runs; {script}")))
                .await
                .unwrap();
            assert_eq!((again.job.id, again.answer.text.as_str()), (job, "paid for"));
            whole_trail(&frontend).await;
        });
    }
}

#[test]
fn a_worker_killed_in_the_queue_has_started_nothing() {
    let scene = Scene::with("max_concurrency: 1", "");
    on_runtime(async {
        let frontend = scene.frontend();
        let (first, _) = running(&scene, &frontend, "wait @go").await;
        let queued = start(&frontend, &scene.request("worker", "count-starts @starts")).await;
        until("it is in the queue", async || (status(&frontend).await.queued == 1).then_some(())).await;
        scene.worker_of(queued).unwrap().kill();
        let ended = end_of(&frontend, queued).await.record;
        assert_eq!((ended.state, ended.started), (State::Interrupted, None));
        assert!(ended.result.unwrap().hint.unwrap().contains("dispatch it again"));
        assert_eq!(status(&frontend).await.queued, 0);
        scene.touch("go");
        end_of(&frontend, first).await;
        assert!(scene.lines("starts").is_empty());
    });
}

#[test]
fn a_worker_that_cannot_be_started_leaves_a_failed_job() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        status(&frontend).await;
        let mut environment = scene.environment();
        environment.program = scene.file("no-such-program");
        let request = scene.request("worker", "say nothing");
        let error = dispatch(&Frontend::new(environment), &request).await.unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
        let records = audit(&frontend, AuditFilter::default()).await;
        assert_eq!(
            records.iter().map(|record| record.event.as_str()).collect::<Vec<_>>(),
            ["requested", "finished"]
        );
        assert!(records[1].end.as_ref().unwrap().error.as_ref().unwrap().contains("worker"));
        assert_eq!(status(&frontend).await.jobs, 0);
        // It is not kept, and nobody joins it.
        assert_eq!(dispatch(&frontend, &request).await.unwrap().answer.text, "nothing");
    });
}

/// What is done to a store that nobody has open.
type Damage = fn(&Path);

fn garble(db: &Path, from: u64, to: u64) {
    let file = OpenOptions::new().write(true).open(db).unwrap();
    let length = file.metadata().unwrap().len();
    let (from, to) = (length * from / 100, length * to / 100);
    let noise: Vec<u8> = (from..to).map(|at| Digest::of(&at.to_le_bytes()).as_bytes()[0]).collect();
    file.write_all_at(&noise, from).unwrap();
}

fn truncate(db: &Path, percent: u64) {
    let file = OpenOptions::new().write(true).open(db).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length * percent / 100).unwrap();
}

/// Copies a state directory whose daemon is gone.
fn copy_state(from: &Scene, to: &Scene) {
    let (from, to) = (from.environment().state, to.environment().state);
    copy_folder(&from.root, &to.root);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else if path.is_file() {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn damage_to_the_store_is_never_passed_over_in_silence() {
    const EVENTS: u64 = 300;
    let intact = Scene::new();
    let (records, job, text) = on_runtime(async {
        let frontend = intact.frontend();
        let ended = dispatch(&frontend, &intact.request("worker", "flood 200_000")).await.unwrap();
        let ids: Vec<_> = (0..EVENTS).map(|_| JobId::generate()).collect();
        for id in &ids {
            frontend.client.ask(&event(*id)).await.unwrap();
        }
        let records = whole_trail(&frontend).await;
        frontend.client.stop().await.unwrap();
        (records, ended.job.id, ended.answer.text)
    });
    let damages: [(&str, Damage); 9] = [
        ("untouched", |_| {}),
        ("all garbled", |db| garble(db, 0, 100)),
        ("the beginning garbled", |db| garble(db, 0, 10)),
        ("a piece in the middle garbled", |db| garble(db, 45, 50)),
        ("the end garbled", |db| garble(db, 80, 100)),
        ("cut in half", |db| truncate(db, 50)),
        ("a little cut off", |db| truncate(db, 95)),
        ("emptied", |db| truncate(db, 0)),
        ("deleted", |db| fs::remove_dir_all(db.parent().unwrap()).unwrap()),
    ];
    for (what, damage) in damages {
        let scene = Scene::new();
        copy_state(&intact, &scene);
        damage(&scene.environment().state.store().join("db"));
        on_runtime(async {
            let frontend = scene.frontend();
            let told = match frontend.check(None, &mut |_, _| ()).await {
                Ok(report) => !report.faults.is_empty() || !report.notes.is_empty(),
                Err(error) => {
                    let error = agent_dispatch::model::with_causes(&error);
                    assert!(error.contains("store"), "{what}: {error}");
                    true
                }
            };
            if told {
                assert_ne!(what, "untouched");
            } else {
                // Damage that hits nothing in use needs no word: then nothing is missing.
                assert_eq!(whole_trail(&frontend).await, records, "{what}");
                assert!(frontend.answer(job).await.unwrap().text == text, "{what}: another answer");
            }
            if ["all garbled", "emptied", "deleted"].contains(&what) {
                assert!(told, "{what}: nothing was said");
            }
            // Whatever was lost, work goes on.
            let ended = dispatch(&frontend, &scene.request("worker", "say after it")).await.unwrap();
            assert_eq!(ended.answer.text, "after it", "{what}");
            if told {
                let report = verify(&frontend).await;
                assert!(!report.notes.is_empty(), "{what}: forgotten: {report:?}");
                assert!(report.head.seq > records, "{what}: a number was given twice: {report:?}");
            }
        });
    }
}

#[test]
fn a_deleted_head_file_is_told_by_every_check_from_then_on() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        frontend.client.ask(&event(JobId::generate())).await.unwrap();
        frontend.client.stop().await.unwrap();
        fs::remove_file(scene.environment().state.heads()).unwrap();
        for _ in 0..2 {
            frontend.client.ask(&event(JobId::generate())).await.unwrap();
            let report = verify(&frontend).await;
            assert!(report.faults.is_empty(), "{report:?}");
            assert!(report.notes.iter().any(|note| note.contains("head file")), "{report:?}");
        }
    });
}
