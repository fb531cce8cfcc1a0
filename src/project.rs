//! What a directory is: its instructions, its tools and databases, its MCP servers, its commit, and one line about it.
//!
//! Everything here is read from files that others write: bounded, never blocking, and nothing is ever run.

use std::io;
use std::path::{Path, PathBuf};

mod describe;
mod detect;
mod git;
mod memo;
mod preview;
mod program;
pub mod regular;
mod trust;
mod watch;

pub use git::{Checkout, GitHead, checkout};
pub use memo::Memo;
pub use preview::{PREVIEW_LINES_MAX, Preview, preview};
pub use program::find_program;
pub use trust::{allow_rules, is_trusted};

use watch::Watch;

/// Whether a session can run in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It can.
    Healthy,
    /// There is no such directory.
    Missing,
    /// It is there, but may not be entered or looked at.
    Unreadable,
}

/// What is known of a directory. Of one that is not healthy, nothing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The directory.
    pub directory: PathBuf,
    /// Whether a session can run there.
    pub health: Health,
    /// Whether there is a `CLAUDE.md`.
    pub has_claude_md: bool,
    /// Whether there is a `README.md`.
    pub has_readme: bool,
    /// Whether there is an `.mcp.json`.
    pub has_mcp_config: bool,
    /// Whether its own settings allow tools by themselves (`permissions.allow`).
    pub has_allow_rules: bool,
    /// Names of the MCP servers its files configure, in file order, each once.
    pub mcp_servers: Vec<String>,
    /// What it is built with.
    pub stacks: Vec<&'static str>,
    /// How its databases are kept.
    pub dbs: Vec<&'static str>,
    /// What is checked out there; nothing outside a repository.
    pub git: Option<GitHead>,
    /// One line about it.
    pub description: String,
}

/// A directory that cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Nothing is there.
    #[error("the directory `{}` does not exist", directory.display())]
    Missing {
        /// The directory.
        directory: PathBuf,
    },
    /// It is something else.
    #[error("`{}` is not a directory", directory.display())]
    NotADirectory {
        /// The path.
        directory: PathBuf,
    },
    /// It may not be entered or looked at.
    #[error("the directory `{}` cannot be read", directory.display())]
    Unreadable {
        /// The directory.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ProjectError {
    /// Returns what this says of the directory's health.
    pub const fn health(&self) -> Health {
        match self {
            Self::Missing { .. } | Self::NotADirectory { .. } => Health::Missing,
            Self::Unreadable { .. } => Health::Unreadable,
        }
    }
}

impl Facts {
    fn unhealthy(directory: &Path, health: Health) -> Self {
        Self {
            directory: directory.to_owned(),
            health,
            has_claude_md: false,
            has_readme: false,
            has_mcp_config: false,
            has_allow_rules: false,
            mcp_servers: Vec::new(),
            stacks: Vec::new(),
            dbs: Vec::new(),
            git: None,
            description: String::new(),
        }
    }

    /// Returns whether a session can run there.
    pub fn is_healthy(&self) -> bool {
        self.health == Health::Healthy
    }
}

/// Looks at a directory. Files in it that cannot be read or understood count as absent.
pub fn inspect(directory: &Path) -> Result<Facts, ProjectError> {
    look(directory, &mut Watch::default())
}

fn look(directory: &Path, watch: &mut Watch) -> Result<Facts, ProjectError> {
    watch.note(directory);
    check(directory)?;
    let is_file = |name: &str| directory.join(name).is_file();
    let mut facts = Facts::unhealthy(directory, Health::Healthy);
    facts.has_claude_md = is_file("CLAUDE.md");
    facts.has_readme = is_file("README.md");
    facts.has_mcp_config = is_file(".mcp.json");
    facts.has_allow_rules = detect::has_allow_rules(directory, watch);
    facts.mcp_servers = detect::mcp_servers(directory, watch);
    facts.stacks = detect::stacks(directory);
    facts.dbs = detect::databases(directory);
    facts.git = git::head(directory, watch);
    facts.description = describe::description(&facts, watch);
    Ok(facts)
}

/// Checks that a session can run in `directory`.
fn check(directory: &Path) -> Result<(), ProjectError> {
    let owned = || directory.to_owned();
    match std::fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(ProjectError::NotADirectory { directory: owned() }),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(ProjectError::Missing { directory: owned() });
        }
        Err(source) => return Err(ProjectError::Unreadable { directory: owned(), source }),
    }
    let entered = rustix::fs::access(directory, rustix::fs::Access::READ_OK | rustix::fs::Access::EXEC_OK);
    entered.map_err(|source| ProjectError::Unreadable { directory: owned(), source: source.into() })
}

#[cfg(test)]
mod tests;
