//! Who waits for whom, who is left alone, and that nobody ever waits for himself.

use super::*;
use crate::job::{Places, State as JobState};
use crate::model::agent::ProfileInForce;
use crate::model::{Caller, Digest, SessionId};

fn id(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

fn job(number: u8, attached: bool) -> JobRecord {
    JobRecord {
        id: id(number),
        state: JobState::Pending,
        agent: "infra".into(),
        group: None,
        directory: "/srv/infra".into(),
        git_head: None,
        session: SessionId::generate(),
        resumed: false,
        caller: Caller::default(),
        root: id(number),
        profile: ProfileInForce::default(),
        places: Places { everyone: 5, agent: None },
        task_preview: String::new(),
        request_digest: Digest::ZERO,
        task_digest: Digest::ZERO,
        key: None,
        cache: None,
        created: Timestamp::from_millis(0),
        started: None,
        ended: None,
        attached,
        on_disconnect: OnDisconnect::Cancel,
        worker: None,
        stopped_by: None,
        result: None,
        answer_size: None,
        audit_content: crate::model::agent::AuditContent::Preview,
    }
}

fn hub(jobs: &[JobRecord]) -> Hub {
    let hub = Hub::new(2);
    for job in jobs {
        hub.enter(job);
    }
    hub
}

#[test]
fn an_attached_job_is_left_when_its_last_caller_goes() {
    let hub = hub(&[job(1, true)]);
    hub.wait(id(1), 10, true, None).unwrap();
    hub.wait(id(1), 11, true, None).unwrap();
    assert_eq!(hub.leave(id(1), 10), None);
    assert_eq!(hub.leave(id(1), 10), None, "who has left cannot leave again");
    assert_eq!(hub.disconnect(11), [Abandoned { job: id(1), on_disconnect: OnDisconnect::Cancel }]);
}

#[test]
fn a_detached_job_belongs_to_nobody_and_is_never_left() {
    let hub = hub(&[job(1, false), job(2, true)]);
    hub.wait(id(1), 10, true, None).unwrap();
    hub.wait(id(2), 10, true, None).unwrap();
    hub.detach(id(2));
    assert_eq!(hub.disconnect(10), []);
}

#[test]
fn who_only_looks_does_not_keep_a_job_alive() {
    let hub = hub(&[job(1, true)]);
    hub.wait(id(1), 10, true, None).unwrap();
    hub.wait(id(1), 11, false, None).unwrap();
    assert_eq!(hub.disconnect(10).len(), 1);
    assert_eq!(hub.disconnect(11), []);
}

#[test]
fn a_caller_never_joins_what_waits_for_it() {
    // 1 waits for 2, 2 waits for 3.
    let hub = hub(&[job(1, true), job(2, true), job(3, true), job(4, true)]);
    hub.wait(id(2), 10, true, Some(id(1))).unwrap();
    hub.wait(id(3), 11, true, Some(id(2))).unwrap();
    for (line, wanted, may) in [
        (&[][..], 1, true),
        (&[4][..], 1, true),
        (&[3, 2, 1], 1, false),
        (&[3, 2, 1], 2, false),
        (&[3, 2, 1], 3, false),
        (&[3, 2, 1], 4, true),
        (&[2], 3, true),
        (&[2], 1, false),
    ] {
        let line: Vec<JobId> = line.iter().map(|number| id(*number)).collect();
        assert_eq!(hub.may_join(&line, id(wanted)), may, "{line:?} joins {wanted}");
    }
}

#[test]
fn who_only_looks_on_waits_all_the_same() {
    // 1 looks at 2, and 2 waits for 3.
    let hub = hub(&[job(1, true), job(2, true), job(3, true)]);
    hub.wait(id(2), 10, false, Some(id(1))).unwrap();
    hub.wait(id(3), 11, true, Some(id(2))).unwrap();
    assert!(!hub.may_join(&[id(2)], id(1)), "2 would wait for 1, which waits for 2");
    assert!(!hub.may_join(&[id(3)], id(1)), "over two steps");
    assert_eq!(hub.leave(id(2), 10), None, "it never lived for 1");
    assert!(hub.may_join(&[id(2)], id(1)), "nobody waits any more");
}

#[test]
fn looking_at_a_job_again_does_not_let_it_go() {
    let hub = hub(&[job(1, true)]);
    hub.wait(id(1), 10, true, None).unwrap();
    hub.wait(id(1), 10, false, None).unwrap();
    assert_eq!(hub.leave(id(1), 10).map(|left| left.job), Some(id(1)));
}

#[test]
fn the_end_wakes_whoever_waits() {
    let hub = hub(&[job(1, true)]);
    let signal = hub.wait(id(1), 10, true, None).unwrap();
    hub.end(id(1));
    assert!(signal.has_changed().is_ok_and(|changed| changed) || signal.borrow().ended);
    assert!(hub.wait(id(1), 11, true, None).is_none(), "there is nothing to wait for any more");
    assert_eq!(hub.counts(), (0, 0));
}

#[test]
fn a_job_that_has_ended_is_wanted_until_all_who_waited_were_told() {
    let hub = hub(&[job(1, true), job(2, false)]);
    assert!(hub.is_wanted(id(1)));
    hub.wait(id(1), 10, true, None).unwrap();
    hub.wait(id(1), 11, false, None).unwrap();
    hub.end(id(1));
    hub.end(id(2));
    assert!(!hub.is_wanted(id(2)), "nobody waited for it");
    // Who comes late waits to be told, too.
    assert!(hub.wait(id(1), 12, false, None).is_none());
    for connection in [10, 11, 12] {
        assert!(hub.is_wanted(id(1)));
        if connection == 11 { drop(hub.disconnect(connection)) } else { hub.told(connection) }
    }
    assert!(!hub.is_wanted(id(1)));
}

#[test]
fn progress_is_bounded_and_kept_once_a_second() {
    let hub = hub(&[job(1, false)]);
    let step = |number: u64| {
        vec![ProgressView { number, text: format!("step {number}"), ..ProgressView::default() }]
    };
    let kept: Vec<bool> = (0..100)
        .map(|number| hub.progress(id(1), step(number), Timestamp::from_millis(number * 100)).is_some())
        .collect();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 9);
    let (_, lines) = hub.progress_of(id(1)).unwrap();
    assert_eq!((lines.len(), lines.last().map(String::as_str)), (PROGRESS_LINES, Some("step 99")));
}

#[test]
fn a_worker_whose_connection_goes_keeps_its_place_and_loses_its_turn_in_the_queue() {
    let hub = hub(&[job(1, false), job(2, false), job(3, false)]);
    let process = ProcessId { pid: 1, start_ticks: 1 };
    let places = Places { everyone: 1, agent: None };
    for number in [1, 2, 3] {
        let session = SessionId::generate();
        hub.connect_worker(&job(number, false), u64::from(number), process, mpsc::channel(1).0);
        hub.ask(Ticket { job: id(number), depth: 0, places, agent: "infra".into(), session });
    }
    assert_eq!((hub.grant(), hub.grant()), (Some(id(1)), None));
    assert!(!hub.disconnect_worker(id(1), 99), "another connection's end is no reason");
    assert!(hub.disconnect_worker(id(1), 1) && hub.disconnect_worker(id(2), 2));
    assert_eq!((hub.grant(), hub.counts().1), (None, 1), "its process may still run");
    hub.release(id(1));
    assert_eq!(hub.grant(), Some(id(3)));
    // Of a job that has ended nothing is left but the worker that cleans up.
    hub.end(id(3));
    assert!(!hub.disconnect_worker(id(3), 3));
    assert_eq!(hub.crowd(0, "infra"), Crowd::default());
}

#[test]
fn those_under_way_count_at_their_depth_and_workers_that_are_to_come_at_any() {
    let mut inner = job(3, false);
    inner.caller.depth = 1;
    let hub = hub(&[job(1, true), job(2, false), inner]);
    assert_eq!((hub.under_way(0), hub.under_way(1), hub.under_way(2)), ((2, 3), (1, 3), (0, 3)));
    let process = ProcessId { pid: 1, start_ticks: 1 };
    hub.connect_worker(&job(1, true), 10, process, mpsc::channel(1).0);
    assert_eq!(hub.under_way(0), (2, 2));
    hub.end(id(2));
    assert_eq!((hub.under_way(0), hub.under_way(1)), ((1, 1), (1, 1)));
}

#[test]
fn a_worker_that_comes_and_goes_is_waited_for_once() {
    let hub = hub(&[job(1, false)]);
    assert_eq!([hub.watch(id(1), true), hub.watch(id(1), true)], [true, false]);
    assert!(hub.watch(id(1), false));
    assert!(hub.watch(id(1), true), "and again when nobody waits any more");
    assert!(!hub.watch(id(2), true), "a job that has ended needs nobody");
}
