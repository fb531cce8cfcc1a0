//! What a run leaves behind, and what becomes of it.

use super::*;

#[test]
fn a_result_is_reported_while_its_process_stays() {
    let mut world = World::new("say done; result; wait @go");
    let go = world.file("go");
    on_runtime(async {
        let (report, afterlife) = world.run().await;
        assert_eq!(report.answer.text, "done");
        assert!(identify(report.pid).is_some(), "it was waited for");
        File::create(go).unwrap();
        let leftovers = afterlife.settle().await;
        assert_eq!(leftovers, Leftovers { exit: Some(Exit::Code(0)), swept: Vec::new() });
        assert!(!Path::new(&format!("/proc/{}", report.pid)).exists(), "it was not reaped");
    });
}

#[test]
fn a_grandchild_that_holds_the_files_delays_nothing_and_is_killed() {
    let mut world = World::new("grandchild-holds-files @pid; say done");
    on_runtime(async {
        let (report, afterlife) = world.run().await;
        assert_eq!(report.answer.text, "done");
        let grandchild = process_in(&world.file("pid"));
        afterlife.settle().await;
        holds("the grandchild is gone", || !is_alive(grandchild)).await;
    });
}

#[test]
fn a_grandchild_does_not_delay_a_run_without_a_result() {
    let mut world = World::new("grandchild-holds-files; no-result; exit 7");
    let (report, leftovers) = run_to_the_end(&mut world);
    assert!(!report.result.success);
    assert_eq!(leftovers.exit, Some(Exit::Code(7)));
}

#[test]
fn a_grandchild_in_a_session_of_its_own_is_swept_and_those_of_others_are_not() {
    let mut first = World::new("setsid-grandchild @pid; say done");
    let mut second = World::new("setsid-grandchild @pid; say done");
    on_runtime(async {
        let (_, after_first) = first.run().await;
        let (_, after_second) = second.run().await;
        let [of_first, of_second] = [&first, &second].map(|world| process_in(&world.file("pid")));

        let swept = after_first.settle().await.swept;
        assert_eq!(swept.iter().map(|swept| swept.pid).collect::<Vec<_>>(), [of_first.pid]);
        assert!(swept.iter().all(|swept| "fake-claude".starts_with(&swept.command)), "{swept:?}");
        assert!(!is_alive(of_first));
        assert!(is_alive(of_second));

        let swept = after_second.settle().await.swept;
        assert_eq!(swept.iter().map(|swept| swept.pid).collect::<Vec<_>>(), [of_second.pid]);
        assert!(!is_alive(of_second));
    });
}

#[test]
fn a_killed_run_leaves_no_grandchild_of_either_kind() {
    let script = "ignore-signals; grandchild-holds-files @one; setsid-grandchild @two; touch @ready; hang";
    let mut world = World::new(script);
    on_runtime(async {
        let (_, afterlife) = world.run_cancelled_at(Some("ready")).await.unwrap();
        let leftovers = afterlife.settle().await;
        assert_eq!(leftovers.exit, Some(Exit::Signal(9)));
        for name in ["one", "two"] {
            let pid: u32 = fs::read_to_string(world.file(name)).unwrap().parse().unwrap();
            holds("the grandchild is gone", || identify(pid).is_none()).await;
        }
    });
}
