//! Tests of edits on the text.

use proptest::prelude::*;
use serde_yaml::{Mapping, Value};

use crate::config::edit::rewrite::{Key, Step, What, rewrite, shown, way};

fn yaml(text: &str) -> Mapping {
    serde_yaml::from_str(text).expect("YAML")
}

fn step<S: AsRef<str>>(names: impl IntoIterator<Item = S>, what: What) -> Step {
    Step { way: way(names), what }
}

fn add(name: &str) -> Vec<Step> {
    let fields = yaml(
        "directory: ~/new\nallowed_tools: [Read, 'Bash(git log:*)']\ninstructions: |-\n  One: two.\n\n  # Three",
    );
    vec![step(["agents", name], What::Set(Value::Mapping(fields)))]
}

fn remove(name: &str) -> Vec<Step> {
    vec![step(["agents", name], What::Unset)]
}

fn update(name: &str, fields: Vec<(&'static str, Option<Value>)>) -> Vec<Step> {
    let fields = fields.into_iter();
    fields.map(|(key, value)| step(["agents", name, key], value.map_or(What::Unset, What::Set))).collect()
}

fn rewritten(text: &str, steps: &[Step]) -> String {
    rewrite(text, steps).unwrap_or_else(|reason| panic!("{steps:?} on {text:?}: {reason}"))
}

/// How an agent is written before and after.
fn agents(text: &str, steps: &[Step], name: &str) -> (Option<String>, Option<String>) {
    (shown(text, &way(["agents", name])), shown(&rewritten(text, steps), &way(["agents", name])))
}

mod anything;

const FILE: &str = "# top\nagents:\n  # the first\n  infra: # ours\n    directory: ~/infra # here\n    timeout: 5\n    x-odd: 'kept'\n\n  # the second\n  web:\n    directory: \"/web\"\n\n# about settings\nsettings:\n  max_concurrency: 3 # few\n";
const NEW: &str = "  new:\n    directory: ~/new\n    allowed_tools:\n    - Read\n    - Bash(git log:*)\n    instructions: |-\n      One: two.\n\n      # Three\n";

#[test]
fn a_new_agent_stands_after_the_others_and_nothing_else_changes() {
    assert_eq!(rewritten(FILE, &add("new")), FILE.replace("\"/web\"\n", &format!("\"/web\"\n{NEW}")));
    assert_eq!(agents(FILE, &add("new"), "new"), (None, Some(NEW.trim().to_owned())));
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
    assert_eq!(rewritten(FILE, &remove("web")), FILE.replace("  web:\n    directory: \"/web\"\n", ""));
    let web = "web:\n    directory: \"/web\"".to_owned();
    assert_eq!(agents(FILE, &remove("web"), "web"), (Some(web), None));
    assert_eq!(rewritten("agents:\n  a: {directory: /a}\n", &remove("a")), "agents: {}\n");
}

#[test]
fn an_update_touches_the_lines_of_its_fields_only() {
    let edit = update("infra", vec![("timeout", Some(7.into())), ("model", Some("opus".into()))]);
    let expected = FILE.replace("timeout: 5", "timeout: 7").replace("'kept'\n", "'kept'\n    model: opus\n");
    assert_eq!(rewritten(FILE, &edit), expected);
    let agent = |timeout: &str, end: &str| {
        format!(
            "infra: # ours\n    directory: ~/infra # here\n    timeout: {timeout}\n    x-odd: 'kept'{end}"
        )
    };
    let both = (Some(agent("5", "")), Some(agent("7", "\n    model: opus")));
    assert_eq!(agents(FILE, &edit, "infra"), both);
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
    let edit = [step(["agents", "b"], What::Set(Value::Mapping(fields)))];
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
        ("a", "the edit would change more than it should, because of an anchor or an unusual layout"),
        ("b", "`agents.b` is written elsewhere, behind an alias"),
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

const SHOP: &str = "groups:\n  shop: # all of it\n    # who\n    members:\n      # first\n      - agent: web # the face\n        use_for: pages\n      - agent: infra\n      # last\n    description: d\n";

fn member(index: usize, rest: &[&str]) -> Vec<Key> {
    let mut member = way(["groups", "shop", "members"]);
    member.push(Key::Item(index));
    member.extend(way(rest));
    member
}

fn item(text: &str) -> Value {
    Value::Mapping(yaml(text))
}

#[test]
fn an_item_is_added_after_the_others_and_taken_out_alone() {
    let push = |text: &str| {
        let step = step(["groups", "shop", "members"], What::Push(item("{agent: docs, use_for: 'how: to'}")));
        rewritten(text, &[step])
    };
    let line = "      - agent: docs\n        use_for: 'how: to'\n";
    assert_eq!(push(SHOP), SHOP.replace("infra\n", &format!("infra\n{line}")));
    assert_eq!(
        push("groups: {shop: {members: [{agent: web}]}}\n"),
        "groups: {shop: {members: [{agent: web}, {agent: docs, use_for: 'how: to'}]}}\n"
    );
    for empty in
        ["groups:\n  shop:\n    members:\n", "groups:\n  shop:\n    members: []\n", "groups:\n  shop: {}\n"]
    {
        let expected = "groups:\n  shop:\n    members:\n    - agent: docs\n      use_for: 'how: to'\n";
        assert_eq!(
            push(empty).replace("      - ", "    - ").replace("        use", "      use"),
            expected,
            "{empty}"
        );
    }
    let take = |index| rewritten(SHOP, &[Step { way: member(index, &[]), what: What::Unset }]);
    assert_eq!(take(1), SHOP.replace("      - agent: infra\n", ""));
    assert_eq!(take(0), SHOP.replace("      - agent: web # the face\n        use_for: pages\n", ""));
    let both = [0, 0].map(|index| Step { way: member(index, &[]), what: What::Unset });
    assert_eq!(
        rewritten(SHOP, &both),
        "groups:\n  shop: # all of it\n    # who\n      # last\n    description: d\n"
    );
}

#[test]
fn an_item_is_changed_in_its_place() {
    let set = |index, text: &str| Step { way: member(index, &["use_for"]), what: What::Set(text.into()) };
    assert_eq!(rewritten(SHOP, &[set(0, "all pages")]), SHOP.replace("use_for: pages", "use_for: all pages"));
    let new = rewritten(SHOP, &[set(1, "a: b")]);
    assert_eq!(new, SHOP.replace("- agent: infra\n", "- agent: infra\n        use_for: 'a: b'\n"));
    let unset = [Step { way: member(0, &["use_for"]), what: What::Unset }];
    assert_eq!(rewritten(SHOP, &unset), SHOP.replace("        use_for: pages\n", ""));
}

#[test]
fn what_a_value_stands_in_comes_and_goes_with_it() {
    let set = [step(["settings", "cache", "ttl"], What::Set(5.into()))];
    let unset = [step(["settings", "cache", "ttl"], What::Unset)];
    for before in
        ["# x\n", "settings:\n  max_concurrency: 3 # few\n", "agents:\n  a:\n    directory: /a\n", FILE]
    {
        let with = rewritten(before, &set);
        assert!(with.contains("  cache:\n    ttl: 5\n"), "{with}");
        let without = rewritten(&with, &unset).replace("settings: {}\n", "");
        assert_eq!(without, before, "{with}");
    }
    let two = "settings:\n  cache: # c\n    # t\n    ttl: 6\n    # e\n    enabled: no\n";
    assert_eq!(rewritten(two, &set), two.replace('6', "5"));
    assert_eq!(rewritten(two, &unset), two.replace("    ttl: 6\n", ""));
    assert_eq!(rewritten("settings:\n", &unset), "settings:\n");
}

#[test]
fn parts_that_come_through_a_merge_key_are_not_written_over() {
    let merged = "x-s: &s {cache: {ttl: 9, enabled: no}}\nsettings:\n  <<: *s\n  max_concurrency: 2\n";
    let set = [step(["settings", "cache", "ttl"], What::Set(5.into()))];
    assert_eq!(rewrite(merged, &set), Err("`settings.cache` comes through a merge key".to_owned()));
    let shared = "x-c: &c {ttl: 9}\nsettings:\n  cache: *c\n";
    assert_eq!(
        rewrite(shared, &set),
        Err("`settings.cache` is written elsewhere, behind an alias".to_owned())
    );
    let merged = "x-g: &g {shop: {description: d}}\ngroups:\n  <<: *g\n";
    let gone = [step(["groups", "shop"], What::Unset)];
    assert_eq!(rewrite(merged, &gone), Err("`groups.shop` comes through a merge key".to_owned()));
    let members = "x-m: &m [{agent: web}]\ngroups:\n  shop: {members: *m}\n  other: {members: *m}\n";
    let push = [step(["groups", "shop", "members"], What::Push(item("{agent: docs}")))];
    assert!(rewrite(members, &push).is_err());
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
