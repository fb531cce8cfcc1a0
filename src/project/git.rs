//! What is checked out in a directory, read from git's own files: no process, and no more than git promises.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::project::regular;
use crate::project::watch::Watch;

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHead {
    /// The commit; nothing before the first one, or when refs are kept in a way that is not known here.
    pub commit: Option<String>,
    /// The branch; nothing when a commit is checked out by itself.
    pub branch: Option<String>,
}

/// A repository and what is checked out there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The top of its files.
    pub root: PathBuf,
    /// What is checked out.
    pub head: GitHead,
    /// The file in which git notes where `HEAD` goes.
    log: PathBuf,
}

/// Deepest directory whose parents are searched for a repository.
const PARENTS_MAX: usize = 64;
/// Longest of git's one-line files.
const LINE_BYTES_MAX: usize = 4_096;
/// Largest list of packed refs that is read.
const PACKED_BYTES_MAX: usize = 4 << 20;

/// Longest part of the log of `HEAD` that is read: some hundred moves.
const LOG_BYTES_MAX: usize = 64 << 10;

/// Returns the repository in which `directory` lies, as it is now; nothing outside of one. A few reads, no process.
pub fn checkout(directory: &Path) -> Option<Checkout> {
    let watch = &mut Watch::default();
    let find = |folder: &Path| Some((folder.to_owned(), git_directory(folder, watch)?));
    let (root, git) = directory.ancestors().take(PARENTS_MAX).find_map(find)?;
    Some(Checkout { root, head: head_of(&git, &mut Watch::default())?, log: git.join("logs/HEAD") })
}

impl Checkout {
    /// Returns how many bytes git has noted of where `HEAD` went. It may have been told to note nothing.
    pub fn moves_noted(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// Returns the commits to which `HEAD` went after so many bytes were noted; nothing when there are too many.
    pub fn moves_since(&self, noted: u64) -> Option<BTreeSet<String>> {
        let Ok(Some(moves)) = regular::read_part(&self.log, noted, LOG_BYTES_MAX) else {
            return Some(BTreeSet::new());
        };
        // Each line says from where to where, who, when and why.
        let text = String::from_utf8_lossy(&moves.bytes);
        let targets = text.lines().filter_map(|line| line.split(' ').nth(1)).filter(|to| is_commit(to));
        (!moves.truncated).then(|| targets.map(str::to_owned).collect())
    }
}

/// Returns what is checked out in `directory`, which may lie inside a repository.
pub(super) fn head(directory: &Path, watch: &mut Watch) -> Option<GitHead> {
    let git = directory.ancestors().take(PARENTS_MAX).find_map(|folder| git_directory(folder, watch))?;
    head_of(&git, watch)
}

fn head_of(git: &Path, watch: &mut Watch) -> Option<GitHead> {
    let head = line(&git.join("HEAD"), watch)?;
    let Some(name) = head.strip_prefix("ref:").map(str::trim) else {
        return is_commit(&head).then_some(GitHead { commit: Some(head), branch: None });
    };
    if !is_ref(name) {
        return None;
    }
    // A worktree keeps its own HEAD and shares the refs.
    let common =
        line(&git.join("commondir"), watch).map_or_else(|| git.to_owned(), |common| git.join(common));
    let branch = name.strip_prefix("refs/heads/").filter(|branch| *branch != ".invalid").map(str::to_owned);
    let commit = loose(git, name, watch)
        .or_else(|| loose(&common, name, watch))
        .or_else(|| packed(&common, name, watch));
    Some(GitHead { commit, branch })
}

/// Returns the directory that `.git` in `folder` is, or names.
fn git_directory(folder: &Path, watch: &mut Watch) -> Option<PathBuf> {
    let entry = folder.join(".git");
    if entry.is_dir() {
        // Not noted: every git command changes it, and what is read from it is noted file by file.
        return Some(entry);
    }
    let line = line(&entry, watch)?;
    let target = line.strip_prefix("gitdir:")?.trim();
    Some(folder.join(target)).filter(|target| target.is_dir())
}

fn loose(folder: &Path, name: &str, watch: &mut Watch) -> Option<String> {
    line(&folder.join(name), watch).filter(|commit| is_commit(commit))
}

fn packed(folder: &Path, name: &str, watch: &mut Watch) -> Option<String> {
    let head = watch.read(&folder.join("packed-refs"), PACKED_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&head.bytes);
    let found =
        text.lines().filter_map(|line| line.split_once(' ')).find(|(_, packed)| packed.trim() == name);
    found.map(|(commit, _)| commit.to_owned()).filter(|commit| is_commit(commit))
}

/// Returns the only line of a file.
fn line(path: &Path, watch: &mut Watch) -> Option<String> {
    let head = watch.read(path, LINE_BYTES_MAX).filter(|head| !head.truncated)?;
    let text = String::from_utf8(head.bytes).ok()?;
    let line = text.trim();
    (!line.is_empty() && !line.contains(['\n', '\0'])).then(|| line.to_owned())
}

/// A name from someone else's file becomes a path: it must stay inside, and a word that can be shown.
fn is_ref(name: &str) -> bool {
    name.starts_with("refs/")
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !name.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\')
}

/// SHA-1 or SHA-256, in hexadecimal.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
