//! Tests of remembering facts.

use std::fs;
use std::sync::Arc;

use crate::model::Timestamp;
use crate::project::watch::Watch;
use crate::project::{Health, Memo, inspect};

#[test]
fn every_change_shows_at_the_next_look() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("shop");
    let memo = Memo::new();
    let seen = || memo.facts(&path);
    assert_eq!(seen().health, Health::Missing);
    fs::create_dir_all(&path).expect("made");
    assert_eq!(seen().description, "Agent in shop");
    for text in ["one", "two", "six"] {
        fs::write(path.join("CLAUDE.md"), text).expect("written");
        assert_eq!(seen().description, text);
    }
    fs::write(path.join("go.mod"), "").expect("written");
    assert_eq!(seen().stacks, ["Go"]);
    fs::create_dir_all(path.join(".git")).expect("made");
    fs::write(path.join(".git/HEAD"), "ref: refs/heads/main").expect("written");
    assert_eq!(seen().git.as_ref().and_then(|git| git.branch.clone()), Some("main".to_owned()));
    fs::remove_dir_all(&path).expect("removed");
    assert_eq!(seen().health, Health::Missing);
}

#[test]
fn what_is_remembered_equals_what_a_look_shows() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::write(folder.path().join("README.md"), "A sentence that is long enough.").expect("written");
    let memo = Memo::new();
    let first = memo.facts(folder.path());
    assert_eq!(*first, inspect(folder.path()).expect("healthy"));
    assert_eq!(*memo.facts(folder.path()), *first);
    // Directories of the system have long settled.
    let root = std::path::Path::new("/usr/lib");
    assert!(Arc::ptr_eq(&memo.facts(root), &memo.facts(root)));
}

#[test]
fn a_watch_holds_until_something_it_saw_changes() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (seen, unseen, absent) =
        (folder.path().join("seen"), folder.path().join("unseen"), folder.path().join("absent"));
    fs::write(&seen, "one").expect("written");
    let mut watch = Watch::default();
    assert_eq!(watch.text(&seen).as_deref(), Some("one"));
    assert_eq!(watch.text(&absent), None);
    let now = Timestamp::now();
    assert!(!watch.is_settled(now) && watch.is_settled(now.plus_millis(10_000)));
    fs::write(&unseen, "x").expect("written");
    assert!(watch.holds());
    fs::write(&absent, "x").expect("written");
    assert!(!watch.holds());
    fs::remove_file(&absent).expect("removed");
    assert!(watch.holds());
    fs::write(&seen, "longer").expect("written");
    assert!(!watch.holds());
}
