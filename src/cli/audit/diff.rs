//! `agent-dispatch audit diff`: two dispatches side by side, and their answers line by line.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::audit::output::{plain, value_at};
use crate::cli::audit::show::Dispatch;
use crate::cli::jobs::said;
use crate::cli::render::{Cell, Screen, Tone, harmless, print_json, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::WireFault;
use crate::dispatch::Frontend;
use crate::error::Report;
use crate::model::Answer;

mod lines;

use lines::{Step, steps};

/// What is compared: a word for it, and where records have it.
const FACTS: [(&str, &str); 19] = [
    ("dispatch", "dispatch"),
    ("asked", "time"),
    ("caller", "caller.client"),
    ("called itself", "caller.declared"),
    ("agent", "agent"),
    ("directory", "directory"),
    ("git head", "git_head"),
    ("request", "request_digest"),
    ("model asked for", "profile.model"),
    ("permission mode", "profile.permission_mode"),
    ("allowed tools", "profile.allowed_tools"),
    ("timeout", "profile.timeout_seconds"),
    ("event", "event"),
    ("verdict", "end.outcome"),
    ("error", "end.error_type"),
    ("model", "end.model"),
    ("turns", "end.turns"),
    ("cost", "end.cost_usd"),
    ("milliseconds", "end.duration_ms"),
];

/// Lines around a difference that are shown with it.
const AROUND: usize = 3;

/// Compares two dispatches. Exits like `diff`: with 1 when the answers differ.
pub(super) async fn diff(
    frontend: &Frontend,
    screen: Screen,
    ids: [&str; 2],
    as_json: bool,
) -> Result<ExitCode, Report> {
    let mut sides = Vec::new();
    for id in ids {
        let dispatch = Dispatch::find(frontend, id).await?;
        let answer = match frontend.answer(dispatch.job).await {
            // The records stay when the job goes.
            Err(ClientError::Fault(WireFault::NotFound(_))) => Answer::default(),
            answer => answer?,
        };
        sides.push((dispatch, said(&answer).to_owned()));
    }
    let [(first, before), (second, after)] = sides.as_slice() else { return Ok(ExitCode::SUCCESS) };
    let both = |name: &str| [value_at(&first.said, name), value_at(&second.said, name)];
    let mut facts: Vec<(&str, [String; 2])> = FACTS
        .iter()
        .map(|(word, name)| (*word, both(name).map(|value| value.map(plain).unwrap_or_default())))
        .collect();
    facts.push(("tools", both("end.tools").map(tools)));
    facts.retain(|(_, [one, other])| !one.is_empty() || !other.is_empty());
    let same = before == after;
    if as_json {
        let facts: serde_json::Map<String, Value> = facts
            .iter()
            .map(|(word, [one, other])| {
                ((*word).to_owned(), json!({"a": one, "b": other, "same": one == other}))
            })
            .collect();
        print_json(&json!({"facts": facts, "same_answer": same, "answer_diff": told(before, after)}))?;
    } else {
        let rows = facts.iter().map(|(word, [one, other])| {
            let tone = if one == other { Tone::Faint } else { Tone::Plain };
            let mark = Cell::new(if one == other { "" } else { "*" });
            vec![mark, Cell::new(word), Cell::new(one).toned(tone), Cell::new(other).toned(tone)]
        });
        let mut text = screen.table(&["", "", "A", "B"], rows.collect());
        text.push('\n');
        match (before.is_empty() && after.is_empty(), same) {
            (true, _) => text.push_str("no answers are kept\n"),
            (false, true) => text.push_str("the answers are the same\n"),
            (false, false) => text.push_str(&coloured(screen, &told(before, after))),
        }
        print_text(&text)?;
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Returns tools as a list with how often each was used.
fn tools(used: Option<&Value>) -> String {
    let object = used.and_then(Value::as_object);
    let count = |it: &Value| it.get("count").map(Value::to_string).unwrap_or_default();
    let each = object.into_iter().flatten().map(|(name, it)| format!("{name} x{}", count(it)));
    each.collect::<Vec<_>>().join(", ")
}

/// Returns the differences with the lines around them: `-` only the first has, `+` only the second.
fn told(before: &str, after: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let steps = steps(&before, &after);
    let near = |at: usize| {
        let from = at.saturating_sub(AROUND);
        steps.iter().skip(from).take(at - from + AROUND + 1).any(|step| !matches!(step, Step::Both(_)))
    };
    let mut text = String::new();
    let mut skipped = false;
    for (at, step) in steps.iter().enumerate() {
        let (mark, line) = match step {
            Step::Both(line) if near(at) => (' ', line),
            Step::Both(_) => {
                skipped = true;
                continue;
            }
            Step::First(line) => ('-', line),
            Step::Second(line) => ('+', line),
        };
        if std::mem::take(&mut skipped) {
            text.push_str("@@\n");
        }
        let _infallible = writeln!(text, "{mark}{}", harmless(line));
    }
    text
}

fn coloured(screen: Screen, told: &str) -> String {
    let mut text = String::new();
    for line in told.lines() {
        let tone = match line.as_bytes().first() {
            Some(b'-') => Tone::Bad,
            Some(b'+') => Tone::Good,
            _ => Tone::Plain,
        };
        text.push_str(&screen.toned(line, tone));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
