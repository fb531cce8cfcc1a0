//! What is put right before the engine opens, and how far that goes: from deleting a half-written snapshot to setting the
//! whole store aside. Nothing that may hold data is deleted.
//!
//! A panic inside the engine's open leaves its lock held by leaked threads, so the process cannot try again. It writes
//! how far the next one should go into a small file beside the store and ends. Being killed writes nothing, so it never
//! takes a store a step closer to being set aside; neither does a full disk.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::model::Timestamp;
use crate::store::database::OpenError;

/// Free space below which a failed open is blamed on the disk, not on the store, in bytes.
pub const FREE_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// How far the repair of one store has gone.
#[derive(Debug)]
pub(in crate::store) struct Repair {
    dir: PathBuf,
    stage: Stage,
    /// Whether there was no store before.
    new: bool,
    done: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Open the store as it is.
    AsIs,
    /// Open it from its log alone, once a copy of it is kept under this name. Opening changes a damaged log, and may
    /// leave nothing of it.
    WithoutSnapshots(String),
    /// Set it aside under this name and begin a new one.
    Quarantine(String),
}

impl Repair {
    /// Prepares `dir` for being opened. The caller holds the lock that makes it the only one.
    pub(in crate::store) fn begin(dir: &Path) -> Result<Self, OpenError> {
        let mut repair = Self { dir: dir.to_owned(), stage: Stage::AsIs, new: false, done: Vec::new() };
        repair.stage = repair.read_stage().map_err(io_error(&repair.marker()))?;
        if let Stage::Quarantine(name) = repair.stage.clone() {
            repair.set_store_aside(&name).map_err(io_error(dir))?;
        }
        repair.new = !dir.join("db").exists();
        make_private_dir(dir).map_err(io_error(dir))?;
        repair.delete_half_written_snapshots().map_err(io_error(dir))?;
        if let Stage::WithoutSnapshots(name) = repair.stage.clone() {
            repair.take_snapshots_away(&name).map_err(io_error(dir))?;
        }
        Ok(repair)
    }

    /// Returns whether opening without snapshots is still to be tried in this process, and prepares it.
    pub(in crate::store) fn try_without_snapshots(&mut self, now: Timestamp) -> Result<bool, OpenError> {
        if self.stage != Stage::AsIs {
            return Ok(false);
        }
        let name = self.beside("before-repair", now);
        self.stage = Stage::WithoutSnapshots(name.clone());
        self.write_stage().map_err(io_error(&self.marker()))?;
        self.take_snapshots_away(&name).map_err(io_error(&self.dir))?;
        Ok(true)
    }

    /// Notes that the store could not be opened like this, and returns the error that makes the process end. `now` names
    /// what is set aside.
    pub(in crate::store) fn next_stage(mut self, reason: String, now: Timestamp) -> OpenError {
        match free_bytes(&self.dir) {
            Ok(free) if free < FREE_BYTES_MIN => {
                return OpenError::NoSpace { path: self.dir, free, reason };
            }
            Ok(_) => {}
            Err(source) => return OpenError::Io { path: self.dir, source },
        }
        self.stage = match self.stage {
            Stage::AsIs => Stage::WithoutSnapshots(self.beside("before-repair", now)),
            Stage::WithoutSnapshots(_) => Stage::Quarantine(self.beside("corrupt", now)),
            Stage::Quarantine(_) => return OpenError::Hopeless { path: self.dir, reason },
        };
        match self.write_stage() {
            Ok(()) => OpenError::Restart { path: self.dir, reason },
            Err(source) => OpenError::Io { path: self.marker(), source },
        }
    }

    /// Ends the repair of a store that is open: tightens its files, makes its directory entries durable, forgets the
    /// stage. Returns where an unopenable store was set aside, if the one that is open is a new one, and what was done in
    /// words. `empty` tells that not even the store's format was found in it.
    pub(in crate::store) fn finish(self, empty: bool) -> Result<(Option<PathBuf>, Vec<String>), OpenError> {
        self.settle().map_err(io_error(&self.dir))?;
        let quarantined = match self.stage {
            Stage::Quarantine(name) => Some(name),
            // Without its snapshots a damaged log may read as if nothing had ever been written.
            Stage::WithoutSnapshots(name) if empty => Some(name),
            Stage::WithoutSnapshots(_) | Stage::AsIs => None,
        };
        Ok((quarantined.map(|name| self.dir.with_file_name(name)), self.done))
    }

    fn settle(&self) -> io::Result<()> {
        for (_, path) in entries(&self.dir)? {
            make_private(&path)?;
        }
        // Syncing directories costs several milliseconds, which an ordinary start must not.
        let changed = self.new || !self.done.is_empty();
        if changed {
            sync_dir(&self.dir)?;
        }
        remove_if_there(&self.marker())?;
        if changed {
            sync_dir(parent(&self.dir))?;
        }
        Ok(())
    }

    /// Deletes `snap.*.generating`: the engine would take one for its newest snapshot and never open again.
    fn delete_half_written_snapshots(&mut self) -> io::Result<()> {
        for (name, path) in entries(&self.dir)? {
            if name.starts_with("snap.") && name.ends_with(".generating") {
                fs::remove_file(path)?;
                self.done.push(format!("deleted the half-written snapshot {name}"));
            }
        }
        Ok(())
    }

    /// Keeps a copy of the store and takes away the engine's snapshots and parameters: it makes both again, from its log
    /// and from defaults.
    fn take_snapshots_away(&mut self, name: &str) -> io::Result<()> {
        let copy = self.dir.with_file_name(name);
        if !copy.exists() {
            copy_files(&self.dir, &copy)?;
            sync_dir(parent(&self.dir))?;
        }
        for (name, path) in entries(&self.dir)? {
            if name.starts_with("snap.") || name == "conf" {
                fs::remove_file(path)?;
            }
        }
        self.done.push(format!("read the store from its log alone, and kept it as it was in {name}"));
        sync_dir(&self.dir)
    }

    /// Renames the store's directory, unless an earlier process that was killed has done so.
    fn set_store_aside(&mut self, name: &str) -> io::Result<()> {
        let aside = self.dir.with_file_name(name);
        if !aside.exists() && self.dir.exists() {
            fs::rename(&self.dir, &aside)?;
            sync_dir(parent(&self.dir))?;
        }
        self.done.push(format!("set the unopenable store aside as {name} and began a new one"));
        Ok(())
    }

    /// Returns the name of a directory beside the store.
    fn beside(&self, what: &str, now: Timestamp) -> String {
        format!("{}.{what}-{}", file_name(&self.dir), now.rfc3339().replace(':', "-"))
    }

    /// The file that holds the stage.
    fn marker(&self) -> PathBuf {
        self.dir.with_file_name(format!("{}.repair", file_name(&self.dir)))
    }

    fn read_stage(&self) -> io::Result<Stage> {
        let text = match fs::read_to_string(self.marker()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stage::AsIs),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(Stage::AsIs),
            read => read?,
        };
        let own = |name: &str| name.starts_with(&format!("{}.", file_name(&self.dir))) && !name.contains('/');
        Ok(match text.trim_end().split_once(' ') {
            Some(("without-snapshots", name)) if own(name) => Stage::WithoutSnapshots(name.to_owned()),
            Some(("quarantine", name)) if own(name) => Stage::Quarantine(name.to_owned()),
            // A marker that says nothing clear must not cost anybody a store.
            None | Some(_) => Stage::AsIs,
        })
    }

    fn write_stage(&self) -> io::Result<()> {
        let text = match &self.stage {
            Stage::AsIs => return remove_if_there(&self.marker()),
            Stage::WithoutSnapshots(name) => format!("without-snapshots {name}\n"),
            Stage::Quarantine(name) => format!("quarantine {name}\n"),
        };
        let mut file = tempfile::NamedTempFile::new_in(parent(&self.dir))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.marker()).map_err(|error| error.error)?;
        sync_dir(parent(&self.dir))
    }
}

/// Returns what was set aside beside the store in `dir`, with the bytes that it takes up; what cannot be read is left out.
pub fn set_aside(dir: &Path) -> Vec<(PathBuf, u64)> {
    let kinds = ["before-repair-", "corrupt-"].map(|kind| format!("{}.{kind}", file_name(dir)));
    let beside = entries(parent(dir)).unwrap_or_default().into_iter();
    let aside = beside.filter(|(name, _)| kinds.iter().any(|kind| name.starts_with(kind)));
    let mut found: Vec<(PathBuf, u64)> = aside.map(|(_, path)| (path.clone(), bytes_under(&path))).collect();
    found.sort_unstable();
    found
}

/// Returns the bytes of all files under `path`, links not followed; what cannot be read has none.
pub fn bytes_under(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            entries(path).unwrap_or_default().iter().map(|(_, path)| bytes_under(path)).sum()
        }
        Ok(found) => found.len(),
        Err(_) => 0,
    }
}

fn entries(dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    fs::read_dir(dir)?
        .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
        .collect()
}

/// Copies the files of a directory into a new one, which appears when it is complete.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    let partial = to.with_file_name(format!("{}.partial", file_name(from)));
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    make_private_dir(&partial)?;
    let copied =
        entries(from)?.into_iter().filter(|(_, path)| path.is_file()).try_for_each(|(name, path)| {
            let copy = partial.join(name);
            fs::copy(path, &copy)?;
            make_private(&copy)?;
            File::open(copy)?.sync_all()
        });
    match copied {
        Ok(()) => fs::rename(partial, to),
        Err(error) => {
            // Half a copy is of no use, and the disk may be full.
            drop(fs::remove_dir_all(partial));
            Err(error)
        }
    }
}

fn make_private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    make_private(dir)
}

fn make_private(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let private = if metadata.is_dir() { 0o700 } else { 0o600 };
    if metadata.permissions().mode() & 0o777 == private {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(private))
}

/// Returns the free bytes on the disk of `dir`.
pub fn free_bytes(dir: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(dir)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn parent(dir: &Path) -> &Path {
    dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn file_name(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

#[cfg(test)]
mod tests;
