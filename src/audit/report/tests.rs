//! What a page shows is counted once, put in its place and bounded, whatever the records say.

use serde_json::{Value, json};

use super::counting::{FAILED_MAX, NAMES_KEPT, NAMES_SHOWN, SLOWEST_MAX};
use super::*;
use crate::audit::Code;
use crate::audit::line::Line;
use crate::model::Caller;

const HOUR_MS: u64 = 3_600_000;

fn id(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

fn at(hour: u64) -> Timestamp {
    Timestamp::from_millis(1_795_132_800_000 + hour * HOUR_MS)
}

/// Returns the record of a dispatch that ended in this hour, under its root.
fn ended(number: u8, root: u8, hour: u64, cost: f64, millis: u64) -> Record {
    let mut record = Record::new(at(hour), Code::Finished);
    record.dispatch = Some(id(number).to_string());
    record.root = Some(id(root).to_string());
    record.agent = Some(format!("agent{}", number % 3));
    record.caller = Some(Caller { client: "claude-code 2.1".to_owned(), ..Caller::default() });
    let end = json!({"success": true, "cost_usd": cost, "duration_ms": millis});
    record.end = Some(serde_json::from_value(end).unwrap());
    record
}

fn failed(mut record: Record, class: &str) -> Record {
    let end = record.end.as_mut().unwrap();
    (end.success, end.error_type) = (false, Some(class.to_owned()));
    record
}

fn again(code: Code, number: u8, of: u8, hour: u64) -> Record {
    let mut record = ended(number, number, hour, 0.0, 0);
    (record.event, record.answered_by) = (code, Some(id(of).to_string()));
    record
}

/// Returns what is counted of records, given oldest first; parents are looked up among them.
fn counted(records: &[Record], period: &Period) -> Overview {
    // In two parts, as a long trail is.
    let part = |records: &[Record]| {
        let mut counter = Counter::new(period.clone());
        for record in records {
            Line::read(&serde_json::to_vec(record).unwrap()).iter().for_each(|line| counter.count(line));
        }
        counter
    };
    let (earlier, later) = records.split_at(records.len() / 2);
    let counter = part(earlier).with(part(later));
    let mut look_up = |id: JobId| {
        let found = records.iter().find(|record| record.dispatch == Some(id.to_string()))?;
        Some(Found { record: found.clone(), asked: found.time, hint: None })
    };
    counter.finish(&mut look_up, &mut |_| None)
}

fn all(records: &[Record]) -> Overview {
    counted(records, &Period::default())
}

#[test]
fn nothing_is_counted_of_what_ends_no_dispatch() {
    let codes =
        [Code::Requested, Code::Started, Code::CancelRequested, Code::ConfigChanged, Code::Gc, Code::Gap];
    let records = codes.map(|code| {
        let mut record = ended(1, 1, 0, 1.0, 5);
        record.event = code;
        record
    });
    assert_eq!(all(&records), all(&[]));
    assert_eq!((all(&[]).range, all(&[]).columns), (None, Vec::new()));
}

#[test]
fn every_end_is_counted_once_and_sums_agree_however_they_are_grouped() {
    let mut refused = ended(4, 4, 2, 0.0, 0);
    (refused.event, refused.end, refused.reason) =
        (Code::Refused, None, Some("budget: it is used up".to_owned()));
    let mut stopped = ended(5, 5, 3, 0.25, 9000);
    stopped.event = Code::Cancelled;
    let records = [
        ended(1, 1, 0, 1.0, 1500),
        failed(ended(2, 2, 1, 0.5, 70_000), "timeout"),
        again(Code::Hit, 3, 1, 1),
        refused,
        stopped,
        again(Code::Joined, 6, 5, 4),
    ];
    let overview = all(&records);
    let total = Sums { ok: 1, failed: 3, cached: 1, joined: 1, cost_usd: 1.75 };
    assert_eq!(overview.total, total);
    assert_eq!((overview.total.ended(), overview.total.all()), (4, 6));
    let mut sums = [Sums::default(); 3];
    overview.columns.iter().for_each(|column| sums[0].add(column.sums));
    overview.agents.top.iter().for_each(|(_, row)| sums[1].add(row.sums));
    overview.callers.top.iter().for_each(|(_, row)| sums[2].add(row.sums));
    assert_eq!(sums, [total; 3]);
    assert_eq!((overview.saved_usd, overview.unpriced), (1.25, 0));
    let classes: Vec<&str> = overview.failures.iter().map(|failure| failure.class.as_str()).collect();
    assert_eq!(classes, ["budget", "cancelled", "timeout"]);
    assert_eq!(overview.failed, [id(5), id(4), id(2)]);
    assert_eq!(overview.slowest, [id(2), id(5), id(1)]);
    assert_eq!(overview.durations.bins, [0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!((overview.durations.p50_ms, overview.durations.p99_ms), (Some(9000), Some(70_000)));
    assert_eq!(overview.callers.top[0].0, Who { name: "claude-code".to_owned(), directory: None });
}

#[test]
fn a_period_takes_its_first_instant_and_not_its_last() {
    let records: Vec<Record> = (1..=5).map(|number| ended(number, number, number.into(), 1.0, 5)).collect();
    let period = Period { since: Some(at(2)), until: Some(at(4)), agent: None };
    assert_eq!(counted(&records, &period).total.ok, 2);
    let of_agent = Period { agent: Some("agent0".to_owned()), ..Period::default() };
    assert_eq!(counted(&records, &of_agent).total.ok, 1);
}

#[test]
fn columns_are_without_a_gap_and_never_many() {
    for (hours, step) in [
        (0, Step::Hour),
        (60, Step::Hour),
        (80, Step::Day),
        (24 * 100, Step::Day),
        (24 * 300, Step::Week),
        (24 * 2000, Step::Month),
        (24 * 20_000, Step::Year),
        (3_000_000, Step::Year),
    ] {
        let overview = all(&[ended(1, 1, 0, 1.0, 5), ended(2, 2, hours, 1.0, 5)]);
        assert_eq!(overview.step, step, "{hours}");
        let starts: Vec<&str> = overview.columns.iter().map(|column| column.start.as_str()).collect();
        assert!(starts.is_sorted() && starts.len() <= 151, "{hours}: {starts:?}");
        let filled = overview.columns.iter().filter(|column| column.sums.ok > 0).count();
        assert!(filled >= 1, "{hours}: {starts:?}");
    }
    // Day by day to the end that was asked for, weeks from Monday to Monday.
    let period = Period { since: Some(at(0)), until: Some(at(24 * 7)), agent: None };
    let overview = counted(&[ended(1, 1, 30, 1.0, 5)], &period);
    assert!((7..=8).contains(&overview.columns.len()), "{:?}", overview.columns);
    let weeks = all(&[ended(1, 1, 0, 1.0, 5), ended(2, 2, 24 * 7 * 20, 1.0, 5)]);
    assert_eq!(weeks.columns.len(), 21);
}

#[test]
fn a_tree_is_told_from_its_root_down_and_a_missing_parent_is_passed_over() {
    let inside = |mut record: Record, parent: u8| {
        record.parent = Some(id(parent).to_string());
        record
    };
    let records = [
        inside(ended(3, 1, 1, 0.2, 5), 2),
        inside(ended(2, 1, 2, 0.3, 5), 1),
        inside(ended(4, 1, 3, 0.1, 5), 77),
        ended(1, 1, 4, 0.1, 5),
        ended(9, 9, 5, 0.5, 5),
    ];
    let trees = all(&records).trees;
    let told = |tree: &Tree| tree.nodes.iter().map(|node| (node.id, node.depth)).collect::<Vec<_>>();
    assert_eq!(told(&trees[0]), [(id(1), 0), (id(2), 1), (id(3), 2), (id(4), 1)]);
    assert_eq!((told(&trees[1]), trees[0].dispatches, trees.len()), (vec![(id(9), 0)], 4, 2));
    // With one agent, nothing is asked about what others did inside.
    let period = Period { agent: Some("agent1".to_owned()), ..Period::default() };
    assert_eq!(
        counted(&records, &period).trees.iter().map(told).collect::<Vec<_>>(),
        [[(id(1), 0)], [(id(4), 0)]]
    );
    // Records that claim to be inside each other are no reason to go round in circles.
    let circle = [inside(ended(2, 1, 1, 1.0, 5), 3), inside(ended(3, 1, 2, 1.0, 5), 2)];
    assert_eq!(all(&circle).trees[0].nodes.len(), 3);
}

#[test]
fn whatever_the_number_of_dispatches_little_comes_out() {
    let records: Vec<Record> = (0..5000_u32)
        .map(|number| {
            let mut record =
                failed(ended(1, 1, number.into(), 0.1, number.into()), &format!("class{number}"));
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            record.dispatch = Some(JobId::from_bytes(bytes).to_string());
            record.agent = Some(format!("agent{number}"));
            record
        })
        .collect();
    let mut counter = Counter::new(Period::default());
    for record in records.iter().rev() {
        counter.count(&Line::read(&serde_json::to_vec(record).unwrap()).unwrap());
    }
    let found = Found { record: records[0].clone(), asked: at(0), hint: None };
    let overview = counter.finish(&mut |_| Some(found.clone()), &mut |_| None);
    assert_eq!((overview.total.failed, overview.agents.top.len()), (5000, NAMES_SHOWN));
    let agents: u64 = overview.agents.top.iter().map(|(_, row)| row.sums.failed).sum();
    assert_eq!(agents + overview.agents.rest.failed, 5000);
    assert_eq!((overview.slowest.len(), overview.failed.len()), (SLOWEST_MAX, FAILED_MAX));
    assert!(overview.details.len() <= SLOWEST_MAX + FAILED_MAX + 5, "{}", overview.details.len());
    assert!(overview.failures.len() <= NAMES_KEPT, "{}", overview.failures.len());
}

#[test]
fn what_a_record_should_not_say_does_no_harm() {
    let wrong: [Value; 3] = [
        json!({"time": "2026-11-21T10:00:00Z", "event": "finished"}),
        json!({"time": "1970-01-01T00:00:00Z", "event": "hit", "answered_by": id(7).to_string()}),
        json!({"time": "2026-11-21T10:00:00Z", "event": "finished", "dispatch": id(1).to_string(),
            "end": {"success": false, "cost_usd": -1e300, "duration_ms": u64::MAX, "error_type": "x".repeat(5000)}}),
    ];
    let mut counter = Counter::new(Period::default());
    for record in wrong {
        counter.count(&Line::read(record.to_string().as_bytes()).unwrap());
    }
    let overview = counter.finish(&mut |_| None, &mut |_| Some(f64::NAN));
    assert_eq!((overview.total.failed, overview.total.cost_usd, overview.unpriced), (2, 0.0, 1));
    assert!(overview.failures.iter().all(|failure| failure.class.len() <= 40));
    assert_eq!((overview.durations.max_ms, overview.trees.len(), overview.details.len()), (None, 0, 0));
}
