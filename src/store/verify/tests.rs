//! A small trail with jobs, and every way to tamper with it: each is found, and the first bad record is named.

use std::path::Path;

use super::*;
use crate::audit::verdict::Verdict;
use crate::job::{Admission, OpenRequest, ProcessId};
use crate::model::{Answer, JobId, RunResult};
use crate::plan::Refusal;
use crate::retention::{Retention, Rule};
use crate::store::workbench::{Room, block_on, head, record, request_alone};
use crate::store::{Database, Txn, Writes, admit, gc, ledger};

mod tampering;

/// Opens a job in one transaction, and lets it run to its end.
pub(super) fn whole_job(txn: &mut Txn<'_>, job: JobId) -> Result<(), Fault> {
    assert_eq!(admit::admit(txn, &request_alone(job), &admit::Around::ALONE)?, Admission::Opened);
    ledger::start(txn, job, ProcessId { pid: 1, start_ticks: 1 })?;
    let answer = Answer { text: "an answer".to_owned(), parsed: None };
    ledger::finish(txn, job, (RunResult::succeeded(1000), answer).into(), ledger::Source::Worker)?;
    Ok(())
}

fn refused(txn: &mut Txn<'_>) -> Result<(), Fault> {
    let refusal = Refusal {
        class: crate::model::FailureClass::NotFound,
        message: "there is no such agent".to_owned(),
        hint: String::new(),
    };
    let request = OpenRequest { proposal: Err(refusal), ..request_alone(JobId::generate()) };
    admit::admit(txn, &request, &admit::Around::ALONE).map(drop)
}

/// Returns what a check without an anchor finds; the head file knows `heads`.
pub(super) fn check(database: &Database, heads: &[Head]) -> VerifyReport {
    check_from(database, heads, None)
}

fn check_from(database: &Database, heads: &[Head], anchor: Option<Head>) -> VerifyReport {
    let check = Check { anchor, heads: heads.to_vec(), witnessed: head(database) };
    Reader::new(database.clone()).verify(&check, &Steps::default()).unwrap()
}

/// Checks that the trail is whole.
pub(super) fn whole(database: &Database) -> VerifyReport {
    let report = check(database, &[head(database)]);
    assert_eq!((report.verdict(), &report.faults, &report.notes), (Verdict::Whole, &vec![], &vec![]));
    report
}

fn put(database: &Database, key: Vec<u8>, value: &[u8]) {
    database.write(&Writes::from([(key, Some(chunks::inline(value)))])).unwrap();
}

fn remove(database: &Database, key: Vec<u8>) {
    database.write(&Writes::from([(key, None)])).unwrap();
}

/// A store with the records 1 to 8: two whole jobs, a refusal, a word.
struct Trail {
    _dir: tempfile::TempDir,
    room: Room,
    jobs: [JobId; 2],
    heads: Vec<Head>,
}

const RECORDS: u64 = 8;

impl Trail {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let room = Room::open(dir.path());
        let jobs = [JobId::generate(), JobId::generate()];
        let heads = vec![
            room.commit(move |txn| whole_job(txn, jobs[0]).map(|()| txn.head())).unwrap(),
            room.commit(|txn| refused(txn).map(|()| txn.head())).unwrap(),
            room.commit(move |txn| whole_job(txn, jobs[1]).map(|()| txn.head())).unwrap(),
            room.commit(|txn| txn.append(record("a word"))).unwrap(),
        ];
        assert_eq!(heads.last().unwrap().seq, RECORDS);
        Self { _dir: dir, room, jobs, heads }
    }

    fn database(&self) -> &Database {
        &self.room.database
    }

    fn bytes(&self, seq: u64) -> Vec<u8> {
        self.database().get(&keys::audit(seq)).unwrap().unwrap()
    }

    /// Returns the fault that a check names first.
    fn fault(&self) -> (u64, FaultKind) {
        let report = check(self.database(), &self.heads);
        let fault = report.first_fault().unwrap_or_else(|| panic!("nothing was found: {report:?}"));
        (fault.seq, fault.kind)
    }
}

#[test]
fn a_trail_that_nobody_touched_is_whole() {
    let trail = Trail::new();
    let report = whole(trail.database());
    assert_eq!((report.records, report.first, report.jobs), (RECORDS, 1, 2));
    assert_eq!(report.remarks, Vec::<String>::new());
    // Also while it is empty.
    let dir = tempfile::tempdir().unwrap();
    let empty = Room::open(dir.path());
    assert_eq!(check(&empty.database, &[]).verdict(), Verdict::Whole);
}

#[test]
fn a_trail_read_in_parts_is_as_one_read_in_one() {
    let trail = Trail::new();
    let reader = Reader::new(trail.database().clone());
    let (keyed, steps) = (RandomState::new(), Steps::default());
    let end = head(trail.database());
    let part = |from, upto| reader.walk_part(from, upto, &keyed, &steps).unwrap();
    let told = |walk: Walk| format!("{walk:?}");
    let one = told(part(Head::EMPTY, end));
    for seq in 1..RECORDS {
        let middle = LinkView::read(seq, &trail.bytes(seq)).unwrap().head();
        assert_eq!(told(part(Head::EMPTY, middle).followed_by(part(middle, end))), one, "cut at {seq}");
    }
    // What is wrong is found wherever the cut is.
    remove(trail.database(), keys::audit(4));
    for seq in [3, 5] {
        let middle = LinkView::read(seq, &trail.bytes(seq)).unwrap().head();
        let walk = part(Head::EMPTY, middle).followed_by(part(middle, end));
        assert_eq!(walk.faults, [Finding::of(4, FaultKind::Missing)], "cut at {seq}");
    }
}

#[test]
fn an_anchor_proves_itself_and_what_follows() {
    let trail = Trail::new();
    let from = |anchor| check_from(trail.database(), &trail.heads, Some(anchor));
    let anchor = trail.heads[1];
    let report = from(anchor);
    assert_eq!((report.verdict(), report.anchor, report.first), (Verdict::Whole, Some(anchor), 5));
    assert_eq!(from(*trail.heads.last().unwrap()).records, 0);
    for (seq, kind) in [(4, FaultKind::NotAnchored), (9, FaultKind::BeyondEnd)] {
        let report = from(Head { seq, hash: Digest::of(b"another") });
        assert_eq!((report.faults, report.anchor), (vec![Finding::of(seq, kind)], None));
    }
    // Before it anything may be wrong; after it nothing.
    remove(trail.database(), keys::audit(2));
    assert_eq!(from(anchor).verdict(), Verdict::Whole);
    remove(trail.database(), keys::audit(6));
    assert_eq!(from(anchor).faults, [Finding::of(6, FaultKind::Missing)]);
}

#[test]
fn what_a_gap_record_tells_of_is_missing_and_not_wrong() {
    let trail = Trail::new();
    let gap = |remembered: Head| {
        let stored = *trail.heads.last().unwrap();
        trail.room.commit(move |txn| {
            let details = [
                ("stored_seq", stored.seq.to_string()),
                ("stored_hash", stored.hash.to_string()),
                ("remembered_seq", remembered.seq.to_string()),
                ("remembered_hash", remembered.hash.to_string()),
            ];
            let details = details.map(|(name, value)| (name.to_owned(), value)).into();
            ledger::note(txn, Code::Gap, "records are missing".to_owned(), details)
        })
    };
    // One record is told to be another than the head file remembered.
    gap(Head { seq: 3, hash: Digest::of(b"another") }).unwrap();
    let report = check(trail.database(), &[]);
    assert_eq!(report.faults, [Finding::of(3, FaultKind::Replaced)]);

    // Twelve records are told to be missing, and the chain goes on as it does then.
    let trail = Trail::new();
    let stored = *trail.heads.last().unwrap();
    let remembered = Head { seq: 20, hash: Digest::of(b"lost") };
    let mut record = Record::new(Timestamp::now(), Code::Gap);
    record.reason = Some("records are missing".to_owned());
    let mut told = |name: &str, value: String| record.details.insert(name.to_owned(), value);
    told("stored_seq", stored.seq.to_string());
    told("stored_hash", stored.hash.to_string());
    told("remembered_seq", "20".to_owned());
    told("remembered_hash", remembered.hash.to_string());
    let link = crate::audit::chain::Link::after(remembered, serde_json::to_vec(&record).unwrap());
    put(trail.database(), keys::audit(21), &link.encode());
    put(trail.database(), keys::HEAD.to_vec(), &crate::store::schema::encode(&link.head()).unwrap());
    let report = check(trail.database(), &[stored, remembered, link.head()]);
    assert_eq!((report.verdict(), report.faults), (Verdict::Incomplete, vec![]));
    assert_eq!(report.notes, ["record 21: records are missing"]);
}

#[test]
fn jobs_that_a_clean_up_removed_are_no_loss_and_those_that_it_cannot_have_removed_are() {
    let trail = Trail::new();
    let rule = Rule::new(Retention::Unended, None, Timestamp::now());
    let clean_up = |jobs: Vec<JobId>| {
        trail.room.commit(move |txn| gc::remove(txn, gc::Part::Jobs(jobs), &rule)).unwrap();
    };
    // One that is cut short before it is recorded is counted all the same.
    clean_up(vec![trail.jobs[0]]);
    whole(trail.database());
    let recorded = |before: Option<Timestamp>| {
        trail.room.commit(move |txn| {
            let jobs = gc::take_unrecorded(txn)?.to_string();
            let mut details = std::collections::BTreeMap::from([("jobs".to_owned(), jobs)]);
            details.extend(before.map(|before| ("before".to_owned(), before.rfc3339())));
            ledger::note(txn, Code::Gc, "removed jobs".to_owned(), details)
        })
    };
    recorded(None).unwrap();
    assert_eq!(whole(trail.database()).jobs, 1);
    // The other one goes without a word: the clean-up before removed one, and not two.
    remove(trail.database(), keys::job(trail.jobs[1]));
    let fault = check(trail.database(), &[]).faults;
    assert!(matches!(fault.as_slice(), [Finding { kind: FaultKind::JobMissing, .. }]), "{fault:?}");
    // One that went for what ended long before cannot have removed it either, however many it removed.
    let trail = Trail::new();
    remove(trail.database(), keys::job(trail.jobs[1]));
    let long_ago = Timestamp::now().minus_millis(86_400_000).rfc3339();
    let details = [("jobs".to_owned(), "1000".to_owned()), ("before".to_owned(), long_ago)].into();
    trail.room.commit(|txn| ledger::note(txn, Code::Gc, "removed jobs".to_owned(), details)).unwrap();
    let report = check(trail.database(), &[]);
    assert_eq!(report.faults, [Finding::about(trail.jobs[1], 7, FaultKind::JobMissing)]);
}

#[test]
fn sixteen_writers_of_a_thousand_records_each_leave_no_gap() {
    const WRITERS: u64 = 16;
    const EACH: u64 = 1000;
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    block_on(async {
        let writers = (0..WRITERS).map(|writer| {
            let committer = room.committer.clone();
            async move {
                for number in 0..EACH {
                    let text = format!("{writer} {number}");
                    committer.commit(move |txn| txn.append(record(&text))).await.unwrap();
                }
            }
        });
        futures_util::future::join_all(writers).await;
    });
    let report = whole(&room.database);
    assert_eq!((report.records, report.head.seq), (WRITERS * EACH, WRITERS * EACH));
    assert_eq!(room.outside_now(dir.path()), Some(report.head));
}

impl Room {
    /// Returns the newest head that the head file holds now.
    fn outside_now(&self, dir: &Path) -> Option<Head> {
        assert!(self.fatal.lock().unwrap().is_empty());
        crate::store::head::remembered(&dir.join("audit-heads.log")).unwrap().pop()
    }
}
