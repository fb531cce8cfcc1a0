//! What should be gone: processes and folders of dispatches that are over, stores that were set aside, servers of builds
//! that were replaced.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::doctor::finding::Finding;
use crate::cli::render::size;
use crate::model::JobId;
use crate::model::shell;
use crate::runner::RunFolder;

const SESSIONS: &str = "sessions";
const LEFTOVERS: &str = "leftovers";

/// A process of this program that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Its number.
    pub(super) pid: u32,
    /// Whether it is the daemon; else it serves a session.
    pub(super) daemon: bool,
    /// What it runs when that is not this very build.
    pub(super) other: Option<String>,
}

/// A process that belongs to a dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunProcess {
    /// Its number.
    pub(super) pid: u32,
    /// Its command.
    pub(super) command: String,
    /// The dispatch.
    pub(super) run: JobId,
}

/// What is known of what could be left over.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Processes of this program.
    pub(super) servers: Vec<Server>,
    /// Processes of dispatches.
    pub(super) processes: Vec<RunProcess>,
    /// Run folders that are older than a start takes.
    pub(super) folders: Vec<(JobId, PathBuf)>,
    /// Dispatches that have not ended.
    pub(super) living: BTreeSet<JobId>,
    /// Run folders that are kept, for what is in them could not be taken in.
    pub(super) kept: Vec<RunFolder>,
    /// Stores that were set aside, and their sizes.
    pub(super) set_aside: Vec<(PathBuf, u64)>,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = sessions(&facts.servers);
    let mut left = Vec::new();
    left.extend(processes(facts));
    left.extend(folders(facts));
    left.extend(kept(&facts.kept));
    left.extend(facts.set_aside.iter().map(|(path, bytes)| set_aside(path, *bytes)));
    if left.is_empty() {
        left.push(Finding::ok(LEFTOVERS, "none"));
    }
    found.append(&mut left);
    found
}

fn sessions(servers: &[Server]) -> Vec<Finding> {
    let serving = servers.iter().filter(|server| !server.daemon);
    let (old, current): (Vec<&Server>, Vec<&Server>) = serving.partition(|server| server.other.is_some());
    let counted = |count: usize| match count {
        0 => "no session is".to_owned(),
        1 => "1 session is".to_owned(),
        count => format!("{count} sessions are"),
    };
    let mut found = vec![Finding::ok(SESSIONS, format!("{} served by this build", counted(current.len())))];
    if !old.is_empty() {
        let pids: Vec<String> = old.iter().map(|server| server.pid.to_string()).collect();
        let message = format!("{} served by another build: restart them", counted(old.len()));
        let details = old
            .iter()
            .map(|server| format!("process {}: {}", server.pid, server.other.as_deref().unwrap_or_default()));
        let told =
            "Claude Code starts the server again when it next needs it; calls that wait in it are cut off.";
        let finding =
            Finding::warn(SESSIONS, message).details(details.chain([told.to_owned()]).collect::<Vec<_>>());
        found.push(finding.fix(format!("kill {}", pids.join(" "))));
    }
    let daemons = servers.iter().filter(|server| server.daemon);
    for (server, other) in daemons.filter_map(|server| Some((server, server.other.as_ref()?))) {
        let message = format!("the daemon (process {}) is of another build", server.pid);
        let told = "The next command starts one of this build; work that is under way goes on.";
        let finding = Finding::warn(SESSIONS, message).details([other.clone(), told.to_owned()]);
        found.push(finding.fix("agent-dispatch daemon stop"));
    }
    found
}

fn processes(facts: &Facts) -> Option<Finding> {
    let left: Vec<&RunProcess> =
        facts.processes.iter().filter(|process| !facts.living.contains(&process.run)).collect();
    let pids: Vec<String> = left.iter().map(|process| process.pid.to_string()).collect();
    let details = left.iter().map(|it| format!("process {} ({}) of dispatch {}", it.pid, it.command, it.run));
    (!left.is_empty()).then(|| {
        Finding::warn(LEFTOVERS, "processes of dispatches that are over are still running")
            .details(details.collect::<Vec<_>>())
            .fix(format!("kill -9 {}", pids.join(" ")))
    })
}

fn folders(facts: &Facts) -> Option<Finding> {
    let left: Vec<&Path> = facts
        .folders
        .iter()
        .filter(|(job, _)| !facts.living.contains(job))
        .map(|(_, path)| path.as_path())
        .collect();
    let details = left.iter().map(|path| path.display().to_string()).take(DETAILS_MAX);
    (!left.is_empty()).then(|| {
        // A daemon that starts removes those of jobs that have ended, whose answers it has; others go when jobs of their
        // age do.
        let kept = "The folder of a dispatch that the store does not know may hold its only answer (`stdout`): \
                    it stays for as long as finished dispatches do.";
        Finding::warn(LEFTOVERS, format!("run folders of dispatches that are over: {}", left.len()))
            .details(details.chain([kept.to_owned()]).collect::<Vec<_>>())
            .fix("agent-dispatch daemon stop && agent-dispatch gc")
    })
}

fn kept(folders: &[RunFolder]) -> Option<Finding> {
    let named = || folders.iter().take(DETAILS_MAX);
    let details = named().map(|folder| folder.stdout().display().to_string());
    let remove = named().map(|folder| shell::path(folder.path()));
    (!folders.is_empty()).then(|| {
        let message = format!("what dead workers left and could not be taken in: {}", folders.len());
        let told = "If there was an answer, it is in the line of the type `result`. `gc` removes these with their \
                    dispatches; remove them when nothing is missed.";
        Finding::warn(LEFTOVERS, message)
            .details(details.chain([told.to_owned()]).collect::<Vec<_>>())
            .fix(format!("rm -r {}", remove.collect::<Vec<_>>().join(" ")))
    })
}

/// Most folders that are named.
const DETAILS_MAX: usize = 10;

fn set_aside(path: &Path, bytes: u64) -> Finding {
    let message = format!("a damaged store was set aside: {} ({})", path.display(), size(bytes));
    Finding::warn(LEFTOVERS, message)
        .details(["What was in it and could not be read is only there. Remove it when nothing is missed."
            .to_owned()])
        .fix(format!("rm -r {}", shell::path(path)))
}

#[cfg(test)]
mod tests;
