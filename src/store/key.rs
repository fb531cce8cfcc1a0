//! The file that holds the audit key: made once, readable by its owner only, and never replaced by this program.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::audit::AuditKey;
use crate::store::database::OpenError;

/// The name of the file, beside the one of the audit head.
pub const KEY_FILE: &str = "audit.key";

/// Returns the key in this file, which is made if there is none.
///
/// One that cannot be read is an error: a new key in its place would make every digest so far unfindable.
pub(super) fn open(path: &Path) -> Result<AuditKey, OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Ok(text) => text.parse().map_err(|_| {
            let what = "it holds no audit key: bring the file back, or move it away and a new key is made";
            failed(io::Error::new(io::ErrorKind::InvalidData, what))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

/// Makes a key. Written under another name first: a file that is there is whole.
fn make(path: &Path) -> io::Result<AuditKey> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let key = AuditKey::from_bytes(bytes);
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
    writeln!(file, "{}", key.secret_text())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests;
