//! Records on the screen and in files: a table, lines, JSON, or comma-separated values.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::audit::export::csv;
use crate::audit::redact::one_line;
use crate::audit::{Code, Record};
use crate::budget::usd;
use crate::cli::args::{Layout, OutputArguments};
use crate::cli::jobs::{SHORT_CHARS, short};
use crate::cli::render::{Cell, Screen, Tone, duration, json_line, json_text, when};
use crate::error::{Kind, Report};
use crate::model::absent::nearest;
use crate::model::{JobId, Timestamp};

/// A record, or a dispatch, as one object.
pub(super) type Row = Map<String, Value>;

/// Fields that can be named, or whose parts can.
const FIELDS: [&str; 26] = [
    "seq",
    "hash",
    "time",
    "ended",
    "event",
    "dispatch",
    "answered_by",
    "parent",
    "root",
    "caller",
    "agent",
    "group",
    "directory",
    "git_head",
    "request_digest",
    "task_preview",
    "task_mac",
    "context_mac",
    "secrets",
    "trace",
    "profile",
    "session",
    "status",
    "end",
    "reason",
    "details",
];

/// The parts of `end`.
const END_FIELDS: [&str; 20] = [
    "success",
    "error_type",
    "error",
    "outcome",
    "cost_usd",
    "duration_ms",
    "turns",
    "model",
    "tokens",
    "tools",
    "denied_tools",
    "denied_unknown",
    "answer_digest",
    "parsed_digest",
    "answer_bytes",
    "answer_mac",
    "answer_preview",
    "changes",
    "calls_digest",
    "recovered",
];

/// The columns of comma-separated values when no fields are named.
const CSV_FIELDS: [&str; 19] = [
    "seq",
    "time",
    "event",
    "dispatch",
    "root",
    "agent",
    "caller.client",
    "caller.declared",
    "status",
    "end.success",
    "end.outcome",
    "end.error_type",
    "end.cost_usd",
    "end.duration_ms",
    "end.turns",
    "end.model",
    "directory",
    "task_preview",
    "reason",
];

/// Longest line about a record, in characters.
const LINE_CHARS: usize = 500;

/// Prints records in one of the ways.
#[derive(Debug)]
pub(super) struct Printer {
    pub(super) format: Layout,
    pub(super) screen: Screen,
    fields: Vec<String>,
    pub(super) now: Timestamp,
    /// Whether the headings stand already.
    begun: bool,
}

impl Printer {
    /// Returns a printer of what was asked for.
    pub(super) fn new(screen: Screen, asked: &OutputArguments, now: Timestamp) -> Result<Self, Report> {
        let format = if asked.json { Layout::Json } else { asked.output };
        let mut fields: Vec<String> = asked.fields.iter().map(|name| name.trim().to_owned()).collect();
        let known = |name: &String| {
            let mut parts = name.split('.');
            let whole = parts.next().unwrap_or_default();
            FIELDS.contains(&whole)
                && (whole != "end" || parts.next().is_none_or(|part| END_FIELDS.contains(&part)))
        };
        if let Some(unknown) = fields.iter().find(|name| !known(name)) {
            let mut message = format!("no record has a field `{}`", one_line(unknown, 60));
            let of_end = END_FIELDS.map(|name| format!("end.{name}"));
            let all: Vec<&str> = FIELDS.into_iter().chain(of_end.iter().map(String::as_str)).collect();
            if let Some(nearest) = nearest(unknown, &all) {
                let _infallible = write!(message, "; did you mean `{nearest}`?");
            }
            let hint = format!(
                "Fields: {}; parts of them with a dot, as in end.cost_usd. Of end: {}.",
                FIELDS.join(", "),
                END_FIELDS.join(", ")
            );
            return Err(Report::new(Kind::Usage, "invalid_field", message, hint));
        }
        if fields.is_empty() && format == Layout::Csv {
            fields = CSV_FIELDS.map(str::to_owned).to_vec();
        }
        Ok(Self { format, screen, fields, now, begun: false })
    }

    /// Returns whether records can be printed as they come.
    pub(super) const fn streams(&self) -> bool {
        matches!(self.format, Layout::Oneline | Layout::Jsonl | Layout::Csv)
    }

    pub(super) const fn has_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Prints a line each from now on, where a table was asked for.
    pub(super) fn in_lines(&mut self) {
        match self.format {
            Layout::Table => self.format = Layout::Oneline,
            Layout::Json => self.format = Layout::Jsonl,
            Layout::Oneline | Layout::Jsonl | Layout::Csv => {}
        }
    }

    /// Returns whether nothing must be printed, too, to be understood: `[]`, or headings.
    pub(super) fn says_nothing_whole(&self, count: usize) -> bool {
        count == 0 && matches!(self.format, Layout::Json | Layout::Csv)
    }

    /// Returns these records as text.
    pub(super) fn text(&mut self, rows: &[Row]) -> Result<String, Report> {
        let mut text = String::new();
        match self.format {
            Layout::Table if self.has_fields() => return Ok(self.columns(rows)),
            Layout::Table => return Ok(table(self.screen, rows, self.now)),
            Layout::Json => return json_text(&rows.iter().map(|row| self.chosen(row)).collect::<Vec<_>>()),
            Layout::Jsonl => {
                for row in rows {
                    text.push_str(&json_line(&self.chosen(row))?);
                }
            }
            Layout::Oneline => {
                for row in rows {
                    let line = if self.has_fields() { self.values(row).join("  ") } else { line(row) };
                    text.push_str(&one_line(&line, LINE_CHARS));
                    text.push('\n');
                }
            }
            Layout::Csv => {
                if !std::mem::replace(&mut self.begun, true) {
                    text.push_str(&csv::row(self.fields.iter().cloned()));
                }
                for row in rows {
                    text.push_str(&csv::row(self.values(row).into_iter()));
                }
                text = if self.screen.terminal { self.screen.text(&text) } else { text };
            }
        }
        Ok(text)
    }

    fn columns(&self, rows: &[Row]) -> String {
        let headings: Vec<String> = self.fields.iter().map(|name| name.to_uppercase()).collect();
        let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
        let cells = rows.iter().map(|row| self.values(row).iter().map(Cell::new).collect());
        self.screen.table(&headings, cells.collect())
    }

    fn values(&self, row: &Row) -> Vec<String> {
        self.fields.iter().map(|name| value_at(row, name).map(plain).unwrap_or_default()).collect()
    }

    /// Returns the fields that were asked for, or all.
    fn chosen(&self, row: &Row) -> Row {
        if !self.has_fields() {
            return row.clone();
        }
        let each = self.fields.iter().map(|name| (name.clone(), value_at(row, name).cloned()));
        each.map(|(name, value)| (name, value.unwrap_or_default())).collect()
    }
}

/// Returns dispatches as a table; those that were called stand behind an indent below who called them.
pub(super) fn dispatches(screen: Screen, placed: &[(usize, Row)], now: Timestamp) -> String {
    let names = names(&placed.iter().map(|(_, row)| row).collect::<Vec<_>>());
    let rows = placed.iter().map(|(depth, row)| {
        let Some(record) = read(row) else { return vec![Cell::new("unreadable").toned(Tone::Bad)] };
        let name = id(&record).and_then(|id| names.get(&id).cloned()).unwrap_or_default();
        // White space at the beginning of a cell would go.
        let branch = match depth {
            0 => name,
            depth => format!("{}└─{name}", "··".repeat(depth - 1)),
        };
        let end = record.end.as_ref().filter(|_| record.event != Code::Hit);
        vec![
            Cell::new(branch),
            Cell::new(when(record.time, now)),
            Cell::new(record.agent.as_deref().unwrap_or_default()),
            Cell::new(asker(&record)),
            Cell::new(verdict(&record)).toned(tone(&record)),
            Cell::new(end.map(|end| duration(end.duration_ms)).unwrap_or_default()).right(),
            Cell::new(end.and_then(|end| end.cost_usd).map(usd).unwrap_or_default()).right(),
            Cell::new(record.task_preview.as_deref().or(record.reason.as_deref()).unwrap_or_default()),
        ]
    });
    let columns = [
        ("DISPATCH", 0),
        ("ASKED", 1),
        ("AGENT", 0),
        ("BY", 4),
        ("END", 0),
        ("TOOK", 3),
        ("COST", 2),
        ("TASK", 0),
    ];
    screen.ranked_table(&columns, rows.collect())
}

/// Returns what a dotted name leads to.
pub(super) fn value_at<'a>(row: &'a Row, name: &str) -> Option<&'a Value> {
    // Names of tools may have dots, and then stand last.
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let mut at = row.get(first)?;
    let mut rest = rest;
    while !rest.is_empty() {
        let object = at.as_object()?;
        if let Some(found) = object.get(rest) {
            return Some(found);
        }
        let (part, more) = rest.split_once('.')?;
        at = object.get(part)?;
        rest = more;
    }
    Some(at)
}

pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
        }
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn read(row: &Row) -> Option<Record> {
    serde_json::from_value(Value::Object(row.clone())).ok()
}

fn id(record: &Record) -> Option<JobId> {
    record.dispatch.as_ref()?.parse().ok()
}

/// Returns short names for the dispatches of these rows.
fn names(rows: &[&Row]) -> BTreeMap<JobId, String> {
    let ids: Vec<JobId> = rows.iter().filter_map(|row| row.get("dispatch")?.as_str()?.parse().ok()).collect();
    ids.iter().copied().zip(short(&ids)).collect()
}

/// Returns who asked, in a word.
fn asker(record: &Record) -> &str {
    let caller = record.caller.as_ref();
    caller.map(|caller| caller.declared.as_deref().unwrap_or(&caller.client)).unwrap_or_default()
}

/// Returns where a dispatch stands, in a word.
fn verdict(record: &Record) -> String {
    let end = record.end.as_ref();
    match record.event {
        Code::Hit => "cached".to_owned(),
        Code::Finished => end
            .and_then(|end| end.error_type.clone().or_else(|| end.outcome.clone()))
            .unwrap_or_else(|| "answered".to_owned()),
        other => other.as_str().to_owned(),
    }
}

/// Returns a record on one line of any length.
fn line(row: &Row) -> String {
    let seq = row.get("seq").map(plain).unwrap_or_default();
    let Some(record) = read(row) else { return format!("{seq}  unreadable") };
    let dispatch = record.dispatch.as_deref().map(|id| id.get(..SHORT_CHARS).unwrap_or(id));
    let parts = [
        record.time.local(),
        format!("#{seq}"),
        record.event.as_str().to_owned(),
        record.agent.clone().unwrap_or_default(),
        asker(&record).to_owned(),
        dispatch.unwrap_or_default().to_owned(),
        gist(&record),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

pub(super) fn table(screen: Screen, rows: &[Row], now: Timestamp) -> String {
    let names = names(&rows.iter().collect::<Vec<_>>());
    let rows = rows.iter().map(|row| {
        let seq = row.get("seq").map(plain).unwrap_or_default();
        let Some(record) = read(row) else {
            return vec![Cell::new(seq), Cell::new("?"), Cell::new("unreadable").toned(Tone::Bad)];
        };
        let dispatch = id(&record).and_then(|id| names.get(&id).cloned()).unwrap_or_default();
        vec![
            Cell::new(seq),
            Cell::new(when(record.time, now)),
            Cell::new(record.event.as_str()).toned(tone(&record)),
            Cell::new(record.agent.as_deref().unwrap_or_default()),
            Cell::new(asker(&record)),
            Cell::new(dispatch),
            Cell::new(gist(&record)),
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
        Code::Refused
        | Code::ConfigRefused
        | Code::Interrupted
        | Code::Gap
        | Code::Quarantined
        | Code::VerifyFailed => Tone::Bad,
        Code::ConfigChanged | Code::CacheCleared | Code::Gc | Code::KeyReplaced | Code::Retention => {
            Tone::Busy
        }
        Code::Requested
        | Code::Hit
        | Code::Joined
        | Code::Started
        | Code::CancelRequested
        | Code::Cancelled => Tone::Plain,
    }
}

/// Returns what a record says in a few words.
pub(super) fn gist(record: &Record) -> String {
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

#[cfg(test)]
mod tests;
