//! The way to the daemon: connect, and start it when it is not there.
//!
//! Every request may be sent again after a broken connection. Opening and recording carry an idempotency id, and are done once.
//! The others bring about a state of things that is there already the second time; a clean-up and a clearing of the cache then
//! find nothing more to remove, say so, and are on record twice.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixDatagram, UnixStream};
use tokio::time::{Instant, timeout};

use crate::config::paths::{Environment, StatePaths};
use crate::daemon::handshake::{self, Intent, WELCOME_BYTES};
use crate::daemon::place::{self, PlaceError};
use crate::daemon::protocol::{Reply, Request, WireFault};
use crate::daemon::wire::{Connection, FRAME_BYTES_MAX, WireError};
use crate::runner::{launch, process};

/// How long a daemon may take to start, and a front end to wait for another one's start.
pub const START_BUDGET: Duration = Duration::from_secs(10);

/// How long a daemon may take to answer an opening: on a machine that is busy, longer than one thinks.
const HELLO_BUDGET: Duration = Duration::from_secs(5);

/// How long a daemon that lives and has lost its socket may take to make it again.
const LOST_BUDGET: Duration = Duration::from_secs(2);

/// How often the lock of whoever starts the daemon is asked for.
const LOCK_POLL: Duration = Duration::from_millis(5);

/// Idle connections kept: more than a session ever uses at once.
const POOL_MAX: usize = 16;

/// How often a request is tried: a daemon that dies under every one of these is not going to live.
const TRIES: usize = 4;

/// Variables a daemon gets: what names its places and its clock, nothing of the session that happened to start it.
const DAEMON_VARIABLES: [&str; 9] = [
    "HOME",
    "PATH",
    "TZ",
    "LANG",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "AGENT_DISPATCH_STATE_DIR",
    "AGENT_DISPATCH_LOG",
    "AGENT_DISPATCH_IDLE_SECONDS",
];

/// A way to the daemon of one state directory.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    environment: Environment,
    idle: Mutex<Vec<Connection>>,
}

/// Why the daemon cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The state directory cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It did not start.
    #[error("the daemon did not start: {reason} (its log: `{}`)", log.display())]
    NotStarted {
        /// What it said, or that it said nothing.
        reason: String,
        /// Its log file.
        log: PathBuf,
    },
    /// It speaks another protocol.
    #[error("the running daemon (process {pid}) speaks protocol {theirs:?}, this program {ours:?}")]
    Version {
        /// Its process id.
        pid: u32,
        /// Versions it speaks.
        theirs: (u16, u16),
        /// Versions this program speaks.
        ours: (u16, u16),
    },
    /// It runs but does not answer.
    #[error("the daemon behind `{0}` does not answer")]
    Silent(PathBuf),
    /// The connection broke again and again.
    #[error("the daemon broke off")]
    Broken(#[source] WireError),
    /// What was asked is longer than a message may be. The daemon has not seen it.
    #[error("the request is {0} bytes long, more than the {FRAME_BYTES_MAX} that the daemon takes")]
    TooLong(usize),
    /// It answered something else than was asked.
    #[error("the daemon gave an answer that does not fit the question")]
    Confused,
    /// It cannot do what was asked.
    #[error(transparent)]
    Fault(#[from] WireFault),
}

impl From<WireError> for ClientError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::TooLong(bytes) => Self::TooLong(bytes),
            error => Self::Broken(error),
        }
    }
}

/// One attempt to connect.
enum Attempt {
    Connected(Connection),
    Absent,
    Failed(ClientError),
}

impl Client {
    /// Returns a way to the daemon that belongs to this environment. Nothing is started yet.
    pub fn new(environment: &Environment) -> Self {
        Self { inner: Arc::new(Inner { environment: environment.clone(), idle: Mutex::new(Vec::new()) }) }
    }

    fn paths(&self) -> &StatePaths {
        &self.inner.environment.state
    }

    /// Returns that it runs but does not answer.
    pub fn silent(&self) -> ClientError {
        ClientError::Silent(self.paths().socket.clone())
    }

    /// Asks one question and returns its answer. Starts the daemon if it is not there.
    pub async fn ask(&self, request: &Request) -> Result<Reply, ClientError> {
        let mut last = None;
        for _ in 0..TRIES {
            let mut connection = self.connection().await?;
            match connection.ask::<_, Reply>(request).await {
                Ok(Reply::Fault(fault)) => {
                    self.keep(connection);
                    return Err(fault.into());
                }
                Ok(reply) => {
                    self.keep(connection);
                    return Ok(reply);
                }
                Err(error @ WireError::TooLong(_)) => return Err(error.into()),
                // The daemon went while we asked; the next connection finds or starts another one.
                Err(broken) => {
                    self.forget_idle();
                    last = Some(broken);
                }
            }
        }
        Err(ClientError::Broken(last.unwrap_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe).into())))
    }

    /// Asks without starting anything; nothing when no daemon runs.
    pub async fn ask_if_running(&self, request: &Request) -> Result<Option<Reply>, ClientError> {
        match self.attempt_if_running(Intent::Talk).await {
            Attempt::Absent => Ok(None),
            Attempt::Failed(error) => Err(error),
            Attempt::Connected(mut connection) => Ok(connection.ask(request).await.map(Some)?),
        }
    }

    /// Asks a running daemon to finish what it has begun and go, and waits until its socket is closed. Returns whether
    /// there was one.
    pub async fn stop(&self) -> Result<bool, ClientError> {
        match self.attempt_if_running(Intent::Stop).await {
            Attempt::Absent => Ok(false),
            Attempt::Failed(error) => Err(error),
            Attempt::Connected(mut connection) => {
                let closed = timeout(START_BUDGET, connection.receive::<Reply>()).await;
                closed.map(|_| true).map_err(|_| self.silent())
            }
        }
    }

    /// Returns a connection of one's own: closing it is how its owner leaves.
    pub async fn connection(&self) -> Result<Connection, ClientError> {
        let idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) if connection.is_quiet() => Ok(connection),
            Some(_) | None => self.connect_or_start().await,
        }
    }

    /// Gives a connection back whose request was answered completely.
    pub fn keep(&self, connection: Connection) {
        let mut idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < POOL_MAX {
            idle.push(connection);
        }
    }

    /// A connection broke: then so did all that were open beside it, whether or not we have been told.
    pub fn forget_idle(&self) {
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn connect_or_start(&self) -> Result<Connection, ClientError> {
        match self.attempt(Intent::Talk).await {
            Attempt::Connected(connection) => return Ok(connection),
            Attempt::Failed(error) => return Err(error),
            Attempt::Absent => place::prepare(self.paths())?,
        }
        // One starts, the others wait for its lock: then either the daemon is there, or it is their turn.
        let lock = timeout(START_BUDGET * 2, self.start_lock()).await;
        let _start =
            lock.map_err(|_| self.not_started("another program is starting it, and does not finish"))??;
        let mut reason = String::new();
        // A daemon that finds its store damaged goes one step further at each start (repair, set aside): three starts
        // see it through.
        for _ in 0..3 {
            match self.attempt(Intent::Talk).await {
                Attempt::Connected(connection) => return Ok(connection),
                Attempt::Failed(error) => return Err(error),
                Attempt::Absent => {}
            }
            match timeout(START_BUDGET, self.start()).await {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(said))) => reason = said,
                Ok(Err(error)) => return Err(self.not_started(&format!("it cannot be started: {error}"))),
                Err(_) => {
                    let silence = format!("it said nothing for {} seconds", START_BUDGET.as_secs());
                    return Err(self.not_started(&silence));
                }
            }
        }
        match self.attempt(Intent::Talk).await {
            Attempt::Connected(connection) => Ok(connection),
            Attempt::Failed(error) => Err(error),
            Attempt::Absent if reason.is_empty() => {
                Err(self.not_started("it is ready, but not to be reached"))
            }
            Attempt::Absent => Err(self.not_started(&reason)),
        }
    }

    fn not_started(&self, reason: &str) -> ClientError {
        ClientError::NotStarted { reason: reason.to_owned(), log: self.paths().log() }
    }

    /// Tries a while as long as the last daemon still lives: it is going, or has lost its socket and is about to notice.
    async fn attempt_if_running(&self, intent: Intent) -> Attempt {
        let give_up = Instant::now() + LOST_BUDGET;
        loop {
            let found = self.attempt(intent).await;
            let lives =
                || place::noted_daemon(self.paths()).is_some_and(|(pid, _)| process::identify(pid).is_some());
            if !matches!(found, Attempt::Absent) || Instant::now() > give_up || !lives() {
                return found;
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }

    /// Tries the socket where this environment expects it, then the one that the daemon has noted: cron has no runtime
    /// directory, and the session that started the daemon may have had one.
    async fn attempt(&self, intent: Intent) -> Attempt {
        let own = &self.paths().socket;
        match attempt_at(own, intent).await {
            Attempt::Absent => match place::noted_daemon(self.paths()).filter(|(_, noted)| noted != own) {
                Some((_, noted)) => match attempt_at(&noted, intent).await {
                    // A note of long ago may lead anywhere.
                    Attempt::Failed(ClientError::Place(_)) => Attempt::Absent,
                    found => found,
                },
                None => Attempt::Absent,
            },
            found => found,
        }
    }

    /// Returns the lock of whoever starts the daemon. Asked for again and again instead of waited for: a thread that waits
    /// for a lock cannot be called back, and would keep a command from ending.
    async fn start_lock(&self) -> Result<File, ClientError> {
        let path = self.paths().start_lock();
        let failed = |source| ClientError::Place(PlaceError::Io { path: path.clone(), source });
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }

    /// Starts the daemon and waits for its word: nothing when it is ready, else what stands in its way.
    async fn start(&self) -> io::Result<Option<String>> {
        let environment = &self.inner.environment;
        // Beside the daemon's own socket, with a shorter name: where that one fits, this one does.
        let ready = self.paths().socket.with_file_name(format!("r-{}.sock", std::process::id()));
        let _absent = std::fs::remove_file(&ready);
        let _removed = RemovedAtEnd(&ready);
        let listener = StdUnixDatagram::bind(&ready)?;
        listener.set_nonblocking(true)?;
        let hearing = UnixDatagram::from_std(listener.try_clone()?)?;
        let log = launch::open_log(&self.paths().log())?;
        let arguments = [OsString::from("daemon"), "run".into(), "--ready".into(), ready.clone().into()];
        let kept = environment.variables.iter().filter(|(name, _)| {
            name.to_str().is_some_and(|name| DAEMON_VARIABLES.contains(&name) || name.starts_with("LC_"))
        });
        let variables = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        let pid =
            launch::detached(&environment.program, &arguments, Some(&variables), "/".as_ref(), None, log)?;
        let mut word = [0; 1000];
        let length = tokio::select! {
            length = hearing.recv(&mut word) => length.ok(),
            // Its last word may be there without the runtime having noticed: the socket itself is asked.
            () = gone(pid) => listener.recv(&mut word).ok(),
        };
        let said = length.map(|length| String::from_utf8_lossy(word.get(..length).unwrap_or_default()));
        let said = said.unwrap_or_else(|| "it died without a word; see its log".into()).into_owned();
        Ok((said != READY).then_some(said))
    }
}

/// A file that goes whatever ends the wait for what comes through it: a word, an error, or that nobody waits any longer.
struct RemovedAtEnd<'a>(&'a Path);

impl Drop for RemovedAtEnd<'_> {
    fn drop(&mut self) {
        let _absent = std::fs::remove_file(self.0);
    }
}

/// Tries to reach a daemon at this socket.
async fn attempt_at(socket: &Path, intent: Intent) -> Attempt {
    let mut stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Attempt::Absent,
                _ => Attempt::Failed(PlaceError::Io { path: socket.to_owned(), source: error }.into()),
            };
        }
    };
    // A foreign process behind the socket would be told tasks and could forge answers.
    let user = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == user => {}
        Ok(peer) => {
            return Attempt::Failed(
                PlaceError::NotYours { path: socket.to_owned(), owner: peer.uid(), user }.into(),
            );
        }
        Err(_) => return Attempt::Absent,
    }
    let greeted = timeout(HELLO_BUDGET, async {
        stream.write_all(&handshake::hello(intent, std::process::id())).await?;
        let mut bytes = [0; WELCOME_BYTES];
        stream.read_exact(&mut bytes).await?;
        Ok::<_, io::Error>(bytes)
    });
    match greeted.await {
        Err(_) => Attempt::Failed(ClientError::Silent(socket.to_owned())),
        // It closed before it said anything: it is going. Nothing was asked, so nothing is lost.
        Ok(Err(_)) => Attempt::Absent,
        Ok(Ok(bytes)) => match handshake::parse_welcome(bytes) {
            Some(welcome) if welcome.chosen != 0 || intent == Intent::Stop => {
                Attempt::Connected(Connection::new(stream))
            }
            Some(welcome) => Attempt::Failed(ClientError::Version {
                pid: welcome.pid,
                theirs: welcome.versions,
                ours: handshake::VERSIONS,
            }),
            None => Attempt::Failed(ClientError::Silent(socket.to_owned())),
        },
    }
}

/// What a daemon says to whoever started it when it can be asked; anything else is what stands in its way.
pub const READY: &str = "ready";

/// Returns when the process is gone.
async fn gone(pid: u32) {
    if let Some(process) = process::identify(pid) {
        process::wait_gone(process).await;
    }
}

#[cfg(test)]
mod tests;
