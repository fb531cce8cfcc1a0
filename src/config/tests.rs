//! Tests of loading the agents file as a whole.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::config::raw::Node;
use crate::config::resolve::settings::{SETTINGS, Shape};
use crate::config::resolve::{AGENT_KEYS, BUDGET_KEYS, ENV_KEYS, GROUP_KEYS, MEMBER_KEYS, TOP_KEYS};
use crate::config::{Config, ConfigError, FILE_BYTES_MAX, Problem, load, parse};
use crate::model::{Agent, Settings};

const HOME: &str = "/home/u";

fn read(text: &str) -> Result<Config, ConfigError> {
    parse(Path::new("/etc/ad/agents.yaml"), Path::new(HOME), text.as_bytes())
}

fn said(result: &Result<Config, ConfigError>) -> String {
    result.as_ref().map_or_else(ToString::to_string, |_| String::new())
}

fn listed(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn names(config: &Config) -> Vec<&str> {
    config.agents.iter().map(|agent| agent.name.as_str()).collect()
}

#[test]
fn a_file_that_is_missing_or_says_nothing_is_an_empty_configuration() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("agents.yaml");
    let home = Path::new(HOME);
    assert_eq!(load(&path, home).expect("missing"), Config::empty(path.clone()));
    let null = "agents:\ngroups:\nsettings:\n";
    let texts = [
        "",
        "\n",
        "# only\n",
        "---\n",
        "---\n...\n",
        "{}\n",
        "~\n",
        "\u{feff}",
        "\u{feff}# x\r\n",
        null,
        "settings:\n  cache:\n  budget:\n",
    ];
    for text in texts {
        fs::write(&path, text).expect("written");
        let config = load(&path, home).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(config, Config::empty(path.clone()), "{text:?}");
    }
}

#[test]
fn the_example_file_is_right_and_names_every_key() {
    let text = include_str!("../../agents.example.yaml");
    let config = read(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.warnings, []);
    assert_eq!(config.broken.len(), 0, "{:?}", config.broken);
    assert_eq!(names(&config), ["infra", "web"]);
    let Node::Map(root) = Node::parse(text).expect("YAML") else { panic!("no mapping") };
    let value = |map: &[(Node, Node)], key: &str| {
        let found = map.iter().find(|(known, _)| *known == Node::Text(key.to_owned()));
        found.unwrap_or_else(|| panic!("`{key}` is not in the example")).1.clone()
    };
    let all_of = |map: &Node, keys: &[&str]| {
        let Node::Map(map) = map else { panic!("{keys:?} are not keys of a mapping") };
        keys.iter().map(|key| value(map, key)).collect::<Vec<_>>()
    };
    let top = all_of(&Node::Map(root), TOP_KEYS);
    let Node::Map(settings) = &top[2] else { panic!("no settings") };
    for (key, shape) in SETTINGS {
        let value = value(settings, key);
        match shape {
            Shape::One => {}
            Shape::List => assert!(matches!(value, Node::List(_)), "{key}"),
            Shape::Part(keys) => drop(all_of(&value, keys)),
        }
    }
    let Node::Map(agents) = &top[0] else { panic!("no agents") };
    let Node::Map(infra) = value(agents, "infra") else { panic!("no agent") };
    all_of(&Node::Map(infra.clone()), AGENT_KEYS);
    all_of(&value(&infra, "env"), ENV_KEYS);
    all_of(&value(&infra, "budget"), BUDGET_KEYS);
    let Node::Map(groups) = &top[1] else { panic!("no groups") };
    let shop = value(groups, "shop");
    let members = all_of(&shop, GROUP_KEYS).remove(2);
    let Node::List(members) = members else { panic!("no members") };
    all_of(&members[0], MEMBER_KEYS);
}

#[test]
fn one_bad_agent_switches_off_that_agent_only() {
    let config = read(
        "agents:\n  one: {directory: /1}\n  two:\n    directory: /2\n    timeout: soon\n    model: [x]\n  three: {directory: /3}\n",
    )
    .expect("usable");
    assert_eq!(names(&config), ["one", "three"]);
    assert_eq!(config.agent("three").map(|agent| agent.directory.clone()), Some(PathBuf::from("/3")));
    assert_eq!(config.agent("two"), None);
    let two = listed(&config.broken["two"]);
    let expected = [
        "5:14: agents.two.timeout: expected a whole number of seconds from 0 to 86400, found \"soon\"",
        "6:12: agents.two.model: expected text, found a list",
    ];
    assert_eq!(two, expected);
}

#[test]
fn names_that_are_none_are_problems_of_their_agents() {
    let text = "agents:\n  ../x: {directory: /x}\n  \"\": {directory: /x}\n  yes: {directory: /x}\n  True: {directory: /x}\n  123: {directory: /x}\n  1.5: {directory: /x}\n  ~: {directory: /x}\n  \"a\\n\": {directory: /x}\n  fine: {directory: /x}\n  \"7\": {directory: /x}\n";
    let config = read(text).expect("usable");
    assert_eq!(names(&config), ["fine", "7"]);
    let broken: Vec<(&str, usize, usize)> = config
        .broken
        .iter()
        .map(|(name, problems)| (name.as_str(), problems[0].line, problems[0].column))
        .collect();
    let expected = [
        ("", 3, 3),
        ("../x", 2, 3),
        ("1.5", 7, 3),
        ("123", 6, 3),
        ("a\n", 9, 3),
        ("null", 8, 3),
        ("true", 5, 3),
        ("yes", 4, 3),
    ];
    assert_eq!(broken, expected);
    assert_eq!(
        listed(&config.broken["123"]),
        ["6:3: agents.123: `123` is a number here, and a name must be text: put it in quotes"]
    );
    assert!(
        config.broken["a\n"][0].to_string().starts_with("9:3: agents.\"a\\n\": `a\\n` is not an agent name")
    );
}

#[test]
fn a_key_written_twice_is_a_problem_of_whom_it_belongs_to() {
    let config = read("agents:\n  a:\n    directory: /a\n    directory: /b\n  b: {directory: /b}\n  c: {directory: /1}\n  c: {directory: /2}\n").expect("usable");
    assert_eq!(names(&config), ["b"]);
    assert_eq!(
        listed(&config.broken["a"]),
        ["4:5: agents.a.directory: is written twice: keep one of the two"]
    );
    assert_eq!(listed(&config.broken["c"]), ["7:3: agents.c: is written twice: keep one of the two"]);
    for (text, place) in [
        ("agents:\nsettings:\nagents:\n", "3:1: agents"),
        ("settings:\n  usage_log: true\n  usage_log: true\n", "3:3: settings.usage_log"),
        ("groups:\n  g: {}\n  g: {}\n", "3:3: groups.g"),
    ] {
        assert_eq!(
            said(&read(text)),
            format!("/etc/ad/agents.yaml:{place}: is written twice: keep one of the two")
        );
    }
}

#[test]
fn problems_outside_agents_are_all_listed_in_file_order() {
    let result = read(
        "settings:\n  max_concurrency: 0\n  cache:\n    ttl: -1\n  on_disconnect: cancle\nagents:\n  a: {directory: /a, timeout: -5}\ngroups:\n  g:\n    members: [{agent: ../x}, b, {use_for: x}]\n  \"!\": {}\n",
    );
    let expected = [
        "2:20: settings.max_concurrency: expected a whole number of dispatches from 1 to 1000, found 0",
        "4:10: settings.cache.ttl: expected a whole number of seconds from 0 to 31536000, found -1",
        "5:18: settings.on_disconnect: expected one of cancel, detach, found \"cancle\" (did you mean `cancel`?)",
        "7:31: agents.a.timeout: expected a whole number of seconds from 0 to 86400, found -5",
        "10:23: groups.g.members[0].agent: `../x` is not an agent name: expected letters, digits, `-` and `_`, starting with a letter or digit, at most 100 characters",
        "10:30: groups.g.members[1]: expected a mapping of keys and values, found text",
        "10:33: groups.g.members[2]: names no agent: write `agent: name`",
        "11:3: groups.\"!\": `!` is not a group name: expected letters, digits, `-` and `_`, starting with a letter or digit, at most 100 characters",
    ]
    .map(|line| format!("/etc/ad/agents.yaml:{line}"))
    .join("\n");
    assert_eq!(said(&result), expected);
}

#[test]
fn unknown_keys_are_warnings_with_the_nearest_known_one() {
    let config = read(
        "x-base: &b {permission_mode: plan}\nagent: {}\nagents:\n  x-team: {whatever: 1}\n  a:\n    <<: *b\n    directory: /a\n    time_out: 5\n    zzz: 1\n    permission_mode: acceptedits\nsettings:\n  cache: {tll: 5}\n",
    )
    .expect("usable");
    let all = AGENT_KEYS.join(", ");
    let expected = [
        "2:1: agent: unknown key, it is ignored: did you mean `agents`?".to_owned(),
        "8:5: agents.a.time_out: unknown key, it is ignored: did you mean `timeout`?".to_owned(),
        format!("9:5: agents.a.zzz: unknown key, it is ignored: the keys known here are {all}"),
        "10:22: agents.a.permission_mode: unknown permission mode \"acceptedits\": did you mean `acceptEdits`?".to_owned(),
        "12:11: settings.cache.tll: unknown key, it is ignored: did you mean `ttl`?".to_owned(),
    ];
    assert_eq!(listed(&config.warnings), expected);
    assert_eq!(names(&config), ["a"]);
}

#[test]
fn what_may_be_meant_to_restrict_an_agent_is_not_passed_over() {
    let config = read(
        "agents:\n  a:\n    directory: /a\n    disallowed_tool: [Bash]\n  b:\n    directory: /b\n    callers:\n    allowed_tools: []\n",
    )
    .expect("usable");
    assert_eq!(names(&config), ["b"]);
    assert_eq!(config.agent("b").unwrap().allowed_tools, Some(Vec::new()));
    let why = &config.broken["a"];
    assert!(
        listed(why)[0].contains("nothing may run unrestricted by mistake: did you mean `disallowed_tools`?"),
        "{why:?}"
    );
    let warned = listed(&config.warnings);
    assert_eq!(
        warned,
        ["7:5: agents.b.callers: has no value, which is as if it were not there: write [] for an empty list"]
    );
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let config = read(
        "x-base: &base\n  directory: /base\n  timeout: 30\nx-more: &more {model: opus, timeout: 40}\nagents:\n  a: *base\n  b:\n    <<: *base\n    timeout: 50\n  c:\n    <<: [*more, *base]\n  d:\n    <<: 5\n    directory: /d\n  e: {<<: *base, timeout: null}\n",
    )
    .expect("usable");
    let seen = |name: &str| {
        config.agent(name).map(|agent| (agent.directory.to_str(), agent.timeout, agent.model.as_deref()))
    };
    assert_eq!(seen("a"), Some((Some("/base"), Some(30), None)));
    assert_eq!(seen("b"), Some((Some("/base"), Some(50), None)));
    assert_eq!(seen("c"), Some((Some("/base"), Some(40), Some("opus"))));
    assert_eq!(seen("e"), Some((Some("/base"), None, None)));
    assert_eq!(
        listed(&config.broken["d"]),
        ["13:9: agents.d.\"<<\": only mappings can be merged, found a number"]
    );
}

#[test]
fn what_comes_through_an_anchor_is_placed_where_it_is_used() {
    let config = read(
        "x-base: &base\n  directory: /base\n  timeout: soon\nagents:\n  a: *base\n  b:\n    <<: *base\n",
    )
    .expect("usable");
    let place = |name: &str| {
        (config.broken[name][0].line, config.broken[name][0].column, config.broken[name][0].key.clone())
    };
    assert_eq!(place("a"), (5, 6, "agents.a.timeout".to_owned()));
    assert_eq!(place("b"), (7, 5, "agents.b.timeout".to_owned()));
}

#[test]
fn text_that_is_not_yaml_is_refused_with_its_place() {
    for (text, expected) in [
        (
            "agents:\n\tx: 1\n",
            "2:1: found character that cannot start any token, while scanning for the next token (the line begins with a tab: YAML indents with spaces)",
        ),
        (
            "a: [1, 2\n",
            "2:1: did not find expected ',' or ']', while parsing a flow sequence at line 1 column 4",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "2:1: a second document begins here: keep everything in one, without `---` in between",
        ),
        ("a: *b\n", "1:4: unknown anchor"),
        ("a\0: 1\n", "1:1: control characters are not allowed at position 1"),
    ] {
        let error = read(text).expect_err(text);
        assert!(matches!(error, ConfigError::Syntax { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("/etc/ad/agents.yaml:{expected}"));
    }
}

#[test]
fn text_in_other_encodings_is_refused_with_the_place_of_the_first_byte() {
    let path = Path::new("/a.yaml");
    // "кот" in Windows-1251, and UTF-16 with a byte order mark.
    for (bytes, at) in [(b"agents: {} # \xea\xee\xf2".as_slice(), 13), (b"\xff\xfea\0", 0), (b"ok\xc3", 2)] {
        match parse(path, Path::new(HOME), bytes) {
            Err(ConfigError::NotUtf8 { at: found, .. }) => assert_eq!(found, at),
            other => panic!("{other:?}"),
        }
    }
    // UTF-16 without a mark is full of NULs.
    assert!(matches!(parse(path, Path::new(HOME), b"a\0:\0 \x001\0"), Err(ConfigError::Syntax { .. })));
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    let text = "agents:\n  a:\n    directory: /a\n    instructions: |\n      one\n      two\n    timeout: x\nsettings:\n  usage_log: no\n";
    let plain = read(text).expect("usable");
    assert_eq!(plain.broken["a"][0].line, 7);
    for same in [text.replace('\n', "\r\n"), format!("\u{feff}{text}"), format!("---\n{text}...\n")] {
        let mut config = read(&same).expect("usable");
        for problem in config.broken.values_mut().flatten() {
            problem.line = 7;
        }
        assert_eq!(config, plain, "{same:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_or_is_too_large_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let error = load(folder.path(), Path::new(HOME)).expect_err("a directory");
    assert_eq!(error.to_string(), format!("{}: the agents file cannot be read", folder.path().display()));
    let path = folder.path().join("large");
    fs::write(&path, vec![b'#'; FILE_BYTES_MAX + 1]).expect("written");
    assert!(matches!(load(&path, Path::new(HOME)), Err(ConfigError::TooLarge { .. })));
}

#[test]
fn the_shape_of_the_file_is_checked() {
    for (text, expected) in [
        ("- a\n", "1:1: expected a mapping of keys and values, found a list"),
        ("hello\n", "1:1: expected a mapping of keys and values, found text"),
        ("agents: [a]\n", "1:9: agents: expected a mapping of keys and values, found a list"),
        ("settings: 5\n", "1:11: settings: expected a mapping of keys and values, found a number"),
        ("? [a]\n: 1\n", "1:3: \"?\": a key must be plain text, found a list"),
        (
            "settings: !secret x\n",
            "1:11: settings: expected a mapping of keys and values, found a value with a tag",
        ),
    ] {
        assert_eq!(said(&read(text)), format!("/etc/ad/agents.yaml:{expected}"), "{text:?}");
    }
    let broken = read("agents:\n  a:\n  b: 5\n  c: {}\n").expect("usable").broken;
    assert_eq!(listed(&broken["a"]), ["2:3: agents.a: has no `directory`: add the directory it works in"]);
    assert_eq!(
        listed(&broken["b"]),
        ["3:6: agents.b: expected a mapping of keys and values, found a number"]
    );
    assert_eq!(listed(&broken["c"]), ["4:3: agents.c: has no `directory`: add the directory it works in"]);
}

#[test]
fn aliases_that_multiply_and_values_that_nest_too_deep_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        let aliases = vec![format!("*a{before}"); 10].join(", ");
        bomb = format!("{bomb}a{level}: &a{level} [{aliases}]\n");
    }
    let deep = format!("a: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    for text in [bomb, deep] {
        assert!(matches!(read(&text), Err(ConfigError::Syntax { .. })));
    }
}

#[test]
fn the_defaults_hold_where_nothing_is_said() {
    let config = read("agents:\n  a: {directory: /a}\n").expect("usable");
    assert_eq!(config.settings, Settings::default());
    let expected = Agent::new("a".parse().expect("a name"), PathBuf::from("/a"));
    assert_eq!(config.agents, [expected]);
}

/// Lines that files are made of, right and wrong.
fn lines() -> impl Strategy<Value = String> {
    let keys = prop_oneof![
        Just("agents".to_owned()),
        Just("settings".to_owned()),
        Just("groups".to_owned()),
        Just("directory".to_owned()),
        Just("timeout".to_owned()),
        Just("env".to_owned()),
        Just("<<".to_owned()),
        Just("members".to_owned()),
        "[a-z]{1,3}",
        "\\PC{0,4}",
    ];
    let values = prop_oneof![
        Just(String::new()),
        Just("5".to_owned()),
        Just("&a".to_owned()),
        Just("*a".to_owned()),
        Just("[a, {b: c}]".to_owned()),
        Just("{x: 1}".to_owned()),
        Just("|".to_owned()),
        Just("'q".to_owned()),
        Just("!t x".to_owned()),
        "\\PC{0,6}",
    ];
    (0..4_usize, prop::bool::ANY, keys, values).prop_map(|(indent, item, key, value)| {
        format!("{}{}{key}: {value}\n", "  ".repeat(indent), if item { "- " } else { "" })
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        drop(read(&text));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        drop(parse(Path::new("/a"), Path::new(HOME), &bytes));
    }

    #[test]
    fn any_lines_are_read_or_refused_and_every_place_is_in_the_text(lines in prop::collection::vec(lines(), 0..12)) {
        let text = lines.concat();
        let problems = match read(&text) {
            Ok(config) => config.warnings.into_iter().chain(config.broken.into_values().flatten()).collect(),
            Err(ConfigError::Invalid { problems, .. }) => problems,
            Err(_) => Vec::new(),
        };
        for problem in problems {
            // YAML also ends lines where `lines` does not; the text has at least that many.
            prop_assert!(problem.line >= 1 && problem.line <= text.split(['\n', '\r']).count(), "{problem} in {text:?}");
            prop_assert!(problem.column >= 1 && problem.column <= text.chars().count() + 1, "{problem} in {text:?}");
        }
    }
}
