//! Tests of groups and settings as an edit sees them, and of edits that a session asks for.

use std::fs;

use serde_json::json;

use super::{Room, text};
use crate::config::edit::file::{LOCK_WAIT, Locked};
use crate::config::edit::{AgentsFile, EditError, Editor, Fields, GroupFields, MemberChange, Subject};

fn session(room: &Room) -> AgentsFile {
    AgentsFile { editor: Editor::Session, ..room.file.clone() }
}

fn put(agent: &str, use_for: Option<&str>) -> MemberChange {
    MemberChange::Put { agent: agent.to_owned(), use_for: use_for.map(str::to_owned) }
}

#[test]
fn what_a_session_may_do_is_decided_by_the_file_it_changes() {
    let room = Room::new("agents:\n  web: {directory: ~/web}\n");
    let file = session(&room);
    let described = Fields { description: text("x"), ..Fields::default() };
    file.update_agent("web", &described).expect("allowed");
    let locked = Locked::take(&room.path, LOCK_WAIT).expect("free");
    std::thread::scope(|scope| {
        // Whatever it has seen before: it reads when it has the lock.
        let waiting = scope.spawn(|| file.remove_agent("web"));
        fs::write(&room.path, "agents:\n  web: {directory: ~/web}\nsettings: {mcp_config_edits: deny}\n")
            .expect("written");
        drop(locked);
        let refused = waiting.join().expect("no panic").expect_err("denied by now");
        assert!(matches!(refused, EditError::Denied { .. }), "{refused:?}");
    });
    room.file.remove_agent("web").expect("a person may");
}

#[test]
fn mending_a_disabled_agent_counts_as_a_new_one() {
    let room = Room::new(
        "agents:\n  web: {directory: ~/web, timeout: soon}\nsettings: {mcp_config_edits: no-escalation}\n",
    );
    let mend = Fields { timeout: crate::config::edit::Change::Set(5), ..Fields::default() };
    let refused = session(&room).update_agent("web", &mend).expect_err("it would be new");
    let EditError::Escalates { asked, widened } = refused else { panic!("{refused:?}") };
    assert_eq!(widened[0].what, "agent `web` would be new");
    assert_eq!((asked.verb, asked.keys), ("update", vec!["timeout".to_owned()]));
    assert!(room.text().contains("soon"));
}

#[test]
fn members_are_taken_in_once_and_the_last_word_counts() {
    let room = Room::new("agents:\n  web: {directory: /w}\n  odd: {}\n");
    let members = vec![put("web", Some("one")), put("odd", None), put("web", Some("two"))];
    let done =
        room.file.add_group("shop", &GroupFields { members, ..GroupFields::default() }).expect("added");
    assert_eq!((done.subject, done.before, done.changed), (Subject::Group("shop".to_owned()), None, vec![]));
    let written = "shop:\n    members:\n    - agent: odd\n    - agent: web\n      use_for: two";
    assert_eq!(done.after.as_deref(), Some(written));
    let members = vec![
        MemberChange::Remove { agent: "web".to_owned() },
        put("web", Some("three")),
        put("odd", Some("x")),
        put("odd", Some("")),
    ];
    room.file.update_group("shop", &GroupFields { members, ..GroupFields::default() }).expect("updated");
    assert!(
        room.text().ends_with("    - agent: odd\n    - agent: web\n      use_for: three\n"),
        "{}",
        room.text()
    );
}

#[test]
fn a_member_that_is_no_agent_any_more_can_be_changed_and_taken_out_but_not_in() {
    let room =
        Room::new("groups:\n  shop:\n    members:\n    - agent: gone # since May\n    - {agent: gone}\n");
    let change = |members| room.file.update_group("shop", &GroupFields { members, ..GroupFields::default() });
    change(vec![put("gone", Some("nothing"))]).expect("changed");
    assert!(room.text().contains("# since May\n      use_for: nothing\n"), "{}", room.text());
    assert!(matches!(change(vec![put("new", None)]), Err(EditError::Unknown { what: "agent", .. })));
    change(vec![MemberChange::Remove { agent: "gone".to_owned() }]).expect("both are taken out");
    assert_eq!(room.text(), "groups:\n  shop: {}\n");
}

#[test]
fn a_change_of_settings_says_what_stood_there() {
    let room = Room::new("settings:\n  cache: {ttl: 5} # short\n");
    let values =
        [("cache".to_owned(), json!({"ttl": 6, "enabled": null})), ("usage_log".to_owned(), json!(false))];
    let done = room.file.update_settings(&values).expect("changed");
    assert_eq!(done.changed, ["cache.ttl", "cache.enabled", "usage_log"]);
    assert_eq!(done.before.as_deref(), Some("cache.ttl: 5\n"));
    assert_eq!(done.after.as_deref(), Some("cache.ttl: 6\nusage_log: false\n"));
    assert_eq!(room.text(), "settings:\n  cache: {ttl: 6} # short\n  usage_log: false\n");
}
