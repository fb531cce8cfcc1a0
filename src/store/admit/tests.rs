//! What is decided of a request, beside what is there: whom it joins, what it is told, and what of that is on record.

use crate::job::{CachePolicy, Places, RequestTexts};
use crate::model::agent::{AuditContent, ProfileInForce};
use crate::model::{Caller, Digest, OnDisconnect, SessionId, SpendLimit};
use crate::store::workbench::Room;
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
        let request = request.clone();
        self.room.commit(move |txn| admit(txn, &request, &|_, _| true)).unwrap()
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

/// Returns a request to run `task`, with this long a time.
fn request(task: &str, seconds: u64) -> OpenRequest {
    let profile = ProfileInForce { timeout_seconds: seconds, ..ProfileInForce::default() };
    let proposal = Proposal {
        directory: "/srv/docs".into(),
        git_head: None,
        session: SessionId::generate(),
        resumed: false,
        profile,
        digest: Digest::of(task.as_bytes()),
        key: Some(Digest::of(task.as_bytes())),
        read_cache: true,
        cache: Some(CachePolicy { ttl_ms: 60_000, entries_max: 10 }),
        places: Places { everyone: 5, agent: None },
        spend: SpendLimit::default(),
        agent_spend: SpendLimit::default(),
    };
    OpenRequest {
        job: JobId::generate(),
        agent: "worker".to_owned(),
        group: None,
        caller: Caller::default(),
        texts: RequestTexts { task: task.to_owned(), ..RequestTexts::default() },
        proposal: Ok(proposal),
        attached: false,
        on_disconnect: OnDisconnect::Detach,
        audit_content: AuditContent::Digest,
    }
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
    house.room.commit(move |txn| ledger::cancel(txn, short, "the test")).unwrap();
    assert_eq!(house.ask(&request("a task", 11)), Admission::Joined(long));
    let codes: Vec<_> = house.records().iter().map(|record| record.event.as_str()).collect();
    let joined = ["joined"; 2];
    assert_eq!(
        codes,
        [&["requested"][..], &joined, &["requested"], &joined, &["cancelled", "joined"]].concat()
    );
}
