//! Tests of previews.

use std::fs;

use crate::project::{Preview, preview};

#[test]
fn a_preview_shows_the_first_lines_and_says_whether_there_are_more() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("text");
    let long = "é".repeat(500);
    let many = "x\n".repeat(300);
    let two_hundred = vec!["x"; 200].join("\n");
    for (text, lines, expected, truncated) in [
        ("a\nb\nc\n", 2, "a\nb", true),
        ("a\nb\n", 2, "a\nb", false),
        ("a\r\nb", 9, "a\nb", false),
        ("", 9, "", false),
        ("a", 0, "", true),
        (&long, 1, &"é".repeat(200), true),
        (&long, 3, &long, false),
        (&many, 1_000, &two_hundred, true),
    ] {
        fs::write(&path, text).expect("written");
        let shown = preview(&path, lines).expect("readable").expect("there");
        assert_eq!(shown, Preview { text: expected.to_owned(), truncated }, "{lines} of {text:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_a_missing_file_is_nothing() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("text");
    assert_eq!(preview(&path, 5).expect("no error"), None);
    fs::write(&path, b"a\xffb").expect("written");
    let shown = preview(&path, 5).expect("readable").expect("there");
    assert_eq!(shown.text, "a\u{fffd}b");
}
