//! The steps of a run that were not reported yet.

use std::collections::VecDeque;

use crate::answer::Progress;
use crate::daemon::protocol::{ProgressView, STEPS_MAX};

/// The newest steps since the last report, at most [`STEPS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// How many there were since the run began.
    count: u64,
    unreported: VecDeque<ProgressView>,
}

impl Steps {
    /// The run has begun. Said again, it is no news.
    pub(super) fn begin(&mut self) {
        if self.count == 0 {
            self.push(ProgressView::default());
        }
    }

    /// Takes a step.
    pub(super) fn take(&mut self, step: Progress) {
        let Progress { text, turns, cost_usd } = step;
        self.push(ProgressView { number: 0, text, turns, cost_usd });
    }

    fn push(&mut self, step: ProgressView) {
        self.count = self.count.saturating_add(1);
        if self.unreported.len() == STEPS_MAX {
            self.unreported.pop_front();
        }
        self.unreported.push_back(ProgressView { number: self.count, ..step });
    }

    /// Returns the steps that were not reported yet, oldest first.
    pub(super) fn unreported(&self) -> Vec<ProgressView> {
        self.unreported.iter().cloned().collect()
    }

    /// The steps up to this one have been reported.
    pub(super) fn reported(&mut self, number: u64) {
        self.unreported.retain(|step| step.number > number);
    }
}

#[cfg(test)]
mod tests;
