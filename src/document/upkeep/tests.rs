//! What both doors tell of keeping and cleaning: the keys of the original, and nothing that is not a number.

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::config;
use crate::model::{JobId, Session, Timestamp};
use crate::retention::Tally;

fn report() -> GcReport {
    GcReport {
        tally: Tally { jobs: 2, cache_entries: 1, sessions: 3, decisions: 4, pieces: 5, run_folders: 6 },
        jobs: vec![JobId::from_bytes([2; 16]), JobId::from_bytes([1; 16])],
        kept: vec![(PathBuf::from("/state/it's/store.corrupt-1"), 10)],
        not_yet: false,
    }
}

#[test]
fn a_clean_up_tells_what_went_and_a_dry_run_what_would() {
    let counts = json!({
        "cache_entries": 1, "sessions": 3, "decisions": 4, "orphan_pieces": 5, "run_folders": 6,
        "kept": [{
            "path": "/state/it's/store.corrupt-1", "bytes": 10,
            "remove_with": r"rm -r '/state/it'\''s/store.corrupt-1'",
        }],
    });
    let with = |facts: serde_json::Value| {
        let mut all = facts.as_object().unwrap().clone();
        all.extend(counts.as_object().unwrap().clone());
        serde_json::Value::Object(all)
    };
    let removed = GcDocument::of(&report(), Some(0.5), false);
    assert_eq!(serde_json::to_value(removed).unwrap(), with(json!({"purged": 2, "max_age_days": 0.5})));
    let dry = GcDocument::of(&report(), None, true);
    let ids = ["02".repeat(16), "01".repeat(16)];
    let want = with(json!({"dry_run": true, "purged": 0, "would_purge": 2, "job_ids": ids}));
    assert_eq!(serde_json::to_value(dry).unwrap(), want);
}

#[test]
fn the_cache_tells_its_numbers_or_that_it_is_off() {
    let settings = CacheSettings { enabled: true, ttl: 300, max_size: 1000 };
    let counters = Counters { entries: 4, next: 9, hits: 1, misses: 2, evictions: 5 };
    let told = serde_json::to_value(CacheStatsDocument::of(settings, Some(counters))).unwrap();
    let want = json!({
        "enabled": true, "size": 4, "max_size": 1000, "hits": 1, "misses": 2, "evictions": 5, "hit_rate": 0.333,
        "ttl": 300,
    });
    assert_eq!(told, want);
    let off = serde_json::to_value(CacheStatsDocument::of(settings, None)).unwrap();
    assert_eq!(off, json!({"enabled": false, "message": OFF}));
    assert_eq!(serde_json::to_value(CacheClearedDocument::of(Some(3))).unwrap(), json!({"cleared": 3}));
    let off = serde_json::to_value(CacheClearedDocument::of(None)).unwrap();
    assert_eq!(off, json!({"enabled": false, "message": OFF}));
}

#[test]
fn the_share_of_hits_is_a_number_between_nothing_and_all() {
    for (hits, misses, want) in
        [(0, 0, 0.0), (0, 5, 0.0), (1, 0, 1.0), (2, 1, 0.667), (1, 1999, 0.001), (u64::MAX, u64::MAX, 0.5)]
    {
        assert!((hit_rate(hits, misses) - want).abs() < 1e-9, "{hits} {misses}: {}", hit_rate(hits, misses));
    }
}

#[test]
fn a_conversation_says_what_stands_in_the_way_of_going_on() {
    let dir = tempfile::tempdir().unwrap();
    let here = std::fs::canonicalize(dir.path()).unwrap();
    let file = dir.path().join("agents.yaml");
    let configured = |text: &str| {
        std::fs::write(&file, text.replace("HERE", here.to_str().unwrap())).unwrap();
        config::Source::new(file.clone(), here.clone()).current().unwrap()
    };
    let view = |directory: &str, busy: Option<JobId>| SessionView {
        session: Session {
            id: "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47".parse().unwrap(),
            agent: "docs".to_owned(),
            directory: PathBuf::from(directory.replace("HERE", here.to_str().unwrap())),
            dispatches: 2,
            turns: 7,
            cost_usd: 0.5,
            last_job: JobId::from_bytes([1; 16]),
            last_used: Timestamp::from_millis(1_800_000_000_500),
        },
        last_task: Some("x".repeat(300)),
        busy,
    };
    let docs = configured("agents:\n  docs:\n    directory: HERE\n");
    let free = SessionsDocument::of(&[view("HERE", None)], Some(&docs));
    assert_eq!((free.sessions[0].resumable, &free.sessions[0].why_not), (true, &None));
    assert_eq!(
        (free.sessions[0].last_used, free.sessions[0].last_task.as_ref().unwrap().len()),
        (1.8e9 + 0.5, 120)
    );
    assert!(free.message.unwrap().contains("dispatch_session(agent=\"docs\", session_id=\"3f1c0a52-"));
    let other = configured("agents:\n  other:\n    directory: HERE\n");
    for (view, config, want) in [
        (view("HERE", Some(JobId::from_bytes([3; 16]))), Some(&docs), "is under way in it"),
        (view("/srv/docs", None), Some(&docs), "`docs` works in "),
        (view("HERE", None), Some(&other), "there is no agent `docs` any more"),
        (view("HERE", None), None, "the agents file cannot be read"),
    ] {
        let told = SessionsDocument::of(&[view], config.map(|config| &**config));
        let why = told.sessions[0].why_not.clone().unwrap();
        assert!(why.contains(want) && !told.sessions[0].resumable && told.message.is_none(), "{why}");
    }
}
