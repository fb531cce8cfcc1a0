//! `agent-dispatch audit show`: a dispatch with all its records, one record, or one part of a dispatch.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Value, json};

use crate::audit::query::{AuditEntry, AuditFilter};
use crate::audit::redact::one_line;
use crate::audit::verdict::Differing;
use crate::audit::{Code, Record};
use crate::cli::args::ShowPart;
use crate::cli::audit::output::{self, Row};
use crate::cli::jobs::{self, ANSWER_LINES, asked_by};
use crate::cli::render::{Cell, Screen, Tone, duration, field, indented, note, print_json, print_text, when};
use crate::daemon::ClientError;
use crate::daemon::protocol::{JobView, Reply, Request};
use crate::dispatch::Frontend;
use crate::document::{JobDocument, Measure, audit};
use crate::error::{Kind, Report};
use crate::job::State;
use crate::model::{CallEnd, JobId, Timestamp, ToolCall, ToolUse, shell};

/// Shows a dispatch with all its records, one record, or a part of a dispatch.
pub(super) async fn show(
    frontend: &Frontend,
    screen: Screen,
    what: &str,
    part: ShowPart,
    as_json: bool,
) -> Result<ExitCode, Report> {
    let (entries, job) = look_up(frontend, what).await?;
    if part.tools || part.tree || part.prompt || part.result || part.resume {
        let dispatch = Dispatch::of(frontend, &entries, job).await?;
        if part.tools || part.result {
            warn_of(&audit::differing(frontend, dispatch.job).await?);
        }
        let shown = if part.tools {
            dispatch.tools(frontend, screen, as_json).await
        } else if part.tree {
            dispatch.tree(frontend, screen, as_json).await
        } else if part.prompt {
            dispatch.prompt(frontend, screen, as_json).await
        } else if part.result {
            dispatch.result(frontend, screen, as_json).await
        } else {
            dispatch.resume(frontend, screen).await
        };
        return shown.map(|()| ExitCode::SUCCESS);
    }
    let differs = match &job {
        Some(view) => audit::differing(frontend, view.record.id).await?,
        None => Vec::new(),
    };
    if as_json {
        let job = match &job {
            Some(view) => Some(JobDocument::read(frontend, view, Measure::WHOLE).await?),
            None => None,
        };
        // As it happened: the oldest first.
        let records = entries.iter().rev().map(audit::document).collect();
        return print_json(&Shown { job, differs, records }).map(|()| ExitCode::SUCCESS);
    }
    let now = Timestamp::now();
    let mut parts = Vec::new();
    if let Some(view) = &job {
        parts.push(jobs::told(frontend, view, now).await?);
    }
    warn_of(&differs);
    // As it happened: the oldest first.
    parts.extend(entries.iter().rev().map(|entry| told(entry, job.is_some(), now)));
    print_text(&parts.join("\n")).map(|()| ExitCode::SUCCESS)
}

/// A dispatch, of which a part is shown.
pub(super) struct Dispatch {
    /// Its id.
    pub(super) id: JobId,
    /// What its records say together.
    pub(super) said: Row,
    /// The job whose answer it got: its own, or that of an identical one.
    pub(super) job: JobId,
}

impl Dispatch {
    /// Returns the dispatch that a person means.
    pub(super) async fn find(frontend: &Frontend, what: &str) -> Result<Self, Report> {
        let (entries, job) = look_up(frontend, what).await?;
        Self::of(frontend, &entries, job).await
    }

    /// Returns the dispatch that these records are about.
    async fn of(frontend: &Frontend, entries: &[AuditEntry], job: Option<JobView>) -> Result<Self, Report> {
        let said = audit::whole(entries);
        let id_at = |name: &str| said.get(name).and_then(|id| id.as_str()?.parse::<JobId>().ok());
        let id = id_at("dispatch").or(job.map(|view| view.record.id)).ok_or_else(|| {
            let hint = "Show all of it, without an option: agent-dispatch audit show NUMBER";
            Report::new(Kind::NotFound, "not_found", "the record is not about a dispatch".to_owned(), hint)
        })?;
        let job = id_at("answered_by").unwrap_or(id);
        // One record does not say all.
        let said = audit::whole(&audit::records_of(frontend, id).await?);
        Ok(Self { id, said, job })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.said.get(name).and_then(Value::as_str)
    }

    fn gone(&self, what: &str) -> Report {
        let hint = format!("The records stay: agent-dispatch audit show {}", self.id);
        Report::new(Kind::NotFound, "not_found", format!("{what} of `{}` is not kept", self.id), hint)
    }

    async fn tools(&self, frontend: &Frontend, screen: Screen, as_json: bool) -> Result<(), Report> {
        let Reply::Calls(calls) = frontend.client.ask(&Request::Calls(self.job)).await? else {
            return Err(ClientError::Confused.into());
        };
        let end = self.said.get("end").cloned().unwrap_or_default();
        let of = |name: &str| end.get(name).cloned().unwrap_or_default();
        let used: BTreeMap<String, ToolUse> = serde_json::from_value(of("tools")).unwrap_or_default();
        let denied: Vec<String> = serde_json::from_value(of("denied_tools")).unwrap_or_default();
        let unknown = of("denied_unknown").as_bool() == Some(true);
        let not_kept = audit::calls_made(&self.said).saturating_sub(calls.len() as u64);
        if as_json {
            let mut told = json!({"tools": used, "denied_tools": denied, "calls": calls});
            if let Some(told) = told.as_object_mut() {
                told.extend(unknown.then(|| ("denied_unknown".to_owned(), true.into())));
                told.extend((not_kept > 0).then(|| ("calls_not_kept".to_owned(), not_kept.into())));
            }
            return print_json(&told);
        }
        if unknown {
            note("Whether it was denied any is not known: it was stopped before it said so.\n");
        }
        let once = used.iter().map(|(name, used)| {
            let time = Cell::new(duration(used.millis)).right();
            vec![Cell::new(name), Cell::new(used.count.to_string()).right(), time, Cell::new("")]
        });
        let not = denied.iter().map(|name| {
            vec![Cell::new(name), Cell::new(""), Cell::new(""), Cell::new("denied").toned(Tone::Bad)]
        });
        let rows: Vec<_> = once.chain(not).collect();
        if rows.is_empty() {
            note("It used no tools, as far as the records say.\n");
            return Ok(());
        }
        print_text(&screen.table(&["TOOL", "CALLS", "TIME", ""], rows))?;
        if !calls.is_empty() {
            print_text(&format!("\n{}", timeline(screen, &calls)))?;
        }
        if not_kept > 0 {
            let more = if calls.is_empty() { "" } else { "more " };
            let noun = if not_kept == 1 { "call is" } else { "calls are" };
            note(&format!("{not_kept} {more}{noun} not kept one by one.\n"));
        }
        Ok(())
    }

    async fn tree(&self, frontend: &Frontend, screen: Screen, as_json: bool) -> Result<(), Report> {
        let filter = AuditFilter { tree: Some(self.id), ..AuditFilter::default() };
        let placed = audit::in_tree(audit::dispatches(frontend, filter, TREE_MAX).await?);
        if as_json {
            let each = placed.into_iter().map(|(depth, mut said)| {
                said.insert("depth".to_owned(), depth.into());
                said
            });
            return print_json(&each.collect::<Vec<_>>());
        }
        print_text(&output::dispatches(screen, &placed, Timestamp::now()))
    }

    async fn prompt(&self, frontend: &Frontend, screen: Screen, as_json: bool) -> Result<(), Report> {
        let texts = jobs::texts(frontend, self.job).await?;
        if texts.task.is_empty() {
            return Err(self.gone("the task"));
        }
        if as_json {
            return print_json(&json!({"task": texts.task, "context": texts.context, "goal": texts.goal}));
        }
        let mut text = screen.text(&texts.task);
        for (title, more) in [("context", &texts.context), ("goal", &texts.goal)] {
            if !more.is_empty() {
                let _infallible = write!(text, "\n{title}:\n{}", screen.text(more));
            }
        }
        print_text(&text)
    }

    async fn result(&self, frontend: &Frontend, screen: Screen, as_json: bool) -> Result<(), Report> {
        let Some(view) = frontend.job(self.job).await?.filter(|view| view.record.result.is_some()) else {
            return Err(self.gone("an answer"));
        };
        let answer = frontend.answer(self.job).await?;
        if as_json {
            let parsed = answer.parsed.as_deref().and_then(|json| serde_json::from_str::<Value>(json).ok());
            return print_json(&json!({"success": view.record.state == State::Done, "result": answer.text,
                "parsed_result": parsed}));
        }
        let said = jobs::said(&answer);
        if said.is_empty() {
            let error = view.record.error().map(|error| format!(": {error}")).unwrap_or_default();
            note(&format!("It gave no answer{}\n", one_line(&error, 1000)));
            return Ok(());
        }
        print_text(&screen.text(said))
    }

    async fn resume(&self, frontend: &Frontend, screen: Screen) -> Result<(), Report> {
        let run = if self.job == self.id {
            None
        } else {
            Some(audit::whole(&audit::records_of(frontend, self.job).await?))
        };
        let text = |name| match &run {
            Some(run) => run.get(name).and_then(Value::as_str),
            None => self.text(name),
        };
        let (Some(directory), Some(session)) = (text("directory"), text("session")) else {
            return Err(self.gone("a conversation"));
        };
        let (directory, session) = (shell::quoted(directory), shell::quoted(session));
        print_text(&screen.text(&format!("cd {directory} && claude --resume {session}")))
    }
}

/// Returns the calls of a run one after the other, those of a subagent under the call that started it.
fn timeline(screen: Screen, calls: &[ToolCall]) -> String {
    let parent = |call: &ToolCall| calls.get(call.parent? as usize);
    let rows = calls.iter().map(|call| {
        // A parent comes before its children; more generations than this are not worth the room.
        let depth = std::iter::successors(parent(call), |call| parent(call)).take(DEPTH_MAX).count();
        let (end, tone) = match call.end {
            CallEnd::Done => ("", Tone::Plain),
            CallEnd::Open => ("no result", Tone::Faint),
            CallEnd::Failed => ("failed", Tone::Bad),
            CallEnd::Denied => ("denied", Tone::Bad),
        };
        vec![
            Cell::new(format!("+{}", duration(call.start_ms))).right(),
            Cell::new(call.duration_ms.map(duration).unwrap_or_default()).right(),
            Cell::new(end).toned(tone),
            Cell::new(format!("{}{}", "> ".repeat(depth), call.name)),
            Cell::new(&call.input),
        ]
    });
    screen.table(&["AT", "TOOK", "", "TOOL", "ON"], rows.collect())
}

/// Deepest that a call is set in.
const DEPTH_MAX: usize = 8;

/// Most dispatches of a tree that are shown.
const TREE_MAX: usize = 1000;

/// Returns the records that a person means, the newest first, and the job they are about.
async fn look_up(frontend: &Frontend, what: &str) -> Result<(Vec<AuditEntry>, Option<JobView>), Report> {
    let not_found = |what: String| {
        let hint = "List the newest records with: agent-dispatch audit";
        Report::new(Kind::NotFound, "not_found", what, hint)
    };
    if let Some(seq) = number(what) {
        let Reply::Audit(entries) = frontend.client.ask(&Request::AuditRecord(seq)).await? else {
            return Err(ClientError::Confused.into());
        };
        let missing = entries.is_empty();
        return if missing {
            Err(not_found(format!("there is no audit record {seq}")))
        } else {
            Ok((entries, None))
        };
    }
    let dispatch = jobs::resolve(frontend, what).await?;
    let entries = audit::records_of(frontend, dispatch).await?;
    let job = frontend.job(dispatch).await?;
    if entries.is_empty() && job.is_none() {
        return Err(not_found(format!("nothing is known of the dispatch `{dispatch}`")));
    }
    Ok((entries, job))
}

/// Warns of what is shown beside the records, and is not what they are about.
fn warn_of(differs: &[Differing]) {
    for what in differs {
        note(&format!("warning: {} is not what was recorded\n", what.as_str()));
    }
}

/// A dispatch, or a record, in full.
#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobDocument>,
    /// What is stored of the job and is not what was recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differs: Vec<Differing>,
    records: Vec<Row>,
}

/// Returns the number of a record, if `text` is one: ids are longer, and begin with a zero for centuries.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().filter(|_| !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Fields of a record that its job says already, and those that are told in another way.
const SAID_BY_JOB: [&str; 8] =
    ["dispatch", "root", "agent", "group", "directory", "git_head", "request_digest", "session"];
const TOLD_APART: [&str; 6] = ["seq", "hash", "time", "event", "details", "caller"];

/// Returns a record in full: every field on a line of its own, however deep. With its job beside it, only what it adds.
fn told(entry: &AuditEntry, beside_job: bool, now: Timestamp) -> String {
    let record: Option<Record> = serde_json::from_str(&entry.body).ok();
    let event = record.as_ref().map_or("unreadable", |record| record.event.as_str());
    let mut text = field("record", &format!("{} {event}", entry.head.seq));
    text.push_str(&field("hash", &entry.head.hash.to_string()));
    let Some(record) = record else { return text + &indented(&entry.body, ANSWER_LINES) };
    text.push_str(&field("time", &format!("{} ({})", record.time.local(), when(record.time, now))));
    if let Some(caller) = record.caller.as_ref().filter(|_| !beside_job) {
        text.push_str(&field("asked by", &format!("{} (process {})", asked_by(caller), caller.pid)));
        let inside = caller.parent.map(|parent| field("inside", &parent.to_string()));
        let session = caller.session.as_ref().map(|session| field("of session", session));
        text.extend(inside.into_iter().chain(session));
    }
    let skipped = |name: &str| {
        let by_job = SAID_BY_JOB.contains(&name) || (name == "profile" && record.event != Code::Requested);
        TOLD_APART.contains(&name) || (beside_job && by_job)
    };
    for (name, value) in audit::document(entry).iter().filter(|(name, _)| !skipped(name)) {
        plain(&mut text, name, value);
    }
    for (label, detail) in &record.details {
        if detail.contains('\n') {
            let _infallible = write!(text, "{label}\n{}", indented(detail, ANSWER_LINES));
        } else {
            text.push_str(&field(label, detail));
        }
    }
    text
}

/// Writes a value of a record, parts of it under names such as `end.cost_usd`. What says nothing is left out.
fn plain(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(parts) => {
            for (part, value) in parts {
                plain(text, &format!("{name}.{part}"), value);
            }
        }
        Value::Null => {}
        Value::Array(items) if items.is_empty() && name != "profile.allowed_tools" => {}
        Value::Number(number) if name.starts_with("end.tokens.") && number.as_u64() == Some(0) => {}
        Value::String(said) => text.push_str(&field(name, said)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            text.push_str(&field(name, &value.to_string()));
        }
    }
}

#[cfg(test)]
mod tests;
