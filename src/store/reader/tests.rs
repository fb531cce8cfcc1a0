//! Jobs as they are listed: by agent, by state, by both, the newest first.

use super::*;
use crate::job::ProcessId;
use crate::store::admit::{Around, admit};
use crate::store::ledger;
use crate::store::workbench::{Room, request};

/// Opens jobs of three agents, one after the other; every second is started, every fourth cancelled, every eighth gone.
fn fill(room: &Room) {
    for number in 0..48_u32 {
        let mut asked = request(&format!("task {number}"), 10);
        asked.agent = ["web", "we", "web2"][number as usize % 3].to_owned();
        let id = asked.job;
        room.commit(move |txn| {
            admit(txn, &asked, &Around::ALONE)?;
            if number % 2 == 0 {
                ledger::start(txn, id, ProcessId { pid: 1, start_ticks: 1 })?;
            }
            if number % 4 == 0 {
                ledger::cancel(txn, id, "the test", None)?;
            }
            if number % 8 == 0 {
                let lost =
                    crate::model::RunResult::failed(crate::model::FailureClass::Interrupted, "gone", 1);
                ledger::lose(txn, id, (lost, Answer::default()).into(), ledger::Source::Daemon)?;
            }
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_listing_has_the_newest_jobs_that_fit_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    fill(&room);
    let reader = Reader::new(room.database.clone());
    let all = reader.jobs(&JobFilter { limit: 1000, ..JobFilter::default() }).unwrap();
    assert_eq!(all.len(), 48);
    let agents = [None, Some("web"), Some("we"), Some("nobody")];
    let states: [&[State]; 5] = [
        &[],
        &[State::Pending],
        &[State::Cancelling, State::Running],
        &[State::Cancelled, State::Cancelled],
        &State::ALL,
    ];
    for (agent, states) in agents.into_iter().flat_map(|agent| states.map(|states| (agent, states))) {
        for limit in [1, 5, 1000] {
            let wanted = all.iter().filter(|job| agent.is_none_or(|agent| agent == job.agent));
            let wanted = wanted.filter(|job| states.is_empty() || states.contains(&job.state));
            let wanted: Vec<_> = wanted.take(limit as usize).cloned().collect();
            let filter = JobFilter { states: states.to_vec(), agent: agent.map(str::to_owned), limit };
            assert_eq!(reader.jobs(&filter).unwrap(), wanted, "{filter:?}");
        }
    }
    assert_eq!(reader.unended().unwrap().len(), all.iter().filter(|job| !job.state.is_terminal()).count());
}
