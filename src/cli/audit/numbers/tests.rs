//! Numbers by part, for people and for programs.

use super::*;

fn stats() -> Stats {
    let part = Numbers {
        dispatches: 3,
        ok: 2,
        failed: 1,
        cached_hits: 1,
        cost_usd: 0.5,
        saved_usd: 0.25,
        median_ms: Some(1500),
        p99_ms: Some(60_000),
        ..Numbers::default()
    };
    Stats { total: part.clone(), parts: vec![("nightly".to_owned(), part)] }
}

#[test]
fn a_program_gets_every_number_under_the_name_of_what_was_asked_for() {
    let value = document(&stats(), "caller");
    assert_eq!(value["by"], "caller");
    let part = &value["parts"][0];
    assert_eq!((&part["caller"], &part["success_rate"]), (&"nightly".into(), &0.667.into()));
    assert_eq!(
        (&part["saved_usd"], &part["p99_ms"], &part["p90_ms"]),
        (&0.25.into(), &60_000.into(), &().into())
    );
    assert!(part["success_rate"].is_number() && value["total"]["success_rate"].is_number());
    let none = document(&Stats::default(), "day");
    assert_eq!((&none["parts"], &none["total"]["success_rate"]), (&serde_json::json!([]), &().into()));
}

#[test]
fn a_person_gets_a_line_each_and_no_total_of_one() {
    let text = told(Screen::plain(), &stats(), "caller");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("CALLER   DISPATCHES"), "{text}");
    assert!(lines[1].starts_with("nightly           3  67%"), "{text}");
    assert!(lines[1].contains("1 min 0 s  $0.50  $0.25") && lines[1].ends_with("██████████"), "{text}");
    assert!(!text.contains("total"), "{text}");
}
