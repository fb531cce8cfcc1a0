//! Why an edit was not made.

use std::io;
use std::path::PathBuf;

use crate::config::edit::Subject;
use crate::config::escalation::Widening;
use crate::config::{ConfigError, Problem};
use crate::model::absent::{in_brief, nearest, there_is_no};

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
    #[error("{subject} exists already")]
    Duplicate {
        /// What exists.
        subject: Subject,
    },
    /// There is no such thing.
    #[error("{}", absent(what, name, available))]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// The name, as it was given.
        name: String,
        /// Everything of its kind, in file order.
        available: Vec<String>,
    },
    /// The request itself cannot be read.
    #[error("{}", .0.message)]
    Misread(Misread),
    /// Several things are wrong with what was asked for.
    #[error("{}", each(errors))]
    Several {
        /// Each of them.
        errors: Vec<EditError>,
    },
    /// Nothing was to be changed.
    #[error("nothing to change: name at least one field of {subject}")]
    NothingToChange {
        /// What was to be changed.
        subject: Subject,
    },
    /// Sessions may not edit the file.
    #[error(
        "{}: sessions may not change the configuration here (`settings.mcp_config_edits: deny`)",
        path.display()
    )]
    Denied {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        asked: Asked,
    },
    /// Sessions may not make this edit.
    #[error("a session may not make this change: {}", widenings(widened))]
    Escalates {
        /// What was asked for.
        asked: Asked,
        /// What it would widen, and what a person can type instead.
        widened: Vec<Widening>,
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

/// An edit that a session asked for, without its values: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What it is about.
    pub subject: Subject,
    /// What was to be done with it: `add`, `remove` or `update`.
    pub verb: &'static str,
    /// The keys that were to be set or cleared.
    pub keys: Vec<String>,
}

/// What is wrong with the arguments of a request, in the words of whoever reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    /// A stable word that programs can match on.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl EditError {
    /// Returns what a session asked for and was refused, if that is why the edit was not made.
    pub const fn refused(&self) -> Option<&Asked> {
        match self {
            Self::Denied { asked, .. } | Self::Escalates { asked, .. } => Some(asked),
            _ => None,
        }
    }

    /// Returns one error of all of these.
    pub(super) fn together(mut errors: Vec<Self>) -> Self {
        match errors.pop() {
            Some(only) if errors.is_empty() => only,
            last => Self::Several { errors: errors.into_iter().chain(last).collect() },
        }
    }

    /// Returns an error about one value that is not in the file yet.
    pub(super) fn invalid(key: impl Into<String>, message: impl Into<String>) -> Self {
        let problem = Problem { line: 1, column: 1, key: key.into(), message: message.into() };
        Self::Invalid { problems: vec![problem] }
    }
}

fn said(problems: &[Problem]) -> String {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect();
    lines.join("\n")
}

fn each(errors: &[EditError]) -> String {
    let lines: Vec<String> = errors
        .iter()
        .map(|error| match error {
            // What there is instead would be the same in every line.
            EditError::Unknown { what, name, available } => in_brief(what, name, available),
            error => error.to_string(),
        })
        .collect();
    lines.join("\n")
}

fn widenings(widened: &[Widening]) -> String {
    widened.iter().map(|widening| widening.what.as_str()).collect::<Vec<_>>().join("; ")
}

/// Says what is not there. There are so many settings that they are listed only where none is near.
fn absent(what: &str, name: &str, available: &[String]) -> String {
    if what == "setting" && nearest(name, available).is_some() {
        return in_brief(what, name, available);
    }
    there_is_no(what, name, available)
}
