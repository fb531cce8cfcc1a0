//! Several dispatches as both doors read them, and carry them out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::config::Config;
use crate::daemon::protocol::ProgressView;
use crate::dispatch::{
    Awaited, DispatchError, Frontend, Outcome, Patience, Standing, check_names, items_max,
};
use crate::document::fitting::fit_within;
use crate::document::parallel::{ParallelDocument, Wanted, part};
use crate::document::question::{Question, Wish};
use crate::error::{Kind, Report};
use crate::model::request::{RawRequest, Sharing};
use crate::model::{Asker, DispatchRequest, Portion};
use crate::plan::merge;

/// Most problems that one message names.
const PROBLEMS_MAX: usize = 20;

/// One of several dispatches, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Item {
    #[serde(flatten)]
    question: Question,
    #[serde(flatten)]
    wish: Wish,
    /// A conversation with this agent to go on with.
    #[serde(default)]
    session_id: String,
}

/// Several dispatches that may be sent: everything about them was checked that can be before any of them runs.
#[derive(Debug)]
pub(crate) struct Several {
    requests: Vec<DispatchRequest>,
    wanted: Vec<Wanted>,
    aggregate: String,
}

impl Several {
    /// Reads several dispatches from a list or its JSON text, or says everything that is wrong with them.
    pub(crate) fn read(config: &Config, given: Value, aggregate: &str) -> Result<Self, Report> {
        let items = listed(given, items_max(config))?;
        let mut problems = Vec::new();
        let mut several =
            Self { requests: Vec::new(), wanted: Vec::new(), aggregate: aggregate.trim().to_owned() };
        for (number, item) in items.into_iter().enumerate() {
            let path = format!("dispatches[{number}]");
            if let Some((request, wanted)) = item_of(config, &path, item, &mut problems) {
                several.requests.push(request);
                several.wanted.push(wanted);
            }
        }
        problems.extend(same_conversation(&several.requests).filter(|_| problems.is_empty()));
        if !several.aggregate.is_empty() {
            let raw = RawRequest {
                agent: several.aggregate.clone(),
                task: "x".to_owned(),
                ..RawRequest::default()
            };
            checked(config, "aggregate", raw, Sharing::Never, &mut problems);
        }
        if problems.is_empty() { Ok(several) } else { Err(invalid(&problems)) }
    }

    /// Returns how they stand at first.
    pub(crate) fn standing(&self) -> Standing {
        Standing { total: self.requests.len(), ..Standing::default() }
    }

    /// Returns the agents, in order.
    fn agents(&self) -> Vec<&str> {
        self.requests.iter().map(|request| request.agent.as_str()).collect()
    }

    /// Returns who takes steps, as a [`Standing`] numbers them: the agents, then the one that makes one answer of all.
    pub(crate) fn speakers(&self) -> Vec<&str> {
        self.agents().into_iter().chain([self.aggregate.as_str()]).collect()
    }

    /// Dispatches them all, and what is made of their answers, within one patience; answers come in `chars` characters.
    pub(crate) async fn carry_out(
        &self,
        frontend: &Frontend,
        client: impl Into<Asker>,
        (patience, chars): (Patience, usize),
        on_standing: &mut (dyn FnMut(&Standing) + Send),
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<ParallelDocument, DispatchError> {
        let (began, client) = (Instant::now(), &client.into());
        let mut cancelled = std::pin::pin!(cancelled);
        let portion = self.portion(chars);
        let awaited = Awaited { patience, portion };
        let outcomes =
            frontend.parallel(&self.requests, client, awaited, on_standing, cancelled.as_mut()).await?;
        let merged = match self.merge(&outcomes) {
            Some(request) => {
                let total = outcomes.len();
                let mut step = |_, view: &ProgressView| {
                    on_standing(&Standing { done: total, total, steps: vec![(total, view.clone())] });
                };
                let awaited = Awaited { patience: patience.left(began), portion };
                Some(frontend.dispatch(&request, client, awaited, &mut step, cancelled).await)
            }
            None => None,
        };
        let items: Vec<_> = self.agents().into_iter().zip(self.wanted.iter().copied()).collect();
        let aggregated = merged.as_ref().map(|outcome| (self.aggregate.as_str(), outcome));
        Ok(ParallelDocument::of(&items, &outcomes, aggregated, chars).with_running(&self.aggregate))
    }

    /// Returns what is needed of each answer: all of it, if one is to be made of them.
    fn portion(&self, chars: usize) -> Portion {
        if !self.aggregate.is_empty() {
            return Portion::WHOLE;
        }
        let chars_max = ParallelDocument::chars_of_each(self.requests.len(), chars);
        Wanted::Whole.extent(chars_max).portion()
    }

    /// Returns the request to make one answer of these; nothing when that was not asked for, or some still run.
    fn merge(&self, outcomes: &[Outcome]) -> Option<DispatchRequest> {
        let left_out = |outcome: &Outcome| matches!(outcome, Err(DispatchError::NotStarted));
        if self.aggregate.is_empty() || outcomes.iter().any(left_out) {
            return None;
        }
        let items = self.agents().into_iter().zip(&self.wanted).zip(outcomes);
        let parts: Option<Vec<_>> =
            items.map(|((agent, wanted), outcome)| part(agent, *wanted, outcome)).collect();
        // The agent was checked before, and the parts are cut to what a request may hold.
        DispatchRequest::new(merge::request(self.aggregate.clone(), &parts?), Sharing::Never).ok()
    }
}

/// Returns the items of a list, which may come as its JSON text.
fn listed(given: Value, most: usize) -> Result<Vec<Value>, Report> {
    let refused = |message: String, hint: &str| Report::new(Kind::Usage, "invalid_arguments", message, hint);
    let bad = |message| refused(message, "Pass a list of objects, each with at least `agent` and `task`.");
    let given = match given {
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|error| bad(format!("`dispatches` is not JSON: {error}")))?
        }
        other => other,
    };
    let Value::Array(items) = given else { return Err(bad("`dispatches` is not a list".to_owned())) };
    match items.len() {
        0 => Err(bad("`dispatches` is empty".to_owned())),
        count if count > most => Err(refused(
            format!(
                "`dispatches` has {count} items, more than {most} (20 for each of `max_concurrency`, and at least 100)"
            ),
            "Nothing was started: split it into several calls.",
        )),
        _ => Ok(items),
    }
}

fn item_of(
    config: &Config,
    path: &str,
    item: Value,
    problems: &mut Vec<String>,
) -> Option<(DispatchRequest, Wanted)> {
    static FIELDS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let schema = schemars::schema_for!(Item).to_value();
        schema.as_object().cloned().unwrap_or_default()
    });
    let before = problems.len();
    let Value::Object(item) = item else {
        problems.push(format!("`{path}` is not an object"));
        return None;
    };
    let fitting = fit_within(&format!("{path}."), item, &FIELDS, problems);
    if problems.len() > before {
        // What can be told of the rest is told too.
        let text = |key: &str| fitting.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(agent) = text("agent") {
            let group = text("group").unwrap_or_default();
            let raw = RawRequest { agent, group, task: "x".to_owned(), ..RawRequest::default() };
            checked(config, path, raw, Sharing::Never, problems);
        }
        return None;
    }
    let fields: Item = match serde_json::from_value(Value::Object(fitting)) {
        Ok(fields) => fields,
        Err(error) => {
            problems.push(format!("`{path}` cannot be read: {error}"));
            return None;
        }
    };
    let sharing = if fields.session_id.is_empty() { Sharing::CacheAndJoin } else { Sharing::Never };
    let raw = fields.question.in_session(fields.session_id);
    checked(config, path, raw, sharing, problems).map(|request| (request, fields.wish.wanted()))
}

/// Returns a request that may be sent, or notes what is wrong with it: its fields, and who is named in it.
fn checked(
    config: &Config,
    path: &str,
    raw: RawRequest,
    sharing: Sharing,
    problems: &mut Vec<String>,
) -> Option<DispatchRequest> {
    match DispatchRequest::new(raw, sharing) {
        Ok(request) => match check_names(config, &request) {
            Ok(()) => return Some(request),
            Err(refusal) => problems.push(format!("`{path}`: {refusal} ({})", refusal.hint)),
        },
        Err(bad) => {
            problems.extend(bad.into_iter().map(|bad| match path {
                "aggregate" => format!("`aggregate` {}", bad.problem),
                _ => format!("`{path}.{}` {}", bad.field, bad.problem),
            }));
        }
    }
    None
}

/// Returns which two go on with the same conversation: one of them would be refused.
fn same_conversation(requests: &[DispatchRequest]) -> Option<String> {
    let mut seen = BTreeMap::new();
    requests.iter().enumerate().find_map(|(number, request)| {
        let first = seen.insert(request.resume.as_ref()?, number)?;
        Some(format!(
            "`dispatches[{number}].session_id` is the conversation of `dispatches[{first}]`, and only one at a time goes on \
             with it"
        ))
    })
}

fn invalid(problems: &[String]) -> Report {
    let mut named = problems.iter().take(PROBLEMS_MAX).cloned().collect::<Vec<_>>().join("; ");
    if problems.len() > PROBLEMS_MAX {
        named = format!("{named}; and {} more", problems.len() - PROBLEMS_MAX);
    }
    let hint = "Nothing was started: correct the named fields and send it again.";
    Report::new(Kind::Usage, "invalid_arguments", named, hint)
}

#[cfg(test)]
mod tests;
