//! Lists of denials, well formed and not.

use serde_json::json;

use super::*;

#[test]
fn names_are_listed_once_in_order_and_bounded() {
    let long = "x".repeat(200);
    let many: Vec<_> = (0..30).map(|number| json!({"tool_name": format!("t{number}")})).collect();
    let rows = [
        (
            json!([{"tool_name": "Bash", "tool_input": {}}, {"tool": "Write"}, "Read", {"tool_name": "Bash"}]),
            vec!["Bash", "Write", "Read"],
        ),
        (json!([{}, null, 5, [], {"tool_name": 7}, ""]), vec![]),
        (json!("Bash"), vec![]),
        (json!(null), vec![]),
        (json!([{"tool_name": "a\nb\u{1b}[31m"}]), vec!["a b"]),
        (json!(many), vec!["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9"]),
    ];
    for (denials, names) in rows {
        assert_eq!(listed(&denials).names(), names, "{denials}");
    }
    assert_eq!(listed(&json!([long])).names(), [format!("{}…", "x".repeat(100))]);
    let mut nothing = Denials::default();
    nothing.listed(&Map::new());
    assert_eq!(nothing.names(), Vec::<String>::new());
}

fn listed(denials: &Value) -> Denials {
    let mut found = Denials::default();
    found.listed(&Map::from_iter([("permission_denials".to_owned(), denials.clone())]));
    found
}

fn line(name: &str, id: &str) -> Map<String, Value> {
    let line =
        json!({"type": "system", "subtype": "permission_denied", "tool_name": name, "tool_use_id": id});
    line.as_object().unwrap().clone()
}

#[test]
fn what_is_told_twice_is_denied_once() {
    let mut denials = Denials::default();
    denials.told(&line("Bash", "1"));
    denials.told(&line("Write", "2"));
    let list = json!([{"tool_name": "Bash", "tool_use_id": "1"}, {"tool_name": "Read", "tool_use_id": "3"}]);
    denials.listed(&Map::from_iter([("permission_denials".to_owned(), list)]));
    assert_eq!(denials.names(), ["Bash", "Write", "Read"]);
    assert!(denials.calls().iter().eq(["1", "2", "3"]), "{denials:?}");
}

#[test]
fn ids_cannot_fill_the_memory() {
    let mut denials = Denials::default();
    denials.told(&line("Bash", &"x".repeat(ID_BYTES_MAX + 1)));
    assert!(denials.calls().is_empty());
    for id in 0..CALLS_MAX + 5 {
        denials.told(&line("Bash", &id.to_string()));
    }
    assert_eq!(denials.calls().len(), CALLS_MAX);
}

#[test]
fn what_was_denied_is_not_known_only_when_a_call_failed_and_nothing_was_told() {
    let mut told = Denials::default();
    told.told(&line("Bash", "1"));
    let rows = [
        (Denials::default(), false, false),
        (Denials::default(), true, true),
        (listed(&json!([])), true, false),
        (listed(&json!("none")), true, true),
        (told, true, false),
    ];
    for (denials, any_failed, wanted) in rows {
        assert_eq!(denials.is_unknown(any_failed), wanted, "{denials:?} {any_failed}");
    }
}
