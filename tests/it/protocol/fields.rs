//! Callers, money over days and months, environment and runs at once of an agent, changed through the protocol.

use serde_json::{Value, json};

use crate::client::{Home, read};

#[test]
fn what_guards_an_agent_is_set_seen_and_taken_back() {
    let home = Home::new();
    let client = &mut home.client();
    let before = read(&home.configuration());
    let set = json!({
        "name": "worker", "max_concurrency": 2, "callers": "web, cron", "budget_day": "$5", "budget_month": 50.5,
        "env_inherit": ["AWS_*", "CI"], "env_deny": "AWS_SECRET_*", "env_set": {"REGION": "eu"},
    });
    let fields =
        ["max_concurrency", "env.inherit", "env.deny", "env.set", "callers", "budget.day", "budget.month"];
    assert_eq!(client.document("update_agent", &set), json!({"updated": "worker", "fields": fields}));
    let detail = client.document("inspect_agent", &json!({"name": "worker"}));
    for (key, value) in [
        ("max_concurrency", json!(2)),
        ("callers", json!(["web", "cron"])),
        ("budget", json!({"day": 5.0, "month": 50.5})),
    ] {
        assert_eq!(detail[key], value, "{detail:#}");
    }
    let written = read(&home.configuration());
    assert!(written.contains("REGION: eu") && written.contains("AWS_SECRET_*"), "{written}");

    // What is left empty stays, in every way of leaving it.
    let rest = json!({
        "name": "worker", "max_concurrency": 0, "callers": "", "budget_day": 0, "budget_month": "", "env_inherit": "",
        "env_deny": null, "env_set": "", "description": "other words",
    });
    let changed = client.document("update_agent", &rest);
    assert_eq!(changed["fields"], json!(["description"]));

    let nobody = json!({"name": "worker", "callers": ",", "env_set": "{\"A\": \"b\"}", "description": "plays a script"});
    client.document("update_agent", &nobody);
    let detail = client.document("inspect_agent", &json!({"name": "worker"}));
    assert_eq!(detail["callers"], json!([]));
    let written = read(&home.configuration());
    assert!(written.contains("A: b") && !written.contains("REGION"), "{written}");

    let back = json!({
        "name": "worker", "max_concurrency": -1, "callers": "none", "budget_day": "none", "budget_month": -1,
        "env_inherit": "none", "env_deny": "none", "env_set": {},
    });
    client.document("update_agent", &back);
    assert_eq!(read(&home.configuration()), before);
}

#[test]
fn a_new_agent_may_have_them_from_the_start() {
    let home = Home::new();
    let client = &mut home.client();
    let new = json!({
        "name": "new", "directory": home.text_path("worker"), "callers": ["web"], "budget_day": "2", "max_concurrency": "1",
    });
    client.document("add_agent", &new);
    let detail = client.document("inspect_agent", &json!({"name": "new"}));
    assert_eq!(
        (&detail["callers"], &detail["budget"]["day"], &detail["max_concurrency"]),
        (&json!(["web"]), &json!(2.0), &json!(1))
    );
}

#[test]
fn what_they_cannot_be_is_named_and_values_of_variables_are_not_repeated() {
    let home = Home::new();
    let client = &mut home.client();
    let before = read(&home.configuration());
    for (key, value, told) in [
        ("max_concurrency", json!(-2), "`max_concurrency` is -2"),
        ("max_concurrency", json!(1001), "from 1 to 1000"),
        ("max_concurrency", json!("many"), "not a whole number"),
        ("callers", json!(5), "`callers` is 5"),
        ("budget_day", json!("much"), "`budget_day` is \"much\""),
        ("budget_day", json!(-5), "`budget_day` is -5"),
        ("max_budget_usd", json!(-5), "`max_budget_usd` is -5"),
        ("budget_month", json!([1]), "`budget_month` is [1]"),
        ("env_inherit", json!([5]), "`env_inherit` is [5]"),
        ("env_set", json!({"TOKEN": 77}), "`env_set` is not an object of texts"),
        ("env_set", json!("TOKEN=77"), "`env_set` is not an object of texts"),
        ("env_set", json!({"A=B": "77"}), "A=B"),
    ] {
        let failure = client.failure("update_agent", &json!({"name": "worker", key: value}));
        let error = failure["error"].as_str().expect("it is a text");
        assert!(error.contains(told), "{key}: {error}");
        assert!(!error.contains("77"), "{error}");
        assert!(failure["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{failure}");
    }
    assert_eq!(read(&home.configuration()), before);
}

#[test]
fn a_session_that_may_not_escalate_narrows_them_only() {
    let home = Home::with_settings("  mcp_config_edits: no-escalation\n");
    let client = &mut home.client();
    let worker = |key: &str, value: Value| json!({"name": "worker", key: value});
    for (key, narrow, wide, typed) in [
        ("max_concurrency", json!(2), json!(3), "--max-concurrency 3"),
        ("max_concurrency", json!(1), json!(-1), "--max-concurrency 0"),
        ("callers", json!("web,cron"), json!("web,cron,other"), "--callers web,cron,other"),
        ("callers", json!("web"), json!("none"), "--callers none"),
        ("budget_day", json!(5), json!(6), "--budget-day 6"),
        ("budget_month", json!(50), json!("none"), "--budget-month none"),
        ("env_inherit", json!("AWS_*"), json!("AWS_*,CI"), "--env-inherit 'AWS_*,CI'"),
        ("env_inherit", json!("AWS_REGION"), json!("none"), "--env-inherit none"),
        ("env_deny", json!("AWS_*"), json!("AWS_SECRET"), "--env-deny AWS_SECRET"),
    ] {
        client.document("update_agent", &worker(key, narrow));
        let refused = client.failure("update_agent", &worker(key, wide.clone()));
        assert_eq!(refused["code"], "escalation", "{key} {wide}: {refused}");
        let hint = refused["hint"].as_str().expect("it is a text");
        assert!(hint.contains(&format!("agent-dispatch update worker {typed}")), "{hint}");
    }
    let refused = client.failure("update_agent", &worker("env_set", json!({"TOKEN": "hidden"})));
    assert_eq!(refused["code"], "escalation");
    assert!(!refused.to_string().contains("hidden"), "{refused}");
}
