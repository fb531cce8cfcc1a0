//! Commands about agents: `add`, `update`, `remove`, `list`, `describe`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::audit::{self, redact::one_line};
use crate::budget::usd;
use crate::cli::args::{Budget, FieldArguments};
use crate::cli::plan;
use crate::cli::render::{Cell, Screen, Tone, fact, indented, note, print_json, print_text};
use crate::config::Config;
use crate::config::edit::{AgentsFile, Change, EditError, Edited, Editor, Fields, words as listed};
use crate::dispatch::Frontend;
use crate::document::agents::{AgentDetail, AgentDocument, AgentsDocument, HealthDocument, unknown};
use crate::document::plan::TypicalDocument;
use crate::error::Report;
use crate::model::absent::there_is_no;
use crate::model::{Agent, BudgetLimit, Settings};

/// Lines of CLAUDE.md and README that `describe` shows.
const PREVIEW_LINES: usize = 12;

/// Adds an agent.
pub(super) async fn add(
    frontend: &Frontend,
    name: String,
    directory: &Path,
    fields: FieldArguments,
) -> Result<(), Report> {
    let directory = frontend.as_written(directory);
    let fields = Fields { directory: Some(directory), ..fields.into_changes() };
    let added = name.clone();
    edit(frontend, move |file| file.add_agent(&added, &fields)).await?;
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    let Some(agent) = config.agent(&name) else { return print_text(&format!("added {name}\n")) };
    let facts = frontend.projects.facts(&agent.directory);
    let said = if agent.description.is_empty() { &facts.description } else { &agent.description };
    print_text(&format!("added {name}: {}\n{}", agent.directory.display(), fact("description", said)))?;
    complain(&config, &format!("agents.{name}."));
    note(&format!("Try it with: agent-dispatch test {name}\n"));
    Ok(())
}

/// Changes an agent.
pub(super) async fn update(
    frontend: &Frontend,
    name: String,
    directory: Option<&Path>,
    fields: FieldArguments,
) -> Result<(), Report> {
    let directory = directory.map(|directory| frontend.as_written(directory));
    let fields = Fields { directory, ..fields.into_changes() };
    let updated = name.clone();
    let edited = edit(frontend, move |file| file.update_agent(&updated, &fields)).await?;
    print_text(&format!("updated {name}: {}\n", edited.changed.join(", ")))?;
    warn(frontend, &format!("agents.{name}."));
    Ok(())
}

/// Removes an agent.
pub(super) async fn remove(frontend: &Frontend, name: String) -> Result<(), Report> {
    let edited = edit(frontend, move |file| file.remove_agent(&name)).await?;
    print_text(&format!("removed {}\n", edited.subject.name()))
}

/// Makes an edit that a person asks for.
pub(super) async fn edit(
    frontend: &Frontend,
    edit: impl FnOnce(&AgentsFile) -> Result<Edited, EditError> + Send + 'static,
) -> Result<Edited, Report> {
    Ok(frontend.change_config(super::CLIENT, Editor::Person, edit).await?)
}

/// Says which of these agents are not in the configuration: nothing was found of any of them.
pub(super) fn note_unknown(frontend: &Frontend, agents: &[String]) {
    let Ok(config) = frontend.config() else { return };
    let is_known = |name: &str| config.agent(name).is_some() || config.broken.contains_key(name);
    for name in agents.iter().filter(|name| !is_known(name)) {
        note(&format!("note: {}\n", there_is_no("agent", name, &config.names())));
    }
}

/// Lists the agents.
pub(super) async fn list(frontend: &Frontend, screen: Screen, as_json: bool) -> Result<(), Report> {
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    let usual = frontend.usual(&config, &config.agents).await;
    let agents = AgentsDocument::of(&config, &frontend.projects).with_usual(&usual).agents;
    if as_json {
        return print_json(&agents);
    }
    if agents.is_empty() {
        note(&format!(
            "There are no agents in {}. Add one with: agent-dispatch add NAME DIRECTORY\n",
            config.path.display()
        ));
        return Ok(());
    }
    let known = agents.iter().any(|agent| agent.typical.is_some());
    let rows = agents.iter().map(|agent| {
        let broken = config.broken.contains_key(&agent.name);
        let (word, tone) = health(&agent.health, broken);
        let said = if broken { agent.problem.as_deref().unwrap_or_default() } else { &agent.description };
        let profile = config.agent(&agent.name).map(profile).unwrap_or_default();
        let usually = agent.typical.as_ref().map(usually).unwrap_or_default();
        let mut row = vec![
            Cell::new(&agent.name).whole(),
            Cell::new(word).toned(tone),
            Cell::new(&agent.directory),
            Cell::new(profile),
        ];
        row.extend(known.then(|| Cell::new(usually)));
        row.push(Cell::new(said));
        row
    });
    let mut columns = vec![("AGENT", 0), ("HEALTH", 0), ("DIRECTORY", 1), ("PROFILE", 2), ("DESCRIPTION", 0)];
    if known {
        columns.insert(4, ("USUALLY", 3));
    }
    print_text(&screen.ranked_table(&columns, rows.collect()))?;
    complain(&config, "");
    Ok(())
}

/// Returns the word for an agent's health, and its tone.
pub(super) fn health(health: &HealthDocument, disabled: bool) -> (&'static str, Tone) {
    match health {
        _ if disabled => ("disabled", Tone::Bad),
        HealthDocument { healthy: true, .. } => ("ok", Tone::Good),
        HealthDocument { unreadable: Some(true), .. } => ("unreadable", Tone::Bad),
        HealthDocument { .. } => ("no directory", Tone::Bad),
    }
}

/// Returns what of an agent is not as the settings have it, in a few words.
fn profile(agent: &Agent) -> String {
    let list =
        |label: &str, tools: Option<&[String]>| Some(format!("{label}{}", self::tools(Some(tools?), "")));
    let cap = match agent.max_budget {
        BudgetLimit::Inherit => None,
        BudgetLimit::Unlimited => Some("no cap".to_owned()),
        BudgetLimit::Usd(cap) => Some(usd(cap)),
    };
    let spending = |cap: Option<f64>, time: &str| Some(format!("{}/{time}", usd(cap?)));
    let parts = [
        agent.permission_mode.clone(),
        list("", agent.allowed_tools.as_deref()),
        list("not ", agent.disallowed_tools.as_deref()),
        agent.model.clone(),
        agent.timeout.map(|seconds| format!("{seconds} s")),
        cap,
        spending(agent.budget.day, "day"),
        spending(agent.budget.month, "month"),
        agent.max_concurrency.map(|most| format!("{most} at once")),
    ];
    audit::cut(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "), PROFILE_CHARS)
}

/// Longest profile in a list, in characters.
const PROFILE_CHARS: usize = 60;

/// Returns what a dispatch usually takes and costs, in a few words.
fn usually(typical: &TypicalDocument) -> String {
    let cost = typical.median_cost_usd.map(|cost| format!(", {}", usd(cost))).unwrap_or_default();
    format!("{} s{cost}", typical.median_seconds)
}

/// Shows one agent.
pub(super) async fn describe(frontend: &Frontend, name: &str, as_json: bool) -> Result<(), Report> {
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    let Some(agent) = config.agent(name) else { return Err(unknown(&config, name)) };
    let usual = frontend.usual(&config, [agent]).await;
    let facts = frontend.projects.facts(&agent.directory);
    let detail =
        AgentDetail::of(&config, agent, &facts, &frontend.environment, PREVIEW_LINES).with_usual(&usual);
    if as_json {
        return print_json(&detail);
    }
    print_text(&told(&detail, agent, &config.settings))
}

fn told(detail: &AgentDetail, agent: &Agent, settings: &Settings) -> String {
    let AgentDocument { name, directory, description, problem, .. } = &detail.summary;
    let summary = &detail.summary;
    let mut text = fact("agent", name);
    let mut say = |label: &str, said: &str| {
        if !said.is_empty() {
            text.push_str(&fact(label, said));
        }
    };
    say("directory", directory);
    say("problem", problem.as_deref().unwrap_or_default());
    say("description", description);
    let inherited = |own: bool| if own { "" } else { " (from the settings)" };
    say("timeout", &format!("{} s{}", detail.timeout, inherited(agent.timeout.is_some())));
    for (label, said) in summary.typical.iter().flat_map(plan::usually) {
        say(label, &said);
    }
    say("model", detail.model.as_deref().unwrap_or("claude's own default"));
    let cap = detail.max_budget_usd.map_or("no cap".to_owned(), |cap| format!("{} a dispatch", usd(cap)));
    say("budget", &format!("{cap}{}", inherited(agent.max_budget != BudgetLimit::Inherit)));
    for (cap, time) in [(agent.budget.day, "day"), (agent.budget.month, "month")] {
        say("", &cap.map_or(String::new(), |cap| format!("{} a {time}", usd(cap))));
    }
    let usual =
        || settings.default_permission_mode.as_ref().map(|mode| format!("{mode} (from the settings)"));
    let mode = agent.permission_mode.clone().or_else(usual);
    say("permissions", mode.as_deref().unwrap_or("claude's own default"));
    let usual = &settings.default_allowed_tools;
    say("may use", &tools_in_force(agent.allowed_tools.as_deref(), usual, "claude's own default"));
    let usual = &settings.default_disallowed_tools;
    say("may not use", &tools_in_force(agent.disallowed_tools.as_deref(), usual, "(none)"));
    say("at once", &agent.max_concurrency.map_or(String::new(), |most| most.to_string()));
    say("callers", &tools(agent.callers.as_deref(), ""));
    say("inherits", &tools(agent.env.inherit.as_deref(), ""));
    say("drops", &agent.env.deny.join(", "));
    say("sets", &agent.env.set.keys().cloned().collect::<Vec<_>>().join(", "));
    say("capabilities", &summary.capabilities.join(", "));
    say("can break", &summary.risky_capabilities.join(", "));
    say("stacks", &summary.stacks.as_deref().unwrap_or_default().join(", "));
    say("databases", &summary.dbs.as_deref().unwrap_or_default().join(", "));
    say("MCP servers", &summary.mcp_servers.as_deref().unwrap_or_default().join(", "));
    say("has", &detail.files.join(", "));
    let commit = detail.git_head.as_deref().map(|head| head.get(..12).unwrap_or(head));
    let branch = detail.git_branch.as_deref();
    say("git", &[branch, commit].into_iter().flatten().collect::<Vec<_>>().join(" "));
    for (label, body) in [
        ("instructions", Some(detail.instructions.as_str())),
        ("CLAUDE.md", detail.claude_md_preview.as_deref()),
        ("README", detail.readme_preview.as_deref()),
    ] {
        let body = indented(body.unwrap_or_default(), PREVIEW_LINES);
        if !body.is_empty() {
            let _infallible = write!(text, "{label}\n{body}");
        }
    }
    for (what, said) in &detail.notes {
        let _infallible = writeln!(text, "note ({}): {}", one_line(what, 100), one_line(said, 500));
    }
    text
}

/// Returns the tools that hold for an agent, and where they are from when it is not the agent itself.
fn tools_in_force(own: Option<&[String]>, usual: &[String], default: &str) -> String {
    match (own, usual) {
        (Some(own), _) => tools(Some(own), ""),
        (None, []) => default.to_owned(),
        (None, usual) => format!("{} (from the settings)", usual.join(", ")),
    }
}

fn tools(tools: Option<&[String]>, default: &str) -> String {
    match tools {
        None => default.to_owned(),
        Some([]) => "(none)".to_owned(),
        Some(tools) => tools.join(", "),
    }
}

/// Says what has no effect, or an unexpected one, in what was edited: the keys that begin so.
pub(super) fn warn(frontend: &Frontend, prefix: &str) {
    if let Ok(config) = frontend.config() {
        complain(&config, prefix);
    }
}

fn complain(config: &Config, prefix: &str) {
    for problem in config.warnings.iter().filter(|problem| problem.key.starts_with(prefix)) {
        let said = format!("{}:{problem}", config.path.display());
        note(&format!("warning: {}\n", one_line(&said, 1000)));
    }
}

impl FieldArguments {
    fn into_changes(self) -> Fields {
        let Self { description, timeout, model, max_budget, permission_mode, .. } = self;
        let number = |number: Option<u32>| {
            number
                .map_or(Change::Keep, |number| if number == 0 { Change::Clear } else { Change::Set(number) })
        };
        // Of days and months, no cap is the default.
        let spending = |budget| match budget {
            None => Change::Keep,
            Some(Budget::Default | Budget::Unlimited) => Change::Clear,
            Some(Budget::Usd(usd)) => Change::Set(usd),
        };
        Fields {
            directory: None,
            description: word(description),
            timeout: number(timeout),
            max_budget: match max_budget {
                None => Change::Keep,
                Some(Budget::Default) => Change::Clear,
                Some(Budget::Unlimited) => Change::Set(BudgetLimit::Unlimited),
                Some(Budget::Usd(usd)) => Change::Set(BudgetLimit::Usd(usd)),
            },
            model: word(model),
            permission_mode: word(permission_mode),
            allowed_tools: words(self.allowed_tools.as_deref()),
            disallowed_tools: words(self.disallowed_tools.as_deref()),
            capabilities: words(self.capabilities.as_deref()),
            risky_capabilities: words(self.risky_capabilities.as_deref()),
            instructions: word(self.instructions),
            max_concurrency: number(self.max_concurrency),
            env_inherit: words(self.env_inherit.as_deref()),
            env_deny: words(self.env_deny.as_deref()),
            env_set: variables(self.env_set),
            callers: words(self.callers.as_deref()),
            budget_day: spending(self.budget_day),
            budget_month: spending(self.budget_month),
        }
    }
}

/// Returns what the variables change; a single empty text clears them all.
fn variables(set: Vec<(String, String)>) -> Change<BTreeMap<String, String>> {
    match set.as_slice() {
        [] => Change::Keep,
        [(name, _)] if name.is_empty() => Change::Clear,
        [..] => Change::Set(set.into_iter().filter(|(name, _)| !name.is_empty()).collect()),
    }
}

/// Returns what an option of one text changes: nothing when it is not given, back to the default for `none`.
fn word(text: Option<String>) -> Change<String> {
    match text {
        None => Change::Keep,
        Some(text) if clears(&text) => Change::Clear,
        Some(text) => Change::Set(text),
    }
}

/// Returns what an option of several texts, separated by commas, changes. `,` is the empty list.
fn words(text: Option<&str>) -> Change<Vec<String>> {
    match text {
        None => Change::Keep,
        Some(text) if clears(text) => Change::Clear,
        Some(text) => Change::Set(listed(text)),
    }
}

fn clears(text: &str) -> bool {
    text.trim().is_empty() || text.trim().eq_ignore_ascii_case("none")
}

#[cfg(test)]
mod tests;
