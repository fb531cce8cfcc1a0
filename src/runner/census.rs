//! A look at the processes of this user, as the kernel tells of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::runner::sweep::environment;

/// A process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its command line, the program's name first.
    pub arguments: Vec<OsString>,
    /// What it was started with.
    pub variables: BTreeMap<OsString, OsString>,
    /// The program it runs, as the kernel names it: one that was replaced ends with ` (deleted)`.
    pub program: PathBuf,
    /// The file it runs, wherever that is now.
    pub file: Option<FileId>,
}

/// What tells one file from another: device and inode.
pub type FileId = (u64, u64);

/// Returns every process of this user that can be looked at, this one excepted.
pub fn take() -> Vec<Process> {
    let user = rustix::process::getuid().as_raw();
    let this = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let candidate = pid != this && entry.metadata().ok()?.uid() == user;
            candidate.then(|| look(pid, &entry.path())).flatten()
        })
        .collect()
}

/// Returns the file that this process runs.
pub fn own_file() -> Option<FileId> {
    file(Path::new("/proc/self"))
}

fn look(pid: u32, folder: &Path) -> Option<Process> {
    // Of a process that is gone or dead by now, nothing can be read.
    let program = fs::read_link(folder.join("exe")).ok()?;
    let arguments = words(&fs::read(folder.join("cmdline")).ok()?).map(OsStr::to_owned).collect();
    let variables = environment(folder).ok()?;
    let variables = words(&variables).filter_map(|entry| {
        let at = entry.as_bytes().iter().position(|byte| *byte == b'=')?;
        let (name, value) = entry.as_bytes().split_at_checked(at)?;
        Some((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(value.get(1..)?).to_owned()))
    });
    Some(Process { pid, arguments, variables: variables.collect(), program, file: file(folder) })
}

fn file(folder: &Path) -> Option<FileId> {
    let found = fs::metadata(folder.join("exe")).ok()?;
    Some((found.dev(), found.ino()))
}

fn words(bytes: &[u8]) -> impl Iterator<Item = &OsStr> {
    bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty()).map(OsStr::from_bytes)
}

#[cfg(test)]
mod tests;
