//! Reading files that others write: regular ones only, never more than a bound, never blocking; and what they looked
//! like when they were read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::model::Timestamp;

/// What a file looked like: when two stamps of a path are equal, its content is the same, unless it was written twice
/// within one tick of the file system's clock (see [`Stamp::is_settled`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The beginning of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The bytes read.
    pub bytes: Vec<u8>,
    /// Whether the file goes on.
    pub truncated: bool,
}

impl Stamp {
    /// Longest tick of a file system's clock that is reckoned with, in milliseconds (FAT and old network file systems
    /// count in 2 s).
    const TICK_MS: u64 = 2_000;

    /// Returns the stamp of what `path` leads to, nothing when there is no such file.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        Ok(absent_as_none(std::fs::metadata(path))?.as_ref().map(Self::from))
    }

    /// Returns whether the file was last changed so long before `now` that another change would show in the stamp.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        let latest = self.modified.0.max(self.changed.0);
        let latest = Timestamp::from_millis(u64::try_from(latest).unwrap_or(0).saturating_mul(1_000));
        now.millis_since(latest) > Self::TICK_MS + 1_000
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Returns the first `limit` bytes of the regular file at `path`, nothing when there is no file. Anything but a
/// regular file is an error: a pipe would block, a device never ends.
pub fn read_head(path: &Path, limit: usize) -> io::Result<Option<Head>> {
    Ok(read_stamped(path, limit)?.map(|(head, _)| head))
}

/// Returns the same, and what the file looked like before it was read.
pub(super) fn read_stamped(path: &Path, limit: usize) -> io::Result<Option<(Head, Stamp)>> {
    let Some((file, metadata)) = open(path)? else { return Ok(None) };
    let size = usize::try_from(metadata.size()).unwrap_or(usize::MAX);
    Ok(Some((head(file, size, limit)?, Stamp::from(&metadata))))
}

/// Returns at most `limit` bytes of the regular file at `path` that stand `at` so many, nothing when there is no file.
pub(super) fn read_part(path: &Path, at: u64, limit: usize) -> io::Result<Option<Head>> {
    let Some((mut file, _)) = open(path)? else { return Ok(None) };
    file.seek(SeekFrom::Start(at))?;
    head(file, 0, limit).map(Some)
}

fn open(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let Some(file) = absent_as_none(opened)? else { return Ok(None) };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(Some((file, metadata)))
}

/// Reads a file that is about so long: with room for it, the kernel is asked for its content and for its end.
fn head(file: File, size: usize, limit: usize) -> io::Result<Head> {
    let mut bytes = Vec::with_capacity(size.min(limit).saturating_add(PROBE_BYTES));
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(one_more).read_to_end(&mut bytes)?;
    let truncated = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Head { bytes, truncated })
}

/// With less room than this, the library first reads a little into a buffer of its own.
const PROBE_BYTES: usize = 32;

fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
