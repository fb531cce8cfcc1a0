//! Front ends in processes of their own: this test program again, told by a variable which part to play.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use agent_dispatch::audit::{Code, Record};
use agent_dispatch::config::paths::Environment;
use agent_dispatch::daemon::protocol::{Reply, Request};
use agent_dispatch::dispatch::Frontend;
use agent_dispatch::model::{JobId, Timestamp};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::{PROGRAM, Scene, dispatch, holds, on_runtime, start, status};

/// Holds the part to play.
const PART: &str = "SCENE_PART";

/// What a front end in a process of its own does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Part {
    /// Asks for the daemon as soon as the file exists, and reports its process id.
    Ask { at: PathBuf },
    /// Records so many events, and reports the id of each when it is acknowledged. An event that failed is tried again
    /// under its id until it is.
    Record { events: u32 },
    /// Dispatches the same so often at once, and reports every answer or why there is none.
    Dispatch { agent: String, script: String, context_bytes: usize, times: usize },
    /// Dispatches without waiting, reports the job, and stays.
    Start { agent: String, script: String },
    /// Asks for a job to be stopped, and reports what that did.
    Cancel { job: JobId },
}

/// Such a process. It is killed with this value.
pub(crate) struct Other {
    pub(crate) child: Child,
    report: PathBuf,
}

impl Scene {
    /// Starts a front end in a process of its own. Its report goes to the file `name`.
    pub(crate) fn other(&self, name: &str, part: &Part) -> Other {
        self.other_by(Command::new(std::env::current_exe().unwrap()), name, part)
    }

    /// Starts it with the help of `command`, which is to run the program that it gets as its last arguments.
    pub(crate) fn other_through(&self, mut command: Command, name: &str, part: &Part) -> Other {
        command.arg(std::env::current_exe().unwrap());
        self.other_by(command, name, part)
    }

    fn other_by(&self, mut command: Command, name: &str, part: &Part) -> Other {
        let report = self.file(name);
        command
            .args([
                "--exact",
                "scene::part::another_process_plays_its_part",
                "--nocapture",
                "--test-threads=1",
            ])
            .env_clear()
            .envs(self.variables())
            .env(PART, serde_json::to_string(&(part, &report)).unwrap())
            .current_dir(self.file("project"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Other { child: command.spawn().unwrap(), report }
    }
}

impl Other {
    /// Returns the lines of its report so far. A line that is still being written is not among them.
    pub(crate) fn reported(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.report).unwrap_or_default();
        text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
    }

    /// Waits for its end and returns its report.
    pub(crate) async fn finish(mut self) -> Vec<String> {
        assert_eq!(super::exit_of(&mut self.child).await, Some(0), "{:?}", self.reported());
        self.reported()
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the event that is recorded under an id.
pub(crate) fn event(id: JobId) -> Request {
    let mut record = Record::new(Timestamp::now(), Code::ConfigChanged);
    record.details.insert("id".to_owned(), id.to_string());
    Request::Record { id, body: serde_json::to_string(&record).unwrap() }
}

#[test]
fn another_process_plays_its_part() {
    // Run among the other tests there is no part to play, and nothing to test.
    let Some(part) = std::env::var_os(PART) else { return };
    let (part, report): (Part, PathBuf) = serde_json::from_str(part.to_str().unwrap()).unwrap();
    let variables = std::env::vars_os().filter(|(name, _)| name != PART).collect();
    let environment = Environment::new(variables, std::env::current_dir().unwrap(), PROGRAM.into()).unwrap();
    on_runtime(play(&Frontend::new(environment), part, &report));
}

async fn play(frontend: &Frontend, part: Part, report: &Path) {
    let mut report = OpenOptions::new().create(true).append(true).open(report).unwrap();
    let mut say = |line: &str| writeln!(report, "{line}").unwrap();
    match part {
        Part::Ask { at } => {
            say("here");
            holds("the start", || at.exists()).await;
            say(&status(frontend).await.pid.to_string());
        }
        Part::Record { events } => {
            for _ in 0..events {
                let id = JobId::generate();
                while frontend.client.ask(&event(id)).await.is_err() {}
                say(&id.to_string());
            }
        }
        Part::Start { agent, script } => {
            let task = format!("play it\nfake: {script}");
            let request = super::RawRequest { agent, task, ..super::RawRequest::default() };
            let request = super::DispatchRequest::new(request, super::Sharing::CacheAndJoin).unwrap();
            say(&start(frontend, &request).await.to_string());
            std::future::pending::<()>().await;
        }
        Part::Cancel { job } => {
            let cancel = Request::Cancel { job, by: "another process".to_owned(), caller: Box::default() };
            match frontend.client.ask(&cancel).await.unwrap() {
                Reply::Cancelled(_, effect) => say(&format!("{effect:?}")),
                other => panic!("{other:?}"),
            }
        }
        Part::Dispatch { agent, script, context_bytes, times } => {
            let request = super::RawRequest {
                agent,
                task: format!("play it\nfake: {script}"),
                context: "x".repeat(context_bytes),
                ..super::RawRequest::default()
            };
            let request = super::DispatchRequest::new(request, super::Sharing::CacheAndJoin).unwrap();
            say("here");
            for outcome in join_all((0..times).map(|_| dispatch(frontend, &request))).await {
                match outcome {
                    Ok(ended) => say(&format!("{:?} {} {}", ended.served, ended.job.id, ended.answer.text)),
                    Err(error) => say(&agent_dispatch::model::with_causes(&error)),
                }
            }
        }
    }
}
