//! What prompts say of themselves, and what they make of their arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

#[test]
fn every_prompt_and_argument_says_what_it_is_in_few_words() {
    let prompts = all();
    assert_eq!(prompts.iter().map(|prompt| prompt.name.as_str()).collect::<Vec<_>>(), ["delegate", "review"]);
    for prompt in prompts {
        let text = prompt.description.unwrap_or_default();
        assert!((20..2000).contains(&text.chars().count()), "{}: {text}", prompt.name);
        assert!(prompt.title.is_some_and(|title| !title.is_empty()), "{}", prompt.name);
        let arguments = prompt.arguments.unwrap_or_default();
        // What is typed after the name is taken word by word, in this order: what is required comes first.
        let required: Vec<bool> = arguments.iter().map(|it| it.required == Some(true)).collect();
        assert!(required.is_sorted_by(|one, next| one >= next), "{}: {required:?}", prompt.name);
        for argument in arguments {
            let text = argument.description.unwrap_or_default();
            assert!((10..200).contains(&text.chars().count()), "{}: {text}", argument.name);
        }
    }
}

#[test]
fn a_delegation_names_the_tool_and_every_argument_that_was_given() {
    let config = Config::empty(PathBuf::from("/agents.yaml"));
    for (given, parts, absent) in [
        (
            &[("agent", "infra")][..],
            &["`infra`", "Call `dispatch` ", "what we are talking about"][..],
            "group",
        ),
        (
            &[("agent", "infra"), ("task", "count"), ("group", "all")],
            &["The task: count", "`group` = `all`"],
            "what we are talking about",
        ),
        (
            &[("agent", "infra"), ("session_id", "s1")],
            &["Call `dispatch_session` ", "`session_id` = `s1`"],
            "group",
        ),
    ] {
        let given: BTreeMap<&str, &str> = given.iter().copied().collect();
        let text = delegation(&config, |name| given.get(name).copied());
        for part in parts {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        assert!(!text.contains(absent), "{absent} is in: {text}");
        assert!(text.chars().count() < 2000, "{text}");
    }
}

#[test]
fn a_review_of_nothing_says_so() {
    let text = review(&[], true, "2h", Some("infra"));
    assert!(
        text.contains("since 2h") && text.contains("`infra`") && text.contains("agent-dispatch audit"),
        "{text}"
    );
}
