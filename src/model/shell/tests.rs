//! A shell gives back what was quoted.

use std::process::Command;

use super::*;

#[test]
#[expect(clippy::disallowed_methods, reason = "the test asks a shell")]
fn a_shell_gives_back_every_word() {
    let words =
        ["plain", "", "two words", "it's", "$HOME `id` \"x\" \\", "{\"a\":[1]}", "--x=y", "ż*?~#", "a\nb"];
    let command = command(&[&["printf", "%s|"], words.as_slice()].concat());
    let said = Command::new("/bin/sh").args(["-c", &command]).output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), words.map(|word| format!("{word}|")).concat());
    assert!(command.starts_with("printf '%s|' plain '' 'two words' "), "{command}");
}

#[test]
fn only_what_a_shell_would_touch_is_quoted() {
    for (word, typed) in [
        ("/a/b-c.d", "/a/b-c.d"),
        ("Bash(git log:*)", "'Bash(git log:*)'"),
        ("it's $HOME", r"'it'\''s $HOME'"),
        ("", "''"),
        ("~/x", "'~/x'"),
        ("a\nb", "'a\nb'"),
    ] {
        assert_eq!(quoted(word), typed);
    }
}
