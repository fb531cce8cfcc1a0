//! Tests of reading YAML as it is written.

use crate::config::raw::{Node, SyntaxProblem, unquoted};

fn text(text: &str) -> Node {
    Node::Text(text.to_owned())
}

#[test]
fn every_kind_of_value_is_kept_as_it_is_written() {
    for (yaml, expected) in [
        ("~", Node::Null),
        ("true", Node::Bool(true)),
        ("no", text("no")),
        ("-5", Node::Int(-5)),
        ("0x10", Node::Int(16)),
        ("18446744073709551615", Node::Int(18_446_744_073_709_551_615)),
        ("99999999999999999999999", Node::Int(99_999_999_999_999_999_999_999)),
        ("340282366920938463463374607431768211455", Node::Int(i128::MAX)),
        ("1.5", Node::Float(1.5)),
        ("'5'", text("5")),
        ("!!str 5", text("5")),
        ("|\n  a\n  b\n", text("a\nb\n")),
        ("[1, [x]]", Node::List(vec![Node::Int(1), Node::List(vec![text("x")])])),
        ("{a: 1, a: 2}", Node::Map(vec![(text("a"), Node::Int(1)), (text("a"), Node::Int(2))])),
        ("!secret {a: 1}", Node::Tagged("secret".to_owned())),
        ("", Node::Null),
    ] {
        assert_eq!(Node::parse(yaml), Ok(expected), "{yaml:?}");
    }
}

#[test]
fn a_value_is_shown_short_and_on_one_line() {
    let long = "é".repeat(61);
    let cut = format!("\"{}\"…", "é".repeat(60));
    for (node, expected) in [
        (Node::Null, "nothing"),
        (Node::Float(0.5), "0.5"),
        (text("a\nb"), "\"a\\nb\""),
        (text(&long), cut.as_str()),
        (Node::List(Vec::new()), "a list"),
        (Node::Tagged("t\n".to_owned()), "a value with the tag `!t\\n`"),
    ] {
        assert_eq!(node.shown(), expected);
    }
}

#[test]
fn what_a_value_is_can_be_told_without_what_it_says() {
    for (node, expected) in [
        (Node::Null, "nothing"),
        (Node::Int(5), "a number"),
        (text("S3CRET"), "text"),
        (Node::Tagged("S3CRET".to_owned()), "a value with a tag"),
    ] {
        assert_eq!(node.kind(), expected);
    }
}

#[test]
fn what_the_reader_quotes_is_left_out() {
    for (said, expected) in [
        (
            "invalid value: string \"S3CRET\", expected an integer",
            "invalid value: string \"…\", expected an integer",
        ),
        (r#"a: string "S3\"CRET\\", expected null"#, "a: string \"…\", expected null"),
        ("a\"b: string \"S3CRET\", expected a float", "a\"…\", expected a float"),
        ("string \"\"", "string \"…\""),
        ("a\"b: unknown anchor", "a\"b: unknown anchor"),
        ("did not find expected key", "did not find expected key"),
    ] {
        assert_eq!(unquoted(said), expected);
    }
    for yaml in ["a: {b: !!int S3CRET}", "a: !!bool S3CRET", "- !!float 'S3\"CRET'", "!!null S3CRET"] {
        let problem = Node::parse(yaml).expect_err("no such value");
        assert!(problem.message.contains("string \"…\", expected "), "{yaml:?}: {}", problem.message);
    }
}

#[test]
fn a_second_document_is_placed_at_its_beginning() {
    for (yaml, line) in
        [("a: 1\n---\nb: 2\n", 2), ("# x\n---\na: 1\n# y\n---\nb: 2\n", 5), ("%YAML 1.1\n---\na\n---\nb", 4)]
    {
        let problem: SyntaxProblem = Node::parse(yaml).expect_err("two documents");
        assert_eq!(problem.place, Some((line, 1)), "{yaml:?}");
    }
}
