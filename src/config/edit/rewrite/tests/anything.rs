//! Random files with comments and anchors, random changes: the meaning is the intended one, comments elsewhere stay.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_yaml::{Mapping, Value};

use crate::config::edit::rewrite::{Key, Step, What, own, rewrite, shown, way};

/// Ways to write a group's fields besides its members; `#` comments carry numbers when they are put in.
const SAYINGS: &[&[&str]] = &[
    &["description: 'it''s'  # C"],
    &["# C", "description: >-", "  folded", "  text"],
    &["shared_context: |", "  one", "", "    two"],
    &["shared_context: |+", "  # no comment", ""],
    &["x-own: [1, {a: b}] # C"],
    &["# C"],
];

/// Ways to write a member.
const MEMBERS: &[&[&str]] = &[
    &["- agent: NAME"],
    &["- agent: NAME # C", "  use_for: pages"],
    &["# C", "- use_for: 'a: b'", "  agent: NAME # C"],
    &["- {agent: NAME, use_for: x} # C"],
    &["-", "  agent: NAME", "  # C", "  use_for: |", "    long", "    text"],
];

/// Ways to write settings.
const SETTINGS: &[&[&str]] = &[
    &["max_concurrency: 3 # C"],
    &["# C", "cache:", "  # C", "  ttl: 60 # C", "  enabled: yes"],
    &["cache: {ttl: 60} # C"],
    &["budget:", "  day: 5 # C"],
    &["default_allowed_tools: [Read, 'Bash(a: b)'] # C"],
    &["default_allowed_tools:", "- Read # C", "- Grep"],
    &["audit: &audit", "  content: digest"],
    &["<<: *base # C"],
];

fn some(
    pool: &'static [&'static [&'static str]],
    most: usize,
) -> impl Strategy<Value = Vec<&'static [&'static str]>> {
    prop::sample::subsequence(pool, 0..=most).prop_map(|mut sayings| {
        let key = |lines: &[&str]| lines.iter().find_map(|line| Some(line.split_once(':')?.0.to_owned()));
        let mut seen = Vec::new();
        sayings.retain(|lines| {
            let key = key(lines);
            let new = key.is_none() || !seen.contains(&key);
            seen.push(key);
            new
        });
        sayings
    })
}

/// Returns a file of groups and settings, and how many members the first group has.
fn files() -> impl Strategy<Value = (String, usize)> {
    let members = prop::collection::vec(prop::sample::select(MEMBERS), 0..4);
    let group = (some(SAYINGS, 3), members, any::<bool>(), 0..2_usize);
    let groups = prop::collection::vec(group, 1..3);
    (groups, some(SETTINGS, 4), 1..5_usize, any::<bool>(), any::<bool>()).prop_map(
        |(groups, settings, indent, settings_first, crlf)| {
            let mut lines = Lines::default();
            let section = |lines: &mut Lines| {
                lines.put(0, "settings: # C");
                settings.iter().copied().flatten().for_each(|line| lines.put(indent, line));
            };
            lines.put(0, "x-base: &base {stall_seconds: 9}");
            if settings_first {
                section(&mut lines);
            }
            lines.put(0, "groups:");
            for (number, (sayings, members, deep, gap)) in groups.iter().enumerate() {
                lines.put(indent, &format!("g{number}: # C"));
                if !members.is_empty() {
                    lines.put(2 * indent, "members: # C");
                }
                for (number, member) in members.iter().enumerate() {
                    let (name, mark) = (format!("a{number}"), format!("# m{number}."));
                    let depth = 2 * indent + if *deep { 2 } else { 0 };
                    member
                        .iter()
                        .for_each(|it| lines.put(depth, &it.replace("NAME", &name).replace("# C", &mark)));
                }
                sayings.iter().copied().flatten().for_each(|it| lines.put(2 * indent, it));
                (0..*gap).for_each(|_| lines.put(0, ""));
            }
            if !settings_first {
                section(&mut lines);
            }
            let text = if crlf { lines.text.replace('\n', "\r\n") } else { lines.text };
            (text, groups.first().map_or(0, |group| group.1.len()))
        },
    )
}

/// Lines of a file, its comments numbered.
#[derive(Default)]
struct Lines {
    text: String,
    number: usize,
}

impl Lines {
    fn put(&mut self, depth: usize, line: &str) {
        self.number += 1;
        let line = line.replace("# C", &format!("# c{}.", self.number));
        let indent = if line.is_empty() { 0 } else { depth };
        writeln!(self.text, "{:indent$}{line}", "").expect("a text takes more text");
    }
}

fn changes() -> impl Strategy<Value = Step> {
    let texts =
        prop::sample::select(vec!["plain", "a: b # c", "two\nlines\n", "'", "yes", " lead", "- x", ""]);
    let values = prop_oneof![
        texts.prop_map(Value::from),
        (0..100_u32).prop_map(Value::from),
        Just(Value::from(vec![Value::from("Read"), Value::from("Bash(x: y)")])),
    ];
    let ways = prop::sample::select(vec![
        "settings.max_concurrency",
        "settings.cache.ttl",
        "settings.cache.max_size",
        "settings.budget.day",
        "settings.audit.content",
        "settings.default_allowed_tools",
        "settings.stall_seconds",
        "groups.g0.description",
        "groups.g0.shared_context",
        "groups.new.description",
    ]);
    let field = (ways, prop::option::of(values.clone())).prop_map(|(name, value)| Step {
        way: way(name.split('.')),
        what: value.map_or(What::Unset, What::Set),
    });
    let members = || way(["groups", "g0", "members"]);
    let push = values.clone().prop_map(move |value| {
        let item = Mapping::from_iter([("agent".into(), "new".into()), ("use_for".into(), value)]);
        Step { way: members(), what: What::Push(Value::Mapping(item)) }
    });
    let member =
        (0..3_usize, prop::option::of(values), any::<bool>()).prop_map(move |(index, value, whole)| {
            let mut way = members();
            way.push(Key::Item(index));
            match (whole, value) {
                (true, _) => Step { way, what: What::Unset },
                (false, value) => {
                    way.push(Key::Name("use_for".to_owned()));
                    Step { way, what: value.map_or(What::Unset, What::Set) }
                }
            }
        });
    let group = Just(Step { way: way(["groups", "g0"]), what: What::Unset });
    prop_oneof![4 => field, 2 => push, 3 => member, 1 => group]
}

/// Returns the comments of a text, in order.
fn comments(text: &str) -> Vec<&str> {
    let marks = text.match_indices("# ").filter_map(|(at, _)| text.get(at..)?.split_once('.'));
    let mut marks: Vec<&str> = marks.map(|(mark, _)| mark).filter(|mark| mark.len() < 7).collect();
    marks.sort_unstable();
    marks
}

/// Returns the comments that may go with a change: those inside of what it replaces or takes out.
fn inside(text: &str, step: &Step, alone: bool) -> Vec<String> {
    let deep = if alone { step.way.len() - 1 } else { step.way.len() };
    if let (Some(Key::Item(index)), false) = (step.way.get(3), alone && deep == 3) {
        return vec![format!("# m{index}")];
    }
    let part = shown(text, step.way.get(..deep).expect("ways are longer")).unwrap_or_default();
    // What stands behind it on its last line is about it.
    let (_, rest) = text.split_once(&part).unwrap_or_default();
    let part = part.clone() + rest.lines().next().unwrap_or_default();
    comments(&part).into_iter().map(str::to_owned).collect()
}

proptest! {
    #[test]
    fn a_change_means_what_it_should_and_leaves_other_comments((text, members) in files(), step in changes()) {
        let before: Value = serde_yaml::from_str(&text).expect("the files are YAML");
        if let Some(Key::Item(index)) = step.way.get(3) {
            prop_assume!(*index < members);
        }
        let new = rewrite(&text, std::slice::from_ref(&step)).unwrap_or_else(|reason| panic!("{step:?}: {reason}\n{text}"));
        let after: Value = serde_yaml::from_str(&new).expect("the result is YAML");
        match &step.what {
            What::Set(value) => prop_assert_eq!(own(&after, &step.way), Some(value), "{}\n{}", text, new),
            What::Push(item) => {
                let Some(Value::Sequence(items)) = own(&after, &step.way) else { panic!("no list: {new}") };
                prop_assert_eq!(items.len(), members + 1);
                prop_assert_eq!(items.last(), Some(item));
            }
            What::Unset if matches!(step.way.last(), Some(Key::Name(_))) => {
                prop_assert!(own(&after, &step.way).is_none_or(Value::is_null), "{}\n{}", text, new);
            }
            What::Unset => {
                let left = own(&after, step.way.get(..3).expect("a list")).and_then(Value::as_sequence);
                prop_assert_eq!(left.map_or(0, Vec::len), members - 1);
            }
        }
        // Whatever else is in the file means the same.
        for key in ["x-base", "settings", "groups"] {
            if step.way.first() != Some(&Key::Name(key.to_owned())) {
                prop_assert_eq!(before.get(key), after.get(key));
            }
        }
        let alone = own(&after, step.way.split_last().expect("ways are longer").1).is_none();
        let may_go = inside(&text, &step, alone);
        let stay = |text| comments(text).into_iter().filter(|it| !may_go.iter().any(|gone| gone == it)).collect::<Vec<_>>();
        prop_assert_eq!(stay(&text), stay(&new), "{}\n{}", text, new);
        let crlf = text.contains("\r\n");
        prop_assert!(!crlf || new.matches('\n').count() == new.matches("\r\n").count(), "{new:?}");
        let again = rewrite(&new, std::slice::from_ref(&step));
        if !matches!(step.what, What::Push(_)) && step.way.get(3).is_none_or(|key| matches!(key, Key::Name(_))) {
            prop_assert_eq!(again, Ok(new));
        }
    }
}
