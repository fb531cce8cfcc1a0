//! What both doors say of agents: who can be asked, and what one of them is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::typical::Typical;
use crate::config::paths::Environment;
use crate::config::{Config, Problem};
use crate::document::plan::TypicalDocument;
use crate::error::{Kind, Report};
use crate::model::{Agent, BudgetLimit, EnvProfile, Settings, SpendLimit};
use crate::project::{self, Facts, Health, Memo};

/// Whether an agent can be dispatched to: the one place that words it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct HealthDocument {
    /// Whether its directory can be used.
    pub(crate) healthy: bool,
    /// True when its directory is there, but may not be read or entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unreadable: Option<bool>,
}

impl HealthDocument {
    /// What its configuration disables is not healthy, wherever it may be.
    pub(crate) const DISABLED: Self = Self { healthy: false, unreadable: None };

    /// Returns what the health of a directory says of its agent.
    pub(crate) fn of(health: Health) -> Self {
        Self {
            healthy: health == Health::Healthy,
            unreadable: (health == Health::Unreadable).then_some(true),
        }
    }
}

/// An agent in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct AgentDocument {
    /// Its name: what `dispatch` takes.
    pub(crate) name: String,
    /// Its directory.
    pub(crate) directory: String,
    /// What it is for.
    pub(crate) description: String,
    #[serde(flatten)]
    pub(crate) health: HealthDocument,
    /// Whether the directory has a CLAUDE.md.
    pub(crate) has_claude_md: bool,
    /// Whether the directory has a .mcp.json.
    pub(crate) has_mcp_config: bool,
    /// MCP servers of the project. A list leaves it out when there are none, as it does the next two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mcp_servers: Option<Vec<String>>,
    /// Languages and tools of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stacks: Option<Vec<String>>,
    /// Databases of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dbs: Option<Vec<String>>,
    /// Its permission mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) permission_mode: Option<String>,
    /// Tools it may use; empty means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_tools: Option<Vec<String>>,
    /// Tools it may not use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disallowed_tools: Option<Vec<String>>,
    /// What it can do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) capabilities: Vec<String>,
    /// What it can break.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) risky_capabilities: Vec<String>,
    /// What dispatches to it usually take and cost; absent before three of them have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) typical: Option<TypicalDocument>,
    /// Why it cannot be dispatched to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// All agents.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct AgentsDocument {
    /// The agents, in the order of the configuration.
    pub(crate) agents: Vec<AgentDocument>,
}

/// One agent in detail.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct AgentDetail {
    /// What a list says of it.
    #[serde(flatten)]
    pub(crate) summary: AgentDocument,
    /// Seconds one dispatch may run.
    pub(crate) timeout: u32,
    /// Model it runs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// Spending cap of one dispatch, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_budget_usd: Option<f64>,
    /// How many of its dispatches may run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_concurrency: Option<u32>,
    /// Callers that may ask it; without the list, everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) callers: Option<Vec<String>>,
    /// Spending caps over days and months, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<SpendingDocument>,
    /// What its sessions get of the environment, where that is not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) env: Option<EnvironmentDocument>,
    /// Its standing instructions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) instructions: String,
    /// Whether the directory has a README.
    pub(crate) has_readme: bool,
    /// Which of the files that tell of a project are there.
    pub(crate) files: Vec<String>,
    /// Commit checked out in the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) git_head: Option<String>,
    /// Branch checked out in the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) git_branch: Option<String>,
    /// Whether Claude Code was told to trust the folder; nothing when it was never asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trusted: Option<bool>,
    /// First lines of CLAUDE.md.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claude_md_preview: Option<String>,
    /// Present when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claude_md_truncated: Option<bool>,
    /// First lines of the README.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) readme_preview: Option<String>,
    /// Present when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) readme_truncated: Option<bool>,
    /// Which of `timeout`, `max_budget_usd`, `permission_mode`, `allowed_tools` and `disallowed_tools` are not its own but those
    /// of the settings.
    pub(crate) inherited: Vec<String>,
    /// Notes on its configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) notes: BTreeMap<String, String>,
}

/// Spending caps.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct SpendingDocument {
    /// Cap of a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) day: Option<f64>,
    /// Cap of a month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) month: Option<f64>,
}

/// What sessions get of the environment. Values are not told.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct EnvironmentDocument {
    /// Variables that pass; without the list, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inherit: Option<Vec<String>>,
    /// Variables that do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) deny: Vec<String>,
    /// Names of variables that are set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) set: Vec<String>,
}

impl AgentsDocument {
    /// Returns all agents of the configuration, those that it disables last.
    pub(crate) fn of(config: &Config, projects: &Memo) -> Self {
        let usable =
            config.agents.iter().map(|agent| AgentDocument::of(agent, &projects.facts(&agent.directory)));
        let broken = config.broken.iter().map(|(name, problems)| AgentDocument::disabled(name, problems));
        Self { agents: usable.chain(broken).collect() }
    }

    /// Returns the list with what is usual, in brief.
    pub(crate) fn with_usual(mut self, usual: &BTreeMap<String, Typical>) -> Self {
        for agent in &mut self.agents {
            let typical = usual.get(&agent.name).cloned();
            agent.typical = typical.map(|typical| TypicalDocument::of(typical, None).brief());
        }
        self
    }
}

/// Files that tell of a project.
const FILES: [&str; 5] = ["CLAUDE.md", ".mcp.json", "README.md", "pyproject.toml", "package.json"];

impl AgentDetail {
    /// Returns the agent with what is usual.
    pub(crate) fn with_usual(mut self, usual: &BTreeMap<String, Typical>) -> Self {
        let typical = usual.get(&self.summary.name).cloned();
        self.summary.typical =
            typical.map(|typical| TypicalDocument::of(typical, Some(u64::from(self.timeout))));
        self
    }

    /// Returns the agent with so many lines of what its directory says of itself.
    pub(crate) fn of(
        config: &Config,
        agent: &Agent,
        facts: &Facts,
        environment: &Environment,
        lines: usize,
    ) -> Self {
        let settings = &config.settings;
        let trusted = project::is_trusted(&facts.directory, &environment.claude_state());
        let preview = |names: &[&str]| {
            let found =
                names.iter().find_map(|name| project::preview(&agent.directory.join(name), lines).ok()?);
            found
                .filter(|_| lines > 0)
                .map_or((None, None), |it| (Some(it.text), it.truncated.then_some(true)))
        };
        let (claude_md_preview, claude_md_truncated) = preview(&["CLAUDE.md"]);
        let (readme_preview, readme_truncated) = preview(&["README.md", "README"]);
        let mut notes = BTreeMap::new();
        if trusted != Some(true) && facts.has_allow_rules {
            let note = "Claude Code has not been told to trust this folder: `permissions.allow` of the project's own \
                        settings is ignored there. Run `claude` in it once, or list the tools in `allowed_tools`.";
            notes.insert("trust".to_owned(), note.to_owned());
        }
        let checkout = facts.is_healthy().then(|| project::checkout(&facts.directory)).flatten();
        let (git_head, git_branch) = checkout.map(|it| (it.head.commit, it.head.branch)).unwrap_or_default();
        notes.append(&mut warnings(config, agent.name.as_str()));
        let mut summary = AgentDocument::of(agent, facts);
        for found in [&mut summary.mcp_servers, &mut summary.stacks, &mut summary.dbs] {
            found.get_or_insert_default();
        }
        let inherited = inherited(&mut summary, agent, settings);
        Self {
            summary,
            inherited,
            timeout: agent.timeout.unwrap_or(settings.default_timeout),
            model: agent.model.clone(),
            max_budget_usd: match agent.max_budget {
                BudgetLimit::Usd(usd) => Some(usd),
                BudgetLimit::Inherit => settings.default_max_budget_usd,
                BudgetLimit::Unlimited => None,
            },
            max_concurrency: agent.max_concurrency,
            callers: agent.callers.clone(),
            budget: (agent.budget != SpendLimit::default())
                .then_some(SpendingDocument { day: agent.budget.day, month: agent.budget.month }),
            env: (agent.env != EnvProfile::default()).then(|| EnvironmentDocument {
                inherit: agent.env.inherit.clone(),
                deny: agent.env.deny.clone(),
                set: agent.env.set.keys().cloned().collect(),
            }),
            instructions: agent.instructions.clone(),
            has_readme: facts.has_readme,
            files: FILES
                .iter()
                .filter(|name| facts.directory.join(name).is_file())
                .map(ToString::to_string)
                .collect(),
            git_head,
            git_branch,
            trusted,
            claude_md_preview,
            claude_md_truncated,
            readme_preview,
            readme_truncated,
            notes,
        }
    }
}

/// Returns what the configuration warns of in one agent, by the names of the keys.
pub(crate) fn warnings(config: &Config, agent: &str) -> BTreeMap<String, String> {
    let prefix = format!("agents.{agent}.");
    let own = config.warnings.iter().filter(|warning| warning.key.starts_with(&prefix));
    own.map(|warning| (warning.key.clone(), warning.message.clone())).collect()
}

/// Takes from the settings what is in force where the agent itself says nothing. Returns which of its limits and permissions
/// are from there.
fn inherited(summary: &mut AgentDocument, agent: &Agent, settings: &Settings) -> Vec<String> {
    fn taken<T>(own: &mut Option<T>, usual: Option<T>) -> bool {
        let is_taken = own.is_none() && usual.is_some();
        if is_taken {
            *own = usual;
        }
        is_taken
    }
    let mode = settings.default_permission_mode.clone().filter(|mode| !mode.is_empty());
    let no_cap_of_its_own = agent.max_budget == BudgetLimit::Inherit;
    let each = [
        ("timeout", agent.timeout.is_none()),
        ("max_budget_usd", no_cap_of_its_own && settings.default_max_budget_usd.is_some()),
        ("permission_mode", taken(&mut summary.permission_mode, mode)),
        ("allowed_tools", taken(&mut summary.allowed_tools, some(settings.default_allowed_tools.clone()))),
        (
            "disallowed_tools",
            taken(&mut summary.disallowed_tools, some(settings.default_disallowed_tools.clone())),
        ),
    ];
    each.into_iter().filter(|(_, is)| *is).map(|(name, _)| name.to_owned()).collect()
}

/// Says that there is no such agent, or why it cannot be used.
pub(crate) fn unknown(config: &Config, name: &str) -> Report {
    if let Some(problems) = config.why_broken(name) {
        let message = format!("agent `{name}` is disabled by its configuration: {problems}");
        return Report::new(Kind::Config, "agent_disabled", message, "Fix the named lines of the file.");
    }
    Report::no_agent(name, &config.names())
}

impl AgentDocument {
    fn of(agent: &Agent, facts: &Facts) -> Self {
        let owned = |names: &[&'static str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            name: agent.name.to_string(),
            directory: agent.directory.display().to_string(),
            description: if agent.description.is_empty() {
                facts.description.clone()
            } else {
                agent.description.clone()
            },
            health: HealthDocument::of(facts.health),
            has_claude_md: facts.has_claude_md,
            has_mcp_config: facts.has_mcp_config,
            mcp_servers: some(facts.mcp_servers.clone()),
            stacks: some(owned(&facts.stacks)),
            dbs: some(owned(&facts.dbs)),
            permission_mode: agent.permission_mode.clone(),
            allowed_tools: agent.allowed_tools.clone(),
            disallowed_tools: agent.disallowed_tools.clone(),
            capabilities: agent.capabilities.clone(),
            risky_capabilities: agent.risky_capabilities.clone(),
            typical: None,
            problem: match facts.health {
                Health::Healthy => None,
                Health::Missing => Some("its directory does not exist".to_owned()),
                Health::Unreadable => Some("its directory cannot be read".to_owned()),
            },
        }
    }

    fn disabled(name: &str, problems: &[Problem]) -> Self {
        let each: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Self {
            name: name.to_owned(),
            directory: String::new(),
            description: String::new(),
            health: HealthDocument::DISABLED,
            has_claude_md: false,
            has_mcp_config: false,
            mcp_servers: None,
            stacks: None,
            dbs: None,
            permission_mode: None,
            allowed_tools: None,
            disallowed_tools: None,
            capabilities: Vec::new(),
            risky_capabilities: Vec::new(),
            typical: None,
            problem: Some(format!("disabled by its configuration: {}", each.join("; "))),
        }
    }
}

fn some(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}
