//! Questions to the audit trail, as both doors ask them, and records as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::audit::Code;
use crate::audit::query::{AuditEntry, AuditFilter, Matcher, Place, Search};
use crate::audit::redact::one_line;
use crate::audit::verdict::Differing;
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::error::{Kind, Report};
use crate::job::State;
use crate::model::clock::millis_of;
use crate::model::{FailureClass, JobId, Outcome, Timestamp};

/// A question, in the words in which it was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Question {
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) slower_than: Option<String>,
    pub(crate) events: Vec<String>,
    /// The rest, as it is sought.
    pub(crate) filter: AuditFilter,
}

/// Longest pattern, in characters: longer ones are no questions of a person.
const PATTERN_CHARS_MAX: usize = 1000;

impl Question {
    /// Returns what is sought, or what is wrong with the question.
    pub(crate) fn filter(self, now: Timestamp) -> Result<AuditFilter, Report> {
        let time = |text: Option<String>| {
            let parsed = text.map(|text| Timestamp::parse(&text, now)).transpose();
            parsed.map_err(|bad| wrong("invalid_time", bad.to_string(), "Say it in one of those ways."))
        };
        let mut filter = self.filter;
        filter.since = time(self.since)?;
        filter.until = time(self.until)?;
        if let Some(text) = self.slower_than {
            let millis = millis_of(&text).ok_or_else(|| {
                let message = format!("`{}` is no length of time", one_line(&text, 60));
                wrong("invalid_time", message, "Say it in seconds, or as in: 90s, 5 min, 2h")
            })?;
            filter.slower_than_ms = Some(millis);
        }
        if let Some(cost) = filter.min_cost_usd.filter(|cost| !(0.0..f64::INFINITY).contains(cost)) {
            return Err(wrong(
                "invalid_cost",
                format!("`{cost}` is no sum of money"),
                "Say it in US dollars.",
            ));
        }
        for event in self.events {
            filter.events.push(Code::named(&event).ok_or_else(|| {
                let hint = format!("Use one of: {}.", Code::ALL.map(Code::as_str).join(", "));
                wrong("invalid_event", format!("there is no event `{}`", one_line(&event, 60)), &hint)
            })?);
        }
        let states = State::ALL.map(State::as_str);
        known("status", &filter.statuses, &[&states[..], &["refused"]].concat())?;
        known("outcome", &filter.outcomes, &Outcome::ALL.map(Outcome::as_str))?;
        let classes = FailureClass::ALL.map(FailureClass::as_str);
        known("error type", &filter.error_types, &[&classes[..], &["unknown"]].concat())?;
        if filter.patterns.iter().any(|pattern| pattern.chars().count() > PATTERN_CHARS_MAX) {
            let message = format!("a pattern has more than {PATTERN_CHARS_MAX} characters");
            return Err(wrong("invalid_pattern", message, "Look for less."));
        }
        Matcher::new(&filter).map_err(|bad| {
            wrong("invalid_pattern", bad.to_string(), "Put a backslash before ( [ { * + ? . |")
        })?;
        Ok(filter)
    }
}

fn wrong(code: &'static str, message: String, hint: &str) -> Report {
    Report::new(Kind::Usage, code, message, hint)
}

fn known(what: &str, given: &[String], names: &[&str]) -> Result<(), Report> {
    let Some(unknown) = given.iter().find(|one| !names.contains(&one.as_str())) else { return Ok(()) };
    // A job that is being stopped is a running one, too.
    let mut names = names.to_vec();
    names.dedup();
    let message = format!("`{}` is no {what}", one_line(unknown, 60));
    Err(wrong("invalid_value", message, &format!("Use one of: {}.", names.join(", "))))
}

/// Records asked for at once.
const PAGE: u32 = 500;

/// Shows `each` the newest `limit` records that fit, the newest first, part by part, until it has seen enough. Returns how
/// many there were.
pub(crate) async fn search(
    frontend: &Frontend,
    mut filter: AuditFilter,
    limit: usize,
    mut each: impl FnMut(Vec<AuditEntry>) -> Result<bool, Report>,
) -> Result<usize, Report> {
    let mut found = 0;
    let mut from = Place::Newest;
    while found < limit {
        filter.limit = u32::try_from(limit - found).unwrap_or(PAGE).min(PAGE);
        let search = Search { filter: filter.clone(), from, wait_ms: 0 };
        let Reply::Page(page) = frontend.client.ask(&Request::Search(Box::new(search))).await? else {
            return Err(ClientError::Confused.into());
        };
        found += page.entries.len();
        if !page.entries.is_empty() && !each(page.entries)? {
            break;
        }
        let Some(next) = page.next else { break };
        from = next;
    }
    Ok(found)
}

/// Returns the newest `limit` records that fit, the newest first.
pub(crate) async fn records(
    frontend: &Frontend,
    filter: AuditFilter,
    limit: usize,
) -> Result<Vec<AuditEntry>, Report> {
    let mut all = Vec::new();
    search(frontend, filter, limit, |entries| {
        all.extend(entries);
        Ok(true)
    })
    .await?;
    Ok(all)
}

/// Returns a record as one JSON object: its place in the chain, then everything it says.
pub(crate) fn document(entry: &AuditEntry) -> Map<String, Value> {
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
    object
}

/// Most records of one dispatch that are looked at: a dispatch has about four.
pub(crate) const RECORDS_MAX: usize = 1000;

/// Returns dispatches, each as one object that says what all its records say: the later word counts, but `time` is when it
/// was asked for, and `ended` when it ended.
pub(crate) async fn dispatches(
    frontend: &Frontend,
    filter: AuditFilter,
    limit: usize,
) -> Result<Vec<Map<String, Value>>, Report> {
    let (mut ids, mut seen) = (Vec::new(), BTreeSet::new());
    let mut from = Place::Newest;
    let filter = AuditFilter { limit: PAGE, ..filter };
    while ids.len() < limit {
        let search = Search { filter: filter.clone(), from, wait_ms: 0 };
        let Reply::Page(page) = frontend.client.ask(&Request::Search(Box::new(search))).await? else {
            return Err(ClientError::Confused.into());
        };
        for entry in &page.entries {
            let id = document(entry).get("dispatch").and_then(|id| id.as_str()?.parse::<JobId>().ok());
            ids.extend(id.filter(|id| seen.insert(*id)));
        }
        let Some(next) = page.next else { break };
        from = next;
    }
    ids.truncate(limit);
    let mut all = Vec::new();
    for id in ids {
        all.push(whole(&records_of(frontend, id).await?));
    }
    Ok(all)
}

/// Returns the records of a dispatch, the newest first.
pub(crate) async fn records_of(frontend: &Frontend, dispatch: JobId) -> Result<Vec<AuditEntry>, Report> {
    let filter = AuditFilter { dispatch: Some(dispatch), ..AuditFilter::default() };
    records(frontend, filter, RECORDS_MAX).await
}

/// Returns what these records of one dispatch, the newest first, say together.
pub(crate) fn whole(entries: &[AuditEntry]) -> Map<String, Value> {
    let mut all = Map::new();
    let mut asked = None;
    for entry in entries.iter().rev() {
        let mut fields = document(entry);
        let time = fields.get("time").cloned();
        let ends = ["finished", "cancelled", "interrupted", "refused", "hit"];
        let event = fields.get("event").and_then(Value::as_str).unwrap_or_default();
        if event == Code::CancelRequested.as_str() && !all.is_empty() {
            // Who wants it stopped is not who asked for it.
            fields.remove("caller");
        } else if ends.contains(&event) {
            fields.extend(time.clone().map(|time| ("ended".to_owned(), time)));
        }
        asked = asked.or(time);
        all.extend(fields);
    }
    all.extend(asked.map(|time| ("time".to_owned(), time)));
    all
}

/// Returns what is stored of a job and is not what was recorded.
pub(crate) async fn differing(frontend: &Frontend, job: JobId) -> Result<Vec<Differing>, ClientError> {
    match frontend.client.ask(&Request::Compare(job)).await? {
        Reply::Compared(differs) => Ok(differs),
        _ => Err(ClientError::Confused),
    }
}

/// Returns how many calls of tools these words of a dispatch count.
pub(crate) fn calls_made(said: &Map<String, Value>) -> u64 {
    let tools = said.get("end").and_then(|end| end.get("tools")?.as_object());
    let counts = tools.into_iter().flatten().filter_map(|(_, used)| used.get("count")?.as_u64());
    counts.fold(0, u64::saturating_add)
}

/// Returns these dispatches in the order in which they called each other, each with its depth; what one called stands
/// below it, the oldest first.
pub(crate) fn in_tree(dispatches: Vec<Map<String, Value>>) -> Vec<(usize, Map<String, Value>)> {
    let text = |it: &Map<String, Value>, name: &str| {
        it.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let known: Vec<String> = dispatches.iter().map(|it| text(it, "dispatch")).collect();
    let mut below: BTreeMap<String, Vec<Map<String, Value>>> = BTreeMap::new();
    for one in dispatches {
        let parent = text(&one, "parent");
        // What called it may be missing: then it stands at the edge.
        let parent = if known.contains(&parent) { parent } else { String::new() };
        below.entry(parent).or_default().push(one);
    }
    for children in below.values_mut() {
        children.sort_by_key(|one| one.get("seq").and_then(Value::as_u64));
        children.sort_by_key(|one| text(one, "time"));
    }
    let mut ordered = Vec::new();
    let mut stack: Vec<(usize, Map<String, Value>)> = Vec::new();
    let children = |below: &mut BTreeMap<String, Vec<Map<String, Value>>>, id: &str, depth: usize| {
        let all = below.remove(id).unwrap_or_default();
        all.into_iter().rev().map(move |one| (depth, one)).collect::<Vec<_>>()
    };
    stack.extend(children(&mut below, "", 0));
    while let Some((depth, one)) = stack.pop() {
        stack.extend(children(&mut below, &text(&one, "dispatch"), depth + 1));
        ordered.push((depth, one));
    }
    ordered
}

#[cfg(test)]
mod tests;
