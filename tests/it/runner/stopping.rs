//! How a run is stopped: by its deadline, by silence, by request; and what does not listen.

use super::*;

/// Runs a script that is cancelled once its file `ready` appears.
fn cancelled(script: &str) -> (RunReport, Leftovers, Duration) {
    let mut world = World::new(script);
    on_runtime(async {
        let before = Instant::now();
        let (report, afterlife) = world.run_cancelled_at(Some("ready")).await.unwrap();
        let leftovers = afterlife.settle().await;
        (report, leftovers, before.elapsed())
    })
}

#[test]
fn a_cancelled_run_is_interrupted_and_ends_in_order() {
    let (report, leftovers, _) = cancelled("say so far; touch @ready; hang");
    assert_eq!(report.result.class, Some(FailureClass::Cancelled));
    assert_eq!(report.answer.text, "so far");
    // Code 1 is the fake's answer to SIGINT.
    assert_eq!(leftovers, Leftovers { exit: Some(Exit::Code(1)), swept: Vec::new() });
}

#[test]
fn a_run_past_its_deadline_keeps_what_it_said() {
    let mut world = World::new("say so far; hang");
    world.plan.timeout_ms = 1000;
    let (report, leftovers) = run_to_the_end(&mut world);
    assert_eq!(report.result.class, Some(FailureClass::Timeout));
    assert_eq!(report.answer.text, "so far");
    assert_eq!(leftovers.exit, Some(Exit::Code(1)));
}

#[test]
fn a_silent_run_is_stopped_before_its_deadline() {
    let mut world = World::new("say so far; hang");
    world.plan.stall_ms = 500;
    let (report, leftovers) = run_to_the_end(&mut world);
    assert_eq!(report.result.class, Some(FailureClass::Stalled));
    assert_eq!(leftovers.exit, Some(Exit::Code(1)));
}

#[test]
fn a_run_deaf_to_sigint_is_terminated() {
    let (report, leftovers, took) = cancelled("ignore-int; touch @ready; hang");
    assert_eq!(report.result.class, Some(FailureClass::Cancelled));
    assert_eq!(leftovers.exit, Some(Exit::Code(143)));
    assert!(took >= Duration::from_secs(1), "SIGTERM came after {took:?}");
}

#[test]
fn a_run_deaf_to_all_signals_is_killed() {
    let (report, leftovers, took) = cancelled("ignore-signals; say so far; touch @ready; hang");
    assert_eq!(report.result.class, Some(FailureClass::Cancelled));
    assert_eq!(report.answer.text, "so far");
    assert_eq!(leftovers.exit, Some(Exit::Signal(9)));
    assert!(took >= Duration::from_millis(1500), "SIGKILL came after {took:?}");
}

#[test]
fn a_run_that_floods_its_output_is_stopped_in_time() {
    // The fake waits for nobody: without a bound on reading, the loop would never look at the deadline.
    // There is an end to it, a gigabyte away, lest a failure fill the disk.
    let mut world = World::new(&"lines 20_000;".repeat(100));
    world.plan.timeout_ms = 100;
    let (report, leftovers) = run_to_the_end(&mut world);
    assert_eq!(report.result.class, Some(FailureClass::Timeout));
    // A script that takes no time leaves SIGINT to the system.
    assert_eq!(leftovers.exit, Some(Exit::Signal(2)));
}

#[test]
fn a_run_that_is_given_up_is_killed() {
    on_runtime(async {
        let mut world = World::new("ignore-signals; report @report; hang");
        let report = world.file("report");
        {
            let mut run = pin!(world.run_cancelled_at(None));
            tokio::select! {
                _ = &mut run => panic!("it hangs"),
                () = appears(&report) => {}
            }
        }
        let told: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        let pid = u32::try_from(told["pid"].as_u64().unwrap()).unwrap();
        holds("it is gone", || identify(pid).is_none()).await;
    });
}

#[test]
fn a_run_whose_worker_dies_is_interrupted() {
    let world = World::new("say so far; report @report; hang");
    let (report, folder, root) = (world.file("report"), world.folder.clone(), world.root.path().to_owned());
    // The thread stands for the worker: it ends without a chance to do anything about its run.
    let worker = std::thread::spawn(move || {
        let world: &'static mut World = Box::leak(Box::new(world));
        let report = world.file("report");
        let runtime =
            Box::leak(Box::new(tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()));
        let run: &'static mut _ = Box::leak(Box::new(Box::pin(world.run_cancelled_at(None))));
        runtime.block_on(async {
            tokio::select! {
                _ = run => panic!("it hangs"),
                () = appears(&report) => {}
            }
        });
    });
    worker.join().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let pid = u32::try_from(told["pid"].as_u64().unwrap()).unwrap();
    on_runtime(holds("it is gone", || identify(pid).is_none()));
    // It had time for its result line, which whoever comes after finds.
    let Findings { result, .. } = runner::leftover(&folder, "worker", None).unwrap().unwrap();
    assert!(!result.success);
    fs::remove_dir_all(root).unwrap();
}
