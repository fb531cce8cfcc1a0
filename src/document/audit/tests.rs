//! Questions as they are asked, and dispatches put together from their records.

use serde_json::json;

use super::*;
use crate::audit::chain::Head;
use crate::model::Digest;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn said(question: Question) -> Result<AuditFilter, String> {
    question.filter(NOW).map_err(|report| report.message)
}

#[test]
fn words_become_a_filter() {
    let question = Question {
        since: Some("2h ago".to_owned()),
        until: Some("now".to_owned()),
        slower_than: Some("90s".to_owned()),
        events: vec!["finished".to_owned(), "gc".to_owned()],
        ..Question::default()
    };
    let filter = said(question).unwrap();
    assert_eq!((filter.since, filter.until), (Some(NOW.minus_millis(7_200_000)), Some(NOW)));
    assert_eq!((filter.slower_than_ms, filter.events), (Some(90_000), vec![Code::Finished, Code::Gc]));
}

#[test]
fn each_mistake_is_named() {
    let filtered = |filter: AuditFilter| said(Question { filter, ..Question::default() }).unwrap_err();
    let text = |text: &str| vec![text.to_owned()];
    let none = AuditFilter::default;
    for (got, want) in [
        (
            said(Question { since: Some("soon".to_owned()), ..Question::default() }).unwrap_err(),
            "`soon` is not a time",
        ),
        (
            said(Question { slower_than: Some("long".to_owned()), ..Question::default() }).unwrap_err(),
            "`long` is no length of time",
        ),
        (
            said(Question { events: text("finishd"), ..Question::default() }).unwrap_err(),
            "there is no event `finishd`",
        ),
        (filtered(AuditFilter { statuses: text("ok"), ..none() }), "`ok` is no status"),
        (filtered(AuditFilter { outcomes: text("good"), ..none() }), "`good` is no outcome"),
        (filtered(AuditFilter { min_cost_usd: Some(-1.0), ..none() }), "`-1` is no sum of money"),
        (filtered(AuditFilter { min_cost_usd: Some(f64::NAN), ..none() }), "`NaN` is no sum of money"),
        (filtered(AuditFilter { patterns: text("("), ..none() }), "`(` is not a pattern"),
        (filtered(AuditFilter { patterns: text(&"x".repeat(1001)), ..none() }), "a pattern has more than"),
    ] {
        assert!(got.starts_with(want), "{got}");
    }
}

fn entry(seq: u64, body: &Value) -> AuditEntry {
    AuditEntry { head: Head { seq, hash: Digest::ZERO }, body: body.to_string() }
}

#[test]
fn a_dispatch_is_what_its_records_say_together() {
    let first = json!({"time": "t1", "event": "requested", "dispatch": "a", "task_preview": "look"});
    let last = json!({"time": "t2", "event": "finished", "dispatch": "a", "end": {"success": true}});
    let all = whole(&[entry(2, &last), entry(1, &first)]);
    let want = json!({
        "seq": 2, "hash": "0".repeat(64), "time": "t1", "event": "finished", "dispatch": "a", "task_preview": "look",
        "end": {"success": true}, "ended": "t2",
    });
    assert_eq!(Value::Object(all), want);
    assert!(!whole(&[entry(1, &first)]).contains_key("ended"));
}

#[test]
fn a_tree_is_walked_from_its_root_and_keeps_the_order_of_time() {
    let one = |id: &str, parent: &str, time: &str| {
        let value = json!({"dispatch": id, "parent": parent, "time": time});
        value.as_object().unwrap().clone()
    };
    // The newest first, as they are found; the parent of `lost` is not on record.
    let found = vec![
        one("lost", "gone", "t9"),
        one("b", "root", "t4"),
        one("aa", "a", "t3"),
        one("a", "root", "t2"),
        one("root", "", "t1"),
    ];
    let order: Vec<(usize, String)> = in_tree(found)
        .into_iter()
        .map(|(depth, one)| (depth, one["dispatch"].as_str().unwrap().to_owned()))
        .collect();
    let want = [(0, "root"), (1, "a"), (2, "aa"), (1, "b"), (0, "lost")];
    assert_eq!(order, want.map(|(depth, id)| (depth, id.to_owned())));
}
