//! Tests of reading what the user trusts.

use std::fs;
use std::path::Path;

use crate::project::is_trusted;

#[test]
fn a_directory_is_trusted_when_it_or_one_above_was_accepted() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let state = r#"{"numStartups": 5, "projects": {
        "/yes": {"hasTrustDialogAccepted": true, "history": [{"display": "x"}]},
        "/no": {"hasTrustDialogAccepted": false},
        "/yes/no": {"hasTrustDialogAccepted": false},
        "/never": {"allowedTools": []}}}"#;
    fs::write(home.path().join(".claude.json"), state).expect("written");
    for (directory, expected) in [
        ("/yes", Some(true)),
        ("/yes/below/deep", Some(true)),
        ("/yes/no", Some(true)),
        ("/no", Some(false)),
        ("/no/below", Some(false)),
        ("/never", None),
        ("/elsewhere", None),
        ("/yesterday", None),
    ] {
        assert_eq!(
            is_trusted(Path::new(directory), &home.path().join(".claude.json")),
            expected,
            "{directory}"
        );
    }
}

#[test]
fn a_directory_behind_a_link_is_known_by_either_name() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let real = home.path().canonicalize().expect("real").join("real");
    fs::create_dir_all(&real).expect("made");
    let link = home.path().join("link");
    std::os::unix::fs::symlink(&real, &link).expect("linked");
    let state =
        serde_json::json!({"projects": {real.to_str().expect("text"): {"hasTrustDialogAccepted": true}}});
    fs::write(home.path().join(".claude.json"), state.to_string()).expect("written");
    assert_eq!(is_trusted(&link, &home.path().join(".claude.json")), Some(true));
}

#[test]
fn a_state_that_makes_no_sense_answers_nothing() {
    let home = tempfile::tempdir().expect("a temporary directory");
    for text in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"projects": []}"#,
        r#"{"projects": {"/a": {"hasTrustDialogAccepted": "x"}}}"#,
    ] {
        fs::write(home.path().join(".claude.json"), text).expect("written");
        assert_eq!(is_trusted(Path::new("/a"), &home.path().join(".claude.json")), None, "{text:?}");
    }
}
