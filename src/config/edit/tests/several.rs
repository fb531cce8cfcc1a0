//! Tests of edits with several mistakes: each is told, wherever it is found.

use serde_json::json;

use super::{Room, text};
use crate::config::edit::{AgentsFile, Change, EditError, Fields, GroupFields, MemberChange, Misread};

fn wrong(fields: Fields) -> Fields {
    Fields { timeout: Change::Set(90_000), model: text("--x"), ..fields }
}

/// What is wrong with the fields, under the name of an agent.
fn told(name: &str) -> [String; 2] {
    [
        format!("agents.{name}.timeout: expected a whole number of seconds from 0 to 86400, found 90000"),
        format!("agents.{name}.model: begins with `-`: `claude` would take it for an option"),
    ]
}

#[test]
fn a_wrong_name_a_wrong_directory_and_wrong_values_are_told_together() {
    let room = Room::new("agents:\n  web: {directory: ~/web}\n");
    let before = room.text();
    let gone = format!("`{}` is not an existing directory", room.home().join("gone").display());
    let cases = [
        (room.add("web", "~/web", wrong(Fields::default())), "web", vec!["agent `web` exists already"]),
        (room.add("new", "~/gone", wrong(Fields::default())), "new", vec![&*gone]),
        (
            room.add("yes", "~/gone", wrong(Fields::default())),
            "yes",
            vec![&gone, "name: \"yes\" is a yes, a no or nothing to many YAML readers: choose another name"],
        ),
        (
            room.update("wbe", &wrong(Fields { directory: Some("~/gone".into()), ..Fields::default() })),
            "wbe",
            vec![&gone, "there is no agent `wbe` (did you mean `web`?)"],
        ),
    ];
    for (done, name, first) in cases {
        let error = done.expect_err(name);
        let expected: Vec<String> = first.into_iter().map(str::to_owned).chain(told(name)).collect();
        let said = error.to_string();
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }
    let error = room.update("wbe", &Fields::default()).expect_err("nothing, and nobody");
    assert_eq!(error.to_string().lines().count(), 2, "{error}");
    assert_eq!(room.text(), before);
}

#[test]
fn every_unknown_setting_and_every_wrong_value_is_told_together() {
    let room = Room::new("# ours\n");
    let values =
        [("max_concurency", json!(5)), ("frogs", json!(1)), ("cache", json!({"ttl": -1, "size": 3}))];
    let error =
        room.file.update_settings(&values.map(|(key, value)| (key.to_owned(), value))).expect_err("wrong");
    let expected = [
        "there is no setting `max_concurency` (did you mean `max_concurrency`?)",
        "there is no setting `frogs`",
        "there is no setting `cache.size` (did you mean `cache.max_size`?)",
        "settings.cache.ttl: expected a whole number of seconds from 0 to 31536000, found -1",
    ];
    assert_eq!(error.to_string().lines().collect::<Vec<_>>(), expected);
    assert_eq!(room.text(), "# ours\n");
}

#[test]
fn every_unknown_member_is_told_with_what_is_wrong_with_the_group() {
    let room = Room::new("agents:\n  web: {directory: ~/web}\ngroups:\n  shop: {members: [{agent: web}]}\n");
    let before = room.text();
    let put = |agent: &str| MemberChange::Put { agent: agent.to_owned(), use_for: None };
    let gone = |agent: &str| MemberChange::Remove { agent: agent.to_owned() };
    let fields = GroupFields {
        description: text("\0"),
        members: vec![put("wbe"), gone("infra"), put("database"), put("web"), gone("web")],
        ..GroupFields::default()
    };
    for (done, group, first) in [
        (room.file.update_group("shop", &fields), "shop", "there is no member `infra`"),
        (room.file.update_group("shp", &fields), "shp", "there is no group `shp` (did you mean `shop`?)"),
        (room.file.add_group("shop", &fields), "shop", "group `shop` exists already"),
    ] {
        let said = done.expect_err(group).to_string();
        let wrong = format!("groups.{group}.description: contains a NUL character: remove it");
        for told in [first, "agent `wbe` (did you mean `web`?)", "there is no agent `database`", &wrong] {
            assert_eq!(said.matches(told).count(), 1, "{told}\n{said}");
        }
    }
    assert_eq!(room.text(), before);
}

#[test]
fn an_edit_whose_request_could_not_be_read_is_never_made_and_judged_all_the_same() {
    let room = Room::new("agents:\n  web: {directory: ~/web}\n");
    let before = room.text();
    let misread = Misread { code: "x", message: "`frogs` is odd".to_owned(), hint: String::new() };
    let file = AgentsFile { misread: vec![misread.clone()], ..room.file.clone() };
    let error = file.remove_agent("web").expect_err("misread");
    assert!(matches!(&error, EditError::Misread(told) if *told == misread), "{error:?}");
    // What is missing was said.
    let error = file.update_agent("", &wrong(Fields::default())).expect_err("misread");
    assert_eq!(error.to_string().lines().count(), 3, "{error}");
    assert_eq!(room.text(), before);
}
