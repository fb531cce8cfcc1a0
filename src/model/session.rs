//! A conversation that can be gone on with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::{JobId, SessionId, Timestamp};

/// What is known of a conversation. It belongs to one agent and one directory: `claude` finds it nowhere else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The agent it belongs to.
    pub agent: String,
    /// The directory it belongs to.
    pub directory: PathBuf,
    /// Dispatches in it.
    pub dispatches: u32,
    /// Turns in it.
    pub turns: u32,
    /// What it cost so far, in US dollars.
    pub cost_usd: f64,
    /// The last dispatch in it.
    pub last_job: JobId,
    /// When that was opened or ended.
    pub last_used: Timestamp,
}
