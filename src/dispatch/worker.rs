//! The worker: one detached process for one dispatch. It waits for its place, runs `claude`, reports, and cleans up.
//!
//! It outlives the front end that started it and the daemon it reports to. What it cannot report stays in its run
//! folder, where the next daemon finds it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::warn;

use crate::answer::{Note, Overrun};
use crate::audit::typical::Typical;
use crate::config::paths::Environment;
use crate::daemon::protocol::{Order, Reply, Report, Request, WorkerHello};
use crate::daemon::wire::Connection;
use crate::daemon::{Client, ClientError};
use crate::dispatch::witness::Witness;
use crate::dispatch::worker::steps::Steps;
use crate::job::ProcessId;
use crate::model::{Answer, FailureClass, Findings, JobId, RunResult};
use crate::plan::RunPlan;
use crate::plan::environment::{child_environment, hand_on_trace};
use crate::runner::{self, FolderError, RunFolder, SpawnError, launch, process};

mod steps;

/// How often progress is passed on: often enough for a person, seldom enough for ten thousand lines.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// How long a finished worker keeps trying to reach a daemon. After that its run folder tells.
const REPORT_BUDGET: Duration = Duration::from_secs(120);

/// How long the daemon may take to say what is usual: advice is good without it, too.
const ADVICE_BUDGET: Duration = Duration::from_millis(500);

/// How long between two tries: little at first, more and more when they come to nothing.
const RETRY_AT_FIRST: Duration = Duration::from_millis(50);
const RETRY_AT_LAST: Duration = Duration::from_secs(1);

/// How long the daemon may take to take in a step of progress: whoever waits for it watches over the run, too.
const TELL_BUDGET: Duration = Duration::from_secs(2);

/// Why a worker could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its run folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its standard input, which is the prompt, cannot be handed on.
    #[error("this process has no standard input")]
    NoPrompt(#[source] io::Error),
    /// It cannot tell itself apart from other processes.
    #[error("this process cannot read its own start time")]
    NoIdentity,
    /// No daemon can be reached.
    #[error("the daemon cannot be reached")]
    Client(#[from] ClientError),
}

/// Does the work that lies in `folder`, from waiting for a place to cleaning up.
pub async fn work(environment: &Environment, folder: &Path) -> Result<(), WorkerError> {
    let folder = RunFolder::open(folder)?;
    let plan = folder.read_plan()?;
    let prompt = launch::own_input().map_err(WorkerError::NoPrompt)?;
    let process = process::identify(std::process::id()).ok_or(WorkerError::NoIdentity)?;
    let mut link = Link {
        client: Client::new(environment),
        job: plan.job,
        process,
        running: false,
        connection: None,
        pause: RETRY_AT_FIRST,
        steps: watch::Sender::default(),
    };
    link.connect().await?;
    // The daemon brings the start to disk: time for what can be done before. What fails here fails again in the run.
    let _told_by_the_run = folder.make_outputs();
    match link.wait_for_place().await? {
        Place::Given => {}
        Place::Refused => {
            let _left_for_the_daemon = folder.remove();
            return Ok(());
        }
    }
    let (findings, mut afterlife) = run(environment, &plan, &folder, prompt, &mut link).await;
    let ended = async {
        if let Some(afterlife) = &mut afterlife {
            afterlife.end().await;
        }
    };
    let (recorded, ()) = tokio::join!(link.report(findings, REPORT_BUDGET), ended);
    // The session is over, its group is gone: its place is free, and what follows must not delay whoever gets it.
    drop(link);
    launch::give_way();
    if let Some(afterlife) = afterlife {
        let swept = afterlife.settle().await.swept;
        if !swept.is_empty() {
            let left: Vec<_> = swept.iter().map(|left| format!("{} ({})", left.pid, left.command)).collect();
            warn!(job = %plan.job, processes = left.join(", "), "the run had left processes behind; they were killed");
        }
    }
    if recorded {
        let _left_for_the_daemon = folder.remove();
    } else {
        warn!(job = %plan.job, "the result could not be reported; it stays in the run folder");
    }
    Ok(())
}

/// Runs `claude`, passing on progress and obeying orders meanwhile.
async fn run(
    environment: &Environment,
    plan: &RunPlan,
    folder: &RunFolder,
    prompt: File,
    link: &mut Link,
) -> (Findings, Option<runner::Afterlife>) {
    let mut variables =
        child_environment(&environment.variables, &plan.environment, plan.job, environment.depth);
    hand_on_trace(&mut variables, &plan.environment, plan.trace);
    let witness = Witness::begin(plan, &environment.variables);
    let steps = link.steps.clone();
    let mut seen = steps.subscribe();
    let mut notes = |note: Note| {
        match note {
            Note::Progress(step) => steps.send_modify(|steps| steps.take(step)),
            Note::Worked => witness.iter().for_each(Witness::stir),
            // Whatever it says first, the start is over.
            Note::Begun => steps.send_modify(Steps::begin),
        }
    };
    let (stop, stopped) = oneshot::channel::<String>();
    let mut stop = Some(stop);
    let cancel = async move {
        match stopped.await {
            Ok(who) => who,
            Err(_) => std::future::pending().await,
        }
    };
    let mut running = pin!(runner::run(plan, folder, prompt, &variables, &mut notes, cancel));
    let mut next_progress = Instant::now();
    let mut alive = false;
    let mut waiting = false;
    let ended = loop {
        let connected = link.connection.is_some();
        tokio::select! {
            biased;
            ended = running.as_mut() => break ended,
            // Cancel-safe, as are the two below: nothing is taken until it is returned. Progress has to wait while there is
            // no connection, lest it interrupts the way to a new one again and again.
            order = link.order() => {
                if let Some(why) = order.and_then(why_to_stop)
                    && let Some(stop) = stop.take()
                {
                    // A run that has just ended no longer listens.
                    let _ended = stop.send(why);
                }
            }
            changed = seen.changed(), if !waiting && connected => {
                if changed.is_err() { std::future::pending::<()>().await }
                waiting = true;
            }
            () = sleep_until(next_progress), if waiting && connected => {
                waiting = false;
                next_progress = Instant::now() + PROGRESS_EVERY;
                if !alive {
                    alive = true;
                    link.tell(&Report::Alive).await;
                }
                link.tell_steps().await;
            }
        }
    };
    match ended {
        Ok((mut report, afterlife)) => {
            if let Some(witness) = &witness {
                report.result.changes = witness.end(&report).await;
            }
            if report.result.class == Some(FailureClass::Timeout) {
                report.result.hint = Some(more_time(plan, &report.result, link.usual(plan).await.as_ref()));
            }
            let runner::RunReport { result, answer, calls, .. } = report;
            (Findings { result, answer, calls }, Some(afterlife))
        }
        Err(error) => ((spawn_failure(&error, plan), Answer::default()).into(), None),
    }
}

/// Returns what to do about a run whose time was over.
fn more_time(plan: &RunPlan, result: &RunResult, usual: Option<&Typical>) -> String {
    let overrun = Overrun {
        agent: plan.agent.as_str(),
        session: result.session.as_ref(),
        seconds: plan.timeout().as_secs(),
        text_kept: result.partial,
    };
    overrun.hint(usual)
}

/// Returns why a run is to be stopped, if this order says so.
fn why_to_stop(order: Order) -> Option<String> {
    match order {
        Order::Stop(who) => Some(who),
        // Nobody gets what it would still spend on.
        Order::Dismissed => Some("its job has ended".to_owned()),
        Order::Run | Order::Recorded | Order::Unknown => None,
    }
}

fn spawn_failure(error: &SpawnError, plan: &RunPlan) -> RunResult {
    let class = error.class();
    let mut result = RunResult::failed(class, crate::model::with_causes(error), 0);
    result.hint = Some(match class {
        FailureClass::NotFound => format!(
            "Check the agent's directory and the `claude` program with: agent-dispatch describe {}",
            plan.agent
        ),
        _ => "Try the same command by hand in the agent's directory: claude --version".to_owned(),
    });
    result
}

enum Place {
    Given,
    Refused,
}

/// The worker's way to whichever daemon there is.
struct Link {
    client: Client,
    job: JobId,
    process: ProcessId,
    running: bool,
    connection: Option<Connection>,
    /// How long to wait before the next try.
    pause: Duration,
    steps: watch::Sender<Steps>,
}

impl Link {
    async fn wait_for_place(&mut self) -> Result<Place, WorkerError> {
        loop {
            if self.connection.is_none() {
                self.connect().await?;
            }
            match self.receive().await {
                Some(Order::Run) => {
                    self.running = true;
                    return Ok(Place::Given);
                }
                // Nothing has run, so nothing is lost with its folder.
                Some(Order::Stop(_) | Order::Dismissed | Order::Recorded | Order::Unknown) => {
                    return Ok(Place::Refused);
                }
                None => self.rest().await,
            }
        }
    }

    /// Waits before the next try.
    async fn rest(&mut self) {
        sleep(self.pause).await;
        self.pause = RETRY_AT_LAST.min(self.pause * 2);
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        let mut connection = self.client.connection().await?;
        let hello = WorkerHello { job: self.job, process: self.process, running: self.running };
        if connection.send(&Request::Worker(hello)).await.is_ok() {
            self.connection = Some(connection);
        }
        Ok(())
    }

    /// Returns the next order; nothing when the connection broke.
    async fn receive(&mut self) -> Option<Order> {
        let reply = match &mut self.connection {
            Some(connection) => connection.receive::<Reply>().await,
            None => return None,
        };
        if let Ok(Some(Reply::Order(order))) = reply {
            if order != Order::Unknown {
                self.pause = RETRY_AT_FIRST;
            }
            return Some(order);
        }
        self.connection = None;
        None
    }

    /// Returns the next order. Nothing when the connection broke, or when a new one was tried.
    async fn order(&mut self) -> Option<Order> {
        if self.connection.is_some() {
            return self.receive().await;
        }
        self.rest().await;
        // A daemon that cannot be reached, or that does not know us, is tried again: the run goes on meanwhile.
        let _tried_again = self.connect().await;
        None
    }

    /// Asks what dispatches to the agent usually take, on a connection of its own: this one is for orders and reports.
    async fn usual(&self, plan: &RunPlan) -> Option<Typical> {
        let request = Request::Typical(vec![plan.agent.to_string()]);
        match timeout(ADVICE_BUDGET, self.client.ask_if_running(&request)).await {
            Ok(Ok(Some(Reply::Typical(mut known)))) => known.remove(plan.agent.as_str()),
            _ => None,
        }
    }

    /// Tells the daemon something that may get lost. One that does not take it in is left.
    async fn tell(&mut self, report: &Report) {
        if timeout(TELL_BUDGET, self.send(report)).await.is_err() {
            self.connection = None;
        }
    }

    async fn send(&mut self, report: &Report) {
        if let Some(connection) = &mut self.connection
            && connection.send(report).await.is_err()
        {
            self.connection = None;
        }
    }

    /// Tells the daemon the steps since the last time. Those that it cannot be told wait for the next one.
    async fn tell_steps(&mut self) {
        let steps = self.steps.borrow().unreported();
        let Some(last) = steps.last().map(|step| step.number) else { return };
        self.tell(&Report::Progress(steps)).await;
        if self.connection.is_some() {
            self.steps.send_if_modified(|steps| {
                steps.reported(last);
                false
            });
        }
    }

    /// Tells the daemon what came of it until the daemon says that it is on disk. Returns whether it is. A daemon that hangs
    /// takes all of it and says nothing: it is not waited for longer than `most`.
    async fn report(&mut self, findings: Findings, most: Duration) -> bool {
        let report = Report::Ended(Box::new(findings));
        let recorded = async {
            loop {
                if self.connection.is_none() && self.connect().await.is_err() {
                    self.rest().await;
                    continue;
                }
                // The last steps are kept with the job.
                self.tell_steps().await;
                self.send(&report).await;
                while self.connection.is_some() {
                    match self.receive().await {
                        Some(Order::Recorded | Order::Dismissed) => return true,
                        Some(Order::Unknown) => return false,
                        Some(Order::Run | Order::Stop(_)) | None => {}
                    }
                }
                self.rest().await;
            }
        };
        timeout(most, recorded).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests;
