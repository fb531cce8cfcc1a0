//! Which records are asked for: the filter, the rule by which a record fits it, and how a long search goes on.

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::audit::chain::Head;
use crate::audit::stats::failure_class;
use crate::audit::{Code, End, Record};
use crate::model::{Caller, JobId, Timestamp};

/// Which audit records to list. Each part narrows it down; of several values of one part any will do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Only records of these agents.
    pub agents: Vec<String>,
    /// Only records of this dispatch.
    pub dispatch: Option<JobId>,
    /// Only records of the call tree to which this dispatch belongs.
    pub tree: Option<JobId>,
    /// Only records not older than this.
    pub since: Option<Timestamp>,
    /// Only records not newer than this.
    pub until: Option<Timestamp>,
    /// Only records of these events.
    pub events: Vec<Code>,
    /// Only what these asked for: a declared name, a client, or (the beginning of) a session.
    pub callers: Vec<String>,
    /// Only records that say that the job reached one of these states; `refused` stands for refusals.
    pub statuses: Vec<String>,
    /// Only records with one of these verdicts of the agent.
    pub outcomes: Vec<String>,
    /// Only records of failures of these classes.
    pub error_types: Vec<String>,
    /// Only records of these conversations: their ids, or the beginnings of them.
    pub sessions: Vec<String>,
    /// Only records of runs that used one of these tools, or were denied it.
    pub tools: Vec<String>,
    /// Only records of runs with a model whose name holds one of these.
    pub models: Vec<String>,
    /// Only records of runs that were denied a tool.
    pub denied: bool,
    /// Only answers from the cache.
    pub cached: bool,
    /// Only records of runs that cost at least this, in US dollars.
    pub min_cost_usd: Option<f64>,
    /// Only records of runs that took at least this, in milliseconds.
    pub slower_than_ms: Option<u64>,
    /// Only records in which a text fits one of these patterns; upper and lower case are the same.
    pub patterns: Vec<String>,
    /// At most this many.
    pub limit: u32,
}

impl AuditFilter {
    /// Returns whether every record of its time fits.
    pub fn takes_all(&self) -> bool {
        let when = Self { since: self.since, until: self.until, limit: self.limit, ..Self::default() };
        *self == when
    }
}

/// One audit record in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number and hash.
    pub head: Head,
    /// The record, as JSON text.
    pub body: String,
}

/// A search, or the next part of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// What is sought.
    pub filter: AuditFilter,
    /// Where to look.
    pub from: Place,
    /// How long to wait for a record when there is none, in milliseconds.
    pub wait_ms: u64,
}

/// Where a search begins, and in which direction it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// At the newest record, towards older ones.
    Newest,
    /// Before the record with this number, towards older ones.
    Before(u64),
    /// After the record with this number, towards newer ones.
    After(u64),
}

/// What one part of a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Records, in the direction of the search.
    pub entries: Vec<AuditEntry>,
    /// Where to go on; nothing when all was seen.
    pub next: Option<Place>,
    /// The last record there was when it was looked for.
    pub head: u64,
}

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a pattern: {reason}")]
pub struct BadPattern {
    pattern: String,
    reason: String,
}

/// A filter, ready to be held against records.
#[derive(Debug)]
pub struct Matcher<'a> {
    filter: &'a AuditFilter,
    patterns: Vec<Regex>,
    /// A record that fits holds at least one text of each list.
    needles: Vec<Vec<String>>,
}

/// The least of a session's id that stands for all of it.
const SESSION_CHARS_MIN: usize = 8;

impl<'a> Matcher<'a> {
    /// Returns the filter with its patterns read.
    pub fn new(filter: &'a AuditFilter) -> Result<Self, BadPattern> {
        let read = |pattern: &String| {
            let built = RegexBuilder::new(pattern).case_insensitive(true).build();
            built.map_err(|bad| BadPattern { pattern: pattern.clone(), reason: bad.to_string() })
        };
        let patterns = filter.patterns.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { filter, patterns, needles: needles(filter) })
    }

    /// Returns whether a record with this JSON text may fit: quick, and never wrong when it says no.
    pub fn may_match(&self, body: &str) -> bool {
        self.needles.iter().all(|any| any.iter().any(|needle| body.contains(needle)))
    }

    /// Returns whether a record fits. Of a tree, it does if it names the root.
    pub fn matches(&self, record: &Record) -> bool {
        let asked = self.filter;
        let text = |field: &Option<String>, wanted: &String| field.as_ref() == Some(wanted);
        let id = |field: &Option<String>, wanted: Option<JobId>| {
            wanted.is_none_or(|wanted| field.as_ref().is_some_and(|id| *id == wanted.to_string()))
        };
        asked.since.is_none_or(|since| record.time >= since)
            && asked.until.is_none_or(|until| record.time <= until)
            && one_of(&asked.events, |event| record.event == *event)
            && one_of(&asked.agents, |agent| text(&record.agent, agent))
            && id(&record.dispatch, asked.dispatch)
            && (id(&record.root, asked.tree) || id(&record.dispatch, asked.tree))
            && one_of(&asked.callers, |who| record.caller.as_ref().is_some_and(|caller| is_of(caller, who)))
            && one_of(&asked.statuses, |status| {
                text(&record.status, status) || (status == "refused" && record.event == Code::Refused)
            })
            && one_of(&asked.sessions, |wanted| begins(record.session.as_deref(), wanted))
            && one_of(&asked.error_types, |wanted| class(record) == Some(wanted))
            && (!asked.cached || record.event == Code::Hit)
            && self.matches_end(record)
            && (self.patterns.is_empty() || self.patterns.iter().any(|pattern| is_found(pattern, record)))
    }

    fn matches_end(&self, record: &Record) -> bool {
        let asked = self.filter;
        let end = record.end.as_ref();
        let has = |holds: &dyn Fn(&End) -> bool| end.is_some_and(holds);
        let models = || {
            let used = end.and_then(|end| end.model.as_deref());
            used.or_else(|| record.profile.as_ref()?.model.as_deref())
        };
        one_of(&asked.outcomes, |wanted| has(&|end| end.outcome.as_ref() == Some(wanted)))
            && one_of(&asked.tools, |tool| {
                has(&|end| {
                    end.tools.keys().chain(&end.denied_tools).any(|used| used.eq_ignore_ascii_case(tool))
                })
            })
            && one_of(&asked.models, |wanted| models().is_some_and(|model| holds(model, wanted)))
            && (!asked.denied || has(&|end| !end.denied_tools.is_empty()))
            && asked.min_cost_usd.is_none_or(|least| has(&|end| end.cost_usd.is_some_and(|it| it >= least)))
            // An answer from the cache took no time, whatever its record says.
            && asked.slower_than_ms.is_none_or(|least| {
                record.event != Code::Hit && has(&|end| end.duration_ms >= least)
            })
    }
}

fn one_of<T>(wanted: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(holds)
}

/// Returns whether `text` holds `part`, upper and lower case being the same.
fn holds(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

fn begins(id: Option<&str>, wanted: &str) -> bool {
    id.is_some_and(|id| id == wanted || (wanted.len() >= SESSION_CHARS_MIN && id.starts_with(wanted)))
}

/// Returns whether the caller is who a person means: by the name it gave, its program, or its session.
fn is_of(caller: &Caller, who: &str) -> bool {
    let named = caller.declared.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(who));
    // `claude-code` is also `claude-code 2.1.30`.
    let program = caller.client.split([' ', '/']).next().unwrap_or_default();
    named
        || caller.client.eq_ignore_ascii_case(who)
        || program.eq_ignore_ascii_case(who)
        || begins(caller.session.as_deref(), who)
}

/// Returns why a dispatch failed, in one word.
fn class(record: &Record) -> Option<&str> {
    let end = record.end.as_ref();
    let error_type = end.and_then(|end| end.error_type.as_deref());
    let success = end.is_some_and(|end| end.success);
    failure_class(record.event, success, error_type, record.reason.as_deref())
}

/// Returns whether a text of the record that says something to a person fits.
fn is_found(pattern: &Regex, record: &Record) -> bool {
    let own = [
        &record.dispatch,
        &record.agent,
        &record.group,
        &record.directory,
        &record.task_preview,
        &record.session,
        &record.reason,
        &record.git_head,
    ];
    let caller = record.caller.iter().flat_map(|caller| {
        let known = [&caller.declared, &caller.session, &caller.directory];
        known.into_iter().flatten().chain([&caller.client])
    });
    let end = record.end.iter().flat_map(|end| {
        let known = [&end.error, &end.error_type, &end.outcome, &end.model, &end.answer_preview];
        let changes = end.changes.iter().flat_map(|changes| {
            let named = [&changes.branch_before, &changes.branch, &changes.head_before, &changes.head];
            named.into_iter().flatten().chain(&changes.commits).chain(&changes.files)
        });
        known.into_iter().flatten().chain(end.tools.keys()).chain(&end.denied_tools).chain(changes)
    });
    let mut texts =
        own.into_iter().flatten().chain(caller).chain(end).chain(record.details.values()).map(String::as_str);
    texts.any(|text| pattern.is_match(text)) || pattern.is_match(record.event.as_str())
}

/// Returns what a record that fits must hold, as it is written.
fn needles(asked: &AuditFilter) -> Vec<Vec<String>> {
    let field = |name: &str, value: &str| {
        let value = serde_json::Value::from(value);
        format!("\"{name}\":{value}")
    };
    let each = |name: &'static str, values: &[String]| -> Vec<String> {
        values.iter().map(|value| field(name, value)).collect()
    };
    let refused = || field("event", Code::Refused.as_str());
    let mut statuses = each("status", &asked.statuses);
    statuses.extend(asked.statuses.iter().filter(|status| *status == "refused").map(|_| refused()));
    let events = asked.events.iter().map(|event| field("event", event.as_str())).collect();
    let begun = |value: &String| field("session", value).trim_end_matches('"').to_owned();
    let only = |wanted: bool, needle: &str| if wanted { vec![needle.to_owned()] } else { Vec::new() };
    // A record without a root may still belong to the tree by its parent.
    let tree = asked.tree.map_or_else(Vec::new, |root| vec![root.to_string(), "\"parent\":\"".to_owned()]);
    let mut needles = vec![
        each("agent", &asked.agents),
        asked.dispatch.map(|id| field("dispatch", &id.to_string())).into_iter().collect(),
        tree,
        events,
        statuses,
        each("outcome", &asked.outcomes),
        asked.sessions.iter().map(begun).collect(),
        only(asked.cached, &field("event", Code::Hit.as_str())),
        only(asked.denied, "\"denied_tools\":["),
        only(asked.min_cost_usd.is_some(), "\"cost_usd\":"),
        only(asked.slower_than_ms.is_some() || !asked.tools.is_empty(), "\"duration_ms\":"),
    ];
    needles.retain(|any| !any.is_empty());
    needles
}

#[cfg(test)]
mod tests;
