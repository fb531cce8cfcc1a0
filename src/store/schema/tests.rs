//! What is stored comes back equal; foreign bytes are an error, never a panic; released bytes are read for ever.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::job::{CachePolicy, Places, ProcessId, State};
use crate::model::agent::ProfileInForce;
use crate::model::{
    CallEnd, Caller, Changes, Digest, FailureClass, JobId, OnDisconnect, Outcome, Retry, RunResult,
    SessionId, Timestamp, ToolUse, Usage,
};

/// A job record with a value in every field, as hexadecimal text: what version 1 of the format looks like.
const JOB_RECORD_V1: &str = include_str!("golden/job_record_v1.hex");

fn session(text: &str) -> SessionId {
    text.parse().unwrap()
}

fn result() -> RunResult {
    RunResult {
        success: false,
        error: Some("it took too long".to_owned()),
        class: Some(FailureClass::Timeout),
        hint: Some("resume it".to_owned()),
        retry: Some(Retry::After(Timestamp::from_millis(1_800_000_100_000))),
        session: Some(session("3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47")),
        cost_usd: Some(0.25),
        duration_ms: 61_000,
        num_turns: Some(7),
        outcome: Some(Outcome::Partial),
        denied_tools: vec!["Bash".to_owned()],
        denied_unknown: true,
        budget_exceeded: true,
        partial: true,
        model: Some("opus".to_owned()),
        usage: Usage { input: 1, output: 300, cache_read: 70_000, cache_creation: 5_000_000_000 },
        tools: BTreeMap::from([("Read".to_owned(), ToolUse { count: 3, millis: 400 })]),
        changes: Some(Changes {
            repository: Some("/srv".to_owned()),
            branch_before: Some("main".to_owned()),
            branch: Some("fix".to_owned()),
            head_before: Some("0123abcd".to_owned()),
            head: Some("4567cdef".to_owned()),
            commits: vec!["4567cdef".to_owned()],
            files: vec!["src/main.rs".to_owned()],
            files_total: 1,
            incomplete: true,
        }),
    }
}

fn job() -> JobRecord {
    JobRecord {
        id: JobId::from_bytes([1; 16]),
        state: State::Failed,
        agent: "docs".to_owned(),
        group: Some("all".to_owned()),
        directory: PathBuf::from("/srv/docs"),
        git_head: Some("0123abcd".to_owned()),
        session: session("3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47"),
        resumed: true,
        caller: Caller {
            client: "claude-code 2.1".to_owned(),
            session: Some("s".to_owned()),
            directory: Some("/srv/app".to_owned()),
            pid: 4711,
            declared: Some("me".to_owned()),
            parent: Some(JobId::from_bytes([2; 16])),
            depth: 1,
            tool_use: Some("toolu_1".to_owned()),
            user: Some("u".to_owned()),
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok(),
        },
        root: JobId::from_bytes([2; 16]),
        profile: ProfileInForce {
            model: Some("opus".to_owned()),
            permission_mode: Some("plan".to_owned()),
            allowed_tools: Some(vec![]),
            disallowed_tools: vec!["Write".to_owned()],
            max_budget_usd: Some(1.5),
            timeout_seconds: 60,
        },
        places: Places { everyone: 5, agent: Some(2) },
        task_preview: "do it – now".to_owned(),
        request_digest: Digest::from_bytes([3; 32]),
        task_digest: Digest::from_bytes([5; 32]),
        key: Some(Digest::from_bytes([4; 32])),
        cache: Some(CachePolicy { ttl_ms: 300_000, entries_max: 1000 }),
        created: Timestamp::from_millis(1_800_000_000_000),
        started: Some(Timestamp::from_millis(1_800_000_000_250)),
        ended: Some(Timestamp::from_millis(1_800_000_061_250)),
        attached: true,
        on_disconnect: OnDisconnect::Detach,
        worker: Some(ProcessId { pid: 4712, start_ticks: 123_456 }),
        stopped_by: Some("the deadline".to_owned()),
        result: Some(result()),
        answer_size: Some((12, 11)),
        audit_content: crate::model::agent::AuditContent::Preview,
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[test]
fn a_job_record_of_version_1_is_read_and_written_as_it_was_released() {
    let golden = from_hex(JOB_RECORD_V1);
    assert_eq!(to_hex(&encode(&job()).unwrap()), to_hex(&golden));
    assert_eq!(decode::<JobRecord>(&golden), Ok(job()));
}

#[test]
fn tool_calls_of_version_1_are_read_and_written_as_they_were_released() {
    let call = ToolCall {
        name: "Bash".to_owned(),
        input: "ls".to_owned(),
        parent: Some(3),
        start_ms: 250,
        duration_ms: Some(70_000),
        end: CallEnd::Denied,
    };
    let golden = from_hex("01 01 04 42617368 02 6c73 01 03 fa 01 fc70110100 03");
    assert_eq!(to_hex(&encode(&vec![call.clone()]).unwrap()), to_hex(&golden));
    assert_eq!(decode(&golden), Ok(vec![call]));
}

#[test]
fn a_record_with_nothing_in_it_comes_back_too() {
    let empty = JobRecord {
        group: None,
        git_head: None,
        key: None,
        cache: None,
        started: None,
        ended: None,
        worker: None,
        stopped_by: None,
        result: None,
        answer_size: None,
        caller: Caller::default(),
        profile: ProfileInForce::default(),
        ..job()
    };
    assert_eq!(decode(&encode(&empty).unwrap()), Ok(empty));
    for head in [Head::EMPTY, Head { seq: u64::MAX, hash: Digest::of(b"x") }] {
        assert_eq!(decode(&encode(&head).unwrap()), Ok(head));
    }
}

#[test]
fn a_newer_version_is_told_apart_from_damage() {
    let mut bytes = encode(&job()).unwrap();
    bytes[0] = 2;
    let newer = SchemaError::NewerFormat { what: "job record", found: 2, known: 1 };
    assert_eq!(decode::<JobRecord>(&bytes), Err(newer.clone()));
    assert_eq!(
        newer.to_string(),
        "a job record has format 2, this program knows formats up to 1: update agent-dispatch"
    );
    bytes[0] = 0;
    assert!(matches!(decode::<JobRecord>(&bytes), Err(SchemaError::Unreadable { .. })));
    assert!(matches!(decode::<JobRecord>(&[]), Err(SchemaError::Unreadable { .. })));
}

#[test]
fn every_cut_and_every_extra_byte_is_an_error() {
    let bytes = encode(&job()).unwrap();
    for length in 0..bytes.len() {
        assert!(decode::<JobRecord>(&bytes[..length]).is_err(), "{length}");
    }
    assert!(decode::<JobRecord>(&[bytes, vec![0]].concat()).is_err());
}

#[test]
fn a_path_that_is_not_text_cannot_be_stored_and_says_so() {
    use std::os::unix::ffi::OsStringExt as _;
    let odd = JobRecord { directory: PathBuf::from(std::ffi::OsString::from_vec(vec![b'/', 0xff])), ..job() };
    let error = encode(&odd).unwrap_err();
    assert!(matches!(error, SchemaError::Unwritable { what: "job record", .. }), "{error}");
}

#[test]
fn a_claimed_length_of_gigabytes_is_refused_without_being_believed() {
    let claim = [vec![1, 1, 0xfd], u64::MAX.to_le_bytes().to_vec()].concat();
    assert!(decode::<JobRecord>(&claim).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        drop(decode::<JobRecord>(&bytes));
        drop(decode::<JobRecord>(&[vec![1], bytes.clone()].concat()));
        if let Ok(head) = decode::<Head>(&bytes) {
            prop_assert_eq!(decode(&encode(&head).unwrap()), Ok(head));
        }
    }

    #[test]
    fn changed_bytes_of_a_record_never_panic(at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = encode(&job()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drop(decode::<JobRecord>(&bytes));
    }
}
