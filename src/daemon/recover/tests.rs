//! What a dead worker has left is taken in, or kept; it is never thrown away.

use super::*;
use crate::daemon::workbench::{Bench, on_runtime};
use crate::store::keys;

/// What `claude` says at the end of a run.
const RESULT: &str =
    r#"{"type":"result","subtype":"success","is_error":false,"result":"paid for","session_id":"x"}"#;

/// Opens a job whose start the store does not know, and whose worker has died over an answer.
async fn with_answer(bench: &Bench) -> JobRecord {
    let job = bench.open().await;
    let folder = RunFolder::create(&bench.daemon.paths.runs(), job).unwrap();
    std::fs::write(folder.plan(), "{}").unwrap();
    std::fs::write(folder.stdout(), format!("{RESULT}\n")).unwrap();
    bench.record(job)
}

/// Clears away as a daemon does that starts, and waits until that is done.
async fn clear_all(bench: &Bench) {
    clear(&bench.daemon);
    bench.daemon.stopping.cancel();
    bench.daemon.tasks.close();
    bench.daemon.tasks.wait().await;
}

#[test]
fn an_answer_that_the_store_refuses_is_kept_and_its_place_is_told() {
    on_runtime(async {
        let bench = Bench::new();
        let record = with_answer(&bench).await;
        bury(&bench.daemon, &record).await;
        let ended = bench.record(record.id);
        assert_eq!(ended.state, State::Interrupted);
        clear_all(&bench).await;
        let kept = RunFolder::kept(&bench.daemon.paths.runs(), record.id).expect("the folder is kept");
        assert_eq!(std::fs::read_to_string(kept.stdout()).unwrap().trim_end(), RESULT);
        let result = ended.result.unwrap();
        assert!(result.error.unwrap().contains("could not be taken in"));
        let hint = result.hint.unwrap();
        assert!(hint.contains(&kept.stdout().display().to_string()) && !hint.contains("again"), "{hint}");
    });
}

#[test]
fn a_kept_answer_is_told_also_when_the_daemon_died_before_it_ended_the_job() {
    on_runtime(async {
        let bench = Bench::new();
        let record = with_answer(&bench).await;
        let kept = RunFolder::keep(&bench.daemon.paths.runs(), record.id).unwrap();
        bury(&bench.daemon, &record).await;
        let hint = bench.record(record.id).result.unwrap().hint.unwrap();
        assert!(hint.contains(&kept.stdout().display().to_string()), "{hint}");
    });
}

#[test]
fn the_folder_of_a_job_that_has_ended_as_it_should_is_cleared_away() {
    on_runtime(async {
        let bench = Bench::new();
        let record = with_answer(&bench).await;
        lose(&bench.daemon, record.id, None).await.unwrap();
        assert!(folder_of(&bench.daemon, record.id).exists());
        clear_all(&bench).await;
        assert!(!folder_of(&bench.daemon, record.id).exists());
        assert!(RunFolder::list_kept(&bench.daemon.paths.runs()).unwrap().is_empty());
    });
}

#[test]
fn a_job_that_cannot_be_read_when_its_worker_is_gone_is_looked_at_again() {
    on_runtime(async {
        let bench = Bench::new();
        let job = bench.open().await;
        let damage = bench.daemon.store.commit(move |txn| {
            let intact = txn.get(&keys::job(job))?;
            txn.put(keys::job(job), b"no record");
            Ok(intact.expect("the job is there"))
        });
        let intact = damage.await.unwrap();
        watch(&bench.daemon, job, ProcessId { pid: u32::MAX, start_ticks: 0 });
        // Nothing is in the way of the first look.
        tokio::task::yield_now().await;
        bench
            .tamper(move |txn| {
                txn.put(keys::job(job), intact);
                Ok(())
            })
            .await;
        let ended = async {
            while !bench.state(job).is_terminal() {
                tokio::task::yield_now().await;
            }
        };
        // Before it is given up because no worker came.
        timeout(LAUNCH_BUDGET / 2, ended).await.expect("the job ends");
        assert_eq!(bench.state(job), State::Interrupted);
    });
}
