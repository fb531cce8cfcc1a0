//! Each part of a filter takes what it should and nothing else, and what is looked for in the text misses nothing.

use serde_json::json;

use super::*;

const ROOT: &str = "0197a3f2c4d17b3e8000000000000001";
const RUN: &str = "0197a3f2c4d17b3e8000000000000002";

fn record() -> Record {
    let record = json!({
        "time": "2026-11-21T10:00:00.000Z", "event": "finished", "dispatch": RUN, "parent": ROOT, "root": ROOT,
        "caller": {"client": "claude-code 2.1.30", "session": "aaaabbbb-cccc", "directory": "/projects/x", "pid": 1,
            "declared": "Nightly", "parent": ROOT, "depth": 1},
        "agent": "infra", "directory": "/srv/infra", "session": "11112222-3333-4444", "status": "failed",
        "reason": "it said \"no\"",
        "end": {"success": false, "error_type": "timeout", "error": "no answer in 300 s", "outcome": "partial",
            "cost_usd": 0.25, "duration_ms": 30_000, "model": "claude-opus-4-5", "tools": {"Bash": {"count": 2, "millis": 5}},
            "denied_tools": ["WebFetch"], "answer_bytes": 0, "answer_preview": "the moon is made of cheese",
            "changes": {"branch_before": "main", "branch": "topic", "head_before": "aaaa1111", "head": "bbbb2222",
                "commits": ["bbbb2222"], "files": ["src/lib.rs"], "files_total": 1, "incomplete": false}},
    });
    serde_json::from_value(record).unwrap()
}

fn event(code: Code) -> Record {
    Record { reason: Some("budget: spent".to_owned()), ..Record::new(record().time, code) }
}

fn filter(change: impl FnOnce(&mut AuditFilter)) -> AuditFilter {
    let mut filter = AuditFilter::default();
    change(&mut filter);
    filter
}

/// Returns whether the record fits; whatever fits must be found by its text, too.
fn fits(filter: &AuditFilter, record: &Record) -> bool {
    let matcher = Matcher::new(filter).unwrap();
    let fits = matcher.matches(record);
    let text = serde_json::to_string(record).unwrap();
    assert!(!fits || matcher.may_match(&text), "{filter:?} fits, but is not found in {text}");
    fits
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn an_empty_filter_takes_everything() {
    assert!(AuditFilter { limit: 5, ..AuditFilter::default() }.takes_all());
    assert!(fits(&AuditFilter::default(), &record()) && fits(&AuditFilter::default(), &event(Code::Gc)));
    assert!(!filter(|it| it.denied = true).takes_all());
}

#[test]
fn each_part_takes_what_it_names() {
    type Part = fn(&mut AuditFilter, &[&str]);
    let table: &[(&str, Part, &[&str], &[&str])] = &[
        ("agent", |it, to| it.agents = texts(to), &["infra"], &["infr", "Infra", "other"]),
        (
            "caller",
            |it, to| it.callers = texts(to),
            &["nightly", "Nightly", "claude-code", "claude-code 2.1.30", "aaaabbbb", "aaaabbbb-cccc"],
            &["night", "claude", "aaaa", "cli"],
        ),
        ("status", |it, to| it.statuses = texts(to), &["failed"], &["done", "refused", "timeout"]),
        ("outcome", |it, to| it.outcomes = texts(to), &["partial"], &["done", "timeout"]),
        ("error type", |it, to| it.error_types = texts(to), &["timeout"], &["budget", "partial"]),
        (
            "session",
            |it, to| it.sessions = texts(to),
            &["11112222-3333-4444", "11112222"],
            &["1111", "aaaabbbb"],
        ),
        ("tool", |it, to| it.tools = texts(to), &["Bash", "bash", "WebFetch"], &["Web", "Read"]),
        ("model", |it, to| it.models = texts(to), &["opus", "claude-OPUS-4-5"], &["sonnet"]),
        (
            "pattern",
            |it, to| it.patterns = texts(to),
            &[
                "300 S",
                "no ans.*s$",
                "^infra$",
                r#""no""#,
                "webfetch",
                "finished",
                "cheese",
                r"^src/lib\.rs$",
                "^topic$",
                "^bbbb",
            ],
            &["^answer", "duration_ms", "success"],
        ),
    ];
    for (name, set, takes, leaves) in table {
        let holds = |value: &str| fits(&filter(|it| set(it, &[value])), &record());
        for value in *takes {
            assert!(holds(value), "{name} {value}");
            assert!(fits(&filter(|it| set(it, &["nothing", value])), &record()), "{name} or {value}");
        }
        for value in *leaves {
            assert!(!holds(value), "{name} {value}");
        }
        assert!(!fits(&filter(|it| set(it, &["zzz"])), &event(Code::Gc)), "{name}");
    }
}

#[test]
fn amounts_are_lower_bounds_and_flags_want_what_they_say() {
    let cost = |least| filter(|it| it.min_cost_usd = Some(least));
    let slow = |least| filter(|it| it.slower_than_ms = Some(least));
    assert!(fits(&cost(0.25), &record()) && !fits(&cost(0.26), &record()));
    assert!(fits(&slow(30_000), &record()) && !fits(&slow(30_001), &record()));
    assert!(!fits(&cost(0.0), &event(Code::Started)) && !fits(&slow(0), &event(Code::Started)));
    let hit = Record { event: Code::Hit, ..record() };
    assert!(!fits(&slow(0), &hit));
    let (denied, cached) = (filter(|it| it.denied = true), filter(|it| it.cached = true));
    assert!(fits(&denied, &record()) && !fits(&denied, &event(Code::Finished)));
    assert!(fits(&cached, &hit) && !fits(&cached, &record()));
}

#[test]
fn times_and_events_and_ids_narrow_it_down() {
    let time = record().time;
    assert!(fits(&filter(|it| (it.since, it.until) = (Some(time), Some(time))), &record()));
    assert!(!fits(&filter(|it| it.since = Some(time.plus_millis(1))), &record()));
    assert!(!fits(&filter(|it| it.until = Some(time.minus_millis(1))), &record()));
    assert!(fits(&filter(|it| it.events = vec![Code::Gc, Code::Finished]), &record()));
    assert!(!fits(&filter(|it| it.events = vec![Code::Gc]), &record()));
    let (root, run) = (ROOT.parse().ok(), RUN.parse().ok());
    assert!(
        fits(&filter(|it| it.dispatch = run), &record())
            && !fits(&filter(|it| it.dispatch = root), &record())
    );
    assert!(fits(&filter(|it| it.tree = root), &record()));
    // The root itself, and one whose own tree another is.
    let outermost = Record { dispatch: Some(ROOT.to_owned()), root: None, parent: None, ..record() };
    assert!(fits(&filter(|it| it.tree = root), &outermost) && !fits(&filter(|it| it.tree = run), &outermost));
}

#[test]
fn refusals_and_what_was_stopped_have_a_status_and_a_class() {
    let refused = filter(|it| it.statuses = texts(&["done", "refused"]));
    assert!(fits(&refused, &event(Code::Refused)) && !fits(&refused, &event(Code::Started)));
    let class = |class: &str| filter(|it| it.error_types = texts(&[class]));
    assert!(fits(&class("budget"), &event(Code::Refused)));
    assert!(fits(&class("cancelled"), &event(Code::Cancelled)));
    assert!(fits(&class("interrupted"), &event(Code::Interrupted)));
}

#[test]
fn parts_are_joined_by_and() {
    let both =
        |agent: &str, tool: &str| filter(|it| (it.agents, it.tools) = (texts(&[agent]), texts(&[tool])));
    assert!(fits(&both("infra", "Bash"), &record()));
    assert!(!fits(&both("infra", "Read"), &record()) && !fits(&both("other", "Bash"), &record()));
}

#[test]
fn a_pattern_that_cannot_be_read_is_named() {
    let filter = filter(|it| it.patterns = texts(&["a(b"]));
    let said = Matcher::new(&filter).unwrap_err().to_string();
    assert!(said.starts_with("`a(b` is not a pattern: "), "{said}");
}
