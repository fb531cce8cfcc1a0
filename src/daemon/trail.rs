//! Taking the audit trail elsewhere: pages of it for an export, and pages that an import brings.

use std::sync::Arc;

use crate::daemon::protocol::WireFault;
use crate::daemon::protocol::trail::{Asked, Told};
use crate::daemon::serve::Daemon;
use crate::daemon::session::fault;
use crate::daemon::upkeep::aside;
use crate::store::import;

/// Answers a question about the trail as a whole.
pub(super) async fn answer(daemon: &Arc<Daemon>, asked: Asked) -> Result<Told, WireFault> {
    let reader = daemon.store.reader();
    match asked {
        Asked::Page(from, limit) => aside(move || reader.page(from, limit)).await.map(Told::Page),
        Asked::Since(time) => aside(move || reader.first_since(time)).await.map(Told::Number),
        Asked::Origin => aside(move || Ok(Told::Origin(reader.imported()?, reader.head()?))).await,
        Asked::Import(imported) => {
            let begun = daemon.store.commit(move |txn| import::begin(txn, &imported)).await;
            begun.map(Told::Number).map_err(fault)
        }
        Asked::TakeIn(links) => {
            let taken = daemon.store.commit(move |txn| import::take_in(txn, &links)).await;
            taken.map(Told::Number).map_err(fault)
        }
    }
}
