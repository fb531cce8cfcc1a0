//! Calls, results, and more of both than there is room for.

use super::*;

#[test]
fn a_result_counts_for_the_call_with_its_id() {
    let mut timeline = Timeline::default();
    timeline.called("a", "Bash", 100);
    timeline.called("b", "Read", 150);
    timeline.returned("b", 160);
    timeline.returned("a", 400);
    timeline.returned("a", 900);
    timeline.returned("unknown", 900);
    timeline.called("c", "Bash", 1000);
    timeline.called("d", "Bash", 1000);
    timeline.returned("d", 900);
    let tools = [("Bash", ToolUse { count: 3, millis: 300 }), ("Read", ToolUse { count: 1, millis: 10 })];
    assert_eq!(timeline.into_tools(), tools.map(|(name, tool)| (name.to_owned(), tool)).into());
}

#[test]
fn tools_beyond_the_twentieth_are_counted_together() {
    let mut timeline = Timeline::default();
    for number in 0..5000 {
        timeline.called(&number.to_string(), &format!("tool{}", number % 100), 0);
    }
    timeline.called("", "", 0);
    assert!(timeline.pending.len() <= PENDING_MAX);
    let tools = timeline.into_tools();
    assert_eq!(tools.len(), NAMES_MAX + 1);
    assert_eq!(tools[OTHER].count, 80 * 50 + 1);
    assert_eq!(tools["tool19"].count, 50);
}
