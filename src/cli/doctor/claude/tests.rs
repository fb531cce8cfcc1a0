//! What is said of each state that Claude Code can be in.

use std::time::Duration;

use super::*;
use crate::cli::doctor::finding::Status;
use crate::model::SessionId;
use crate::model::agent::ProfileInForce;
use crate::plan::arguments::{Arguments, arguments};

const HELP: &str = include_str!("../../../../tests/data/claude/help.txt");

/// What is not good: status, message and fix.
type Bad = Vec<(Status, String, String)>;

#[expect(clippy::unnecessary_wraps, reason = "an answer is one that did not fail")]
fn said(code: i32, stdout: &str) -> Answer {
    Ok(Said { exit: Exit::Code(code), stdout: stdout.to_owned(), stderr: String::new() })
}

fn late() -> Answer {
    Err(ProbeError::Late { program: "/bin/claude".into(), seconds: Duration::from_secs(15).as_secs() })
}

fn healthy() -> Facts {
    Facts {
        // Any file does.
        program: Some("/proc/self/stat".into()),
        configured: None,
        on_path: None,
        system_prompt: true,
        version: Some(said(0, "2.1.197 (Claude Code)\n")),
        help: Some(said(0, HELP)),
        login: Some(said(0, r#"{"loggedIn":true,"authMethod":"api_key","apiProvider":"firstParty"}"#)),
    }
}

/// Returns the findings that are not good: status, message and fix.
fn bad(facts: &Facts) -> Bad {
    let found = check(facts).into_iter().filter(|found| found.status != Status::Ok);
    found.map(|found| (found.status, found.message, found.fix.unwrap_or_default())).collect()
}

#[test]
fn a_healthy_one_has_three_good_findings() {
    let found = check(&healthy());
    let said: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "Claude Code 2.1.197 (/proc/self/stat)",
            "it knows every option that runs are started with",
            "logged in (api_key, firstParty)"
        ]
    );
    assert_eq!(bad(&healthy()), []);
}

#[test]
fn every_fault_is_told_with_its_fix() {
    let fail = |message: &str, fix: &str| vec![(Status::Fail, message.to_owned(), fix.to_owned())];
    let warn = |message: &str, fix: &str| vec![(Status::Warn, message.to_owned(), fix.to_owned())];
    let unknown = "whether it is logged in could not be found out";
    let without = |option: &str| Some(said(0, &HELP.replace(option, "--other")));
    let lacks = "it lacks options that runs are started with";
    let npm = "npm install -g @anthropic-ai/claude-code";
    let cases: Vec<(Facts, Bad)> = vec![
        (
            Facts { program: None, ..healthy() },
            fail("`claude` is not on the PATH: nothing can be dispatched", npm),
        ),
        (
            Facts {
                program: Some("/no/claude".into()),
                configured: Some("/no/claude".into()),
                on_path: Some("/bin/it is".into()),
                ..healthy()
            },
            fail(
                "`claude_path` in the settings is /no/claude, which is not there",
                "agent-dispatch settings unset claude_path",
            ),
        ),
        (Facts { version: Some(late()), ..healthy() }, fail("/proc/self/stat does not run", "claude update")),
        (
            Facts { version: Some(said(1, "")), ..healthy() },
            fail("/proc/self/stat does not tell its version", "claude update"),
        ),
        (
            Facts { help: Some(late()), ..healthy() },
            warn("its options could not be looked at: it does not answer `--help`", "claude update"),
        ),
        (Facts { help: without("--session-id"), ..healthy() }, fail(lacks, "claude update")),
        (Facts { help: without("--strict-mcp-config"), ..healthy() }, warn(lacks, "claude update")),
        (Facts { help: without("--append-system-prompt"), ..healthy() }, warn(lacks, "claude update")),
        (Facts { help: without("--append-system-prompt"), system_prompt: false, ..healthy() }, vec![]),
        (
            Facts { login: Some(said(1, r#"{"loggedIn":false,"authMethod":"none"}"#)), ..healthy() },
            fail("it is not logged in: every dispatch will fail", "claude auth login"),
        ),
        (Facts { login: None, ..healthy() }, warn(unknown, "claude update")),
        (Facts { login: Some(late()), ..healthy() }, warn(unknown, "claude auth login")),
        (Facts { login: Some(said(1, "what?")), ..healthy() }, warn(unknown, "claude auth login")),
        // An unknown form of a good answer is a good answer.
        (Facts { login: Some(said(0, "Logged in.")), ..healthy() }, vec![]),
    ];
    for (facts, want) in cases {
        assert_eq!(bad(&facts), want, "{facts:?}");
    }
}

#[test]
fn every_option_that_a_run_can_have_is_looked_for() {
    let profile = ProfileInForce {
        model: Some("m".to_owned()),
        permission_mode: Some("plan".to_owned()),
        allowed_tools: Some(vec!["Read".to_owned()]),
        disallowed_tools: vec!["Bash".to_owned()],
        max_budget_usd: Some(1.0),
        timeout_seconds: 1,
    };
    let nothing = ProfileInForce { allowed_tools: Some(Vec::new()), ..profile.clone() };
    for (profile, resumed) in [(&profile, false), (&nothing, true)] {
        let args = arguments(&Arguments {
            session: &SessionId::generate(),
            resumed,
            profile,
            denied_servers: &["x".to_owned()],
            system: Some("s"),
            schema: Some("{}"),
        });
        for option in args.iter().filter(|arg| arg.starts_with("--")) {
            assert!(OPTIONS.iter().any(|(known, _)| known == option), "{option} is not looked for");
        }
    }
}

#[test]
fn an_option_is_not_found_in_a_longer_one() {
    assert!(has_option("  -p, --print   Print", "--print"));
    assert!(has_option("--tools <tools...>", "--tools") && has_option("ends with --tools", "--tools"));
    assert!(!has_option("--tools-of-others, --allowed-tools", "--tools"));
}

#[test]
fn only_one_that_lists_the_command_is_asked_for_its_login() {
    assert!(has_auth(&said(0, HELP)));
    assert!(!has_auth(&said(0, "Options:\n  auth  no command\n")));
    assert!(!has_auth(&late()));
}
