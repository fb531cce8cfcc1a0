//! Checks of the audit trail: beside everything else that is served, told about while they go on, and recorded when they find
//! something.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::warn;

use crate::audit::chain::Head;
use crate::audit::verdict::VerifyReport;
use crate::daemon::protocol::{Reply, WireFault};
use crate::daemon::review::apart;
use crate::daemon::serve::Daemon;
use crate::daemon::session::Talk;
use crate::daemon::wire::WireError;
use crate::store::Steps;

/// How often it is told how far a check is.
const TOLD_EVERY: Duration = Duration::from_millis(200);

impl Talk<'_> {
    /// Checks the trail and tells meanwhile how far it is.
    pub(super) async fn check(&mut self, anchor: Option<Head>) -> Result<Reply, WireError> {
        let steps = Arc::new(Steps::default());
        let mut checked = std::pin::pin!(check(self.daemon, anchor, Arc::clone(&steps)));
        loop {
            tokio::select! {
                report = &mut checked => return Ok(report.map_or_else(Reply::Fault, Reply::Verified)),
                () = tokio::time::sleep(TOLD_EVERY) => {}
            }
            let [done, of] = [&steps.done, &steps.of].map(|count| count.load(Ordering::Relaxed));
            self.send(&Reply::Checking { done, of }).await?;
        }
    }
}

/// Checks the trail, from an anchor on if there is one. A fault is recorded.
async fn check(
    daemon: &Arc<Daemon>,
    anchor: Option<Head>,
    steps: Arc<Steps>,
) -> Result<VerifyReport, WireFault> {
    let witnessed = daemon.store.witnessed().await;
    let store = daemon.store.clone();
    // Reading a long trail takes seconds: not on the thread that serves everybody else.
    let report = apart(store, move |store| store.verify(anchor, witnessed, &steps)).await?;
    // That an anchor does not fit may be the anchor's own fault.
    let found = report.first_fault().filter(|fault| !fault.kind.is_of_anchor());
    if let Some(found) = found
        && let Err(error) = daemon.store.record_finding(*found).await
    {
        warn!(%error, "a fault of the audit trail could not be recorded");
    }
    Ok(report)
}
