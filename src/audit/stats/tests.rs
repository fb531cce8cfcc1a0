//! Every kind of record counts once, in its own place.

use serde_json::{Value, json};

use super::*;

fn counted(records: &[Value]) -> Stats {
    let mut counter = Counter::default();
    for record in records {
        counter.count(&serde_json::from_value(record.clone()).unwrap());
    }
    counter.finish()
}

fn record(event: &str, agent: &str) -> Value {
    json!({"time": "2026-11-21T10:00:00.000Z", "event": event, "agent": agent, "status": "x", "later": {"a": [1]}})
}

fn ended(agent: &str, success: bool, cost: f64, millis: u64) -> Value {
    let mut record = record("finished", agent);
    record["end"] = json!({"success": success, "cost_usd": cost, "duration_ms": millis, "tokens": {}});
    if success {
        record["end"]["outcome"] = json!("done");
    } else {
        record["end"]["error_type"] = json!("timeout");
    }
    record
}

#[test]
fn nothing_counted_is_all_zeros() {
    assert_eq!(counted(&[]), Stats::default());
    let silent = ["requested", "started", "cancel_requested", "config_changed", "cache_cleared", "gc", "gap"];
    let records: Vec<Value> = silent.iter().map(|event| record(event, "a")).collect();
    assert_eq!(counted(&records), Stats::default());
}

#[test]
fn each_ended_dispatch_is_either_ok_or_failed() {
    let mut refused = record("refused", "a");
    refused["reason"] = json!("budget: the day's cap is reached: $5");
    // Cancelled when it had just said something.
    let mut cancelled = ended("a", true, 0.5, 10);
    cancelled["event"] = json!("cancelled");
    let stats = counted(&[
        ended("a", true, 1.0, 100),
        ended("a", false, 0.25, 300),
        refused,
        cancelled,
        record("interrupted", "a"),
        record("hit", "a"),
        record("joined", "a"),
        record("joined", "b"),
    ]);
    let errors = [("budget", 1), ("cancelled", 1), ("interrupted", 1), ("timeout", 1)];
    let want = Numbers {
        dispatches: 5,
        cached_hits: 1,
        joined: 2,
        ok: 1,
        failed: 4,
        cost_usd: 1.75,
        median_ms: Some(100),
        p90_ms: Some(300),
        max_ms: Some(300),
        median_cost_usd: Some(0.5),
        max_cost_usd: Some(1.0),
        outcomes: BTreeMap::from([("done".to_owned(), 2)]),
        errors: errors.map(|(class, count)| (class.to_owned(), count)).into(),
    };
    assert_eq!(stats.total, want);
    assert_eq!(stats.agents[0], ("a".to_owned(), Numbers { joined: 1, ..want }));
    assert_eq!(stats.agents[1], ("b".to_owned(), Numbers { joined: 1, ..Numbers::default() }));
}

#[test]
fn who_cost_most_comes_first_then_who_did_most_then_the_name() {
    let stats = counted(&[
        ended("cheap", true, 0.1, 1),
        ended("idle-b", true, 0.0, 1),
        ended("idle-a", true, 0.0, 1),
        ended("busy", true, 0.0, 1),
        ended("busy", true, 0.0, 1),
        ended("dear", true, 9.0, 1),
    ]);
    let names: Vec<&str> = stats.agents.iter().map(|(agent, _)| agent.as_str()).collect();
    assert_eq!(names, ["dear", "cheap", "busy", "idle-a", "idle-b"]);
}

#[test]
fn absurd_numbers_are_left_out() {
    let stats =
        counted(&[ended("a", true, -1.0, 1_000_000_000), ended("a", true, 1e6, 5), ended("a", true, 2.0, 7)]);
    assert_eq!((stats.total.dispatches, stats.total.cost_usd), (3, 2.0));
    assert_eq!((stats.total.max_ms, stats.total.max_cost_usd), (Some(7), Some(2.0)));
}

#[test]
fn percentiles_are_of_the_nearest_rank() {
    let ranks = |n: usize, percent| percentile(&(1..=n).collect::<Vec<_>>(), percent);
    let table: [(usize, usize, usize); 7] =
        [(1, 1, 1), (2, 2, 2), (3, 2, 3), (4, 2, 4), (5, 3, 5), (10, 6, 10), (100, 50, 90)];
    for (n, median, ninetieth) in table {
        assert_eq!((ranks(n, 50), ranks(n, 90)), (Some(median), Some(ninetieth)), "{n}");
    }
    assert_eq!(percentile::<u64>(&[], 50), None);
}
