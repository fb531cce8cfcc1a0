//! What git says of a repository: its status, and what a range of commits holds. Short, bounded, and without side effects of
//! ours: no hook runs, no index is written, and nothing of ours in the environment can point it elsewhere. What may run all
//! the same are the clean filters that the repository's own configuration names.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::{Changes, Timestamp};
use crate::runner::probe::{Probe, ProbeError};

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Variables of the user's that git needs: where its own configuration is, and what it may run.
const PASSED: [&str; 6] = ["HOME", "PATH", "XDG_CONFIG_HOME", "USER", "LANG", "TMPDIR"];

/// What keeps it quiet: it takes no locks, asks nobody, fetches nothing, and speaks plainly.
const SET: [(&str, &str); 5] = [
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("LC_ALL", "C"),
    ("GIT_PAGER", "cat"),
];

/// Settings of the repository that would make it run something, set to nothing. Not among them are its filters
/// (`filter.*.clean`): the status runs one on each file that was touched and has kept its size. Without them, such a file would
/// be told as changed (with Git LFS, each that was checked out again), and where one is `required`, git would refuse.
const HARMLESS: [&str; 4] = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];

/// The tree without files, which every repository knows, under either of git's digests.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const EMPTY_TREE_SHA256: &str = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";

/// Files that differ from the last commit of which it is noted what they look like.
const STAMPS_MAX: usize = 2000;

/// A repository that can be asked.
#[derive(Debug, Clone)]
pub struct Repository {
    git: PathBuf,
    root: PathBuf,
    environment: BTreeMap<OsString, OsString>,
}

/// Files that differ from the last commit, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    files: BTreeMap<String, File>,
    /// Whether there was too much to read.
    cut: bool,
}

/// How a file differs: in git's words, and what it looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    state: String,
    stamp: Option<(u64, i64, i64, u64)>,
}

/// What a range of commits holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// The commits, newest first, at most [`Changes::COMMITS_MAX`].
    pub commits: Vec<String>,
    /// The files that differ between its ends; of a detour, those that its commits changed.
    pub files: BTreeSet<String>,
    /// Whether there was too much to read.
    pub cut: bool,
}

impl Repository {
    /// Returns the repository whose files are in `root`, asked through the program `git` with what it needs of these
    /// variables.
    pub fn new(git: PathBuf, root: PathBuf, variables: &BTreeMap<OsString, OsString>) -> Self {
        let passed =
            variables.iter().filter(|(name, _)| name.to_str().is_some_and(|name| PASSED.contains(&name)));
        let mut environment: BTreeMap<_, _> =
            passed.map(|(name, value)| (name.clone(), value.clone())).collect();
        environment.extend(SET.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Self { git, root, environment }
    }

    /// Returns which files differ from the last commit. Another repository inside this one is an entry that ends in `/`;
    /// files that git is told to ignore are none.
    pub async fn status(&self) -> Result<Status, ProbeError> {
        let args = [
            "status",
            "--porcelain=v2",
            "-z",
            "--untracked-files=all",
            "--ignore-submodules=dirty",
            "--no-renames",
        ];
        let mut status = Status::parse(&self.ask(&args).await?);
        for (name, file) in status.files.iter_mut().take(STAMPS_MAX) {
            file.stamp = stamp(&self.root.join(name));
        }
        // What the others look like is not known, and whether they change cannot be told.
        status.cut |= status.files.len() > STAMPS_MAX;
        Ok(status)
    }

    /// Returns the files in which two commits differ, whichever of them is older, and what was committed between them since
    /// `since`. Without the first commit, all of the second's past counts.
    pub async fn range(&self, from: Option<&str>, to: &str, since: Timestamp) -> Result<Range, ProbeError> {
        let empty = if to.len() == EMPTY_TREE_SHA256.len() { EMPTY_TREE_SHA256 } else { EMPTY_TREE };
        let (range, from) = match from {
            Some(from) => (format!("{from}..{to}"), from),
            None => (to.to_owned(), empty),
        };
        let count = format!("--max-count={}", Changes::COMMITS_MAX + 1);
        // Git counts whole seconds.
        let age = format!("--max-age={}", since.as_millis() / 1000);
        let mut commits: Vec<String> =
            self.ask(&["rev-list", &count, &age, &range, "--"]).await?.lines().map(str::to_owned).collect();
        let cut = commits.len() > Changes::COMMITS_MAX;
        commits.truncate(Changes::COMMITS_MAX);
        let args = ["diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", from, to, "--"];
        let listed = self.ask(&args).await?;
        let (files, rest) = listed.rsplit_once('\0').unwrap_or(("", &listed));
        let names = files.split('\0').filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(Range { commits, files: names.collect(), cut: cut || !rest.is_empty() })
    }

    /// Returns what was committed since `since` in places that were left again for the commit `home`.
    pub async fn detour(
        &self,
        places: &BTreeSet<String>,
        home: &str,
        since: Timestamp,
    ) -> Result<Range, ProbeError> {
        let count = format!("--max-count={}", Changes::COMMITS_MAX + 1);
        let age = format!("--max-age={}", since.as_millis() / 1000);
        let mut args = vec![
            "log",
            "-z",
            // Of commits of one second the newest comes first, too.
            "--topo-order",
            "--format=%x01%H",
            "--name-only",
            "--no-renames",
            "--no-ext-diff",
            "--no-show-signature",
            &count,
            &age,
        ];
        args.extend(places.iter().map(String::as_str));
        args.extend(["--not", home, "--"]);
        let listed = self.ask(&args).await?;
        let (entries, rest) = listed.rsplit_once('\0').unwrap_or(("", &listed));
        let mut range = Range { cut: !rest.is_empty(), ..Range::default() };
        for entry in
            entries.split('\0').map(|entry| entry.trim_start_matches('\n')).filter(|it| !it.is_empty())
        {
            match entry.strip_prefix('\x01') {
                Some(commit) => range.commits.push(commit.to_owned()),
                None => drop(range.files.insert(entry.to_owned())),
            }
        }
        range.cut |= range.commits.len() > Changes::COMMITS_MAX;
        range.commits.truncate(Changes::COMMITS_MAX);
        Ok(range)
    }

    /// Returns what git says to these arguments. That it refuses, as it does in a repository of somebody else, is an error: no
    /// word of a change is not the word that nothing has changed.
    async fn ask(&self, args: &[&str]) -> Result<String, ProbeError> {
        let probe = Probe { environment: &self.environment, directory: &self.root, limit: LIMIT };
        let said = probe.ask(&self.git, &[&HARMLESS, args].concat()).await?;
        if said.went_well() { Ok(said.stdout) } else { Err(said.as_failure(&self.git)) }
    }
}

impl Status {
    /// Reads what `git status --porcelain=v2 -z` has written.
    fn parse(text: &str) -> Self {
        let (entries, rest) = text.rsplit_once('\0').unwrap_or(("", text));
        let mut status = Self { files: BTreeMap::new(), cut: !rest.is_empty() };
        let mut entries = entries.split('\0');
        while let Some(entry) = entries.next() {
            // How many words stand before the name.
            let words = match entry.get(..2) {
                Some("1 ") => 8,
                Some("2 ") => {
                    // The name it had before.
                    entries.next();
                    9
                }
                Some("u ") => 10,
                Some("? ") => 1,
                _ => continue,
            };
            let Some((at, _)) = entry.match_indices(' ').nth(words - 1) else { continue };
            let (state, name) = entry.split_at(at);
            let name = name.strip_prefix(' ').unwrap_or(name).to_owned();
            status.files.insert(name, File { state: state.to_owned(), stamp: None });
        }
        status
    }

    /// Returns the files that differ otherwise than they did `before`.
    pub fn changed_since(&self, before: &Self) -> BTreeSet<String> {
        let now = self.files.iter().filter(|(name, file)| before.files.get(*name) != Some(file));
        let gone = before.files.keys().filter(|name| !self.files.contains_key(*name));
        now.map(|(name, _)| name).chain(gone).cloned().collect()
    }

    /// Returns whether there was too much to read.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }
}

fn stamp(path: &Path) -> Option<(u64, i64, i64, u64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.len(), found.mtime(), found.mtime_nsec(), found.ino()))
}

#[cfg(test)]
mod tests;
