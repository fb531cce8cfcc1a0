//! Tests of finding programs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::project::find_program;

#[test]
fn the_first_program_on_the_path_is_found() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let make = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, "").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
        path
    };
    fs::create_dir_all(folder.path().join("a/claude")).expect("made");
    make("b/claude", 0o644);
    let third = make("c/claude", 0o755);
    make("d/claude", 0o755);
    let mut path = OsString::from("relative::/nowhere");
    for name in ["a", "b", "c", "d"] {
        path.push(":");
        path.push(folder.path().join(name));
    }
    assert_eq!(find_program("claude", Some(&path)), Some(third));
    for (name, path) in
        [("other", Some(path.as_os_str())), ("", Some(&path)), ("c/claude", Some(&path)), ("claude", None)]
    {
        assert_eq!(find_program(name, path), None, "{name:?}");
    }
}
