//! What to say, and where the chain goes on, when the store that was opened is not the one that was left.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::audit::Code;
use crate::audit::chain::Head;
use crate::store::head::{Comparison, LAG_MAX};

/// What was found at the opening.
#[derive(Debug)]
pub(super) struct Found {
    /// How the store's end stands to the one that the head file remembers.
    pub(super) comparison: Comparison,
    /// The store's end.
    pub(super) stored: Head,
    /// The end that the head file remembers.
    pub(super) outside: Option<Head>,
    /// The store's end when it was last closed in an orderly way.
    pub(super) closed: Option<Head>,
    /// Whether there was no head file: what it knew is lost.
    pub(super) forgotten: bool,
    /// Where a store that could not be opened was set aside.
    pub(super) quarantined: Option<PathBuf>,
}

/// A record to append before anything else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) code: Code,
    pub(super) reason: String,
    pub(super) details: BTreeMap<String, String>,
}

impl Found {
    /// Returns the head after which the chain goes on, and the record of what is missing.
    ///
    /// After a loss the chain goes on from the *remembered* end: the numbers in between stay visibly missing, and no
    /// number is ever given twice.
    pub(super) fn judge(self) -> (Head, Option<Gap>) {
        let (start, lost) = match self.comparison {
            Comparison::Same => (self.stored, None),
            Comparison::Ahead => (self.stored, self.put_back()),
            Comparison::Lost { stored, outside } => {
                let reason = format!(
                    "records {} to {} are missing: the store ends before the last record that the head file knows",
                    stored.seq + 1,
                    outside.seq
                );
                (outside, Some((reason, outside)))
            }
            Comparison::Different { found, outside } => {
                let what = if found.is_some() { "another record than" } else { "no record where" };
                let reason =
                    format!("the store has {what} the head file remembers as number {}", outside.seq);
                (self.stored, Some((reason, outside)))
            }
        };
        let code = if self.quarantined.is_some() { Code::Quarantined } else { Code::Gap };
        let mut details = BTreeMap::new();
        let mut reasons = Vec::new();
        if let Some(path) = &self.quarantined {
            reasons.push(format!("the store could not be opened and was set aside as {}", path.display()));
            details.insert("set_aside".to_owned(), path.display().to_string());
        }
        if self.forgotten && self.stored.seq > 0 {
            reasons.push(format!(
                "the head file is gone: whether records after number {} are missing cannot be told",
                self.stored.seq
            ));
        }
        if let Some((reason, outside)) = lost {
            reasons.push(reason);
            details.insert("stored_seq".to_owned(), self.stored.seq.to_string());
            details.insert("stored_hash".to_owned(), self.stored.hash.to_string());
            details.insert("remembered_seq".to_owned(), outside.seq.to_string());
            details.insert("remembered_hash".to_owned(), outside.hash.to_string());
        }
        let gap = (!reasons.is_empty()).then(|| Gap { code, reason: reasons.join("; "), details });
        (start, gap)
    }

    /// Returns what is to be said of a head file that is further behind than a crash leaves it.
    fn put_back(&self) -> Option<(String, Head)> {
        if self.forgotten {
            return None;
        }
        let outside = self.outside.unwrap_or(Head::EMPTY);
        let is_late =
            self.closed == Some(self.stored) || self.stored.seq.saturating_sub(outside.seq) > LAG_MAX;
        is_late.then(|| {
            let reason = format!(
                "the head file ends with number {}, the store with {}: the file was put back, cut off or changed",
                outside.seq, self.stored.seq
            );
            (reason, outside)
        })
    }
}

#[cfg(test)]
mod tests;
