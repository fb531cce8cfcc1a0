//! A store whose process is killed, under load and while it opens, a hundred times each: nothing that was answered is
//! lost, no batch is torn, the chain has no gap, and no repair goes further than it must.

use std::ops::Bound;
use std::path::Path;

use super::*;
use crate::store::Direction;
use crate::store::head::{Comparison, compare};
use crate::store::keys::KeyRange;
use crate::store::workbench::{Copy, Random, pause};

const ROUNDS: u32 = 100;
const WRITERS: u8 = 4;
const BATCH_KEYS: u8 = 50;
const LARGE_BYTES: usize = 9_000;

fn batch_key(writer: u8, at: u8) -> Vec<u8> {
    vec![b't', b'/', writer, at]
}

fn batch_of(writer: u8) -> KeyRange {
    (Bound::Included(batch_key(writer, 0)), Bound::Excluded(batch_key(writer, u8::MAX)))
}

fn large_key(writer: u8) -> Vec<u8> {
    vec![b'v', b'/', writer]
}

/// Returns the number that a writer's whole batch holds.
fn batch_number(database: &Database, writer: u8) -> u64 {
    let values: Vec<_> = database.scan(batch_of(writer), Direction::Forward).map(|e| e.unwrap().1).collect();
    let Some(first) = values.first() else { return 0 };
    assert_eq!(values, vec![first.clone(); usize::from(BATCH_KEYS)], "writer {writer}: a torn batch");
    u64::from_be_bytes(first.as_slice().try_into().unwrap())
}

/// Returns the number that a writer's large value is made of.
fn large_number(database: &Database, writer: u8) -> u64 {
    let Some(value) = database.get(&large_key(writer)).unwrap() else { return 0 };
    let number = value[..8].to_vec();
    assert_eq!(value, number.repeat(LARGE_BYTES / 8), "writer {writer}: a torn value");
    u64::from_be_bytes(number.try_into().unwrap())
}

/// Makes a writer's next change: a batch, now and then a large value, and a record.
fn change(txn: &mut Txn<'_>, writer: u8, number: u64) -> Result<Head, Fault> {
    for at in 0..BATCH_KEYS {
        txn.put(batch_key(writer, at), number.to_be_bytes());
    }
    if number.is_multiple_of(8) {
        txn.put(large_key(writer), number.to_be_bytes().repeat(LARGE_BYTES / 8));
    }
    txn.append(record(&format!("{writer} {number}")))
}

/// What a copy of this program does until it is killed: it commits, and says so after every answer.
fn write(dir: &Path) {
    let room = Room::open(dir);
    say("ready");
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (committer, first) = (room.committer.clone(), batch_number(&room.database, writer) + 1);
            scope.spawn(move || {
                for number in first.. {
                    let commit = committer.commit(move |txn| change(txn, writer, number));
                    let head = block_on(commit).unwrap();
                    say(&format!("ack {writer} {number} {}", head.seq));
                }
            });
        }
    });
}

/// What a copy of this program does until it is killed while it opens the store.
fn open(dir: &Path) {
    say("opening");
    let opened = workbench::open(dir);
    say("opened");
    drop(opened);
    say("closed");
}

/// Checks everything that `said` acknowledged, and the chain from `from` on; returns its end.
fn check(dir: &Path, said: &[String], from: Head) -> Head {
    let opened = workbench::open(dir);
    assert_eq!(opened.quarantined, None);
    let database = opened.database;
    let head = verified(&database, from);
    let (_, outside) = HeadFile::open(&dir.join("audit-heads.log")).unwrap();
    let hash_at = |seq| {
        let value = database.get(&keys::audit(seq)).unwrap()?;
        Some(crate::audit::chain::Link::decode(seq, &value).unwrap().hash)
    };
    let comparison = compare(head, hash_at, outside);
    assert!(matches!(comparison, Comparison::Same | Comparison::Ahead), "{comparison:?}");
    let numbers: Vec<u64> = (0..WRITERS).map(|writer| batch_number(&database, writer)).collect();
    let large: Vec<u64> = (0..WRITERS).map(|writer| large_number(&database, writer)).collect();
    for words in said {
        let Some(ack) = words.strip_prefix("ack ") else { continue };
        let ack: Vec<u64> = ack.split(' ').map(|number| number.parse().unwrap()).collect();
        let writer = usize::try_from(ack[0]).unwrap();
        assert!(numbers[writer] >= ack[1], "batch {} of writer {writer} is lost", ack[1]);
        assert!(large[writer] >= ack[1] / 8 * 8, "value {} of writer {writer} is lost", ack[1]);
        assert!(head.seq >= ack[2], "record {} is lost", ack[2]);
    }
    assert!(!database.blobs_present());
    let beside: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "only the store and the head file: {beside:?}");
    head
}

#[test]
fn a_hundred_kills_under_load_lose_nothing() {
    if let Some((_, dir)) = role() {
        return write(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new();
    let mut head = Head::EMPTY;
    let mut acks = 0;
    for _ in 0..ROUNDS {
        let mut copy =
            Copy::of(module_path!(), "a_hundred_kills_under_load_lose_nothing", "write", dir.path());
        assert_eq!(copy.hear().as_deref(), Some("ready"));
        pause(Duration::from_micros(random.below(60_000)));
        copy.kill();
        let said = copy.rest();
        acks += said.len();
        head = check(dir.path(), &said, head);
    }
    assert!(acks > 100, "only {acks} commits were under way");
    verified(&workbench::open(dir.path()).database, Head::EMPTY);
}

#[test]
fn a_hundred_kills_while_opening_lose_nothing() {
    if let Some((_, dir)) = role() {
        return open(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new();
    let mut head = Head::EMPTY;
    let mut killed_open = 0;
    for _ in 0..ROUNDS {
        let room = Room::open(dir.path());
        for _ in 0..20 {
            head = room.commit(|txn| txn.append(record(&"x".repeat(600)))).unwrap();
        }
        drop(room);
        let mut copy =
            Copy::of(module_path!(), "a_hundred_kills_while_opening_lose_nothing", "open", dir.path());
        assert_eq!(copy.hear().as_deref(), Some("opening"));
        pause(Duration::from_micros(random.below(20_000)));
        copy.kill();
        killed_open += u32::from(copy.rest().is_empty());
        assert_eq!(check(dir.path(), &[], head), head);
    }
    assert!(killed_open > ROUNDS / 10, "only {killed_open} were killed before the store was open");
    verified(&workbench::open(dir.path()).database, Head::EMPTY);
}
