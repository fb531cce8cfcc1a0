//! The agents file on disk: locked, read, replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::config::edit::EditError;
use crate::config::{ConfigError, decode, read};
use crate::project::regular::Stamp;

/// How long an edit waits for another one.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(2);
/// How often it looks in the meantime: the kernel tells nobody when a file lock comes free.
const LOCK_LOOK: Duration = Duration::from_millis(10);
/// Longest chain of symbolic links, as in the kernel.
const LINKS_MAX: usize = 40;

/// The right to edit; given back when dropped.
#[derive(Debug)]
pub(super) struct Locked {
    _file: File,
}

/// The file as it was read.
#[derive(Debug)]
pub(super) struct Opened {
    path: PathBuf,
    /// Where the links end: what is replaced.
    target: PathBuf,
    stamp: Option<Stamp>,
    bytes: Vec<u8>,
}

impl Locked {
    /// Waits until no other edit of `path` is under way, at most `wait`. The file's directory is made when there is
    /// none.
    pub(super) fn take(path: &Path, wait: Duration) -> Result<Self, EditError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        make_folder(folder)?;
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock)
            .map_err(|source| io_error("open", &lock, source))?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => return Err(io_error("lock", &lock, source)),
                Err(TryLockError::WouldBlock) if waited < wait => {
                    pause(LOCK_LOOK);
                    waited += LOCK_LOOK;
                }
                Err(TryLockError::WouldBlock) => {
                    let waited_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    return Err(EditError::Locked { lock, waited_ms });
                }
            }
        }
    }
}

/// Lets `time` pass, or less.
fn pause(time: Duration) {
    let nobody = Mutex::new(());
    let guard = nobody.lock().unwrap_or_else(PoisonError::into_inner);
    let never = Condvar::new();
    drop(never.wait_timeout(guard, time));
}

impl Opened {
    /// Reads the file; one that does not exist is empty.
    pub(super) fn read(path: &Path) -> Result<Self, EditError> {
        let target = resolved(path).map_err(|source| io_error("follow", path, source))?;
        let stamp = Stamp::of(&target).map_err(|source| io_error("read", &target, source))?;
        let bytes = read(path)?.unwrap_or_default();
        Ok(Self { path: path.to_owned(), target, stamp, bytes })
    }

    /// Returns the bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the byte order mark, if there is one, and the text after it.
    pub(super) fn text(&self) -> Result<(&str, &str), ConfigError> {
        let text = decode(&self.path, &self.bytes)?;
        let mark = self.bytes.get(..self.bytes.len() - text.len()).unwrap_or_default();
        Ok((std::str::from_utf8(mark).unwrap_or_default(), text))
    }

    /// Replaces the file with `text`, in one step: whatever fails, the file is either old or new, never in between.
    pub(super) fn replace(&self, _locked: &Locked, text: &str) -> Result<(), EditError> {
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        make_folder(folder)?;
        let write = |source| io_error("write to", folder, source);
        let mut new =
            tempfile::Builder::new().prefix(".agents-").suffix(".tmp").tempfile_in(folder).map_err(write)?;
        new.write_all(text.as_bytes()).map_err(write)?;
        new.as_file().sync_all().map_err(write)?;
        let stamp = Stamp::of(&self.target).map_err(|source| io_error("read", &self.target, source))?;
        if stamp != self.stamp {
            return Err(EditError::ChangedMeanwhile { path: self.path.clone() });
        }
        new.persist(&self.target).map_err(|error| io_error("replace", &self.target, error.error))?;
        // The new name must survive a power cut too. The edit is made by now: a file system that cannot sync a
        // directory is no reason to say otherwise.
        if let Ok(folder) = File::open(folder)
            && let Err(error) = folder.sync_all()
        {
            tracing::warn!(%error, path = %self.target.display(), "the directory of the agents file cannot be synced");
        }
        Ok(())
    }
}

/// Makes a directory for the user alone; one that exists is left as it is.
fn make_folder(folder: &Path) -> Result<(), EditError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| io_error("create", folder, source))
}

/// Returns where the symbolic links end that begin at `path`; the last one may lead to nothing.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_symlink() => {
                let next = fs::read_link(&target)?;
                target = target.parent().unwrap_or(Path::new("/")).join(next);
            }
            Ok(_) => return Ok(target),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(target),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> EditError {
    EditError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
