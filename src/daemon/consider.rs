//! What a dispatch would come to, for those who ask before they pay.

use std::sync::Arc;

use crate::daemon::protocol::{Outlook, WireFault};
use crate::daemon::review::apart;
use crate::daemon::session::{Talk, fault};
use crate::job::OpenRequest;
use crate::store::admit;

impl Talk<'_> {
    /// Considers a dispatch. The decision is made by the writer, like a real one, and changes nothing.
    pub(super) async fn consider(&self, request: OpenRequest) -> Result<Outlook, WireFault> {
        let daemon = self.daemon;
        let crowd = daemon.hub.crowd(request.caller.depth, &request.agent);
        let agent = request.agent.clone();
        let typical = apart(daemon.store.clone(), move |store| store.typical(&agent)).await?;
        let guard = Arc::clone(daemon);
        let considered = daemon.store.commit(move |txn| {
            admit::consider(txn, &request, &|line, running| guard.hub.may_join(line, running))
        });
        let (verdict, caps) = considered.await.map_err(fault)?;
        Ok(Outlook { verdict, caps, crowd, typical })
    }
}
