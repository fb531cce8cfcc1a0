//! The daemon's life: lock, open the store, take in what was under way, bind, accept, and go when nobody needs it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::config::paths::StatePaths;
use crate::daemon::client::READY;
use crate::daemon::handshake::{self, Intent, WELCOME_BYTES};
use crate::daemon::hub::{ConnectionId, Hub};
use crate::daemon::place::{self, PlaceError};
use crate::daemon::{recover, session};
use crate::model::{Timestamp, with_causes};
use crate::store::{OpenError, ReadError, Store};

/// How long a daemon stays without connections, jobs or waiters.
pub const IDLE: Duration = Duration::from_secs(600);

/// File descriptors that the daemon asks for: a job that waits and its caller hold one each, and a call may dispatch hundreds.
const DESCRIPTORS_WANTED: u64 = 8192;

/// Those that are not for connections: the store's, the runtime's, and some to spare.
const DESCRIPTORS_KEPT: u64 = 124;

/// Connections that are kept for commands: whoever waits for a dispatch, or runs one, leaves them to those who want to know how
/// it is, or to stop it. Where there are few, a quarter of all.
const COMMANDS_KEPT: u32 = 64;

/// How long requests under way get to finish when the daemon stops.
const DRAIN: Duration = Duration::from_secs(2);

/// How often, and how often at most, a daemon that a front end has started asks for a lock that another one holds who does
/// not answer: four seconds in all, which is longer than going takes and shorter than the front end waits.
const LOCK_POLL: Duration = Duration::from_millis(5);
const LOCK_POLLS_MAX: u32 = 800;

/// How long that one may take to answer.
const ANSWER_BUDGET: Duration = Duration::from_millis(500);

/// How often the daemon looks whether its socket is still there: several times while a front end that does not find it waits
/// for a successor, which waits for our lock.
const SOCKET_LOOK: Duration = Duration::from_secs(1);

/// Everything a connection needs.
#[derive(Debug)]
pub struct Daemon {
    /// The store.
    pub store: Store,
    /// Who waits for whom.
    pub hub: Hub,
    /// Where things live.
    pub paths: StatePaths,
    /// When it started.
    pub started: Timestamp,
    /// Cancelled when the daemon is to go.
    pub stopping: CancellationToken,
    /// Its tasks.
    pub tasks: TaskTracker,
    /// Open connections.
    pub connections: AtomicU32,
    connections_max: u32,
    next_connection: AtomicU64,
    changed: Notify,
    why: Mutex<Option<String>>,
    /// Who asked the daemon to go: their connections close when it is gone.
    askers: Mutex<Vec<StdUnixStream>>,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to say that it is ready, or what stands in its way.
    pub ready: Option<PathBuf>,
    /// How long to stay when nobody needs it.
    pub idle: Duration,
}

/// Why a daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The state directory cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Another daemon has it.
    #[error("another daemon is running for `{}`{}", path.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Running {
        /// The state directory.
        path: PathBuf,
        /// Its process id, if it has noted it.
        pid: Option<u32>,
    },
    /// A file or the socket fails.
    #[error("`{path}` cannot be used")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// What was under way cannot be read.
    #[error("the jobs that were under way cannot be read")]
    Unread(#[from] ReadError),
}

/// Runs the daemon until it is told to go, nobody needs it, or its store fails. Returns why it went.
///
/// Call it before any thread exists: the system-call filter of the store holds for threads that come after it.
pub fn run(paths: &StatePaths, options: &Options) -> Result<String, ServeError> {
    let outcome = open(paths, options.ready.is_some()).and_then(|(lock, store)| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| ServeError::Io { path: paths.root.clone(), source })?;
        let (why, askers) = runtime.block_on(serve(paths, options, store))?;
        runtime.shutdown_timeout(Duration::from_millis(200));
        drop(lock);
        drop(askers);
        Ok(why)
    });
    if let Err(error) = &outcome {
        tell(options.ready.as_deref(), &with_causes(error));
    }
    outcome
}

fn open(paths: &StatePaths, wait: bool) -> Result<(File, Store), ServeError> {
    place::prepare(paths)?;
    let path = paths.daemon_lock();
    let io = |source| ServeError::Io { path: path.clone(), source };
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(io)?;
    // Started because none answered: then whoever has the lock is on its way out, or on its way in.
    let mut polls_left = if wait { LOCK_POLLS_MAX } else { 0 };
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if polls_left == 0 || answers(&paths.socket) => {
                let pid = place::noted_daemon(paths).map(|(pid, _)| pid);
                return Err(ServeError::Running { path: paths.root.clone(), pid });
            }
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_POLL),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        polls_left -= 1;
    }
    place::note_daemon(paths).map_err(io)?;
    let store = Store::open(&paths.store(), &paths.heads())?;
    Ok((lock, store))
}

/// Returns whether a daemon answers on this socket. One that is dying may still be connected to.
fn answers(socket: &Path) -> bool {
    let welcome = || {
        let mut stream = StdUnixStream::connect(socket)?;
        stream.set_read_timeout(Some(ANSWER_BUDGET))?;
        stream.write_all(&handshake::hello(Intent::Talk, std::process::id()))?;
        let mut bytes = [0; WELCOME_BYTES];
        stream.read_exact(&mut bytes)
    };
    welcome().is_ok()
}

async fn serve(
    paths: &StatePaths,
    options: &Options,
    store: Store,
) -> Result<(String, Vec<StdUnixStream>), ServeError> {
    let failed = store.failure();
    for note in store.notes() {
        warn!("{note}");
    }
    let daemon = Arc::new(Daemon::new(paths, store));
    let stopping = daemon.stopping.clone();
    recover::take_in(&daemon)?;
    let mut door = Door::open(&paths.socket)?;
    info!(pid = std::process::id(), version = env!("CARGO_PKG_VERSION"), "started");
    tell(options.ready.as_deref(), READY);
    let why = tokio::select! {
        why = accept(&daemon, &mut door) => why,
        why = daemon.idle(options.idle) => why,
        why = signalled() => why,
        () = stopping.cancelled() => daemon.reason(),
        failure = async { match failed { Some(failed) => failed.await, None => std::future::pending().await } } => {
            format!("the store failed: {}", failure.unwrap_or_else(|_| "its writer is gone".to_owned()))
        }
    };
    // The name goes first: whoever comes now starts a successor, which waits for our lock.
    let _gone_already = std::fs::remove_file(&paths.socket);
    drop(door);
    daemon.stopping.cancel();
    daemon.tasks.close();
    let _late = tokio::time::timeout(DRAIN, daemon.tasks.wait()).await;
    daemon.store.stop();
    info!(reason = why, "stopped");
    let askers = std::mem::take(&mut *daemon.askers.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((why, askers))
}

/// The socket, and what tells its file from another one in its place.
struct Door {
    listener: UnixListener,
    file: Option<(u64, u64)>,
}

impl Door {
    /// Binds the socket. Only the holder of the daemon's lock gets here, so whatever lies in its place is stale.
    fn open(socket: &Path) -> Result<Self, ServeError> {
        let io = |source| ServeError::Io { path: socket.to_owned(), source };
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(socket).map_err(io)?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        Ok(Self { listener, file: file_at(socket) })
    }

    /// Binds the socket again when it is no longer where it was: runtime directories are cleaned, and a daemon that holds
    /// its lock and cannot be found would keep everybody from the store.
    fn keep(&mut self, paths: &StatePaths) -> Result<(), ServeError> {
        if file_at(&paths.socket) == self.file {
            return Ok(());
        }
        place::prepare(paths)?;
        *self = Self::open(&paths.socket)?;
        warn!(socket = %paths.socket.display(), "the socket was gone; it is there again");
        Ok(())
    }
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

async fn accept(daemon: &Arc<Daemon>, door: &mut Door) -> String {
    let mut look = tokio::time::interval(SOCKET_LOOK);
    loop {
        let accepted = tokio::select! {
            // Cancel-safe: a connection is either returned or still in the backlog.
            accepted = door.listener.accept() => accepted,
            // Cancel-safe: a tick that was not taken is still due.
            _ = look.tick() => match door.keep(&daemon.paths) {
                Ok(()) => continue,
                Err(error) => return format!("its socket is gone: {}", with_causes(&error)),
            },
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: wait for connections to close instead of spinning.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if trusted(&stream) && daemon.connections.load(Ordering::Relaxed) < daemon.connections_max {
            daemon.accepted(stream);
        } else {
            warn!("a connection was refused: another user's, or one too many");
        }
    }
}

/// Returns how many connections there may be at the same time, after asking for as many descriptors as are wanted.
fn connections_max() -> u32 {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX).min(DESCRIPTORS_WANTED);
    let now = limit.current.unwrap_or(u64::MAX);
    let raised = now < allowed
        && setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum: limit.maximum }).is_ok();
    let descriptors = if raised { allowed } else { now.min(DESCRIPTORS_WANTED) };
    u32::try_from(descriptors.saturating_sub(DESCRIPTORS_KEPT)).unwrap_or(u32::MAX)
}

fn trusted(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

async fn signalled() -> String {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM".to_owned(),
        _ = interrupt.recv() => "SIGINT".to_owned(),
    }
}

impl Daemon {
    /// Returns a daemon that knows of no job yet and that nobody can reach.
    pub(super) fn new(paths: &StatePaths, store: Store) -> Self {
        let starts_max = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            store,
            hub: Hub::new(starts_max),
            paths: paths.clone(),
            started: Timestamp::now(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            connections: AtomicU32::new(0),
            connections_max: connections_max(),
            next_connection: AtomicU64::new(0),
            changed: Notify::new(),
            why: Mutex::new(None),
            askers: Mutex::new(Vec::new()),
        }
    }

    /// Serves a connection for as long as it lasts.
    pub(super) fn accepted(self: &Arc<Self>, stream: UnixStream) {
        let seat = Seat::take(self);
        self.tasks.spawn(async move { session::hold(&seat.daemon, stream, seat.number).await });
    }

    /// Something changed that may begin or end the time in which nobody needs the daemon.
    pub fn touch(&self) {
        self.changed.notify_one();
    }

    /// Returns how many more may connect to wait for a dispatch, or to run one.
    pub(super) fn spare_connections(&self) -> usize {
        let kept = COMMANDS_KEPT.min(self.connections_max / 4);
        let taken = self.connections.load(Ordering::Relaxed).saturating_add(kept);
        self.connections_max.saturating_sub(taken) as usize
    }

    /// Makes the daemon go.
    pub fn stop(&self, why: &str) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
        self.stopping.cancel();
    }

    /// Makes the daemon go, and keeps the connection of whoever asked for it open until it is gone.
    pub(super) fn stop_for(&self, asker: UnixStream) {
        if let Ok(asker) = asker.into_std() {
            self.askers.lock().unwrap_or_else(PoisonError::into_inner).push(asker);
        }
        self.stop("asked to stop");
    }

    fn reason(&self) -> String {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        why.unwrap_or_else(|| "told to stop".to_owned())
    }

    fn is_needed(&self) -> bool {
        self.connections.load(Ordering::Relaxed) > 0 || self.hub.counts().0 > 0
    }

    async fn idle(&self, most: Duration) -> String {
        loop {
            let deadline = (!self.is_needed()).then(|| Instant::now() + most);
            tokio::select! {
                // Whatever changed, the time begins anew.
                () = self.changed.notified() => {}
                () = async { match deadline { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {
                    if !self.is_needed() {
                        return format!("nobody needed it for {} s", most.as_secs());
                    }
                }
            }
        }
    }
}

/// A connection, which counts for as long as this is held: whatever ends it, also a panic, it has left then.
pub(super) struct Seat {
    daemon: Arc<Daemon>,
    pub(super) number: ConnectionId,
}

impl Seat {
    pub(super) fn take(daemon: &Arc<Daemon>) -> Self {
        daemon.connections.fetch_add(1, Ordering::Relaxed);
        daemon.touch();
        let number = daemon.next_connection.fetch_add(1, Ordering::Relaxed);
        Self { daemon: Arc::clone(daemon), number }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.daemon.connections.fetch_sub(1, Ordering::Relaxed);
        session::left(&self.daemon, self.number);
        self.daemon.touch();
    }
}

/// Says a word to whoever started the daemon. That it cannot hear is its own matter.
fn tell(ready: Option<&Path>, word: &str) {
    if let (Some(path), Ok(socket)) = (ready, UnixDatagram::unbound()) {
        let _nobody_listens = socket.send_to(word.as_bytes(), path);
    }
}
