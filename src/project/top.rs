//! What lies at the top of a directory, listed once: most of the files that could tell something of a directory are not
//! there, and each look at one that is absent would be a system call.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use rustix::fs::{Access, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;
use serde_json::Value;

use crate::project::ProjectError;
use crate::project::regular::Head;
use crate::project::watch::Watch;

/// Most entries that are listed. In a directory that has more, each file is looked for.
const ENTRIES_MAX: usize = 2_000;
/// Room for the entries that the kernel names at once, in bytes.
const NAMES_BYTES: usize = 8 << 10;
/// Largest JSON file that is read: it is understood whole or not at all.
pub(super) const JSON_BYTES_MAX: usize = 1 << 20;

/// A directory, the entries at its top, and what of it was looked at.
#[derive(Debug)]
pub(super) struct Top<'a> {
    path: &'a Path,
    entries: Option<BTreeMap<OsString, FileType>>,
    watch: &'a mut Watch,
}

impl<'a> Top<'a> {
    /// Lists a directory in which a session can run. Every entry that comes or goes later shows in its stamp, which is
    /// taken first.
    pub(super) fn list(path: &'a Path, watch: &'a mut Watch) -> Result<Self, ProjectError> {
        watch.note(path);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty());
        let folder = opened.map_err(|error| refused(path, error))?;
        let entered = rustix::fs::access(path, Access::READ_OK | Access::EXEC_OK);
        entered.map_err(|error| refused(path, error))?;
        let entries = entries(&folder).map_err(|error| refused(path, error))?;
        Ok(Self { path, entries, watch })
    }

    /// Returns the directory.
    pub(super) const fn path(&self) -> &'a Path {
        self.path
    }

    /// Returns whether there is a regular file of this name, or a link to one.
    pub(super) fn has_file(&mut self, name: &str) -> bool {
        match self.kind(name) {
            Some(FileType::RegularFile) => true,
            Some(FileType::Symlink | FileType::Unknown) => self.leads_to(name, fs::Metadata::is_file),
            _ => false,
        }
    }

    /// Returns whether there is a directory of this name, or a link to one.
    pub(super) fn has_folder(&mut self, name: &str) -> bool {
        match self.kind(name) {
            Some(FileType::Directory) => true,
            Some(FileType::Symlink | FileType::Unknown) => self.leads_to(name, fs::Metadata::is_dir),
            _ => false,
        }
    }

    /// Returns the beginning of a text file; nothing when it cannot be read or is not UTF-8.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.kind(name)?;
        self.watch.text(&self.path.join(name))
    }

    /// Returns the content of a JSON file, nothing when it cannot be read or understood.
    pub(super) fn json(&mut self, name: &str) -> Option<Value> {
        self.kind(name)?;
        let head = self.watch.read(&self.path.join(name), JSON_BYTES_MAX);
        let whole: Head = head.filter(|head| !head.truncated)?;
        serde_json::from_slice(&whole.bytes).ok()
    }

    /// Returns what is at `name`, or at the first part of it; nothing where nothing is.
    fn kind(&self, name: &str) -> Option<FileType> {
        let first = name.split('/').next().unwrap_or(name);
        match &self.entries {
            Some(entries) => entries.get(first.as_ref() as &std::ffi::OsStr).copied(),
            None => Some(FileType::Unknown),
        }
    }

    /// What a link leads to may change without a trace in the directory.
    fn leads_to(&mut self, name: &str, is: impl Fn(&fs::Metadata) -> bool) -> bool {
        let path = self.path.join(name);
        self.watch.note(&path);
        fs::metadata(path).is_ok_and(|metadata| is(&metadata))
    }
}

/// Returns the entries of a directory by their names, nothing when there are too many.
fn entries(folder: &OwnedFd) -> Result<Option<BTreeMap<OsString, FileType>>, Errno> {
    let mut entries = BTreeMap::new();
    let mut room = [MaybeUninit::uninit(); NAMES_BYTES];
    let mut listed = RawDir::new(folder, &mut room);
    while let Some(entry) = listed.next() {
        let entry = entry?;
        if entries.len() >= ENTRIES_MAX {
            return Ok(None);
        }
        let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
        entries.insert(name, entry.file_type());
    }
    Ok(Some(entries))
}

/// Says why a directory cannot be listed.
fn refused(path: &Path, error: Errno) -> ProjectError {
    let directory = path.to_owned();
    match std::io::Error::from(error).kind() {
        // Of a file, and of what is below one, the kernel says the same.
        ErrorKind::NotADirectory if fs::symlink_metadata(path).is_ok() => {
            ProjectError::NotADirectory { directory }
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory => ProjectError::Missing { directory },
        _ => ProjectError::Unreadable { directory, source: error.into() },
    }
}

#[cfg(test)]
mod tests;
