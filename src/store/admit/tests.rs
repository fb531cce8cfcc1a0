//! What is decided of a request, beside what is there: whom it joins, what it is told, and what of that is on record.

use crate::budget::usd;
use crate::job::ProcessId;
use crate::model::{Answer, Caller, FailureClass, Findings, RunResult, SessionId};
use crate::store::ledger::Source;
use crate::store::workbench::{Room, request};
use crate::store::{Direction, Reader};

use super::*;

/// A store in a directory of its own.
struct House {
    room: Room,
    _dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { room: Room::open(dir.path()), _dir: dir }
    }

    fn ask(&self, request: &OpenRequest) -> Admission {
        self.ask_among(request, 0, 1)
    }

    /// Asks while so many jobs are under way, and so many more can connect.
    fn ask_among(&self, request: &OpenRequest, under_way: usize, spare: usize) -> Admission {
        let request = request.clone();
        let decide = move |txn: &mut Txn<'_>| admit(txn, &request, &around(under_way, spare));
        self.room.commit(decide).unwrap()
    }

    /// Opens a job and returns it.
    fn opened(&self, request: &OpenRequest) -> JobRecord {
        assert_eq!(self.ask(request), Admission::Opened);
        self.job(request.job)
    }

    fn job(&self, id: JobId) -> JobRecord {
        self.reader().job(id).unwrap().unwrap()
    }

    fn reader(&self) -> Reader {
        Reader::new(self.room.database.clone())
    }

    /// Returns all records, oldest first.
    fn records(&self) -> Vec<Record> {
        let all = self.room.database.scan(keys::under(keys::AUDIT), Direction::Forward);
        let links = all.map(|entry| {
            let (key, bytes) = entry.unwrap();
            crate::audit::chain::Link::decode(keys::seq_of(&key).unwrap(), &bytes).unwrap()
        });
        links.map(|link| serde_json::from_slice(&link.body).unwrap()).collect()
    }
}

/// Returns surroundings in which everybody may join everything.
fn around(under_way: usize, spare: usize) -> Around<'static> {
    Around { may_join: &|_, _| true, under_way, spare }
}

#[test]
fn whoever_gives_it_more_time_than_the_one_under_way_runs_anew_and_is_joined_from_then_on() {
    let house = House::new();
    let short = house.opened(&request("a task", 10)).id;
    for seconds in [9, 10] {
        assert_eq!(house.ask(&request("a task", seconds)), Admission::Joined(short), "{seconds}");
    }
    let long = house.opened(&request("a task", 11)).id;
    for seconds in [10, 11] {
        assert_eq!(house.ask(&request("a task", seconds)), Admission::Joined(long), "{seconds}");
    }
    // The end of the one that was there first does not take the other's place.
    house.room.commit(move |txn| ledger::cancel(txn, short, "the test", None)).unwrap();
    assert_eq!(house.ask(&request("a task", 11)), Admission::Joined(long));
    let codes: Vec<_> = house.records().iter().map(|record| record.event.as_str()).collect();
    let joined = ["joined"; 2];
    assert_eq!(
        codes,
        [&["requested"][..], &joined, &["requested"], &joined, &["cancelled", "joined"]].concat()
    );
}

/// Starts a job, lets it end as `result`, and returns what the cap of its day then says.
fn spent_after(house: &House, request: &OpenRequest, result: RunResult) -> String {
    let (asked, id) = (request.clone(), house.opened(request).id);
    let worker = ProcessId { pid: 1, start_ticks: 1 };
    house.room.commit(move |txn| ledger::start(txn, id, worker)).unwrap();
    let findings: Findings = (result, Answer::default()).into();
    house.room.commit(move |txn| ledger::finish(txn, id, findings, Source::Worker)).unwrap();
    let (_, caps) = house.room.commit(move |txn| consider(txn, &asked, &around(0, 1))).unwrap();
    usd(caps.first().unwrap().spent)
}

#[test]
fn what_a_run_that_never_told_its_cost_may_have_spent_counts() {
    let house = House::new();
    let of_cap = |task: &str, cap: Option<f64>| {
        let mut request = request(task, 10);
        let proposal = request.proposal.as_mut().unwrap();
        proposal.spend.day = Some(6.0);
        proposal.profile.max_budget_usd = cap;
        request
    };
    let ended = |cost_usd: Option<f64>, session: Option<SessionId>| {
        let failed = RunResult::failed(FailureClass::Timeout, "no answer in 10 s", 1);
        RunResult { session, cost_usd, ..failed }
    };
    let session = Some(SessionId::generate());
    assert_eq!(spent_after(&house, &of_cap("could not be started", Some(5.0)), ended(None, None)), "$0.00");
    let told = ended(Some(0.25), session.clone());
    assert_eq!(spent_after(&house, &of_cap("told its cost", Some(5.0)), told), "$0.25");
    assert_eq!(spent_after(&house, &of_cap("has no cap", None), ended(None, session.clone())), "$0.25");
    assert_eq!(spent_after(&house, &of_cap("was killed", Some(5.0)), ended(None, session)), "$5.25");
    let Admission::Refused(refusal) = house.ask(&of_cap("another", Some(5.0))) else { panic!("it ran") };
    let told = "the day budget of all agents does not allow this run: the cap of $6.00 is too small: $5.25 spent, \
                $0.00 reserved by running dispatches, $5.00 asked for";
    assert_eq!((refusal.class, refusal.message.as_str()), (FailureClass::Budget, told));
}

#[test]
fn a_full_queue_takes_nothing_in_and_says_so_on_record() {
    let house = House::new();
    let first = house.opened(&request("under way", 10)).id;
    let refused = |asked: &OpenRequest, under_way, spare| match house.ask_among(asked, under_way, spare) {
        Admission::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let full = refused(&request("one too many", 10), 1000, 9);
    let told = "the queue is full: 1000 dispatches at this depth wait or run";
    assert_eq!((full.class, full.message.as_str()), (FailureClass::QueueFull, told));
    assert!(full.hint.contains("agent-dispatch cancel"), "{full:?}");
    // What one call with several dispatches may have under way always fits.
    let mut of_many = request("of many", 10);
    of_many.proposal.as_mut().unwrap().places.everyone = 600;
    assert_eq!(house.ask_among(&of_many, 1199, 9), Admission::Opened);
    // Who joins takes no place in the queue, but a connection.
    let joining = |attached| OpenRequest { attached, ..request("under way", 10) };
    assert_eq!(house.ask_among(&joining(true), 1000, 1), Admission::Joined(first));
    assert_eq!(house.ask_among(&joining(false), 1000, 0), Admission::Joined(first));
    assert_eq!(refused(&joining(true), 0, 0).class, FailureClass::QueueFull);
    assert_eq!(refused(&request("no connection", 10), 0, 0).class, FailureClass::QueueFull);
    let records = house.records();
    let reasons: Vec<_> = records.iter().filter(|record| record.event == Code::Refused).collect();
    assert_eq!(reasons.len(), 3);
    assert_eq!(reasons[0].reason.as_deref(), Some(&*format!("queue_full: {told}")));
}

#[test]
fn who_stops_what_has_not_begun_is_on_record_beside_who_had_asked_for_it() {
    let house = House::new();
    let id = house.opened(&request("not begun", 10)).id;
    let other = Caller { client: "other-client 9".to_owned(), pid: 7, ..Caller::default() };
    house.room.commit(move |txn| ledger::cancel(txn, id, "dispatch_cancel", Some(&other))).unwrap();
    let records = house.records();
    let [asked, cancelled] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((cancelled.event, &cancelled.caller), (Code::Cancelled, &asked.caller));
    assert_eq!(cancelled.details["cancelled_by"], "other-client 9, process 7");
}

#[test]
fn a_request_that_comes_back_after_its_decision_is_forgotten_finds_its_job_as_it_is() {
    let house = House::new();
    let asked = request("slept over", 10);
    let id = house.opened(&asked).id;
    let ended = house.room.commit(move |txn| ledger::cancel(txn, id, "the test", None)).unwrap();
    house
        .room
        .commit(move |txn| {
            txn.delete(keys::idempotency(id.as_bytes()));
            Ok(())
        })
        .unwrap();
    assert_eq!(house.ask(&asked), Admission::Opened);
    assert_eq!((house.job(id), house.records().len()), (ended, 2));
}
