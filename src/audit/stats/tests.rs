//! Every kind of record counts once, in its own place.

use serde_json::{Value, json};

use super::*;

const PAID: JobId = JobId::from_bytes([1; 16]);
const COUNTED: JobId = JobId::from_bytes([2; 16]);
const FORGOTTEN: JobId = JobId::from_bytes([3; 16]);

fn counted(records: &[Value]) -> Stats {
    counted_by(By::Agent, records)
}

fn counted_by(by: By, records: &[Value]) -> Stats {
    // In two parts, as a long trail is.
    let part = |records: &[Value]| {
        let mut counter = Counter::by(by);
        for record in records {
            if let Some(line) = Line::read(record.to_string().as_bytes()) {
                counter.count(&line);
            }
        }
        counter
    };
    let (earlier, later) = records.split_at(records.len() / 2);
    let mut counter = part(earlier).with(part(later));
    let cost = |run: JobId| Ok::<_, ()>((run == PAID).then_some(0.5));
    counter.join(|run| Ok::<_, ()>((run == PAID).then(|| "opus".to_owned()))).unwrap();
    counter.save(cost).unwrap();
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
        saved_usd: 0.0,
        median_ms: Some(100),
        p90_ms: Some(300),
        p99_ms: Some(300),
        max_ms: Some(300),
        median_cost_usd: Some(0.5),
        max_cost_usd: Some(1.0),
        outcomes: BTreeMap::from([("done".to_owned(), 2)]),
        errors: errors.map(|(class, count)| (class.to_owned(), count)).into(),
    };
    assert_eq!(stats.total, want);
    assert_eq!(stats.parts[0], ("a".to_owned(), Numbers { joined: 1, ..want }));
    assert_eq!(stats.parts[1], ("b".to_owned(), Numbers { joined: 1, ..Numbers::default() }));
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
    let names: Vec<&str> = stats.parts.iter().map(|(agent, _)| agent.as_str()).collect();
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

#[test]
fn answers_that_were_given_again_save_what_their_run_had_cost() {
    let again = |event: &str, agent: &str, run: JobId| {
        let mut record = record(event, agent);
        record["answered_by"] = json!(run.to_string());
        record
    };
    let stats = counted(&[
        again("hit", "a", PAID),
        again("hit", "a", PAID),
        again("joined", "b", PAID),
        again("hit", "b", FORGOTTEN),
    ]);
    let saved = |at: usize| (stats.parts[at].0.as_str(), stats.parts[at].1.saved_usd);
    assert_eq!((stats.total.saved_usd, saved(0), saved(1)), (1.5, ("a", 1.0), ("b", 0.5)));
    assert_eq!(stats.total.dispatches, 0);
    // What is counted itself is not looked up; whether it comes before or after is the same.
    let mut run = ended("a", true, 0.25, 10);
    run["dispatch"] = json!(COUNTED.to_string());
    for records in [[run.clone(), again("hit", "b", COUNTED)], [again("hit", "b", COUNTED), run]] {
        let stats = counted(&records);
        assert_eq!((stats.total.saved_usd, stats.parts[1].1.saved_usd), (0.25, 0.25));
    }
}

#[test]
fn answers_that_were_given_again_count_for_the_model_that_gave_them() {
    let again = |event: &str, model: Option<&str>, run: JobId| {
        let mut record = record(event, "a");
        record["answered_by"] = json!(run.to_string());
        record["end"] = json!(model.map(|model| json!({"success": true, "model": model, "tokens": {}})));
        record
    };
    let stats = counted_by(
        By::Model,
        &[again("hit", Some("opus"), PAID), again("joined", None, PAID), again("joined", None, FORGOTTEN)],
    );
    let told: Vec<_> =
        stats.parts.iter().map(|(key, it)| (key.as_str(), it.cached_hits, it.joined, it.saved_usd)).collect();
    assert_eq!(told, [("opus", 1, 1, 1.0), ("unknown", 0, 1, 0.0)]);
    assert_eq!((stats.total.joined, stats.total.saved_usd), (2, 1.0));
}

#[test]
fn dispatches_are_counted_under_whatever_is_asked_for() {
    let mut first = ended("a", true, 1.0, 100);
    first["caller"] = json!({"client": "claude-code 2.1.30", "declared": null, "pid": 1});
    first["end"]["model"] = json!("opus");
    let mut second = ended("a", false, 2.0, 100);
    second["time"] = json!("2026-11-25T10:00:00.000Z");
    second["caller"] = json!({"client": "cli", "declared": "nightly", "pid": 1});
    let records = [second, first];
    let keys =
        |by| -> Vec<String> { counted_by(by, &records).parts.into_iter().map(|(key, _)| key).collect() };
    assert_eq!(keys(By::Caller), ["nightly", "claude-code"]);
    assert_eq!(keys(By::Model), ["unknown", "opus"]);
    assert_eq!(keys(By::Error), ["timeout", "none"]);
    let days = keys(By::Day);
    assert!(days[0].starts_with("2026-11-2") && days[0] < days[1], "{days:?}");
}
