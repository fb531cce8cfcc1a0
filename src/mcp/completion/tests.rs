//! What is proposed, and in which order.

use rmcp::model::{PromptReference, ResourceTemplateReference};

use super::*;

#[test]
fn what_begins_as_typed_comes_before_what_contains_it() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (typed, found) in [
        ("", &["web-infra", "infra", "Inner", "x"][..]),
        ("in", &["infra", "Inner", "web-infra"]),
        (" IN", &["infra", "Inner", "web-infra"]),
        ("infra", &["infra", "web-infra"]),
        ("z", &[]),
    ] {
        let (values, total) = matching(names(&["web-infra", "infra", "Inner", "x", "infra"]), typed);
        assert_eq!((values, total), (names(found), found.len()), "{typed:?}");
    }
}

#[test]
fn every_argument_of_prompts_and_templates_is_known() {
    let prompt = |name: &str| Reference::Prompt(PromptReference::new(name));
    let template = |uri: &str| Reference::Resource(ResourceTemplateReference::new(uri));
    for (reference, argument, wanted) in [
        (prompt("delegate"), "agent", Some(Wanted::Agent)),
        (prompt("delegate"), "group", Some(Wanted::Group)),
        (prompt("delegate"), "session_id", Some(Wanted::Conversation)),
        (prompt("delegate"), "task", Some(Wanted::Text)),
        (prompt("delegate"), "since", None),
        (prompt("review"), "since", Some(Wanted::Time)),
        (prompt("review"), "agent", Some(Wanted::Agent)),
        (prompt("other"), "agent", None),
        (template(AGENT), "name", Some(Wanted::Agent)),
        (template(JOB), "id", Some(Wanted::Job)),
        (template(ANSWER), "ref", Some(Wanted::Answer)),
        (template(ANSWER), "id", None),
        (template("agent-dispatch://agents"), "name", None),
    ] {
        assert_eq!(Wanted::by(&reference, argument), wanted, "{argument} of {reference:?}");
    }
}
