//! Tests of listing the top of a directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::project::top::{ENTRIES_MAX, Top};
use crate::project::watch::Watch;

/// Returns whether there are a file, a folder, an instruction and a setting, and what all that depends on.
fn look(path: &Path) -> ([bool; 4], Watch) {
    let mut watch = Watch::default();
    let mut top = Top::list(path, &mut watch).expect("a directory");
    let found = [
        top.has_file("go.mod"),
        top.has_folder("prisma"),
        top.text("CLAUDE.md").is_some(),
        top.json(".claude/settings.json").is_some(),
    ];
    (found, watch)
}

/// Changes a folder in one way after the other. Each changes what the look before it depended on.
fn every_change_shows(path: &Path, changes: &[(&dyn Fn(), [bool; 4])]) {
    for (number, (change, expected)) in changes.iter().enumerate() {
        // As if it had been left alone for a while: two changes within one tick of the clock look like one.
        fs::File::open(path).and_then(|folder| folder.set_modified(UNIX_EPOCH)).expect("set");
        let (_, watch) = look(path);
        assert!(watch.holds(), "before change {number}");
        change();
        assert!(!watch.holds(), "after change {number}");
        assert_eq!(look(path).0, *expected, "change {number}");
    }
}

fn changes_of(path: &Path) {
    let at = |name: &str| path.join(name);
    let (elsewhere, other) = (path.with_extension("file"), path.with_extension("folder"));
    let write = |path: &Path, text: &str| fs::write(path, text).expect("written");
    every_change_shows(
        path,
        &[
            (&|| write(&at("CLAUDE.md"), "x"), [false, false, true, false]),
            (&|| write(&at("CLAUDE.md"), "longer"), [false, false, true, false]),
            (&|| fs::remove_file(at("CLAUDE.md")).expect("removed"), [false; 4]),
            (&|| symlink(&elsewhere, at("CLAUDE.md")).expect("linked"), [false; 4]),
            (&|| write(&elsewhere, "x"), [false, false, true, false]),
            (&|| symlink(&elsewhere, at("go.mod")).expect("linked"), [true, false, true, false]),
            (&|| symlink(&other, at("prisma")).expect("linked"), [true, false, true, false]),
            (&|| fs::create_dir_all(&other).expect("made"), [true, true, true, false]),
            (&|| fs::remove_file(&elsewhere).expect("removed"), [false, true, false, false]),
            (&|| fs::create_dir_all(at(".claude")).expect("made"), [false, true, false, false]),
            (&|| write(&at(".claude/settings.json"), "{}"), [false, true, false, true]),
        ],
    );
}

#[test]
fn whatever_changes_at_the_top_shows() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("shop");
    fs::create_dir_all(&path).expect("made");
    changes_of(&path);
}

#[test]
fn in_a_directory_with_too_many_entries_each_file_is_looked_for() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("shop");
    fs::create_dir_all(&path).expect("made");
    for number in 0..ENTRIES_MAX {
        fs::write(path.join(number.to_string()), "").expect("written");
    }
    changes_of(&path);
}

#[test]
fn a_folder_is_no_file_and_a_file_no_folder() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir_all(folder.path().join("go.mod")).expect("made");
    fs::write(folder.path().join("prisma"), "").expect("written");
    assert_eq!(look(folder.path()).0, [false; 4]);
}
