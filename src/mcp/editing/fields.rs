//! The fields of an agent as a tool takes them, and what they change.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::config::edit::{Change, Fields, words as listed};
use crate::error::{Kind, Report};
use crate::mcp::editing::{empty, from_text, text, wrong};
use crate::model::BudgetLimit;

/// What an agent has besides its name and directory. The words below fit both tools: in one that adds, what is left is
/// what nobody wrote.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct FieldArguments {
    /// What it is for: callers choose by it. Empty leaves it; without one it is read from the directory. `none` clears it.
    #[serde(default)]
    description: String,
    /// Seconds one dispatch may run; 0 leaves it, and -1 takes what the settings say, as a new agent does.
    #[serde(default)]
    #[schemars(range(min = -1, max = 86_400))]
    timeout: i64,
    /// US dollars one dispatch may cost, such as 2.5. Empty or 0 leaves it; `default` (in a change also -1) takes what the settings say;
    /// `none` is no cap, whatever they say.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    max_budget_usd: Value,
    /// Model alias or id. Empty leaves it; `none` leaves the choice to `claude`.
    #[serde(default)]
    model: String,
    /// `default`, `plan`, `acceptEdits`, `dontAsk`, `auto` or `bypassPermissions`. Empty leaves it; `none` takes what the
    /// settings say.
    #[serde(default)]
    permission_mode: String,
    /// Tools it may use without being asked, as a list or separated by commas. Empty leaves them; `,` is no tools at all;
    /// `none` takes what the settings say.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    allowed_tools: Value,
    /// Tools it may not use, written like the others.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    disallowed_tools: Value,
    /// Labels of what it can do, as a list or separated by commas; `none` clears them.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    capabilities: Value,
    /// Labels of what it can break, likewise.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    risky_capabilities: Value,
    /// Standing instructions for its sessions. Empty leaves them; `none` clears them.
    #[serde(default)]
    instructions: String,
    /// How many of its dispatches may run at once; 0 leaves it, -1 is no bound of its own.
    #[serde(default)]
    #[schemars(range(min = -1, max = 1000))]
    max_concurrency: i64,
    /// Callers that may ask it, as a list or separated by commas. Empty leaves them; `,` is nobody; `none` is everyone.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    callers: Value,
    /// US dollars it may cost in a day, such as 5. Empty or 0 leaves it; `none` is no cap.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    budget_day: Value,
    /// US dollars it may cost in a month, likewise.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    budget_month: Value,
    /// Environment variables its sessions inherit, such as `AWS_*`, as a list or separated by commas. Empty leaves them;
    /// `none` is all of them.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    env_inherit: Value,
    /// Variables they do not inherit, written like the others; `none` clears them.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    env_deny: Value,
    /// Variables to set for them, as an object of texts (or its JSON text) in place of those that are set. Empty leaves
    /// them; `none` clears them.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    env_set: Value,
}

/// What the fields are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    ForNew,
    ForChange,
}

impl FieldArguments {
    /// Returns what is asked for, and what cannot be read of it.
    pub(super) fn changes(self, asks: Asks) -> (Fields, Vec<Report>) {
        let mut wrong = Vec::new();
        let noted = &mut wrong;
        let fields = Fields {
            description: text(&self.description),
            timeout: kept(timeout(self.timeout), noted),
            max_budget: kept(budget(&self.max_budget_usd, asks), noted),
            model: text(&self.model),
            permission_mode: text(&self.permission_mode),
            allowed_tools: kept(words("allowed_tools", &self.allowed_tools), noted),
            disallowed_tools: kept(words("disallowed_tools", &self.disallowed_tools), noted),
            capabilities: kept(words("capabilities", &self.capabilities), noted),
            risky_capabilities: kept(words("risky_capabilities", &self.risky_capabilities), noted),
            instructions: text(&self.instructions),
            max_concurrency: kept(concurrency(self.max_concurrency), noted),
            callers: kept(words("callers", &self.callers), noted),
            budget_day: kept(spending("budget_day", &self.budget_day), noted),
            budget_month: kept(spending("budget_month", &self.budget_month), noted),
            env_inherit: kept(words("env_inherit", &self.env_inherit), noted),
            env_deny: kept(words("env_deny", &self.env_deny), noted),
            env_set: kept(variables(&self.env_set), noted),
            directory: None,
        };
        (fields, wrong)
    }
}

/// Returns a change; one that cannot be read is noted, and nothing is changed.
fn kept<T>(read: Result<Change<T>, Report>, wrong: &mut Vec<Report>) -> Change<T> {
    read.unwrap_or_else(|report| {
        wrong.push(report);
        Change::Keep
    })
}

fn timeout(seconds: i64) -> Result<Change<u32>, Report> {
    let hint = "Give seconds from 1 to 86400, or -1 for what the settings say.";
    whole(seconds)
        .ok_or_else(|| Report::new(Kind::Usage, "invalid_field", format!("`timeout` is {seconds}"), hint))
}

fn concurrency(number: i64) -> Result<Change<u32>, Report> {
    let expected = "a number from 1 to 1000, or -1 for no bound";
    whole(number).ok_or_else(|| wrong("max_concurrency", &number.into(), expected))
}

/// Returns what a number changes: 0 leaves it, and -1 takes it back.
fn whole(number: i64) -> Option<Change<u32>> {
    match number {
        0 => Some(Change::Keep),
        -1 => Some(Change::Clear),
        number => u32::try_from(number).ok().map(Change::Set),
    }
}

/// Returns what several words change: a list of them, its JSON text, or a text with commas.
pub(super) fn words(name: &str, value: &Value) -> Result<Change<Vec<String>>, Report> {
    match from_text(value.clone()) {
        Value::String(words) => Ok(match text(&words) {
            Change::Set(words) => Change::Set(listed(&words)),
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
        }),
        Value::Array(items) => {
            let words: Option<Vec<String>> =
                items.iter().map(|item| item.as_str().map(|word| word.trim().to_owned())).collect();
            words.map(Change::Set).ok_or_else(|| wrong(name, value, "a list of texts"))
        }
        other => Err(wrong(name, &other, "a list of texts, or a text with commas")),
    }
}

pub(super) fn budget(value: &Value, asks: Asks) -> Result<Change<BudgetLimit>, Report> {
    let expected = "an amount such as 2.5, `none` for no cap, or `default`";
    match word(value).as_deref() {
        Some("") => return Ok(Change::Keep),
        Some("none") => return Ok(Change::Set(BudgetLimit::Unlimited)),
        Some("default") => return Ok(Change::Clear),
        _ => {}
    }
    match dollars(value) {
        Some(0.0) => Ok(Change::Keep),
        Some(usd) if usd > 0.0 => Ok(Change::Set(BudgetLimit::Usd(usd))),
        Some(-1.0) if asks == Asks::ForChange => Ok(Change::Clear),
        Some(_) | None => Err(wrong("max_budget_usd", value, expected)),
    }
}

/// Returns what a cap of days or months changes: without one there is none.
pub(super) fn spending(name: &str, value: &Value) -> Result<Change<f64>, Report> {
    match word(value).as_deref() {
        Some("") => return Ok(Change::Keep),
        Some("none" | "default") => return Ok(Change::Clear),
        _ => {}
    }
    match dollars(value) {
        Some(0.0) => Ok(Change::Keep),
        Some(usd) if usd > 0.0 => Ok(Change::Set(usd)),
        Some(-1.0) => Ok(Change::Clear),
        // A slip of the sign lifts no cap.
        Some(_) | None => Err(wrong(name, value, "an amount such as 5, or `none` for no cap")),
    }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(|text| text.trim().to_ascii_lowercase())
}

fn dollars(value: &Value) -> Option<f64> {
    let usd = match value {
        Value::String(text) => text.trim().trim_start_matches('$').parse().ok(),
        other => other.as_f64(),
    };
    usd.filter(|usd: &f64| usd.is_finite())
}

/// Returns what variables change: an object of texts, or its JSON text.
fn variables(value: &Value) -> Result<Change<BTreeMap<String, String>>, Report> {
    // Values may be secrets: they are not repeated.
    let refused = || {
        let hint = "Give an object such as {\"REGION\": \"eu\"}; every value is a text.";
        Report::new(Kind::Usage, "invalid_field", "`env_set` is not an object of texts", hint)
    };
    match from_text(value.clone()) {
        Value::String(words) => match text(&words) {
            Change::Keep => Ok(Change::Keep),
            Change::Clear => Ok(Change::Clear),
            Change::Set(_) => Err(refused()),
        },
        Value::Object(set) => {
            let one = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
            set.into_iter().map(one).collect::<Option<_>>().map(Change::Set).ok_or_else(refused)
        }
        _ => Err(refused()),
    }
}
