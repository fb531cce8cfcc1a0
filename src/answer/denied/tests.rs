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
        let result = Map::from_iter([("permission_denials".to_owned(), denials.clone())]);
        assert_eq!(denied_tools(&result), names, "{denials}");
    }
    assert_eq!(denied_tools(&Map::new()), Vec::<String>::new());
    let result = Map::from_iter([("permission_denials".to_owned(), json!([long]))]);
    assert_eq!(denied_tools(&result), [format!("{}…", "x".repeat(100))]);
}
