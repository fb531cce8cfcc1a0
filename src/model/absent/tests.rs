//! What is said of a name that is not there, and which name was meant.

use super::*;

#[test]
fn the_nearest_name_is_found_only_when_it_is_near() {
    let known = ["timeout", "model", "env"];
    for (word, expected) in [
        ("timeuot", Some("timeout")),
        ("TIMEOUT", Some("timeout")),
        ("modle", Some("model")),
        ("evn", Some("env")),
        ("xyz", None),
        ("", None),
    ] {
        assert_eq!(nearest(word, &known), expected, "{word:?}");
    }
    assert_eq!(nearest("web-apo", &["db", "web-api", "web-app2"]), Some("web-api"));
    assert_eq!(nearest("web", &["database"]), None);
    assert_eq!(nearest::<&str>("web", &[]), None);
}

#[test]
fn one_sentence_says_what_is_not_there_what_was_meant_and_what_there_is() {
    let many: Vec<String> = (0..33).map(|number| format!("agent{number}")).collect();
    for (name, known, said) in [
        ("wbe", &["web", "db"][..], "there is no agent `wbe` (did you mean `web`?): there are `web`, `db`"),
        ("wbe", &["web"], "there is no agent `wbe` (did you mean `web`?): there is only `web`"),
        ("x", &["web", "db"], "there is no agent `x`: there are `web`, `db`"),
        ("it's\n", &[], "there is no agent `it's\\n`: there are none yet"),
    ] {
        assert_eq!(there_is_no("agent", name, known), said);
    }
    assert!(there_is_no("agent", "x", &many).ends_with("`agent29`, 3 more"));
    assert_eq!(in_brief("member", "x", &["web", "db"]), "there is no member `x`");
}

#[test]
fn what_was_mistyped_is_looked_up_and_what_is_new_may_be_added() {
    let [list, add] = ["agent-dispatch list", "agent-dispatch add nobody DIRECTORY"];
    for (name, known, commands) in [
        ("wbe", &["web"][..], &[list][..]),
        ("nobody", &["web"], &[list, add]),
        ("nobody", &[], &[add]),
        ("no body; rm", &[], &["agent-dispatch add NAME DIRECTORY"]),
    ] {
        let steps = without_agent(name, known);
        let told: Vec<&str> = steps.iter().map(|step| step.command.as_str()).collect();
        assert_eq!(told, commands);
    }
}
