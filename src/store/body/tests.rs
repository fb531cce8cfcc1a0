//! Every record fits, says what it can, and stays a record.

use proptest::prelude::*;

use super::*;
use crate::audit::{Code, End};
use crate::model::agent::ProfileInForce;
use crate::model::{Caller, Changes, JobId, Timestamp};

fn read(bytes: &[u8]) -> Record {
    serde_json::from_slice(bytes).unwrap()
}

fn record(text: &str, count: usize) -> Record {
    let text = || Some(text.to_owned());
    let mut record = Record::new(Timestamp::from_millis(1), Code::Finished);
    record.dispatch = Some(JobId::from_bytes([1; 16]).to_string());
    record.agent = text();
    record.task_preview = text();
    record.reason = text();
    record.task_mac = text();
    record.context_mac = text();
    record.trace = text();
    record.secrets = vec!["jwt 1a2b3c4d".to_owned(); count];
    record.directory = text();
    record.session = text();
    record.caller = Some(Caller {
        client: text().unwrap_or_default(),
        declared: text(),
        directory: text(),
        session: text(),
        tool_use: text(),
        user: text(),
        parent: Some(JobId::from_bytes([2; 16])),
        ..Caller::default()
    });
    let names: Vec<String> = (0..count).map(|at| format!("{at}{}", text().unwrap_or_default())).collect();
    record.profile = Some(ProfileInForce {
        model: text(),
        allowed_tools: Some(names.clone()),
        disallowed_tools: names.clone(),
        ..ProfileInForce::default()
    });
    record.end = Some(End {
        error: text(),
        model: text(),
        tools: names.iter().map(|name| (name.clone(), ToolUse::default())).collect(),
        denied_tools: names.clone(),
        answer_preview: text(),
        answer_mac: text(),
        calls_digest: text(),
        changes: Some(Changes {
            repository: text(),
            branch_before: text(),
            branch: text(),
            head_before: text(),
            head: text(),
            commits: names.clone(),
            files: names.clone(),
            files_total: 500,
            incomplete: false,
        }),
        ..End::default()
    });
    record.details = names.into_iter().map(|name| (name.clone(), name)).collect();
    record
}

#[test]
fn a_short_record_is_left_as_it_is() {
    let record = record("text", 2);
    assert_eq!(read(&body(&mut record.clone()).unwrap()), record);
}

#[test]
fn long_texts_are_cut_before_anything_else() {
    let mut long = Record::new(Timestamp::from_millis(1), Code::Requested);
    long.agent = Some("docs".to_owned());
    long.task_preview = Some("t".repeat(3000));
    long.reason = Some("r".repeat(3000));
    let bytes = body(&mut long.clone()).unwrap();
    let expected = Record {
        task_preview: Some(format!("{}…", "t".repeat(1500))),
        reason: Some(format!("{}…", "r".repeat(1500))),
        ..long
    };
    assert_eq!(read(&bytes), expected);
    assert!(bytes.len() > BODY_BYTES_MAX / 2);
}

#[test]
fn of_many_changed_files_some_are_named_and_all_are_counted() {
    let files: Vec<String> = (0..50).map(|at| format!("{at:02}/{}", "directory/".repeat(15))).collect();
    let mut long = Record::new(Timestamp::from_millis(1), Code::Finished);
    let changes = Changes { files: files.clone(), files_total: 400, ..Changes::default() };
    long.end = Some(End { changes: Some(changes), ..End::default() });
    let bytes = body(&mut long).unwrap();
    let kept = read(&bytes).end.unwrap().changes.unwrap();
    assert_eq!((kept.files.as_slice(), kept.files_total), (&files[..20], 400));
}

#[test]
fn tools_that_lose_their_names_are_still_counted() {
    let tool =
        |at: usize| (format!("mcp__server__a_rather_long_name_{at:02}"), ToolUse { count: 2, millis: 5 });
    let other = (ToolUse::OTHER.to_owned(), ToolUse { count: 7, millis: 1 });
    let mut long = Record::new(Timestamp::from_millis(1), Code::Finished);
    long.directory = Some("d".repeat(200));
    long.end = Some(End {
        tools: (0..64).map(tool).chain([other]).collect(),
        answer_preview: Some("p".repeat(200)),
        ..End::default()
    });
    let short = read(&body(&mut long.clone()).unwrap());
    let end = short.end.unwrap();
    // The words of the answer are worth more than the twenty-first name.
    assert_eq!((short.directory, end.answer_preview), (long.directory, long.end.unwrap().answer_preview));
    assert_eq!(end.tools.len(), TOOL_NAMES + 1);
    assert_eq!(end.tools[ToolUse::OTHER], ToolUse { count: 44 * 2 + 7, millis: 44 * 5 + 1 });
}

#[test]
fn a_shortened_list_of_tools_does_not_say_that_none_was_allowed() {
    let bytes = body(&mut record(&"name".repeat(300), 300)).unwrap();
    let short = read(&bytes);
    assert_eq!(short.dispatch, Some(JobId::from_bytes([1; 16]).to_string()));
    assert_eq!(short.profile.unwrap().allowed_tools.unwrap().last().unwrap(), "…");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_record_fits_and_stays_a_record(text in any::<String>(), times in 1..60_usize, count in 0..25_usize) {
        let record = record(&text.repeat(times), count);
        let bytes = body(&mut record.clone()).unwrap();
        prop_assert!(bytes.len() <= BODY_BYTES_MAX, "{}", bytes.len());
        let short = read(&bytes);
        prop_assert_eq!((short.time, short.event), (record.time, record.event));
    }
}
