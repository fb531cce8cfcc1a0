//! The document has the promised shape, and the text forges nothing.

use serde_json::json;

use super::*;

fn screen() -> Screen {
    Screen::plain()
}

#[test]
fn the_document_counts_and_takes_the_worst() {
    let all = Findings::of(vec![
        Finding::ok("a", "fine"),
        Finding::warn("a", "well").details(["x".to_owned(), String::new()]).fix("do it"),
        Finding::fail("b", "broken"),
        Finding::warn("b", "so so"),
    ]);
    let want = json!({
        "schema_version": 1, "status": "fail", "issues": 1, "warnings": 2,
        "checks": [
            {"section": "a", "status": "ok", "message": "fine", "details": []},
            {"section": "a", "status": "warn", "message": "well", "details": ["x"], "fix": "do it"},
            {"section": "b", "status": "fail", "message": "broken", "details": []},
            {"section": "b", "status": "warn", "message": "so so", "details": []},
        ],
    });
    assert_eq!(serde_json::to_value(&all).unwrap(), want);
    let told = "a\n  ok    fine\n  warn  well\n        x\n        fix: do it\n\nb\n  FAIL  broken\n  warn  so so\n\n\
                1 problem, 2 warnings\n";
    assert_eq!(all.told(screen()), told);
}

#[test]
fn nothing_wrong_is_said_in_a_word() {
    let all = Findings::of(vec![Finding::ok("a", "fine")]);
    assert_eq!((all.status, all.told(screen()).as_str()), (Status::Ok, "a\n  ok    fine\n\nAll is well.\n"));
    let all = Findings::of(vec![Finding::warn("a", "hm")]);
    assert!(all.told(screen()).ends_with("\n1 warning\n"));
}

#[test]
fn foreign_words_forge_no_line() {
    let evil = "x\n  ok    forged\u{1b}[2K";
    let all = Findings::of(vec![Finding::fail("a", evil).details([evil.to_owned()]).fix("rm 'a\u{1b}[1Ab'")]);
    let told = all.told(screen());
    assert!(!told.contains('\u{1b}') && !told.lines().any(|line| line.starts_with("  ok")), "{told}");
}
