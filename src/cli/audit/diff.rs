//! `agent-dispatch audit diff`: two dispatches side by side, and their answers line by line.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::audit::output::{Row, plain, value_at};
use crate::cli::audit::show::Dispatch;
use crate::cli::jobs::said;
use crate::cli::render::{Cell, Screen, Tone, harmless, print_json, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::WireFault;
use crate::dispatch::Frontend;
use crate::document::audit;
use crate::error::Report;
use crate::model::Portion;

mod lines;

use lines::{Step, steps};

/// What is compared: a word for it, and where records have it.
const FACTS: [(&str, &str); 26] = [
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
    ("tokens in", "end.tokens.input"),
    ("tokens out", "end.tokens.output"),
    ("denied tools", "end.denied_tools"),
    ("denied unknown", "end.denied_unknown"),
    ("commits", "end.changes.commits"),
    ("files changed", "end.changes.files_total"),
    ("changed", "end.changes.files"),
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
        sides.push(Side::of(frontend, id).await?);
    }
    let [first, second] = sides.as_slice() else { return Ok(ExitCode::SUCCESS) };
    let both = |name: &str| [value_at(&first.said, name), value_at(&second.said, name)];
    let mut facts: Vec<(&str, [String; 2])> = FACTS
        .iter()
        .map(|(word, name)| (*word, both(name).map(|value| value.map(plain).unwrap_or_default())))
        .collect();
    facts.push(("tools", both("end.tools").map(tools)));
    facts.retain(|(_, [one, other])| !one.is_empty() || !other.is_empty());
    let (same, how) = compared(first, second);
    let told = match (&first.answer, &second.answer) {
        (Some(before), Some(after)) => Some(told(before, after)),
        _ => None,
    };
    if as_json {
        let facts: serde_json::Map<String, Value> = facts
            .iter()
            .map(|(word, [one, other])| {
                ((*word).to_owned(), json!({"a": one, "b": other, "same": one == other}))
            })
            .collect();
        print_json(&json!({"facts": facts, "same_answer": same, "answer_diff": told}))?;
    } else {
        let rows = facts.iter().map(|(word, [one, other])| {
            let tone = if one == other { Tone::Faint } else { Tone::Plain };
            let mark = Cell::new(if one == other { "" } else { "*" });
            vec![mark, Cell::new(word), Cell::new(one).toned(tone), Cell::new(other).toned(tone)]
        });
        let mut text = screen.table(&["", "", "A", "B"], rows.collect());
        text.push('\n');
        match told.filter(|_| same == Some(false)) {
            Some(told) => text.push_str(&coloured(screen, &told)),
            None => text.extend([how, "\n"]),
        }
        print_text(&text)?;
    }
    Ok(if same == Some(true) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// One of the two.
struct Side {
    /// What its records say together.
    said: Row,
    /// Its answer, if that is kept.
    answer: Option<String>,
    /// The digest that is recorded of it. It stays when the answer goes.
    digest: Option<String>,
}

impl Side {
    async fn of(frontend: &Frontend, id: &str) -> Result<Self, Report> {
        let dispatch = Dispatch::find(frontend, id).await?;
        let answer = match frontend.part(dispatch.job, Portion::WHOLE).await {
            // The records stay when the job goes.
            Err(ClientError::Fault(WireFault::NotFound(_))) => None,
            answer => answer?.map(|answer| said(&answer).to_owned()),
        };
        let said = dispatch.said;
        // What joined another run has its end there.
        let run = match value_at(&said, "end") {
            None if dispatch.job != dispatch.id => {
                audit::whole(&audit::records_of(frontend, dispatch.job).await?)
            }
            _ => said.clone(),
        };
        // Of the same text that is compared when there are texts.
        let digest = ["end.parsed_digest", "end.answer_digest"].iter().find_map(|name| value_at(&run, name));
        Ok(Self { digest: digest.map(plain), said, answer })
    }
}

/// Returns whether the answers are the same, as far as that is known, and what to say of it: the texts tell, or else what
/// is recorded of them.
fn compared(first: &Side, second: &Side) -> (Option<bool>, &'static str) {
    if let (Some(before), Some(after)) = (&first.answer, &second.answer) {
        let none = before.is_empty() && after.is_empty();
        return (
            Some(before == after),
            if none { "neither gave an answer" } else { "the answers are the same" },
        );
    }
    let (Some(before), Some(after)) = (&first.digest, &second.digest) else {
        return (None, "whether the answers are the same is not known: not both have one on record");
    };
    let how = if before == after {
        "the answers are the same, by their digests; not both are kept any more"
    } else {
        "the answers differ, by their digests; not both are kept any more"
    };
    (Some(before == after), how)
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
