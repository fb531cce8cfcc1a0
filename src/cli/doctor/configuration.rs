//! The agents file, and what it says of agents and groups.

use std::path::{Path, PathBuf};

use crate::cli::doctor::finding::Finding;
use crate::config::{Config, ConfigError, Problem};
use crate::model::Agent;
use crate::model::shell;
use crate::project::Health;

const FILE: &str = "configuration";
const AGENTS: &str = "agents";
const GROUPS: &str = "groups";

/// The mode that lets a session do anything; Claude Code refuses it to the superuser.
const BYPASS: &str = "bypassPermissions";

/// What is known of the configuration.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// The agents file.
    pub(super) path: PathBuf,
    /// Its permission bits; nothing when it is not there.
    pub(super) mode: Option<u32>,
    /// What it says.
    pub(super) config: Result<&'a Config, &'a ConfigError>,
    /// What the directories of its agents are, in its order.
    pub(super) directories: Vec<Directory>,
    /// Whether sessions run as the superuser, outside of what counts as a sandbox.
    pub(super) superuser: bool,
}

/// What is known of an agent's directory.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    /// Whether a session can run there.
    pub(super) health: Health,
    /// Files that Claude Code reads there.
    pub(super) files: Vec<&'static str>,
    /// Tools that the project's own settings allow.
    pub(super) allowed: Vec<String>,
    /// Whether the user has agreed to trust it.
    pub(super) trusted: bool,
}

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = file(facts);
    match facts.config {
        Ok(config) => {
            found.extend(agents(config, facts));
            found.extend(groups(config));
        }
        Err(_) => found.push(
            Finding::warn(AGENTS, "not looked at: the agents file cannot be used").fix(edit(&facts.path)),
        ),
    }
    found
}

fn edit(path: &Path) -> String {
    format!("\"${{EDITOR:-vi}}\" {}", shell::path(path))
}

fn file(facts: &Facts<'_>) -> Vec<Finding> {
    let path = facts.path.display();
    let mut found = Vec::new();
    match facts.config {
        Err(ConfigError::Unreadable { source, .. }) => {
            let finding = Finding::fail(FILE, format!("{path} cannot be read")).details([source.to_string()]);
            found.push(finding.fix(format!("chmod u+rw {}", shell::path(&facts.path))));
        }
        Err(error) => {
            let details = crate::model::with_causes(error).lines().map(str::to_owned).collect::<Vec<_>>();
            found.push(
                Finding::fail(FILE, "the agents file cannot be used").details(details).fix(edit(&facts.path)),
            );
        }
        Ok(_) if facts.mode.is_none() => {
            found.push(
                Finding::warn(FILE, format!("there is no agents file: {path}")).fix("agent-dispatch init"),
            );
        }
        Ok(config) => {
            let count = config.agents.len() + config.broken.len();
            let plural = if count == 1 { "" } else { "s" };
            found.push(Finding::ok(FILE, format!("{path}: {count} agent{plural}")));
            // Those of agents stand with their agents.
            let rest: Vec<String> = config
                .warnings
                .iter()
                .filter(|problem| agent_of(problem).is_none())
                .map(ToString::to_string)
                .collect();
            if !rest.is_empty() {
                let message = "some of it has no effect, or another one than it seems";
                found.push(Finding::warn(FILE, message).details(rest).fix(edit(&facts.path)));
            }
        }
    }
    if let Some(mode) = facts.mode.filter(|mode| mode & 0o077 != 0) {
        let message = format!("other users may use the agents file (mode {mode:03o})");
        found.push(Finding::warn(FILE, message).fix(format!("chmod 600 {}", shell::path(&facts.path))));
    }
    found
}

/// Returns the agent that a problem is about.
fn agent_of(problem: &Problem) -> Option<&str> {
    problem.key.strip_prefix("agents.")?.split('.').next()
}

fn agents(config: &Config, facts: &Facts<'_>) -> Vec<Finding> {
    if config.agents.is_empty() && config.broken.is_empty() {
        return vec![Finding::warn(AGENTS, "there are no agents").fix("agent-dispatch add NAME DIRECTORY")];
    }
    let mut found: Vec<Finding> = Vec::new();
    for (agent, directory) in config.agents.iter().zip(&facts.directories) {
        found.push(place(agent, directory));
        found.extend(permissions(config, agent, facts.superuser));
        found.extend(trust(agent, directory));
        let name = agent.name.as_str();
        let own = config.warnings.iter().filter(|problem| agent_of(problem) == Some(name));
        let own: Vec<String> = own.map(ToString::to_string).collect();
        if !own.is_empty() {
            let message = format!("{name}: some of it has no effect, or another one than it seems");
            found.push(Finding::warn(AGENTS, message).details(own).fix(edit(&facts.path)));
        }
    }
    for (name, problems) in &config.broken {
        let finding = Finding::fail(AGENTS, format!("{name} is disabled: it cannot be dispatched to"));
        found.push(finding.details(problems.iter().map(ToString::to_string)).fix(edit(&facts.path)));
    }
    found
}

fn place(agent: &Agent, directory: &Directory) -> Finding {
    let (name, path) = (&agent.name, agent.directory.display());
    match directory.health {
        Health::Healthy if directory.files.is_empty() => Finding::ok(AGENTS, format!("{name}: {path}")),
        Health::Healthy => Finding::ok(AGENTS, format!("{name}: {path} ({})", directory.files.join(", "))),
        Health::Missing => Finding::fail(AGENTS, format!("{name}: the directory {path} does not exist"))
            .details(["Make it again, or name the one that it is now.".to_owned()])
            .fix(format!("agent-dispatch update {name} --directory DIR")),
        Health::Unreadable => Finding::fail(AGENTS, format!("{name}: the directory {path} cannot be read"))
            .fix(format!("chmod u+rx {}", shell::path(&agent.directory))),
    }
}

fn permissions(config: &Config, agent: &Agent, superuser: bool) -> Option<Finding> {
    let mode = agent.permission_mode.as_ref().or(config.settings.default_permission_mode.as_ref())?;
    let refused = superuser && mode == BYPASS;
    refused.then(|| {
        Finding::fail(AGENTS, format!("{}: Claude Code refuses `{BYPASS}` to the superuser", agent.name))
            .fix(format!("agent-dispatch update {} --permission-mode acceptEdits", agent.name))
    })
}

/// `claude -p` ignores what a project allows itself as long as the user has not agreed to trust it.
fn trust(agent: &Agent, directory: &Directory) -> Option<Finding> {
    let ignored = !directory.trusted && !directory.allowed.is_empty();
    ignored.then(|| {
        let message = format!(
            "{}: its folder is not trusted, so what its own settings allow is ignored in dispatches",
            agent.name
        );
        let details = [
            format!("ignored: {}", directory.allowed.join(", ")),
            "Start `claude` there once and agree to trust it, or list the tools in `allowed_tools`."
                .to_owned(),
        ];
        Finding::warn(AGENTS, message)
            .details(details)
            .fix(format!("cd {} && claude", shell::path(&agent.directory)))
    })
}

fn groups(config: &Config) -> Vec<Finding> {
    if config.groups.is_empty() {
        return vec![Finding::ok(GROUPS, "there are none, and none are needed")];
    }
    let known = |name: &str| config.agent(name).is_some() || config.broken.contains_key(name);
    let mut found = Vec::new();
    for group in &config.groups {
        let name = &group.name;
        let members = group.members.iter().map(|member| member.agent.as_str());
        let unknown: Vec<&str> = members.filter(|member| !known(member)).collect();
        if group.members.is_empty() {
            let finding = Finding::warn(GROUPS, format!("{name} has no members"));
            found.push(finding.fix(format!("agent-dispatch group remove {name}")));
        } else if unknown.is_empty() {
            let members: Vec<&str> = group.members.iter().map(|member| member.agent.as_str()).collect();
            found.push(Finding::ok(GROUPS, format!("{name}: {}", members.join(", "))));
        } else {
            let removed: Vec<String> =
                unknown.iter().map(|member| format!(" --remove-member {member}")).collect();
            let message = format!("{name} has members that are no agents: {}", unknown.join(", "));
            found.push(
                Finding::fail(GROUPS, message)
                    .fix(format!("agent-dispatch group update {name}{}", removed.concat())),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests;
