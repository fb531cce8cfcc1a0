//! Whether the user has told Claude Code that a directory may be trusted.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::project::regular::read_head;

/// Largest file of Claude Code's own state that is read: it keeps histories of every project.
const STATE_BYTES_MAX: usize = 32 << 20;

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    projects: BTreeMap<String, Project>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default, rename = "hasTrustDialogAccepted")]
    accepted: Option<bool>,
}

/// Returns whether `directory` is trusted: it or a directory above it has been accepted. Nothing when Claude Code has
/// never asked, or its state, the file `state`, cannot be understood.
pub fn is_trusted(directory: &Path, state: &Path) -> Option<bool> {
    let head = read_head(state, STATE_BYTES_MAX).ok()??;
    let state: State = serde_json::from_slice(&head.bytes).ok()?;
    let answer = |path: &Path| state.projects.get(path.to_str()?)?.accepted;
    // Sessions are named after the directory with its links followed, so either spelling may have been recorded.
    let followed = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let mut answers = directory.ancestors().chain(followed.ancestors()).filter_map(answer);
    let first = answers.next()?;
    Some(first || answers.any(|accepted| accepted))
}

/// Largest file of a project's own settings that is read.
const SETTINGS_BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize)]
struct OwnSettings {
    permissions: OwnPermissions,
}

#[derive(Deserialize)]
struct OwnPermissions {
    allow: Vec<String>,
}

/// Returns what the project's own settings allow its sessions. In a directory that is not trusted, none of it holds.
pub fn allow_rules(directory: &Path) -> Vec<String> {
    let rules = |name: &str| {
        let head = read_head(&directory.join(".claude").join(name), SETTINGS_BYTES_MAX).ok()??;
        let settings: OwnSettings = serde_json::from_slice(&head.bytes).ok()?;
        Some(settings.permissions.allow)
    };
    ["settings.json", "settings.local.json"].into_iter().filter_map(rules).flatten().collect()
}

#[cfg(test)]
mod tests;
