//! What a dispatch would come to, for those who ask before they pay.

use std::sync::Arc;

use crate::daemon::protocol::{Outlook, WireFault};
use crate::daemon::review::apart;
use crate::daemon::serve::Daemon;
use crate::daemon::session::{Talk, fault};
use crate::job::OpenRequest;
use crate::model::JobId;
use crate::store::admit::{self, Around};

/// Returns what a decision at this depth depends on, as it is now.
pub(super) fn around<'a>(
    daemon: &Daemon,
    depth: u32,
    may_join: &'a (dyn Fn(&[JobId], JobId) -> bool + 'a),
) -> Around<'a> {
    let (under_way, awaited) = daemon.hub.under_way(depth);
    Around { may_join, under_way, spare: daemon.spare_connections().saturating_sub(awaited) }
}

impl Talk<'_> {
    /// Considers a dispatch. The decision is made by the writer, like a real one, and changes nothing.
    pub(super) async fn consider(&self, request: OpenRequest) -> Result<Outlook, WireFault> {
        let daemon = self.daemon;
        let crowd = daemon.hub.crowd(request.caller.depth, &request.agent);
        let agent = request.agent.clone();
        let typical = apart(daemon.store.clone(), move |store| store.typical(&agent)).await?;
        let guard = Arc::clone(daemon);
        let considered = daemon.store.commit(move |txn| {
            let may_join = |line: &[JobId], running| guard.hub.may_join(line, running);
            admit::consider(txn, &request, &around(&guard, request.caller.depth, &may_join))
        });
        let (verdict, caps) = considered.await.map_err(fault)?;
        Ok(Outlook { verdict, caps, crowd, typical })
    }
}
