//! The one writer: a thread that gathers what waits into one atomic batch, flushes it once, and then answers everybody.
//!
//! While one group is on its way to the disk the next one gathers, so the more callers there are, the fewer flushes each
//! of them costs. An error of the engine is final: it stays failed until the process ends, so nothing is written after.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::AuditKey;
use crate::audit::chain::Head;
use crate::model::Timestamp;
use crate::store::database::{Database, EngineError, Writes, panic_text};
use crate::store::head::HeadFile;
use crate::store::schema::{self, FORMAT};
use crate::store::txn::{Fault, Group, Txn};
use crate::store::{chunks, keys};

/// Most changes in a group: enough to share a flush, few enough that the first does not wait for the last.
const GROUP_CHANGES_MAX: usize = 256;

/// Size at which a group is closed: what one flush may carry when the fsync filter is not in force.
const GROUP_BYTES_MAX: usize = 128 * 1024;

/// Changes that may wait: a few groups, so that the thread never idles while a client is being woken. Beyond it
/// `commit` waits for a place and `note` gives up. The channel is tokio's, not std's: a full one must make tasks wait,
/// not the runtime's threads.
const QUEUE_CHANGES_MAX: usize = 1024;

/// How long notes may go unflushed while notes keep coming.
const NOTES_UNFLUSHED_MAX: Duration = Duration::from_secs(1);

/// Why a change is not on disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The change itself failed; nothing of it is stored, the store is well.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// The store cannot write any more. Whether the change is stored is not known; the process must end.
    #[error("{0}")]
    Engine(String),
    /// The committer was stopped before it came to the change.
    #[error("the store is being closed")]
    Stopped,
}

type Answer = Box<dyn FnOnce(Result<(), &str>) + Send>;

enum Request {
    Change {
        /// Runs the change; what it returns tells the caller how the group went.
        run: Box<dyn FnOnce(&mut Group) -> Answer + Send>,
        durable: bool,
    },
    /// Makes the thread look at `stopping`.
    Wake,
}

/// What handles and thread both know.
#[derive(Debug, Default)]
struct Fate {
    stopping: AtomicBool,
    failure: OnceLock<String>,
    /// Number of the last audit record on disk, for those who follow the trail.
    appended: watch::Sender<u64>,
}

impl Fate {
    /// Returns why a change got no answer.
    fn error(&self) -> CommitError {
        match self.failure.get() {
            Some(reason) => CommitError::Engine(reason.clone()),
            None if self.stopping.load(Ordering::SeqCst) => CommitError::Stopped,
            None => CommitError::Engine("the committer died".to_owned()),
        }
    }

    fn is_over(&self) -> bool {
        self.stopping.load(Ordering::SeqCst) || self.failure.get().is_some()
    }
}

/// A handle of the writer thread. When the last one is dropped, the thread finishes what waits and ends.
#[derive(Debug, Clone)]
pub struct Committer {
    queue: mpsc::Sender<Request>,
    fate: Arc<Fate>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Committer {
    /// Starts the thread. `head` is the end of the stored audit chain, `key` what its records are redacted with. `on_fatal` is
    /// called once, on that thread, when the store cannot write any more.
    pub fn start(
        database: Database,
        heads: HeadFile,
        head: Head,
        key: Arc<AuditKey>,
        on_fatal: Box<dyn FnOnce(String) + Send>,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_CHANGES_MAX);
        let fate = Arc::new(Fate::default());
        let mut writer = Writer {
            database,
            heads,
            head,
            key,
            waiting,
            fate: Arc::clone(&fate),
            on_fatal: Some(on_fatal),
            flushed: Instant::now(),
        };
        let started = std::thread::Builder::new().name("committer".to_owned()).spawn(move || writer.run());
        let thread =
            started.map_err(|error| fate.failure.set(format!("no thread for the committer: {error}")));
        Self { queue, fate, thread: Arc::new(Mutex::new(thread.ok())) }
    }

    /// Makes a change. Returns when it is on disk, with everything it may have seen, and the audit head is written. A
    /// caller that stops waiting does not undo it.
    pub async fn commit<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Txn<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, CommitError> {
        let (answer, answered) = oneshot::channel();
        let run = Box::new(move |group: &mut Group| -> Answer {
            let result = group.run(change);
            Box::new(move |committed: Result<(), &str>| {
                let told = match committed {
                    Ok(()) => result.map_err(CommitError::Refused),
                    Err(reason) => Err(CommitError::Engine(reason.to_owned())),
                };
                // Nobody is there to be told when the caller has stopped waiting.
                drop(answer.send(told));
            })
        });
        if self.fate.is_over() || self.queue.send(Request::Change { run, durable: true }).await.is_err() {
            return Err(self.fate.error());
        }
        answered.await.unwrap_or_else(|_| Err(self.fate.error()))
    }

    /// Makes a change that may be lost in a crash, without waiting for it. It is dropped when the queue is full: such
    /// changes are a courtesy (progress), and must hold up neither their sender nor a commit.
    pub fn note(&self, change: impl FnOnce(&mut Txn<'_>) -> Result<(), Fault> + Send + 'static) {
        let run = Box::new(move |group: &mut Group| -> Answer {
            if let Err(fault) = group.run(change) {
                tracing::debug!(%fault, "a note was not taken");
            }
            Box::new(|_| ())
        });
        if self.queue.try_send(Request::Change { run, durable: false }).is_err() {
            tracing::debug!("a note was dropped");
        }
    }

    /// Makes a change before anybody is served, who could read past it. Blocks until it is on disk or cannot be: then the store
    /// cannot write any more, and whoever writes next is told so.
    pub fn begin_with(&self, change: impl FnOnce(&mut Txn<'_>) -> Result<(), Fault> + Send + 'static) {
        let (answer, answered) = std::sync::mpsc::channel();
        let run = Box::new(move |group: &mut Group| -> Answer {
            if let Err(fault) = group.run(change) {
                tracing::warn!(%fault, "what was found at the start is not recorded");
            }
            Box::new(move |_| {
                let _is_awaited = answer.send(());
            })
        });
        if self.queue.try_send(Request::Change { run, durable: true }).is_ok() {
            let _dropped_unmade = answered.recv();
        }
    }

    /// Returns what changes whenever audit records have reached the disk.
    pub fn appended(&self) -> watch::Receiver<u64> {
        self.fate.appended.subscribe()
    }

    /// Finishes what waits, makes it durable, and ends the thread. Blocks until then; later changes are refused.
    pub fn stop(&self) {
        self.fate.stopping.store(true, Ordering::SeqCst);
        // With a full queue the thread is awake, and looks by itself.
        drop(self.queue.try_send(Request::Wake));
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(panic)) = thread.take().map(JoinHandle::join) {
            tracing::error!(panic = panic_text(&*panic), "the committer died");
        }
    }
}

/// The thread's own part.
struct Writer {
    database: Database,
    heads: HeadFile,
    head: Head,
    key: Arc<AuditKey>,
    waiting: mpsc::Receiver<Request>,
    fate: Arc<Fate>,
    on_fatal: Option<Box<dyn FnOnce(String) + Send>>,
    flushed: Instant,
}

impl Writer {
    fn run(&mut self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work())) {
            self.fail(&format!("the committer panicked: {}", panic_text(&*panic)));
        }
        // Whoever still waits learns from the closed channel, and from `fate` why.
        self.waiting.close();
        while self.waiting.try_recv().is_ok() {}
    }

    fn work(&mut self) {
        if let Some(found) = self.database.newer_format() {
            // Reading goes on, so this is not fatal: every change is refused with the reason.
            let refusal = EngineError::NewerFormat { found, known: FORMAT };
            drop(self.fate.failure.set(refusal.to_string()));
            return;
        }
        while !self.fate.is_over() {
            let Some(request) = self.waiting.blocking_recv() else { break };
            self.commit_group(request);
        }
        self.waiting.close();
        while self.fate.failure.get().is_none()
            && let Ok(request) = self.waiting.try_recv()
        {
            self.commit_group(request);
        }
        if self.fate.failure.get().is_none()
            && let Err(reason) = self.finish()
        {
            self.fail(&reason);
        }
    }

    /// Runs `first` and what waits behind it, commits it all, and answers.
    fn commit_group(&mut self, first: Request) {
        let mut group = Group::new(self.database.clone(), self.head, Timestamp::now(), Arc::clone(&self.key));
        let mut answers = Vec::new();
        let mut must_flush = false;
        let mut next = Some(first);
        while let Some(request) = next {
            if let Request::Change { run, durable } = request {
                answers.push(run(&mut group));
                must_flush |= durable;
            }
            let full = answers.len() >= GROUP_CHANGES_MAX || group.bytes() >= GROUP_BYTES_MAX;
            let closed = full || group.broken().is_some();
            next = if closed { None } else { self.waiting.try_recv().ok() };
        }
        match self.write(&group, must_flush) {
            Ok(()) => {
                if group.head() != self.head {
                    self.fate.appended.send_replace(group.head().seq);
                }
                self.head = group.head();
                for answer in answers {
                    answer(Ok(()));
                }
                if let Err(error) = group.clean_up() {
                    self.fail(&error.to_string());
                }
            }
            Err(reason) => {
                self.fail(&reason);
                for answer in answers {
                    answer(Err(&reason));
                }
            }
        }
    }

    /// Brings a group to the disk.
    fn write(&mut self, group: &Group, must_flush: bool) -> Result<(), String> {
        if let Some(error) = group.broken() {
            return Err(error.to_string());
        }
        if group.writes().is_empty() {
            return Ok(());
        }
        self.database.write(group.writes()).map_err(|error| error.to_string())?;
        let appended = group.head() != self.head;
        if must_flush || appended || self.flushed.elapsed() >= NOTES_UNFLUSHED_MAX {
            self.database.flush().map_err(|error| error.to_string())?;
            self.flushed = Instant::now();
        }
        if appended {
            self.heads.record(group.head(), group.now()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), String> {
        self.database.flush().map_err(|error| error.to_string())?;
        self.heads.sync().map_err(|error| error.to_string())?;
        // Last of all: from then on the head file is known to be complete.
        let closed = schema::encode(&self.head).map_err(|error| error.to_string())?;
        let closed = Some(chunks::inline(&closed));
        if self.head == Head::EMPTY || self.database.get_raw(keys::CLOSED).is_ok_and(|known| known == closed)
        {
            return Ok(());
        }
        self.database
            .write(&Writes::from([(keys::CLOSED.to_vec(), closed)]))
            .and_then(|()| self.database.flush())
            .map_err(|error| error.to_string())
    }

    fn fail(&mut self, reason: &str) {
        tracing::error!(reason, "the store cannot write any more");
        drop(self.fate.failure.set(reason.to_owned()));
        self.waiting.close();
        if let Some(on_fatal) = self.on_fatal.take() {
            on_fatal(reason.to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
