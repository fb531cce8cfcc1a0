//! Changes to the agents file: under a lock, atomic, and touching nothing but what they are asked to.
//!
//! Every edit is done twice, on the text and on the values it stands for; it is written only if reading the new text
//! gives the values that were meant. So a file that the text editor misunderstands is refused, never damaged.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError, Problem, nearest, parse, resolve};
use crate::model::Agent;

mod fields;
mod file;
mod rewrite;

pub use fields::{Change, Fields};

use file::{Locked, Opened};
use rewrite::Edit;

/// An agent to add.
#[derive(Debug, Clone, Default)]
pub struct NewAgent {
    /// Its name.
    pub name: String,
    /// The directory it works in, which must exist: absolute or beginning with `~/`, written as it is given.
    pub directory: PathBuf,
    /// Everything else.
    pub fields: Fields,
}

/// What an edit did.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// The agent's name.
    pub name: String,
    /// The keys that were set or cleared, in the file's order; empty for an agent that was added or removed.
    pub changed: Vec<&'static str>,
    /// The agent as it was written before; nothing when it was added.
    pub before: Option<String>,
    /// The agent as it is written now; nothing when it was removed.
    pub after: Option<String>,
    /// The agent as it is in force now; nothing when it was removed.
    pub agent: Option<Agent>,
}

/// An edit that was not made; the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file is wrong already.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What is to be written is wrong.
    #[error("{}", said(problems))]
    Invalid {
        /// Everything that is wrong with it; the places are those in the text that was not written.
        problems: Vec<Problem>,
    },
    /// The directory is not there.
    #[error("`{}` is not an existing directory", directory.display())]
    NoDirectory {
        /// The directory, `~` replaced.
        directory: PathBuf,
    },
    /// The directory depends on where one stands.
    #[error("`{}` is not an absolute path, nor does it begin with `~/`", directory.display())]
    RelativeDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// The name is taken.
    #[error(
        "agent `{name}` exists already: change it with `agent-dispatch update {name}`, or take it out first with `agent-dispatch remove {name}`"
    )]
    Duplicate {
        /// The name.
        name: String,
    },
    /// There is no such agent.
    #[error("there is no agent `{name}`{}", known(*guess, available))]
    Unknown {
        /// The name, as it was given.
        name: String,
        /// The nearest name that exists, as a place in `available`.
        guess: Option<usize>,
        /// Every agent in the file, in file order.
        available: Vec<String>,
    },
    /// Nothing was to be changed.
    #[error("nothing to change: name at least one field of agent `{name}`")]
    NothingToChange {
        /// The agent.
        name: String,
    },
    /// Somebody else edits the file.
    #[error("`{}` is held by another edit for longer than {waited_ms} ms", lock.display())]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// How long the lock was waited for.
        waited_ms: u64,
    },
    /// Somebody changed the file without taking the lock.
    #[error("{}: the agents file was changed by another program while it was being edited", path.display())]
    ChangedMeanwhile {
        /// The file.
        path: PathBuf,
    },
    /// The text cannot be edited so that it means what it should.
    #[error("{}: cannot be edited safely ({reason}): change it by hand", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What stands in the way.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// Adds an agent to the file at `path`, which is made when there is none; `home` is what `~` stands for.
pub fn add_agent(path: &Path, home: &Path, new: &NewAgent) -> Result<Edited, EditError> {
    let NewAgent { name, directory, fields } = new;
    if let Err(message) = resolve::name(name) {
        let problem = Problem { line: 1, column: 1, key: "name".to_owned(), message };
        return Err(EditError::Invalid { problems: vec![problem] });
    }
    let absolute = crate::config::paths::expand_home(directory, home);
    if !absolute.is_absolute() {
        return Err(EditError::RelativeDirectory { directory: directory.clone() });
    }
    if !absolute.is_dir() {
        return Err(EditError::NoDirectory { directory: absolute });
    }
    let Some(directory) = directory.to_str() else {
        return Err(EditError::NoDirectory { directory: absolute });
    };
    let edit = Edit::Add { name: name.clone(), fields: fields.with_directory(directory) };
    change(path, home, &edit)
}

/// Removes an agent; groups keep the name. Agents that cannot be used can be removed too.
pub fn remove_agent(path: &Path, home: &Path, name: &str) -> Result<Edited, EditError> {
    change(path, home, &Edit::Remove { name: name.to_owned() })
}

/// Changes the fields of an agent.
pub fn update_agent(path: &Path, home: &Path, name: &str, fields: &Fields) -> Result<Edited, EditError> {
    let fields = fields.changes();
    if fields.is_empty() {
        return Err(EditError::NothingToChange { name: name.to_owned() });
    }
    change(path, home, &Edit::Update { name: name.to_owned(), fields })
}

fn change(path: &Path, home: &Path, edit: &Edit) -> Result<Edited, EditError> {
    let locked = Locked::take(path, file::LOCK_WAIT)?;
    let opened = Opened::read(path)?;
    // The file must be right as far as it is not about single agents: an edit cannot make sense of it otherwise.
    parse(path, home, opened.bytes())?;
    let (mark, text) = opened.text()?;
    check_name(text, edit)?;
    let refused = |reason| EditError::Unsafe { path: path.to_owned(), reason };
    let done = rewrite::rewrite(text, edit).map_err(refused)?;
    let config = parse(path, home, done.text.as_bytes())?;
    let agent = in_force(&config, edit)?;
    opened.replace(&locked, &format!("{mark}{}", done.text))?;
    let changed = match edit {
        Edit::Update { fields, .. } => fields.iter().map(|(key, _)| *key).collect(),
        Edit::Add { .. } | Edit::Remove { .. } => Vec::new(),
    };
    Ok(Edited { name: edit.name().to_owned(), changed, before: done.before, after: done.after, agent })
}

/// Refuses to add what exists and to change what does not.
fn check_name(text: &str, edit: &Edit) -> Result<(), EditError> {
    let available = rewrite::agent_names(text);
    let name = edit.name();
    let exists = available.iter().any(|known| known == name);
    match edit {
        Edit::Add { .. } if exists => Err(EditError::Duplicate { name: name.to_owned() }),
        Edit::Add { .. } => Ok(()),
        Edit::Remove { .. } | Edit::Update { .. } if exists => Ok(()),
        Edit::Remove { .. } | Edit::Update { .. } => {
            let names: Vec<&str> = available.iter().map(String::as_str).collect();
            let guess = nearest(name, &names).and_then(|near| names.iter().position(|known| *known == near));
            Err(EditError::Unknown { name: name.to_owned(), guess, available })
        }
    }
}

/// Returns the edited agent as the new text defines it.
fn in_force(config: &Config, edit: &Edit) -> Result<Option<Agent>, EditError> {
    if let Edit::Remove { .. } = edit {
        return Ok(None);
    }
    match config.broken.get(edit.name()) {
        Some(problems) => Err(EditError::Invalid { problems: problems.clone() }),
        None => Ok(config.agent(edit.name()).cloned()),
    }
}

fn said(problems: &[Problem]) -> String {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect();
    lines.join("\n")
}

fn known(guess: Option<usize>, available: &[String]) -> String {
    match guess.and_then(|guess| available.get(guess)) {
        Some(guess) => format!(": did you mean `{guess}`?"),
        None if available.is_empty() => ": none is configured".to_owned(),
        None => format!(": there are {}", available.join(", ")),
    }
}

#[cfg(test)]
mod tests;
