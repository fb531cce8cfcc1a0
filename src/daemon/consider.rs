//! What a dispatch would come to, for those who ask before they pay.

use std::sync::Arc;

use crate::audit::typical::{Sample, Typical};
use crate::daemon::protocol::{Outlook, WireFault};
use crate::daemon::session::{Talk, fault};
use crate::job::{JobFilter, OpenRequest, State};
use crate::store::admit;

/// How many dispatches to an agent say what is usual: the last ones.
const SAMPLES: u32 = 50;

impl Talk<'_> {
    /// Considers a dispatch. The decision is made by the writer, like a real one, and changes nothing.
    pub(super) async fn consider(&self, request: OpenRequest) -> Result<Outlook, WireFault> {
        let daemon = self.daemon;
        let crowd = daemon.hub.crowd(request.caller.depth, &request.agent);
        let finished = JobFilter {
            states: vec![State::Done, State::Failed],
            agent: Some(request.agent.clone()),
            limit: SAMPLES,
        };
        let finished = daemon.store.jobs(&finished).map_err(|error| WireFault::Store(error.to_string()))?;
        let typical = Typical::of(finished.iter().filter_map(|job| job.result.as_ref()).map(Sample::of));
        let guard = Arc::clone(daemon);
        let considered = daemon.store.commit(move |txn| {
            admit::consider(txn, &request, &|line, running| guard.hub.may_join(line, running))
        });
        let (verdict, caps) = considered.await.map_err(fault)?;
        Ok(Outlook { verdict, caps, crowd, typical })
    }
}
