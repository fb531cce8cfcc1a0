//! Calls, results, and more of both than there is room for.

use super::*;

fn call<'a>(id: &'a str, tool: &'a str) -> Called<'a> {
    Called { id, tool, subject: "", parent: None }
}

#[test]
fn a_result_counts_for_the_call_with_its_id() {
    let mut timeline = Timeline::default();
    timeline.called(&call("a", "Bash"), 100);
    timeline.called(&call("b", "Read"), 150);
    assert_eq!(timeline.returned("b", false, 160).as_deref(), Some("Read"));
    timeline.returned("a", true, 400);
    assert_eq!(timeline.returned("a", false, 900), None);
    timeline.returned("unknown", false, 900);
    timeline.called(&call("c", "Bash"), 1000);
    timeline.called(&call("d", "Bash"), 1000);
    timeline.returned("d", false, 900);
    let ends = timeline
        .calls(&BTreeSet::from(["c".to_owned()]))
        .into_iter()
        .map(|call| (call.duration_ms, call.end));
    let want = [
        (Some(300), CallEnd::Failed),
        (Some(10), CallEnd::Done),
        (None, CallEnd::Denied),
        (Some(0), CallEnd::Done),
    ];
    assert_eq!(ends.collect::<Vec<_>>(), want);
    let tools = [("Bash", ToolUse { count: 3, millis: 300 }), ("Read", ToolUse { count: 1, millis: 10 })];
    assert_eq!(timeline.into_tools(), tools.map(|(name, tool)| (name.to_owned(), tool)).into());
}

#[test]
fn calls_of_a_subagent_stand_under_the_call_that_started_it() {
    let mut timeline = Timeline::default();
    timeline.called(&call("a", "Read"), 5);
    timeline.called(&call("b", "Task"), 10);
    timeline.called(&Called { parent: Some("b"), subject: "ls\n-l  /srv", ..call("c", "Bash") }, 20);
    timeline.called(&Called { parent: Some("gone"), ..call("d", "Bash") }, 30);
    let calls = timeline.calls(&BTreeSet::new());
    let told: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.parent, call.start_ms)).collect();
    assert_eq!(told, [("Read", None, 5), ("Task", None, 10), ("Bash", Some(1), 20), ("Bash", None, 30)]);
    assert_eq!((calls[2].input.as_str(), calls[2].end), ("ls -l /srv", CallEnd::Open));
}

#[test]
fn tools_beyond_the_sixty_fourth_are_counted_together_and_calls_beyond_the_two_hundredth_only_counted() {
    let mut timeline = Timeline::default();
    for number in 0..5000 {
        let (id, tool) = (number.to_string(), format!("tool{}", number % 100));
        timeline.called(&Called { subject: &"x".repeat(1000), ..call(&id, &tool) }, 0);
    }
    timeline.called(&call("", ""), 0);
    assert!(timeline.pending.len() <= PENDING_MAX);
    let calls = timeline.calls(&BTreeSet::new());
    assert_eq!(calls.len(), ToolCall::CALLS_MAX);
    assert_eq!(calls[199].input.chars().count(), ToolCall::INPUT_CHARS + 1);
    let tools = timeline.into_tools();
    assert_eq!(tools.len(), 64 + 1);
    assert_eq!(tools[ToolUse::OTHER].count, 36 * 50 + 1);
    assert_eq!(tools["tool63"].count, 50);
}
