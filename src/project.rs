//! What a directory is: its instructions, its tools and databases, its MCP servers, and one line about it; and what is
//! checked out there.
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
mod top;
mod trust;
mod watch;

pub use git::{Checkout, GitHead, checkout};
pub use memo::Memo;
pub use preview::{PREVIEW_LINES_MAX, Preview, preview};
pub use program::find_program;
pub use trust::{allow_rules, is_trusted};

use top::Top;
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
            description: String::new(),
        }
    }

    /// Returns whether a session can run there.
    pub fn is_healthy(&self) -> bool {
        self.health == Health::Healthy
    }
}

/// Looks at a directory, and notes in `watch` what was read. Files in it that cannot be read or understood count as absent.
fn look(directory: &Path, watch: &mut Watch) -> Result<Facts, ProjectError> {
    let top = &mut Top::list(directory, watch)?;
    let settings = detect::settings(top);
    let mut facts = Facts::unhealthy(directory, Health::Healthy);
    facts.has_claude_md = top.has_file("CLAUDE.md");
    facts.has_readme = top.has_file("README.md");
    facts.has_mcp_config = top.has_file(".mcp.json");
    facts.has_allow_rules = detect::has_allow_rules(&settings);
    facts.mcp_servers = detect::mcp_servers(top, &settings);
    facts.stacks = detect::stacks(top);
    facts.dbs = detect::databases(top);
    facts.description = describe::description(&facts, top);
    Ok(facts)
}

#[cfg(test)]
mod tests;
