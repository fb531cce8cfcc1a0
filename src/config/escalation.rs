//! What a session may not change through MCP: `settings.mcp_config_edits`, as a comparison of before and after.
//!
//! `no-escalation` refuses what gives agents more than they have: new agents and directories, permission, tools, money,
//! environment, callers, and what keeps watch over them. Groups, descriptions, limits of time and everything that takes
//! something away are free. The setting itself is a person's to change, whatever it says.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::config::settings::value_of;
use crate::model::agent::McpConfigEdits;
use crate::model::{Agent, BudgetLimit, Settings, shell};

/// Something that a change would widen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widening {
    /// What would become what.
    pub what: String,
    /// What a person can type instead.
    pub command: String,
}

/// One value that would be wider.
struct Wider {
    key: &'static str,
    from: String,
    to: String,
    /// How it is typed.
    option: String,
}

/// What an agent's sessions may do, agent and settings put together.
#[derive(Debug, Clone, Copy)]
struct InForce<'a> {
    mode: Option<&'a str>,
    /// Tools that are granted; nothing is `claude`'s own default, an empty list no tools at all.
    allowed: Option<&'a [String]>,
    disallowed: &'a [String],
    cap: Option<f64>,
}

/// Returns whether sessions may change nothing at all.
pub fn is_denied(settings: &Settings) -> bool {
    settings.mcp_config_edits == McpConfigEdits::Deny
}

/// Returns everything that a session may not change and that differs between two configurations.
pub fn widened(before: &Config, after: &Config) -> Vec<Widening> {
    let strict = before.settings.mcp_config_edits == McpConfigEdits::NoEscalation;
    let settings = settings_widened(&before.settings, &after.settings);
    let mut found: Vec<Widening> = settings
        .into_iter()
        .filter(|key| strict || *key == "mcp_config_edits")
        .map(|key| setting(key, before, after))
        .collect();
    for agent in after.agents.iter().filter(|_| strict) {
        match before.agent(agent.name.as_str()) {
            None => found.push(Widening {
                what: format!("agent `{}` would be new", agent.name),
                command: format!(
                    "agent-dispatch add {} {}{}",
                    agent.name,
                    shell::quoted(&agent.directory.display().to_string()),
                    options(&agent_widened(
                        (&Agent::new(agent.name.clone(), agent.directory.clone()), agent),
                        after,
                        after
                    ))
                ),
            }),
            // What the defaults of the settings do to an agent is told of them.
            Some(old) if old != agent => {
                found.extend(changed(agent, &agent_widened((old, agent), before, after)));
            }
            Some(_) => {}
        }
    }
    found
}

fn changed(agent: &Agent, wider: &[Wider]) -> Option<Widening> {
    let each = |wider: &Wider| {
        format!("`agents.{}.{}` would go from {} to {}", agent.name, wider.key, wider.from, wider.to)
    };
    let what = wider.iter().map(each).collect::<Vec<_>>().join("; ");
    let command = format!("agent-dispatch update {}{}", agent.name, options(wider));
    (!wider.is_empty()).then_some(Widening { what, command })
}

fn setting(key: &'static str, before: &Config, after: &Config) -> Widening {
    let (from, to) = (value_of(&before.settings, key), value_of(&after.settings, key));
    let typed = match &to {
        serde_json::Value::Null => format!("unset {key}"),
        serde_json::Value::String(text) => format!("set {key} {}", shell::quoted(text)),
        value => format!("set {key} {}", shell::quoted(&value.to_string())),
    };
    let shown =
        |value: serde_json::Value| if value.is_null() { "nothing".to_owned() } else { value.to_string() };
    Widening {
        what: format!("`settings.{key}` would go from {} to {}", shown(from), shown(to)),
        command: format!("agent-dispatch settings {typed}"),
    }
}

/// Returns the settings that are wider than they were.
fn settings_widened(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let (was, is) = (InForce::of_settings(old), InForce::of_settings(new));
    let checks = [
        ("mcp_config_edits", old.mcp_config_edits != new.mcp_config_edits),
        ("default_permission_mode", mode_is_wider(was.mode, is.mode)),
        ("default_allowed_tools", allowed_is_wider(was.allowed, is.allowed)),
        ("default_disallowed_tools", !all_covered(was.disallowed, is.disallowed, tool_covers)),
        ("default_max_budget_usd", cap_is_wider(was.cap, is.cap)),
        ("budget.day", cap_is_wider(old.budget.day, new.budget.day)),
        ("budget.month", cap_is_wider(old.budget.month, new.budget.month)),
        ("max_dispatch_depth", new.max_dispatch_depth > old.max_dispatch_depth),
        ("claude_path", old.claude_path != new.claude_path),
        ("audit.content", old.audit_content != new.audit_content),
    ];
    checks.into_iter().filter_map(|(key, wider)| wider.then_some(key)).collect()
}

/// Returns what of an agent is wider than it was.
fn agent_widened((old, new): (&Agent, &Agent), before: &Config, after: &Config) -> Vec<Wider> {
    let (was, is) = (InForce::of(old, &before.settings), InForce::of(new, &after.settings));
    let mut found = Vec::new();
    let mut check = |key, wider: bool, from: String, to: String, option: String| {
        if wider {
            found.push(Wider { key, from, to, option });
        }
    };
    let path = |agent: &Agent| agent.directory.display().to_string();
    let option = |flag: &str, value: &str| format!(" --{flag} {}", shell::quoted(value));
    check("directory", old.directory != new.directory, path(old), path(new), option("directory", &path(new)));
    let mode = |mode: Option<&str>| mode.unwrap_or("claude's own default").to_owned();
    let typed = option("permission-mode", new.permission_mode.as_deref().unwrap_or("none"));
    check("permission_mode", mode_is_wider(was.mode, is.mode), mode(was.mode), mode(is.mode), typed);
    let typed = option("allowed-tools", &typed_list(new.allowed_tools.as_deref()));
    let wider = allowed_is_wider(was.allowed, is.allowed);
    check("allowed_tools", wider, list(was.allowed), list(is.allowed), typed);
    let typed = option("disallowed-tools", &typed_list(new.disallowed_tools.as_deref()));
    let wider = !all_covered(was.disallowed, is.disallowed, tool_covers);
    check("disallowed_tools", wider, list(Some(was.disallowed)), list(Some(is.disallowed)), typed);
    let typed = match new.max_budget {
        BudgetLimit::Inherit => "0".to_owned(),
        BudgetLimit::Unlimited => "none".to_owned(),
        BudgetLimit::Usd(usd) => usd.to_string(),
    };
    let wider = cap_is_wider(was.cap, is.cap);
    check("max_budget_usd", wider, money(was.cap), money(is.cap), option("max-budget", &typed));
    for (key, flag, was, is) in [
        ("budget.day", "budget-day", old.budget.day, new.budget.day),
        ("budget.month", "budget-month", old.budget.month, new.budget.month),
    ] {
        let typed = option(flag, &is.map_or("none".to_owned(), |usd| usd.to_string()));
        check(key, cap_is_wider(was, is), money(was), money(is), typed);
    }
    let (was, is) = (old.callers.as_deref(), new.callers.as_deref());
    let wider = list_is_wider(was, is, |has, wants| has == wants);
    check("callers", wider, people(was), people(is), option("callers", &typed_list(is)));
    let (was, is) = (old.env.inherit.as_deref(), new.env.inherit.as_deref());
    let wider = list_is_wider(was, is, pattern_covers);
    check("env.inherit", wider, people(was), people(is), option("env-inherit", &typed_list(is)));
    let (was, is) = (old.env.deny.as_slice(), new.env.deny.as_slice());
    let wider = !all_covered(was, is, pattern_covers);
    check("env.deny", wider, list(Some(was)), list(Some(is)), option("env-deny", &typed_list(Some(is))));
    let names = |set: &BTreeMap<String, String>| list(Some(&set.keys().cloned().collect::<Vec<_>>()));
    let (was, is) = (&old.env.set, &new.env.set);
    // Values may be secrets.
    let typed = is.keys().flat_map(|name| [" --env-set ", name.as_str(), "=..."]).collect();
    check("env.set", was != is, names(was), names(is), typed);
    found
}

impl<'a> InForce<'a> {
    fn of_settings(settings: &'a Settings) -> Self {
        let allowed = Some(settings.default_allowed_tools.as_slice()).filter(|tools| !tools.is_empty());
        Self {
            mode: settings.default_permission_mode.as_deref(),
            allowed,
            disallowed: &settings.default_disallowed_tools,
            cap: settings.default_max_budget_usd,
        }
    }

    fn of(agent: &'a Agent, settings: &'a Settings) -> Self {
        let usual = Self::of_settings(settings);
        Self {
            mode: agent.permission_mode.as_deref().or(usual.mode),
            allowed: agent.allowed_tools.as_deref().or(usual.allowed),
            disallowed: agent.disallowed_tools.as_deref().unwrap_or(usual.disallowed),
            cap: match agent.max_budget {
                BudgetLimit::Inherit => usual.cap,
                BudgetLimit::Unlimited => None,
                BudgetLimit::Usd(usd) => Some(usd),
            },
        }
    }
}

/// Returns how much a permission mode lets a session do that nobody watches. One that is not known may do anything.
fn reach(mode: &str) -> u8 {
    match mode {
        "plan" => 0,
        "default" | "dontAsk" => 1,
        "acceptEdits" => 2,
        "auto" => 3,
        _ => 4,
    }
}

fn mode_is_wider(was: Option<&str>, is: Option<&str>) -> bool {
    // Without a mode it is the project's and the user's own settings that say, and they may say anything.
    let had = match was {
        None => 1,
        Some("bypassPermissions") => 4,
        Some(mode) => reach(mode) % 4,
    };
    was != is && is.map_or(4, reach) > had
}

fn allowed_is_wider(was: Option<&[String]>, is: Option<&[String]>) -> bool {
    // An empty list is no tools; no list is those that need no permission.
    let opens = was.is_some_and(<[String]>::is_empty) && !is.is_some_and(<[String]>::is_empty);
    opens || !all_covered(is.unwrap_or_default(), was.unwrap_or_default(), tool_covers)
}

/// For lists of which none lets everything through.
fn list_is_wider(was: Option<&[String]>, is: Option<&[String]>, covers: fn(&str, &str) -> bool) -> bool {
    match (was, is) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(was), Some(is)) => !all_covered(is, was, covers),
    }
}

/// Returns whether each of `wanted` is covered by one of `had`.
fn all_covered(wanted: &[String], had: &[String], covers: fn(&str, &str) -> bool) -> bool {
    wanted.iter().all(|wants| had.iter().any(|has| covers(has, wants)))
}

/// `Bash` covers `Bash(git log:*)`.
fn tool_covers(has: &str, wants: &str) -> bool {
    has == wants || wants.strip_prefix(has).is_some_and(|rest| rest.starts_with('('))
}

/// `AWS_*` covers `AWS_REGION` and `AWS_S3_*`.
fn pattern_covers(has: &str, wants: &str) -> bool {
    has == wants || has.strip_suffix('*').is_some_and(|stem| wants.starts_with(stem))
}

fn cap_is_wider(was: Option<f64>, is: Option<f64>) -> bool {
    was.is_some_and(|was| is.is_none_or(|is| is > was))
}

fn list(items: Option<&[String]>) -> String {
    match items {
        None => "claude's own default".to_owned(),
        Some([]) => "none".to_owned(),
        Some(items) => items.join(", "),
    }
}

fn people(items: Option<&[String]>) -> String {
    items.map_or("all".to_owned(), |items| list(Some(items)))
}

fn money(cap: Option<f64>) -> String {
    cap.map_or("no cap".to_owned(), |usd| format!("${usd}"))
}

fn options(wider: &[Wider]) -> String {
    wider.iter().map(|wider| wider.option.as_str()).collect()
}

fn typed_list(items: Option<&[String]>) -> String {
    match items {
        None => "none".to_owned(),
        Some([]) => ",".to_owned(),
        Some(items) => items.join(","),
    }
}

#[cfg(test)]
mod tests;
