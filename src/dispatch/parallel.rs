//! Several dispatches at once: all are opened, each comes out by itself, and the order of asking is kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::daemon::protocol::ProgressView;
use crate::dispatch::wait::LEAVE_BUDGET;
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
    /// The last step of each that goes on, by its number; the newest stands last.
    pub steps: Vec<(usize, ProgressView)>,
}

impl Standing {
    /// Takes a step.
    pub(super) fn steps(&mut self, number: usize, view: &ProgressView) {
        self.leaves(number);
        self.steps.push((number, view.clone()));
    }

    /// Forgets the steps of one that goes on no more.
    pub(super) fn leaves(&mut self, number: usize) {
        self.steps.retain(|(of, _)| *of != number);
    }
}

/// Called whenever several dispatches stand differently.
pub type OnStanding<'a> = dyn FnMut(&Standing) + Send + 'a;

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
        let (room, began) = (Room::new(&config), Instant::now());
        let standing = Standing { total: requests.len(), ..Standing::default() };
        let shared = Mutex::new((standing, on_standing));
        let tell = |change: &dyn Fn(&mut Standing)| {
            // A panic under this lock leaves plain numbers behind.
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let (standing, on_standing) = &mut *shared;
            change(standing);
            on_standing(standing);
        };
        let stops: Vec<_> = requests.iter().map(|_| CancellationToken::new()).collect();
        let one = async |number: usize, request: &DispatchRequest, stop: &CancellationToken| {
            // In the order of asking: who has to let others run first comes back behind those who asked later.
            let place = unconstrained(async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => Err(DispatchError::Cancelled),
                    place = room.place(patience, began) => Ok(place),
                }
            })
            .await?;
            let mut step = |_, view: &ProgressView| {
                tell(&|standing| standing.steps(number, view));
            };
            let outcome = match place {
                Some((patience, _place)) => {
                    let awaited = Awaited { patience, portion };
                    self.dispatch(request, client, awaited, &mut step, stop.cancelled()).await
                }
                None => Err(DispatchError::NotStarted),
            };
            tell(&|standing| {
                standing.done += 1;
                standing.leaves(number);
            });
            outcome
        };
        let numbered = requests.iter().zip(&stops).enumerate();
        let mut all: FuturesUnordered<_> = numbered
            .map(|(number, (request, stop))| {
                Box::pin(async move { (number, one(number, request, stop).await) })
            })
            .collect();
        let mut outcomes = BTreeMap::new();
        let mut cancelled = std::pin::pin!(cancelled);
        loop {
            tokio::select! {
                outcome = all.next() => match outcome {
                    Some((number, outcome)) => drop(outcomes.insert(number, outcome)),
                    None => return Ok(outcomes.into_values().collect()),
                },
                () = &mut cancelled => break,
            }
        }
        // Each takes its own back, and sees to it that it is heard. The last first: it may wait for a place, and must not get
        // that of one which is stopped before it.
        let one_by_one = async {
            for (number, stop) in stops.iter().enumerate().rev() {
                stop.cancel();
                while !outcomes.contains_key(&number)
                    && let Some((number, outcome)) = all.next().await
                {
                    drop(outcomes.insert(number, outcome));
                }
            }
        };
        drop(timeout(LEAVE_BUDGET, one_by_one).await);
        stops.iter().for_each(CancellationToken::cancel);
        while all.next().await.is_some() {}
        Err(DispatchError::Cancelled)
    }
}

/// How many of one call are before the daemon at the same time, so that it does not take all of its connections.
struct Room {
    /// Those that are waited for. They wait in the daemon's queue, which alone says what runs: this is what fills it
    /// twice over.
    waiting: Semaphore,
    /// Those that are only opened when time runs short, and then run by themselves: enough to keep the daemon busy.
    passing: Semaphore,
}

impl Room {
    fn new(config: &Config) -> Self {
        let waiting = (2 * config.settings.max_concurrency as usize).max(100);
        Self { waiting: Semaphore::new(waiting), passing: Semaphore::new(16) }
    }

    /// Waits for a place, and returns it with the patience that is left; nothing when it is over. Its last quarter is for
    /// opening what has found no place until then: what is not waited for must be under way before the caller is told so.
    async fn place(&self, patience: Patience, began: Instant) -> Option<(Patience, SemaphorePermit<'_>)> {
        let (short, over) = match patience {
            Patience::AtMost(most) => (began.checked_add(most * 3 / 4), began.checked_add(most)),
            Patience::ToTheEnd | Patience::None => (None, None),
        };
        // The semaphores are never closed. A place that is free is taken whatever the time.
        tokio::select! {
            biased;
            place = self.waiting.acquire() => return Some((patience.left(began), place.ok()?)),
            () = until(short) => {}
        }
        tokio::select! {
            biased;
            () = until(over) => None,
            place = self.passing.acquire() => Some((Patience::None, place.ok()?)),
        }
    }
}

/// Waits until then; for ever if there is no such time.
pub(super) async fn until(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => std::future::pending().await,
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

    /// Returns so many times as much of it.
    pub fn times(self, count: usize) -> Self {
        match self {
            Self::AtMost(most) => Self::AtMost(most.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))),
            Self::ToTheEnd | Self::None => self,
        }
    }

    /// Returns whether there is nothing left of it.
    pub const fn is_over(self) -> bool {
        match self {
            Self::AtMost(most) => most.is_zero(),
            Self::ToTheEnd => false,
            Self::None => true,
        }
    }
}
