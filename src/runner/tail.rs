//! Follows a file while another process writes it, woken by inotify.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify;
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use crate::runner::readiness;

/// How much is read at once: enough that the system call does not count, little enough to hand over between two looks
/// at the deadline.
const PIECE_BYTES: usize = 64 * 1024;

/// A file that grows, read from its beginning in bounded pieces.
#[derive(Debug)]
pub struct Tail {
    file: File,
    /// `None` when the user's inotify instances (128 by default, shared by all programs) are used up.
    changes: Option<AsyncFd<OwnedFd>>,
    piece: Box<[u8]>,
}

impl Tail {
    /// Opens the file at `path` and begins to watch it. Must be called inside a tokio runtime.
    ///
    /// When the user has no inotify instance left, the file is followed without being woken: whoever waits for
    /// [`Self::grown`] needs a slow tick beside it. When inotify is refused altogether, that is an error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let changes = match watch(path) {
            Ok(changes) => Some(readiness::register(changes)?),
            Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOSPC)) => {
                tracing::warn!(%errno, "no inotify instance is left; output is looked at once a second");
                None
            }
            Err(errno) => return Err(errno.into()),
        };
        Ok(Self { file: File::open(path)?, changes, piece: vec![0; PIECE_BYTES].into_boxed_slice() })
    }

    /// Waits until the file has been written to since the last call. Cancel-safe: a change that is not waited for to the
    /// end is told by the next call. Nothing is lost if the caller reads to the end after each return: what is written
    /// later makes a new event.
    pub async fn grown(&self) -> io::Result<()> {
        let Some(changes) = &self.changes else { return std::future::pending().await };
        loop {
            let mut ready = changes.readable().await?;
            let mut events = [0; 512];
            let mut any = false;
            loop {
                match rustix::io::read(changes.get_ref(), &mut events) {
                    Ok(_) => any = true,
                    Err(Errno::WOULDBLOCK) => break,
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            ready.clear_ready();
            if any {
                return Ok(());
            }
        }
    }

    /// Returns the next piece of the file; empty at its present end.
    pub fn piece(&mut self) -> io::Result<&[u8]> {
        loop {
            match self.file.read(&mut self.piece) {
                Ok(length) => return Ok(self.piece.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn watch(path: &Path) -> Result<OwnedFd, Errno> {
    let changes = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&changes, path, inotify::WatchFlags::MODIFY)?;
    Ok(changes)
}
