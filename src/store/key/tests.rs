//! A key that is made once, found again, and not replaced when it cannot be read.

use super::*;

#[test]
fn a_key_is_made_once_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(KEY_FILE);
    let key = open(&path).unwrap();
    assert_eq!(open(&path).unwrap(), key);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    let other = folder.path().join("other");
    assert_ne!(open(&other).unwrap(), key, "it is random");
}

#[test]
fn a_damaged_key_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(KEY_FILE);
    fs::write(&path, "abc\n").unwrap();
    let error = open(&path).unwrap_err();
    assert!(crate::model::with_causes(&error).contains("it holds no audit key"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "abc\n");
}
