//! The runner against real processes: the scripted stand-in for `claude` does what a run must survive.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use agent_dispatch::answer::Note;
use agent_dispatch::model::agent::ProfileInForce;
use agent_dispatch::model::{Exit, FailureClass, Findings, JobId, SessionId, TraceParent};
use agent_dispatch::plan::{EnvironmentRule, Expects, RunPlan};
use agent_dispatch::runner::{
    self, Afterlife, Leftovers, RunFolder, RunReport, SpawnError, identify, is_alive, launch,
};

mod launching;
mod leaving;
mod stopping;

const FAKE: &str = env!("CARGO_BIN_EXE_fake-claude");
/// Longest wait for anything: only reached when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// One run in a world of its own: a home, a directory to work in, a run folder.
struct World {
    root: tempfile::TempDir,
    plan: RunPlan,
    folder: RunFolder,
    prompt: String,
    environment: BTreeMap<OsString, OsString>,
    notes: Vec<Note>,
}

impl World {
    fn new(script: &str) -> Self {
        Self::asking(script, "do it")
    }

    fn asking(script: &str, prompt: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = fs::canonicalize(root.path()).unwrap().join("project");
        fs::create_dir_all(&directory).unwrap();
        let (job, session) = (JobId::generate(), SessionId::generate());
        let options = ["-p", "--output-format", "stream-json", "--verbose", "--session-id"];
        let plan = RunPlan {
            job,
            agent: "worker".parse().unwrap(),
            program: FAKE.into(),
            args: options.iter().map(|option| (*option).to_owned()).chain([session.to_string()]).collect(),
            directory,
            environment: EnvironmentRule::default(),
            session,
            resumed: false,
            timeout_ms: 20_000,
            stall_ms: 0,
            expects: Expects::Text,
            profile: ProfileInForce::default(),
            trace: TraceParent::of_run(None, job),
        };
        let folder = RunFolder::create(&root.path().join("runs"), job).unwrap();
        folder.write(&plan).unwrap();
        let prompt = prompt.to_owned();
        let script = script.replace('@', &format!("{}/", root.path().display()));
        let variables = [
            ("HOME", root.path().as_os_str().to_owned()),
            ("FAKE_CLAUDE_SCRIPT", script.into()),
            ("AGENT_DISPATCH_RUN_ID", job.to_string().into()),
        ];
        let environment = variables.map(|(name, value)| (name.into(), value)).into();
        Self { root, plan, folder, prompt, environment, notes: Vec::new() }
    }

    /// Returns the file that a script calls `@name`.
    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Runs to the report; cancelled by "the test" once the file `ready` appears.
    async fn run_cancelled_at(&mut self, ready: Option<&str>) -> Result<(RunReport, Afterlife), SpawnError> {
        let ready = ready.map(|name| self.file(name));
        let cancel = async {
            match ready {
                Some(file) => appears(&file).await,
                None => std::future::pending().await,
            }
            "the test".to_owned()
        };
        let notes = &mut self.notes;
        let prompt = launch::in_memory(&self.prompt).unwrap();
        let mut on_note = |note| notes.push(note);
        runner::run(&self.plan, &self.folder, prompt, &self.environment, &mut on_note, cancel).await
    }

    async fn run(&mut self) -> (RunReport, Afterlife) {
        self.run_cancelled_at(None).await.unwrap()
    }
}

/// Runs a test on a runtime like a worker's.
fn on_runtime<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// Runs a script to its end.
fn run_to_the_end(world: &mut World) -> (RunReport, Leftovers) {
    on_runtime(async {
        let (report, afterlife) = world.run().await;
        (report, afterlife.settle().await)
    })
}

/// Waits until `condition` holds.
async fn holds(what: &str, condition: impl Fn() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        looks.tick().await;
    }
}

async fn appears(file: &Path) {
    holds(&format!("{} appears", file.display()), || file.exists()).await;
}

/// Returns the process whose number a script wrote to `file`.
fn process_in(file: &Path) -> agent_dispatch::job::ProcessId {
    identify(fs::read_to_string(file).unwrap().parse().unwrap()).expect("it lives")
}

/// Returns what the fake calls a flood.
fn flood(bytes: usize) -> String {
    let blocks: Vec<String> =
        (0..bytes.div_ceil(64)).map(|count| format!("{count:08x}{}", "-".repeat(56))).collect();
    let mut text = blocks.concat();
    text.truncate(bytes);
    text
}

#[test]
fn a_plain_answer_is_reported_and_nothing_is_left() {
    let mut world = World::new("say hello");
    let (report, leftovers) = run_to_the_end(&mut world);
    assert!(report.result.success);
    assert_eq!(report.answer.text, "hello");
    assert_eq!(leftovers, Leftovers { exit: Some(Exit::Code(0)), swept: Vec::new() });
    assert_eq!(identify(report.pid), None);
    assert!(!Path::new(&format!("/proc/{}", report.pid)).exists(), "it was not reaped");
    assert_eq!(world.notes.first(), Some(&Note::Begun));
}

#[test]
fn a_run_has_exactly_what_its_plan_gives_it() {
    let mut world = World::asking("report @report", "the whole prompt\n");
    let (report, _) = run_to_the_end(&mut world);
    let told: serde_json::Value = serde_json::from_slice(&fs::read(world.file("report")).unwrap()).unwrap();
    let environment: BTreeMap<&str, &str> = world
        .environment
        .iter()
        .map(|(name, value)| (name.to_str().unwrap(), value.to_str().unwrap()))
        .collect();
    let expected = serde_json::json!({
        "argv": world.plan.args, "env": environment, "stdin": "the whole prompt\n", "cwd": world.plan.directory,
        "pid": report.pid,
    });
    assert_eq!(told, expected);
}

#[test]
fn three_megabytes_arrive_whole() {
    let mut world = World::new("flood 3_000_000");
    let (report, _) = run_to_the_end(&mut world);
    assert!(report.answer.text == flood(3_000_000), "{} bytes arrived", report.answer.text.len());
}

#[test]
fn a_prompt_of_300_kilobytes_arrives_whole() {
    let prompt = flood(300_000);
    let (report, _) = run_to_the_end(&mut World::asking("echo-stdin", &prompt));
    assert!(report.answer.text == prompt, "{} bytes arrived", report.answer.text.len());
}

#[test]
fn characters_cut_in_two_and_lines_of_garbage_do_no_harm() {
    let mut world = World::new("garbage; split-utf8; garbage");
    let (report, _) = run_to_the_end(&mut world);
    assert_eq!(report.answer.text, "Grüße: ✓ 👍");
    assert!(report.result.success);
}

#[test]
fn ten_thousand_lines_are_read() {
    let mut world = World::new("lines 10_000; say the end");
    let (report, _) = run_to_the_end(&mut world);
    assert_eq!(report.answer.text, "the end");
    assert_eq!(fs::read(world.folder.stdout()).unwrap().split(|byte| *byte == b'\n').count(), 10_004);
}

#[test]
fn what_is_written_is_told_at_once() {
    on_runtime(async {
        // Each line is written only when the one before it has been told. Were they found by looking once a second, the
        // deadline would come first.
        let rounds: Vec<String> =
            (1..=8).map(|round| format!("say {round}; tool Bash {round}; wait @{round}; ")).collect();
        let mut world = World::new(&format!("{} say the end", rounds.concat()));
        world.plan.timeout_ms = 6000;
        let mut round = 0;
        let mut on_note = |note: Note| {
            if matches!(note, Note::Progress(_)) {
                round += 1;
                File::create(world.file(&round.to_string())).unwrap();
            }
        };
        let cancel = std::future::pending();
        let prompt = launch::in_memory(&world.prompt).unwrap();
        let run = runner::run(&world.plan, &world.folder, prompt, &world.environment, &mut on_note, cancel);
        let (report, afterlife) = run.await.unwrap();
        afterlife.settle().await;
        assert_eq!(report.answer.text, "the end");
    });
}

#[test]
fn a_run_without_a_result_is_a_failure_with_its_exit_code() {
    let mut world = World::new("no-result; stderr-flood 200_000; stderr the reason; exit 3");
    let (report, leftovers) = run_to_the_end(&mut world);
    assert!(!report.result.success);
    assert_eq!(report.result.class, Some(FailureClass::CliError));
    assert_eq!(leftovers.exit, Some(Exit::Code(3)));
    assert!(report.result.error.unwrap().contains("the reason"));
}

#[test]
fn many_runs_at_once_keep_their_answers_apart() {
    on_runtime(async {
        let runs = (0..12).map(|number| async move {
            let mut world = World::new(&format!("lines 50; flood {}", 100_000 + number));
            let (report, afterlife) = world.run().await;
            afterlife.settle().await;
            report.answer.text.len()
        });
        let lengths = futures_util::future::join_all(runs).await;
        assert_eq!(lengths, (100_000..100_012).collect::<Vec<_>>());
    });
}

fn leftover(world: &World) -> Option<Findings> {
    runner::leftover(&world.folder, "worker", None).unwrap()
}

#[test]
fn a_finished_run_whose_worker_died_is_found_in_its_folder() {
    let mut world = World::new("say paid for");
    let (report, _) = run_to_the_end(&mut world);
    let Findings { result, answer, .. } = leftover(&world).unwrap();
    assert!(result.success);
    assert_eq!(answer, report.answer);
    // Its last line feed is not needed, and a plan that cannot be read is no reason to lose the answer.
    let stdout = fs::read_to_string(world.folder.stdout()).unwrap();
    fs::write(world.folder.stdout(), stdout.trim_end()).unwrap();
    fs::write(world.folder.plan(), "{}").unwrap();
    assert_eq!(leftover(&world).unwrap().answer, report.answer);

    let mut world = World::new("say not the end; no-result");
    run_to_the_end(&mut world);
    assert_eq!(leftover(&world), None);

    world.folder.clone().remove().unwrap();
    assert_eq!(leftover(&world), None);
}

#[test]
fn an_error_that_was_reported_is_told_from_one_that_a_signal_brought() {
    let mut world = World::new("auth-error");
    run_to_the_end(&mut world);
    assert_eq!(leftover(&world).unwrap().result.class, Some(FailureClass::Auth));
    let aborted = r#"{"type":"result","subtype":"error_during_execution","is_error":true}"#;
    fs::write(world.folder.stdout(), aborted).unwrap();
    assert_eq!(leftover(&world).unwrap().result.class, Some(FailureClass::Interrupted));
}

#[test]
fn what_cannot_be_read_is_not_taken_for_nothing() {
    let mut world = World::new("say paid for");
    run_to_the_end(&mut world);
    fs::remove_file(world.folder.stdout()).unwrap();
    fs::create_dir_all(world.folder.stdout()).unwrap();
    assert!(runner::leftover(&world.folder, "worker", None).is_err());
}
