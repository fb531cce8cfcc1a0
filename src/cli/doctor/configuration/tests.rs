//! What is said of agents files, right and wrong.

use super::*;
use crate::cli::doctor::finding::Status;
use crate::config;

const GOOD: &str = "agents:\n  infra:\n    directory: /infra\n";

fn good_directory() -> Directory {
    Directory { health: Health::Healthy, files: Vec::new(), allowed: Vec::new(), trusted: false }
}

/// Returns what is said of an agents file with this text.
fn findings(text: &str, change: impl FnOnce(&mut Facts<'_>)) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agents.yaml");
    std::fs::write(&path, text).unwrap();
    let config = config::load(&path, folder.path());
    let count = config.as_ref().map_or(0, |config| config.agents.len());
    let mut facts = Facts {
        path: "/c/agents.yaml".into(),
        mode: Some(0o600),
        config: config.as_ref(),
        directories: vec![good_directory(); count],
        superuser: false,
    };
    change(&mut facts);
    check(&facts)
}

/// Returns the findings that are not good: section, status and fix.
fn bad(text: &str, change: impl FnOnce(&mut Facts<'_>)) -> Vec<(&'static str, Status, String)> {
    let found = findings(text, change).into_iter().filter(|found| found.status != Status::Ok);
    found.map(|found| (found.section, found.status, found.fix.unwrap_or_default())).collect()
}

#[test]
fn a_good_file_has_one_good_finding_each() {
    let found = findings(GOOD, |facts| facts.directories[0].files = vec!["CLAUDE.md", ".mcp.json"]);
    let said: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "/c/agents.yaml: 1 agent",
            "infra: /infra (CLAUDE.md, .mcp.json)",
            "there are none, and none are needed"
        ]
    );
    assert!(found.iter().all(|found| found.status == Status::Ok));
}

#[test]
fn every_fault_of_the_file_is_told_with_its_fix() {
    let edit = "\"${EDITOR:-vi}\" /c/agents.yaml".to_owned();
    let none = |_: &mut Facts<'_>| {};
    let unusable = vec![(FILE, Status::Fail, edit.clone()), (AGENTS, Status::Warn, edit.clone())];
    assert_eq!(bad("agents: [", none), unusable);
    assert_eq!(bad("settings:\n  default_timeout: never\n", none), unusable);
    let no_agents = (AGENTS, Status::Warn, "agent-dispatch add NAME DIRECTORY".to_owned());
    assert_eq!(bad("", none), std::slice::from_ref(&no_agents));
    let missing = (FILE, Status::Warn, "agent-dispatch init".to_owned());
    assert_eq!(bad("", |facts| facts.mode = None), [missing, no_agents]);
    let open = (FILE, Status::Warn, "chmod 600 /c/agents.yaml".to_owned());
    assert_eq!(bad(GOOD, |facts| facts.mode = Some(0o640)), [open]);
    let odd = format!("{GOOD}settings:\n  colour: red\n");
    assert_eq!(bad(&odd, none), [(FILE, Status::Warn, edit.clone())]);
    // What is wrong with an agent stands with the agent.
    let odd = format!("{GOOD}    permission_mode: often\n    colour: red\n");
    assert_eq!(bad(&odd, none), [(AGENTS, Status::Warn, edit.clone())]);
    let disabled = format!("{GOOD}  broken:\n    timeout: 5\n");
    assert_eq!(bad(&disabled, none), [(AGENTS, Status::Fail, edit)]);
}

#[test]
fn every_fault_of_an_agent_is_told_with_its_fix() {
    let with = |change: fn(&mut Directory)| bad(GOOD, move |facts| change(&mut facts.directories[0]));
    let fail = |fix: &str| vec![(AGENTS, Status::Fail, fix.to_owned())];
    assert_eq!(with(|it| it.health = Health::Missing), fail("agent-dispatch update infra --directory DIR"));
    assert_eq!(with(|it| it.health = Health::Unreadable), fail("chmod u+rx /infra"));
    let allowed = |it: &mut Directory| it.allowed = vec!["Bash(ls:*)".to_owned()];
    assert_eq!(with(allowed), [(AGENTS, Status::Warn, "cd /infra && claude".to_owned())]);
    let trusted = |it: &mut Directory| {
        it.allowed = vec!["Bash(ls:*)".to_owned()];
        it.trusted = true;
    };
    assert_eq!(with(trusted), []);
    let superuser = |facts: &mut Facts<'_>| facts.superuser = true;
    assert_eq!(bad(GOOD, superuser), []);
    let fix = fail("agent-dispatch update infra --permission-mode acceptEdits");
    for bypass in [
        format!("{GOOD}    permission_mode: bypassPermissions\n"),
        format!("{GOOD}settings:\n  default_permission_mode: bypassPermissions\n"),
    ] {
        assert_eq!((bad(&bypass, superuser), bad(&bypass, |_| {})), (fix.clone(), vec![]), "{bypass}");
    }
}

#[test]
fn groups_need_members_that_exist() {
    let with = |groups: &str| bad(&format!("{GOOD}  off:\n    timeout: 5\ngroups:\n{groups}"), |_| {});
    let of_groups = |found: Vec<(&'static str, Status, String)>| -> Vec<(Status, String)> {
        found.into_iter().filter(|it| it.0 == GROUPS).map(|it| (it.1, it.2)).collect()
    };
    assert_eq!(of_groups(with("  all:\n    members:\n      - agent: infra\n      - agent: off\n")), []);
    let fix = "agent-dispatch group update all --remove-member gone --remove-member lost";
    let unknown =
        with("  all:\n    members:\n      - agent: infra\n      - agent: gone\n      - agent: lost\n");
    assert_eq!(of_groups(unknown), [(Status::Fail, fix.to_owned())]);
    let empty = with("  all:\n    description: nobody\n");
    assert_eq!(of_groups(empty), [(Status::Warn, "agent-dispatch group remove all".to_owned())]);
}

#[test]
fn a_directory_with_two_dots_is_warned_of_by_agent_and_spelling() {
    let text = "agents:\n  infra:\n    directory: /srv/../infra\n  web:\n    directory: /infra/./\n";
    let found = findings(text, |_| {});
    let warned: Vec<&Finding> = found.iter().filter(|found| found.status != Status::Ok).collect();
    let [only] = warned.as_slice() else { panic!("{warned:?}") };
    assert_eq!((only.section, only.status), (AGENTS, Status::Warn));
    assert!(only.message.starts_with("infra: "), "{only:?}");
    assert!(only.details[0].starts_with("3:16: agents.infra.directory: `/srv/../infra` is kept"), "{only:?}");
}
