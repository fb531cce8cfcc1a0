//! What must hold whatever dies, hangs or vanishes: a paid answer is not lost, no work is killed, nothing is orphaned.

use std::fs;

use rustix::process::Signal;

use crate::scene::{Scene, holds, on_runtime, start};

#[test]
fn a_run_whose_store_is_replaced_goes_on_and_leaves_its_answer() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let script = "touch @runs; wait @go; say paid for";
        let job = start(&frontend, &scene.request("worker", script)).await;
        holds("it runs", || scene.file("runs").exists()).await;
        let worker = scene.worker_of(job).unwrap();
        worker.signal(Signal::STOP);
        holds("the worker is stopped", || worker.is_stopped()).await;
        frontend.client.stop().await.unwrap();
        let state = scene.environment().state;
        fs::rename(state.store(), state.root.join("store.corrupt-1")).unwrap();
        // The next daemon starts with an empty store, beside the run.
        assert_eq!(frontend.job(job).await.unwrap().map(|view| view.record.id), None);
        worker.signal(Signal::CONT);
        holds("the worker is heard", || !scene.log("whose job is not known").is_empty()).await;
        assert!(!scene.run_of(job).is_empty(), "the run was killed");
        scene.touch("go");
        holds("the worker is gone", || scene.worker_of(job).is_none()).await;
        assert!(scene.run_of(job).is_empty(), "{:#?}", scene.run_of(job));
        let stdout = fs::read_to_string(state.runs().join(job.to_string()).join("stdout")).unwrap();
        assert!(stdout.contains("paid for"), "{stdout}");
    });
}
