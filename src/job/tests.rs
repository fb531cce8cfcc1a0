//! Every sequence of events up to five.

use super::*;

/// Calls `f` with every sequence of events of length 0 to `most`.
fn sequences(most: usize, f: &mut impl FnMut(&[Event])) {
    fn extend(prefix: &mut Vec<Event>, left: usize, f: &mut impl FnMut(&[Event])) {
        f(prefix);
        if left == 0 {
            return;
        }
        for event in Event::ALL {
            prefix.push(event);
            extend(prefix, left - 1, f);
            prefix.pop();
        }
    }
    extend(&mut Vec::new(), most, f);
}

/// Returns the states a job goes through, illegal events left out, and the codes it leaves behind.
fn live(events: &[Event]) -> (Vec<State>, Vec<Code>) {
    let mut states = vec![State::Pending];
    let mut codes = vec![Code::Requested];
    for event in events {
        if let Ok(moved) = states.last().unwrap().step(*event) {
            assert_eq!(moved.from(), *states.last().unwrap());
            states.push(moved.to());
            codes.push(moved.code());
        }
    }
    (states, codes)
}

#[test]
fn every_life_of_up_to_five_events_obeys_the_rules() {
    let mut lives = 0;
    sequences(5, &mut |events| {
        lives += 1;
        let (states, codes) = live(events);
        let terminal = states.iter().filter(|state| state.is_terminal()).count();
        assert!(terminal <= 1, "{events:?} ends more than once: {states:?}");
        assert_eq!(states.len(), codes.len(), "one record for each move");
        assert_eq!(terminal == 1, states.last().unwrap().is_terminal(), "a terminal state is the last");
        let asked = states.contains(&State::Cancelling);
        let end = *states.last().unwrap();
        assert!(
            !asked || !matches!(end, State::Done | State::Failed | State::Interrupted),
            "resurrected: {events:?}"
        );
        assert!(states.iter().filter(|it| **it == State::Running).count() <= 1, "started twice: {events:?}");
    });
    assert_eq!(lives, 1 + 5 + 25 + 125 + 625 + 3125);
}

#[test]
fn each_move_of_the_book_is_as_written() {
    use {Event as E, State as S};
    let legal = [
        (S::Pending, E::Started, S::Running, Code::Started),
        (S::Pending, E::CancelRequested, S::Cancelled, Code::Cancelled),
        (S::Pending, E::Failed, S::Failed, Code::Finished),
        (S::Pending, E::WorkerLost, S::Interrupted, Code::Interrupted),
        (S::Running, E::CancelRequested, S::Cancelling, Code::CancelRequested),
        (S::Running, E::Succeeded, S::Done, Code::Finished),
        (S::Running, E::Failed, S::Failed, Code::Finished),
        (S::Running, E::WorkerLost, S::Interrupted, Code::Interrupted),
        (S::Cancelling, E::Succeeded, S::Cancelled, Code::Cancelled),
        (S::Cancelling, E::Failed, S::Cancelled, Code::Cancelled),
        (S::Cancelling, E::WorkerLost, S::Cancelled, Code::Cancelled),
    ];
    for state in S::ALL {
        for event in E::ALL {
            let want = legal.iter().find(|row| row.0 == state && row.1 == event);
            match (state.step(event), want) {
                (Ok(moved), Some(row)) => assert_eq!((moved.to(), moved.code()), (row.2, row.3)),
                (Err(illegal), None) => assert_eq!((illegal.state, illegal.event), (state, event)),
                (got, want) => panic!("{state:?} {event:?}: {got:?}, expected {want:?}"),
            }
        }
    }
}
