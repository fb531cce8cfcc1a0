//! Tests of what counts as widening.

use std::path::Path;

use crate::config::escalation::widened;
use crate::config::{Config, parse};

fn config(agent: &str, settings: &str) -> Config {
    let text = format!(
        "agents:\n  a: {{directory: /a, {agent}}}\nsettings: {{mcp_config_edits: no-escalation, {settings}}}\n"
    );
    parse(Path::new("/c/agents.yaml"), Path::new("/h"), text.as_bytes())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Fields before and after, settings of both, and the key that is wider.
const OF_AGENTS: &[(&str, &str, &str, Option<&str>)] = &[
    ("", "permission_mode: plan", "", None),
    ("", "permission_mode: default", "", None),
    ("", "permission_mode: acceptEdits", "", Some("permission_mode")),
    ("permission_mode: plan", "", "", Some("permission_mode")),
    ("permission_mode: plan", "", "default_permission_mode: plan", None),
    ("permission_mode: plan", "permission_mode: dontAsk", "", Some("permission_mode")),
    ("permission_mode: acceptEdits", "permission_mode: default", "", None),
    ("permission_mode: auto", "permission_mode: bypassPermissions", "", Some("permission_mode")),
    ("permission_mode: bypassPermissions", "permission_mode: auto", "", None),
    ("permission_mode: bypassPermissions", "", "", None),
    ("permission_mode: default", "permission_mode: someday", "", Some("permission_mode")),
    ("permission_mode: someday", "permission_mode: acceptEdits", "", Some("permission_mode")),
    ("permission_mode: someday", "permission_mode: plan", "", None),
    ("", "allowed_tools: []", "", None),
    ("", "allowed_tools: [Read]", "", Some("allowed_tools")),
    ("allowed_tools: []", "", "", Some("allowed_tools")),
    ("allowed_tools: []", "allowed_tools: [Read]", "", Some("allowed_tools")),
    ("allowed_tools: [Read, Bash]", "allowed_tools: ['Bash(git log:*)']", "", None),
    ("allowed_tools: ['Bash(git log:*)']", "allowed_tools: [Bash]", "", Some("allowed_tools")),
    ("allowed_tools: [Bash]", "allowed_tools: [BashOutput]", "", Some("allowed_tools")),
    ("allowed_tools: [Read]", "", "", None),
    ("allowed_tools: []", "", "default_allowed_tools: [Read]", Some("allowed_tools")),
    ("allowed_tools: [Read]", "", "default_allowed_tools: [Read]", None),
    ("", "disallowed_tools: [Write]", "", None),
    ("disallowed_tools: [Write]", "", "", Some("disallowed_tools")),
    ("disallowed_tools: ['Bash(rm:*)']", "disallowed_tools: [Bash]", "", None),
    ("disallowed_tools: [Bash]", "disallowed_tools: ['Bash(rm:*)']", "", Some("disallowed_tools")),
    ("", "disallowed_tools: []", "default_disallowed_tools: [Write]", Some("disallowed_tools")),
    ("", "max_budget_usd: 2", "", None),
    ("max_budget_usd: 2", "max_budget_usd: 1", "", None),
    ("max_budget_usd: 2", "max_budget_usd: 3", "", Some("max_budget_usd")),
    ("max_budget_usd: 2", "", "", Some("max_budget_usd")),
    ("max_budget_usd: 2", "", "default_max_budget_usd: 1", None),
    ("", "max_budget_usd: none", "default_max_budget_usd: 1", Some("max_budget_usd")),
    ("budget: {day: 1}", "budget: {day: 2}", "", Some("budget.day")),
    ("budget: {month: 1}", "", "", Some("budget.month")),
    ("", "budget: {day: 1, month: 5}", "", None),
    ("callers: [x, y]", "callers: [x]", "", None),
    ("callers: [x]", "callers: [x, y]", "", Some("callers")),
    ("callers: []", "", "", Some("callers")),
    ("", "callers: []", "", None),
    ("env: {inherit: ['AWS_*']}", "env: {inherit: [AWS_REGION]}", "", None),
    ("env: {inherit: [AWS_REGION]}", "env: {inherit: ['AWS_*']}", "", Some("env.inherit")),
    ("env: {inherit: []}", "", "", Some("env.inherit")),
    ("", "env: {inherit: [A]}", "", None),
    ("env: {deny: [A]}", "env: {deny: ['*']}", "", None),
    ("env: {deny: ['A*']}", "env: {deny: [A]}", "", Some("env.deny")),
    ("", "env: {set: {A: b}}", "", Some("env.set")),
    ("env: {set: {A: b}}", "", "", Some("env.set")),
    ("", "directory: /b", "", Some("directory")),
    (
        "",
        "description: x, timeout: 9, model: opus, instructions: y, capabilities: [z], max_concurrency: 9",
        "",
        None,
    ),
];

#[test]
fn of_an_agent_only_what_gives_it_more_is_refused() {
    for &(before, after, settings, expected) in OF_AGENTS {
        let after = if after.starts_with("directory") {
            let text = "agents:\n  a: {directory: /b}\nsettings: {mcp_config_edits: no-escalation}\n";
            parse(Path::new("/c/agents.yaml"), Path::new("/h"), text.as_bytes()).expect("usable")
        } else {
            config(after, settings)
        };
        let found = widened(&config(before, settings), &after);
        let what = found.iter().map(|widening| widening.what.clone()).collect::<Vec<_>>().join("\n");
        match expected {
            None => assert_eq!(found, [], "{before} -> {after:?}"),
            Some(key) => {
                assert!(what.starts_with(&format!("`agents.a.{key}` would go from ")), "{before} -> {what}");
                let flag = match key {
                    "max_budget_usd" => "--max-budget ".to_owned(),
                    key => format!("--{}", key.replace(['_', '.'], "-")),
                };
                let command = &found[0].command;
                assert!(
                    command.starts_with("agent-dispatch update a --") && command.contains(&flag)
                        || key == "env.set",
                    "{command}"
                );
            }
        }
    }
}

#[test]
fn of_settings_only_what_gives_agents_more_is_refused() {
    let cases = [
        (
            "",
            "default_permission_mode: bypassPermissions",
            Some("set default_permission_mode bypassPermissions"),
        ),
        ("default_permission_mode: plan", "", Some("unset default_permission_mode")),
        ("", "default_allowed_tools: [Bash]", Some("set default_allowed_tools '[\"Bash\"]'")),
        ("default_allowed_tools: [Bash]", "", None),
        ("default_disallowed_tools: [Bash]", "", Some("set default_disallowed_tools '[]'")),
        ("default_max_budget_usd: 1", "default_max_budget_usd: 2", Some("set default_max_budget_usd 2.0")),
        ("", "default_max_budget_usd: 2", None),
        ("budget: {day: 1}", "budget: {day: 1, month: 9}", None),
        ("budget: {day: 1}", "", Some("unset budget.day")),
        ("", "max_dispatch_depth: 4", Some("set max_dispatch_depth 4")),
        ("", "max_dispatch_depth: 1", None),
        ("", "claude_path: /bin/sh", Some("set claude_path /bin/sh")),
        ("", "audit: {content: digest}", Some("set audit.content digest")),
        ("", "audit: {content: full}", Some("set audit.content full")),
        (
            "",
            "cache: {enabled: no}, max_concurrency: 9, default_timeout: 9, job_retention_days: 9, stall_seconds: 0",
            None,
        ),
    ];
    for (before, after, expected) in cases {
        let found = widened(&config("", before), &config("", after));
        let commands: Vec<&str> = found.iter().map(|widening| widening.command.as_str()).collect();
        let expected: Vec<String> =
            expected.iter().map(|typed| format!("agent-dispatch settings {typed}")).collect();
        assert_eq!(commands, expected, "{before} -> {after}");
    }
}
