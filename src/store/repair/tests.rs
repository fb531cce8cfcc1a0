//! Everything that can be put right is, a store that cannot be opened is set aside whole, and no damage or kill makes
//! more of it than it is.

use std::os::unix::fs::symlink;

use super::*;
use crate::audit::chain::Head;
use crate::store::workbench::{Copy, Room, head, open, record, role, say, store_dir, verified};
use crate::store::{Comparison, Database, Durability, HeadFile, head as head_file};

const RECORDS: u64 = 600;

/// Returns a directory with a closed store of some records.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    for _ in 0..RECORDS {
        room.commit(|txn| txn.append(record(&"x".repeat(600)))).unwrap();
    }
    drop(room);
    dir
}

/// Returns the names beside the store, and the newest snapshot in it.
fn beside(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = entries(dir).unwrap().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

fn snapshot(dir: &Path) -> PathBuf {
    let mut snapshots: Vec<_> =
        entries(&store_dir(dir)).unwrap().into_iter().filter(|(name, _)| name.starts_with("snap.")).collect();
    snapshots.sort();
    snapshots.pop().unwrap().1
}

#[test]
fn a_half_written_snapshot_is_deleted() {
    let dir = filled();
    let half = store_dir(dir.path()).join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&half, b"half").unwrap();
    let opened = open(dir.path());
    assert_eq!(verified(&opened.database, Head::EMPTY).seq, RECORDS);
    assert_eq!(opened.repaired, ["deleted the half-written snapshot snap.FFFFFFFFFFFFFFFF.generating"]);
    assert_eq!(opened.quarantined, None);
    assert!(!half.exists());
    assert_eq!(beside(dir.path()), ["audit-heads.log", "store"]);
}

#[test]
fn a_damaged_snapshot_or_parameter_file_is_made_again_from_the_log() {
    for damaged in ["snap.7FFFFFFFFFFFFFFF", "conf"] {
        let dir = filled();
        fs::write(store_dir(dir.path()).join(damaged), b"\xff\xfegarbage garbage garbage").unwrap();
        let opened = open(dir.path());
        assert_eq!(verified(&opened.database, Head::EMPTY).seq, RECORDS, "{damaged}");
        assert_eq!((opened.repaired.len(), opened.quarantined), (1, None), "{damaged}");
        let names = beside(dir.path());
        assert!(names[2].starts_with("store.before-repair-") && names.len() == 3, "{names:?}");
        let kept = fs::read(dir.path().join(&names[2]).join(damaged)).unwrap();
        assert_eq!(kept, b"\xff\xfegarbage garbage garbage");
        drop(opened.database);
        assert_eq!(open(dir.path()).repaired, Vec::<String>::new(), "{damaged}");
    }
}

#[test]
fn a_store_written_by_another_engine_is_left_alone() {
    let dir = filled();
    let conf = store_dir(dir.path()).join("conf");
    let mut other = fs::read(&conf).unwrap();
    let at = other.windows(4).position(|bytes| bytes == b"0.34").unwrap();
    other[at + 3] = b'5';
    fs::write(&conf, other).unwrap();
    let refused = Database::open(&store_dir(dir.path()), Durability::Filtered);
    assert!(matches!(refused, Err(OpenError::Engine { .. })), "{refused:?}");
    assert_eq!(beside(dir.path()), ["audit-heads.log", "store"]);
}

#[test]
fn a_deleted_log_opens_as_an_empty_store_and_only_the_head_file_tells() {
    let dir = filled();
    fs::remove_file(store_dir(dir.path()).join("db")).unwrap();
    let opened = open(dir.path());
    let (_, outside) = HeadFile::open(&dir.path().join("audit-heads.log")).unwrap();
    let comparison = head_file::compare(head(&opened.database), |_| None, outside);
    let outside = outside.unwrap();
    assert_eq!(comparison, Comparison::Lost { stored: Head::EMPTY, outside });
    assert_eq!(outside.seq, RECORDS);
}

/// What a copy of this program does: it opens the store once, as the daemon would.
fn open_once(dir: &Path) {
    say(&match Database::open(&store_dir(dir), Durability::Filtered) {
        Err(OpenError::Restart { .. }) => "restart".to_owned(),
        Err(error) => format!("{error:?}"),
        Ok(opened) => {
            let aside = opened.quarantined.map(|path| file_name(&path)).unwrap_or_default();
            format!("open {} {aside}", head(&opened.database).seq)
        }
    });
}

/// Lets fresh processes open the store until it is open, and returns what they said.
fn opened_by_processes(test: &str, dir: &Path) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let words = Copy::of(module_path!(), test, "open", dir).rest();
        said.extend(words.clone());
        if words != ["restart"] {
            return said;
        }
        assert!(said.len() < 5, "{said:?}");
    }
}

/// Returns whether a directory beside the store holds this log.
fn is_kept(dir: &Path, log: &[u8]) -> bool {
    let aside = beside(dir).into_iter().filter(|name| name.starts_with("store."));
    aside.into_iter().any(|name| fs::read(dir.join(name).join("db")).is_ok_and(|kept| kept == log))
}

#[test]
fn a_log_without_its_second_half_is_kept_and_a_new_store_begins() {
    if let Some((_, dir)) = role() {
        return open_once(&dir);
    }
    let dir = filled();
    drop(open(dir.path()));
    let log = store_dir(dir.path()).join("db");
    let mut bytes = fs::read(&log).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&log, &bytes).unwrap();
    let test = "a_log_without_its_second_half_is_kept_and_a_new_store_begins";
    let said = opened_by_processes(test, dir.path());
    assert!(said.last().unwrap().starts_with("open 0 store."), "{said:?}");
    assert!(is_kept(dir.path(), &bytes));
    assert_eq!(opened_by_processes(test, dir.path()), ["open 0 "]);
}

#[test]
fn a_log_that_cannot_be_replayed_either_is_set_aside_at_the_next_start() {
    if let Some((_, dir)) = role() {
        return open_once(&dir);
    }
    let dir = filled();
    drop(open(dir.path()));
    let mut bytes = fs::read(store_dir(dir.path()).join("db")).unwrap();
    bytes.iter_mut().skip(25_000).step_by(50_000).for_each(|byte| *byte ^= 0x55);
    fs::write(store_dir(dir.path()).join("db"), bytes).unwrap();
    fs::write(snapshot(dir.path()), b"garbage garbage garbage").unwrap();
    let test = "a_log_that_cannot_be_replayed_either_is_set_aside_at_the_next_start";
    let said = opened_by_processes(test, dir.path());
    assert_eq!(said[0], "restart");
    assert!(said.last().unwrap().starts_with("open 0 store.corrupt-"), "{said:?}");
    let names = beside(dir.path());
    let kinds = ["audit-heads.log", "store", "store.before-repair-", "store.corrupt-"];
    assert!(
        names.len() == 4 && names.iter().zip(kinds).all(|(name, kind)| name.starts_with(kind)),
        "{names:?}"
    );
    assert!(names[1..].iter().all(|name| dir.path().join(name).join("db").exists()));
    assert_eq!(opened_by_processes(test, dir.path()), ["open 0 "]);
}

const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn stages(dir: &Path) -> (Repair, PathBuf) {
    (Repair::begin(dir).unwrap(), dir.with_file_name("store.repair"))
}

#[test]
fn each_failure_goes_one_stage_further_and_a_kill_goes_none() {
    let dir = filled();
    let store = store_dir(dir.path());
    let log = fs::read(store.join("db")).unwrap();
    let fails = |repair: Repair| repair.next_stage("it panicked".to_owned(), AT);
    let (repair, marker) = stages(&store);
    drop(repair);
    assert!(!marker.exists(), "a process that is killed leaves no mark");
    assert!(matches!(fails(stages(&store).0), OpenError::Restart { .. }));
    let kept = "store.before-repair-2027-01-15T08-00-00.000Z";
    assert_eq!(fs::read_to_string(&marker).unwrap(), format!("without-snapshots {kept}\n"));
    for _ in 0..3 {
        let (mut killed, _) = stages(&store);
        assert!(!killed.try_without_snapshots(AT).unwrap(), "it has been prepared already");
        assert_eq!(killed.stage, Stage::WithoutSnapshots(kept.to_owned()));
        assert!(!store.join("conf").exists() && dir.path().join(kept).join("conf").exists());
    }
    assert_eq!(beside(dir.path()), ["audit-heads.log", "store", kept, "store.repair"]);
    assert!(matches!(fails(stages(&store).0), OpenError::Restart { .. }));
    let aside = "store.corrupt-2027-01-15T08-00-00.000Z";
    assert_eq!(fs::read_to_string(&marker).unwrap(), format!("quarantine {aside}\n"));
    for _ in 0..3 {
        let (killed, _) = stages(&store);
        assert_eq!(killed.stage, Stage::Quarantine(aside.to_owned()));
        // What is new since then must not be set aside as well.
        fs::write(store.join("db"), b"new").unwrap();
        assert_eq!(fs::read(dir.path().join(aside).join("db")).unwrap(), log);
    }
    let (repair, _) = stages(&store);
    assert!(matches!(fails(repair), OpenError::Hopeless { .. }));
    let (quarantined, _) = stages(&store).0.finish(false).unwrap();
    assert_eq!(quarantined, Some(dir.path().join(aside)));
    assert_eq!(beside(dir.path()), ["audit-heads.log", "store", kept, aside]);
}

#[test]
fn a_marker_that_says_nothing_clear_changes_nothing() {
    let dir = filled();
    let store = store_dir(dir.path());
    for text in [
        "",
        "quarantine",
        "quarantine \n",
        "quarantine /etc\n",
        "quarantine store.x/../..\n",
        "quarantine other\n",
        "without-snapshots\n",
        "nonsense store.x\n",
    ] {
        fs::write(dir.path().join("store.repair"), text).unwrap();
        let (repair, marker) = stages(&store);
        assert_eq!(repair.stage, Stage::AsIs, "{text:?}");
        assert_eq!(repair.finish(false).unwrap(), (None, vec![]), "{text:?}");
        assert!(!marker.exists());
    }
    fs::write(dir.path().join("store.repair"), b"\xff\xfe").unwrap();
    assert_eq!(stages(&store).0.stage, Stage::AsIs);
}

#[test]
fn a_copy_that_fails_leaves_the_store_as_it_is() {
    let dir = filled();
    let store = store_dir(dir.path());
    symlink("/proc/self/mem", store.join("snap.unreadable")).unwrap();
    let failed = stages(&store).0.try_without_snapshots(AT);
    assert!(matches!(failed, Err(OpenError::Io { .. })), "{failed:?}");
    fs::remove_file(store.join("snap.unreadable")).unwrap();
    assert!(store.join("conf").exists());
    assert!(!beside(dir.path()).contains(&"store.partial".to_owned()));
    assert_eq!(verified(&open(dir.path()).database, Head::EMPTY).seq, RECORDS);
}

#[test]
fn what_was_set_aside_is_found_with_its_size_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    assert_eq!(set_aside(&store), []);
    for name in
        ["store", "store.corrupt-1/blobs", "store.before-repair-2", "other.corrupt-3", "store.partial"]
    {
        fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("store.corrupt-1/db"), [0; 700]).unwrap();
    fs::write(dir.path().join("store.corrupt-1/blobs/1"), [0; 50]).unwrap();
    let found = [("store.before-repair-2", 0), ("store.corrupt-1", 750)];
    assert_eq!(set_aside(&store), found.map(|(name, bytes)| (dir.path().join(name), bytes)));
}
