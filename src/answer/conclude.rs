//! The verdict over a run that is over: result line first, then who stopped it, then how the process ended.

use serde_json::{Map, Value};

use crate::answer::classify::{Facts, Verdict, no_structured_output, wrong_structured_output};
use crate::answer::heard::{Heard, amount_at, is_error, text_at};
use crate::answer::{lenient, status_line};
use crate::audit::redact::{one_line, unsplit};
use crate::budget::usd;
use crate::model::{Answer, Ending, Outcome, RunResult, StopReason, Timestamp, Usage};
use crate::plan::Expects;

/// What is known beside what was heard.
#[derive(Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) expects: &'a Expects,
    pub(super) budget: Option<f64>,
    pub(super) ending: &'a Ending,
    pub(super) agent: &'a str,
    pub(super) timeout_ms: u64,
    pub(super) now: Timestamp,
}

/// Returns what came of the run.
pub(super) fn conclude(mut heard: Heard, around: &Circumstances<'_>) -> (RunResult, Answer) {
    let mut line = heard.result.take();
    let text = match &line {
        Some(line) if !is_error(line) => String::new(),
        // The budget ended it after an answer or before one: what the last message says is the best there is.
        Some(line) if text_at(line, "subtype") == Some("error_max_budget_usd") => heard.last_said(),
        Some(_) | None => heard.said(),
    };
    let facts = Facts {
        agent: around.agent,
        session: heard.session.as_ref(),
        timeout_ms: around.timeout_ms,
        budget: around.budget,
        now: around.now,
        ending: around.ending,
        api_error: heard.api_error.as_deref(),
        limit: heard.limit.as_ref(),
        denied: heard.denials.names(),
        text_kept: !text.is_empty(),
    };
    let (result, answer) = match &mut line {
        Some(line) if !is_error(line) => succeeded(line, &heard, &facts, around),
        Some(line) => failed(facts.reported(line), text),
        None => failed(facts.unreported(), text),
    };
    let lacking = heard.servers_lacking.join(", ");
    let mut result = with_telemetry(result, line.as_ref(), heard, around);
    if !lacking.is_empty() {
        let told = format!("MCP servers did not connect, so their tools were missing: {lacking}");
        result.hint = joined(&result.hint.into_iter().chain([told]).collect::<Vec<_>>());
    }
    (result, answer)
}

fn failed(verdict: Verdict, text: String) -> (RunResult, Answer) {
    let mut result = RunResult::failed(verdict.class, verdict.error, 0);
    result.hint = Some(verdict.hint);
    result.retry = Some(verdict.retry);
    result.partial = !text.is_empty();
    (result, Answer { text, parsed: None })
}

/// Takes the answer out of the line: it may be long.
fn succeeded(
    line: &mut Map<String, Value>,
    heard: &Heard,
    facts: &Facts<'_>,
    around: &Circumstances<'_>,
) -> (RunResult, Answer) {
    let mut text = match line.remove("result") {
        Some(Value::String(text)) => text,
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let structured = line.get("structured_output").filter(|value| !value.is_null());
    if let Expects::Schema(schema) = around.expects {
        let Some(value) = structured else {
            let (mut result, answer) = failed(no_structured_output(), text);
            // It is all that the agent had to say; it only has the wrong form.
            result.partial = false;
            return (result, answer);
        };
        let parsed = value.to_string();
        if text.trim().is_empty() {
            text.clone_from(&parsed);
        }
        let mut result = RunResult::succeeded(0);
        match misfits(schema, value) {
            Ok(None) => result.hint = joined(&hints(&result, line, facts, around)),
            Ok(Some(places)) => (result, _) = failed(wrong_structured_output(&places), String::new()),
            Err(problem) => {
                let mut told = hints(&result, line, facts, around);
                told.push(format!("whether the value fits the JSON Schema was not checked: {problem}"));
                result.hint = joined(&told);
            }
        }
        return (result, Answer { text, parsed: Some(parsed) });
    }
    let mut result = RunResult::succeeded(0);
    let mut empty = None;
    if text.trim().is_empty() {
        text = heard.said();
        result.partial = true;
        empty = Some(if text.is_empty() {
            "the agent ended without a word"
        } else {
            "the agent ended without a final answer; this is what it said on the way"
        });
    }
    let (outcome, rest) = status_line::lift(&text);
    let kept = rest.len();
    result.outcome = outcome;
    text.truncate(kept);
    let parsed = matches!(around.expects, Expects::Json).then(|| lenient::json_value(&text)).flatten();
    let mut told = hints(&result, line, facts, around);
    told.extend(empty.map(str::to_owned));
    if matches!(around.expects, Expects::Json) && parsed.is_none() {
        result.partial = true;
        told.push("the answer is not the one JSON value that was asked for".to_owned());
    }
    result.hint = joined(&told);
    (result, Answer { text, parsed })
}

/// Returns where a value does not fit the schema that was asked for, or why that cannot be told: `claude` was given less than
/// all of it.
fn misfits(schema: &str, value: &Value) -> Result<Option<String>, String> {
    let schema: Map<String, Value> = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    let places = crate::model::schema::misfits(&schema, value)?;
    Ok((!places.is_empty()).then(|| unsplit(&places.join("; "), MISFITS_CHARS)))
}

/// Longest text about places that do not fit, in characters.
const MISFITS_CHARS: usize = 600;

/// Returns what the caller should know of a success that is not whole.
fn hints(
    result: &RunResult,
    line: &Map<String, Value>,
    facts: &Facts<'_>,
    around: &Circumstances<'_>,
) -> Vec<String> {
    let mut told = Vec::new();
    if !facts.denied.is_empty() {
        let names = facts.denied.join(", ");
        told.push(format!(
            "tools were denied ({names}), so the answer may lack something; {}",
            facts.grant()
        ));
    }
    if let Some(reason) = &around.ending.stopped {
        let why = match reason {
            StopReason::TimedOut => "its time was over",
            StopReason::Stalled => "it had fallen silent",
            StopReason::Cancelled(_) => "it was cancelled",
        };
        told.push(format!("it answered while it was being stopped because {why}"));
    }
    if let Some(outcome) = result.outcome.filter(|outcome| *outcome != Outcome::Done) {
        let resume = facts.resume().map(|resume| format!("; go on with {resume}")).unwrap_or_default();
        told.push(format!("the agent calls its work {}{resume}", outcome.as_str()));
    }
    if let Some((cost, cap)) = overspent(line, around.budget) {
        told.push(format!("it cost {}, more than its budget of {}", usd(cost), usd(cap)));
    }
    told
}

fn joined(told: &[String]) -> Option<String> {
    (!told.is_empty()).then(|| told.join(". "))
}

fn overspent(line: &Map<String, Value>, budget: Option<f64>) -> Option<(f64, f64)> {
    amount_at(line, "total_cost_usd").zip(budget).filter(|(cost, cap)| cost > cap)
}

/// Adds the facts that go with every result. Whatever is malformed is left out and never fails the result.
fn with_telemetry(
    mut result: RunResult,
    line: Option<&Map<String, Value>>,
    heard: Heard,
    around: &Circumstances<'_>,
) -> RunResult {
    let empty = Map::new();
    let line = line.unwrap_or(&empty);
    // Whoever has more patience gets the whole of it: what was cut short is not served again.
    result.partial |= result.success && around.ending.stopped.is_some();
    let budget_stop = result.class == Some(crate::model::FailureClass::Budget);
    result.budget_exceeded = budget_stop || overspent(line, around.budget).is_some();
    result.duration_ms = whole(line, "duration_ms").unwrap_or(around.ending.elapsed_ms);
    result.num_turns = whole(line, "num_turns").and_then(|turns| u32::try_from(turns).ok());
    result.cost_usd = amount_at(line, "total_cost_usd");
    result.usage = usage(line);
    result.denied_tools = heard.denials.names().to_vec();
    result.denied_unknown = heard.denials.is_unknown(heard.timeline.any_failed());
    result.session = heard.session;
    result.model = heard.answer_model.or_else(|| main_model(line)).or(heard.init_model);
    result.tools = heard.timeline.into_tools();
    result
}

/// Returns the whole part of the number under `key`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded just before, and not negative"
)]
fn whole(map: &Map<String, Value>, key: &str) -> Option<u64> {
    amount_at(map, key).filter(|number| *number < 1e15).map(|number| number as u64)
}

/// Returns the tokens, from the sums per model: in the envelope of an error `usage` is all zeros.
fn usage(line: &Map<String, Value>) -> Usage {
    let count = |map: &Map<String, Value>, key| whole(map, key).unwrap_or(0);
    let models = line.get("modelUsage").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let models: Vec<_> = models.filter_map(Value::as_object).collect();
    if models.is_empty() {
        let usage = line.get("usage").and_then(Value::as_object);
        return usage.map_or_else(Usage::default, |usage| Usage {
            input: count(usage, "input_tokens"),
            output: count(usage, "output_tokens"),
            cache_read: count(usage, "cache_read_input_tokens"),
            cache_creation: count(usage, "cache_creation_input_tokens"),
        });
    }
    let sum = |key| models.iter().fold(0_u64, |sum, model| sum.saturating_add(count(model, key)));
    Usage {
        input: sum("inputTokens"),
        output: sum("outputTokens"),
        cache_read: sum("cacheReadInputTokens"),
        cache_creation: sum("cacheCreationInputTokens"),
    }
}

/// Returns the model that cost most.
fn main_model(line: &Map<String, Value>) -> Option<String> {
    let cost = |usage: &Value| usage.as_object().and_then(|usage| amount_at(usage, "costUSD")).unwrap_or(0.0);
    let models = line.get("modelUsage")?.as_object()?.iter();
    let (model, _) = models.max_by(|(_, one), (_, other)| cost(one).total_cmp(&cost(other)))?;
    Some(one_line(model, 100))
}

#[cfg(test)]
mod tests;
