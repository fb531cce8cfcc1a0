//! Changing the configuration through the protocol: what is written, what is refused, and what is recorded.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Client, Home, read};

fn failure(client: &mut Client, tool: &str, arguments: &Value) -> (String, String, String) {
    let failure = client.failure(tool, arguments);
    let text = |key: &str| failure[key].as_str().expect("it is a text").to_owned();
    (text("code"), text("error"), text("hint"))
}

#[test]
fn an_agent_comes_changes_and_goes() {
    let home = Home::new();
    let client = &mut home.client();
    fs::create_dir_all(home.path("docs")).expect("a folder can be made");
    fs::write(home.path("docs/README.md"), "A manual that is long enough.").expect("a file can be written");
    let before = read(&home.configuration());

    let added = client.document(
        "add_agent",
        &json!({"name": "docs", "directory": "~/docs", "model": "opus", "timeout": 0, "allowed_tools": "Read, Bash(a, b)"}),
    );
    let expected = json!({
        "added": "docs", "directory": home.path("docs"), "description": "A manual that is long enough.",
        "model": "opus", "allowed_tools": ["Read", "Bash(a, b)"],
    });
    assert_eq!(added, expected);
    let detail = client.document("inspect_agent", &json!({"name": "docs"}));
    assert_eq!((&detail["timeout"], &detail["max_budget_usd"]), (&json!(300), &Value::Null));
    assert!(read(&home.configuration()).contains("    directory: ~/docs\n    model: opus\n"));

    let changes = json!({
        "name": "docs", "description": "the manual", "timeout": 60, "max_budget_usd": 2.5, "model": "none",
        "permission_mode": "plan", "allowed_tools": [], "disallowed_tools": "[\"Write\"]", "capabilities": "a,b",
        "instructions": "Be brief.",
    });
    let updated = client.document("update_agent", &changes);
    let fields = [
        "description",
        "timeout",
        "max_budget_usd",
        "model",
        "permission_mode",
        "allowed_tools",
        "disallowed_tools",
        "capabilities",
        "instructions",
    ];
    assert_eq!(updated, json!({"updated": "docs", "fields": fields}));
    let detail = client.document("inspect_agent", &json!({"name": "docs"}));
    for (key, value) in [
        ("description", json!("the manual")),
        ("timeout", json!(60)),
        ("max_budget_usd", json!(2.5)),
        ("model", Value::Null),
        ("permission_mode", json!("plan")),
        ("allowed_tools", json!([])),
        ("disallowed_tools", json!(["Write"])),
        ("capabilities", json!(["a", "b"])),
        ("instructions", json!("Be brief.")),
    ] {
        assert_eq!(detail[key], value, "{key}");
    }
    let cleared = json!({
        "name": "docs", "description": "none", "permission_mode": "None", "allowed_tools": "none",
        "disallowed_tools": "none", "capabilities": "none", "instructions": "none", "max_budget_usd": "-1",
    });
    client.document("update_agent", &cleared);
    let left = read(&home.configuration());
    assert!(left.contains("  docs:\n    directory: ~/docs\n    timeout: 60\nsettings:"), "{left}");
    let listed = client.document("list_agents", &json!({}));
    assert_eq!(listed["agents"][2]["description"], "A manual that is long enough.");

    assert_eq!(client.document("remove_agent", &json!({"name": "docs"})), json!({"removed": "docs"}));
    assert_eq!(read(&home.configuration()), before);
}

#[test]
fn inherited_no_cap_and_an_amount_can_all_be_said() {
    let home = Home::with_settings("  default_max_budget_usd: 5\n");
    let client = &mut home.client();
    for (given, in_force) in [
        (json!("none"), Value::Null),
        (json!(0), Value::Null),
        (json!("0.5"), json!(0.5)),
        (json!(-1), json!(5.0)),
        (json!("$3"), json!(3.0)),
        (json!("default"), json!(5.0)),
    ] {
        let asked = json!({"name": "worker", "max_budget_usd": given, "model": "opus"});
        client.document("update_agent", &asked);
        let detail = client.document("inspect_agent", &json!({"name": "worker"}));
        assert_eq!(detail["max_budget_usd"], in_force, "{given}");
    }
}

#[test]
fn what_cannot_be_written_is_named_and_nothing_is() {
    let home = Home::new();
    let client = &mut home.client();
    let before = read(&home.configuration());
    let there = home.text_path("worker");
    for (tool, arguments, code, told) in [
        (
            "add_agent",
            json!({"name": "worker", "directory": there}),
            "duplicate",
            "agent `worker` exists already",
        ),
        (
            "add_agent",
            json!({"name": "a b", "directory": there}),
            "invalid_field",
            "`a b` is not an agent name",
        ),
        ("add_agent", json!({"name": "x\n", "directory": there}), "invalid_field", "is not an agent name"),
        ("add_agent", json!({"name": "x", "directory": "/no/such"}), "no_directory", "`/no/such` is not"),
        ("add_agent", json!({"name": "x", "directory": "~nobody/x"}), "no_directory", "~nobody/x` is not"),
        (
            "add_agent",
            json!({"name": "x", "directory": there, "timeout": -2}),
            "invalid_field",
            "`timeout` is -2",
        ),
        (
            "add_agent",
            json!({"name": "x", "directory": there, "max_budget_usd": -1}),
            "invalid_field",
            "`max_budget_usd` is -1",
        ),
        ("update_agent", json!({"name": "worker", "max_budget_usd": "inf"}), "invalid_field", "is \"inf\""),
        ("update_agent", json!({"name": "worker", "timeout": 90_000}), "invalid_field", "0 to 86400"),
        (
            "update_agent",
            json!({"name": "worker", "allowed_tools": [5]}),
            "invalid_field",
            "`allowed_tools` is [5]",
        ),
        ("update_agent", json!({"name": "worker"}), "nothing_to_change", "agent `worker`"),
        ("update_agent", json!({"name": "workre", "timeout": 5}), "not_found", "did you mean `worker`?"),
        ("remove_agent", json!({"name": "nobody"}), "not_found", "there are `worker`, `other`"),
        ("update_settings", json!({"settings": {"cache.tll": 5}}), "not_found", "did you mean `cache.ttl`?"),
        (
            "update_settings",
            json!({"settings": {"cache": 5}}),
            "invalid_field",
            "holds enabled, ttl, max_size",
        ),
        ("update_settings", json!({"settings": {"max_concurrency": 0}}), "invalid_field", "from 1 to 1000"),
        ("update_settings", json!({"settings": "fast"}), "invalid_field", "not an object"),
        ("update_settings", json!({"settings": {}}), "nothing_to_change", "the settings"),
        ("add_group", json!({"name": "g", "members": "nobody"}), "not_found", "there is no agent `nobody`"),
        ("add_group", json!({"name": "no"}), "invalid_field", "choose another name"),
        (
            "add_group",
            json!({"name": "g", "members": [{"agnet": "worker"}]}),
            "invalid_field",
            "`members` is",
        ),
        ("update_group", json!({"name": "g", "description": "x"}), "not_found", "there is no group `g`"),
        ("inspect_group", json!({"name": "g"}), "not_found", "there is no group `g`"),
        ("list_groups", json!({}), "no_groups", "no groups are configured"),
    ] {
        let (got, error, hint) = failure(client, tool, &arguments);
        assert_eq!(got, code, "{tool} {arguments}: {error}");
        assert!(error.contains(told) && !hint.is_empty(), "{tool} {arguments}: {error}");
    }
    assert_eq!(read(&home.configuration()), before);
}

#[test]
fn a_group_comes_changes_and_goes_and_says_who_is_missing() {
    let home = Home::new();
    let client = &mut home.client();
    let before = read(&home.configuration());
    let added = client.document(
        "add_group",
        &json!({"name": "shop", "description": "all of it", "members": [{"agent": "worker", "use_for": "work"}, "other"]}),
    );
    assert_eq!(added, json!({"added": "shop", "members": ["worker", "other"]}));
    let changes = json!({"name": "shop", "shared_context": "Prices are in cents.", "members": "other=a, rest", "remove_members": ["worker"]});
    // `rest` is no agent.
    assert_eq!(failure(client, "update_group", &changes).0, "not_found");
    let changes = json!({"name": "shop", "shared_context": "Prices are in cents.", "members": "other=the rest", "remove_members": ["worker"]});
    assert_eq!(
        client.document("update_group", &changes),
        json!({"updated": "shop", "fields": ["shared_context", "members"]})
    );
    client.document("remove_agent", &json!({"name": "other"}));
    fs::remove_dir(home.path("worker")).expect("a folder can be removed");
    client.document("update_group", &json!({"name": "shop", "members": [{"agent": "worker"}]}));
    let groups = json!([{
        "name": "shop", "description": "all of it", "shared_context_present": true, "member_count": 2,
        "members": [{"agent": "other", "use_for": "the rest", "unknown": true}, {"agent": "worker", "healthy": false}],
    }]);
    assert_eq!(client.document("list_groups", &json!({}))["groups"], groups);
    let detail = json!({
        "name": "shop", "description": "all of it", "shared_context": "Prices are in cents.", "member_count": 2,
        "members": [
            {"agent": "other", "use_for": "the rest", "unknown": true},
            {"agent": "worker", "directory": home.path("worker"), "description": "plays a script", "healthy": false},
        ],
    });
    assert_eq!(client.document("inspect_group", &json!({"name": "shop"})), detail);
    assert_eq!(client.document("remove_group", &json!({"name": "shop"})), json!({"removed": "shop"}));
    let after = read(&home.configuration());
    assert!(
        before.starts_with(
            after
                .split("  other:")
                .next()
                .expect("a beginning")
                .trim_end_matches("groups: {}\n")
                .split("settings:")
                .next()
                .expect("a beginning")
        )
    );
}

#[test]
fn settings_are_set_and_taken_back() {
    let home = Home::with_settings("  # mine\n  max_concurrency: 2 # few\n");
    let client = &mut home.client();
    let before = read(&home.configuration());
    let set = json!({"settings": {"cache": {"ttl": 60}, "audit.content": "digest", "default_allowed_tools": "Read,Grep"}});
    let done = client.document("update_settings", &set);
    let fields = ["cache.ttl", "audit.content", "default_allowed_tools"];
    let now = json!({"cache.ttl": 60, "audit.content": "digest", "default_allowed_tools": ["Read", "Grep"]});
    assert_eq!(done, json!({"fields": fields, "settings": now}));
    // As JSON text it is the same.
    let back = r#"{"cache.ttl": null, "audit": null, "default_allowed_tools": null}"#;
    let done = client.document("update_settings", &json!({"settings": back}));
    assert_eq!(done["settings"]["cache.ttl"], 300);
    assert_eq!(read(&home.configuration()), before);
}

#[test]
fn no_escalation_lets_a_session_narrow_but_not_widen() {
    let home = Home::with_settings("  mcp_config_edits: no-escalation\n");
    let client = &mut home.client();
    client
        .document("update_agent", &json!({"name": "worker", "permission_mode": "plan", "max_budget_usd": 2}));
    client.document(
        "update_agent",
        &json!({"name": "worker", "description": "new words", "disallowed_tools": "Write"}),
    );
    client.document("add_group", &json!({"name": "g", "members": "worker"}));
    client.document("update_settings", &json!({"settings": {"max_dispatch_depth": 2, "cache.ttl": 5}}));
    let before = read(&home.configuration());
    let worker = |key: &str, value: Value| json!({"name": "worker", key: value});
    let settings = |key: &str, value: Value| json!({"settings": {key: value}});
    for (tool, arguments, told, typed) in [
        (
            "update_agent",
            worker("permission_mode", json!("bypassPermissions")),
            "`agents.worker.permission_mode` would go from plan to bypassPermissions",
            "agent-dispatch update worker --permission-mode bypassPermissions",
        ),
        (
            "update_agent",
            worker("allowed_tools", json!("Bash(git *)")),
            "allowed_tools",
            "agent-dispatch update worker --allowed-tools 'Bash(git *)'",
        ),
        (
            "update_agent",
            worker("disallowed_tools", json!("none")),
            "from Write to none",
            "agent-dispatch update worker --disallowed-tools none",
        ),
        (
            "update_agent",
            worker("max_budget_usd", json!(3)),
            "from $2 to $3",
            "agent-dispatch update worker --max-budget 3",
        ),
        (
            "update_agent",
            worker("directory", json!(home.path("other"))),
            "directory",
            "agent-dispatch update worker --directory /",
        ),
        (
            "add_agent",
            json!({"name": "new", "directory": home.path("other")}),
            "agent `new` would be new",
            "agent-dispatch add new /",
        ),
        (
            "update_settings",
            settings("max_dispatch_depth", json!(3)),
            "from 2 to 3",
            "agent-dispatch settings set max_dispatch_depth 3",
        ),
        (
            "update_settings",
            settings("claude_path", Value::Null),
            "claude_path",
            "agent-dispatch settings unset claude_path",
        ),
        (
            "update_settings",
            settings("mcp_config_edits", json!("allow")),
            "mcp_config_edits",
            "agent-dispatch settings set mcp_config_edits allow",
        ),
    ] {
        let (code, error, hint) = failure(client, tool, &arguments);
        assert_eq!(code, "escalation", "{tool} {arguments}: {error}");
        assert!(error.contains(told), "{tool} {arguments}: {error}");
        assert!(hint.contains(typed), "{tool} {arguments}: {hint}");
    }
    assert_eq!(read(&home.configuration()), before);
}

#[test]
fn deny_lets_a_session_change_nothing_and_allow_not_that_setting() {
    let home = Home::with_settings("  mcp_config_edits: deny\n");
    let client = &mut home.client();
    for (tool, arguments) in [
        ("update_agent", json!({"name": "worker", "description": "x"})),
        ("remove_agent", json!({"name": "worker"})),
        ("add_group", json!({"name": "g"})),
        ("update_settings", json!({"settings": {"cache.ttl": 5}})),
    ] {
        let (code, _, hint) = failure(client, tool, &arguments);
        assert_eq!(code, "config_denied", "{tool}");
        assert!(hint.contains("agent-dispatch "), "{hint}");
    }
    home.configure(&home.usual_configuration(""));
    let loosen = json!({"settings": {"mcp_config_edits": "no-escalation"}});
    assert_eq!(failure(client, "update_settings", &loosen).0, "escalation");
    client.document("update_agent", &json!({"name": "worker", "permission_mode": "bypassPermissions"}));
}
