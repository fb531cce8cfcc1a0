//! What has ended long enough ago goes; what lives, or cannot be told to be old, stays.

use std::path::PathBuf;

use super::*;
use crate::job::{Places, State};
use crate::model::agent::ProfileInForce;
use crate::model::{Caller, Digest, OnDisconnect, SessionId};

const DAY: u64 = 86_400_000;
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn id(created: Timestamp) -> JobId {
    JobId::from_bytes((u128::from(created.as_millis()) << 80).to_be_bytes())
}

fn session_id() -> SessionId {
    "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47".parse().unwrap()
}

fn job(state: State, created: Timestamp, ended: Option<Timestamp>) -> JobRecord {
    JobRecord {
        id: id(created),
        state,
        agent: "docs".to_owned(),
        group: None,
        directory: PathBuf::from("/srv/docs"),
        git_head: None,
        session: session_id(),
        resumed: false,
        caller: Caller::default(),
        root: id(created),
        profile: ProfileInForce::default(),
        places: Places { everyone: 5, agent: None },
        task_preview: String::new(),
        request_digest: Digest::ZERO,
        task_digest: Digest::ZERO,
        key: None,
        cache: None,
        created,
        started: None,
        ended,
        attached: false,
        on_disconnect: OnDisconnect::Detach,
        worker: None,
        stopped_by: None,
        result: None,
        answer_size: None,
        audit_content: crate::model::agent::AuditContent::Preview,
    }
}

fn rule(retention: Retention) -> Rule {
    Rule::new(retention, None, NOW)
}

#[test]
fn an_age_is_a_number_of_days_above_zero_that_a_timestamp_can_tell() {
    for (days, want) in [
        (7.0, 7 * DAY),
        (0.5, DAY / 2),
        (1e-9, 1),
        (f64::MIN_POSITIVE, 1),
        (36_500.0, 36_500 * DAY),
        (1e11, 100_000_000_000 * DAY),
    ] {
        assert_eq!(Retention::days(days), Ok(Retention::Last(want)), "{days}");
    }
    for days in [0.0, -0.0, -1.0, -1e-300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.1e11, 1e300] {
        let told = Retention::days(days).unwrap_err().to_string();
        assert!(told.starts_with(&format!("{days:?} is not an age in days")), "{told}");
    }
}

#[test]
fn a_job_goes_when_it_ended_before_what_is_kept_and_one_that_has_not_ended_never() {
    let week = rule(Retention::Last(7 * DAY));
    let ago = |millis| NOW.minus_millis(millis);
    for state in State::ALL {
        let over = state.is_terminal();
        for (created, ended, want) in [
            (ago(30 * DAY), Some(ago(8 * DAY)), over),
            (ago(30 * DAY), Some(ago(7 * DAY + 1)), over),
            (ago(30 * DAY), Some(ago(7 * DAY)), false),
            (ago(30 * DAY), Some(NOW), false),
            // Without an end its beginning counts.
            (ago(30 * DAY), None, over),
            (ago(DAY), None, false),
        ] {
            assert_eq!(week.job_goes(&job(state, created, ended)), want, "{state:?} {created} {ended:?}");
        }
        // The clock was set back since it ended.
        let ahead = job(state, NOW, Some(NOW.plus_millis(DAY)));
        assert!(!week.job_goes(&ahead));
        assert_eq!(rule(Retention::Unended).job_goes(&ahead), over);
        assert_eq!(rule(Retention::Unended).job_goes(&job(state, NOW, Some(NOW))), over);
    }
    // An age longer than time itself keeps everything.
    assert!(!rule(Retention::Last(u64::MAX / 2)).job_goes(&job(State::Done, ago(DAY), Some(ago(DAY)))));
}

#[test]
fn an_id_from_the_time_that_is_kept_need_not_be_looked_at() {
    let week = rule(Retention::Last(7 * DAY));
    assert!(week.reaches(id(NOW.minus_millis(7 * DAY + 1))));
    assert!(!week.reaches(id(NOW.minus_millis(7 * DAY))));
    assert!(rule(Retention::Unended).reaches(id(NOW.plus_millis(DAY))));
}

#[test]
fn a_conversation_goes_when_nobody_used_it_and_nobody_is_in_it() {
    let session = |last_used| Session {
        id: session_id(),
        agent: "docs".to_owned(),
        directory: PathBuf::from("/srv/docs"),
        dispatches: 1,
        turns: 1,
        cost_usd: 0.0,
        last_job: id(NOW),
        last_used,
    };
    let week = rule(Retention::Last(7 * DAY));
    let old = session(NOW.minus_millis(8 * DAY));
    assert_eq!([week.session_goes(&old, false), week.session_goes(&old, true)], [true, false]);
    assert!(!week.session_goes(&session(NOW.minus_millis(DAY)), false));
    let all = rule(Retention::Unended);
    assert_eq!(
        [all.session_goes(&session(NOW), false), all.session_goes(&session(NOW), true)],
        [true, false]
    );
}

#[test]
fn a_run_folder_goes_an_hour_after_its_job_and_never_before() {
    // Whatever is kept of jobs: a folder is scratch.
    for rule in [rule(Retention::Unended), rule(Retention::Last(7 * DAY))] {
        let (old, fresh) = (NOW.minus_millis(3_600_001), NOW.minus_millis(3_600_000));
        for state in State::ALL {
            let ended = |at| Some(job(state, NOW.minus_millis(30 * DAY), Some(at)));
            assert_eq!(rule.folder_goes(id(old), ended(old).as_ref()), state.is_terminal(), "{state:?}");
            assert!(!rule.folder_goes(id(old), ended(fresh).as_ref()), "{state:?}");
        }
    }
}

#[test]
fn a_run_folder_whose_job_is_not_known_stays_as_long_as_a_job_would() {
    for (retention, stays, goes) in [
        (Retention::Unended, 3_600_000, 3_600_001),
        (Retention::Last(60_000), 3_600_000, 3_600_001),
        (Retention::Last(7 * DAY), 7 * DAY, 7 * DAY + 1),
    ] {
        let rule = rule(retention);
        assert!(!rule.folder_goes(id(NOW.minus_millis(stays)), None), "{retention:?}");
        assert!(rule.folder_goes(id(NOW.minus_millis(goes)), None), "{retention:?}");
    }
}

#[test]
fn a_folder_that_is_kept_goes_with_its_job() {
    let week = rule(Retention::Last(7 * DAY));
    for (age, goes) in [(7 * DAY, false), (7 * DAY + 1, true)] {
        let at = NOW.minus_millis(age);
        assert_eq!(week.kept_goes(id(at), None), goes);
        for state in State::ALL {
            let job = job(state, NOW.minus_millis(30 * DAY), Some(at));
            assert_eq!(week.kept_goes(id(at), Some(&job)), goes && state.is_terminal(), "{state:?}");
        }
    }
}

#[test]
fn counts_add_up_under_their_names() {
    let one = Tally { jobs: 1, cache_entries: 2, sessions: 3, decisions: 4, pieces: 5, run_folders: 6 };
    let mut sum = one;
    sum += one;
    let named = sum.named().map(|(_, count)| count);
    assert_eq!(named, [2, 4, 6, 8, 10, 12]);
}
