//! Every way in which an editor saves a file is told; what happens beside it is not.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// Longer than the kernel ever takes.
const SOON: Duration = Duration::from_secs(20);

async fn stirs(changes: &Changes) -> bool {
    tokio::time::timeout(SOON, changes.stirred()).await.is_ok()
}

/// Whether something is already told; the kernel tells before the call that changed the file returns.
async fn is_stirred(changes: &Changes) -> bool {
    tokio::time::timeout(Duration::from_millis(50), changes.stirred()).await.is_ok()
}

/// One way to change a file in a folder.
type Change = fn(&Path);

const WAYS: [(&str, Change); 6] = [
    ("in place", |folder| fs::write(folder.join("file"), "new").unwrap()),
    ("by another file's name", |folder| {
        fs::write(folder.join("other"), "new").unwrap();
        fs::rename(folder.join("other"), folder.join("file")).unwrap();
    }),
    ("with the former one kept", |folder| {
        fs::rename(folder.join("file"), folder.join("file~")).unwrap();
        fs::write(folder.join("file"), "new").unwrap();
    }),
    ("by removal", |folder| fs::remove_file(folder.join("file")).unwrap()),
    ("through the link", |folder| fs::write(folder.join("link"), "new").unwrap()),
    ("by another link", |folder| {
        fs::write(folder.join("elsewhere"), "new").unwrap();
        fs::remove_file(folder.join("link")).unwrap();
        symlink(folder.join("elsewhere"), folder.join("link")).unwrap();
    }),
];

#[tokio::test]
async fn every_way_to_change_a_file_is_told_again_and_again() {
    for (way, change) in WAYS {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "old").unwrap();
        symlink(folder.path().join("file"), folder.path().join("link")).unwrap();
        let mut changes = Changes::of(&folder.path().join("link"));
        assert!(!is_stirred(&changes).await, "{way}: nothing has happened");
        change(folder.path());
        assert!(stirs(&changes).await, "{way}");
        changes.renew();
        assert!(!is_stirred(&changes).await, "{way}: told and done");
        fs::write(folder.path().join("link"), "newer").unwrap();
        assert!(stirs(&changes).await, "{way}, then again");
    }
}

#[tokio::test]
async fn a_file_that_comes_to_be_is_told_also_with_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    let mut changes = Changes::of(&folder.path().join("a/b/file"));
    for step in ["a", "a/b"] {
        fs::create_dir_all(folder.path().join(step)).unwrap();
        assert!(stirs(&changes).await, "{step}");
        changes.renew();
    }
    fs::write(folder.path().join("a/b/file"), "").unwrap();
    assert!(stirs(&changes).await);
}

#[tokio::test]
async fn what_happens_beside_the_file_wakes_nobody() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let changes = Changes::of(&folder.path().join("file"));
    fs::write(folder.path().join("neighbour"), "").unwrap();
    fs::remove_file(folder.path().join("neighbour")).unwrap();
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"");
    assert!(!is_stirred(&changes).await);
}
