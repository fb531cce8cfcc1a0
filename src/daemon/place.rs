//! The state directory and the socket: made for their owner alone, and refused when they are anybody else's.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::config::paths::StatePaths;

/// Longest path of a Unix socket, in bytes (`sun_path` on Linux, less the final NUL).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It cannot be made or looked at.
    #[error("`{path}` cannot be used")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a directory, or a link to one.
    #[error("`{0}` is not a directory")]
    NotADirectory(PathBuf),
    /// Somebody else owns it.
    #[error("`{path}` belongs to user {owner}, not to you ({user})")]
    NotYours {
        /// The path.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Others may enter it.
    #[error("`{path}` is open to other users (mode {mode:03o}); close it with: chmod 700 '{path}'")]
    Open {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The socket's path does not fit.
    #[error(
        "the socket path `{0}` is longer than {SOCKET_PATH_BYTES_MAX} bytes; set AGENT_DISPATCH_STATE_DIR or \
         XDG_RUNTIME_DIR to a shorter directory"
    )]
    TooLong(PathBuf),
}

/// Notes which process is the daemon and where it listens, in the file that it holds locked: an environment with another
/// runtime directory, or none, would look for it in another place.
pub fn note_daemon(paths: &StatePaths) -> io::Result<()> {
    let pid = format!("{}\n", std::process::id());
    fs::write(paths.daemon_lock(), [pid.as_bytes(), paths.socket.as_os_str().as_bytes()].concat())
}

/// Returns the process id of the last daemon, and where it listened. It may be gone.
pub fn noted_daemon(paths: &StatePaths) -> Option<(u32, PathBuf)> {
    let noted = fs::read(paths.daemon_lock()).ok()?;
    let at = noted.iter().position(|byte| *byte == b'\n')?;
    let (pid, socket) = (noted.get(..at)?, noted.get(at + 1..)?);
    let socket = PathBuf::from(OsString::from_vec(socket.to_vec()));
    let pid = std::str::from_utf8(pid).ok()?.parse().ok()?;
    socket.is_absolute().then_some((pid, socket))
}

/// Makes the directories of `paths` if they are missing, and checks that they are the user's alone.
pub fn prepare(paths: &StatePaths) -> Result<(), PlaceError> {
    if paths.socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(PlaceError::TooLong(paths.socket.clone()));
    }
    private_directory(&paths.root)?;
    private_directory(&paths.runs())?;
    if let Some(folder) = paths.socket.parent() {
        private_directory(folder)?;
    }
    Ok(())
}

/// Makes `path` and what is missing above it, and checks that it is a directory that only its owner, us, can enter.
fn private_directory(path: &Path) -> Result<(), PlaceError> {
    let io = |source| PlaceError::Io { path: path.to_owned(), source };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
            fs::symlink_metadata(path).map_err(io)?
        }
        other => other.map_err(io)?,
    };
    if !found.is_dir() {
        return Err(PlaceError::NotADirectory(path.to_owned()));
    }
    let user = rustix::process::geteuid().as_raw();
    if found.uid() != user {
        return Err(PlaceError::NotYours { path: path.to_owned(), owner: found.uid(), user });
    }
    let mode = found.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(PlaceError::Open { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
