//! The registration with Claude Code, and the program itself where it is looked for by name.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::audit::redact::one_line;
use crate::cli::args::Scope;
use crate::cli::doctor::claude::Answer;
use crate::cli::doctor::finding::Finding;
use crate::cli::registration::{self, Connection, Flaw};
use crate::model::shell;

const SECTION: &str = "registration";

/// What is known of the registration.
#[derive(Debug)]
pub(super) struct Facts {
    /// This program.
    pub(super) program: PathBuf,
    /// What `agent-dispatch` is on the `PATH`.
    pub(super) on_path: Option<PathBuf>,
    /// The entry that is in force here, where it is kept, and what is wrong with it.
    pub(super) entry: Option<(Scope, Value, Vec<Flaw>)>,
    /// What `claude mcp get` says; nothing when it was not asked.
    pub(super) tried: Option<Answer>,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    vec![found_by_name(&facts.program, facts.on_path.as_deref()), entry(facts)]
}

fn found_by_name(program: &Path, on_path: Option<&Path>) -> Finding {
    let folder = program.parent().unwrap_or(Path::new("/"));
    let fix = format!("export PATH={}:\"$PATH\"", shell::path(folder));
    match on_path {
        None => {
            Finding::warn(SECTION, format!("`agent-dispatch` is not on the PATH ({})", program.display()))
                .fix(fix)
        }
        Some(other) if other.canonicalize().ok() != program.canonicalize().ok() => {
            let message =
                format!("`agent-dispatch` on the PATH is another program than this one: {}", other.display());
            Finding::warn(SECTION, message).details([format!("this one: {}", program.display())]).fix(fix)
        }
        Some(found) => {
            let version = env!("CARGO_PKG_VERSION");
            Finding::ok(SECTION, format!("agent-dispatch {version} ({})", found.display()))
        }
    }
}

fn entry(facts: &Facts) -> Finding {
    const FIX: &str = "agent-dispatch init";
    let connection = |said: &Answer| match said {
        Ok(said) if said.went_well() => Some(registration::connection(&said.stdout)),
        Ok(_) | Err(_) => None,
    };
    let connection = facts.tried.as_ref().and_then(connection);
    let Some((scope, _, flaws)) = &facts.entry else {
        // A plug-in or an administrator may have registered it elsewhere.
        return if matches!(connection, Some(Connection::Connected | Connection::Unknown)) {
            Finding::ok(SECTION, "Claude Code knows this program, from a place of its own")
        } else {
            Finding::warn(SECTION, "Claude Code does not know this program").fix(FIX)
        };
    };
    let place = scope.as_str();
    let fix = if *scope == Scope::User { FIX.to_owned() } else { format!("{FIX} --scope {place}") };
    if !flaws.is_empty() {
        let message = format!("the registration ({place} scope) is not as it should be");
        let unusable = flaws.iter().any(|flaw| matches!(flaw, Flaw::Missing(_)));
        let found = if unusable { Finding::fail(SECTION, message) } else { Finding::warn(SECTION, message) };
        return found.details(flaws.iter().map(ToString::to_string)).fix(fix);
    }
    match (connection, &facts.tried) {
        (Some(Connection::Failed), Some(Ok(said))) => {
            let status = said.stdout.lines().find(|line| line.contains("Status:")).unwrap_or_default();
            Finding::fail(SECTION, "Claude Code cannot start this program")
                .details([one_line(status, 300)])
                .fix(fix)
        }
        (None, Some(answer)) => {
            let why = match answer {
                Ok(said) => one_line(said.last_words(), 500),
                Err(error) => crate::model::with_causes(error),
            };
            Finding::warn(SECTION, "Claude Code could not be asked about the registration")
                .details([why])
                .fix(fix)
        }
        (Some(Connection::Pending), _) => {
            Finding::warn(SECTION, format!("the registration ({place} scope) waits for your consent"))
                .fix("claude")
        }
        _ => Finding::ok(SECTION, format!("Claude Code knows this program ({place} scope)")),
    }
}

#[cfg(test)]
mod tests;
