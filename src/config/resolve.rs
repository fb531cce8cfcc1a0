//! From what is written to what it means: every field checked, every problem kept, bad agents set apart.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::config::paths::{DEPTH_VARIABLE, RUN_VARIABLE, expand_home};
use crate::config::place::{Spot, Trail};
use crate::config::raw::Node;
use crate::config::section::{
    Field, Finding, Findings, ITEMS_MAX, Section, TextBound, checked_text, no_text,
};
use crate::model::absent::nearest;
use crate::model::{Agent, AgentName, BudgetLimit, EnvProfile, Group, GroupMember, Settings, SpendLimit};

pub(super) mod settings;

/// Keys at the top of the file.
pub(super) const TOP_KEYS: &[&str] = &["agents", "groups", "settings"];
/// Keys of an agent.
pub(super) const AGENT_KEYS: &[&str] = &[
    "directory",
    "description",
    "timeout",
    "max_budget_usd",
    "model",
    "permission_mode",
    "allowed_tools",
    "disallowed_tools",
    "capabilities",
    "risky_capabilities",
    "instructions",
    "max_concurrency",
    "env",
    "callers",
    "budget",
];
/// Keys of an agent's `env`.
pub(super) const ENV_KEYS: &[&str] = &["inherit", "deny", "set"];
/// Keys of a `budget`.
pub(super) const BUDGET_KEYS: &[&str] = &["day", "month"];
/// Keys of a group.
pub(super) const GROUP_KEYS: &[&str] = &["description", "shared_context", "members"];
/// Keys of a group's member.
pub(super) const MEMBER_KEYS: &[&str] = &["agent", "use_for"];
/// Permission modes that `claude` knows.
const PERMISSION_MODES: &[&str] = &["acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "plan"];
/// Words that YAML 1.1 readers take for a yes, a no or nothing.
const NAMES_REFUSED: &[&str] = &["yes", "no", "on", "off", "true", "false", "null"];

/// Most agents, groups, and members of a group.
const AGENTS_MAX: usize = 1_000;
/// Longest path.
const PATH_CHARS_MAX: usize = 1_024;
/// Longest `description` and `use_for`.
const DESCRIPTION_CHARS_MAX: usize = 5_000;
/// Longest `instructions` and `shared_context`.
const INSTRUCTIONS_CHARS_MAX: usize = 50_000;
/// Longest value of an environment variable.
const VARIABLE_CHARS_MAX: usize = 10_000;
/// Longest run: a day.
const RUN_SECONDS_MAX: u32 = 86_400;

/// What the file means.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) agents: Vec<Agent>,
    pub(super) broken: BTreeMap<String, Vec<Finding>>,
    pub(super) groups: Vec<Group>,
    pub(super) settings: Settings,
    /// Problems outside agents, and warnings anywhere.
    pub(super) outside: Findings,
}

/// Where the file's relative paths begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base<'a> {
    /// The directory of the file.
    pub(super) folder: &'a Path,
    /// What `~` stands for.
    pub(super) home: &'a Path,
}

/// Reads the whole file.
pub(super) fn resolve(root: &Node, base: Base<'_>) -> Resolved {
    let mut outside = Findings::default();
    let top = Section::open(Some(root), Trail::default(), TOP_KEYS, &mut outside);
    let (agents, broken) = agents(&top, base, &mut outside);
    let groups = groups(&top, &mut outside);
    let settings = settings::settings(&top, base, &mut outside);
    Resolved { agents, broken, groups, settings, outside }
}

/// Returns the name that a key of `agents` or `groups` is, or what is wrong with it.
pub(super) fn name(text: &str) -> Result<AgentName, String> {
    if NAMES_REFUSED.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return Err(format!("{text:?} is a yes, a no or nothing to many YAML readers: choose another name"));
    }
    text.parse::<AgentName>().map_err(|bad| bad.to_string())
}

fn named(field: &Field<'_>) -> Result<AgentName, String> {
    if field.key_is_text || NAMES_REFUSED.contains(&field.key.as_str()) {
        return name(&field.key);
    }
    Err(format!("`{}` is a number here, and a name must be text: put it in quotes", field.key))
}

fn agents(
    top: &Section<'_>,
    base: Base<'_>,
    out: &mut Findings,
) -> (Vec<Agent>, BTreeMap<String, Vec<Finding>>) {
    let section = Section::open_any(top.value("agents"), top.trail_of("agents"), out);
    let mut broken: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    // An agent that is written twice is a problem of this agent alone.
    for (name, finding) in section.repeated() {
        broken.entry(name.to_owned()).or_default().push(finding);
    }
    if section.fields().len() > AGENTS_MAX {
        let message = format!("{} agents are more than {AGENTS_MAX}", section.fields().len());
        out.problem(section.trail().clone(), Spot::Key, message);
    }
    let mut agents = Vec::new();
    for field in section.fields().iter().take(AGENTS_MAX) {
        if field.key.starts_with("x-") {
            continue;
        }
        let mut own = Findings::default();
        let trail = section.at(field);
        let agent = match named(field) {
            Ok(name) => agent(name, field.value, trail, base, &mut own),
            Err(message) => {
                own.problem(trail, Spot::Key, message);
                None
            }
        };
        out.warnings.append(&mut own.warnings);
        match agent {
            Some(agent) if own.problems.is_empty() && !broken.contains_key(&field.key) => agents.push(agent),
            Some(_) | None => broken.entry(field.key.clone()).or_default().append(&mut own.problems),
        }
    }
    (agents, broken)
}

fn agent(name: AgentName, value: &Node, trail: Trail, base: Base<'_>, out: &mut Findings) -> Option<Agent> {
    let section = Section::open(Some(value), trail, AGENT_KEYS, out);
    let directory = match section.value("directory") {
        Some(_) => path(&section, "directory", base, out),
        None if matches!(value, Node::Map(_) | Node::Null) => {
            let message = "has no `directory`: add the directory it works in";
            out.problem(section.trail().clone(), Spot::Key, message);
            None
        }
        None => None,
    };
    warn_of_parents(&section, directory.as_deref(), out);
    let mut agent = Agent::new(name, directory.clone().unwrap_or_default());
    agent.description =
        section.text("description", TextBound(DESCRIPTION_CHARS_MAX), out).unwrap_or_default();
    agent.timeout =
        section.whole("timeout", 0..=RUN_SECONDS_MAX, "seconds", out).filter(|&seconds| seconds > 0);
    agent.max_budget = if says_none(section.value("max_budget_usd")) {
        BudgetLimit::Unlimited
    } else {
        section.dollars("max_budget_usd", out).map_or(BudgetLimit::Inherit, BudgetLimit::Usd)
    };
    agent.model = section.word("model", out);
    agent.permission_mode = permission_mode(&section, "permission_mode", out);
    agent.allowed_tools = section.words("allowed_tools", out);
    agent.disallowed_tools = section.words("disallowed_tools", out);
    agent.capabilities = section.words("capabilities", out).unwrap_or_default();
    agent.risky_capabilities = section.words("risky_capabilities", out).unwrap_or_default();
    let instructions = section.text("instructions", TextBound(INSTRUCTIONS_CHARS_MAX), out);
    agent.instructions = instructions.map(|text| text.trim().to_owned()).unwrap_or_default();
    agent.max_concurrency = section.whole("max_concurrency", 1..=1_000, "dispatches", out);
    agent.env = environment(&section.section("env", ENV_KEYS, out), out);
    agent.callers = section.words("callers", out);
    agent.budget = budget(&section, out);
    directory.map(|_| agent)
}

fn environment(section: &Section<'_>, out: &mut Findings) -> EnvProfile {
    let inherit = patterns(section, "inherit", out);
    let deny = patterns(section, "deny", out).unwrap_or_default();
    let mut set = BTreeMap::new();
    let variables = Section::open_any(section.value("set"), section.trail_of("set"), out);
    variables.no_key_twice(out);
    if variables.fields().len() > ITEMS_MAX {
        section.wrong(
            "set",
            format!("{} variables are more than {ITEMS_MAX}", variables.fields().len()),
            out,
        );
    }
    for field in variables.fields().iter().take(ITEMS_MAX) {
        let at = variables.at(field);
        if !is_variable(&field.key) {
            let message =
                "is not the name of a variable: expected letters, digits and `_`, not beginning with a digit";
            out.problem(at, Spot::Key, message);
        } else if [DEPTH_VARIABLE, RUN_VARIABLE].contains(&field.key.as_str()) {
            out.problem(at, Spot::Key, "keeps dispatches from nesting without end and cannot be set");
        } else {
            let text = match field.value {
                Node::Text(_) => checked_text(field.value, TextBound(VARIABLE_CHARS_MAX)),
                // It may be a secret: it is not repeated.
                other => Err(no_text(other, &other.kind())),
            };
            match text {
                Ok(text) => drop(set.insert(field.key.clone(), text.to_owned())),
                Err(message) => out.problem(at, Spot::Value, message),
            }
        }
    }
    EnvProfile { inherit, deny, set }
}

/// Reads a list of names of variables, each with or without a `*` at its end. What is none may be `NAME=secret`: it is not
/// repeated.
fn patterns(section: &Section<'_>, key: &str, out: &mut Findings) -> Option<Vec<String>> {
    let patterns = section.words_told(key, Node::kind, out)?;
    for (index, pattern) in patterns.iter().enumerate() {
        let stem = pattern.strip_suffix('*').unwrap_or(pattern);
        if !(is_variable(stem) || pattern == "*") {
            let message = "is not the name of a variable, with or without `*` at its end";
            out.problem(section.trail_of(key).item(index), Spot::Value, message);
        }
    }
    Some(patterns)
}

fn is_variable(name: &str) -> bool {
    let head = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    head && name.len() <= 200 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn budget(section: &Section<'_>, out: &mut Findings) -> SpendLimit {
    let budget = section.section("budget", BUDGET_KEYS, out);
    let mut cap = |key| if says_none(budget.value(key)) { None } else { budget.dollars(key, out) };
    SpendLimit { day: cap("day"), month: cap("month") }
}

fn says_none(value: Option<&Node>) -> bool {
    matches!(value, Some(Node::Text(text)) if text.trim().eq_ignore_ascii_case("none"))
}

fn permission_mode(section: &Section<'_>, key: &str, out: &mut Findings) -> Option<String> {
    let mode = section.word(key, out)?;
    if !PERMISSION_MODES.contains(&mode.as_str()) {
        let advice = nearest(&mode, PERMISSION_MODES).map_or_else(
            || format!("`claude` knows {}", PERMISSION_MODES.join(", ")),
            |known| format!("did you mean `{known}`?"),
        );
        out.warning(
            section.trail_of(key),
            Spot::Value,
            format!("unknown permission mode {mode:?}: {advice}"),
        );
    }
    Some(mode)
}

/// Warns of a directory that is written with `..`: what stands before it may be a link, so only the file system knows what is
/// meant, and the same directory may be listed in two spellings.
fn warn_of_parents(section: &Section<'_>, directory: Option<&Path>, out: &mut Findings) {
    if let Some(directory) =
        directory.filter(|path| path.components().any(|part| part == Component::ParentDir))
    {
        let message = format!(
            "`{}` is kept in this spelling, because `..` after a symbolic link leads elsewhere: write the path without it",
            directory.display()
        );
        out.warning(section.trail_of("directory"), Spot::Value, message);
    }
}

/// Reads a path: `~` and relative paths made absolute, `.` and what would lead above `/` taken out, nothing looked up.
fn path(section: &Section<'_>, key: &str, base: Base<'_>, out: &mut Findings) -> Option<PathBuf> {
    let text = section.text(key, TextBound(PATH_CHARS_MAX), out)?;
    if text.trim().is_empty() {
        section.wrong(key, "is blank: write a path", out);
        return None;
    }
    if text.starts_with('~') && text != "~" && !text.starts_with("~/") {
        section.wrong(key, format!("{text:?}: only `~/` stands for a home directory here"), out);
        return None;
    }
    let absolute = base.folder.join(expand_home(Path::new(&text), base.home));
    let mut path = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if path.parent().is_none() => {}
            part => path.push(part),
        }
    }
    Some(path)
}

fn groups(top: &Section<'_>, out: &mut Findings) -> Vec<Group> {
    let section = Section::open_any(top.value("groups"), top.trail_of("groups"), out);
    section.no_key_twice(out);
    if section.fields().len() > AGENTS_MAX {
        let message = format!("{} groups are more than {AGENTS_MAX}", section.fields().len());
        out.problem(section.trail().clone(), Spot::Key, message);
    }
    let mut groups = Vec::new();
    for field in section.fields().iter().take(AGENTS_MAX) {
        if field.key.starts_with("x-") {
            continue;
        }
        match named(field) {
            Ok(name) => groups.push(group(name, field.value, section.at(field), out)),
            Err(message) => {
                let message = message.replace("an agent name", "a group name");
                out.problem(section.at(field), Spot::Key, message);
            }
        }
    }
    groups
}

fn group(name: AgentName, value: &Node, trail: Trail, out: &mut Findings) -> Group {
    let section = Section::open(Some(value), trail, GROUP_KEYS, out);
    let mut long = |key, bound| section.text(key, TextBound(bound), out).unwrap_or_default();
    let description = long("description", DESCRIPTION_CHARS_MAX);
    let shared_context = long("shared_context", INSTRUCTIONS_CHARS_MAX);
    let mut members = Vec::new();
    match section.value("members") {
        None => {}
        Some(Node::List(items)) if items.len() <= AGENTS_MAX => {
            for (index, item) in items.iter().enumerate() {
                members.extend(member(item, section.trail_of("members").item(index), out));
            }
        }
        Some(Node::List(items)) => {
            section.wrong("members", format!("{} members are more than {AGENTS_MAX}", items.len()), out);
        }
        Some(other) => {
            let message =
                format!("expected a list of items such as `- agent: name`, found {}", other.shown());
            section.wrong("members", message, out);
        }
    }
    Group { name, description, shared_context, members }
}

fn member(item: &Node, trail: Trail, out: &mut Findings) -> Option<GroupMember> {
    let section = Section::open(Some(item), trail, MEMBER_KEYS, out);
    let use_for = section.text("use_for", TextBound(DESCRIPTION_CHARS_MAX), out).unwrap_or_default();
    if section.value("agent").is_none() && matches!(item, Node::Map(_) | Node::Null) {
        out.problem(section.trail().clone(), Spot::Key, "names no agent: write `agent: name`");
    }
    match name(&section.text("agent", TextBound(usize::MAX), out)?) {
        Ok(agent) => Some(GroupMember { agent, use_for }),
        Err(message) => {
            section.wrong("agent", message, out);
            None
        }
    }
}

#[cfg(test)]
mod tests;
