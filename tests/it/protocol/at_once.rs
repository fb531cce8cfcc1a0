//! An edit with several mistakes is refused with all of them, wherever each is found.

use serde_json::{Value, json};

use crate::client::{Home, read};

#[test]
fn an_edit_is_told_all_that_is_wrong_with_it_at_once() {
    let home = Home::new();
    let client = &mut home.client();
    let before = read(&home.configuration());
    for (tool, arguments, told) in [
        // An unknown argument, one of the wrong type, and values: of the call, and of the file.
        (
            "update_agent",
            json!({
                "name": "worker", "timout": 5, "timeout": 90_000, "max_concurrency": "few", "model": "--x",
                "allowed_tools": [5], "callers": 7, "directory": "/no/such",
            }),
            &[
                "no argument `timout`; did you mean `timeout`?",
                "`max_concurrency` is \"few\"",
                "`allowed_tools` is [5]",
                "`callers` is 7",
                "`/no/such` is not an existing directory",
                "agents.worker.timeout: expected a whole number of seconds from 0 to 86400, found 90000",
                "agents.worker.model: begins with `-`",
            ][..],
        ),
        (
            "update_agent",
            json!({"name": "workre", "timeout": 90_000, "budget_day": "much"}),
            &["did you mean `worker`?", "agents.workre.timeout: ", "`budget_day` is \"much\""],
        ),
        (
            "add_agent",
            json!({"directory": "/no/such", "model": "--x", "timeout": -7}),
            &["`name` is required", "`/no/such` is not", "model: begins with `-`", "`timeout` is -7"],
        ),
        (
            "add_agent",
            json!({"name": "a b", "directory": ["/no/such"], "model": "--x"}),
            &[
                "`directory` is [\"/no/such\"], not a text",
                "`a b` is not an agent name",
                "agents.a b.model: ",
            ],
        ),
        ("remove_agent", json!({"name": "workre", "force": true}), &["`force`", "did you mean `worker`?"]),
        (
            "update_settings",
            json!({"settings": {"cache.tll": 5, "cache": {"ttl": -1, "size": 3}, "max_concurrency": 0, "audit": 1}, "dry": 1}),
            &[
                "no argument `dry`",
                "no setting `cache.tll` (did you mean `cache.ttl`?)",
                "no setting `cache.size`",
                "settings.audit: holds content",
                "settings.cache.ttl: expected",
                "settings.max_concurrency: expected a whole number of dispatches from 1 to 1000, found 0",
            ],
        ),
        ("update_settings", json!({"settings": "fast", "dry": 1}), &["no argument `dry`", "not an object"]),
        (
            "add_group",
            json!({"name": "no", "members": ["workre", {"agnet": "worker"}, "nobody"], "description": "x".repeat(5001)}),
            &[
                "choose another name",
                "agent `workre`",
                "`members` is {\"agnet\":\"worker\"}",
                "agent `nobody`",
                "groups.no.description: 5001 characters",
            ],
        ),
        (
            "update_group",
            json!({"name": "g", "members": "workre", "remove_members": 5, "shared": "x"}),
            &["`shared`", "there is no group `g`", "agent `workre`", "`remove_members` is 5"],
        ),
    ] {
        let failure = client.failure(tool, &arguments);
        let error = failure["error"].as_str().expect("a text");
        for told in told {
            assert_eq!(error.matches(told).count(), 1, "{tool}: {told}\n{error}");
        }
        assert_eq!(error.lines().count(), error.lines().collect::<std::collections::BTreeSet<_>>().len());
        assert!(failure["code"].as_str().is_some_and(|code| code.starts_with("invalid_")), "{failure}");
        assert!(failure["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{failure}");
    }
    assert_eq!(read(&home.configuration()), before);
}

#[test]
fn no_edit_is_made_with_an_argument_that_is_not_known() {
    let home = Home::new();
    let client = &mut home.client();
    client.document("add_group", &json!({"name": "shop", "members": "worker"}));
    let before = read(&home.configuration());
    for (tool, mut arguments) in [
        ("add_agent", json!({"name": "docs", "directory": home.path("worker")})),
        ("update_agent", json!({"name": "worker", "timeout": 5})),
        ("remove_agent", json!({"name": "worker"})),
        ("update_settings", json!({"settings": {"max_concurrency": 3}})),
        ("add_group", json!({"name": "more", "members": "worker"})),
        ("update_group", json!({"name": "shop", "description": "x"})),
        ("remove_group", json!({"name": "shop"})),
    ] {
        arguments["unheard_of"] = Value::from(true);
        let failure = client.failure(tool, &arguments);
        assert_eq!(failure["error"], "there is no argument `unheard_of`", "{failure}");
        assert_eq!(failure["code"], "invalid_arguments");
        assert!(failure["hint"].as_str().is_some_and(|hint| hint.starts_with("Valid arguments: ")));
        assert_eq!(read(&home.configuration()), before, "{tool}");
    }
}
