//! Cells that a spreadsheet reads as what they are, and nothing computes.

use super::*;
use crate::audit::chain::Head;

fn row_of(body: &Value) -> Vec<String> {
    let text = line(&Link::after(Head::EMPTY, body.to_string().into_bytes()));
    text.trim_end().split(',').map(str::to_owned).collect()
}

fn column(name: &str) -> usize {
    header().trim_end().split(',').position(|it| it == name).unwrap()
}

#[test]
fn cells_are_quoted_where_they_must_be_and_formulas_are_defused() {
    let cases = [
        ("plain", "plain"),
        ("", ""),
        ("a,b", "\"a,b\""),
        ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("two\nlines", "\"two\nlines\""),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum", "'@sum"),
        ("\u{1b}[2Jx\ty", " [2Jx y"),
        ("\t=1", " =1"),
        ("=a,b", "\"'=a,b\""),
        ("it's", "it's"),
        ("\u{202e}evil\u{2066} \u{200b}x", " evil   x"),
        // What is hidden hides no formula.
        ("\u{200b}=1", " =1"),
    ];
    for (text, wanted) in cases {
        assert_eq!(cell(text), wanted);
    }
}

#[test]
fn a_row_has_as_many_cells_as_there_are_columns_and_values_stand_below_their_names() {
    let row = row_of(&serde_json::json!({
        "event": "finished", "agent": "docs", "caller": {"client": "mcp", "pid": 7},
        "end": {
            "success": true, "cost_usd": 0.25, "tokens": {"input": 3, "output": 4},
            "tools": {"Bash": {"count": 2, "millis": 10}, "Read": {"count": 1, "millis": 1}},
            "denied_tools": ["Write", "Edit"], "denied_unknown": true,
        },
    }));
    assert_eq!(row.len(), header().trim_end().split(',').count());
    let wanted = [
        ("seq", "1"),
        ("event", "finished"),
        ("agent", "docs"),
        ("caller", "mcp"),
        ("caller_pid", "7"),
        ("success", "true"),
        ("cost_usd", "0.25"),
        ("tokens_input", "3"),
        ("tools", "Bash:2 Read:1"),
        ("denied_tools", "Write Edit"),
        ("denied_unknown", "true"),
        ("turns", ""),
    ];
    for (name, value) in wanted {
        assert_eq!(row[column(name)], value, "{name}");
    }
}

#[test]
fn what_is_no_record_is_a_row_all_the_same() {
    let row = line(&Link::after(Head::EMPTY, b"not json".to_vec()));
    assert_eq!(row.split(',').count(), header().split(',').count());
}
