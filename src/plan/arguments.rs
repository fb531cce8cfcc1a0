//! The command line of a run. The prompt is never part of it: it goes in on standard input.

use crate::model::SessionId;
use crate::model::agent::ProfileInForce;

/// Longest text passed as one argument. The kernel takes 131 071 bytes; the difference is room for what else grows.
pub const ARGUMENT_BYTES_MAX: usize = 100_000;

/// What the command line is made of; everything in it was checked by [`crate::plan::plan`].
#[derive(Debug)]
pub struct Arguments<'a> {
    /// The conversation.
    pub session: &'a SessionId,
    /// Whether it existed before.
    pub resumed: bool,
    /// What the run is allowed.
    pub profile: &'a ProfileInForce,
    /// Names of MCP servers that are kept from being started: our own, when the run may not dispatch any further.
    pub denied_servers: &'a [String],
    /// What is appended to the system prompt.
    pub system: Option<&'a str>,
    /// The reduced JSON Schema.
    pub schema: Option<&'a str>,
}

/// Returns the command line, without the program.
///
/// `--allowedTools` and `--disallowedTools` take any number of values, so they are given once for each value: nothing that
/// follows can be taken for one more. (A value never begins with `-`, and there is no positional argument.)
///
/// What the two lists mean, by what the CLI was seen to do (2.1.197):
/// - no list: the CLI's own default tools, asking for permission as its mode says;
/// - allowed tools: those are *granted*; the default tools stay on offer, denied or not as the mode says. That is what
///   users' configurations were written for, and restricting with `--tools` would break entries such as `Bash(git *)`;
/// - an empty list: no tools. `--tools ""` takes away the built-in ones and nothing else, MCP tools stay; and denying
///   `mcp__*` was not seen to work (`mcp__*` in the allow list does not grant). `--strict-mcp-config` without a
///   configuration was seen to start no MCP server at all. Together nothing is left;
/// - forbidden tools: the model does not see them, whatever else grants them.
pub fn arguments(parts: &Arguments<'_>) -> Vec<String> {
    let mut args = Args(Vec::with_capacity(24));
    args.add(&["-p", "--output-format", "stream-json", "--verbose"]);
    let session = if parts.resumed { "--resume" } else { "--session-id" };
    args.add(&[session, parts.session.as_str()]);
    let ProfileInForce { model, permission_mode, allowed_tools, disallowed_tools, max_budget_usd, .. } =
        parts.profile;
    args.option("--model", model.as_deref());
    args.option("--max-budget-usd", max_budget_usd.map(|cap| cap.to_string()).as_deref());
    args.option("--permission-mode", permission_mode.as_deref());
    match allowed_tools.as_deref() {
        Some([]) => args.add(&["--tools", "", "--strict-mcp-config"]),
        tools => tools.unwrap_or_default().iter().for_each(|tool| args.add(&["--allowedTools", tool])),
    }
    for tool in disallowed_tools {
        args.add(&["--disallowedTools", tool]);
    }
    if !parts.denied_servers.is_empty() {
        let servers: Vec<_> =
            parts.denied_servers.iter().map(|name| serde_json::json!({ "serverName": name })).collect();
        let settings = serde_json::json!({ "deniedMcpServers": servers }).to_string();
        args.add(&["--settings", &settings]);
    }
    args.option("--append-system-prompt", parts.system);
    args.option("--json-schema", parts.schema);
    args.0
}

struct Args(Vec<String>);

impl Args {
    fn add(&mut self, args: &[&str]) {
        self.0.extend(args.iter().map(|arg| (*arg).to_owned()));
    }

    fn option(&mut self, flag: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(&[flag, value]);
        }
    }
}

#[cfg(test)]
mod tests;
