//! Tests of bounded reading.

use std::fs;
use std::path::Path;

use crate::model::Timestamp;
use crate::project::regular::{Head, Stamp, read_head};

#[test]
fn a_file_is_read_up_to_the_bound_and_no_further() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("text");
    fs::write(&path, "12345").expect("written");
    for (limit, bytes, truncated) in
        [(0, "", true), (4, "1234", true), (5, "12345", false), (6, "12345", false)]
    {
        let head = read_head(&path, limit).expect("readable").expect("there");
        assert_eq!(head, Head { bytes: bytes.into(), truncated }, "limit {limit}");
    }
}

#[test]
fn what_is_not_there_is_nothing_and_what_is_no_regular_file_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(read_head(&folder.path().join("none"), 9).expect("no error"), None);
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("written");
    assert_eq!(read_head(&file.join("below"), 9).expect("no error"), None);
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).expect("a pipe");
    for path in [folder.path(), pipe.as_path(), Path::new("/dev/zero")] {
        assert!(read_head(path, 9).is_err(), "{}", path.display());
    }
}

#[test]
fn a_stamp_shows_every_kind_of_change() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("text");
    assert_eq!(Stamp::of(&path).expect("no error"), None);
    fs::write(&path, "one").expect("written");
    let first = Stamp::of(&path).expect("no error").expect("there");
    assert_eq!(Stamp::of(&path).expect("no error"), Some(first));
    fs::write(&path, "three").expect("written");
    let longer = Stamp::of(&path).expect("no error").expect("there");
    assert_ne!(longer, first);
    let other = folder.path().join("other");
    fs::write(&other, "three").expect("written");
    fs::rename(&other, &path).expect("replaced");
    assert_ne!(Stamp::of(&path).expect("no error").expect("there"), longer);
}

#[test]
fn a_stamp_is_settled_once_its_time_is_well_past() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("text");
    fs::write(&path, "one").expect("written");
    let stamp = Stamp::of(&path).expect("no error").expect("there");
    let now = Timestamp::now();
    assert!(!stamp.is_settled(now));
    assert!(stamp.is_settled(now.plus_millis(5_000)));
}
