//! What the tests of this room share: a daemon without a socket, over a store of its own, and connections to it.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::config::paths::StatePaths;
use crate::daemon::handshake::{self, Intent, WELCOME_BYTES};
use crate::daemon::protocol::{Order, Reply, Request, WorkerHello};
use crate::daemon::serve::Daemon;
use crate::daemon::wire::Connection;
use crate::job::{JobRecord, State};
use crate::model::{JobId, Portion};
use crate::runner::identify;
use crate::store::workbench::request_alone;
use crate::store::{Durability, Fault, Store, Txn};

/// A daemon that is reached by [`Bench::connect`] only.
pub(super) struct Bench {
    pub(super) daemon: Arc<Daemon>,
    // Last: what is in it is used until then.
    _home: TempDir,
}

/// Runs a test on a runtime like the daemon's.
pub(super) fn on_runtime<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

impl Bench {
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let paths = StatePaths::new(home.path().join("state"), None);
        std::fs::create_dir_all(paths.runs()).unwrap();
        let store = Store::open_as(&paths.store(), &paths.heads(), Durability::SyncAfterCommit).unwrap();
        Self { daemon: Arc::new(Daemon::new(&paths, store)), _home: home }
    }

    /// Returns a connection whose handshake is done.
    pub(super) async fn connect(&self) -> Connection {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        self.daemon.accepted(theirs);
        ours.write_all(&handshake::hello(Intent::Talk, std::process::id())).await.unwrap();
        ours.read_exact(&mut [0; WELCOME_BYTES]).await.unwrap();
        Connection::new(ours)
    }

    /// Returns a connection as a worker of this job has it; `running` says that it was told to run before.
    pub(super) async fn worker(&self, job: JobId, running: bool) -> Connection {
        let mut connection = self.connect().await;
        let process = identify(std::process::id()).unwrap();
        connection.send(&Request::Worker(WorkerHello { job, process, running })).await.unwrap();
        connection
    }

    /// Opens a job that runs by itself.
    pub(super) async fn open(&self) -> JobId {
        let job = JobId::generate();
        let asked = self
            .connect()
            .await
            .ask(&Request::Open(Box::new(request_alone(job)), Portion::WHOLE))
            .await
            .unwrap();
        assert!(matches!(asked, Reply::Admission(_)), "{asked:?}");
        job
    }

    /// Opens a job, and has a worker that was told to run it.
    pub(super) async fn run(&self) -> (JobId, Connection) {
        let job = self.open().await;
        let mut worker = self.worker(job, false).await;
        assert_eq!(order(&mut worker).await, Order::Run);
        (job, worker)
    }

    pub(super) fn record(&self, job: JobId) -> JobRecord {
        self.daemon.store.job(job).unwrap().unwrap()
    }

    pub(super) fn state(&self, job: JobId) -> State {
        self.record(job).state
    }

    /// Changes the store behind everybody's back.
    pub(super) async fn tamper(
        &self,
        change: impl FnOnce(&mut Txn<'_>) -> Result<(), Fault> + Send + 'static,
    ) {
        self.daemon.store.commit(change).await.unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.daemon.stopping.cancel();
        self.daemon.store.stop();
    }
}

/// Returns the next order of a worker.
pub(super) async fn order(worker: &mut Connection) -> Order {
    match worker.receive::<Reply>().await.unwrap() {
        Some(Reply::Order(order)) => order,
        other => panic!("{other:?}"),
    }
}
