//! Which records are asked for, and what a check of all of them found.

use serde::{Deserialize, Serialize};

use crate::audit::chain::{Fault, Head};
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

/// What a check of the audit trail found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Records checked.
    pub records: u64,
    /// Number of the first one kept.
    pub first: u64,
    /// The last one.
    pub head: Head,
    /// The last one that the head file outside the store knows.
    pub outside: Option<Head>,
    /// What is wrong, the first bad record first; empty when the trail is whole.
    pub faults: Vec<Fault>,
    /// What is known of records that are missing, in words.
    pub notes: Vec<String>,
}
