//! Who asks: what is known of the process and the session behind a request.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::model::{JobId, TraceParent};

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
    /// The call of a tool that the request is, as the asking session numbers it (`claudecode/toolUseId`).
    pub tool_use: Option<String>,
    /// The user of the operating system as whom the front end runs.
    pub user: Option<String>,
    /// The trace that the request is part of: as the call says, else the environment (`TRACEPARENT`).
    pub traceparent: Option<TraceParent>,
}

/// Who is at the other end of one call: what the connection tells, before the environment is asked. Goes wherever only the
/// client's name is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asker {
    /// Name and version of the client.
    pub client: String,
    /// Its number for the call.
    pub tool_use: Option<String>,
    /// The trace that the call is part of.
    pub traceparent: Option<TraceParent>,
}

impl Deref for Asker {
    type Target = str;

    fn deref(&self) -> &str {
        &self.client
    }
}

impl std::fmt::Display for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.client)
    }
}

impl From<&str> for Asker {
    fn from(client: &str) -> Self {
        Self { client: client.to_owned(), ..Self::default() }
    }
}

impl From<&Self> for Asker {
    fn from(asker: &Self) -> Self {
        asker.clone()
    }
}
