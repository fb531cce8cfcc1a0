//! The numbers as a person and as a program gets them.

use serde_json::json;

use super::*;

fn numbers(dispatches: u64, cost_usd: f64) -> Numbers {
    Numbers { dispatches, ok: dispatches, cost_usd, median_ms: Some(1500), ..Numbers::default() }
}

#[test]
fn json_has_the_total_and_the_agents_in_their_order() {
    let mut total = numbers(3, 0.300_049);
    total.errors.insert("timeout".to_owned(), 1);
    let agents = vec![("zebra".to_owned(), numbers(2, 0.2)), ("ant".to_owned(), numbers(1, 0.1))];
    let text =
        serde_json::to_string(&Shown { total: Document::from(&total), agents: Agents(&agents) }).unwrap();
    assert!(text.find("zebra") < text.find("ant"), "{text}");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let want = json!({
        "dispatches": 3, "cached_hits": 0, "joined": 0, "ok": 3, "failed": 0, "cost_usd": 0.3, "median_ms": 1500,
        "outcomes": {}, "errors": {"timeout": 1},
    });
    assert_eq!(value["total"], want);
    let none = Numbers::default();
    let empty = serde_json::to_value(Shown { total: Document::from(&none), agents: Agents(&[]) }).unwrap();
    let want = json!({
        "total": {"dispatches": 0, "cached_hits": 0, "joined": 0, "ok": 0, "failed": 0, "cost_usd": 0.0, "outcomes": {}, "errors": {}},
        "agents": {},
    });
    assert_eq!(empty, want);
}
