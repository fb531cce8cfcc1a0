//! One line about a directory, put together from what its files say of it.

use serde_json::Value;

use crate::audit::redact::one_line;
use crate::project::Facts;
use crate::project::top::Top;

/// Longest of the parts taken from a text, in characters.
const PART_CHARS_MAX: usize = 300;
/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 1_000;
/// How far into CLAUDE.md and README.md is looked, in lines.
const CLAUDE_MD_LINES: usize = 40;
const README_LINES: usize = 20;
/// Shorter lines of a README are names and slogans.
const README_CHARS_MIN: usize = 20;

/// Returns the description of a directory whose other facts are known.
pub(super) fn description(facts: &Facts, top: &mut Top<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let about = claude_md(top).or_else(|| readme(top));
    parts.extend(about.map(|text| one_line(&text, PART_CHARS_MAX)));
    parts.extend(pyproject(top).map(|text| one_line(&text, PART_CHARS_MAX)));
    parts.extend(package_json(top).map(|text| one_line(&text, PART_CHARS_MAX)));
    let mut list = |label: &str, names: &[&str]| {
        if !names.is_empty() {
            parts.push(format!("{label}: {}", names.join(", ")));
        }
    };
    list("MCP", &facts.mcp_servers.iter().map(String::as_str).collect::<Vec<_>>());
    list("Stack", &facts.stacks);
    list("DB", &facts.dbs);
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        let name = top.path().file_name().unwrap_or(top.path().as_os_str());
        parts.push(format!("Agent in {}", name.to_string_lossy()));
    }
    one_line(&parts.join(" | "), DESCRIPTION_CHARS_MAX)
}

/// The first two lines of prose.
fn claude_md(top: &mut Top<'_>) -> Option<String> {
    let text = top.text("CLAUDE.md")?;
    let prose = |line: &&str| !(line.is_empty() || line.starts_with('#') || line.starts_with("--"));
    let lines: Vec<&str> =
        text.trim().lines().take(CLAUDE_MD_LINES).map(str::trim).filter(prose).take(2).collect();
    (!lines.is_empty()).then(|| lines.join(" "))
}

/// The first line that is neither heading nor badge.
fn readme(top: &mut Top<'_>) -> Option<String> {
    let text = top.text("README.md")?;
    let mut lines = text.lines().take(README_LINES).map(str::trim);
    let prose = |line: &&str| line.chars().count() > README_CHARS_MIN && !line.starts_with(['#', '[', '!']);
    lines.find(prose).map(str::to_owned)
}

fn pyproject(top: &mut Top<'_>) -> Option<String> {
    let text = top.text("pyproject.toml")?;
    let line =
        text.lines().map(str::trim).find(|line| line.starts_with("description") && line.contains('='))?;
    let (_, value) = line.split_once('=')?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

fn package_json(top: &mut Top<'_>) -> Option<String> {
    let package = top.json("package.json")?;
    package.get("description").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests;
