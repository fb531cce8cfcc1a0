//! Secrets of every shape, texts that only look like them, and lines that would do harm on a terminal.

use proptest::prelude::*;

use super::*;

/// Joins the parts of a made-up secret, so that no scanner of this repository takes it for a real one.
fn made(parts: &[&str]) -> String {
    parts.concat()
}

#[test]
fn every_pattern_compiles() {
    for shape in &SHAPES {
        Regex::new(shape.pattern).unwrap_or_else(|error| panic!("{}: {error}", shape.kind));
        assert!(shape.needles.iter().all(|needle| *needle == needle.to_lowercase()), "{}", shape.kind);
    }
}

#[test]
fn secrets_of_known_shapes_are_replaced_by_their_kind() {
    let body = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb3dEf6h";
    let rows = [
        (made(&["use sk-", "ant-api03-", body, " now"]), "use [redacted Anthropic key] now"),
        (made(&["sk-", "proj-", body]), "[redacted OpenAI key]"),
        (made(&["(", "ghp_", body, ")"]), "([redacted GitHub token])"),
        (made(&["github_", "pat_", body]), "[redacted GitHub token]"),
        (made(&["gl", "pat-", body]), "[redacted GitLab token]"),
        (made(&["xox", "b-123456789012-", body]), "[redacted Slack token]"),
        (
            made(&["https://hooks.slack.", "com/services/T000/B000/", body]),
            "https://hooks.slack.com/services/[redacted Slack token]",
        ),
        (made(&["id ", "AKIA", "IOSFODNN7EXAMPLE", "."]), "id [redacted AWS key]."),
        (made(&["AI", "za", body]), "[redacted Google key]"),
        (made(&["sk_", "live_", body]), "[redacted token]"),
        (made(&["eyJ", "hbGciOiJIUzI1", ".eyJzdWIiOiIx", ".", body]), "[redacted JWT]"),
        (
            made(&["curl -H 'Authorization: Bearer ", body, "'"]),
            "curl -H 'Authorization: Bearer [redacted bearer token]'",
        ),
        (made(&["authorization: basic ", body]), "authorization: basic [redacted bearer token]"),
        ("postgres://app:s3cr@t@db:5432/x".to_owned(), "postgres://app:[redacted password]@db:5432/x"),
        ("password=hunter22 next".to_owned(), "password=[redacted secret] next"),
        ("\"api_key\": \"abcd efgh\",".to_owned(), "\"api_key\": \"[redacted secret]\","),
        ("DB_PASSWORD_PROD: 'x y z w'".to_owned(), "DB_PASSWORD_PROD: '[redacted secret]'"),
        ("token: abcdef".to_owned(), "token: [redacted secret]"),
        ("AWS_SECRET_ACCESS_KEY=abcd/efgh+ijkl".to_owned(), "AWS_SECRET_ACCESS_KEY=[redacted secret]"),
        ("mysql --password hunter22 -u x".to_owned(), "mysql --password [redacted secret] -u x"),
        (
            made(&[
                "a\n-----BEGIN RSA PRIVATE ",
                "KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE ",
                "KEY-----\nb",
            ]),
            "a\n[redacted private key]\nb",
        ),
        (made(&["-----BEGIN PRIVATE ", "KEY-----\nMIIEcut off"]), "[redacted private key]"),
        (made(&["token=ghp_", body]), "token=[redacted GitHub token]"),
    ];
    for (text, clean) in rows {
        assert_eq!(redact(&text), clean, "{text}");
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    let rows = [
        "",
        "the bearer authentication scheme and the basic understanding of it",
        "input_tokens: 20000, tokens = 31234",
        "read the key from $API_KEY or password=$PASSWORD or token: <your token>",
        "https://example.com:8080/path and user@example.com",
        "a task-based sk-short desk-lamp",
        "ask: is the secret kept?",
        "cargo test --token-count 12345",
    ];
    for text in rows {
        assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}: {}", redact(text));
    }
}

#[test]
fn one_line_shows_no_control_no_escape_and_no_hidden_mark() {
    let rows = [
        ("  a\n\tb\r\nc  ", 10, "a b c"),
        ("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{1b}]8;;u\u{1b}\\y", 20, "red xy"),
        ("a\u{0}b\u{8}c\u{9b}d\u{7f}", 10, "abcd"),
        ("\u{202e}evil\u{2066} \u{200b}x\u{feff}", 10, "evil x"),
        ("line\u{2028}two", 10, "line two"),
        ("abcdef", 3, "abc…"),
        ("abc", 3, "abc"),
        ("abc   ", 3, "abc"),
        ("żółw 🐢🐢", 6, "żółw 🐢…"),
        ("👨‍👩‍👧", 10, "👨‍👩‍👧"),
        ("abc", 0, "…"),
        ("", 0, ""),
    ];
    for (text, chars, line) in rows {
        assert_eq!(one_line(text, chars), line, "{text:?}");
    }
}

proptest! {
    #[test]
    fn redacting_twice_changes_nothing_more(text in "(password=|token: |Bearer |https://a:b@c |sk-ant-[a-z0-9]{20} |[ -~]{0,12}){0,6}") {
        let once = redact(&text).into_owned();
        prop_assert_eq!(redact(&once).into_owned(), once);
    }

    #[test]
    fn a_line_is_never_longer_than_asked_and_never_holds_a_control(text in "\\PC*|(\u{1b}|\\[|\\]|[a-z]|\n){0,40}", chars in 0_usize..30) {
        let line = one_line(&text, chars);
        prop_assert!(line.chars().count() <= chars + 1);
        prop_assert!(!line.chars().any(char::is_control));
    }
}
