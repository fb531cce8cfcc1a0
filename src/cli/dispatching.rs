//! Commands that dispatch: `dispatch` and `test`.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Read as _;
use std::pin::Pin;
use std::process::ExitCode;

use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::audit::redact::one_line;
use crate::budget::usd;
use crate::cli::args::DispatchArguments;
use crate::cli::progress;
use crate::cli::render::{Screen, duration, note, print_json, print_text};
use crate::daemon::protocol::ProgressView;
use crate::dispatch::{DispatchError, Dispatched, Ended, Frontend, Patience, Served};
use crate::document::progress as lines;
use crate::document::{DispatchDocument, Extent};
use crate::error::{Kind, Report};
use crate::job::{JobRecord, State};
use crate::model::request::{RawRequest, Sharing};
use crate::model::{Answer, DispatchRequest, Outcome, with_causes};
use crate::project::regular::read_head;

/// What an agent is asked when it is only to be seen whether it works.
const TEST_TASK: &str =
    "In two or three sentences: what is this project, and what can you do here? Change nothing.";

/// Largest file with a JSON Schema, in bytes.
const SCHEMA_BYTES_MAX: usize = 1 << 20;

/// How a command that dispatches is carried out and told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Whether to return as soon as the job is open.
    pub(super) detached: bool,
    /// Whether to show every step.
    pub(super) stream: bool,
    /// Whether to print JSON.
    pub(super) json: bool,
}

/// Returns the dispatch that was asked for. Reads the task from standard input when it is `-`.
pub(super) fn request(
    frontend: &Frontend,
    asked: DispatchArguments,
) -> Result<(DispatchRequest, Manner), Report> {
    let manner = Manner { detached: asked.detached, stream: false, json: asked.json };
    let sharing = match (asked.no_cache || !asked.session.is_empty(), asked.detached) {
        (true, _) => Sharing::Never,
        (false, true) => Sharing::Join,
        (false, false) => Sharing::CacheAndJoin,
    };
    let raw = RawRequest {
        agent: asked.agent.unwrap_or_default(),
        task: match asked.task {
            Some(task) if task == "-" => standard_input("the task")?,
            task => task.unwrap_or_default(),
        },
        context: asked.context,
        caller: asked.caller,
        goal: asked.goal,
        response_format: asked
            .response_format
            .map_or(Ok(Value::Null), |format| response_format(frontend, &format))?,
        timeout_seconds: asked.timeout.unwrap_or(0),
        group: asked.group,
        session_id: asked.session,
    };
    Ok((DispatchRequest::new(raw, sharing)?, manner))
}

/// Returns the dispatch that shows whether an agent works.
pub(super) fn test_request(
    agent: String,
    task: Option<String>,
    timeout: Option<i64>,
) -> Result<DispatchRequest, Report> {
    let task = task.unwrap_or_else(|| TEST_TASK.to_owned());
    let raw = RawRequest { agent, task, timeout_seconds: timeout.unwrap_or(0), ..RawRequest::default() };
    Ok(DispatchRequest::new(raw, Sharing::Never)?)
}

/// Dispatches and tells what came of it.
pub(super) async fn run(
    frontend: &Frontend,
    screen: Screen,
    request: &DispatchRequest,
    manner: Manner,
) -> Result<ExitCode, Report> {
    let patience = if manner.detached { Patience::None } else { Patience::ToTheEnd };
    match carry_out(frontend, request, patience, manner.stream).await? {
        Dispatched::Running(view, served) if manner.json => {
            print_json(&DispatchDocument::running(&view, served))?;
            Ok(ExitCode::SUCCESS)
        }
        Dispatched::Running(view, served) => {
            let job = view.record.id;
            print_text(&format!("{job}\n"))?;
            let what =
                if served == Served::Join { "It was under way already, and goes on" } else { "It goes on" };
            note(&format!("{what} by itself. Collect the answer with: agent-dispatch wait {job}\n"));
            Ok(ExitCode::SUCCESS)
        }
        Dispatched::Ended(ended) if manner.json => {
            print_json(&DispatchDocument::ended(&ended, Extent::Whole { chars_max: usize::MAX }))?;
            Ok(verdict(&ended.job))
        }
        Dispatched::Ended(ended) => {
            let Ended { job, answer, served } = &*ended;
            tell(screen, job, answer, *served)?;
            Ok(verdict(job))
        }
    }
}

/// Dispatches, telling a person meanwhile how it goes.
pub(super) async fn carry_out(
    frontend: &Frontend,
    request: &DispatchRequest,
    patience: Patience,
    stream: bool,
) -> Result<Dispatched, Report> {
    let agent = request.agent.as_str();
    let (line, shown) = progress::line(&frontend.environment, !stream);
    line.say(lines::waits(agent));
    let mut step = |_, view: &ProgressView| match progress::said(view) {
        Some(text) if stream => note(&format!("→ {text}\n")),
        Some(_) | None => line.step(agent, view),
    };
    unless_interrupted(shown, async |cancelled| {
        frontend.dispatch(request, super::CLIENT, patience, &mut step, cancelled).await
    })
    .await
}

/// Carries something out while `shown` is shown. An interrupt takes it back, a second one leaves.
pub(super) async fn unless_interrupted<T>(
    shown: impl Future<Output = Infallible>,
    carry_out: impl AsyncFnOnce(Interrupted) -> Result<T, DispatchError>,
) -> Result<T, Report> {
    let (mut once, mut twice) = (interrupts()?, interrupts()?);
    let cancelled: Interrupted = Box::pin(async move {
        once.recv().await;
    });
    tokio::select! {
        outcome = carry_out(cancelled) => outcome.map_err(Report::from),
        () = async { twice.recv().await; twice.recv().await; } => {
            let hint = "See whether it still runs with: agent-dispatch jobs --status running";
            Err(Report::new(Kind::Failed, "cancelled", "interrupted twice", hint))
        }
        never = shown => match never {},
    }
}

/// Resolves when the person at the keyboard takes back what was asked.
pub(super) type Interrupted = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Returns what hears Ctrl-C; it no longer ends this process from then on.
pub(super) fn interrupts() -> Result<Signal, Report> {
    signal(SignalKind::interrupt()).map_err(|error| {
        let message = format!("interrupts cannot be received: {}", with_causes(&error));
        Report::new(Kind::Unavailable, "runtime", message, "Close programs that hold many files open.")
    })
}

/// Prints the answer of a job that has ended, and on standard error what went wrong and the facts.
pub(super) fn tell(screen: Screen, job: &JobRecord, answer: &Answer, served: Served) -> Result<(), Report> {
    // Whoever asked for JSON wants the value, not the words around it.
    let said = answer.parsed.as_deref().unwrap_or(&answer.text);
    if !said.is_empty() {
        print_text(&screen.text(said))?;
    }
    note(&beside(job, served));
    Ok(())
}

/// Returns what there is to say beside the answer of a job that has ended: what went wrong, and the facts.
pub(super) fn beside(job: &JobRecord, served: Served) -> String {
    let document = DispatchDocument::of(job, &Answer::default(), Extent::Whole { chars_max: 0 });
    let mut beside = String::new();
    let mut line = |label: &str, text: Option<&String>| {
        if let Some(text) = text {
            let _infallible = writeln!(beside, "{label}: {}", one_line(text, 2000));
        }
    };
    line("error", document.error.as_ref());
    line("hint", document.hint.as_ref());
    if job.state != State::Done && document.partial == Some(true) {
        beside.push_str("note: the answer is only what had been said by then\n");
    }
    beside.push_str(&facts(job, served));
    beside
}

/// Returns the facts of a job that has ended, as one line.
fn facts(job: &JobRecord, served: Served) -> String {
    let mut facts = vec![format!("{}: {}", one_line(&job.agent, 100), job.state)];
    if let Some(result) = &job.result {
        let not_done = result.outcome.filter(|outcome| *outcome != Outcome::Done);
        facts.extend(not_done.map(|outcome| format!("says {}", outcome.as_str())));
        facts.extend(
            result.num_turns.map(|turns| format!("{turns} turn{}", if turns == 1 { "" } else { "s" })),
        );
        facts.extend(result.cost_usd.map(usd));
        facts.push(duration(result.duration_ms));
    }
    facts.push(format!("session {}", job.session));
    facts.push(format!("job {}", job.id));
    facts.extend(match served {
        Served::Run => None,
        Served::Cache => Some("from the cache".to_owned()),
        Served::Join => Some("joined".to_owned()),
    });
    facts.join(", ") + "\n"
}

/// Returns the exit code that a job which has ended stands for.
pub(super) fn verdict(job: &JobRecord) -> ExitCode {
    if job.state == State::Done { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.exit_code()) }
}

/// Returns what `what` says on standard input.
pub(super) fn standard_input(what: &str) -> Result<String, Report> {
    let bad = |message: String| {
        Report::new(Kind::Usage, "invalid_request", message, format!("Pass {what} as UTF-8 text."))
    };
    // One byte more than a prompt may have: enough to be refused as too long.
    let most = DispatchRequest::PROMPT_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
    read.map_err(|error| bad(format!("standard input cannot be read: {}", with_causes(&error))))?;
    // What is too long may have been cut inside a character.
    if bytes.len() as u64 == most {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|_| bad(format!("{what} on standard input is not UTF-8")))
}

/// Returns the format that `text` names: a word, a JSON Schema, or a file that holds one.
fn response_format(frontend: &Frontend, text: &str) -> Result<Value, Report> {
    let trimmed = text.trim();
    if matches!(trimmed, "" | "text" | "json") || trimmed.starts_with('{') {
        return Ok(Value::from(trimmed));
    }
    let bad = |message: String| {
        let hint = "Use `text`, `json`, a JSON Schema object, or a file that holds one.";
        Report::new(Kind::Usage, "invalid_request", message, hint)
    };
    let path = frontend.environment.directory.join(text);
    let shown = path.display();
    let head = read_head(&path, SCHEMA_BYTES_MAX)
        .map_err(|error| bad(format!("the schema file {shown} cannot be read: {error}")))?
        .ok_or_else(|| bad(format!("`--response-format` is neither a format nor a file: {shown}")))?;
    if head.truncated {
        return Err(bad(format!("the schema file {shown} is larger than {SCHEMA_BYTES_MAX} bytes")));
    }
    let schema: Value = serde_json::from_slice(&head.bytes)
        .map_err(|error| bad(format!("the schema file {shown} is not JSON: {error}")))?;
    if schema.is_object() {
        Ok(schema)
    } else {
        Err(bad(format!("the schema file {shown} holds no JSON object")))
    }
}
