//! Who asks: what is known of the process and the session behind a request.

use serde::{Deserialize, Serialize};

use crate::model::JobId;

/// Nesting depth of the dispatch a process belongs to (the original's name).
pub const DEPTH_VARIABLE: &str = "AGENT_DISPATCH_DEPTH";
/// Job id of the dispatch a process belongs to; every process of a run carries it.
pub const RUN_VARIABLE: &str = "AGENT_DISPATCH_RUN_ID";

/// Who asks. Everything but `declared` is taken from the connection and the environment, not from the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Name and version of the MCP client, or `cli`.
    pub client: String,
    /// Session id of the Claude session that asks (`CLAUDE_CODE_SESSION_ID`).
    pub session: Option<String>,
    /// Project directory of that session (`CLAUDE_PROJECT_DIR`), else the working directory.
    pub directory: Option<String>,
    /// Process id of the front end.
    pub pid: u32,
    /// What the request calls its sender; free text.
    pub declared: Option<String>,
    /// The job inside which the request was made (`AGENT_DISPATCH_RUN_ID`).
    pub parent: Option<JobId>,
    /// How many dispatches the request is nested in (`AGENT_DISPATCH_DEPTH`).
    pub depth: u32,
}
