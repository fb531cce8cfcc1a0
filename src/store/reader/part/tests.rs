//! A part that is read by itself is the same cut of the whole; what it needs and is not there is an error.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::model::JobId;
use crate::store::workbench::{Room, contents};
use crate::store::{EngineError, Reader, Writes, keys};

const JOB: JobId = JobId::from_bytes([7; 16]);

fn put(room: &Room, answer: &Answer) {
    room.put(&keys::answer(JOB), schema::encode(answer).unwrap());
}

fn cut(text: &str, offset: u64, chars: u64) -> String {
    let place = |number| usize::try_from(number).unwrap();
    text.chars().skip(place(offset)).take(place(chars)).collect()
}

/// Texts of characters of every width, so long that they are stored in one place or in several pieces.
fn texts() -> impl Strategy<Value = String> {
    let run = (prop::sample::select(vec!["a", "é", "€", "🐢", "\0"]), 0..3000_usize);
    prop::collection::vec(run, 0..6)
        .prop_map(|runs| runs.iter().map(|(text, count)| text.repeat(*count)).collect())
}

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![0..20_000_u64, 0..10_u64, Just(u64::MAX)]
}

#[test]
fn any_part_of_any_answer_is_the_same_cut_of_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let reader = Reader::new(room.database.clone());
    let cases =
        (texts(), prop::option::of(texts()), prop::collection::vec((numbers(), numbers(), numbers()), 8));
    let tried = TestRunner::default().run(&cases, |(text, parsed, portions)| {
        let whole = Answer { text, parsed };
        put(&room, &whole);
        for (offset, chars, parsed_chars) in portions {
            let portion = Portion { offset, chars, parsed_chars };
            let mut kept = whole.clone();
            kept.keep(portion);
            prop_assert_eq!(&kept.text, &cut(&whole.text, offset, chars));
            prop_assert_eq!(&kept.parsed, &whole.parsed.as_ref().map(|parsed| cut(parsed, 0, parsed_chars)));
            prop_assert!(reader.answer(JOB, portion).unwrap() == Some(kept), "{portion:?}");
        }
        prop_assert!(reader.answer(JOB, Portion::WHOLE).unwrap() == Some(whole));
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn past_its_end_an_answer_is_empty_and_without_one_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let reader = Reader::new(room.database.clone());
    let past = Portion { offset: 20_000, chars: 5, parsed_chars: 0 };
    assert_eq!(reader.answer(JOB, past), Ok(None));
    for size in [3, 20_000] {
        put(&room, &Answer { text: "x".repeat(size), parsed: None });
        assert_eq!(reader.answer(JOB, past), Ok(Some(Answer::default())), "{size}");
    }
    room.commit(|txn| {
        txn.delete(keys::answer(JOB));
        Ok(())
    })
    .unwrap();
    assert_eq!(reader.answer(JOB, past), Ok(None));
}

#[test]
fn a_part_needs_its_own_pieces_and_those_before_it_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let reader = Reader::new(room.database.clone());
    put(&room, &Answer { text: "x".repeat(40_000), parsed: None });
    let pieces = contents(&room.database).into_iter().filter(|(key, _)| key.starts_with(keys::CHUNK));
    let pieces: Vec<_> = pieces.collect();
    assert_eq!(pieces.len(), 10);
    let damaged = |what| {
        let key = keys::answer(JOB).escape_ascii().to_string();
        Err(Fault::from(EngineError::Damaged { key, what }))
    };
    let part = Portion { offset: 15_000, chars: 5000, parsed_chars: 0 };
    let read = Ok(Some(Answer { text: "x".repeat(5000), parsed: None }));
    // Where the parsed value would be, in the last piece, is looked up, too.
    for (at, (key, piece)) in pieces.iter().enumerate() {
        let needed = at < 5 || at == 9;
        for (spoilt, what) in [
            (None, "a piece of it is missing"),
            (Some(vec![b'x'; 17]), "its pieces do not add up to what was stored"),
        ] {
            room.database.write(&Writes::from([(key.clone(), spoilt)])).unwrap();
            let want = if needed { damaged(what) } else { read.clone() };
            assert_eq!(reader.answer(JOB, part), want, "piece {at}");
            assert!(reader.answer(JOB, Portion::WHOLE).is_err(), "piece {at}");
        }
        room.database.write(&Writes::from([(key.clone(), Some(piece.clone()))])).unwrap();
    }
    assert_eq!(reader.answer(JOB, part), read);
}

#[test]
fn bytes_that_are_no_answer_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let reader = Reader::new(room.database.clone());
    let part = Portion { offset: 0, chars: 2, parsed_chars: 2 };
    let bad: [&[u8]; 6] =
        [b"", b"\x09\x01a\x00", b"\x01\x05a\x00", b"\x01\x01\xff\x00", b"\x01\x01a\x01\x04b", b"\x01\x01a"];
    for bytes in bad {
        room.put(&keys::answer(JOB), bytes.to_vec());
        assert!(matches!(reader.answer(JOB, part), Err(Fault::Unreadable(_))), "{bytes:?}");
    }
}
