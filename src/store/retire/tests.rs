//! What is older than is kept goes from the old end, and only from there; the checkpoint in its place cannot be touched.

use super::*;
use crate::audit::chain::{Fault as Finding, FaultKind};
use crate::audit::verdict::{Verdict, VerifyReport};
use crate::model::Timestamp;
use crate::retention::Retention;
use crate::store::verify::{Check, Steps};
use crate::store::workbench::{Room, contents, head};
use crate::store::{Database, Writes};

const NOW: u64 = 1_800_000_000_000;
const DAY: u64 = 86_400_000;

fn days_ago(days: u64) -> Timestamp {
    Timestamp::from_millis(NOW - days * DAY)
}

fn keeping(days: u64) -> Rule {
    Rule::new(Retention::Last(days * DAY), None, Timestamp::from_millis(NOW))
}

/// Returns a store with a record of each of the last `days` days, the oldest first.
fn store(days: u64) -> (tempfile::TempDir, Room) {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    room.commit(move |txn| {
        for day in (0..days).rev() {
            let mut record = Record::new(days_ago(day), Code::Refused);
            record.agent = Some("docs".to_owned());
            record.dispatch = Some(crate::model::JobId::generate().to_string());
            txn.append(record)?;
        }
        Ok(())
    })
    .unwrap();
    (dir, room)
}

fn check(database: &Database, anchor: Option<Head>) -> VerifyReport {
    let heads = vec![head(database)];
    let check = Check { anchor, heads, witnessed: head(database) };
    Reader::new(database.clone()).verify(&check, &Steps::default()).unwrap()
}

fn old_end(room: &Room, days: u64) -> Option<OldEnd> {
    Reader::new(room.database.clone()).old_end(&keeping(days)).unwrap()
}

fn begin(room: &Room, days: u64) -> OldEnd {
    let old = old_end(room, days).unwrap();
    let (asked, by) = (old.clone(), Caller { client: "a test".to_owned(), ..Caller::default() });
    room.commit(move |txn| seal(txn, &asked, &by, &keeping(days))).unwrap();
    old
}

fn retire(room: &Room, days: u64) -> OldEnd {
    let old = begin(room, days);
    while room.commit(sweep).unwrap() {}
    old
}

fn keys_left(room: &Room, prefix: &[u8]) -> usize {
    contents(&room.database).iter().filter(|(key, _)| key.starts_with(prefix)).count()
}

#[test]
fn the_old_end_goes_and_the_rest_is_whole() {
    let (_dir, room) = store(1000);
    let old = retire(&room, 100);
    // A record that is exactly as old as is kept stays.
    assert_eq!((old.first, old.last, old.count), (1, 899, 899));
    assert_eq!((old.since, old.until), (days_ago(999), days_ago(101)));
    let report = check(&room.database, None);
    assert_eq!((report.verdict(), report.records, report.first), (Verdict::Whole, 102, 900));
    let kept = report.kept.unwrap();
    assert_eq!((kept.last, kept.count, kept.by.client.as_str()), (899, 899, "a test"));
    assert_eq!(keys_left(&room, keys::AUDIT), 102);
    // The checkpoint cuts the page of the agent in two; what is left of it leads to what is left.
    assert_eq!((keys_left(&room, keys::AUDIT_BY_AGENT), keys_left(&room, keys::AUDIT_BY_DISPATCH)), (1, 101));
    let all = |name: &[u8]| -> Vec<u64> {
        pages::numbers(&room.database, name, 0, u64::MAX, Direction::Forward).map(Result::unwrap).collect()
    };
    assert_eq!(all(&keys::audit_of_agent("docs")), (900..=1000).collect::<Vec<_>>());
    // Nothing more is that old; later more is, and it goes from where the first removal ended.
    assert_eq!(old_end(&room, 100), None);
    let old = retire(&room, 50);
    assert_eq!((old.first, old.last, old.count), (900, 949, 50));
    let report = check(&room.database, None);
    assert_eq!((report.verdict(), report.first, report.records), (Verdict::Whole, 950, 53));
}

#[test]
fn the_newest_record_never_goes() {
    let (_dir, room) = store(3);
    let far = Rule::new(Retention::Unended, None, Timestamp::from_millis(NOW));
    let old = Reader::new(room.database.clone()).old_end(&far).unwrap().unwrap();
    assert_eq!((old.first, old.last), (1, 2));
    let dir = tempfile::tempdir().unwrap();
    let empty = Room::open(dir.path());
    assert_eq!(old_end(&empty, 1), None);
}

#[test]
fn a_removal_that_was_cut_short_harms_nothing_and_is_finished_by_the_next() {
    let (_dir, room) = store(500);
    begin(&room, 10);
    assert_eq!(check(&room.database, None).verdict(), Verdict::Whole);
    assert!(room.commit(sweep).unwrap());
    let report = check(&room.database, None);
    assert_eq!((report.verdict(), report.records), (Verdict::Whole, 12));
    while room.commit(sweep).unwrap() {}
    assert_eq!(keys_left(&room, keys::AUDIT), 12);
}

#[test]
fn a_trail_that_is_broken_or_changes_meanwhile_loses_nothing() {
    let (_dir, room) = store(20);
    let old = old_end(&room, 5).unwrap();
    let by = Caller::default();
    let stale = OldEnd { hash: crate::model::Digest::ZERO, ..old };
    for wrong in [stale, OldEnd { first: 2, ..old }, OldEnd { last: 20, ..old }] {
        let by = by.clone();
        room.commit(move |txn| seal(txn, &wrong, &by, &keeping(5))).unwrap_err();
    }
    room.database.write(&Writes::from([(keys::audit(3), None)])).unwrap();
    let refused = Reader::new(room.database.clone()).old_end(&keeping(5)).unwrap_err();
    assert!(refused.to_string().starts_with("record 3 is missing; nothing was removed"), "{refused}");
    assert_eq!(keys_left(&room, keys::CHECKPOINT), 0);
}

#[test]
fn a_checkpoint_that_was_changed_dropped_or_put_back_is_found() {
    let (_dir, room) = store(20);
    retire(&room, 10);
    let first = room.database.get_raw(keys::CHECKPOINT).unwrap();
    let old = retire(&room, 5);
    let raw = room.database.get_raw(keys::CHECKPOINT).unwrap().unwrap();
    let put = |bytes: Option<Vec<u8>>| {
        room.database.write(&Writes::from([(keys::CHECKPOINT.to_vec(), bytes)])).unwrap();
    };
    let found = || check(&room.database, None).faults;
    for at in 1..raw.len() {
        let mut bad = raw.clone();
        bad[at] ^= 1 << (at % 8);
        put(Some(bad));
        assert_eq!(found(), [Finding::of(old.last + 1, FaultKind::Unsealed)], "byte {at}");
    }
    put(None);
    let faults = found();
    assert_eq!(faults[0], Finding::of(1, FaultKind::Missing), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.kind == FaultKind::Unsealed), "{faults:?}");
    put(first);
    assert!(!found().is_empty());
    // Sealed anew, with all in it right but for one fact: the record in the trail tells.
    let (kept, _) = Checkpoint::decode(&raw[1..]).unwrap();
    let forged = Checkpoint { count: kept.count - 1, ..kept }.encode().unwrap().0;
    put(Some(chunks::inline(&forged)));
    assert_eq!(found(), [Finding::of(old.last + 1, FaultKind::Unsealed)]);
    put(Some(raw));
    assert_eq!(found(), []);
}

#[test]
fn an_anchor_at_the_checkpoint_still_proves_and_one_before_it_is_told_to_be_gone() {
    let (_dir, room) = store(20);
    let anchor_at = |seq| {
        let bytes = room.database.get(&keys::audit(seq)).unwrap().unwrap();
        LinkView::read(seq, &bytes).unwrap().head()
    };
    let (gone, last, kept) = (anchor_at(3), anchor_at(9), anchor_at(15));
    assert_eq!(retire(&room, 10).last, 9);
    let from = |anchor| check(&room.database, Some(anchor));
    let report = from(gone);
    assert_eq!(
        (report.verdict(), report.faults),
        (Verdict::Incomplete, vec![Finding::of(3, FaultKind::BeforeKept)])
    );
    assert_eq!((from(last).verdict(), from(kept).verdict()), (Verdict::Whole, Verdict::Whole));
    let other = Head { seq: 9, hash: crate::model::Digest::ZERO };
    assert_eq!(from(other).faults, [Finding::of(9, FaultKind::NotAnchored)]);
}
