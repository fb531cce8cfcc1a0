//! Records in every form, whatever they hold.

use serde_json::json;

use super::*;

fn arguments(output: Layout, fields: &[&str]) -> OutputArguments {
    OutputArguments { output, fields: fields.iter().map(|name| (*name).to_owned()).collect(), json: false }
}

fn printer(output: Layout, fields: &[&str]) -> Printer {
    Printer::new(Screen::plain(), &arguments(output, fields), Timestamp::from_millis(0)).unwrap()
}

fn row() -> Row {
    let value = json!({
        "seq": 7, "hash": "00", "time": "1970-01-01T00:00:00.000Z", "event": "finished", "agent": "infra",
        "caller": {"client": "cli", "session": null, "directory": null, "pid": 1, "declared": null, "parent": null,
            "depth": 0},
        "dispatch": "0197a3f2c4d17b3e8000000000000001", "reason": "=1+1, \"so\"\nthere\u{1b}[2J",
        "end": {"success": true, "cost_usd": 0.5, "duration_ms": 1500, "denied_tools": ["Bash", "Read"], "answer_bytes": 0,
            "tools": {"mcp__a.b": {"count": 1, "millis": 2}}},
    });
    value.as_object().unwrap().clone()
}

#[test]
fn values_are_found_by_dotted_names() {
    let row = row();
    for (name, want) in [
        ("seq", "7"),
        ("agent", "infra"),
        ("end.cost_usd", "0.5"),
        ("end.denied_tools", "Bash,Read"),
        ("end.tools.mcp__a.b.count", ""),
        ("end.tools.mcp__a.b", r#"{"count":1,"millis":2}"#),
        ("caller.declared", ""),
        ("agent.more", ""),
        ("end.nothing", ""),
    ] {
        assert_eq!(value_at(&row, name).map(plain).unwrap_or_default(), want, "{name}");
    }
}

#[test]
fn comma_separated_values_have_the_cells_that_were_asked_for() {
    let lines = printer(Layout::Csv, &["seq", "reason", "end.cost_usd"]).text(&[row()]).unwrap();
    assert_eq!(lines, "seq,reason,end.cost_usd\r\n7,\"'=1+1, \"\"so\"\"\nthere [2J\",0.5\r\n");
}

#[test]
fn headings_stand_once_and_also_over_nothing() {
    let mut csv = printer(Layout::Csv, &["seq"]);
    assert!(csv.says_nothing_whole(0) && !csv.says_nothing_whole(1));
    assert_eq!(csv.text(&[]).unwrap() + &csv.text(&[row()]).unwrap(), "seq\r\n7\r\n");
    assert!(printer(Layout::Csv, &[]).text(&[]).unwrap().starts_with("seq,time,event,"));
    assert_eq!(printer(Layout::Json, &[]).text(&[]).unwrap(), "[]\n");
}

#[test]
fn each_object_is_one_line_and_has_what_was_asked_for() {
    let text = printer(Layout::Jsonl, &["agent", "end.cost_usd", "end.turns"]).text(&[row(), row()]).unwrap();
    let line = r#"{"agent":"infra","end.cost_usd":0.5,"end.turns":null}"#;
    assert_eq!(text, format!("{line}\n{line}\n"));
    assert_eq!(printer(Layout::Jsonl, &[]).text(&[row()]).unwrap().lines().count(), 1);
}

#[test]
fn a_line_says_all_and_cannot_be_forged() {
    let mut row = row();
    row.remove("end");
    let text = printer(Layout::Oneline, &[]).text(&[row]).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(text.ends_with("#7 finished infra cli 0197a3f2c4d1 =1+1, \"so\" there\n"), "{text:?}");
    let unreadable = json!({"seq": 8, "unreadable": "x"}).as_object().unwrap().clone();
    assert_eq!(printer(Layout::Oneline, &[]).text(&[unreadable]).unwrap(), "8 unreadable\n");
}

#[test]
fn a_field_that_no_record_has_is_a_mistake() {
    let refused =
        Printer::new(Screen::plain(), &arguments(Layout::Table, &["agnet"]), Timestamp::from_millis(0));
    let report = refused.unwrap_err();
    let said = "no record has a field `agnet`; did you mean `agent`?";
    assert_eq!((report.kind, report.message.as_str()), (Kind::Usage, said));
}

#[test]
fn every_part_of_an_end_can_be_named() {
    let given = || Some("x".to_owned());
    let end = crate::audit::End {
        error_type: given(),
        error: given(),
        outcome: given(),
        cost_usd: Some(1.0),
        turns: Some(1),
        model: given(),
        tools: [("Bash".to_owned(), crate::model::ToolUse::default())].into(),
        denied_tools: vec!["Write".to_owned()],
        denied_unknown: true,
        answer_digest: given(),
        parsed_digest: given(),
        answer_mac: given(),
        answer_preview: given(),
        changes: Some(crate::model::Changes::default()),
        calls_digest: given(),
        recovered: true,
        ..crate::audit::End::default()
    };
    let end = serde_json::to_value(end).unwrap();
    let mut names: Vec<&str> = end.as_object().unwrap().keys().map(String::as_str).collect();
    let mut known = END_FIELDS.to_vec();
    names.sort_unstable();
    known.sort_unstable();
    assert_eq!(names, known);
}

#[test]
fn what_a_dispatch_called_stands_below_it() {
    let mut child = row();
    child.insert("event".to_owned(), json!("hit"));
    let text =
        dispatches(Screen::plain(), &[(0, row()), (1, child.clone()), (2, child)], Timestamp::from_millis(0));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("DISPATCH"), "{text}");
    assert!(
        lines[1].starts_with("0197a3f2c4d1 ") && lines[1].contains("answered") && lines[1].contains("1.5 s")
    );
    assert!(lines[2].starts_with("└─0197a3f2c4d1") && lines[2].contains("cached"), "{text}");
    assert!(lines[3].starts_with("··└─0197a3f2c4d1"), "{text}");
}

#[test]
fn the_gist_of_a_record_is_one_phrase() {
    let mut record = Record::new(Timestamp::from_millis(0), Code::Finished);
    record.task_preview = Some("look".to_owned());
    assert_eq!(gist(&record), "look");
    record.reason = Some("too deep".to_owned());
    assert_eq!(gist(&record), "too deep");
    record.end = Some(crate::audit::End {
        success: true,
        cost_usd: Some(0.01),
        duration_ms: 1500,
        turns: Some(1),
        ..crate::audit::End::default()
    });
    assert_eq!(gist(&record), "answered, 1 turn, $0.01, 1.5 s");
}
