//! Tests of remembering facts.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::Timestamp;
use crate::project::tests::inspect;
use crate::project::watch::Watch;
use crate::project::{Health, Memo};

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
    fs::remove_dir_all(&path).expect("removed");
    assert_eq!(seen().health, Health::Missing);
}

#[test]
fn every_checkout_shows_at_the_next_look() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("shop");
    let memo = Memo::new();
    let settle = || memo.heads.lock().expect("no panic").values_mut().for_each(|known| known.settled = true);
    let branch = || {
        let head = memo.head(&path);
        // As if some seconds had passed.
        settle();
        assert!(Arc::ptr_eq(&head, &memo.head(&path)), "remembered");
        (*head).clone().and_then(|head| head.branch)
    };
    assert_eq!(branch(), None);
    fs::create_dir_all(path.join(".git")).expect("made");
    assert_eq!(branch(), None);
    for name in ["main", "a-branch", "another"] {
        fs::write(path.join(".git/HEAD"), format!("ref: refs/heads/{name}")).expect("written");
        assert_eq!(branch().as_deref(), Some(name));
    }
    fs::remove_dir_all(&path).expect("removed");
    assert_eq!(branch(), None);
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

#[test]
fn what_cannot_be_read_shows_when_it_can() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("CLAUDE.md");
    fs::create_dir_all(&path).expect("made");
    let mut watch = Watch::default();
    assert_eq!(watch.text(&path), None);
    assert!(watch.holds());
    fs::remove_dir(&path).expect("removed");
    fs::write(&path, "x").expect("written");
    assert!(!watch.holds());
}

/// Three looks at metadata each; a debug build takes under a millisecond for all of them. The limit leaves room for a busy
/// machine.
#[test]
fn a_hundred_directories_are_remembered_at_once() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let directories: Vec<_> = (0..100).map(|number| folder.path().join(number.to_string())).collect();
    let memo = Memo::new();
    for directory in &directories {
        fs::create_dir_all(directory).expect("made");
        for (name, text) in [("CLAUDE.md", "x"), ("package.json", "{}")] {
            fs::write(directory.join(name), text).expect("written");
        }
        memo.facts(directory);
    }
    // What was written this moment may be written again unseen; as if some seconds had passed, it cannot.
    let remembered = |settled: bool| {
        for known in memo.facts.lock().expect("no panic").values_mut() {
            known.settled = settled;
        }
        let start = Instant::now();
        let facts: Vec<_> = directories.iter().map(|directory| memo.facts(directory)).collect();
        (facts, start.elapsed())
    };
    let (first, _) = remembered(true);
    let (second, warm) = (0..5).map(|_| remembered(true)).min_by_key(|(_, time)| *time).expect("five");
    assert!(first.iter().zip(&second).all(|(one, other)| Arc::ptr_eq(one, other)));
    assert!(warm < Duration::from_millis(50), "{warm:?}");
    fs::write(directories[7].join("CLAUDE.md"), "something else").expect("written");
    let (third, _) = remembered(true);
    let changed: Vec<usize> = (0..100).filter(|&at| !Arc::ptr_eq(&first[at], &third[at])).collect();
    assert_eq!(changed, [7]);
    assert_eq!(third[7].description, "something else | Stack: Node.js");
}
