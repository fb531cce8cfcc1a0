//! What is only true while it lasts: who waits for which job, which worker is connected, who holds a place.
//!
//! All of it is lost when the daemon goes, and found again when callers and workers come back. The lock is held for
//! moments only, never across an await.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::daemon::permits::{Crowd, Permits, Ticket};
use crate::daemon::protocol::{Order, ProgressView, STEPS_MAX};
use crate::job::{JobRecord, ProcessId};
use crate::model::{JobId, OnDisconnect, Timestamp};

/// Number of a connection, unique while the daemon lives.
pub type ConnectionId = u64;

/// Lines of progress kept of each job, and characters of each line.
const PROGRESS_LINES: usize = 20;
const PROGRESS_CHARS: usize = 300;

/// Who waits for whom, and who may run.
#[derive(Debug)]
pub struct Hub {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    live: BTreeMap<JobId, Live>,
    /// Jobs that have ended, and the connections of those who are still to be told.
    ended: BTreeMap<JobId, BTreeSet<ConnectionId>>,
    permits: Permits,
}

#[derive(Debug)]
struct Live {
    /// Connections of callers that wait.
    waiters: BTreeMap<ConnectionId, Waiter>,
    depth: u32,
    attached: bool,
    on_disconnect: OnDisconnect,
    worker: Option<Worker>,
    /// Whether somebody waits for the end of its worker's process.
    watched: bool,
    signal: watch::Sender<Signal>,
    /// When its lines were last kept, or it was taken in.
    kept: Timestamp,
    /// When it last took a step.
    stepped: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    /// Whether the job lives for this one, too; others only look on.
    attached: bool,
    /// The job inside which it runs.
    inside: Option<JobId>,
}

#[derive(Debug)]
struct Worker {
    connection: ConnectionId,
    process: ProcessId,
    orders: mpsc::Sender<Order>,
}

/// What a waiting caller is told.
#[derive(Debug, Default)]
pub struct Signal {
    /// The job's last steps, oldest first.
    steps: VecDeque<ProgressView>,
    /// Whether it has ended; its record says how.
    pub ended: bool,
}

/// An attached job that nobody waits for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abandoned {
    /// The job.
    pub job: JobId,
    /// What is to happen.
    pub on_disconnect: OnDisconnect,
}

impl Signal {
    /// Returns whether the job has taken a step.
    pub fn has_steps(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Returns the steps after this one.
    pub fn after(&self, number: u64) -> Vec<ProgressView> {
        self.steps.iter().filter(|step| step.number > number).cloned().collect()
    }

    /// Returns the job's last lines, oldest first.
    fn lines(&self) -> Vec<String> {
        let said = self.steps.iter().rev().filter(|step| !step.text.is_empty()).take(PROGRESS_LINES);
        let mut lines: Vec<_> =
            said.map(|step| crate::audit::redact::one_line(&step.text, PROGRESS_CHARS)).collect();
        lines.reverse();
        lines
    }
}

impl Hub {
    /// Returns a hub that lets `starts_max` runs start at the same instant.
    pub const fn new(starts_max: usize) -> Self {
        let permits = Permits::new(starts_max);
        Self { state: Mutex::new(State { live: BTreeMap::new(), ended: BTreeMap::new(), permits }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves plain maps behind, not a broken invariant.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a job that has not ended.
    pub fn enter(&self, job: &JobRecord) {
        self.enter_again(job, job.created, Vec::new());
    }

    /// Takes in a job that has not ended, and that had said these lines by `at`.
    pub fn enter_again(&self, job: &JobRecord, at: Timestamp, lines: Vec<String>) {
        // The numbers of its steps to come are higher: it counted these, too.
        let numbered = (1..).zip(lines);
        let steps = numbered.map(|(number, text)| ProgressView { number, text, ..ProgressView::default() });
        let mut state = self.state();
        state.live.entry(job.id).or_insert_with(|| Live {
            waiters: BTreeMap::new(),
            depth: job.caller.depth,
            attached: job.attached,
            on_disconnect: job.on_disconnect,
            worker: None,
            watched: false,
            signal: watch::channel(Signal { steps: steps.collect(), ended: false }).0,
            kept: job.created,
            stepped: at,
        });
    }

    /// Counts a connection among those that wait for a job, and returns where it hears of it; nothing when the job has
    /// ended. The job lives for those that `attach`. The others wait as well, which matters to [`Hub::may_join`].
    pub fn wait(
        &self,
        job: JobId,
        connection: ConnectionId,
        attach: bool,
        inside: Option<JobId>,
    ) -> Option<watch::Receiver<Signal>> {
        let mut state = self.state();
        let Some(live) = state.live.get_mut(&job) else {
            state.ended.entry(job).or_default().insert(connection);
            return None;
        };
        let attached = attach || live.waiters.get(&connection).is_some_and(|waiter| waiter.attached);
        live.waiters.insert(connection, Waiter { attached, inside });
        Some(live.signal.subscribe())
    }

    /// The connection no longer waits for the job. Returns the job when that leaves it to nobody.
    pub fn leave(&self, job: JobId, connection: ConnectionId) -> Option<Abandoned> {
        let mut state = self.state();
        let live = state.live.get_mut(&job)?;
        live.left_by(connection, job)
    }

    /// The connection is gone: it waits for nothing any more.
    pub fn disconnect(&self, connection: ConnectionId) -> Vec<Abandoned> {
        self.told(connection);
        let mut state = self.state();
        let left = state.live.iter_mut().filter_map(|(job, live)| live.left_by(connection, *job));
        left.collect()
    }

    /// Returns the job if nobody waits for it although it lives only for those who do.
    pub fn abandoned(&self, job: JobId) -> Option<Abandoned> {
        self.state().live.get(&job)?.abandoned(job)
    }

    /// The job lives on by itself.
    pub fn detach(&self, job: JobId) {
        if let Some(live) = self.state().live.get_mut(&job) {
            live.attached = false;
        }
    }

    /// Returns whether a caller that runs inside `line` (itself first, then its ancestors) may wait for `job`: not when
    /// that job is one of them, nor when it waits, over any number of steps, for one of them.
    pub fn may_join(&self, line: &[JobId], job: JobId) -> bool {
        let state = self.state();
        let mut reached = BTreeSet::from([job]);
        let mut to_visit = vec![job];
        while let Some(waiting) = to_visit.pop() {
            if line.contains(&waiting) {
                return false;
            }
            let waits_for = state
                .live
                .iter()
                .filter(|(_, live)| live.waiters.values().any(|it| it.inside == Some(waiting)));
            to_visit.extend(waits_for.map(|(next, _)| *next).filter(|next| reached.insert(*next)));
        }
        true
    }

    /// The job has ended: whoever waits is woken.
    pub fn end(&self, job: JobId) {
        let mut state = self.state();
        if let Some(live) = state.live.remove(&job) {
            if !live.waiters.is_empty() {
                state.ended.entry(job).or_default().extend(live.waiters.keys());
            }
            live.signal.send_modify(|signal| signal.ended = true);
        }
    }

    /// The connection has been told of the jobs that it waited for.
    pub fn told(&self, connection: ConnectionId) {
        self.state().ended.retain(|_, waiting| {
            waiting.remove(&connection);
            !waiting.is_empty()
        });
    }

    /// Returns whether somebody may still want the job: it lives, or has ended and not all who wait for it were told.
    pub fn is_wanted(&self, job: JobId) -> bool {
        let state = self.state();
        state.live.contains_key(&job) || state.ended.contains_key(&job)
    }

    /// A worker has connected for a job that has not ended: from then on the job is known, if it was not.
    pub fn connect_worker(
        &self,
        job: &JobRecord,
        connection: ConnectionId,
        process: ProcessId,
        orders: mpsc::Sender<Order>,
    ) {
        self.enter(job);
        if let Some(live) = self.state().live.get_mut(&job.id) {
            live.worker = Some(Worker { connection, process, orders });
        }
    }

    /// The worker's connection is gone, and with it its turn in the queue; its place is when the job has ended. Before that
    /// the run may go on without us, and keeps the place until its process is gone: returns whether somebody has to wait for
    /// that. (A start that does not come about gives its place back by itself.)
    pub fn disconnect_worker(&self, job: JobId, connection: ConnectionId) -> bool {
        let mut state = self.state();
        match state.live.get_mut(&job) {
            Some(live) if live.worker.as_ref().is_some_and(|worker| worker.connection == connection) => {
                live.worker = None;
                state.permits.withdraw(job);
                true
            }
            Some(_) => false,
            None => {
                state.permits.release(job);
                false
            }
        }
    }

    /// Returns the worker that is connected for the job.
    pub fn worker(&self, job: JobId) -> Option<ProcessId> {
        self.state().live.get(&job)?.worker.as_ref().map(|worker| worker.process)
    }

    /// Notes that somebody waits for the end of the process of the job's worker, or no longer does. Returns whether nobody (or
    /// somebody) did before: a worker that comes and goes again and again is waited for once.
    pub fn watch(&self, job: JobId, watched: bool) -> bool {
        let mut state = self.state();
        let live = state.live.get_mut(&job);
        live.is_some_and(|live| std::mem::replace(&mut live.watched, watched) != watched)
    }

    /// Tells the job's worker something. The queue holds more orders than a worker ever gets; a full one means that it
    /// no longer reads, and its connection is about to be found dead.
    pub fn order(&self, job: JobId, order: Order) {
        if let Some(worker) = self.state().live.get(&job).and_then(|live| live.worker.as_ref()) {
            let _full_or_gone = worker.orders.try_send(order);
        }
    }

    /// The job goes on. Returns its last lines when they should be kept (at most once a second).
    pub fn progress(
        &self,
        job: JobId,
        steps: Vec<ProgressView>,
        now: Timestamp,
    ) -> Option<(Timestamp, Vec<String>)> {
        let mut state = self.state();
        let live = state.live.get_mut(&job)?;
        live.signal.send_modify(|signal| {
            // What was told over a connection that broke is told again.
            let last = signal.steps.back().map_or(0, |step| step.number);
            signal.steps.extend(steps.into_iter().filter(|step| step.number > last));
            let excess = signal.steps.len().saturating_sub(STEPS_MAX);
            signal.steps.drain(..excess);
        });
        live.stepped = now;
        if now.millis_since(live.kept) < 1000 {
            return None;
        }
        live.kept = now;
        Some((now, live.signal.borrow().lines()))
    }

    /// Returns the last lines of progress of a job that lives, and when the last one came.
    pub fn progress_of(&self, job: JobId) -> Option<(Timestamp, Vec<String>)> {
        let state = self.state();
        let live = state.live.get(&job)?;
        let lines = live.signal.borrow().lines();
        Some((live.stepped, lines))
    }

    /// Puts a job into the queue.
    pub fn ask(&self, ticket: Ticket) {
        self.state().permits.ask(ticket);
    }

    /// Gives a place to a run that exists already; nothing when its job has ended.
    pub fn resume(&self, ticket: Ticket) {
        let mut state = self.state();
        if state.live.contains_key(&ticket.job) {
            state.permits.resume(ticket);
        }
    }

    /// Returns the next job that may run.
    pub fn grant(&self) -> Option<JobId> {
        self.state().permits.grant()
    }

    /// The job's start is over.
    pub fn started(&self, job: JobId) {
        self.state().permits.started(job);
    }

    /// The job neither waits nor runs any more.
    pub fn release(&self, job: JobId) {
        self.state().permits.release(job);
    }

    /// Returns how full the places at this depth are, and those of this agent.
    pub fn crowd(&self, depth: u32, agent: &str) -> Crowd {
        self.state().permits.crowd(depth, agent)
    }

    /// Returns how many jobs live at this depth, and how many at any depth whose worker is still to connect.
    pub fn under_way(&self, depth: u32) -> (usize, usize) {
        let state = self.state();
        let count = |counts: &dyn Fn(&Live) -> bool| state.live.values().filter(|live| counts(live)).count();
        (count(&|live| live.depth == depth), count(&|live| live.worker.is_none()))
    }

    /// Returns how many jobs live, and how many of them wait for a place.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.live.len(), state.permits.queued())
    }
}

impl Live {
    fn left_by(&mut self, connection: ConnectionId, job: JobId) -> Option<Abandoned> {
        // Whoever only looked on leaves nobody alone.
        self.waiters.remove(&connection).filter(|waiter| waiter.attached)?;
        self.abandoned(job)
    }

    fn abandoned(&self, job: JobId) -> Option<Abandoned> {
        let left = self.attached && !self.waiters.values().any(|waiter| waiter.attached);
        left.then_some(Abandoned { job, on_disconnect: self.on_disconnect })
    }
}

#[cfg(test)]
mod tests;
