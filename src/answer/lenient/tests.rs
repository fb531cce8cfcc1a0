//! Answers that are JSON, hold JSON, or only look like it.

use proptest::prelude::*;

use super::*;

#[test]
fn the_one_value_is_found() {
    let rows = [
        (r#"{"a": 1}"#, r#"{"a": 1}"#),
        (" \n[1, 2]\n", "[1, 2]"),
        ("\u{feff}{\"a\":1}", "{\"a\":1}"),
        (" \n\u{feff} {\"a\":1}\r\n", "{\"a\":1}"),
        ("\u{feff}```json\n{\"a\":1}\n```\n", "{\"a\":1}"),
        ("\"text\"", "\"text\""),
        ("12345678901234567890123", "12345678901234567890123"),
        ("null", "null"),
        ("```json\n{\"a\": 1}\n```", "{\"a\": 1}"),
        ("Here it is:\n```\n[1]\n```\nDone {or not}.", "[1]"),
        ("```json\n{\"a\": 1}", "{\"a\": 1}"),
        ("```sh\nls [x]\n```\n```json\n{\"a\":[1]}\n```", "{\"a\":[1]}"),
        ("The answer is {\"a\": [1, {\"b\": \"}\"}]}, as asked.", "{\"a\": [1, {\"b\": \"}\"}]}"),
        ("{not json} but {\"a\":1}", "{\"a\":1}"),
        (r#"{"a": "\ud83d"}"#, r#"{"a": "\ufffd"}"#),
    ];
    for (answer, value) in rows {
        assert_eq!(json_value(answer).as_deref(), Some(value), "{answer}");
    }
}

#[test]
fn no_value_and_no_certain_value_is_none() {
    let rows = [
        "",
        "plain words",
        "{\"a\": 1} {\"b\": 2}",
        "see [1] and [2]",
        "```\n[1]\n```\n```\n[2]\n```",
        "{\"a\": 1",
        "[NaN]",
    ];
    for answer in rows {
        assert_eq!(json_value(answer), None, "{answer}");
    }
}

#[test]
fn a_text_full_of_brackets_is_given_up() {
    for text in ["[".repeat(900_000), "[\"a".repeat(300_000), "{\"a\":[".repeat(150_000)] {
        assert_eq!(json_value(&text), None);
    }
}

proptest! {
    #[test]
    fn what_is_found_is_json(text in "([\\[\\]{}\",:0-9a-z\\\\ \n]|```|\\\\ud83d){0,60}") {
        if let Some(value) = json_value(&text) {
            prop_assert!(serde_json::from_str::<Value>(&value).is_ok(), "{}", value);
        }
    }
}
