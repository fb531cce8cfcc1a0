//! Whatever the index, the bounds and the size of the parts: what is found is what looking at every record finds.

use super::*;
use crate::audit::stats::By;
use crate::audit::{Code, End};
use crate::store::workbench::{Random, Room};

/// A room with records about a few agents and dispatches, some milliseconds apart; some share one.
fn room(dir: &std::path::Path, count: u64) -> (Room, Vec<Record>) {
    let room = Room::open(dir);
    let mut random = Random::new();
    let mut records = Vec::new();
    let mut time = Timestamp::from_millis(1_800_000_000_000);
    for _ in 0..count {
        time = time.plus_millis(random.below(3));
        let id = JobId::from_bytes([u8::try_from(random.below(5)).unwrap(); 16]).to_string();
        let code = [Code::Requested, Code::Finished, Code::Hit, Code::Gc];
        let mut record = Record::new(time, code[usize::try_from(random.below(4)).unwrap()]);
        record.agent = (random.below(4) > 0).then(|| format!("agent-{}", random.below(3)));
        record.dispatch = (random.below(4) > 0).then_some(id);
        record.end = (record.event == Code::Finished).then(|| End {
            success: random.below(2) == 0,
            cost_usd: Some(f64::from(u32::try_from(random.below(4)).unwrap())),
            ..End::default()
        });
        records.push(record);
    }
    let written = records.clone();
    room.commit(move |txn| written.into_iter().try_for_each(|record| txn.append(record).map(drop))).unwrap();
    (room, records)
}

fn reader(room: &Room) -> Reader {
    Reader::new(room.database.clone())
}

/// Returns the numbers of all records that a search finds, part by part.
fn all(reader: &Reader, filter: &AuditFilter, from: Place, looked_max: usize) -> Vec<u64> {
    let mut search = Search { filter: filter.clone(), from, wait_ms: 0 };
    let mut found = Vec::new();
    loop {
        let page = reader.search_some(&search, looked_max).unwrap();
        assert!(page.entries.len() <= filter.limit as usize);
        found.extend(page.entries.iter().map(|entry| entry.head.seq));
        match page.next {
            Some(next) => {
                assert_ne!(next, search.from, "it goes on");
                search.from = next;
            }
            None => return found,
        }
    }
}

#[test]
fn every_search_finds_what_looking_at_all_finds() {
    let dir = tempfile::tempdir().unwrap();
    let (room, records) = room(dir.path(), 120);
    let reader = reader(&room);
    let first = records[0].time;
    let filters: [AuditFilter; 9] = [
        AuditFilter::default(),
        AuditFilter { agents: vec!["agent-1".to_owned()], ..AuditFilter::default() },
        AuditFilter { agents: vec!["agent-1".to_owned(), "agent-2".to_owned()], ..AuditFilter::default() },
        AuditFilter { agents: vec!["no such/name".to_owned()], ..AuditFilter::default() },
        AuditFilter { dispatch: Some(JobId::from_bytes([3; 16])), ..AuditFilter::default() },
        AuditFilter { events: vec![Code::Finished], min_cost_usd: Some(2.0), ..AuditFilter::default() },
        AuditFilter {
            since: Some(first.plus_millis(40)),
            until: Some(first.plus_millis(70)),
            ..AuditFilter::default()
        },
        AuditFilter { since: Some(first.plus_millis(100_000)), ..AuditFilter::default() },
        AuditFilter {
            agents: vec!["agent-0".to_owned()],
            dispatch: Some(JobId::from_bytes([1; 16])),
            until: Some(first.plus_millis(90)),
            ..AuditFilter::default()
        },
    ];
    for mut filter in filters {
        let matcher = Matcher::new(&filter).unwrap();
        let numbered = (1_u64..).zip(&records);
        let mut want: Vec<u64> =
            numbered.filter(|(_, record)| matcher.matches(record)).map(|it| it.0).collect();
        for (limit, looked_max) in [(1000, 1000), (1, 1000), (7, 3), (1000, 1)] {
            filter.limit = limit;
            assert_eq!(all(&reader, &filter, Place::After(0), looked_max), want, "{filter:?}");
            want.reverse();
            assert_eq!(all(&reader, &filter, Place::Newest, looked_max), want, "{filter:?}");
            assert_eq!(reader.audit(&filter).unwrap().len(), want.len().min(limit as usize));
            want.reverse();
        }
        let later: Vec<u64> = want.iter().copied().filter(|seq| *seq > 50).collect();
        assert_eq!(all(&reader, &filter, Place::After(50), 1000), later);
    }
}

#[test]
fn the_place_of_a_time_is_found_also_where_records_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (room, records) = room(dir.path(), 60);
    let gone: Vec<u64> = (1..=20).chain(30..=40).chain([60]).collect();
    let missing = gone.clone();
    room.commit(move |txn| {
        for seq in &missing {
            txn.delete(keys::audit(*seq));
        }
        Ok(())
    })
    .unwrap();
    let reader = reader(&room);
    let kept: Vec<(u64, Timestamp)> =
        (1..).zip(&records).filter(|(seq, _)| !gone.contains(seq)).map(|(seq, it)| (seq, it.time)).collect();
    for millis in 0..200 {
        let time = records[0].time.plus_millis(millis);
        let want: Vec<u64> = kept.iter().filter(|(_, at)| *at >= time).map(|(seq, _)| *seq).collect();
        let filter = AuditFilter { since: Some(time), limit: 1000, ..AuditFilter::default() };
        assert_eq!(all(&reader, &filter, Place::After(0), 1000), want, "{millis}");
    }
}

fn called(id: u8, parent: Option<u8>, root: Option<u8>, code: Code) -> Record {
    let text = |byte: u8| JobId::from_bytes([byte; 16]).to_string();
    let mut record = Record::new(Timestamp::from_millis(1_800_000_000_000), code);
    record.dispatch = Some(text(id));
    record.parent = parent.map(text);
    record.root = root.map(text);
    record
}

#[test]
fn a_tree_is_found_from_any_of_its_dispatches_also_those_that_name_only_their_parent() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let records = vec![
        called(9, None, Some(9), Code::Requested),
        called(1, None, Some(1), Code::Requested),
        called(2, Some(1), Some(1), Code::Requested),
        called(3, Some(2), None, Code::Hit),
        called(8, Some(9), None, Code::Refused),
        called(1, None, Some(1), Code::Finished),
    ];
    room.commit(move |txn| records.into_iter().try_for_each(|record| txn.append(record).map(drop))).unwrap();
    let reader = reader(&room);
    for id in [1, 2, 3] {
        let tree = Some(JobId::from_bytes([id; 16]));
        let filter = AuditFilter { tree, limit: 1000, ..AuditFilter::default() };
        assert_eq!(all(&reader, &filter, Place::Newest, 2), [6, 4, 3, 2], "{id}");
    }
    let tree = Some(JobId::from_bytes([8; 16]));
    let filter = AuditFilter { tree, limit: 1000, ..AuditFilter::default() };
    assert_eq!(all(&reader, &filter, Place::Newest, 1000), [5, 1]);
}

#[test]
fn numbers_are_of_what_fits_and_saved_is_what_the_run_had_cost() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let mut run = called(1, None, Some(1), Code::Finished);
    run.agent = Some("infra".to_owned());
    run.end = Some(End { success: true, cost_usd: Some(0.25), duration_ms: 10, ..End::default() });
    let mut hit = called(2, None, None, Code::Hit);
    hit.agent = Some("infra".to_owned());
    hit.answered_by.clone_from(&run.dispatch);
    hit.time = hit.time.plus_millis(5);
    let since = hit.time;
    let records = vec![called(1, None, Some(1), Code::Requested), run, hit.clone(), hit];
    room.commit(move |txn| records.into_iter().try_for_each(|record| txn.append(record).map(drop))).unwrap();
    let reader = reader(&room);
    let numbers = |only: AuditFilter| reader.stats(&StatsFilter { by: By::Agent, only }).unwrap();
    let stats = numbers(AuditFilter::default());
    assert_eq!((stats.total.dispatches, stats.total.cached_hits), (1, 2));
    assert_eq!((stats.total.cost_usd, stats.total.saved_usd), (0.25, 0.5));
    // The run itself may lie before the time that is asked for.
    let late = numbers(AuditFilter { since: Some(since), ..AuditFilter::default() });
    assert_eq!((late.total.dispatches, late.total.saved_usd), (0, 0.5));
    let named =
        numbers(AuditFilter { agents: vec!["infra".to_owned()], cached: true, ..AuditFilter::default() });
    assert_eq!((named.parts.len(), named.total.cached_hits, named.total.dispatches), (1, 2, 0));
}
