//! Several dispatches at once: all are opened, each comes out by itself, and the order of asking is kept.

use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::daemon::protocol::ProgressView;
use crate::dispatch::{Awaited, DispatchError, Dispatched, Frontend, Patience};
use crate::model::{Asker, DispatchRequest};

/// How one of several came out.
pub type Outcome = Result<Dispatched, DispatchError>;

/// How several dispatches stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// How many have come out.
    pub done: usize,
    /// How many there are.
    pub total: usize,
    /// The last step: by which of them, and what it was.
    pub step: Option<(usize, ProgressView)>,
}

/// Called whenever several dispatches stand differently.
type OnStanding<'a> = dyn FnMut(&Standing) + Send + 'a;

/// Most dispatches of one call.
pub const fn items_max(config: &Config) -> usize {
    let by_places = 20 * config.settings.max_concurrency as usize;
    if by_places > 100 { by_places } else { 100 }
}

impl Frontend {
    /// Dispatches all of these at once, for as long as the patience lasts; what goes on by then goes on by itself. The failure
    /// of one, a refusal included, is its own. When `cancelled` resolves, all are stopped.
    pub async fn parallel(
        &self,
        requests: &[DispatchRequest],
        client: impl Into<Asker>,
        awaited: impl Into<Awaited>,
        on_standing: &mut OnStanding<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<Vec<Outcome>, DispatchError> {
        let (config, client) = (self.config()?, &client.into());
        let Awaited { patience, portion } = awaited.into();
        // All of them wait in the daemon's queue, which alone says what runs. Only beyond what fills it twice over are
        // they held back here, so that one call does not take all of the daemon's connections.
        let room = Semaphore::new((2 * config.settings.max_concurrency as usize).max(100));
        let began = Instant::now();
        let standing = Standing { total: requests.len(), ..Standing::default() };
        let shared = Mutex::new((standing, on_standing));
        let tell = |change: &dyn Fn(&mut Standing)| {
            // A panic under this lock leaves plain numbers behind.
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let (standing, on_standing) = &mut *shared;
            change(standing);
            on_standing(standing);
        };
        let stop = CancellationToken::new();
        let one = async |number: usize, request: &DispatchRequest| {
            let _place = room.acquire().await;
            if stop.is_cancelled() {
                return Err(DispatchError::Cancelled);
            }
            let mut step = |_, view: &ProgressView| {
                tell(&|standing| standing.step = Some((number, view.clone())));
            };
            let awaited = Awaited { patience: patience.left(began), portion };
            let outcome = self.dispatch(request, client, awaited, &mut step, stop.cancelled()).await;
            tell(&|standing| {
                standing.done += 1;
                standing.step = standing.step.take().filter(|(of, _)| *of != number);
            });
            outcome
        };
        let all =
            join_all(requests.iter().enumerate().map(|(number, request)| Box::pin(one(number, request))));
        let mut all = std::pin::pin!(all);
        tokio::select! {
            outcomes = &mut all => return Ok(outcomes),
            () = cancelled => stop.cancel(),
        }
        // Each takes its own back, and sees to it that it is heard.
        drop(all.await);
        Err(DispatchError::Cancelled)
    }
}

impl Patience {
    /// Returns what is left of it since `began`.
    pub fn left(self, began: Instant) -> Self {
        match self {
            Self::AtMost(most) => Self::AtMost(most.saturating_sub(began.elapsed())),
            Self::ToTheEnd | Self::None => self,
        }
    }
}
