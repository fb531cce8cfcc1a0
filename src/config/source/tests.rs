//! Tests of reading again only what changed.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{ConfigError, Source};

fn source() -> (tempfile::TempDir, PathBuf, Source) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("agents.yaml");
    let source = Source::new(path.clone(), PathBuf::from("/home/u"));
    (folder, path, source)
}

#[test]
fn every_change_takes_effect_at_the_next_call() {
    let (folder, path, source) = source();
    let seen = || {
        source
            .current()
            .expect("usable")
            .agents
            .iter()
            .map(|agent| agent.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(), Vec::<String>::new());
    // Equal sizes, written faster than clocks tick.
    for name in ["a", "b", "c", "d"] {
        fs::write(&path, format!("agents: {{{name}: {{directory: /x}}}}\n")).expect("written");
        assert_eq!(seen(), [name]);
    }
    let other = folder.path().join("other");
    fs::write(&other, "agents: {e: {directory: /x}}\n").expect("written");
    fs::rename(&other, &path).expect("replaced");
    assert_eq!(seen(), ["e"]);
    fs::remove_file(&path).expect("removed");
    assert_eq!(seen(), Vec::<String>::new());
}

#[test]
fn what_did_not_change_is_not_parsed_again() {
    let (_folder, path, source) = source();
    fs::write(&path, "agents: {a: {directory: /x}}\n").expect("written");
    let first = source.current().expect("usable");
    assert!(Arc::ptr_eq(&first, &source.current().expect("usable")));
    // The same content under another stamp.
    fs::write(&path, "agents: {a: {directory: /x}}\n").expect("written");
    assert!(Arc::ptr_eq(&first, &source.current().expect("usable")));
}

#[test]
fn a_wrong_file_is_told_as_long_as_it_is_wrong() {
    let (_folder, path, source) = source();
    fs::write(&path, "agents: [\n").expect("written");
    for _ in 0..2 {
        let error = source.current().expect_err("wrong");
        assert!(matches!(*error, ConfigError::Syntax { line: 2, .. }), "{error:?}");
    }
    fs::write(&path, "agents: {}\n").expect("written");
    source.current().expect("mended");
    fs::remove_file(&path).expect("removed");
    fs::create_dir_all(&path).expect("made");
    assert!(matches!(*source.current().expect_err("a directory"), ConfigError::Unreadable { .. }));
}
