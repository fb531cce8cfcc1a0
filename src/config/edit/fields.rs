//! The fields of an agent as an edit sets them.

use serde_yaml::{Mapping, Value};

use crate::model::{BudgetLimit, EnvProfile, SpendLimit};

/// What an edit does with one field.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// `env`.
    pub env: Change<EnvProfile>,
    /// `callers`; an empty list is written, as nobody.
    pub callers: Change<Vec<String>>,
    /// `budget`.
    pub budget: Change<SpendLimit>,
}

/// A key of an agent and the value to write, nothing to take it out.
pub(super) type Written = (&'static str, Option<Value>);

impl Fields {
    /// Returns the keys to change, in the file's usual order.
    pub(super) fn changes(&self) -> Vec<Written> {
        let all = [
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
            ("env", self.env.written(some_environment)),
            ("callers", self.callers.written(|list| Some(texts(list)))),
            ("budget", self.budget.written(some_spending)),
        ];
        all.into_iter().filter_map(|(key, written)| written.map(|value| (key, value))).collect()
    }

    /// Returns the whole agent, for one that is new.
    pub(super) fn with_directory(&self, directory: &str) -> Mapping {
        let mut agent = Mapping::new();
        agent.insert("directory".into(), directory.into());
        for (key, value) in self.changes() {
            if let Some(value) = value {
                agent.insert(key.into(), value);
            }
        }
        agent
    }
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
        BudgetLimit::Usd(dollars) => some_dollars(Some(*dollars)),
    }
}

fn some_dollars(dollars: Option<f64>) -> Option<Value> {
    dollars.filter(|dollars| *dollars != 0.0).map(Value::from)
}

fn texts(list: &[String]) -> Value {
    list.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>().into()
}

fn some_texts(list: &[String]) -> Option<Value> {
    (!list.is_empty()).then(|| texts(list))
}

fn some_environment(env: &EnvProfile) -> Option<Value> {
    let set: Mapping =
        env.set.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
    some_mapping([
        ("inherit", env.inherit.as_deref().map(texts)),
        ("deny", some_texts(&env.deny)),
        ("set", (!set.is_empty()).then_some(Value::Mapping(set))),
    ])
}

fn some_spending(limit: &SpendLimit) -> Option<Value> {
    some_mapping([("day", some_dollars(limit.day)), ("month", some_dollars(limit.month))])
}

fn some_mapping<const N: usize>(entries: [(&str, Option<Value>); N]) -> Option<Value> {
    let mapping: Mapping =
        entries.into_iter().filter_map(|(key, value)| Some((key.into(), value?))).collect();
    (!mapping.is_empty()).then_some(Value::Mapping(mapping))
}
