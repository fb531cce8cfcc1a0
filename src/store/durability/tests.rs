//! The filter is in force in every thread once it is installed. Tried in a process of its own: it cannot be taken back.

use std::sync::mpsc;
use std::thread;

use super::*;
use crate::store::workbench::{Copy, Room, role, say};

fn with_the_filter(dir: &Path) {
    let (go, wait) = mpsc::channel::<()>();
    let older = {
        let dir = dir.to_owned();
        thread::spawn(move || {
            wait.recv().unwrap();
            check(&dir)
        })
    };
    say(&format!("before {}", check(dir).is_err()));
    say(&format!("{:?}", make_sled_fsync(dir)));
    go.send(()).unwrap();
    say(&format!("older thread {}", older.join().unwrap().is_ok()));
    owner_only_files();
    let room = Room::open(dir);
    room.put(b"r/1", vec![1; 100_000]);
    say(&format!("stored {}", room.database.get(b"r/1").unwrap().is_some()));
}

#[test]
fn the_filter_covers_every_thread_and_the_store_works_under_it() {
    if let Some((_, dir)) = role() {
        return with_the_filter(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "the_filter_covers_every_thread_and_the_store_works_under_it";
    let mut copy = Copy::of(module_path!(), test, "filter", dir.path());
    assert_eq!(copy.rest(), ["before true", "Filtered", "older thread true", "stored true"]);
}

#[test]
fn where_the_filter_cannot_be_tried_every_commit_is_synced() {
    if let Some((_, dir)) = role() {
        say(&format!("{:?}", make_sled_fsync(&dir.join("missing"))));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "where_the_filter_cannot_be_tried_every_commit_is_synced";
    let mut copy = Copy::of(module_path!(), test, "filter", dir.path());
    assert_eq!(copy.rest(), ["SyncAfterCommit"]);
}
