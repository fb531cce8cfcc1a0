//! What front ends and the daemon say to each other about taking the audit trail elsewhere.

use serde::{Deserialize, Serialize};

use crate::audit::chain::{Head, Link};
use crate::model::Timestamp;
pub use crate::store::import::{Imported, Page};

/// What is asked. Variants are only ever added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// The records from this number on, at most so many, in the order of their numbers.
    Page(u64, u32),
    /// The number of the first record that is not older than this.
    Since(Timestamp),
    /// Whether the trail was imported, and from where.
    Origin,
    /// Prepare an empty store for this trail.
    Import(Imported),
    /// Take in the next records of it.
    TakeIn(Vec<Link>),
}

/// What is answered. Variants are only ever added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// Records.
    Page(Page),
    /// The number of a record: the first one asked for, or the next one to send.
    Number(u64),
    /// What was imported, if anything was, and the store's end.
    Origin(Option<Imported>, Head),
}
