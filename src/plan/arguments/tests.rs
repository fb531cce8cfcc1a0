//! Whole command lines.

use super::*;

fn session() -> SessionId {
    "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47".parse().unwrap()
}

fn bare<'a>(session: &'a SessionId, profile: &'a ProfileInForce) -> Arguments<'a> {
    Arguments { session, resumed: false, profile, denied_servers: &[], system: None, schema: None }
}

fn line(profile: &ProfileInForce) -> Vec<String> {
    arguments(&bare(&session(), profile))
}

const START: [&str; 6] = [
    "-p",
    "--output-format",
    "stream-json",
    "--verbose",
    "--session-id",
    "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47",
];

#[test]
fn nothing_set_gives_the_shortest_line() {
    assert_eq!(line(&ProfileInForce::default()), START);
}

#[test]
fn everything_set_comes_in_order_each_value_with_its_own_flag() {
    let text = |text: &str| text.to_owned();
    let profile = ProfileInForce {
        model: Some(text("opus")),
        permission_mode: Some(text("plan")),
        allowed_tools: Some(vec![text("Read"), text("Bash(git log *)")]),
        disallowed_tools: vec![text("Write"), text("WebFetch")],
        max_budget_usd: Some(1.5),
        timeout_seconds: 60,
    };
    let servers = [text("agent-dispatch"), text("ad \"2\"")];
    let session = session();
    let all = arguments(&Arguments {
        resumed: true,
        denied_servers: &servers,
        system: Some("## System"),
        schema: Some("{}"),
        ..bare(&session, &profile)
    });
    let rest = [
        "--resume",
        "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47",
        "--model",
        "opus",
        "--max-budget-usd",
        "1.5",
        "--permission-mode",
        "plan",
        "--allowedTools",
        "Read",
        "--allowedTools",
        "Bash(git log *)",
        "--disallowedTools",
        "Write",
        "--disallowedTools",
        "WebFetch",
        "--settings",
        r#"{"deniedMcpServers":[{"serverName":"agent-dispatch"},{"serverName":"ad \"2\""}]}"#,
        "--append-system-prompt",
        "## System",
        "--json-schema",
        "{}",
    ];
    assert_eq!(all, [&START[..4], &rest[..]].concat());
}

#[test]
fn an_empty_list_of_tools_takes_away_the_built_in_ones_and_every_server() {
    let profile = ProfileInForce { allowed_tools: Some(Vec::new()), ..Default::default() };
    assert_eq!(line(&profile), [&START[..], &["--tools", "", "--strict-mcp-config"]].concat());
}

#[test]
fn a_small_budget_is_written_without_an_exponent() {
    let profile = ProfileInForce { max_budget_usd: Some(1e-7), ..Default::default() };
    assert_eq!(line(&profile).last().map(String::as_str), Some("0.0000001"));
}
