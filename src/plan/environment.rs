//! Which variables a run inherits: everything the caller has that is not a mark of the caller's own Claude session.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::model::caller::{DEPTH_VARIABLE, RUN_VARIABLE};
use crate::model::trace::{TRACE_STATE_VARIABLE, TRACE_VARIABLE};
use crate::model::{JobId, TraceParent};
use crate::plan::EnvironmentRule;

/// Variables that describe the session a process belongs to. A `claude` that inherits them believes to be a part of that
/// session: it refuses to start, keeps no transcript, or talks to the parent's editor.
const MARKERS: [&str; 12] = [
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_EFFORT",
    "CLAUDE_ENV_FILE",
    "CLAUDE_PID",
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_CODE_AGENT_ID",
    "CLAUDE_CODE_AGENT_NAME",
    "CLAUDE_CODE_TEAM_NAME",
    "AI_AGENT",
    "CLAUDE_AGENT_SDK_VERSION",
];

/// Families of such variables, by how their names begin. They are narrow on purpose: most of `CLAUDE_CODE_*` is the
/// user's configuration and must reach the run.
const MARKER_PREFIXES: [&str; 9] = [
    "CLAUDE_CODE_SESSION_",
    "CLAUDE_CODE_CHILD_",
    "CLAUDE_CODE_PARENT_",
    "CLAUDE_CODE_SSE_",
    "CLAUDE_CODE_WEBSOCKET_",
    "CLAUDE_CODE_IDE_SESSION_",
    "CLAUDE_JOB_",
    "CLAUDE_HOOK_",
    "CLAUDE_PLUGIN_",
];

/// Numbers of file descriptors that the run does not inherit.
const MARKER_SUFFIX: &str = "_FILE_DESCRIPTOR";

/// What every program needs, whatever an agent's profile lets in, and what leads a dispatch from inside of a run to the same
/// configuration and store: in another one nobody would count it, nor see that it goes in a circle.
const ALWAYS: [&str; 10] = [
    "HOME",
    "PATH",
    "USER",
    "LANG",
    "TERM",
    "TMPDIR",
    "AGENT_DISPATCH_CONFIG",
    "AGENT_DISPATCH_STATE_DIR",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
];

/// The CLI retries for three minutes by itself, even with a key that is refused; three tries take about four seconds.
const RETRIES: (&str, &str) = ("CLAUDE_CODE_MAX_RETRIES", "3");

/// The session id was promised to the caller, so the transcript must be kept.
const PERSISTENCE: (&str, &str) = ("CLAUDE_CODE_FORCE_SESSION_PERSISTENCE", "1");

/// Returns the environment of the run of `job`, which is dispatched from a process with the environment `parent` that is
/// nested in `depth` dispatches: the run is nested one deeper. What the rule sets is the user's own word and beats every
/// other rule, except for the two variables that keep dispatches from nesting without end.
pub fn child_environment(
    parent: &BTreeMap<OsString, OsString>,
    rule: &EnvironmentRule,
    job: JobId,
    depth: u32,
) -> BTreeMap<OsString, OsString> {
    let passes = |name: &OsStr| match name.to_str() {
        Some(name) => {
            let let_in =
                rule.inherit.as_ref().is_none_or(|list| ALWAYS.contains(&name) || matches_any(list, name));
            let_in && !is_marker(name) && !matches_any(&rule.deny, name)
        }
        // A name that is not UTF-8 can be named by no list.
        None => rule.inherit.is_none(),
    };
    let mut child: BTreeMap<OsString, OsString> = parent
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    child.entry(RETRIES.0.into()).or_insert_with(|| RETRIES.1.into());
    child.insert(PERSISTENCE.0.into(), PERSISTENCE.1.into());
    child.extend(rule.set.iter().map(|(name, value)| (name.into(), value.into())));
    child.insert(DEPTH_VARIABLE.into(), depth.saturating_add(1).to_string().into());
    child.insert(RUN_VARIABLE.into(), job.to_string().into());
    child
}

/// Puts the run into its trace, unless its rule denies that or sets another: what it lets in is about the caller's variables,
/// and this one is ours.
pub fn hand_on_trace(child: &mut BTreeMap<OsString, OsString>, rule: &EnvironmentRule, trace: TraceParent) {
    if rule.set.contains_key(TRACE_VARIABLE) || matches_any(&rule.deny, TRACE_VARIABLE) {
        return;
    }
    let before = child.insert(TRACE_VARIABLE.into(), trace.to_string().into());
    let before = before.and_then(|text| text.to_str()?.parse::<TraceParent>().ok());
    // What vendors note of one trace means nothing in another.
    if before.is_none_or(|before| !before.is_beside(&trace)) && !rule.set.contains_key(TRACE_STATE_VARIABLE) {
        child.remove(OsStr::new(TRACE_STATE_VARIABLE));
    }
}

/// Returns whether the variable describes the Claude session of whoever has it, or the dispatch it runs in.
pub fn is_marker(name: &str) -> bool {
    MARKERS.contains(&name)
        || MARKER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || (name.starts_with("CLAUDE_") && name.ends_with(MARKER_SUFFIX))
        || name == DEPTH_VARIABLE
        || name == RUN_VARIABLE
}

fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    })
}

#[cfg(test)]
mod tests;
