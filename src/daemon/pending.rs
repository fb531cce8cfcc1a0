//! What is news of a job to one caller that waits for it.

use tokio::sync::watch;

use crate::daemon::hub::Signal;
use crate::daemon::protocol::ProgressView;
use crate::model::JobId;

/// A job for which a caller waits.
pub(super) struct Pending {
    pub(super) job: JobId,
    pub(super) signal: watch::Receiver<Signal>,
    /// The last step that was told.
    told: u64,
}

impl Pending {
    /// What the job did before is told at once.
    pub(super) fn new(job: JobId, mut signal: watch::Receiver<Signal>) -> Self {
        if signal.borrow().has_steps() {
            signal.mark_changed();
        }
        Self { job, signal, told: 0 }
    }

    /// Returns the steps that were not told yet, and whether the job has ended.
    pub(super) fn news(&mut self) -> (Vec<ProgressView>, bool) {
        let (steps, ended) = {
            let now = self.signal.borrow_and_update();
            (now.after(self.told), now.ended)
        };
        self.told = steps.last().map_or(self.told, |step| step.number);
        // The sender of a job that has ended is gone, and its last word said so.
        (steps, ended || self.signal.has_changed().is_err())
    }
}
