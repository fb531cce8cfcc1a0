//! Tests of finding places.

use crate::config::place::{Places, Spot, Trail};

const TEXT: &str = "# é\nagents: # c\n  infra: &i\n    directory: ~/x   # hi\n    timeout:\n    tools: [a, \"b\", {c: d}]\n    text: |\n      abc\n  web:\n    <<: *i\n    ? k\n    : v\n    t: !!str 5\n    l:\n      - a: 1\n      - é: ü\nlast: {x: 1}\n";

fn agents() -> Trail {
    Trail::default().entry(Some(0), "agents")
}

#[test]
fn keys_and_values_are_found_where_they_stand() {
    let infra = agents().entry(Some(0), "infra");
    let web = agents().entry(Some(1), "web");
    let tools = infra.entry(Some(2), "tools");
    let list = web.entry(Some(3), "l");
    let places = Places::new(TEXT);
    for (trail, spot, expected) in [
        (Trail::default(), Spot::Value, (1, 1)),
        (agents(), Spot::Key, (2, 1)),
        (agents(), Spot::Value, (3, 3)),
        (infra.entry(Some(0), "directory"), Spot::Key, (4, 5)),
        (infra.entry(Some(0), "directory"), Spot::Value, (4, 16)),
        (infra.entry(Some(1), "timeout"), Spot::Value, (5, 5)),
        (tools.clone(), Spot::Value, (6, 12)),
        (tools.item(1), Spot::Value, (6, 16)),
        (tools.item(2).entry(Some(0), "c"), Spot::Value, (6, 25)),
        (infra.entry(Some(3), "text"), Spot::Value, (7, 11)),
        (web.entry(Some(1), "k"), Spot::Value, (12, 7)),
        (web.entry(Some(2), "t"), Spot::Value, (13, 8)),
        (list.item(0).entry(Some(0), "a"), Spot::Value, (15, 12)),
        (list.item(1).entry(Some(0), "é"), Spot::Value, (16, 12)),
        (Trail::default().entry(Some(1), "last").entry(Some(0), "x"), Spot::Key, (17, 8)),
    ] {
        assert_eq!(places.find(&trail, spot), expected, "{trail} {spot:?}");
    }
}

#[test]
fn what_stands_elsewhere_or_nowhere_is_placed_at_the_last_thing_on_the_way() {
    let web = agents().entry(Some(1), "web");
    let places = Places::new(TEXT);
    for (trail, expected) in [
        (web.entry(None, "directory"), (10, 5)),
        (web.entry(Some(9), "directory"), (10, 5)),
        (web.entry(Some(1), "other"), (10, 5)),
        (agents().item(3), (3, 3)),
        (agents().entry(Some(0), "infra").entry(Some(2), "tools").item(7), (6, 12)),
    ] {
        assert_eq!(places.find(&trail, Spot::Value), expected, "{trail}");
    }
}

#[test]
fn every_kind_of_line_end_is_counted() {
    let trail = Trail::default().entry(Some(1), "b");
    for text in ["a: 1\nb: 2\n", "a: 1\r\nb: 2\r\n", "a: 1\rb: 2\r"] {
        assert_eq!(Places::new(text).find(&trail, Spot::Value), (2, 4), "{text:?}");
    }
}

#[test]
fn a_trail_is_written_as_people_write_it() {
    let odd = Trail::default()
        .entry(Some(0), "agents")
        .entry(None, "../x")
        .entry(Some(1), "l")
        .item(3)
        .entry(None, "");
    assert_eq!(odd.to_string(), "agents.\"../x\".l[3].\"\"");
    assert_eq!(Trail::default().to_string(), "");
}
