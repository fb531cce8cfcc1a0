//! Which records are asked for, and how one is given.

use serde::{Deserialize, Serialize};

use crate::audit::chain::Head;
use crate::model::{JobId, Timestamp};

/// Which audit records to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Only records of this agent.
    pub agent: Option<String>,
    /// Only records of this dispatch.
    pub dispatch: Option<JobId>,
    /// Only records not older than this.
    pub since: Option<Timestamp>,
    /// At most this many, the newest.
    pub limit: u32,
}

/// One audit record in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number and hash.
    pub head: Head,
    /// The record, as JSON text.
    pub body: String,
}
