//! What the options of `add` and `update` mean.

use super::*;

fn nothing() -> FieldArguments {
    FieldArguments {
        description: None,
        timeout: None,
        model: None,
        max_budget: None,
        permission_mode: None,
        allowed_tools: None,
        disallowed_tools: None,
        capabilities: None,
        risky_capabilities: None,
        instructions: None,
        max_concurrency: None,
        callers: None,
        budget_day: None,
        budget_month: None,
        env_inherit: None,
        env_deny: None,
        env_set: Vec::new(),
    }
}

#[test]
fn what_is_not_given_is_kept() {
    assert_eq!(nothing().into_changes(), Fields::default());
}

#[test]
fn options_set_and_clear() {
    let text = |text: &str| Some(text.to_owned());
    let set = FieldArguments {
        description: text("none of them"),
        timeout: Some(60),
        max_budget: Some(Budget::Unlimited),
        allowed_tools: text(" Read, Bash(git log:*, git diff:*) ,,"),
        disallowed_tools: text(","),
        max_concurrency: Some(2),
        budget_day: Some(Budget::Usd(2.5)),
        env_set: vec![("A".to_owned(), "b".to_owned())],
        ..nothing()
    };
    let want = Fields {
        description: Change::Set("none of them".to_owned()),
        timeout: Change::Set(60),
        max_budget: Change::Set(BudgetLimit::Unlimited),
        allowed_tools: Change::Set(vec!["Read".to_owned(), "Bash(git log:*, git diff:*)".to_owned()]),
        disallowed_tools: Change::Set(Vec::new()),
        max_concurrency: Change::Set(2),
        budget_day: Change::Set(2.5),
        env_set: Change::Set(BTreeMap::from([("A".to_owned(), "b".to_owned())])),
        ..Fields::default()
    };
    assert_eq!(set.into_changes(), want);
    let cleared = FieldArguments {
        description: text("none"),
        timeout: Some(0),
        model: text("None"),
        max_budget: Some(Budget::Default),
        allowed_tools: text("none"),
        capabilities: text(""),
        instructions: text(" "),
        max_concurrency: Some(0),
        budget_month: Some(Budget::Unlimited),
        env_set: vec![(String::new(), String::new())],
        ..nothing()
    };
    let want = Fields {
        description: Change::Clear,
        timeout: Change::Clear,
        model: Change::Clear,
        max_budget: Change::Clear,
        allowed_tools: Change::Clear,
        capabilities: Change::Clear,
        instructions: Change::Clear,
        max_concurrency: Change::Clear,
        budget_month: Change::Clear,
        env_set: Change::Clear,
        ..Fields::default()
    };
    assert_eq!(cleared.into_changes(), want);
}
