//! Tests of the lock and of replacing the file.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::edit::EditError;
use crate::config::edit::file::{LOCK_WAIT, Locked, Opened};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

fn files_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("agents.yaml");
    (folder, path)
}

#[test]
fn a_new_file_and_its_directory_belong_to_the_user_alone() {
    let (folder, _) = folder();
    let path = folder.path().join("a/b/agents.yaml");
    let locked = Locked::take(&path, LOCK_WAIT).expect("free");
    Opened::read(&path).expect("missing is empty").replace(&locked, "x").expect("written");
    assert_eq!(fs::read_to_string(&path).expect("there"), "x");
    let modes =
        ["a", "a/b", "a/b/agents.yaml", "a/b/agents.yaml.lock"].map(|name| mode(&folder.path().join(name)));
    assert_eq!(modes, [0o700, 0o700, 0o600, 0o600]);
}

#[test]
fn a_file_that_others_could_read_no_longer_can_be_and_its_directory_is_left_alone() {
    let (folder, path) = folder();
    fs::write(&path, "old").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("changed");
    let locked = Locked::take(&path, LOCK_WAIT).expect("free");
    Opened::read(&path).expect("readable").replace(&locked, "new").expect("written");
    assert_eq!((mode(&path), mode(folder.path())), (0o600, 0o755));
}

#[test]
fn symbolic_links_are_kept_and_what_they_lead_to_is_replaced() {
    let (folder, path) = folder();
    fs::create_dir_all(folder.path().join("dots")).expect("made");
    symlink("link", &path).expect("linked");
    symlink("dots/real.yaml", folder.path().join("link")).expect("linked");
    // The last one may lead to nothing yet.
    for text in ["one", "two"] {
        let locked = Locked::take(&path, LOCK_WAIT).expect("free");
        Opened::read(&path).expect("readable").replace(&locked, text).expect("written");
        assert_eq!(fs::read_link(&path).expect("still a link"), Path::new("link"));
        assert_eq!(
            fs::read_link(folder.path().join("link")).expect("still a link"),
            Path::new("dots/real.yaml")
        );
        assert_eq!(fs::read_to_string(folder.path().join("dots/real.yaml")).expect("there"), text);
    }
    assert_eq!(files_in(&folder.path().join("dots")), ["real.yaml"]);
}

#[test]
fn links_that_go_in_circles_are_an_error() {
    let (_folder, path) = folder();
    symlink("agents.yaml", &path).expect("linked");
    assert!(matches!(Opened::read(&path), Err(EditError::Io { action: "follow", .. })));
}

#[test]
fn a_file_that_changed_meanwhile_is_not_overwritten() {
    let (folder, path) = folder();
    fs::write(&path, "old").expect("written");
    let locked = Locked::take(&path, LOCK_WAIT).expect("free");
    let opened = Opened::read(&path).expect("readable");
    fs::write(&path, "by an editor").expect("written");
    let refused = opened.replace(&locked, "new");
    assert!(matches!(refused, Err(EditError::ChangedMeanwhile { .. })), "{refused:?}");
    assert_eq!(fs::read_to_string(&path).expect("there"), "by an editor");
    assert_eq!(files_in(folder.path()), ["agents.yaml", "agents.yaml.lock"]);
}

#[test]
fn a_byte_order_mark_is_told_apart_from_the_text() {
    let (_folder, path) = folder();
    for (written, mark) in [("\u{feff}a: 1", "\u{feff}"), ("a: 1", "")] {
        fs::write(&path, written).expect("written");
        let opened = Opened::read(&path).expect("readable");
        assert_eq!(opened.text().expect("UTF-8"), (mark, "a: 1"));
    }
}

#[test]
fn a_lock_that_stays_held_is_waited_for_only_so_long_and_named() {
    let (folder, path) = folder();
    let held = Locked::take(&path, LOCK_WAIT).expect("free");
    let error = Locked::take(&path, Duration::from_millis(30)).expect_err("held");
    let lock = folder.path().join("agents.yaml.lock");
    assert_eq!(
        error.to_string(),
        format!("`{}` is held by another edit for longer than 30 ms", lock.display())
    );
    drop(held);
    Locked::take(&path, Duration::ZERO).expect("free again");
}

#[test]
fn a_lock_that_comes_free_is_taken() {
    let (folder, path) = folder();
    let lock = File::create(folder.path().join("agents.yaml.lock")).expect("made");
    lock.lock().expect("locked");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Locked::take(&path, Duration::from_secs(60)).map(drop));
        drop(lock);
        waiting.join().expect("no panic").expect("taken");
    });
}

#[test]
fn a_lock_that_cannot_be_had_stops_the_edit() {
    let (folder, path) = folder();
    fs::create_dir_all(folder.path().join("agents.yaml.lock")).expect("made");
    let error = Locked::take(&path, LOCK_WAIT).expect_err("no file");
    assert!(matches!(error, EditError::Io { action: "open", .. }), "{error:?}");
}
