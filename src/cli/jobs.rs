//! Commands about jobs: `jobs`, `job`, `wait`, `cancel`; and ids as people type them.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::audit::redact::one_line;
use crate::budget::usd;
use crate::cli::agents::note_unknown;
use crate::cli::args::Status;
use crate::cli::dispatching::{self, verdict};
use crate::cli::progress;
use crate::cli::render::{Cell, Screen, Tone, duration, fact, indented, note, print_json, print_text, when};
use crate::daemon::ClientError;
use crate::daemon::protocol::{CancelEffect, JobView, Reply, Request, WaitEnd, WaitRequest};
use crate::dispatch::{Frontend, Served, Standing};
pub(super) use crate::document::asked_by;
use crate::document::summary::JobSummary;
use crate::document::{CancelDocument, JobDocument, Measure, format_of};
use crate::error::{Kind, Report};
use crate::job::{JobFilter, RequestTexts, State};
use crate::model::{Answer, Changes, JobId, Timestamp};

/// Characters of an id that a list shows, and more where two would look the same: the first 12 are its millisecond.
pub(super) const SHORT_CHARS: usize = 12;

/// Characters of a whole id, and the least that are looked up.
const ID_CHARS: usize = 32;
const PREFIX_CHARS_MIN: usize = 8;

/// What lists ids: of jobs that are kept, and of all dispatches on record.
const JOBS: &str = "agent-dispatch jobs";
const DISPATCHES: &str = "agent-dispatch audit --dispatches";

/// Lines of a task and of an answer that `job` shows.
const TASK_LINES: usize = 20;
pub(super) const ANSWER_LINES: usize = 40;

/// Lists jobs.
pub(super) async fn list(
    frontend: &Frontend,
    screen: Screen,
    filter: JobFilter,
    as_json: bool,
) -> Result<(), Report> {
    let agents: Vec<String> = filter.agent.iter().cloned().collect();
    let Reply::Jobs(views) = frontend.client.ask(&Request::Jobs(filter)).await? else {
        return Err(ClientError::Confused.into());
    };
    if as_json {
        let summaries: Vec<JobSummary> = views.iter().map(JobSummary::of).collect();
        return print_json(&summaries);
    }
    if views.is_empty() {
        note("There are no such jobs.\n");
        note_unknown(frontend, &agents);
        return Ok(());
    }
    print_text(&table(screen, &views, Timestamp::now()))
}

/// Shows one job.
pub(super) async fn show(frontend: &Frontend, id: &str, as_json: bool) -> Result<(), Report> {
    let view = find(frontend, id).await?;
    if as_json {
        return print_json(&JobDocument::read(frontend, &view, Measure::WHOLE).await?);
    }
    let text = told(frontend, &view, Timestamp::now()).await?;
    print_text(&text)
}

/// Waits for jobs.
pub(super) async fn wait(
    frontend: &Frontend,
    screen: Screen,
    ids: &[String],
    until: Until,
    as_json: bool,
) -> Result<ExitCode, Report> {
    let (mut jobs, mut agents): (Vec<JobId>, Vec<String>) = Default::default();
    for id in ids {
        let job = find(frontend, id).await?.record;
        if !jobs.contains(&job.id) {
            jobs.push(job.id);
            agents.push(job.agent);
        }
    }
    let wait = WaitRequest {
        jobs,
        any: until.any,
        timeout_ms: until.seconds.map(|seconds| seconds * 1000),
        attach: false,
        detach_at_timeout: false,
        inside: frontend.environment.run,
        answer: None,
    };
    let agents: Vec<&str> = agents.iter().map(String::as_str).collect();
    let (line, shown) = progress::line(&frontend.environment, true);
    let mut standing = |standing: &Standing| line.standing(&agents, standing);
    standing(&Standing { total: wait.jobs.len(), ..Standing::default() });
    let (views, end) = tokio::select! {
        // An interrupt ends this process, and with it nothing but the waiting.
        waited = frontend.wait_for_all(&wait, &mut standing, std::future::pending()) => waited?,
        never = shown => match never {},
    };
    if as_json {
        print_documents(frontend, &views, end).await?;
    } else if let [view] = views.as_slice()
        && view.record.state.is_terminal()
    {
        let answer = frontend.answer(view.record.id).await?;
        dispatching::tell(screen, &view.record, &answer, Served::Run)?;
    } else {
        print_text(&table(screen, &views, Timestamp::now()))?;
    }
    if end == WaitEnd::TimedOut {
        note("The time is over; what has not ended goes on.\n");
        return Ok(ExitCode::from(Kind::Failed.exit_code()));
    }
    let failed =
        views.iter().find(|view| view.record.state.is_terminal() && view.record.state != State::Done);
    Ok(failed.map_or(ExitCode::SUCCESS, |view| verdict(&view.record)))
}

/// How long `wait` waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    /// No longer than this; `None` waits to the end.
    pub(super) seconds: Option<u64>,
    /// Whether one job that has ended is enough.
    pub(super) any: bool,
}

async fn print_documents(frontend: &Frontend, views: &[JobView], end: WaitEnd) -> Result<(), Report> {
    let mut documents = Vec::new();
    for view in views {
        let document = JobDocument::read(frontend, view, Measure::WHOLE).await?;
        let unended = end == WaitEnd::TimedOut && !view.record.state.is_terminal();
        documents.push(if unended { document.still_waiting() } else { document });
    }
    match documents.as_slice() {
        [only] => print_json(only),
        several => print_json(several),
    }
}

/// Stops a job.
pub(super) async fn cancel(frontend: &Frontend, id: &str, as_json: bool) -> Result<(), Report> {
    let job = find(frontend, id).await?.record.id;
    let by = "`agent-dispatch cancel` on the command line".to_owned();
    let caller = Box::new(frontend.caller(crate::cli::CLIENT, ""));
    let cancel = Request::Cancel { job, by, caller };
    let Reply::Cancelled(view, effect) = frontend.client.ask(&cancel).await? else {
        return Err(ClientError::Confused.into());
    };
    if as_json {
        return print_json(&CancelDocument::of(&view, effect));
    }
    print_text(&match effect {
        CancelEffect::Cancelled => format!("cancelled {job}: it had not started\n"),
        CancelEffect::Stopping => format!("stopping {job}\n"),
        CancelEffect::AlreadyTerminal => format!("{job} had ended before: {}\n", view.record.state),
    })
}

/// Returns the job that a person means by `text`: its id, or the beginning of it.
pub(super) async fn find(frontend: &Frontend, text: &str) -> Result<JobView, Report> {
    let found = candidates(frontend, text, JOBS).await?;
    let mut views = Vec::new();
    for id in &found {
        views.extend(frontend.job(*id).await?);
    }
    // What was refused or answered from the cache has an id too, but is no job.
    let only = if views.is_empty() {
        the_only_one(text, &found, JOBS)?
    } else {
        the_only_one(text, &views.iter().map(|view| view.record.id).collect::<Vec<_>>(), JOBS)?
    };
    views.into_iter().next().ok_or_else(|| {
        let hint =
            format!("It may have been refused or answered from the cache: agent-dispatch audit show {only}");
        Report::new(Kind::NotFound, "not_found", format!("there is no job `{only}`"), hint)
    })
}

/// Returns the dispatch that a person means by `text`: a job, or one that was refused, joined or answered from the cache.
pub(super) async fn resolve(frontend: &Frontend, text: &str) -> Result<JobId, Report> {
    the_only_one(text, &candidates(frontend, text, DISPATCHES).await?, DISPATCHES)
}

/// Returns the dispatches whose ids begin with `text`. A whole id is not looked up.
async fn candidates(frontend: &Frontend, text: &str, listing: &str) -> Result<Vec<JobId>, Report> {
    let (first, last) = range(text, listing)?;
    if first == last {
        return Ok(vec![first]);
    }
    match frontend.client.ask(&Request::Find(first, last)).await? {
        Reply::Found(found) => Ok(found),
        _ => Err(ClientError::Confused.into()),
    }
}

fn the_only_one(text: &str, found: &[JobId], listing: &str) -> Result<JobId, Report> {
    let shown = one_line(text.trim(), ID_CHARS);
    match found {
        [] => {
            let hint = format!("List what there is with: {listing}");
            Err(Report::new(Kind::NotFound, "not_found", format!("no id begins with `{shown}`"), hint))
        }
        [only] => Ok(*only),
        several => {
            let message = format!("several ids begin with `{shown}`: {}", short(several).join(", "));
            let hint = format!("Give more of the id; they are listed by: {listing}");
            Err(Report::new(Kind::Usage, "invalid_id", message, hint))
        }
    }
}

/// Returns the first and the last id that begin with `text`.
fn range(text: &str, listing: &str) -> Result<(JobId, JobId), Report> {
    let text = text.trim().to_ascii_lowercase();
    let bad = || {
        let shown = one_line(&text, ID_CHARS);
        let message = format!(
            "`{shown}` is not a job id: expected {PREFIX_CHARS_MIN} to {ID_CHARS} hexadecimal digits"
        );
        let hint = format!("List those that there are with their ids: {listing}");
        Report::new(Kind::Usage, "invalid_id", message, hint)
    };
    if !(PREFIX_CHARS_MIN..=ID_CHARS).contains(&text.len()) {
        return Err(bad());
    }
    let filled = |fill: char| -> Result<JobId, Report> {
        let rest: String = std::iter::repeat_n(fill, ID_CHARS - text.len()).collect();
        format!("{text}{rest}").parse().map_err(|_| bad())
    };
    Ok((filled('0')?, filled('f')?))
}

/// Returns the beginnings of these ids, long enough to tell them apart.
pub(super) fn short(ids: &[JobId]) -> Vec<String> {
    let whole: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let cut = |chars: usize| whole.iter().map(|id| id.get(..chars).unwrap_or(id)).collect::<Vec<_>>();
    let is_enough = |chars: &usize| {
        let mut seen = std::collections::BTreeMap::new();
        cut(*chars).iter().zip(&whole).all(|(short, id)| *seen.entry(*short).or_insert(id) == id)
    };
    let chars = (SHORT_CHARS..ID_CHARS).find(is_enough).unwrap_or(ID_CHARS);
    cut(chars).into_iter().map(str::to_owned).collect()
}

/// Returns jobs as a table.
pub(super) fn table(screen: Screen, views: &[JobView], now: Timestamp) -> String {
    let ids: Vec<JobId> = views.iter().map(|view| view.record.id).collect();
    let rows = short(&ids).into_iter().zip(views).map(|(id, view)| {
        let job = &view.record;
        let cost = job.result.as_ref().and_then(|result| result.cost_usd).map_or(String::new(), usd);
        let took = match (job.started, job.ended) {
            (Some(started), ended) => duration(ended.unwrap_or(now).millis_since(started)),
            (None, _) => String::new(),
        };
        let says = view.progress.last().filter(|_| !job.state.is_terminal());
        vec![
            Cell::new(id).whole(),
            status(job.state),
            Cell::new(&job.agent).whole(),
            Cell::new(when(job.created, now)),
            Cell::new(took),
            Cell::new(cost),
            Cell::new(says.unwrap_or(&job.task_preview)),
        ]
    });
    let columns = [
        ("JOB", 0),
        ("STATUS", 0),
        ("AGENT", 0),
        ("ASKED", 1),
        ("TOOK", 3),
        ("COST", 2),
        ("TASK OR LAST STEP", 0),
    ];
    screen.ranked_table(&columns, rows.collect())
}

fn status(state: State) -> Cell {
    let (text, tone) = match state {
        State::Pending => ("pending", Tone::Faint),
        State::Running => ("running", Tone::Busy),
        State::Cancelling => ("stopping", Tone::Busy),
        State::Done => ("done", Tone::Good),
        State::Failed => ("failed", Tone::Bad),
        State::Cancelled => ("cancelled", Tone::Faint),
        State::Interrupted => ("interrupted", Tone::Bad),
    };
    Cell::new(text).toned(tone)
}

/// Returns what is known of a job, and the heads of its task and its answer.
pub(super) async fn told(frontend: &Frontend, view: &JobView, now: Timestamp) -> Result<String, Report> {
    let texts = texts(frontend, view.record.id).await?;
    let answer = frontend.answer(view.record.id).await?;
    let mut text = facts(view, now);
    let mut section = |title: &str, body: &str, lines_max: usize| {
        let body = indented(body, lines_max);
        if !body.is_empty() {
            let _infallible = write!(text, "{title}\n{body}");
        }
    };
    section("task", if texts.task.is_empty() { &view.record.task_preview } else { &texts.task }, TASK_LINES);
    section("context", &texts.context, TASK_LINES);
    section("goal", &texts.goal, TASK_LINES);
    section("answer as", format_of(&texts), TASK_LINES);
    section("progress", &view.progress.join("\n"), TASK_LINES);
    section("answer", said(&answer), ANSWER_LINES);
    Ok(text)
}

/// Returns what a job was asked; nothing when that was removed.
pub(super) async fn texts(frontend: &Frontend, job: JobId) -> Result<RequestTexts, ClientError> {
    match frontend.client.ask(&Request::Texts(job)).await? {
        Reply::Texts(texts) => Ok(texts.unwrap_or_default()),
        _ => Err(ClientError::Confused),
    }
}

/// Returns what of an answer is shown: the value that was asked for, else the text.
pub(super) fn said(answer: &Answer) -> &str {
    answer.parsed.as_deref().unwrap_or(&answer.text)
}

/// Returns what is known of a job, without the texts.
fn facts(view: &JobView, now: Timestamp) -> String {
    let job = &view.record;
    let at = |time: Timestamp| format!("{} ({})", time.local(), when(time, now));
    let mut text = String::new();
    let mut say = |label: &str, said: Option<String>| {
        if let Some(said) = said.filter(|said| !said.is_empty()) {
            text.push_str(&fact(label, &said));
        }
    };
    say("job", Some(job.id.to_string()));
    say(
        "status",
        Some(if job.state == State::Cancelling { "stopping".to_owned() } else { job.state.to_string() }),
    );
    say("agent", Some(job.agent.clone()));
    say("group", job.group.clone());
    say("directory", Some(job.directory.display().to_string()));
    say("asked by", Some(asked_by(&job.caller)));
    say("inside", job.caller.parent.map(|parent| parent.to_string()));
    say("asked", Some(at(job.created)));
    say("started", job.started.map(at));
    say("ended", job.ended.map(at));
    say("stopped by", job.stopped_by.clone());
    say("may take", Some(duration(job.profile.timeout_seconds.saturating_mul(1000))));
    say("session", Some(format!("{}{}", job.session, if job.resumed { " (gone on with)" } else { "" })));
    if let Some(result) = &job.result {
        say("verdict", result.outcome.map(|outcome| outcome.as_str().to_owned()));
        say("error", result.error.clone());
        say("why", result.class.map(|class| class.to_string()));
        say("hint", result.hint.clone());
        say("cost", result.cost_usd.map(usd));
        say("turns", result.num_turns.map(|turns| turns.to_string()));
        say("took", Some(duration(result.duration_ms)));
        say("model", result.model.clone());
        let tools = result.tools.iter().map(|(name, used)| format!("{name} x{}", used.count));
        say("tools", Some(tools.collect::<Vec<_>>().join(", ")));
        say("denied", Some(denied(&result.denied_tools, result.denied_unknown)));
        say("changed", result.changes.as_ref().map(changed));
    }
    text
}

/// Returns which tools were denied, or that it is not known.
pub(super) fn denied(tools: &[String], unknown: bool) -> String {
    if unknown { "not known: it was stopped before it said so".to_owned() } else { tools.join(", ") }
}

/// Returns what is different in a repository, in one line.
pub(super) fn changed(changes: &Changes) -> String {
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let short = |commit: &str| commit.get(..12).unwrap_or(commit).to_owned();
    let moved = |what: &str, before: Option<String>, now: Option<String>| {
        let name = |it: Option<String>| it.unwrap_or_else(|| "none".to_owned());
        (before != now).then(|| format!("{what} {} → {}", name(before), name(now)))
    };
    let branch = moved("branch", changes.branch_before.clone(), changes.branch.clone());
    let head = moved("HEAD", changes.head_before.as_deref().map(short), changes.head.as_deref().map(short));
    let commits = (!changes.commits.is_empty()).then(|| plural(changes.commits.len(), "commit"));
    let unseen = if changes.incomplete && changes.files_total > 0 { ", and maybe more" } else { "" };
    let files = match changes.files_total as usize {
        0 if changes.incomplete => "it is not known which files".to_owned(),
        count => plural(count, "file"),
    };
    let names =
        if changes.files.is_empty() { String::new() } else { format!(": {}", changes.files.join(", ")) };
    let parts: Vec<String> =
        [branch, head, commits, Some(format!("{files}{unseen}{names}"))].into_iter().flatten().collect();
    parts.join(", ")
}

impl Status {
    /// Returns the states that are listed under this word.
    pub(super) fn states(self) -> Vec<State> {
        match self {
            Self::Pending => vec![State::Pending],
            Self::Running => vec![State::Running, State::Cancelling],
            Self::Done => vec![State::Done],
            Self::Failed => vec![State::Failed],
            Self::Cancelled => vec![State::Cancelled],
            Self::Interrupted => vec![State::Interrupted],
        }
    }
}

#[cfg(test)]
mod tests;
