//! The configuration: where it lives, what it says, how it is changed.
//!
//! The text is read into [`raw`] values as written, [`resolve`] judges them field by field and keeps every problem,
//! and [`place`] finds the line and column of each. [`source`] serves the result again until the file changes,
//! [`changes`] tells when it may have; [`edit`] changes the file without touching what it is not asked to;
//! [`escalation`] says what a session may not change.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::place::Places;
use crate::config::raw::{Node, SyntaxProblem};
use crate::config::resolve::Base;
use crate::config::section::Finding;
use crate::model::{Agent, Group, Settings};
use crate::project::regular::read_head;

mod begin;
pub mod changes;
pub mod edit;
pub mod escalation;
pub mod paths;
mod place;
mod raw;
mod resolve;
mod section;
pub mod settings;
pub mod source;

pub use begin::begin;
pub use source::Source;

/// Largest agents file, in bytes: far beyond a thousand agents with long instructions.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// What the agents file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// Agents that can be used, in file order.
    pub agents: Vec<Agent>,
    /// Agents that cannot, and why: the key as it is written, and every problem with it.
    pub broken: BTreeMap<String, Vec<Problem>>,
    /// Groups, in file order.
    pub groups: Vec<Group>,
    /// Settings.
    pub settings: Settings,
    /// What has no effect or an unexpected one: unknown keys, unknown permission modes.
    pub warnings: Vec<Problem>,
}

/// One thing wrong with the agents file, and where. Displayed as `line:column: key: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1 in characters.
    pub column: usize,
    /// The way to the value, such as `agents.infra.timeout`; empty for the file as a whole.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// An agents file that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: the agents file cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than any agents file should be.
    #[error("{}: the agents file is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        limit: usize,
    },
    /// It is written in another encoding.
    #[error("{}: the agents file is not UTF-8 (byte {at}): save it as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Where the first byte stands that is not UTF-8, counted from 0.
        at: usize,
    },
    /// It is not YAML.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// Something outside agents is wrong: settings, groups, the top of the file.
    #[error("{}", listed(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with the file, agents included, in file order.
        problems: Vec<Problem>,
    },
}

impl Config {
    /// Returns the configuration of a file that says nothing.
    pub fn empty(path: PathBuf) -> Self {
        Self {
            path,
            agents: Vec::new(),
            broken: BTreeMap::new(),
            groups: Vec::new(),
            settings: Settings::default(),
            warnings: Vec::new(),
        }
    }

    /// Returns the agent of this name, if it can be used.
    pub fn agent(&self, name: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.name.as_str() == name)
    }

    /// Returns the names of the agents that can be used, in file order.
    pub fn names(&self) -> Vec<String> {
        self.agents.iter().map(|agent| agent.name.to_string()).collect()
    }

    /// Returns what is wrong with the agent of this name, when it is there and cannot be used.
    pub fn why_broken(&self, name: &str) -> Option<String> {
        let problems = self.broken.get(name)?;
        let each = problems.iter().map(|problem| format!("{}:{problem}", self.path.display()));
        Some(each.collect::<Vec<_>>().join("; "))
    }

    /// Returns the group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name.as_str() == name)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Reads the agents file at `path`, an absolute path; `home` is what `~` stands for in it. A file that does not exist
/// or says nothing is an empty configuration.
pub fn load(path: &Path, home: &Path) -> Result<Config, ConfigError> {
    match read(path)? {
        Some(bytes) => parse(path, home, &bytes),
        None => Ok(Config::empty(path.to_owned())),
    }
}

/// Returns the bytes of the file, nothing when there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    let head = read_head(path, FILE_BYTES_MAX)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    match head {
        Some(head) if head.truncated => {
            Err(ConfigError::TooLarge { path: path.to_owned(), limit: FILE_BYTES_MAX })
        }
        head => Ok(head.map(|head| head.bytes)),
    }
}

fn parse(path: &Path, home: &Path, bytes: &[u8]) -> Result<Config, ConfigError> {
    let text = decode(path, bytes)?;
    let root = Node::parse(text).map_err(|problem| syntax(path, problem))?;
    let base = Base { folder: path.parent().unwrap_or(Path::new("/")), home };
    let resolve::Resolved { agents, broken, groups, settings, outside } = resolve::resolve(&root, base);
    // Places cost a second parse; most files have nothing to report.
    let mut places = None;
    let mut placed = |findings: Vec<Finding>| -> Vec<Problem> {
        let mut problems: Vec<Problem> = findings
            .into_iter()
            .take(PROBLEMS_MAX)
            .map(|finding| {
                let (line, column) =
                    places.get_or_insert_with(|| Places::new(text)).find(&finding.trail, finding.spot);
                Problem { line, column, key: finding.trail.to_string(), message: finding.message }
            })
            .collect();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    };
    if !outside.problems.is_empty() {
        let all = outside.problems.into_iter().chain(broken.into_values().flatten()).collect();
        return Err(ConfigError::Invalid { path: path.to_owned(), problems: placed(all) });
    }
    let broken = broken.into_iter().map(|(name, findings)| (name, placed(findings))).collect();
    let warnings = placed(outside.warnings);
    Ok(Config { path: path.to_owned(), agents, broken, groups, settings, warnings })
}

/// Most problems that are reported of one agent, or of the rest of the file: nobody reads further.
const PROBLEMS_MAX: usize = 200;

/// Returns the text of the file without its byte order mark.
fn decode<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ConfigError::NotUtf8 { path: path.to_owned(), at: error.valid_up_to() })?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
}

/// What some editors put in front of UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

fn syntax(path: &Path, problem: SyntaxProblem) -> ConfigError {
    let (line, column) = problem.place.unwrap_or((1, 1));
    ConfigError::Syntax { path: path.to_owned(), line, column, message: problem.message }
}

fn listed(path: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
