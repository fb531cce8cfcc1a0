//! An answer, a list of calls and the facts of an end, as they were recorded and as somebody has changed them.

use super::*;
use crate::job::ProcessId;
use crate::model::{CallEnd, Findings, Outcome, RunResult, ToolCall};
use crate::store::admit::{Around, admit};
use crate::store::ledger::{Source, encode};
use crate::store::verify::{Check, Steps};
use crate::store::workbench::{Room, request};

/// Returns a store in which the question was answered, and the job that did.
fn answered(room: &Room) -> JobId {
    let asked = request("a question", 10);
    let id = asked.job;
    room.commit(move |txn| admit(txn, &asked, &Around::ALONE)).unwrap();
    let worker = ProcessId { pid: 1, start_ticks: 1 };
    room.commit(move |txn| ledger::start(txn, id, worker)).unwrap();
    let result = RunResult {
        // One of the numbers that do not come back from a text as they went in, with some readers.
        cost_usd: Some(0.1 + 0.2 + 1e-9 / 3.0),
        outcome: Some(Outcome::Done),
        ..RunResult::succeeded(7)
    };
    let call = ToolCall {
        parent: None,
        name: "Read".to_owned(),
        input: "README.md".to_owned(),
        start_ms: 1,
        duration_ms: Some(2),
        end: CallEnd::Done,
    };
    let answer = Answer { text: "{\"n\": 1}".to_owned(), parsed: Some("{\"n\":1}".to_owned()) };
    let findings = Findings { result, answer, calls: vec![call] };
    room.commit(move |txn| ledger::finish(txn, id, findings, Source::Worker)).unwrap();
    id
}

/// Somebody changes what is stored.
fn change<T: crate::store::schema::Stored>(room: &Room, key: &[u8], how: fn(&mut T)) {
    let mut value: T = decode(&room.database.get(key).unwrap().unwrap()).unwrap();
    how(&mut value);
    room.put(key, encode(&value).unwrap());
}

fn is_hit(room: &Room) -> bool {
    let asked = request("a question", 10);
    let decided = room.commit(move |txn| admit(txn, &asked, &Around::ALONE)).unwrap();
    matches!(decided, crate::job::Admission::Hit(..))
}

type Change = fn(&Room, JobId);

#[test]
fn what_is_not_as_it_was_recorded_is_told_and_an_answer_is_then_not_served() {
    // What was changed, what is told of it, whether the answer is still served, and whether a check of the trail tells it.
    let rows: [(Change, &[Differing], bool, bool); 8] = [
        (|_, _| (), &[], true, false),
        (
            |room, id| change::<Answer>(room, &keys::answer(id), |it| it.text.push('!')),
            &[Differing::Answer],
            false,
            false,
        ),
        (
            |room, id| change::<Answer>(room, &keys::answer(id), |it| it.parsed = None),
            &[Differing::Answer],
            false,
            false,
        ),
        (|room, id| room.put(&keys::answer(id), vec![1, 2]), &[Differing::Answer], false, false),
        (
            |room, id| change::<Vec<ToolCall>>(room, &keys::calls(id), |it| it[0].end = CallEnd::Denied),
            &[Differing::Calls],
            true,
            false,
        ),
        (
            |room, id| {
                change::<JobRecord>(room, &keys::job(id), |it| {
                    it.result.as_mut().unwrap().cost_usd = Some(0.1);
                });
            },
            &[Differing::Facts],
            true,
            true,
        ),
        (
            |room, id| change::<JobRecord>(room, &keys::job(id), |it| it.answer_size = Some((1, 1))),
            &[Differing::Facts],
            true,
            true,
        ),
        // It never answered this question.
        (|room, id| change::<JobRecord>(room, &keys::job(id), |it| it.key = None), &[], false, false),
    ];
    for (at, (change, differing, is_served, is_found)) in rows.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room::open(dir.path());
        let id = answered(&room);
        change(&room, id);
        let reader = Reader::new(room.database.clone());
        assert_eq!(reader.differing(id).unwrap(), differing, "{at}");
        let head = reader.head().unwrap();
        let check = Check { anchor: None, heads: vec![head], witnessed: head };
        let report = reader.verify(&check, &Steps::default()).unwrap();
        let kinds: Vec<_> = report.faults.iter().map(|fault| fault.kind).collect();
        let expected = if is_found { vec![crate::audit::chain::FaultKind::JobDiffers] } else { Vec::new() };
        assert_eq!(kinds, expected, "{at}");
        assert_eq!(is_hit(&room), is_served, "{at}");
    }
}
