//! A worker is sent away only when its job is known to have ended; whatever it has of an answer is taken.

use super::*;
use crate::daemon::protocol::{Request, WireFault};
use crate::daemon::serve::Seat;
use crate::daemon::workbench::{Bench, on_runtime, order};
use crate::model::{Answer, OnDisconnect, Portion, RunResult};
use crate::store::keys;

fn answer(text: &str) -> Report {
    let answer = Answer { text: text.to_owned(), parsed: None };
    Report::Ended(Box::new((RunResult::succeeded(1), answer).into()))
}

#[test]
fn a_worker_whose_job_has_ended_is_dismissed() {
    on_runtime(async {
        let bench = Bench::new();
        let (job, mut worker) = bench.run().await;
        worker.send(&answer("paid for")).await.unwrap();
        assert_eq!(order(&mut worker).await, Order::Recorded);
        assert_eq!(order(&mut bench.worker(job, true).await).await, Order::Dismissed);
    });
}

#[test]
fn a_worker_whose_job_is_not_in_the_store_is_told_that_nothing_is_known() {
    on_runtime(async {
        let bench = Bench::new();
        assert_eq!(order(&mut bench.worker(JobId::generate(), true).await).await, Order::Unknown);
    });
}

#[test]
fn a_worker_whose_job_cannot_be_read_is_told_that_nothing_is_known() {
    on_runtime(async {
        let bench = Bench::new();
        let (job, mut first) = bench.run().await;
        bench
            .tamper(move |txn| {
                txn.put(keys::job(job), b"no record");
                Ok(())
            })
            .await;
        assert_eq!(order(&mut bench.worker(job, true).await).await, Order::Unknown);
        // And one that was connected before: its report is not taken, and it is not told that it was.
        first.send(&answer("paid for")).await.unwrap();
        assert_eq!(first.receive::<Reply>().await.unwrap(), None);
    });
}

#[test]
fn a_report_on_a_job_that_nobody_entered_is_taken() {
    on_runtime(async {
        let bench = Bench::new();
        let (job, first) = bench.run().await;
        bench.daemon.hub.end(job);
        drop(first);
        let mut worker = bench.worker(job, true).await;
        worker.send(&answer("paid for")).await.unwrap();
        assert_eq!(order(&mut worker).await, Order::Recorded);
        assert_eq!(bench.state(job), State::Done);
    });
}

#[test]
fn a_report_on_a_job_whose_start_is_lost_is_taken() {
    on_runtime(async {
        let bench = Bench::new();
        let job = bench.open().await;
        let mut worker = bench.worker(job, true).await;
        worker.send(&answer("paid for")).await.unwrap();
        assert_eq!(order(&mut worker).await, Order::Recorded);
        assert_eq!(bench.state(job), State::Done);
        assert_eq!(bench.daemon.store.answer(job, Portion::WHOLE).unwrap().unwrap().text, "paid for");
    });
}

#[test]
fn a_run_keeps_its_place_when_its_worker_comes_back_while_it_starts() {
    on_runtime(async {
        let bench = Bench::new();
        let hub = &bench.daemon.hub;
        let until = async |condition: &dyn Fn() -> bool| {
            while !condition() {
                tokio::task::yield_now().await;
            }
        };
        let running = |count| move || hub.crowd(0, "docs").running == count;
        let job = bench.open().await;
        // The writer is busy: nothing gets to the disk.
        let (go, gate) = std::sync::mpsc::channel::<()>();
        bench.daemon.store.note(move |_| {
            let _gone = gate.recv();
            Ok(())
        });
        let first = bench.worker(job, false).await;
        until(&running(1)).await;
        drop(first);
        until(&|| hub.worker(job).is_none()).await;
        let mut second = bench.worker(job, false).await;
        until(&|| hub.worker(job).is_some()).await;
        drop(go);
        assert_eq!(order(&mut second).await, Order::Run);
        // Behind whatever was under way.
        bench.tamper(|_| Ok(())).await;
        until(&|| bench.state(job) == State::Running).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!((hub.crowd(0, "docs").running, hub.crowd(0, "docs").waiting), (1, 0));
        second.send(&answer("paid for")).await.unwrap();
        assert_eq!(order(&mut second).await, Order::Recorded);
        drop(second);
        until(&running(0)).await;
    });
}

#[test]
fn a_run_keeps_its_place_when_the_connection_of_its_worker_breaks() {
    on_runtime(async {
        let bench = Bench::new();
        let hub = &bench.daemon.hub;
        let (job, worker) = bench.run().await;
        drop(worker);
        while hub.worker(job).is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(hub.crowd(0, "docs").running, 1, "its process runs on");
        let mut again = bench.worker(job, true).await;
        again.send(&answer("paid for")).await.unwrap();
        assert_eq!(order(&mut again).await, Order::Recorded);
        drop(again);
        while hub.crowd(0, "docs").running > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn an_answer_that_no_message_holds_is_told_to_be_one() {
    on_runtime(async {
        let bench = Bench::new();
        let (job, _worker) = bench.run().await;
        let answer = Answer { text: "x".repeat(crate::daemon::wire::FRAME_BYTES_MAX + 1), parsed: None };
        bench
            .tamper(move |txn| {
                let findings = (RunResult::succeeded(1), answer).into();
                ledger::finish(txn, job, findings, Source::Worker).map(drop)
            })
            .await;
        let told: Reply = bench.connect().await.ask(&Request::Answer(job, Portion::WHOLE)).await.unwrap();
        assert!(matches!(&told, Reply::Fault(WireFault::Store(what)) if what.contains("limit")), "{told:?}");
    });
}

#[test]
fn whoever_panics_has_left() {
    on_runtime(async {
        let bench = Bench::new();
        let (daemon, hub) = (&bench.daemon, &bench.daemon.hub);
        let worked_on = bench.record(bench.open().await);
        let connections = || daemon.connections.load(std::sync::atomic::Ordering::Relaxed);
        while connections() > 0 {
            tokio::task::yield_now().await;
        }
        let seat = Seat::take(daemon);
        let connection = seat.number;
        let on_disconnect = OnDisconnect::Cancel;
        let waited_for =
            JobRecord { id: JobId::generate(), attached: true, on_disconnect, ..worked_on.clone() };
        hub.enter(&waited_for);
        assert!(hub.wait(waited_for.id, connection, true, None).is_some());
        let process = crate::runner::identify(std::process::id()).unwrap();
        hub.connect_worker(&worked_on, connection, process, mpsc::channel(1).0);
        let post = Post { daemon: Arc::clone(daemon), job: worked_on.id, connection, process };
        assert_eq!((connections(), hub.abandoned(waited_for.id)), (1, None));
        let task = tokio::spawn(async move {
            let (_seat, _post) = (seat, post);
            panic!("a test panics");
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!((connections(), hub.worker(worked_on.id)), (0, None));
        assert!(hub.abandoned(waited_for.id).is_some());
    });
}
