//! Groups, settings and agents, changed and shown on the command line.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_group_is_made_changed_shown_and_removed() {
    let world = World::with_worker();
    world.agent("web");
    let before = fs::read_to_string(world.config_file()).unwrap();
    assert_eq!(world.run(&["group", "list", "--json"]).ok().json(), json!([]));
    let done = world.run(&["group", "add", "shop", "-d", "all of it", "--member", "web=the storefront"]).ok();
    assert_eq!(done.stdout, "added group shop\n");
    world.run(&["group", "update", "shop", "--member", "worker", "--shared-context", "Cents."]).ok();
    let done = world.run(&["group", "update", "shop", "--member", "web=", "--member", "worker=a, b"]).ok();
    assert_eq!(done.stdout, "updated group shop: members\n");
    let detail = world.run(&["group", "inspect", "shop", "--json"]).ok().json();
    let worker = json!({"agent": "worker", "use_for": "a, b", "directory": world.path("worker"), "description": "Agent in worker", "healthy": true});
    assert_eq!((&detail["shared_context"], &detail["members"][1]), (&json!("Cents."), &worker));
    assert_eq!(detail["members"][0]["use_for"], Value::Null);
    world.run(&["remove", "web"]).ok();
    let list = world.run(&["group", "list"]).ok().stdout;
    assert!(list.contains("web (no such agent), worker") && list.contains("all of it"), "{list}");
    let shown = world.run(&["group", "inspect", "shop"]).ok().stdout;
    assert!(shown.contains("shared context\n    Cents.\n") && shown.contains("no such agent"), "{shown}");
    world.run(&["group", "update", "shop", "--remove-member", "web", "-d", ""]).ok();
    let text = fs::read_to_string(world.config_file()).unwrap();
    assert!(text.ends_with("groups:\n  shop:\n    members:\n    - agent: worker\n      use_for: a, b\n    shared_context: Cents.\n"), "{text}");
    world.run(&["group", "remove", "shop"]).ok();
    assert!(
        before.starts_with(fs::read_to_string(world.config_file()).unwrap().trim_end_matches("groups: {}\n"))
    );
    let empty = world.run(&["group", "add", "none-yet"]).ok();
    assert!(empty.stderr.contains("group update none-yet --member"), "{}", empty.stderr);

    for (arguments, code, told) in [
        (vec!["group", "add", "x", "--member", "nobody"], 1, "there is no agent `nobody`"),
        (vec!["group", "add", "../x"], 2, "is not a group name"),
        (vec!["group", "add", "none-yet"], 2, "agent-dispatch group update none-yet"),
        (vec!["group", "update", "none-yet"], 2, "nothing to change"),
        (vec!["group", "update", "none-yet", "--remove-member", "worker"], 1, "there is no member `worker`"),
        (vec!["group", "remove", "shop"], 1, "there is no group `shop`"),
        (vec!["group", "inspect", "none-yte"], 1, "did you mean `none-yet`?"),
    ] {
        let done = world.run(&arguments).exits(code);
        assert!(done.stderr.contains(told), "{arguments:?}: {}", done.stderr);
    }
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let world = World::new();
    world.config("# mine\nsettings:\n  max_concurrency: 3 # few\n  cache: {ttl: 60}\n");
    let all = world.run(&["settings", "--json"]).ok().json();
    let of = |key: &str| {
        all.as_array()
            .unwrap()
            .iter()
            .find(|it| it["key"] == key)
            .unwrap_or_else(|| panic!("no {key}"))
            .clone()
    };
    assert_eq!(of("max_concurrency"), json!({"key": "max_concurrency", "value": 3, "default": 5, "line": 3}));
    assert_eq!(of("cache.ttl"), json!({"key": "cache.ttl", "value": 60, "default": 300, "line": 4}));
    assert_eq!(
        of("audit.content"),
        json!({"key": "audit.content", "value": "preview", "default": "preview", "line": null})
    );
    let table = world.run(&["settings"]).ok().stdout;
    assert!(table.contains("line 3 (default: 5)") && table.contains("agents.yaml"), "{table}");
}

#[test]
fn a_setting_is_set_and_unset_and_the_rest_of_the_file_stays() {
    let world = World::new();
    let text = "# mine\nsettings:\n  max_concurrency: 3 # few\n";
    world.config(text);
    for (key, value, shown) in [
        ("cache.ttl", "600", "600"),
        ("budget.day", "2.5", "2.5"),
        ("default_allowed_tools", "Read,Bash(git log:*)", "Read,Bash(git log:*)"),
        ("default_max_budget_usd", "none", "none"),
        ("claude_path", "~/bin/claude", ""),
        ("dispatch_protocol", "off", "false"),
        ("mcp_config_edits", "deny", "deny"),
    ] {
        let done = world.run(&["settings", "set", key, value]).ok();
        assert!(done.stdout.starts_with(&format!("{key}: {shown}")), "{}", done.stdout);
    }
    // A person is not bound by what sessions may do.
    world.run(&["settings", "set", "mcp_config_edits", "allow"]).ok();
    let keys = [
        "cache.ttl",
        "budget.day",
        "default_allowed_tools",
        "default_max_budget_usd",
        "claude_path",
        "dispatch_protocol",
        "mcp_config_edits",
    ];
    for key in keys {
        world.run(&["settings", "unset", key]).ok();
    }
    assert_eq!(fs::read_to_string(world.config_file()).unwrap(), text);
    for (arguments, code, told) in [
        (["settings", "set", "max_concurency", "3"], 2, "did you mean `max_concurrency`?"),
        (
            ["settings", "set", "max_concurrency", "many"],
            2,
            "settings.max_concurrency: expected a whole number",
        ),
        (["settings", "set", "on_disconnect", "stop"], 2, "expected one of cancel, detach"),
    ] {
        let done = world.run(&arguments).exits(code);
        assert!(done.stderr.contains(told), "{}", done.stderr);
    }
    assert_eq!(fs::read_to_string(world.config_file()).unwrap(), text);
}

#[test]
fn changes_of_groups_and_settings_are_recorded_with_before_and_after() {
    let world = World::with_worker();
    world.run(&["group", "add", "shop", "--member", "worker"]).ok();
    world.run(&["settings", "set", "cache.ttl", "5"]).ok();
    world.run(&["settings", "set", "cache.ttl", "6"]).ok();
    let records = world.run(&["audit", "--json"]).ok().json();
    let reasons: Vec<&Value> = records.as_array().unwrap().iter().map(|record| &record["reason"]).collect();
    assert_eq!(reasons, ["settings updated: cache.ttl", "settings updated: cache.ttl", "group shop added"]);
    assert_eq!(records[0]["details"]["before"], "cache.ttl: 5\n");
    assert_eq!(records[0]["details"]["after"], "cache.ttl: 6\n");
    assert_eq!((&records[2]["group"], &records[1]["details"]["before"]), (&json!("shop"), &Value::Null));
}

#[test]
fn an_agent_moves_and_tells_everything_that_is_not_as_usual() {
    let world = World::with_worker();
    let moved = world.path("moved");
    fs::create_dir_all(moved.join(".claude")).unwrap();
    fs::write(moved.join("package.json"), "{\"description\": \"\"}").unwrap();
    fs::write(moved.join(".claude/settings.json"), "{\"permissions\": {\"allow\": [\"Bash\"]}}").unwrap();
    world
        .run(&[
            "update",
            "worker",
            "--directory",
            "moved",
            "--permission-mode",
            "plan",
            "--allowed-tools",
            ",",
        ])
        .ok();
    world
        .run(&[
            "update",
            "worker",
            "--budget-day",
            "2",
            "--callers",
            "web,cron",
            "--env-inherit",
            "AWS_*",
            "--env-set",
            "A=b",
            "--max-concurrency",
            "2",
        ])
        .ok();
    let table = world.run(&["list"]).ok().stdout;
    assert!(table.contains("plan; (none); $2.00/day; 2 at once"), "{table}");
    let shown = world.run(&["describe", "worker"]).ok().stdout;
    for line in [
        "directory     ",
        "permissions   plan\n",
        "may use       (none)\n",
        "callers       web, cron\n",
        "inherits      AWS_*\n",
        "sets          A\n",
        "at once       2\n",
        "has           package.json\n",
        "timeout       300 s (from the settings)\n",
        "note (trust): Claude Code has not been told to trust this folder",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    fs::remove_file(moved.join(".claude/settings.json")).unwrap();
    assert!(!world.run(&["describe", "worker"]).ok().stdout.contains("note (trust)"));
    let done = world.run(&["update", "worker", "--directory", "/no/such"]).exits(2);
    assert!(done.stderr.contains("is not an existing directory"), "{}", done.stderr);
    world.run(&["update", "worker", "--env-set", "", "--callers", "none", "--budget-day", "none"]).ok();
    let text = fs::read_to_string(world.config_file()).unwrap();
    assert!(!text.contains("callers") && !text.contains("budget") && !text.contains("set:"), "{text}");
}

#[test]
fn a_directory_that_may_not_be_read_does_not_break_the_list() {
    let world = World::with_worker();
    let closed = world.agent("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let listed = world.run(&["list", "--json"]).ok().json();
    let table = world.run(&["list"]).ok().stdout;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    // Root may read everything.
    if listed[1]["healthy"] == false {
        assert_eq!(listed[1]["unreadable"], true, "{listed:#}");
        assert!(table.contains("unreadable"), "{table}");
    }
    assert_eq!(listed[0]["healthy"], true);
}
