//! `agent-dispatch audit`: records as a list, one dispatch or record in full, and the check of the whole trail.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::audit::chain::Head;
use crate::audit::query::{AuditEntry, AuditFilter, VerifyReport};
use crate::audit::{Code, Record};
use crate::budget::usd;
use crate::cli::args::AuditArguments;
use crate::cli::jobs::{self, ANSWER_LINES, SHORT_CHARS, asked_by, short};
use crate::cli::progress;
use crate::cli::render::{
    Cell, Screen, Tone, duration, fact, field, indented, note, print_json, print_text, when,
};
use crate::daemon::ClientError;
use crate::daemon::protocol::{JobView, Reply, Request};
use crate::dispatch::Frontend;
use crate::document::{JobDocument, Measure};
use crate::error::{Kind, Report};
use crate::model::{JobId, Timestamp};

pub(super) mod hash;

/// Most records of one dispatch that are shown: a dispatch has about four.
const RECORDS_MAX: u32 = 1000;

/// Lists records, the newest first.
pub(super) async fn list(frontend: &Frontend, screen: Screen, asked: AuditArguments) -> Result<(), Report> {
    let now = Timestamp::now();
    let since = asked.since.map(|text| Timestamp::parse(&text, now)).transpose().map_err(|bad| {
        Report::new(Kind::Usage, "invalid_time", bad.to_string(), "See: agent-dispatch audit --help")
    })?;
    let dispatch = match &asked.dispatch {
        Some(text) => Some(jobs::resolve(frontend, text).await?),
        None => None,
    };
    let filter = AuditFilter { agent: asked.agent, dispatch, since, limit: asked.limit };
    let entries = records(frontend, Request::Audit(filter)).await?;
    if asked.json {
        return print_json(&entries.iter().map(document).collect::<Vec<_>>());
    }
    if entries.is_empty() {
        note("There are no such records.\n");
        return Ok(());
    }
    print_text(&table(screen, &entries, now))
}

/// Shows a dispatch with all its records, or one record.
pub(super) async fn show(frontend: &Frontend, what: &str, as_json: bool) -> Result<(), Report> {
    let (entries, job) = look_up(frontend, what).await?;
    if as_json {
        let job = match &job {
            Some(view) => Some(JobDocument::read(frontend, view, Measure::WHOLE).await?),
            None => None,
        };
        return print_json(&Shown { job, records: entries.iter().map(document).collect() });
    }
    let now = Timestamp::now();
    let mut parts = Vec::new();
    if let Some(view) = &job {
        parts.push(jobs::told(frontend, view, now).await?);
    }
    // As it happened: the oldest first.
    parts.extend(entries.iter().rev().map(|entry| told(entry, job.is_some(), now)));
    print_text(&parts.join("\n"))
}

/// Returns the records that a person means, the newest first, and the job they are about.
async fn look_up(frontend: &Frontend, what: &str) -> Result<(Vec<AuditEntry>, Option<JobView>), Report> {
    let not_found = |what: String| {
        let hint = "List the newest records with: agent-dispatch audit";
        Report::new(Kind::NotFound, "not_found", what, hint)
    };
    if let Some(seq) = number(what) {
        let entries = records(frontend, Request::AuditRecord(seq)).await?;
        let missing = entries.is_empty();
        return if missing {
            Err(not_found(format!("there is no audit record {seq}")))
        } else {
            Ok((entries, None))
        };
    }
    let dispatch = jobs::resolve(frontend, what).await?;
    let filter = AuditFilter { dispatch: Some(dispatch), limit: RECORDS_MAX, ..AuditFilter::default() };
    let entries = records(frontend, Request::Audit(filter)).await?;
    let job = frontend.job(dispatch).await?;
    if entries.is_empty() && job.is_none() {
        return Err(not_found(format!("nothing is known of the dispatch `{dispatch}`")));
    }
    Ok((entries, job))
}

/// Checks the whole trail.
pub(super) async fn verify(frontend: &Frontend, as_json: bool) -> Result<ExitCode, Report> {
    let asked = frontend.client.ask(&Request::Verify);
    let Reply::Verified(report) = progress::during(&frontend.environment, "checking", asked).await? else {
        return Err(ClientError::Confused.into());
    };
    let whole = report.faults.is_empty();
    if as_json {
        print_json(&Verified { whole, report: &report })?;
    } else {
        print_text(&checked(&report))?;
        if let Some(fault) = report.faults.first() {
            let hint =
                "Keep the state directory as it is: what follows the bad record still has its own order.";
            let error = Report::new(
                Kind::Failed,
                "audit_broken",
                format!("the audit trail is broken: {fault}"),
                hint,
            );
            note(&error.text());
        }
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.exit_code()) })
}

/// A dispatch, or a record, in full.
#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobDocument>,
    records: Vec<Value>,
}

/// What the check found.
#[derive(Serialize)]
struct Verified<'a> {
    whole: bool,
    #[serde(flatten)]
    report: &'a VerifyReport,
}

async fn records(frontend: &Frontend, request: Request) -> Result<Vec<AuditEntry>, Report> {
    match frontend.client.ask(&request).await? {
        Reply::Audit(entries) => Ok(entries),
        _ => Err(ClientError::Confused.into()),
    }
}

/// Returns the number of a record, if `text` is one: ids are longer, and begin with a zero for centuries.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().filter(|_| !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns a record as one JSON object: its place in the chain, then everything it says.
fn document(entry: &AuditEntry) -> Value {
    let mut object = Map::new();
    object.insert("seq".to_owned(), entry.head.seq.into());
    object.insert("hash".to_owned(), entry.head.hash.to_string().into());
    match serde_json::from_str(&entry.body) {
        Ok(Value::Object(fields)) => object.extend(fields),
        // Whatever it is, it is shown.
        Ok(_) | Err(_) => {
            object.insert("unreadable".to_owned(), entry.body.clone().into());
        }
    }
    Value::Object(object)
}

fn table(screen: Screen, entries: &[AuditEntry], now: Timestamp) -> String {
    let read: Vec<(Head, Option<Record>)> =
        entries.iter().map(|entry| (entry.head, serde_json::from_str(&entry.body).ok())).collect();
    let id = |record: &Record| record.dispatch.as_ref()?.parse::<JobId>().ok();
    let ids: Vec<JobId> = read.iter().filter_map(|(_, record)| id(record.as_ref()?)).collect();
    let names: BTreeMap<JobId, String> = ids.iter().copied().zip(short(&ids)).collect();
    let rows = read.iter().map(|(head, record)| {
        let Some(record) = record else {
            return vec![
                Cell::new(head.seq.to_string()),
                Cell::new("?"),
                Cell::new("unreadable").toned(Tone::Bad),
            ];
        };
        let dispatch = id(record).and_then(|id| names.get(&id).cloned()).unwrap_or_default();
        let client = record.caller.as_ref().map(|caller| caller.client.as_str());
        vec![
            Cell::new(head.seq.to_string()),
            Cell::new(when(record.time, now)),
            Cell::new(record.event.as_str()).toned(tone(record)),
            Cell::new(record.agent.as_deref().unwrap_or_default()),
            Cell::new(client.unwrap_or_default()),
            Cell::new(dispatch),
            Cell::new(gist(record)),
        ]
    });
    let columns =
        [("SEQ", 0), ("WHEN", 1), ("EVENT", 0), ("AGENT", 0), ("BY", 3), ("DISPATCH", 2), ("WHAT", 0)];
    screen.ranked_table(&columns, rows.collect())
}

const fn tone(record: &Record) -> Tone {
    match record.event {
        Code::Finished => match &record.end {
            Some(end) if end.success => Tone::Good,
            Some(_) | None => Tone::Bad,
        },
        Code::Refused | Code::Interrupted | Code::Gap | Code::Quarantined => Tone::Bad,
        Code::ConfigChanged | Code::CacheCleared | Code::Gc | Code::KeyReplaced => Tone::Busy,
        Code::Requested
        | Code::Hit
        | Code::Joined
        | Code::Started
        | Code::CancelRequested
        | Code::Cancelled => Tone::Plain,
    }
}

/// Returns what a record says in a few words.
fn gist(record: &Record) -> String {
    if let Some(by) = &record.answered_by {
        let what = if record.event == Code::Joined { "joined" } else { "answer of" };
        let task = record.task_preview.as_deref().unwrap_or_default();
        return format!("{what} {}: {task}", by.get(..SHORT_CHARS).unwrap_or(by));
    }
    if let Some(end) = &record.end {
        let mut parts = vec![match (&end.error_type, &end.outcome) {
            (Some(class), _) => class.clone(),
            (None, Some(outcome)) => outcome.clone(),
            (None, None) => "answered".to_owned(),
        }];
        parts.extend(end.turns.map(|turns| format!("{turns} turn{}", if turns == 1 { "" } else { "s" })));
        parts.extend(end.cost_usd.map(usd));
        parts.push(duration(end.duration_ms));
        parts.extend(end.error.clone());
        return parts.join(", ");
    }
    record.reason.clone().or_else(|| record.task_preview.clone()).unwrap_or_default()
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
    if let Value::Object(fields) = document(entry) {
        let skipped = |name: &str| {
            let by_job =
                SAID_BY_JOB.contains(&name) || (name == "profile" && record.event != Code::Requested);
            TOLD_APART.contains(&name) || (beside_job && by_job)
        };
        for (name, value) in fields.iter().filter(|(name, _)| !skipped(name)) {
            plain(&mut text, name, value);
        }
    }
    for (label, detail) in &record.details {
        let _infallible = write!(text, "{}{}", field(label, ""), indented(detail, ANSWER_LINES));
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

fn checked(report: &VerifyReport) -> String {
    let head = |head: &Head| format!("{}:{}", head.seq, head.hash);
    let mut text = fact("audit trail", if report.faults.is_empty() { "whole" } else { "BROKEN" });
    text.push_str(&fact("records", &report.records.to_string()));
    text.push_str(&fact("first", &report.first.to_string()));
    text.push_str(&fact("head", &head(&report.head)));
    text.push_str(&fact("outside head", &report.outside.as_ref().map_or("unknown".to_owned(), head)));
    for fault in &report.faults {
        text.push_str(&fact("fault", &fault.to_string()));
    }
    for said in &report.notes {
        text.push_str(&fact("note", said));
    }
    text
}

#[cfg(test)]
mod tests;
