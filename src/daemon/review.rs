//! Questions about the audit trail: answered on threads of their own, a part at a time, and waited for if need be.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::audit::query::{Page, Place, Search};
use crate::audit::typical::Typical;
use crate::daemon::protocol::{Reply, Request, WireFault};
use crate::daemon::session::Talk;
use crate::daemon::upkeep::aside;
use crate::daemon::wire::WireError;
use crate::store::{ReadError, Store};

/// How long one request may wait for a record; who wants more asks again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Most agents of one question: more than anybody configures.
const AGENTS_MAX: usize = 1000;

impl Talk<'_> {
    /// Answers a part of a search. Nothing when the caller has gone.
    pub(super) async fn search(&mut self, mut search: Search) -> Result<Option<Reply>, WireError> {
        let deadline = Instant::now() + Duration::from_millis(search.wait_ms).min(WAIT_MAX);
        let mut appended = self.daemon.store.appended();
        loop {
            // Before it is looked: what comes after that is not missed.
            appended.borrow_and_update();
            let asked = search.clone();
            let found = apart(self.daemon.store.clone(), move |store| store.search(&asked)).await;
            let page: Page = match found {
                Ok(page) => page,
                Err(fault) => return Ok(Some(Reply::Fault(fault))),
            };
            if search.wait_ms == 0 || !page.entries.is_empty() || page.next.is_some() {
                return Ok(Some(Reply::Page(page)));
            }
            search.from = Place::After(page.head);
            tokio::select! {
                // Cancel-safe: a change that was not taken is seen by the next `changed`.
                changed = appended.changed() => if changed.is_err() {
                    return Ok(Some(Reply::Page(page)));
                },
                () = sleep_until(deadline) => return Ok(Some(Reply::Page(page))),
                // Cancel-safe: see `Connection::receive`.
                said = self.connection.receive::<Request>() => match said {
                    Ok(Some(_)) => return Ok(Some(Reply::Fault(WireFault::Unsupported))),
                    Ok(None) => return Ok(None),
                    Err(error) => return Err(error),
                },
                () = self.daemon.stopping.cancelled() => return Ok(None),
            }
        }
    }
}

/// Returns what dispatches to these agents usually take.
pub(super) fn typical(store: &Store, agents: Vec<String>) -> Result<BTreeMap<String, Typical>, ReadError> {
    let mut known = BTreeMap::new();
    for agent in agents.into_iter().take(AGENTS_MAX) {
        let typical = store.typical(&agent)?;
        known.extend(typical.map(|typical| (agent, typical)));
    }
    Ok(known)
}

/// Reads much, not on the thread that serves everybody else.
pub(super) async fn apart<T: Send + 'static>(
    store: Store,
    read: impl FnOnce(&Store) -> Result<T, ReadError> + Send + 'static,
) -> Result<T, WireFault> {
    aside(move || read(&store)).await
}
