//! The fields of agents and groups as an edit sets them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_yaml::{Mapping, Value};

use crate::model::BudgetLimit;

/// What an edit does with one field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Leaves it as it is.
    #[default]
    Keep,
    /// Writes it.
    Set(T),
    /// Takes it out, so that the default holds again.
    Clear,
}

/// What an edit does with the fields of an agent. Values that mean the default (an empty text, 0) are taken out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    /// `directory`, written as it is given; it must exist.
    pub directory: Option<PathBuf>,
    /// `description`.
    pub description: Change<String>,
    /// `timeout`, in seconds.
    pub timeout: Change<u32>,
    /// `max_budget_usd`.
    pub max_budget: Change<BudgetLimit>,
    /// `model`.
    pub model: Change<String>,
    /// `permission_mode`.
    pub permission_mode: Change<String>,
    /// `allowed_tools`; an empty list is written, as no tools at all.
    pub allowed_tools: Change<Vec<String>>,
    /// `disallowed_tools`; an empty list is written.
    pub disallowed_tools: Change<Vec<String>>,
    /// `capabilities`.
    pub capabilities: Change<Vec<String>>,
    /// `risky_capabilities`.
    pub risky_capabilities: Change<Vec<String>>,
    /// `instructions`.
    pub instructions: Change<String>,
    /// `max_concurrency`.
    pub max_concurrency: Change<u32>,
    /// `env.inherit`; an empty list is written.
    pub env_inherit: Change<Vec<String>>,
    /// `env.deny`.
    pub env_deny: Change<Vec<String>>,
    /// `env.set`, as a whole.
    pub env_set: Change<BTreeMap<String, String>>,
    /// `callers`; an empty list is written, as nobody.
    pub callers: Change<Vec<String>>,
    /// `budget.day`, in US dollars.
    pub budget_day: Change<f64>,
    /// `budget.month`, in US dollars.
    pub budget_month: Change<f64>,
}

/// What an edit does with a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFields {
    /// `description`.
    pub description: Change<String>,
    /// `shared_context`.
    pub shared_context: Change<String>,
    /// Members to take in, change or take out, in this order.
    pub members: Vec<MemberChange>,
}

/// What an edit does with one member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// Takes the agent in, or changes what a member is to be used for; nothing leaves that as it is, an empty text clears
    /// it.
    Put {
        /// The agent.
        agent: String,
        /// What to use it for.
        use_for: Option<String>,
    },
    /// Takes it out.
    Remove {
        /// The agent.
        agent: String,
    },
}

/// A key, with dots where it leads into a mapping, and the value to write, nothing to take it out.
pub(super) type Written = (String, Option<Value>);

impl Fields {
    /// Returns the keys to change, in the file's usual order.
    pub(super) fn changes(&self) -> Vec<Written> {
        let directory = self.directory.as_ref().map(|path| path.to_str().map(Value::from));
        changed([
            ("directory", directory),
            ("description", self.description.written(|text| some_text(text))),
            ("timeout", self.timeout.written(|number| some_number(*number))),
            ("max_budget_usd", self.max_budget.written(some_budget)),
            ("model", self.model.written(|text| some_text(text.trim()))),
            ("permission_mode", self.permission_mode.written(|text| some_text(text.trim()))),
            ("allowed_tools", self.allowed_tools.written(|list| Some(texts(list)))),
            ("disallowed_tools", self.disallowed_tools.written(|list| Some(texts(list)))),
            ("capabilities", self.capabilities.written(|list| some_texts(list))),
            ("risky_capabilities", self.risky_capabilities.written(|list| some_texts(list))),
            ("instructions", self.instructions.written(|text| some_text(text.trim()))),
            ("max_concurrency", self.max_concurrency.written(|number| some_number(*number))),
            ("env.inherit", self.env_inherit.written(|list| Some(texts(list)))),
            ("env.deny", self.env_deny.written(|list| some_texts(list))),
            ("env.set", self.env_set.written(some_variables)),
            ("callers", self.callers.written(|list| Some(texts(list)))),
            ("budget.day", self.budget_day.written(|usd| some_dollars(*usd))),
            ("budget.month", self.budget_month.written(|usd| some_dollars(*usd))),
        ])
    }
}

impl GroupFields {
    /// Returns the keys to change beside the members.
    pub(super) fn changes(&self) -> Vec<Written> {
        changed([
            ("description", self.description.written(|text| some_text(text))),
            ("shared_context", self.shared_context.written(|text| some_text(text))),
        ])
    }
}

impl MemberChange {
    /// Returns the agent it is about.
    pub(super) fn agent(&self) -> &str {
        match self {
            Self::Put { agent, .. } | Self::Remove { agent } => agent,
        }
    }

    /// Returns a new member as it is written.
    pub(super) fn item(agent: &str, use_for: Option<&str>) -> Value {
        let mut item = Mapping::from_iter([(Value::from("agent"), Value::from(agent))]);
        if let Some(use_for) = use_for.filter(|text| !text.is_empty()) {
            item.insert("use_for".into(), use_for.into());
        }
        Value::Mapping(item)
    }
}

/// Returns what several words in one text are: separated by commas, but not inside parentheses, as in
/// `Bash(git log:*),Read`.
pub fn words(text: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let parts = text.split(|char| {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        char == ',' && depth == 0
    });
    parts.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[expect(clippy::option_option, reason = "kept and taken out are two things")]
fn changed<const N: usize>(all: [(&str, Option<Option<Value>>); N]) -> Vec<Written> {
    all.into_iter().filter_map(|(key, written)| written.map(|value| (key.to_owned(), value))).collect()
}

impl<T> Change<T> {
    /// Returns what is written: nothing for a field that is kept, and nothing inside for one that is taken out.
    #[expect(clippy::option_option, reason = "kept and taken out are two things")]
    fn written(&self, value: impl Fn(&T) -> Option<Value>) -> Option<Option<Value>> {
        match self {
            Self::Keep => None,
            Self::Set(new) => Some(value(new)),
            Self::Clear => Some(None),
        }
    }
}

fn some_text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.into())
}

fn some_number(number: u32) -> Option<Value> {
    (number > 0).then(|| number.into())
}

fn some_budget(budget: &BudgetLimit) -> Option<Value> {
    match budget {
        BudgetLimit::Inherit => None,
        BudgetLimit::Unlimited => Some("none".into()),
        BudgetLimit::Usd(dollars) => some_dollars(*dollars),
    }
}

fn some_dollars(dollars: f64) -> Option<Value> {
    (dollars != 0.0).then(|| dollars.into())
}

fn texts(list: &[String]) -> Value {
    list.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>().into()
}

fn some_texts(list: &[String]) -> Option<Value> {
    (!list.is_empty()).then(|| texts(list))
}

fn some_variables(set: &BTreeMap<String, String>) -> Option<Value> {
    let set: Mapping =
        set.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
    (!set.is_empty()).then_some(Value::Mapping(set))
}
