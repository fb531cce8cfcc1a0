//! Changes that were answered are on disk, in order, whole, and once; those that failed left nothing.

use std::sync::mpsc;
use std::thread;

use super::*;
use crate::store::workbench::{Room, block_on, contents, head, record, role, say, store_dir, verified};
use crate::store::{keys, workbench};

mod crash;

#[test]
fn what_was_answered_is_there_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let appended = room
        .commit(|txn| {
            txn.put(b"s/one".to_vec(), b"1");
            txn.put(b"s/two".to_vec(), vec![2; 10_000]);
            txn.append(record("first"))
        })
        .unwrap();
    room.commit(|txn| {
        txn.delete(b"s/one".to_vec());
        Ok(())
    })
    .unwrap();
    drop(room);
    let room = Room::open(dir.path());
    assert_eq!(room.database.get(b"s/one").unwrap(), None);
    assert_eq!(room.database.get(b"s/two").unwrap(), Some(vec![2; 10_000]));
    assert_eq!((appended.seq, verified(&room.database, Head::EMPTY)), (1, appended));
    assert_eq!(room.outside, Some(appended));
    assert!(!room.database.blobs_present());
}

#[test]
fn changes_of_many_threads_make_one_gapless_chain() {
    const THREADS: u64 = 16;
    const COMMITS: u64 = 500;
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let mut seqs: Vec<u64> = thread::scope(|scope| {
        let committing: Vec<_> = (0..THREADS)
            .map(|number| {
                let committer = room.committer.clone();
                scope.spawn(move || {
                    let commit =
                        |at| committer.commit(move |txn| txn.append(record(&format!("{number} {at}"))));
                    (0..COMMITS).map(|at| block_on(commit(at)).unwrap().seq).collect::<Vec<_>>()
                })
            })
            .collect();
        let per_thread = committing.into_iter().map(|thread| thread.join().unwrap());
        per_thread.inspect(|seqs| assert!(seqs.is_sorted())).flatten().collect()
    });
    seqs.sort_unstable();
    assert!(seqs.into_iter().eq(1..=THREADS * COMMITS));
    assert_eq!(verified(&room.database, Head::EMPTY).seq, THREADS * COMMITS);
}

/// Commits `change` in one group with a change before it and one after it, which store `before` and `after`.
fn in_the_middle<R: Send + 'static>(
    room: &Room,
    change: impl FnOnce(&mut Txn<'_>) -> Result<R, Fault> + Send + 'static,
) -> Result<R, CommitError> {
    let (go, wait) = mpsc::channel::<()>();
    let all = async {
        let holding = room.committer.commit(move |_| {
            wait.recv().unwrap();
            Ok(())
        });
        let before = room.committer.commit(|txn| {
            txn.put(b"s/before".to_vec(), b"1");
            txn.append(record("before"))
        });
        let change = room.committer.commit(change);
        let after = room.committer.commit(|txn| {
            txn.put(b"s/after".to_vec(), txn.get(b"s/before")?.unwrap_or_default());
            txn.append(record("after"))
        });
        // Each has been asked for once before the first can be answered.
        let release = async { go.send(()).unwrap() };
        tokio::join!(holding, before, change, after, release)
    };
    let (held, before, change, after, ()) = block_on(all);
    held.unwrap();
    assert_eq!(before.unwrap().seq + 1, after.unwrap().seq);
    change
}

#[test]
fn a_change_that_fails_leaves_nothing_and_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let conflict = Fault::Conflict("it was done already".to_owned());
    let failed = in_the_middle(&room, {
        let conflict = conflict.clone();
        move |txn| {
            txn.put(b"s/before".to_vec(), b"spoilt");
            txn.put(b"s/before".to_vec(), vec![9; 9000]);
            txn.delete(b"s/before".to_vec());
            txn.put(b"s/mine".to_vec(), b"x");
            txn.append(record("mine"))?;
            Err::<(), _>(conflict)
        }
    });
    assert_eq!(failed, Err(CommitError::Refused(conflict)));
    assert_eq!(room.database.get(b"s/after").unwrap(), Some(b"1".to_vec()));
    assert_eq!(room.database.get(b"s/mine").unwrap(), None);
    assert_eq!(verified(&room.database, Head::EMPTY).seq, 2);
    room.committer.stop();
    let pieces = contents(&room.database).iter().filter(|(key, _)| key.starts_with(keys::CHUNK)).count();
    assert_eq!(pieces, 0, "the pieces of a value that was never stored are removed");
}

#[test]
fn a_change_that_panics_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let failed = in_the_middle(&room, |txn| {
        txn.put(b"s/mine".to_vec(), b"x");
        if txn.head().seq == 1 { panic!("a bug") } else { Ok(()) }
    });
    assert_eq!(failed, Err(CommitError::Refused(Fault::Panicked("a bug".to_owned()))));
    assert_eq!(room.database.get(b"s/mine").unwrap(), None);
    assert_eq!(verified(&room.database, Head::EMPTY).seq, 2);
}

#[test]
fn a_change_beyond_the_limits_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    for (key, value) in [(vec![b'k'; 513], vec![]), (vec![b'k'], vec![0; 64 * 1024 * 1024 + 1])] {
        let refused = room.commit(move |txn| {
            txn.put(b"s/mine".to_vec(), b"x");
            txn.put(key, value);
            Ok(())
        });
        assert!(matches!(refused, Err(CommitError::Refused(Fault::Invalid(_)))), "{refused:?}");
    }
    assert_eq!(contents(&room.database), []);
}

#[test]
fn a_note_is_seen_by_later_changes_and_kept_by_an_orderly_end() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    room.committer.note(|txn| {
        txn.put(b"g/1".to_vec(), b"line");
        Ok(())
    });
    room.committer.note(|txn| {
        txn.put(b"g/2".to_vec(), b"line");
        Err(Fault::NotFound("no such job".to_owned()))
    });
    assert_eq!(room.commit(|txn| txn.get(b"g/1")).unwrap(), Some(b"line".to_vec()));
    room.committer.note(|txn| {
        txn.put(b"g/3".to_vec(), b"line");
        Ok(())
    });
    drop(room);
    let room = Room::open(dir.path());
    let kept: Vec<Vec<u8>> = contents(&room.database).into_iter().map(|(key, _)| key).collect();
    assert_eq!(kept, [b"g/1".to_vec(), b"g/3".to_vec()]);
}

#[test]
fn stopping_finishes_what_waits_and_refuses_what_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let (go, wait) = mpsc::channel::<()>();
    let committer = room.committer.clone();
    let all = thread::spawn(move || {
        block_on(async {
            let held = committer.commit(move |txn| {
                wait.recv().unwrap();
                txn.append(record("first"))
            });
            let behind = committer.commit(|txn| txn.append(record("second")));
            let stop = async {
                let stopping = committer.clone();
                let stopped = thread::spawn(move || stopping.stop());
                while !committer.fate.is_over() {
                    thread::yield_now();
                }
                go.send(()).unwrap();
                stopped
            };
            let (held, behind, stopped) = tokio::join!(held, behind, stop);
            stopped.join().unwrap();
            [held.unwrap().seq, behind.unwrap().seq]
        })
    });
    assert_eq!(all.join().unwrap(), [1, 2]);
    room.committer.stop();
    assert_eq!(room.commit(|txn| txn.append(record("two"))), Err(CommitError::Stopped));
    room.committer.note(|txn| {
        txn.put(b"g/1".to_vec(), b"line");
        Ok(())
    });
    assert_eq!(head(&room.database).seq, 2);
}

#[test]
fn a_store_of_a_newer_format_is_read_but_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    room.put(b"s/one", b"1".to_vec());
    room.put(keys::FORMAT, 2_u32.to_be_bytes().to_vec());
    drop(room);
    let room = Room::open(dir.path());
    assert_eq!(room.database.newer_format(), Some(2));
    assert_eq!(room.database.get(b"s/one").unwrap(), Some(b"1".to_vec()));
    let refused = room
        .commit(|txn| {
            txn.put(b"s/two".to_vec(), b"2");
            Ok(())
        })
        .unwrap_err();
    assert_eq!(
        refused,
        CommitError::Engine(
            "the store has format 2, this program writes format 1: update agent-dispatch".to_owned()
        )
    );
    assert_eq!(*room.fatal.lock().unwrap(), Vec::<String>::new());
    assert_eq!(room.database.get(b"s/two").unwrap(), None);
}

/// What the copy of this program does: it commits until the system lets its files grow no more.
fn commit_until_files_may_not_grow(dir: &std::path::Path) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    use tokio::signal::unix::{SignalKind, signal};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    // With a handler, the call that would grow a file fails, instead of the signal killing the process.
    let _handler = signal(SignalKind::from_raw(libc::SIGXFSZ)).unwrap();
    let limit = Some(2 * 1024 * 1024);
    setrlimit(Resource::Fsize, Rlimit { current: limit, maximum: limit }).unwrap();
    let room = Room::open(dir);
    let failure = loop {
        let at = head(&room.database).seq;
        match room.commit(move |txn| {
            txn.put(format!("s/{at}").into_bytes(), vec![7; 3000]);
            txn.append(record("x"))
        }) {
            Ok(head) => say(&format!("ack {}", head.seq)),
            Err(failure) => break failure,
        }
    };
    say(if matches!(failure, CommitError::Engine(_)) { "engine" } else { "other" });
    let later = room.commit(|txn| txn.append(record("later")));
    say(if later == Err(failure) { "same" } else { "other" });
    say(&format!("told {}", room.fatal.lock().unwrap().len()));
}

#[test]
fn a_store_that_cannot_grow_fails_loudly_and_keeps_what_it_answered() {
    if let Some((_, dir)) = role() {
        return commit_until_files_may_not_grow(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut copy = workbench::Copy::of(
        module_path!(),
        "a_store_that_cannot_grow_fails_loudly_and_keeps_what_it_answered",
        "commit",
        dir.path(),
    );
    let said = copy.rest();
    let acks = said.iter().filter(|words| words.starts_with("ack ")).count();
    assert_eq!(said[acks..], ["engine", "same", "told 1"], "after {acks} commits");
    assert!(acks > 10, "only {acks} commits before the limit");
    let room = Room::open(dir.path());
    assert!(verified(&room.database, Head::EMPTY).seq >= acks as u64);
    for at in 0..acks {
        assert_eq!(room.database.get(format!("s/{at}").as_bytes()).unwrap(), Some(vec![7; 3000]), "{at}");
    }
    room.commit(|txn| txn.append(record("goes on"))).unwrap();
}

#[test]
fn a_slower_store_without_the_filter_keeps_the_same_promises() {
    let dir = tempfile::tempdir().unwrap();
    let opened = Database::open(&store_dir(dir.path()), crate::store::Durability::SyncAfterCommit).unwrap();
    let room = Room::with(dir.path(), opened.database);
    room.put(b"r/1", vec![1; 300_000]);
    room.commit(|txn| txn.append(record("one"))).unwrap();
    drop(room);
    let room = Room::open(dir.path());
    assert_eq!(room.database.get(b"r/1").unwrap(), Some(vec![1; 300_000]));
    assert_eq!(verified(&room.database, Head::EMPTY).seq, 1);
}
