//! The settings: what holds for every agent and for the program itself.

use std::path::PathBuf;

use crate::config::raw::Node;
use crate::config::resolve::{BUDGET_KEYS, Base, RUN_SECONDS_MAX, budget, path, permission_mode, says_none};
use crate::config::section::{Findings, Section};
use crate::model::agent::{AuditContent, CacheSettings, McpConfigEdits};
use crate::model::{OnDisconnect, Settings};

/// What a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Shape {
    /// One value.
    One,
    /// A list of words.
    List,
    /// A mapping with these keys.
    Part(&'static [&'static str]),
}

/// Every setting: the one list of them.
pub(in crate::config) const SETTINGS: &[(&str, Shape)] = &[
    ("default_timeout", Shape::One),
    ("default_max_budget_usd", Shape::One),
    ("default_permission_mode", Shape::One),
    ("default_allowed_tools", Shape::List),
    ("default_disallowed_tools", Shape::List),
    ("max_dispatch_depth", Shape::One),
    ("max_concurrency", Shape::One),
    ("cache", Shape::Part(&["enabled", "ttl", "max_size"])),
    ("job_retention_days", Shape::One),
    ("dispatch_protocol", Shape::One),
    ("usage_log", Shape::One),
    ("inline_wait_seconds", Shape::One),
    ("stall_seconds", Shape::One),
    ("on_disconnect", Shape::One),
    ("claude_path", Shape::One),
    ("max_answer_chars", Shape::One),
    ("budget", Shape::Part(BUDGET_KEYS)),
    ("audit", Shape::Part(&["content"])),
    ("mcp_config_edits", Shape::One),
];

/// Returns the shape of a setting by its name at the top of the settings.
pub(in crate::config) fn shape(key: &str) -> Option<Shape> {
    SETTINGS.iter().find(|(known, _)| *known == key).map(|(_, shape)| *shape)
}

/// Returns every setting that holds a value, with a dot where it stands in a part.
pub(in crate::config) fn names() -> Vec<String> {
    let named = |(key, shape): &(&str, Shape)| match shape {
        Shape::One | Shape::List => vec![(*key).to_owned()],
        Shape::Part(inner) => inner.iter().map(|inner| format!("{key}.{inner}")).collect(),
    };
    SETTINGS.iter().flat_map(named).collect()
}

/// Returns the keys of a part.
pub(in crate::config) fn part(key: &str) -> &'static [&'static str] {
    match shape(key) {
        Some(Shape::Part(keys)) => keys,
        Some(Shape::One | Shape::List) | None => &[],
    }
}

/// Longest time an answer is served again: a year.
const TTL_SECONDS_MAX: u32 = 31_536_000;

/// Reads the section `settings`.
pub(super) fn settings(top: &Section<'_>, base: Base<'_>, out: &mut Findings) -> Settings {
    let keys: Vec<&str> = SETTINGS.iter().map(|(key, _)| *key).collect();
    let section = &top.section("settings", &keys, out);
    let usual = Settings::default();
    Settings {
        default_timeout: section
            .whole("default_timeout", 1..=RUN_SECONDS_MAX, "seconds", out)
            .unwrap_or(usual.default_timeout),
        default_max_budget_usd: if says_none(section.value("default_max_budget_usd")) {
            None
        } else {
            section.dollars("default_max_budget_usd", out)
        },
        default_permission_mode: permission_mode(section, "default_permission_mode", out),
        default_allowed_tools: section.words("default_allowed_tools", out).unwrap_or_default(),
        default_disallowed_tools: section.words("default_disallowed_tools", out).unwrap_or_default(),
        max_dispatch_depth: section
            .whole("max_dispatch_depth", 1..=100, "levels", out)
            .unwrap_or(usual.max_dispatch_depth),
        max_concurrency: section
            .whole("max_concurrency", 1..=1_000, "dispatches", out)
            .unwrap_or(usual.max_concurrency),
        cache: cache(&section.section("cache", part("cache"), out), usual.cache, out),
        job_retention_days: section
            .whole("job_retention_days", 0..=36_500, "days", out)
            .unwrap_or(usual.job_retention_days),
        dispatch_protocol: section.flag("dispatch_protocol", out).unwrap_or(usual.dispatch_protocol),
        usage_log: section.flag("usage_log", out).unwrap_or(usual.usage_log),
        inline_wait_seconds: section
            .whole("inline_wait_seconds", 0..=3_600, "seconds", out)
            .unwrap_or(usual.inline_wait_seconds),
        stall_seconds: section
            .whole("stall_seconds", 0..=RUN_SECONDS_MAX, "seconds", out)
            .unwrap_or(usual.stall_seconds),
        on_disconnect: section
            .choice(
                "on_disconnect",
                &[("cancel", OnDisconnect::Cancel), ("detach", OnDisconnect::Detach)],
                out,
            )
            .unwrap_or(usual.on_disconnect),
        claude_path: claude_path(section, base, out),
        max_answer_chars: section
            .whole("max_answer_chars", 1_000..=500_000, "characters", out)
            .unwrap_or(usual.max_answer_chars),
        budget: budget(section, out),
        audit_content: audit_content(&section.section("audit", part("audit"), out), out)
            .unwrap_or(usual.audit_content),
        mcp_config_edits: mcp_config_edits(section, out).unwrap_or(usual.mcp_config_edits),
    }
}

fn cache(section: &Section<'_>, usual: CacheSettings, out: &mut Findings) -> CacheSettings {
    CacheSettings {
        enabled: section.flag("enabled", out).unwrap_or(usual.enabled),
        ttl: section.whole("ttl", 0..=TTL_SECONDS_MAX, "seconds", out).unwrap_or(usual.ttl),
        max_size: section.whole("max_size", 1..=100_000, "answers", out).unwrap_or(usual.max_size),
    }
}

fn claude_path(section: &Section<'_>, base: Base<'_>, out: &mut Findings) -> Option<PathBuf> {
    if let Some(Node::Text(text)) = section.value("claude_path")
        && !text.contains('/')
        && !text.trim().is_empty()
    {
        let message = "expected a whole path such as ~/.local/bin/claude; leave it out to search the PATH";
        section.wrong("claude_path", message, out);
        return None;
    }
    path(section, "claude_path", base, out)
}

fn audit_content(section: &Section<'_>, out: &mut Findings) -> Option<AuditContent> {
    let choices =
        [("digest", AuditContent::Digest), ("preview", AuditContent::Preview), ("full", AuditContent::Full)];
    section.choice("content", &choices, out)
}

fn mcp_config_edits(section: &Section<'_>, out: &mut Findings) -> Option<McpConfigEdits> {
    let choices = [
        ("allow", McpConfigEdits::Allow),
        ("no-escalation", McpConfigEdits::NoEscalation),
        ("deny", McpConfigEdits::Deny),
    ];
    section.choice("mcp_config_edits", &choices, out)
}
