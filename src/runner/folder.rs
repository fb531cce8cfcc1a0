//! The folder of one run, `runs/<job id>/`: the plan, and what `claude` writes, as regular files. Scratch while the
//! run goes on, and the crash record when its worker dies; never state.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::model::JobId;
use crate::plan::RunPlan;

/// End of the names of folders that are kept: none of those who clear away takes such a name for a job's.
const KEPT: &str = ".kept";

/// The folder of one run; 0700, its files 0600.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// A run folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made.
    #[error("could not create the run folder `{}`", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not exist, or cannot be looked into.
    #[error("could not open the run folder `{}`", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One of its files cannot be written.
    #[error("could not write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One of its files cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The plan is not one.
    #[error("`{}` is not a run plan", path.display())]
    BadPlan {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It cannot be given another name.
    #[error("could not rename the run folder `{}`", path.display())]
    Rename {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be removed.
    #[error("could not remove the run folder `{}`", path.display())]
    Remove {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RunFolder {
    /// Makes the folder of `job`, which must not exist yet, and the folder of all runs if need be.
    pub fn create(runs: &Path, job: JobId) -> Result<Self, FolderError> {
        let path = runs.join(job.to_string());
        let failed = |path: &Path, source| FolderError::Create { path: path.to_owned(), source };
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        // Once the first run has made it, `runs` exists; then this is one system call.
        match builder.create(&path) {
            Ok(()) => Ok(Self { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                builder.recursive(true).create(runs).map_err(|source| failed(runs, source))?;
                builder.recursive(false).create(&path).map_err(|source| failed(&path, source))?;
                Ok(Self { path })
            }
            Err(source) => Err(failed(&path, source)),
        }
    }

    /// Returns the folder at `path`, which must exist.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let failed = |source| FolderError::Open { path: path.to_owned(), source };
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Returns the jobs that have a folder in `runs`, in order of their creation; none when `runs` does not exist.
    pub fn list(runs: &Path) -> Result<Vec<JobId>, FolderError> {
        Self::list_as(runs, "")
    }

    /// Returns the jobs of which a folder is kept in `runs`, in the same order.
    pub fn list_kept(runs: &Path) -> Result<Vec<JobId>, FolderError> {
        Self::list_as(runs, KEPT)
    }

    fn list_as(runs: &Path, ending: &str) -> Result<Vec<JobId>, FolderError> {
        let failed = |source| FolderError::Open { path: runs.to_owned(), source };
        let entries = match fs::read_dir(runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut jobs = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            jobs.extend(name.to_str().and_then(|name| name.strip_suffix(ending)?.parse::<JobId>().ok()));
        }
        jobs.sort_unstable();
        Ok(jobs)
    }

    /// Keeps the folder of `job` although the job ends: what is in it could not be taken in. It takes neither space nor a
    /// file descriptor, of which there may be none.
    pub fn keep(runs: &Path, job: JobId) -> Result<Self, FolderError> {
        let (from, kept) = (runs.join(job.to_string()), Self::kept_of(runs, job));
        match fs::rename(&from, &kept.path) {
            Ok(()) => Ok(kept),
            Err(source) => Err(FolderError::Rename { path: from, source }),
        }
    }

    /// Returns the folder that is kept of `job`, if one is.
    pub fn kept(runs: &Path, job: JobId) -> Option<Self> {
        Some(Self::kept_of(runs, job)).filter(|kept| kept.path.exists())
    }

    fn kept_of(runs: &Path, job: JobId) -> Self {
        Self { path: runs.join(format!("{job}{KEPT}")) }
    }

    /// Writes the plan, which may not exist yet.
    pub fn write(&self, plan: &RunPlan) -> Result<(), FolderError> {
        let path = self.plan();
        let json = match serde_json::to_vec(plan) {
            Ok(json) => json,
            Err(source) => return Err(FolderError::BadPlan { path, source }),
        };
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = opened.and_then(|mut file| file.write_all(&json));
        written.map_err(|source| FolderError::Write { path, source })
    }

    /// Makes the files that `claude` will write, unless they are there already.
    pub fn make_outputs(&self) -> Result<(), FolderError> {
        [self.stdout(), self.stderr()].into_iter().try_for_each(|path| Self::open_output(path).map(drop))
    }

    /// Reads the plan back.
    pub fn read_plan(&self) -> Result<RunPlan, FolderError> {
        let path = self.plan();
        match fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|source| FolderError::BadPlan { path, source }),
            Err(source) => Err(FolderError::Read { path, source }),
        }
    }

    /// Opens one of the files that `claude` writes. Whoever shares it appends, so that nobody overwrites another's lines.
    pub(super) fn open_output(path: PathBuf) -> Result<File, FolderError> {
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        opened.map_err(|source| FolderError::Write { path, source })
    }

    /// Removes the folder and all that is in it; one that is gone already is no error.
    pub fn remove(self) -> Result<(), FolderError> {
        match fs::remove_dir_all(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(FolderError::Remove { path: self.path, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the plan.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// Returns the path of what `claude` writes to its standard output.
    pub fn stdout(&self) -> PathBuf {
        self.path.join("stdout")
    }

    /// Returns the path of what `claude` writes to its standard error.
    pub fn stderr(&self) -> PathBuf {
        self.path.join("stderr")
    }
}

#[cfg(test)]
mod tests;
