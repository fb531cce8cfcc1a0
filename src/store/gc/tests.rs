//! What a rule finds is exactly what goes, whatever there is; nothing else does, and nothing that changed in between.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::audit::{Code, Record};
use crate::job::{CachePolicy, Places, RequestTexts};
use crate::model::agent::ProfileInForce;
use crate::model::{Answer, Caller, OnDisconnect, Portion, Session};
use crate::retention::Retention;
use crate::store::ledger::ProgressLines;
use crate::store::workbench::{Room, contents};
use crate::store::{CommitError, Database};

/// Now, in milliseconds.
const NOW: u64 = 1_800_000_000_000;

const HOUR: u64 = 3_600_000;

/// A job to be made: how long ago it was opened and ended, in hours, and how it stands.
#[derive(Debug, Clone)]
struct Past {
    opened: u64,
    lasted: u64,
    state: State,
    /// The conversation, of a few.
    session: u8,
    /// Whether the cache has its answer.
    cached: bool,
    answer_bytes: usize,
    readable: bool,
}

fn past() -> impl Strategy<Value = Past> {
    let state = prop::sample::select(State::ALL.to_vec());
    let bytes = prop_oneof![Just(10_usize), Just(9000)];
    (0..60_u64, 0..20_u64, state, 0..6_u8, any::<bool>(), bytes, prop::bool::weighted(0.9)).prop_map(
        |(opened, lasted, state, session, cached, answer_bytes, readable)| Past {
            opened,
            lasted: lasted.min(opened),
            state,
            session,
            cached,
            answer_bytes,
            readable,
        },
    )
}

fn hours_ago(hours: u64) -> Timestamp {
    Timestamp::from_millis(NOW - hours * HOUR)
}

/// Returns the id of the `number`th job, opened at `time`.
fn id(time: Timestamp, number: usize) -> JobId {
    let bits = (u128::from(time.as_millis()) << 80) | number as u128;
    JobId::from_bytes(bits.to_be_bytes())
}

fn session_id(number: u8) -> SessionId {
    format!("00000000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

fn job(past: &Past, number: usize) -> JobRecord {
    let created = hours_ago(past.opened);
    let id = id(created, number);
    let key = past.cached.then(|| Digest::of(id.as_bytes()));
    JobRecord {
        id,
        state: past.state,
        agent: format!("agent{}", number % 3),
        group: None,
        directory: PathBuf::from("/srv/docs"),
        git_head: None,
        session: session_id(past.session),
        resumed: false,
        caller: Caller::default(),
        root: id,
        profile: ProfileInForce::default(),
        places: Places { everyone: 5, agent: None },
        task_preview: "do it".to_owned(),
        request_digest: Digest::ZERO,
        task_digest: Digest::ZERO,
        key,
        cache: key.map(|_| CachePolicy { ttl_ms: HOUR, entries_max: 1000 }),
        created,
        started: Some(created),
        ended: past.state.is_terminal().then(|| hours_ago(past.opened - past.lasted)),
        attached: false,
        on_disconnect: OnDisconnect::Detach,
        worker: None,
        stopped_by: None,
        result: None,
        answer_size: Some((past.answer_bytes as u64, past.answer_bytes as u64)),
        audit_content: crate::model::agent::AuditContent::Preview,
    }
}

/// Puts a job into the store with everything that comes with one.
fn put(txn: &mut Txn<'_>, past: &Past, number: usize) -> Result<(), Fault> {
    let job = job(past, number);
    let (id, ended) = (job.id, job.ended.unwrap_or(job.created));
    ledger::enter(txn, &job, Record::new(txn.now(), Code::Requested))?;
    txn.put(keys::request(id), encode(&RequestTexts::default())?);
    txn.put(keys::answer(id), encode(&Answer { text: "x".repeat(past.answer_bytes), parsed: None })?);
    txn.put(keys::progress(id), encode(&ProgressLines(ended, vec!["a step".to_owned()]))?);
    txn.put(keys::calls(id), encode(&Vec::<crate::model::ToolCall>::new())?);
    txn.put(keys::idempotency(id.as_bytes()), []);
    let session = Session {
        id: job.session.clone(),
        agent: job.agent.clone(),
        directory: job.directory.clone(),
        dispatches: 1,
        turns: 1,
        cost_usd: 0.5,
        last_job: id,
        last_used: ended,
    };
    txn.put(keys::session(job.session.as_str()), encode(&session)?);
    if let (State::Done, Some(key), Some(policy)) = (job.state, job.key, job.cache) {
        cached::keep(txn, key, policy, Entry { job: id, stored: ended })?;
    }
    if !past.readable {
        txn.put(keys::job(id), [1, 2, 3]);
    }
    Ok(())
}

fn fill(room: &Room, pasts: &[Past]) {
    for (at, some) in pasts.chunks(500).enumerate() {
        let some = some.to_vec();
        room.commit(move |txn| {
            some.iter().enumerate().try_for_each(|(number, past)| put(txn, past, at * 500 + number))
        })
        .unwrap();
    }
}

fn rule(hours: u64, ttl_ms: Option<u64>) -> Rule {
    let retention = if hours == 0 { Retention::Unended } else { Retention::Last(hours * HOUR) };
    Rule::new(retention, ttl_ms, Timestamp::from_millis(NOW))
}

fn remove_all(room: &Room, garbage: Garbage, rule: Rule) -> Tally {
    let mut tally = Tally::default();
    for part in garbage.parts() {
        tally += room.commit(move |txn| remove(txn, part, &rule)).unwrap();
    }
    // The pieces of what was removed go after their commit.
    room.put(b"m/next", Vec::new());
    tally
}

/// Returns the keys in the store, without the audit trail, the pieces of values and the store's own facts.
fn keys_of(database: &Database) -> BTreeSet<Vec<u8>> {
    let all = contents(database).into_iter().map(|(key, _)| key);
    all.filter(|key| !["a/", "aa/", "ad/", "m/", "z/"].iter().any(|it| key.starts_with(it.as_bytes())))
        .collect()
}

/// Returns the keys that should go, from the pasts alone.
fn expected(pasts: &[Past], rule: &Rule, hours: u64, ttl_ms: Option<u64>) -> BTreeSet<Vec<u8>> {
    let mut gone = BTreeSet::new();
    let ended = |past: &Past| NOW - (past.opened - past.lasted) * HOUR;
    let old = |time: u64| hours == 0 || time < NOW - hours * HOUR;
    let mut sessions: BTreeMap<u8, (u64, bool)> = BTreeMap::new();
    let mut order = 0;
    for (number, past) in pasts.iter().enumerate() {
        let job = job(past, number);
        let goes = past.readable && past.state.is_terminal() && old(ended(past));
        if goes {
            gone.extend([
                keys::job(job.id),
                keys::job_by_agent(&job.agent, job.id),
                keys::request(job.id),
                keys::answer(job.id),
                keys::progress(job.id),
                keys::calls(job.id),
            ]);
            gone.extend(keys::by_state(&job.agent, job.state, job.id));
        }
        if past.opened > 1 {
            gone.insert(keys::idempotency(job.id.as_bytes()));
        }
        if let (State::Done, Some(key)) = (past.state, job.key) {
            if goes || ttl_ms.is_some_and(|ttl_ms| NOW - ended(past) > ttl_ms) {
                gone.extend([keys::cache(key), keys::cache_order(order)]);
            }
            order += 1;
        }
        let live = past.readable && !past.state.is_terminal();
        let (used, busy) = sessions.get(&past.session).copied().unwrap_or_default();
        let last_used = if past.state.is_terminal() { ended(past) } else { NOW - past.opened * HOUR };
        // The last one in the list wrote it.
        let _before = (used, sessions.insert(past.session, (last_used, busy || live)));
    }
    let unused = sessions.into_iter().filter(|(_, (used, busy))| !busy && old(*used));
    gone.extend(unused.map(|(session, _)| keys::session(session_id(session).as_str())));
    assert!(rule.now().as_millis() == NOW);
    gone
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_found_is_what_goes_and_what_should(
        pasts in prop::collection::vec(past(), 0..40), hours in 0..50_u64, ttl in prop::option::of(0..30 * HOUR),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let room = Room::open(dir.path());
        fill(&room, &pasts);
        let reader = Reader::new(room.database.clone());
        let rule = rule(hours, ttl);
        let before = keys_of(&room.database);
        let all_before = contents(&room.database);
        let garbage = reader.garbage(&rule).unwrap();
        prop_assert_eq!(&contents(&room.database), &all_before);
        let told = garbage.tally();
        let removed = remove_all(&room, garbage, rule);
        prop_assert_eq!(removed, told);
        let after = keys_of(&room.database);
        let gone: BTreeSet<Vec<u8>> = before.difference(&after).cloned().collect();
        prop_assert_eq!(gone, expected(&pasts, &rule, hours, ttl));
        prop_assert!(after.is_subset(&before));
        // Nothing is left to find, no piece has lost its value, and the counter counts.
        prop_assert_eq!(reader.garbage(&rule).unwrap(), Garbage::default());
        let counted = room.commit(|txn| cached::counters(txn)).unwrap().entries;
        let kept = after.iter().filter(|key| key.starts_with(keys::CACHE)).count();
        prop_assert_eq!(counted, kept as u64);
        let order = after.iter().filter(|key| key.starts_with(keys::CACHE_ORDER)).count();
        prop_assert_eq!(order, kept);
    }
}

fn ended(hours: u64) -> Past {
    Past {
        opened: hours,
        lasted: 0,
        state: State::Done,
        session: 0,
        cached: true,
        answer_bytes: 10,
        readable: true,
    }
}

#[test]
fn what_changed_since_it_was_found_stays() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    fill(&room, &[ended(30), ended(30)]);
    let reader = Reader::new(room.database.clone());
    let rule = rule(24, Some(HOUR));
    let garbage = reader.garbage(&rule).unwrap();
    assert_eq!((garbage.jobs.len(), garbage.entries.len(), garbage.sessions.len()), (2, 2, 1));
    // In the meantime the conversation is gone on with, the answer is given anew, and somebody else removes a job.
    let (first, second) = (job(&ended(30), 0), job(&ended(30), 1));
    let entry = Entry { job: first.id, stored: Timestamp::from_millis(NOW) };
    let removed = second.clone();
    room.commit(move |txn| {
        put(txn, &Past { state: State::Running, cached: false, ..ended(0) }, 7)?;
        remove_job(txn, &removed)?;
        cached::keep(txn, Digest::ZERO, CachePolicy { ttl_ms: HOUR, entries_max: 10 }, entry)
    })
    .unwrap();
    let mut garbage = garbage;
    garbage.jobs.retain(|(id, _)| *id == second.id);
    garbage.entries = vec![Digest::ZERO];
    assert_eq!(remove_all(&room, garbage, rule), Tally { decisions: 2, ..Tally::default() });
    assert!(reader.job(first.id).unwrap().is_some());
    assert!(reader.session(&session_id(0)).unwrap().is_some());
}

#[test]
fn parts_are_small_in_jobs_and_in_bytes() {
    let jobs = |count: usize, bytes: u64| Garbage {
        jobs: (0..count).map(|number| (id(hours_ago(1), number), bytes)).collect(),
        ..Garbage::default()
    };
    let sizes = |garbage: Garbage| -> Vec<usize> {
        let sizes = garbage.parts().into_iter().map(|part| match part {
            Part::Jobs(jobs) => jobs.len(),
            other => panic!("{other:?}"),
        });
        sizes.collect()
    };
    assert_eq!(sizes(jobs(450, 10)), [200, 200, 50]);
    assert_eq!(sizes(jobs(3, 10 * 1024 * 1024)), [2, 1]);
    assert_eq!(sizes(jobs(0, 0)), [0_usize; 0]);
}

#[test]
fn pieces_without_a_value_go_and_those_of_values_stay() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    fill(&room, &[Past { answer_bytes: 9000, ..ended(1) }]);
    chunks::store(&room.database, b"r/lost", &[7; 9000]).unwrap();
    let reader = Reader::new(room.database.clone());
    let garbage = reader.garbage(&rule(24, None)).unwrap();
    assert_eq!(garbage.tally(), Tally { pieces: 3, ..Tally::default() });
    assert_eq!(remove_all(&room, garbage, rule(24, None)).pieces, 3);
    let answer = reader.answer(job(&ended(1), 0).id, Portion::WHOLE).unwrap().unwrap();
    assert_eq!(answer.text.len(), 9000);
    assert!(chunks::orphans(&room.database).unwrap().is_empty());
}

#[test]
fn an_automatic_clean_up_has_its_turn_once_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let turn = || room.commit(is_turn).unwrap();
    assert_eq!([turn(), turn(), turn()], [true, false, false]);
    let set = |time: Timestamp| room.put(keys::LAST_GC, encode(&LastGc(time)).unwrap());
    let now = Timestamp::now();
    for (last, want) in [
        (now.minus_millis(AUTOMATIC_EVERY_MS + 1), true),
        (now.minus_millis(AUTOMATIC_EVERY_MS / 2), false),
        // The clock was far ahead then.
        (now.plus_millis(10 * AUTOMATIC_EVERY_MS), true),
    ] {
        set(last);
        assert_eq!(turn(), want, "{last}");
    }
    room.put(keys::LAST_GC, vec![9, 9]);
    assert!(turn());
}

#[test]
fn a_cleared_cache_holds_nothing_and_counts_from_the_beginning() -> Result<(), CommitError> {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let policy = CachePolicy { ttl_ms: HOUR, entries_max: 5000 };
    room.commit(move |txn| {
        for number in 0..2500 {
            let entry = Entry { job: id(hours_ago(1), number), stored: hours_ago(0) };
            cached::keep(txn, Digest::of(&number.to_be_bytes()), policy, entry)?;
        }
        cached::count(txn, (Digest::ZERO, policy), false)
    })?;
    let before = room.commit(|txn| cached::counters(txn))?;
    assert_eq!((before.entries, before.misses), (2500, 1));
    let mut steps = Vec::new();
    loop {
        let (cleared, all) = room.commit(|txn| cached::clear(txn, &Caller::default()))?;
        steps.push(cleared);
        if all {
            break;
        }
    }
    assert_eq!(steps, [1000, 1000, 500]);
    let after = room.commit(|txn| cached::counters(txn))?;
    assert_eq!(after, cache::Counters { next: 2500, ..cache::Counters::default() });
    assert!(keys_of(&room.database).is_empty());
    Ok(())
}

#[test]
fn conversations_are_found_by_their_newest_jobs_each_once() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let in_session = |session: u8, hours: u64| Past { session, ..ended(hours) };
    fill(&room, &[in_session(0, 9), in_session(1, 8), in_session(0, 7), in_session(2, 6), in_session(1, 5)]);
    let reader = Reader::new(room.database.clone());
    let found = |agent: Option<&str>, limit: u32| -> Vec<SessionId> {
        reader.sessions(agent, limit).unwrap().into_iter().map(|session| session.id).collect()
    };
    assert_eq!(found(None, 50), [1, 2, 0].map(session_id));
    assert_eq!(found(None, 2), [1, 2].map(session_id));
    // The third and fifth job, and the second: agents take turns.
    assert_eq!(found(Some("agent1"), 50), [session_id(1)]);
    assert_eq!(found(Some("nobody"), 50), []);
}
