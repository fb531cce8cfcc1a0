//! What is made, and what is refused.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn missing_directories_are_made_for_the_owner_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let paths = StatePaths::new(scratch.path().join("a/b"), Some(scratch.path()));
    prepare(&paths).unwrap();
    for path in [paths.root.clone(), paths.runs(), paths.socket.parent().unwrap().to_owned()] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
    }
    prepare(&paths).unwrap();
}

#[test]
fn what_others_may_enter_is_refused_with_the_command_that_closes_it() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("state");
    fs::create_dir_all(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    let refusal = prepare(&StatePaths::new(root.clone(), None)).unwrap_err().to_string();
    assert!(refusal.contains(&format!("chmod 700 '{}'", root.display())), "{refusal}");
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    const NOBODY: u32 = 65534;
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("state");
    fs::create_dir_all(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
    // Only root can give a directory away; for everybody else `/` is another's.
    let (root, owner) = match std::os::unix::fs::chown(&root, Some(NOBODY), None) {
        Ok(()) => (root, NOBODY),
        Err(_) => ("/".into(), 0),
    };
    let refused = prepare(&StatePaths::new(root, None)).unwrap_err();
    assert!(matches!(refused, PlaceError::NotYours { owner: found, .. } if found == owner), "{refused}");
}

#[test]
fn links_and_files_are_no_state_directories() {
    let scratch = tempfile::tempdir().unwrap();
    let (file, link) = (scratch.path().join("file"), scratch.path().join("link"));
    fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(scratch.path(), &link).unwrap();
    for root in [file, link] {
        assert!(matches!(prepare(&StatePaths::new(root, None)), Err(PlaceError::NotADirectory(_))));
    }
}

#[test]
fn a_socket_path_that_does_not_fit_is_refused_before_it_is_bound() {
    let long = PathBuf::from(format!("/{}", "x".repeat(100)));
    assert!(matches!(prepare(&StatePaths::new(long, None)), Err(PlaceError::TooLong(_))));
}

#[test]
fn where_a_daemon_listens_is_noted_for_those_who_look_in_another_place() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("state");
    let (with, without) = (StatePaths::new(root.clone(), Some(scratch.path())), StatePaths::new(root, None));
    assert_eq!(noted_daemon(&without), None);
    prepare(&with).unwrap();
    fs::write(with.daemon_lock(), "").unwrap();
    assert_eq!(noted_daemon(&without), None);
    note_daemon(&with).unwrap();
    let this = std::process::id();
    assert_eq!(noted_daemon(&without), Some((this, with.socket.clone())));
    note_daemon(&without).unwrap();
    assert_eq!(noted_daemon(&with), Some((this, without.socket)));
    fs::write(with.daemon_lock(), "/a/path/alone").unwrap();
    assert_eq!(noted_daemon(&with), None);
}
