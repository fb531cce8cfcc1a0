//! Tells when the agents file may have changed, without looking at it meanwhile: the kernel wakes whoever waits.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How often the caller is sent to look where the kernel cannot tell (no inotify instance left, a file system without):
/// rarely, because an idle server should stay idle.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Every way in which a file's content or identity changes.
const FILE: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF);

/// How something comes to be in a folder.
const FOLDER: WatchFlags = WatchFlags::CREATE.union(WatchFlags::MOVED_TO).union(WatchFlags::DELETE_SELF);

/// Watches what is at one path: the file itself, and not its folder, where others may be busy; only while there is no
/// such file, the nearest folder that exists.
#[derive(Debug)]
pub struct Changes {
    path: PathBuf,
    /// Nothing when the kernel cannot tell.
    watch: Option<AsyncFd<OwnedFd>>,
    folder: Option<i32>,
}

impl Changes {
    /// Begins to watch `path`, an absolute path. Must be called inside a tokio runtime.
    pub fn of(path: &Path) -> Self {
        let watch = begin().map_err(|error| tracing::debug!(%error, "changes are looked for, not told")).ok();
        let mut changes = Self { path: path.to_owned(), watch, folder: None };
        changes.renew();
        changes
    }

    /// Returns once something may have changed. It goes on returning until [`Self::renew`] is called. Cancel-safe.
    pub async fn stirred(&self) {
        match &self.watch {
            Some(watch) => {
                if watch.readable().await.is_err() {
                    // The runtime is going.
                    std::future::pending::<()>().await;
                }
            }
            None => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }

    /// Watches what is at the path now. A change before this call is seen by whoever looks after it, a later one stirs.
    pub fn renew(&mut self) {
        let Some(watch) = &self.watch else { return };
        if let Err(error) = drain(watch).and_then(|()| Ok(arm(watch, &self.path, &mut self.folder)?)) {
            tracing::debug!(%error, "changes are looked for from now on");
            self.watch = None;
        }
    }
}

#[expect(deprecated, reason = "its successor is unsafe for types that may close early; an OwnedFd does not")]
fn begin() -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?, Interest::READABLE)
}

/// Takes the events off: that there were any is all they say.
fn drain(watch: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut events = [0; 4096];
    loop {
        let read = watch.try_io(Interest::READABLE, |kernel| Ok(rustix::io::read(kernel, &mut events)?));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn arm(watch: &AsyncFd<OwnedFd>, path: &Path, folder: &mut Option<i32>) -> Result<(), Errno> {
    if let Some(former) = folder.take() {
        // Gone with its folder.
        let _gone = inotify::remove_watch(watch, former);
    }
    // A file that comes between the two looks is found by the next one.
    for _ in 0..3 {
        if add(watch, path, FILE)?.is_some() {
            // And the link, where it is one: it may be led elsewhere.
            add(watch, path, FILE | WatchFlags::DONT_FOLLOW)?;
            return Ok(());
        }
        for above in path.ancestors().skip(1) {
            *folder = add(watch, above, FOLDER)?;
            if folder.is_some() {
                break;
            }
        }
        if !path.exists() {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns nothing when there is no such file.
fn add(watch: &AsyncFd<OwnedFd>, path: &Path, what: WatchFlags) -> Result<Option<i32>, Errno> {
    match inotify::add_watch(watch, path, what) {
        Ok(id) => Ok(Some(id)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests;
