//! Tests of the meaning of every field: what is taken, what is refused, and in which words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::raw::Node;
use crate::config::resolve::{Base, Resolved, resolve};
use crate::model::agent::{AuditContent, CacheSettings, McpConfigEdits};
use crate::model::{Agent, BudgetLimit, EnvProfile, Group, GroupMember, OnDisconnect, Settings, SpendLimit};

fn read(text: &str) -> Resolved {
    let root = Node::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
    resolve(&root, Base { folder: Path::new("/etc/ad"), home: Path::new("/home/u") })
}

/// Reads an agent with this field beside its directory.
fn agent(field: &str) -> Result<Agent, Vec<String>> {
    let mut resolved = read(&format!("agents: {{a: {{directory: /a, {field}}}}}"));
    assert!(resolved.outside.problems.is_empty(), "{field}: {:?}", resolved.outside);
    resolved.agents.pop().ok_or_else(|| messages(&resolved.broken["a"]))
}

fn settings(field: &str) -> Result<Settings, Vec<String>> {
    let resolved = read(&format!("settings: {{{field}}}"));
    if resolved.outside.problems.is_empty() {
        Ok(resolved.settings)
    } else {
        Err(messages(&resolved.outside.problems))
    }
}

fn messages(findings: &[crate::config::section::Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}: {}", finding.trail, finding.message)).collect()
}

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

type AgentCase = (&'static str, fn(&mut Agent));

#[test]
fn every_field_of_an_agent_is_taken() {
    let cases: [AgentCase; 37] = [
        ("x-note: 1", |_| {}),
        ("description: Web shop", |a| a.description = "Web shop".to_owned()),
        ("description: ''", |_| {}),
        ("description: null", |_| {}),
        ("timeout: 60", |a| a.timeout = Some(60)),
        ("timeout: '60'", |a| a.timeout = Some(60)),
        ("timeout: 60.0", |a| a.timeout = Some(60)),
        ("timeout: 0", |_| {}),
        ("timeout: ~", |_| {}),
        ("timeout: 86400", |a| a.timeout = Some(86_400)),
        ("max_budget_usd: 2.5", |a| a.max_budget = BudgetLimit::Usd(2.5)),
        ("max_budget_usd: '2.5'", |a| a.max_budget = BudgetLimit::Usd(2.5)),
        ("max_budget_usd: 3", |a| a.max_budget = BudgetLimit::Usd(3.0)),
        ("max_budget_usd: 0", |_| {}),
        ("max_budget_usd: null", |_| {}),
        ("max_budget_usd: none", |a| a.max_budget = BudgetLimit::Unlimited),
        ("max_budget_usd: None", |a| a.max_budget = BudgetLimit::Unlimited),
        ("model: opus", |a| a.model = Some("opus".to_owned())),
        ("model: ' '", |_| {}),
        ("permission_mode: plan", |a| a.permission_mode = Some("plan".to_owned())),
        ("permission_mode: sometimes", |a| a.permission_mode = Some("sometimes".to_owned())),
        ("allowed_tools: []", |a| a.allowed_tools = Some(Vec::new())),
        ("allowed_tools: null", |_| {}),
        ("allowed_tools: [Read, ' Bash(git log:*) ']", |a| {
            a.allowed_tools = Some(texts(&["Read", "Bash(git log:*)"]));
        }),
        ("disallowed_tools: [Bash]", |a| a.disallowed_tools = Some(texts(&["Bash"]))),
        ("capabilities: [a b, c]", |a| a.capabilities = texts(&["a b", "c"])),
        ("risky_capabilities: [prod]", |a| a.risky_capabilities = texts(&["prod"])),
        ("instructions: \"  One.\\nTwo. \"", |a| a.instructions = "One.\nTwo.".to_owned()),
        ("max_concurrency: 2", |a| a.max_concurrency = Some(2)),
        ("env: {}", |_| {}),
        ("env: {inherit: []}", |a| a.env.inherit = Some(Vec::new())),
        ("env: {inherit: [A_1, 'AWS_*', '*'], deny: [_X], set: {K: 'v w', L: ''}}", |a| {
            let set = BTreeMap::from([("K".to_owned(), "v w".to_owned()), ("L".to_owned(), String::new())]);
            a.env = EnvProfile { inherit: Some(texts(&["A_1", "AWS_*", "*"])), deny: texts(&["_X"]), set };
        }),
        ("callers: [web]", |a| a.callers = Some(texts(&["web"]))),
        ("callers: []", |a| a.callers = Some(Vec::new())),
        ("budget: {day: 1, month: '20.5'}", |a| a.budget = SpendLimit { day: Some(1.0), month: Some(20.5) }),
        ("budget: {day: none, month: 0}", |_| {}),
        ("budget: null", |_| {}),
    ];
    for (field, change) in cases {
        let mut expected = Agent::new("a".parse().expect("a name"), PathBuf::from("/a"));
        change(&mut expected);
        assert_eq!(agent(field), Ok(expected), "{field}");
    }
}

#[test]
fn every_field_of_an_agent_is_checked() {
    let seconds = "expected a whole number of seconds from 0 to 86400, found";
    let dollars = "expected US dollars from 0 to 1000000, found";
    let list = "expected a list such as [Read, Grep], found";
    let variable = "is not the name of a variable";
    let cases = [
        ("description: 5", "agents.a.description: expected text, found 5: put it in quotes".to_owned()),
        ("description: [x]", "agents.a.description: expected text, found a list".to_owned()),
        ("description: \"a\\0b\"", "agents.a.description: contains a NUL character: remove it".to_owned()),
        ("timeout: -1", format!("agents.a.timeout: {seconds} -1")),
        ("timeout: 86401", format!("agents.a.timeout: {seconds} 86401")),
        ("timeout: 30.5", format!("agents.a.timeout: {seconds} 30.5")),
        ("timeout: .nan", format!("agents.a.timeout: {seconds} NaN")),
        ("timeout: true", format!("agents.a.timeout: {seconds} true")),
        ("timeout: 99999999999999999999", format!("agents.a.timeout: {seconds} 99999999999999999999")),
        ("timeout: soon", format!("agents.a.timeout: {seconds} \"soon\"")),
        ("max_budget_usd: -0.1", format!("agents.a.max_budget_usd: {dollars} -0.1")),
        ("max_budget_usd: .inf", format!("agents.a.max_budget_usd: {dollars} inf")),
        ("max_budget_usd: 'inf'", format!("agents.a.max_budget_usd: {dollars} \"inf\"")),
        ("max_budget_usd: .nan", format!("agents.a.max_budget_usd: {dollars} NaN")),
        ("max_budget_usd: 1e7", format!("agents.a.max_budget_usd: {dollars} 10000000")),
        ("model: -x", "agents.a.model: begins with `-`: `claude` would take it for an option".to_owned()),
        ("model: \"a\\nb\"", "agents.a.model: must be a single line".to_owned()),
        ("permission_mode: --plan", "agents.a.permission_mode: begins with `-`: `claude` would take it for an option".to_owned()),
        ("allowed_tools: Read", format!("agents.a.allowed_tools: {list} \"Read\"")),
        ("allowed_tools: {Read: 1}", format!("agents.a.allowed_tools: {list} a mapping")),
        ("disallowed_tools: [5]", "agents.a.disallowed_tools[0]: expected text, found 5: put it in quotes".to_owned()),
        ("capabilities: [a, '']", "agents.a.capabilities[1]: is blank: remove it".to_owned()),
        ("risky_capabilities: [[]]", "agents.a.risky_capabilities[0]: expected text, found a list".to_owned()),
        ("instructions: {}", "agents.a.instructions: expected text, found a mapping".to_owned()),
        ("max_concurrency: 0", "agents.a.max_concurrency: expected a whole number of dispatches from 1 to 1000, found 0".to_owned()),
        ("env: [A]", "agents.a.env: expected a mapping of keys and values, found a list".to_owned()),
        ("env: {deny: ['A*B']}", format!("agents.a.env.deny[0]: {variable}, with or without `*` at its end")),
        ("env: {set: {1A: x}}", format!("agents.a.env.set.1A: {variable}: expected letters, digits and `_`, not beginning with a digit")),
        ("env: {set: {A: 1}}", "agents.a.env.set.A: expected text, found a number: put it in quotes".to_owned()),
        ("env: {set: {A: !S3CRET }}", "agents.a.env.set.A: expected text, found a value with a tag: put it in quotes".to_owned()),
        ("env: {set: {<<: S3CRET}}", "agents.a.env.set.\"<<\": only mappings can be merged, found text".to_owned()),
        ("env: {inherit: A=S3CRET}", format!("agents.a.env.inherit: {list} text")),
        ("env: {inherit: [A=S3CRET]}", format!("agents.a.env.inherit[0]: {variable}, with or without `*` at its end")),
        ("env: {deny: [!S3CRET ]}", "agents.a.env.deny[0]: expected text, found a value with a tag: put it in quotes".to_owned()),
        ("env: {deny: [-S3CRET]}", "agents.a.env.deny[0]: begins with `-`: `claude` would take it for an option".to_owned()),
        ("env: {set: hunter2}", "agents.a.env.set: expected a mapping of keys and values, found text".to_owned()),
        ("env: DB_PASS=hunter2", "agents.a.env: expected a mapping of keys and values, found text".to_owned()),
        ("env: {set: {A: x, A: y}}", "agents.a.env.set.A: is written twice: keep one of the two".to_owned()),
        ("env: {set: {AGENT_DISPATCH_DEPTH: '0'}}", "agents.a.env.set.AGENT_DISPATCH_DEPTH: keeps dispatches from nesting without end and cannot be set".to_owned()),
        ("callers: web", format!("agents.a.callers: {list} \"web\"")),
        ("budget: 5", "agents.a.budget: expected a mapping of keys and values, found a number".to_owned()),
        ("budget: {day: -1}", format!("agents.a.budget.day: {dollars} -1")),
    ];
    for (field, expected) in cases {
        assert_eq!(agent(field), Err(vec![expected]), "{field}");
    }
}

#[test]
fn a_directory_that_may_have_two_spellings_is_kept_and_warned_of() {
    for (written, kept) in [
        ("/x/../y", Some("/x/../y")),
        ("../web/", Some("/etc/ad/../web")),
        ("~/./a/..", Some("/home/u/a/..")),
        ("/../y/", None),
        ("/x/..y", None),
        ("~/x/./y//", None),
    ] {
        let resolved = read(&format!("agents: {{a: {{directory: {written}}}}}"));
        let warned: Vec<String> =
            resolved.outside.warnings.iter().map(|warning| warning.message.clone()).collect();
        let expected: Vec<String> = kept.into_iter().map(|path| format!("`{path}` is kept in this spelling, because `..` after a symbolic link leads elsewhere: write the path without it")).collect();
        assert_eq!(warned, expected, "{written}");
        assert!(resolved.broken.is_empty(), "{written}");
    }
}

#[test]
fn directories_become_absolute_and_nothing_is_looked_up() {
    let directory = |written: &str| {
        let mut resolved = read(&format!("agents: {{a: {{directory: {written}}}}}"));
        resolved.agents.pop().map(|agent| agent.directory).ok_or_else(|| messages(&resolved.broken["a"]))
    };
    for (written, expected) in [
        ("/srv//x/./y/", "/srv/x/y"),
        ("'~'", "/home/u"),
        ("~/x", "/home/u/x"),
        ("web", "/etc/ad/web"),
        ("./web/../x", "/etc/ad/web/../x"),
        (".", "/etc/ad"),
        ("/../../srv/./", "/srv"),
    ] {
        assert_eq!(directory(written), Ok(PathBuf::from(expected)), "{written}");
    }
    for (written, expected) in [
        ("''", "is blank: write a path"),
        ("~other/x", "\"~other/x\": only `~/` stands for a home directory here"),
        ("5", "expected text, found 5: put it in quotes"),
        ("\"/a\\0\"", "contains a NUL character: remove it"),
    ] {
        assert_eq!(directory(written), Err(vec![format!("agents.a.directory: {expected}")]), "{written}");
    }
    assert_eq!(
        directory("null"),
        Err(vec!["agents.a: has no `directory`: add the directory it works in".to_owned()])
    );
}

#[test]
fn everything_has_an_upper_bound() {
    let long = |chars: usize| "x".repeat(chars);
    let list = |items: usize| format!("[{}]", vec!["x"; items].join(","));
    let variables = |count: usize| {
        let set: Vec<String> = (0..count).map(|number| format!("V{number}: x")).collect();
        format!("{{set: {{{}}}}}", set.join(", "))
    };
    for (key, most, over) in [
        ("directory", long(1_024), long(1_025)),
        ("description", long(5_000), long(5_001)),
        ("instructions", long(50_000), long(50_001)),
        ("model", long(200), long(201)),
        ("allowed_tools", list(100), list(101)),
        ("callers", format!("[{}]", long(200)), format!("[{}]", long(201))),
        ("env", variables(100), variables(101)),
        ("env", format!("{{set: {{A: {}}}}}", long(10_000)), format!("{{set: {{A: {}}}}}", long(10_001))),
    ] {
        let with = |value: &str| {
            let directory = if key == "directory" { "" } else { "directory: /a, " };
            read(&format!("agents: {{a: {{{directory}{key}: {value}}}}}"))
        };
        assert_eq!(with(&most).agents.len(), 1, "{key}");
        let refused = with(&over);
        assert_eq!(refused.broken["a"].len(), 1, "{key}");
        assert!(refused.broken["a"][0].message.contains("more than"), "{key}: {:?}", refused.broken);
    }
    let agents: Vec<String> = (0..1_001).map(|number| format!("a{number}: {{directory: /a}}")).collect();
    let resolved = read(&format!("agents: {{{}}}", agents.join(", ")));
    assert_eq!(messages(&resolved.outside.problems), ["agents: 1001 agents are more than 1000"]);
}

type SettingsCase = (&'static str, fn(&mut Settings));

#[test]
fn every_setting_is_taken() {
    let cases: [SettingsCase; 32] = [
        ("default_timeout: 1", |s| s.default_timeout = 1),
        ("default_max_budget_usd: 1.5", |s| s.default_max_budget_usd = Some(1.5)),
        ("default_max_budget_usd: 0", |_| {}),
        ("default_max_budget_usd: none", |_| {}),
        ("default_permission_mode: plan", |s| s.default_permission_mode = Some("plan".to_owned())),
        ("default_allowed_tools: [Read]", |s| s.default_allowed_tools = texts(&["Read"])),
        ("default_disallowed_tools: [Bash]", |s| s.default_disallowed_tools = texts(&["Bash"])),
        ("max_dispatch_depth: 1", |s| s.max_dispatch_depth = 1),
        ("max_concurrency: 1000", |s| s.max_concurrency = 1_000),
        ("cache: {enabled: false, ttl: 0, max_size: 1}", |s| {
            s.cache = CacheSettings { enabled: false, ttl: 0, max_size: 1 };
        }),
        ("cache: null", |_| {}),
        ("cache: {enabled: null}", |_| {}),
        ("job_retention_days: 30", |s| s.job_retention_days = 30),
        ("dispatch_protocol: no", |s| s.dispatch_protocol = false),
        ("dispatch_protocol: 'Off'", |s| s.dispatch_protocol = false),
        ("dispatch_protocol: 1", |_| {}),
        ("dispatch_protocol: yes", |_| {}),
        ("usage_log: 0", |s| s.usage_log = false),
        ("inline_wait_seconds: 0", |s| s.inline_wait_seconds = 0),
        ("inline_wait_seconds: 3600", |s| s.inline_wait_seconds = 3_600),
        ("stall_seconds: 0", |s| s.stall_seconds = 0),
        ("on_disconnect: detach", |s| s.on_disconnect = OnDisconnect::Detach),
        ("claude_path: ~/bin/claude", |s| s.claude_path = Some(PathBuf::from("/home/u/bin/claude"))),
        ("max_answer_chars: 1000", |s| s.max_answer_chars = 1_000),
        ("max_answer_chars: 500000", |s| s.max_answer_chars = 500_000),
        ("budget: {day: 5, month: 50}", |s| s.budget = SpendLimit { day: Some(5.0), month: Some(50.0) }),
        ("audit: {content: digest}", |s| s.audit_content = AuditContent::Digest),
        ("audit: {content: full}", |s| s.audit_content = AuditContent::Full),
        ("audit: null", |_| {}),
        ("mcp_config_edits: no-escalation", |s| s.mcp_config_edits = McpConfigEdits::NoEscalation),
        ("mcp_config_edits: deny", |s| s.mcp_config_edits = McpConfigEdits::Deny),
        ("mcp_config_edits: allow", |_| {}),
    ];
    for (field, change) in cases {
        let mut expected = Settings::default();
        change(&mut expected);
        assert_eq!(settings(field), Ok(expected), "{field}");
    }
}

#[test]
fn every_setting_is_checked() {
    let whole = |unit: &str, least: u32, most: u32, found: &str| {
        format!("expected a whole number of {unit} from {least} to {most}, found {found}")
    };
    for (field, expected) in [
        ("default_timeout: 0", format!("default_timeout: {}", whole("seconds", 1, 86_400, "0"))),
        ("default_max_budget_usd: lots", "default_max_budget_usd: expected US dollars from 0 to 1000000, found \"lots\"".to_owned()),
        ("default_permission_mode: 5", "default_permission_mode: expected text, found 5: put it in quotes".to_owned()),
        ("default_allowed_tools: Read", "default_allowed_tools: expected a list such as [Read, Grep], found \"Read\"".to_owned()),
        ("default_disallowed_tools: [-x]", "default_disallowed_tools[0]: begins with `-`: `claude` would take it for an option".to_owned()),
        ("max_dispatch_depth: 0", format!("max_dispatch_depth: {}", whole("levels", 1, 100, "0"))),
        ("max_concurrency: 1001", format!("max_concurrency: {}", whole("dispatches", 1, 1_000, "1001"))),
        ("cache: true", "cache: expected a mapping of keys and values, found true".to_owned()),
        ("cache: {enabled: maybe}", "cache.enabled: expected true or false, found \"maybe\"".to_owned()),
        ("cache: {ttl: -1}", format!("cache.ttl: {}", whole("seconds", 0, 31_536_000, "-1"))),
        ("cache: {max_size: 0}", format!("cache.max_size: {}", whole("answers", 1, 100_000, "0"))),
        ("job_retention_days: -1", format!("job_retention_days: {}", whole("days", 0, 36_500, "-1"))),
        ("dispatch_protocol: 2", "dispatch_protocol: expected true or false, found 2".to_owned()),
        ("usage_log: []", "usage_log: expected true or false, found a list".to_owned()),
        ("inline_wait_seconds: 3601", format!("inline_wait_seconds: {}", whole("seconds", 0, 3_600, "3601"))),
        ("stall_seconds: 86401", format!("stall_seconds: {}", whole("seconds", 0, 86_400, "86401"))),
        ("on_disconnect: true", "on_disconnect: expected one of cancel, detach, found true".to_owned()),
        ("claude_path: claude", "claude_path: expected a whole path such as ~/.local/bin/claude; leave it out to search the PATH".to_owned()),
        ("claude_path: ''", "claude_path: is blank: write a path".to_owned()),
        ("max_answer_chars: 999", format!("max_answer_chars: {}", whole("characters", 1_000, 500_000, "999"))),
        ("budget: {month: x}", "budget.month: expected US dollars from 0 to 1000000, found \"x\"".to_owned()),
        ("audit: {content: previw}", "audit.content: expected one of digest, preview, full, found \"previw\" (did you mean `preview`?)".to_owned()),
        ("mcp_config_edits: maybe", "mcp_config_edits: expected one of allow, no-escalation, deny, found \"maybe\"".to_owned()),
    ] {
        assert_eq!(settings(field), Err(vec![format!("settings.{expected}")]), "{field}");
    }
}

#[test]
fn groups_keep_members_that_do_not_exist() {
    let resolved = read(
        "groups:\n  shop: {description: D, shared_context: S, members: [{agent: web, use_for: U}, {agent: gone}]}\n  empty:\n  listless: {members: }\n",
    );
    assert!(resolved.outside.problems.is_empty(), "{:?}", resolved.outside);
    let name = |text: &str| text.parse().expect("a name");
    let group = |text: &str| Group {
        name: name(text),
        description: String::new(),
        shared_context: String::new(),
        members: Vec::new(),
    };
    let member = |agent: &str, use_for: &str| GroupMember { agent: name(agent), use_for: use_for.to_owned() };
    let shop = Group {
        description: "D".to_owned(),
        shared_context: "S".to_owned(),
        members: vec![member("web", "U"), member("gone", "")],
        ..group("shop")
    };
    assert_eq!(resolved.groups, [shop, group("empty"), group("listless")]);
}

#[test]
fn groups_are_checked() {
    for (field, expected) in [
        ("g: 5", "groups.g: expected a mapping of keys and values, found a number"),
        ("g: {description: [x]}", "groups.g.description: expected text, found a list"),
        ("g: {shared_context: 5}", "groups.g.shared_context: expected text, found 5: put it in quotes"),
        (
            "g: {members: web}",
            "groups.g.members: expected a list of items such as `- agent: name`, found \"web\"",
        ),
        ("g: {members: [{agent: 5}]}", "groups.g.members[0].agent: expected text, found 5: put it in quotes"),
        ("g: {members: [null]}", "groups.g.members[0]: names no agent: write `agent: name`"),
        (
            "g: {members: [{agent: a, use_for: 5}]}",
            "groups.g.members[0].use_for: expected text, found 5: put it in quotes",
        ),
    ] {
        let resolved = read(&format!("groups: {{{field}}}"));
        assert_eq!(messages(&resolved.outside.problems), [expected], "{field}");
    }
}
