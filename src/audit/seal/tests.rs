//! A secret in any place of a value is taken out, and a value without one is not touched.

use std::collections::BTreeMap;

use super::*;
use crate::audit::{Code, End, Record};
use crate::model::agent::ProfileInForce;
use crate::model::{Caller, Changes, JobId, RunResult, Timestamp, ToolUse};

fn key() -> AuditKey {
    AuditKey::from_bytes([7; 32])
}

/// A secret of each shape, put together so that no scanner takes it for a real one: as it would stand in a text, and the
/// part of it that must be nowhere afterwards.
pub(crate) fn secrets() -> Vec<(String, String)> {
    let body = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb3dEf6h";
    let whole = [
        ["sk-", "ant-api03-"],
        ["sk-", "proj-"],
        ["gh", "p_"],
        ["github_", "pat_"],
        ["gl", "pat-"],
        ["xox", "b-"],
        ["AI", "za"],
        ["sk_", "live_"],
        ["npm", "_"],
        ["pypi", "-AgEI"],
        ["hf", "_"],
        ["ey", "JhbGciOiJIUzI1.eyJzdWIiOiIx."],
        ["Authorization: ", "Bearer "],
        ["password", "="],
        ["CI_TOKEN", "="],
        ["APP_SECRET", "="],
        ["postgres://app:pw", "x"],
    ];
    let mut rows: Vec<(String, String)> = whole
        .iter()
        .map(|parts| {
            (
                format!("{}{body}{}", parts.concat(), if parts[0].contains("://") { "@db/x" } else { "" }),
                body.to_owned(),
            )
        })
        .collect();
    let aws = ["AKIA", "IOSFODNN7EXAMPLE"].concat();
    rows.push((aws.clone(), aws));
    let pem = ["-----BEGIN PRIVATE ", "KEY-----\nMIIEpem\n-----END PRIVATE ", "KEY-----"].concat();
    rows.push((pem, "MIIEpem".to_owned()));
    rows
}

/// A record with this text wherever others may put one.
fn record(text: &str) -> Record {
    let text = || Some(text.to_owned());
    let list = || vec![text().unwrap_or_default()];
    let map = || BTreeMap::from([(text().unwrap_or_default(), text().unwrap_or_default())]);
    Record {
        dispatch: text(),
        answered_by: text(),
        parent: text(),
        root: text(),
        caller: Some(Caller {
            client: text().unwrap_or_default(),
            session: text(),
            directory: text(),
            declared: text(),
            tool_use: text(),
            user: text(),
            parent: Some(JobId::from_bytes([2; 16])),
            ..Caller::default()
        }),
        agent: text(),
        group: text(),
        directory: text(),
        git_head: text(),
        request_digest: text(),
        task_preview: text(),
        profile: Some(ProfileInForce {
            model: text(),
            permission_mode: text(),
            allowed_tools: Some(list()),
            disallowed_tools: list(),
            ..ProfileInForce::default()
        }),
        session: text(),
        status: text(),
        end: Some(End {
            error_type: text(),
            error: text(),
            outcome: text(),
            model: text(),
            tools: BTreeMap::from([(text().unwrap_or_default(), ToolUse::default())]),
            denied_tools: list(),
            answer_preview: text(),
            changes: Some(Changes {
                repository: text(),
                branch_before: text(),
                branch: text(),
                files: list(),
                ..Changes::default()
            }),
            ..End::default()
        }),
        reason: text(),
        details: map(),
        ..Record::new(Timestamp::from_millis(1), Code::Finished)
    }
}

#[test]
fn a_secret_of_any_shape_in_any_field_of_a_record_is_taken_out() {
    let places = serde_json::to_string(&record("here")).unwrap().matches("here").count();
    assert!(places > 30, "{places}");
    for (text, hidden) in secrets() {
        let json = serde_json::to_string(&clean(record(&text), &key()).unwrap()).unwrap();
        assert!(!json.contains(&hidden), "{text}: {json}");
        assert_eq!(json.matches("[redacted:").count(), places, "{text}: {json}");
    }
}

#[test]
fn a_secret_in_the_facts_of_a_run_is_taken_out() {
    for (text, hidden) in secrets() {
        let mut result = RunResult::succeeded(5);
        result.error = Some(text.clone());
        result.hint = Some(text.clone());
        result.cost_usd = Some(0.25);
        result.tools = BTreeMap::from([(text.clone(), ToolUse::default())]);
        let clean = clean(result, &key()).unwrap();
        assert!(!format!("{clean:?}").contains(&hidden), "{clean:?}");
        assert_eq!((clean.duration_ms, clean.cost_usd), (5, Some(0.25)));
    }
}

#[test]
fn a_record_without_a_secret_stays_as_it_is() {
    for text in ["plain", "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47", "the key to it is a token of trust"] {
        assert_eq!(clean(record(text), &key()).unwrap(), record(text));
    }
}
