//! Order, bounds, and that nobody starves or deadlocks.

use super::*;

fn job(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

fn ticket(number: u8) -> Ticket {
    Ticket {
        job: job(number),
        depth: 0,
        places: Places { everyone: 2, agent: None },
        agent: "infra".into(),
        session: SessionId::generate(),
    }
}

fn granted(permits: &mut Permits) -> Vec<JobId> {
    std::iter::from_fn(|| permits.grant()).collect()
}

#[test]
fn places_are_given_in_order_of_arrival() {
    let mut permits = Permits::new(10);
    (1..=4).for_each(|number| permits.ask(ticket(number)));
    assert_eq!(granted(&mut permits), [job(1), job(2)]);
    permits.release(job(2));
    assert_eq!(granted(&mut permits), [job(3)]);
    permits.release(job(4));
    permits.release(job(1));
    assert_eq!(granted(&mut permits), [], "4 left the queue before its turn");
    assert_eq!(permits.queued(), 0);
}

#[test]
fn a_child_never_waits_for_the_place_of_its_parent() {
    let mut permits = Permits::new(10);
    for depth in 0..3 {
        let one = Places { everyone: 1, agent: None };
        let number = u8::try_from(depth).unwrap();
        permits.ask(Ticket { depth, places: one, ..ticket(number) });
    }
    assert_eq!(granted(&mut permits), [job(0), job(1), job(2)]);
}

#[test]
fn starts_at_the_same_instant_are_bounded_by_the_cores() {
    let mut permits = Permits::new(1);
    permits.ask(ticket(1));
    permits.ask(ticket(2));
    assert_eq!(granted(&mut permits), [job(1)]);
    permits.started(job(1));
    assert_eq!(granted(&mut permits), [job(2)]);
}

#[test]
fn one_agent_at_its_bound_does_not_hold_back_another() {
    let mut permits = Permits::new(10);
    let one = Places { everyone: 5, agent: Some(1) };
    permits.ask(Ticket { places: one, ..ticket(1) });
    permits.ask(Ticket { places: one, ..ticket(2) });
    permits.ask(Ticket { agent: "web".into(), places: one, ..ticket(3) });
    assert_eq!(granted(&mut permits), [job(1), job(3)]);
    permits.release(job(1));
    assert_eq!(granted(&mut permits), [job(2)]);
}

#[test]
fn one_conversation_runs_once_at_a_time() {
    let mut permits = Permits::new(10);
    let first = ticket(1);
    let second = Ticket { session: first.session.clone(), ..ticket(2) };
    permits.ask(first);
    permits.ask(second);
    assert_eq!(granted(&mut permits), [job(1)]);
    permits.release(job(1));
    assert_eq!(granted(&mut permits), [job(2)]);
}

#[test]
fn a_run_that_outlived_its_daemon_keeps_its_place() {
    let mut permits = Permits::new(10);
    permits.resume(ticket(1));
    permits.resume(ticket(2));
    permits.ask(ticket(1));
    permits.ask(ticket(3));
    assert_eq!(granted(&mut permits), []);
    permits.release(job(1));
    assert_eq!(granted(&mut permits), [job(3)]);
}
