//! What is said of each state of the registration.

use serde_json::json;

use super::*;
use crate::cli::doctor::finding::Status;
use crate::model::Exit;
use crate::runner::probe::{ProbeError, Said};

#[expect(clippy::unnecessary_wraps, reason = "an answer is one that was asked for and did not fail")]
fn answer(code: i32, stdout: &str, stderr: &str) -> Option<Answer> {
    Some(Ok(Said { exit: Exit::Code(code), stdout: stdout.to_owned(), stderr: stderr.to_owned() }))
}

fn status(status: &str) -> Option<Answer> {
    answer(0, &format!("agent-dispatch:\n  Status: {status}\n"), "")
}

fn absent() -> Option<Answer> {
    answer(1, "", "No MCP server named \"agent-dispatch\".")
}

fn facts(entry: Option<(Scope, Vec<Flaw>)>, tried: Option<Answer>) -> Facts {
    Facts {
        program: "/bin/sh".into(),
        on_path: Some("/bin/sh".into()),
        entry: entry.map(|(scope, flaws)| (scope, json!({}), flaws)),
        strays: Vec::new(),
        tried,
    }
}

#[test]
fn every_state_of_the_entry_has_its_finding() {
    let good = |scope| Some((scope, Vec::new()));
    let late = Some(Err(ProbeError::Late { program: "claude".into(), seconds: 15 }));
    let cases = [
        (facts(good(Scope::User), status("✔ Connected")), Status::Ok, None),
        (facts(good(Scope::User), None), Status::Ok, None),
        (facts(good(Scope::User), status("✘ Failed to connect")), Status::Fail, Some("agent-dispatch init")),
        (facts(good(Scope::Project), status("⏸ Pending approval")), Status::Warn, Some("claude")),
        (facts(good(Scope::User), late), Status::Warn, Some("agent-dispatch init")),
        (facts(good(Scope::User), absent()), Status::Warn, Some("agent-dispatch init")),
        (facts(None, absent()), Status::Warn, Some("agent-dispatch init")),
        (facts(None, None), Status::Warn, Some("agent-dispatch init")),
        // Known from a place that is not looked at.
        (facts(None, status("✔ Connected")), Status::Ok, None),
        (
            facts(Some((Scope::Local, vec![Flaw::Timeout, Flaw::NotAlwaysLoaded])), status("✔ Connected")),
            Status::Warn,
            Some("agent-dispatch init --scope local"),
        ),
        (
            facts(Some((Scope::User, vec![Flaw::Missing("/old".to_owned())])), status("✘ Failed to connect")),
            Status::Fail,
            Some("agent-dispatch init"),
        ),
        (
            facts(Some((Scope::User, vec![Flaw::Other("/other".to_owned())])), status("✔ Connected")),
            Status::Warn,
            Some("agent-dispatch init"),
        ),
    ];
    for (facts, status, fix) in cases {
        let found = entry(&facts);
        assert_eq!((found.status, found.fix.as_deref()), (status, fix), "{facts:?}: {found:?}");
        let flaws = facts.entry.map_or(0, |(_, _, flaws)| flaws.len());
        assert!(found.details.len() >= flaws, "{found:?}");
    }
}

#[test]
fn the_program_on_the_path_should_be_this_one() {
    let program = Path::new("/some where/agent-dispatch");
    let fix = "export PATH='/some where':\"$PATH\"";
    for on_path in [None, Some(Path::new("/bin/sh"))] {
        let found = found_by_name(program, on_path);
        assert_eq!((found.status, found.fix.as_deref()), (Status::Warn, Some(fix)), "{found:?}");
    }
    assert_eq!(found_by_name(Path::new("/bin/sh"), Some(Path::new("/bin/../bin/sh"))).status, Status::Ok);
}

#[test]
fn a_registration_under_another_name_is_told_with_the_command_that_takes_it_back() {
    let stray = Stray {
        name: "my agents".to_owned(),
        scope: Scope::Local,
        starts: "uvx agent-dispatch serve".to_owned(),
    };
    let facts = Facts { strays: vec![stray], ..facts(Some((Scope::User, Vec::new())), None) };
    let found = check(&facts);
    assert_eq!(found.len(), 3, "{found:?}");
    let told = &found[2];
    assert_eq!(told.status, Status::Warn);
    assert_eq!(told.fix.as_deref(), Some("claude mcp remove 'my agents' --scope local"));
    assert_eq!(told.details, ["it starts: uvx agent-dispatch serve"]);
}
