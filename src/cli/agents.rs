//! Commands about agents: `add`, `update`, `remove`, `list`, `describe`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::audit::redact::one_line;
use crate::budget::usd;
use crate::cli::args::{Budget, FieldArguments};
use crate::cli::render::{Cell, Screen, Tone, fact, indented, note, print_json, print_text};
use crate::config::Config;
use crate::config::edit::{self, Change, Edited, Fields, NewAgent};
use crate::dispatch::Frontend;
use crate::document::agents::{AgentDetail, AgentDocument, AgentsDocument, unknown};
use crate::error::Report;
use crate::model::BudgetLimit;

/// Lines of CLAUDE.md and README that `describe` shows.
const PREVIEW_LINES: usize = 12;

/// Adds an agent.
pub(super) async fn add(
    frontend: &Frontend,
    name: String,
    directory: &Path,
    fields: FieldArguments,
) -> Result<(), Report> {
    let directory = written(frontend, directory);
    let new = NewAgent { name, directory, fields: fields.into_changes() };
    let (path, home) = places(frontend);
    let edited = frontend.change_config(super::CLIENT, move || edit::add_agent(&path, &home, &new)).await?;
    let Some(agent) = &edited.agent else { return print_text(&format!("added {}\n", edited.name)) };
    let facts = frontend.projects.facts(&agent.directory);
    let said = if agent.description.is_empty() { &facts.description } else { &agent.description };
    print_text(&format!(
        "added {}: {}\n{}",
        edited.name,
        agent.directory.display(),
        fact("description", said)
    ))?;
    warn(frontend, &edited);
    note(&format!("Try it with: agent-dispatch test {}\n", edited.name));
    Ok(())
}

/// Changes an agent.
pub(super) async fn update(frontend: &Frontend, name: String, fields: FieldArguments) -> Result<(), Report> {
    let (path, home) = places(frontend);
    let fields = fields.into_changes();
    let change = move || edit::update_agent(&path, &home, &name, &fields);
    let edited = frontend.change_config(super::CLIENT, change).await?;
    print_text(&format!("updated {}: {}\n", edited.name, edited.changed.join(", ")))?;
    warn(frontend, &edited);
    Ok(())
}

/// Removes an agent.
pub(super) async fn remove(frontend: &Frontend, name: String) -> Result<(), Report> {
    let (path, home) = places(frontend);
    let edited =
        frontend.change_config(super::CLIENT, move || edit::remove_agent(&path, &home, &name)).await?;
    print_text(&format!("removed {}\n", edited.name))
}

/// Lists the agents.
pub(super) fn list(frontend: &Frontend, screen: Screen, as_json: bool) -> Result<(), Report> {
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    let agents = AgentsDocument::of(&config, &frontend.projects).agents;
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
    let rows = agents.iter().map(|agent| {
        let broken = config.broken.contains_key(&agent.name);
        let (health, tone) = match (agent.healthy, broken) {
            (true, _) => ("ok", Tone::Good),
            (false, true) => ("disabled", Tone::Bad),
            (false, false) => ("no directory", Tone::Bad),
        };
        let said = if broken { agent.problem.as_deref().unwrap_or_default() } else { &agent.description };
        vec![
            Cell::new(&agent.name),
            Cell::new(health).toned(tone),
            Cell::new(&agent.directory),
            Cell::new(said),
        ]
    });
    print_text(&screen.table(&["AGENT", "HEALTH", "DIRECTORY", "DESCRIPTION"], rows.collect()))?;
    complain(&config, None);
    Ok(())
}

/// Shows one agent.
pub(super) fn describe(frontend: &Frontend, name: &str, as_json: bool) -> Result<(), Report> {
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    let Some(agent) = config.agent(name) else { return Err(unknown(&config, name)) };
    let facts = frontend.projects.facts(&agent.directory);
    let detail = AgentDetail::of(&config, agent, &facts, &frontend.environment, PREVIEW_LINES);
    if as_json {
        return print_json(&detail);
    }
    print_text(&told(&detail))
}

fn told(detail: &AgentDetail) -> String {
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
    say("timeout", &format!("{} s", detail.timeout));
    say("model", detail.model.as_deref().unwrap_or("claude's own default"));
    say(
        "budget",
        &detail.max_budget_usd.map_or("no cap".to_owned(), |cap| format!("{} a dispatch", usd(cap))),
    );
    say("permissions", summary.permission_mode.as_deref().unwrap_or("default"));
    say("may use", &tools(summary.allowed_tools.as_deref(), "claude's own default"));
    say("may not use", &tools(summary.disallowed_tools.as_deref(), ""));
    say("capabilities", &summary.capabilities.join(", "));
    say("can break", &summary.risky_capabilities.join(", "));
    say("stacks", &summary.stacks.as_deref().unwrap_or_default().join(", "));
    say("databases", &summary.dbs.as_deref().unwrap_or_default().join(", "));
    say("MCP servers", &summary.mcp_servers.as_deref().unwrap_or_default().join(", "));
    let has = [
        (summary.has_claude_md, "CLAUDE.md"),
        (detail.has_readme, "README.md"),
        (summary.has_mcp_config, ".mcp.json"),
    ];
    let has: Vec<&str> = has.into_iter().filter_map(|(has, name)| has.then_some(name)).collect();
    say("has", &has.join(", "));
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

fn tools(tools: Option<&[String]>, default: &str) -> String {
    match tools {
        None => default.to_owned(),
        Some([]) => "(none)".to_owned(),
        Some(tools) => tools.join(", "),
    }
}

fn places(frontend: &Frontend) -> (PathBuf, PathBuf) {
    (frontend.environment.config_file.clone(), frontend.environment.home.clone())
}

/// Returns the directory as it is to stand in the file: absolute, unless it begins with `~`.
fn written(frontend: &Frontend, directory: &Path) -> PathBuf {
    if directory.starts_with("~") {
        return directory.to_owned();
    }
    let absolute = frontend.environment.directory.join(directory);
    // One that is not there is refused by the edit, in the words that were typed.
    std::fs::canonicalize(&absolute).unwrap_or(absolute)
}

/// Says what has no effect, or an unexpected one, in the agent that was edited.
fn warn(frontend: &Frontend, edited: &Edited) {
    if let Ok(config) = frontend.config() {
        complain(&config, Some(&edited.name));
    }
}

fn complain(config: &Config, agent: Option<&str>) {
    for problem in &config.warnings {
        let ours = agent.is_none_or(|agent| problem.key.starts_with(&format!("agents.{agent}.")));
        if ours {
            let said = format!("{}:{problem}", config.path.display());
            note(&format!("warning: {}\n", one_line(&said, 1000)));
        }
    }
}

impl FieldArguments {
    fn into_changes(self) -> Fields {
        let Self { description, timeout, model, max_budget, permission_mode, .. } = self;
        Fields {
            // `none` is a word like any other in a description.
            description: description
                .map_or(Change::Keep, |text| if text.is_empty() { Change::Clear } else { Change::Set(text) }),
            timeout: timeout.map_or(Change::Keep, |seconds| {
                if seconds == 0 { Change::Clear } else { Change::Set(seconds) }
            }),
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
            ..Fields::default()
        }
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

/// Splits at commas, but not inside parentheses: `Bash(git log:*),Read`.
fn listed(text: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let parts = text.split(|char| {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        char == ',' && depth == 0
    });
    parts.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn clears(text: &str) -> bool {
    text.trim().is_empty() || text.trim().eq_ignore_ascii_case("none")
}

#[cfg(test)]
mod tests;
