//! Agents, groups and settings as the configuration defines them, already checked: `config` is their only maker.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use crate::model::AgentName;

/// One agent: a directory that a task can be sent to, and what it may do there. Every field is valid on its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agent {
    /// Its name.
    pub name: AgentName,
    /// Absolute path of the directory the session runs in.
    pub directory: PathBuf,
    /// What it is for, in the words of whoever added it; may be empty.
    pub description: String,
    /// Seconds one dispatch may run; `None` takes `settings.default_timeout`. Written 0 in the file means `None`.
    pub timeout: Option<u32>,
    /// Spending cap of one dispatch.
    pub max_budget: BudgetLimit,
    /// Model alias or id, passed on unchecked.
    pub model: Option<String>,
    /// `claude --permission-mode`; `None` takes `settings.default_permission_mode`.
    pub permission_mode: Option<String>,
    /// Tools it may use: `None` takes the default list, an empty list means no tools at all.
    pub allowed_tools: Option<Vec<String>>,
    /// Tools it may not use: `None` takes the default list.
    pub disallowed_tools: Option<Vec<String>>,
    /// Free labels of what it can do.
    pub capabilities: Vec<String>,
    /// Free labels of what it can break.
    pub risky_capabilities: Vec<String>,
    /// Standing instructions, appended to the system prompt.
    pub instructions: String,
    /// How many of its dispatches may run at once; `None` is bounded by `settings.max_concurrency` alone.
    pub max_concurrency: Option<u32>,
    /// Which environment variables its sessions get.
    pub env: EnvProfile,
    /// Which callers may dispatch to it; `None` lets everyone.
    pub callers: Option<Vec<String>>,
    /// Spending caps over days and months.
    pub budget: SpendLimit,
}

/// Spending cap of one dispatch, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetLimit {
    /// The default of the settings applies (absent, null or 0 in the file).
    Inherit,
    /// No cap, whatever the default says (`none` in the file).
    Unlimited,
    /// This many US dollars; finite and greater than 0.
    Usd(f64),
}

/// Spending caps over calendar days and months (local time), in US dollars; finite and greater than 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SpendLimit {
    /// Cap of one day.
    pub day: Option<f64>,
    /// Cap of one month.
    pub month: Option<f64>,
}

/// Which environment variables a session gets, beside the rule that markers of a Claude session never pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EnvProfile {
    /// If given, only these names pass, and those that [`crate::plan::environment`] lets pass always; a trailing `*` matches
    /// any rest.
    pub inherit: Option<Vec<String>>,
    /// Names that do not pass; a trailing `*` matches any rest.
    pub deny: Vec<String>,
    /// Variables to set.
    pub set: BTreeMap<String, String>,
}

/// A named set of agents with words for whoever dispatches to them and words for the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its name; same grammar as agent names.
    pub name: AgentName,
    /// What it is for, for the caller only.
    pub description: String,
    /// Context that every member gets when it is dispatched through the group.
    pub shared_context: String,
    /// Members in file order; a member may name an agent that does not exist.
    pub members: Vec<GroupMember>,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupMember {
    /// The agent's name.
    pub agent: AgentName,
    /// What to use it for; may be empty.
    pub use_for: String,
}

/// What happens to a job when the last caller that waits for it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDisconnect {
    /// It is cancelled: nobody asks for the answer any more.
    Cancel,
    /// It goes on as if it had been started asynchronously.
    Detach,
}

/// Whether a model may change the configuration through MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum McpConfigEdits {
    /// It may.
    Allow,
    /// It may, but not widen what [`crate::config::escalation`] watches over.
    NoEscalation,
    /// It may not.
    Deny,
}

/// How much of tasks and answers the audit trail repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditContent {
    /// Digests and sizes only.
    Digest,
    /// Digests, sizes and the redacted first words.
    Preview,
    /// Digests, sizes and as much redacted text as fits a record.
    Full,
}

impl AuditContent {
    /// Returns how much of a text a record repeats, in characters; nothing at all, or its redacted beginning.
    pub const fn preview_chars(self) -> Option<usize> {
        match self {
            Self::Digest => None,
            Self::Preview => Some(120),
            Self::Full => Some(1500),
        }
    }
}

/// Settings that are not about one agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Seconds one dispatch may run when neither call nor agent says otherwise.
    pub default_timeout: u32,
    /// Spending cap of one dispatch in US dollars.
    pub default_max_budget_usd: Option<f64>,
    /// Permission mode of agents that name none.
    pub default_permission_mode: Option<String>,
    /// Tools of agents that list none; empty means `claude`'s own default.
    pub default_allowed_tools: Vec<String>,
    /// Forbidden tools of agents that list none.
    pub default_disallowed_tools: Vec<String>,
    /// How deep dispatches may nest.
    pub max_dispatch_depth: u32,
    /// How many dispatches may run at once at each depth, over all sessions of this user.
    pub max_concurrency: u32,
    /// The result cache.
    pub cache: CacheSettings,
    /// Days that finished jobs are kept: by `gc` when it is given no number, and by every server, once a day. 0 leaves `gc`
    /// its own default, and servers remove nothing.
    pub job_retention_days: u32,
    /// Whether agents get the dispatch protocol (how to answer a machine) in their system prompt.
    pub dispatch_protocol: bool,
    /// Whether `list_agents` reports typical durations and costs (the original's name for its journal).
    pub usage_log: bool,
    /// Seconds a synchronous call waits before it answers `running` with a job id; 0 waits to the end.
    pub inline_wait_seconds: u32,
    /// Seconds without any output after which a run counts as stalled; 0 never does.
    pub stall_seconds: u32,
    /// What happens to a job when the last caller that waits for it is gone.
    pub on_disconnect: OnDisconnect,
    /// The `claude` program; `None` takes the first on the `PATH`.
    pub claude_path: Option<PathBuf>,
    /// Longest answer returned whole, in characters; longer ones come as a head and a reference.
    pub max_answer_chars: u32,
    /// Spending caps over all agents.
    pub budget: SpendLimit,
    /// How much of tasks and answers the audit trail repeats.
    #[serde(rename = "audit", serialize_with = "as_content")]
    pub audit_content: AuditContent,
    /// Whether a model may change the configuration through MCP.
    pub mcp_config_edits: McpConfigEdits,
}

/// Settings are written as the configuration has them: this one is a mapping there.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn as_content<S: Serializer>(content: &AuditContent, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map([("content", content)])
}

/// Bounds of the result cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CacheSettings {
    /// Whether answers are kept and served again.
    pub enabled: bool,
    /// Seconds an answer is served again; 0 switches the cache off.
    pub ttl: u32,
    /// How many answers are kept; the oldest goes first.
    pub max_size: u32,
}

impl CacheSettings {
    /// Returns whether any answer is served again.
    pub const fn is_on(self) -> bool {
        self.enabled && self.ttl > 0
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_timeout: 300,
            default_max_budget_usd: None,
            default_permission_mode: None,
            default_allowed_tools: Vec::new(),
            default_disallowed_tools: Vec::new(),
            max_dispatch_depth: 3,
            max_concurrency: 5,
            cache: CacheSettings { enabled: true, ttl: 300, max_size: 1000 },
            job_retention_days: 0,
            dispatch_protocol: true,
            usage_log: true,
            inline_wait_seconds: 90,
            stall_seconds: 1200,
            on_disconnect: OnDisconnect::Cancel,
            claude_path: None,
            max_answer_chars: 45_000,
            budget: SpendLimit::default(),
            audit_content: AuditContent::Preview,
            mcp_config_edits: McpConfigEdits::Allow,
        }
    }
}

impl Agent {
    /// Returns an agent with nothing set but its name and directory.
    pub fn new(name: AgentName, directory: PathBuf) -> Self {
        Self {
            name,
            directory,
            description: String::new(),
            timeout: None,
            max_budget: BudgetLimit::Inherit,
            model: None,
            permission_mode: None,
            allowed_tools: None,
            disallowed_tools: None,
            capabilities: Vec::new(),
            risky_capabilities: Vec::new(),
            instructions: String::new(),
            max_concurrency: None,
            env: EnvProfile::default(),
            callers: None,
            budget: SpendLimit::default(),
        }
    }
}

/// What a run is allowed: agent, settings and call put together. Part of the job record and of audit records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProfileInForce {
    /// Model asked for.
    pub model: Option<String>,
    /// Permission mode.
    pub permission_mode: Option<String>,
    /// Tools allowed; `None` means `claude`'s default, empty means none.
    pub allowed_tools: Option<Vec<String>>,
    /// Tools forbidden.
    pub disallowed_tools: Vec<String>,
    /// Spending cap in US dollars.
    pub max_budget_usd: Option<f64>,
    /// Seconds the run may take.
    pub timeout_seconds: u64,
}
