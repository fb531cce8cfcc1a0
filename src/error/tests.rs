//! How an error reads, and that nothing in it can pass for a line of ours.

use super::*;
use crate::config::edit::Subject;

#[test]
fn an_error_is_a_fact_and_what_to_do_about_it() {
    let report =
        Report::new(Kind::Usage, "invalid_id", "`x` is not a job id", "List them with: agent-dispatch jobs");
    assert_eq!(report.text(), "error: `x` is not a job id\nhint: List them with: agent-dispatch jobs\n");
}

#[test]
fn a_line_break_in_a_message_begins_no_line_of_ours() {
    let report = Report::new(Kind::Config, "config", "first\nhint: forged\n", "do\nerror: forged");
    assert_eq!(report.text(), "error: first\n       hint: forged\nhint: do\n      error: forged\n");
}

#[test]
fn whose_move_it_is_decides_the_exit_code() {
    let kinds = [Kind::Failed, Kind::NotFound, Kind::Usage, Kind::Config, Kind::Refused, Kind::Unavailable];
    assert_eq!(kinds.map(Kind::exit_code), [1, 1, 2, 3, 4, 5]);
}

#[test]
fn a_dispatch_that_runs_is_named_whatever_else_is_not_known() {
    let job = crate::model::JobId::generate();
    let report = Report::from(DispatchError::Untold { job, source: ClientError::Confused });
    let told = [&report.message, &report.hints[0]].map(|text| text.contains(&job.to_string()));
    assert_eq!((report.kind, told), (Kind::Unavailable, [true, true]));
}

#[test]
fn a_change_that_was_not_made_says_so_and_keeps_the_code_of_its_reason() {
    let error = ChangeError::NotMade(ClientError::Confused);
    let report = Report::from(error);
    assert_eq!((report.kind, report.code), (Kind::Unavailable, "store_unavailable"));
    assert!(
        report.message.starts_with("the change could not be recorded, so it was not made: "),
        "{report:?}"
    );
    let report = Report::from(ChangeError::Edit(EditError::NothingToChange {
        subject: Subject::Agent("docs".to_owned()),
    }));
    assert_eq!((report.kind, report.code), (Kind::Usage, "nothing_to_change"));
}
