//! Tests of edits on the text.

use proptest::prelude::*;
use serde_yaml::{Mapping, Value};

use crate::config::edit::rewrite::{Edit, agent_names, rewrite};

fn yaml(text: &str) -> Mapping {
    serde_yaml::from_str(text).expect("YAML")
}

fn add(name: &str) -> Edit {
    let fields = yaml(
        "directory: ~/new\nallowed_tools: [Read, 'Bash(git log:*)']\ninstructions: |-\n  One: two.\n\n  # Three",
    );
    Edit::Add { name: name.to_owned(), fields }
}

fn remove(name: &str) -> Edit {
    Edit::Remove { name: name.to_owned() }
}

fn update(name: &str, fields: Vec<(&'static str, Option<Value>)>) -> Edit {
    Edit::Update { name: name.to_owned(), fields }
}

fn rewritten(text: &str, edit: &Edit) -> String {
    rewrite(text, edit).unwrap_or_else(|reason| panic!("{edit:?} on {text:?}: {reason}")).text
}

const FILE: &str = "# top\nagents:\n  # the first\n  infra: # ours\n    directory: ~/infra # here\n    timeout: 5\n    x-odd: 'kept'\n\n  # the second\n  web:\n    directory: \"/web\"\n\n# about settings\nsettings:\n  max_concurrency: 3 # few\n";
const NEW: &str = "  new:\n    directory: ~/new\n    allowed_tools:\n    - Read\n    - Bash(git log:*)\n    instructions: |-\n      One: two.\n\n      # Three\n";

#[test]
fn a_new_agent_stands_after_the_others_and_nothing_else_changes() {
    let done = rewrite(FILE, &add("new")).expect("edited");
    assert_eq!(done.text, FILE.replace("\"/web\"\n", &format!("\"/web\"\n{NEW}")));
    assert_eq!((done.before, done.after), (None, Some(NEW.trim().to_owned())));
}

#[test]
fn a_file_without_agents_gets_them() {
    for before in ["", "# only\n", "---\n", "settings:\n  usage_log: true\n", "settings: {}\n"] {
        assert_eq!(rewritten(before, &add("new")), format!("{before}agents:\n{NEW}"), "{before:?}");
    }
    for before in ["agents:\n", "agents: {}\n", "agents: ~\n", "agents: null\n"] {
        assert_eq!(rewritten(before, &add("new")), format!("agents:\n{NEW}"), "{before:?}");
    }
    assert_eq!(rewritten("# only", &add("new")), format!("# only\nagents:\n{NEW}"));
}

#[test]
fn a_removed_agent_leaves_everything_else() {
    let done = rewrite(FILE, &remove("web")).expect("edited");
    assert_eq!(done.text, FILE.replace("  web:\n    directory: \"/web\"\n", ""));
    assert_eq!((done.before, done.after), (Some("web:\n    directory: \"/web\"".to_owned()), None));
    assert_eq!(rewritten("agents:\n  a: {directory: /a}\n", &remove("a")), "agents: {}\n");
}

#[test]
fn an_update_touches_the_lines_of_its_fields_only() {
    let edit = update("infra", vec![("timeout", Some(7.into())), ("model", Some("opus".into()))]);
    let done = rewrite(FILE, &edit).expect("edited");
    let expected = FILE.replace("timeout: 5", "timeout: 7").replace("'kept'\n", "'kept'\n    model: opus\n");
    assert_eq!(done.text, expected);
    let agent = |timeout: &str, end: &str| {
        format!(
            "infra: # ours\n    directory: ~/infra # here\n    timeout: {timeout}\n    x-odd: 'kept'{end}"
        )
    };
    assert_eq!((done.before, done.after), (Some(agent("5", "")), Some(agent("7", "\n    model: opus"))));
    let cleared = rewritten(FILE, &update("infra", vec![("timeout", None), ("model", None)]));
    assert_eq!(cleared, FILE.replace("    timeout: 5\n", ""));
    let nested = Value::Mapping(yaml("set: {A: b}"));
    let edit =
        update("web", vec![("allowed_tools", Some(Value::Sequence(Vec::new()))), ("env", Some(nested))]);
    let lines = "\"/web\"\n    allowed_tools: []\n    env:\n      set:\n        A: b\n";
    assert_eq!(rewritten(FILE, &edit), FILE.replace("\"/web\"\n", lines));
}

#[test]
fn an_agent_in_braces_is_edited_in_braces() {
    let before = "agents: {a: {directory: /a}}\n";
    let edit = update("a", vec![("instructions", Some("one: two\nthree".into()))]);
    assert_eq!(
        rewritten(before, &edit),
        "agents: {a: {directory: /a, instructions: \"one: two\\nthree\"}}\n"
    );
    let fields = yaml("directory: /b\nallowed_tools: [Read]");
    let edit = Edit::Add { name: "b".to_owned(), fields };
    assert_eq!(
        rewritten(before, &edit),
        "agents: {a: {directory: /a}, b: {directory: /b, allowed_tools: [Read]}}\n"
    );
}

#[test]
fn line_ends_are_kept() {
    let text = FILE.replace('\n', "\r\n");
    for edit in [add("new"), remove("infra"), update("web", vec![("instructions", Some("a\nb".into()))])] {
        let new = rewritten(&text, &edit);
        assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{edit:?}");
        assert_eq!(new.replace("\r\n", "\n"), rewritten(FILE, &edit), "{edit:?}");
    }
    let new = rewritten("# only\r\n", &add("new"));
    assert_eq!(new, format!("# only\nagents:\n{NEW}").replace('\n', "\r\n"));
}

#[test]
fn what_comes_through_a_merge_key_is_cleared_by_a_null() {
    let text =
        "x-base: &base {timeout: 5}\nagents:\n  a:\n    <<: *base\n    directory: /a\n    timeout: 6\n";
    let new = rewritten(text, &update("a", vec![("timeout", None), ("model", None)]));
    assert_eq!(new, text.replace("timeout: 6", "timeout: null"));
}

#[test]
fn an_edit_that_would_reach_further_is_refused() {
    let anchored = "agents:\n  a: &a\n    directory: /a\n  b: *a\n  c:\n    <<: *a\n";
    for (name, reason) in [
        ("a", "the edit would change more than this agent, because of an anchor or an unusual layout"),
        ("b", "the agent is written elsewhere, behind an alias"),
    ] {
        let refused = rewrite(anchored, &update(name, vec![("timeout", Some(5.into()))]));
        assert_eq!(refused, Err(reason.to_owned()), "{name}");
    }
    assert!(rewrite("agents: [a]\n", &add("new")).is_err());
    assert!(rewrite("agents:\n  a: 5\n", &update("a", vec![("timeout", Some(5.into()))])).is_err());
    assert!(rewrite("agents:\n  a: {timeout: 1, timeout: 2}\n", &add("new")).is_err());
    assert!(rewrite("- x\n", &add("new")).is_err());
    assert!(rewrite("a: 1\n---\nb: 2\n", &add("new")).is_err());
}

#[test]
fn removing_what_others_refer_to_keeps_their_meaning() {
    let anchored = "agents:\n  a: &a\n    directory: /a\n  b: *a\n";
    let new = rewritten(anchored, &remove("a"));
    let read: Value = serde_yaml::from_str(&new).expect("YAML");
    assert_eq!(read, Value::Mapping(yaml("agents: {b: {directory: /a}}")));
}

#[test]
fn names_are_listed_in_file_order_and_only_texts() {
    assert_eq!(agent_names("agents: {b: 1, a: 2, 5: 3, ../x: 4}"), ["b", "a", "../x"]);
    for text in ["", "agents:", "agents: [a]", "- a", "a: [", "settings: {}"] {
        assert_eq!(agent_names(text), Vec::<String>::new(), "{text:?}");
    }
}

/// What agents say, as people write it.
const SAYINGS: &[&[&str]] = &[
    &["timeout: 5"],
    &["description: 'it''s'  # so"],
    &["description: >-", "  folded", "  text"],
    &["allowed_tools: [Read, \"Bash(a: b)\"]"],
    &["model:   opus"],
    &["instructions: |", "  one", "", "    two"],
    &["instructions: |+", "  one", ""],
    &["capabilities:", "  - a", "  # inside", "  - b"],
    &["capabilities:", "- a", "- b"],
    &["env: {set: {A: b}}"],
    &["# a note"],
    &["x-own: [1, {a: b}]"],
];

/// Files as people write them.
fn files(agents_min: usize) -> impl Strategy<Value = String> {
    let sayings = prop::sample::subsequence(SAYINGS, 0..4).prop_map(|mut sayings| {
        // No key twice.
        sayings.dedup_by_key(|lines| lines[0].split(':').next());
        sayings.concat()
    });
    let agents = prop::collection::vec((sayings, 0..3_usize, any::<bool>()), agents_min..4);
    (agents, 2..5_usize, any::<bool>(), any::<bool>()).prop_map(|(agents, indent, settings_first, crlf)| {
        let (outer, inner) = (" ".repeat(indent), " ".repeat(2 * indent));
        let mut lines = vec!["# top".to_owned(), String::new()];
        let settings = ["settings:", "  max_concurrency: 3 # few", ""].map(str::to_owned);
        if settings_first {
            lines.extend(settings.clone());
        }
        lines.push("agents:".to_owned());
        for (number, (sayings, gap, comment)) in agents.into_iter().enumerate() {
            if comment {
                lines.push(format!("{outer}# about agent {number}"));
            }
            lines.push(format!("{outer}a{number}:"));
            lines.push(format!("{inner}directory: ~/a{number}"));
            let saying = |line: &str| if line.is_empty() { String::new() } else { format!("{inner}{line}") };
            lines.extend(sayings.into_iter().map(saying));
            lines.extend(vec![String::new(); gap]);
        }
        if !settings_first {
            lines.extend(settings);
        }
        lines.push(String::new());
        lines.join(if crlf { "\r\n" } else { "\n" })
    })
}

/// Returns how many bytes two texts have in common at their beginnings and, apart from those, at their ends.
fn common(one: &str, other: &str) -> usize {
    let before = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let after = one.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count();
    (before + after).min(one.len()).min(other.len())
}

proptest! {
    #[test]
    fn adding_only_adds_and_removing_again_gives_the_file_back(text in files(1)) {
        let with = rewritten(&text, &add("new"));
        prop_assert_eq!(common(&text, &with), text.len(), "{} became {}", text, with);
        let without = rewritten(&with, &remove("new"));
        prop_assert_eq!(without, text);
    }

    #[test]
    fn removing_only_removes(text in files(2)) {
        let without = rewritten(&text, &remove("a0"));
        prop_assert_eq!(common(&text, &without), without.len(), "{} became {}", text, without);
    }

    #[test]
    fn updating_changes_one_run_of_bytes(text in files(1), timeout in 1_u32..100_000) {
        let new = rewritten(&text, &update("a0", vec![("timeout", Some(timeout.into()))]));
        let line = if text.contains("\r\n") { "        timeout: 100000\r\n" } else { "        timeout: 100000\n" };
        prop_assert!(new.len() - common(&text, &new) <= line.len(), "{} became {}", text, new);
        prop_assert!(text.len() - common(&text, &new) <= 1, "{} became {}", text, new);
        let same = rewritten(&new, &update("a0", vec![("timeout", Some(timeout.into()))]));
        prop_assert_eq!(same, new);
    }
}
