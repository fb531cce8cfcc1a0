//! `agent-dispatch audit`: what was asked, run, refused and changed; one question a file beside this one.

use std::process::ExitCode;

use serde::Serialize;

use crate::audit::chain::Head;
use crate::audit::query::VerifyReport;
use crate::cli::args::{AuditArguments, AuditCommand};
use crate::cli::progress;
use crate::cli::render::{Screen, fact, note, print_json, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::error::{Kind, Report};

mod blame;
mod diff;
mod filter;
mod list;
mod numbers;
mod output;
mod show;

/// Carries out the command; without one, lists records.
pub(super) async fn run(
    frontend: &Frontend,
    screen: Screen,
    command: Option<AuditCommand>,
    asked: AuditArguments,
) -> Result<ExitCode, Report> {
    match command {
        None => list::list(frontend, screen, asked).await,
        Some(AuditCommand::Show { what, part, json }) => {
            show::show(frontend, screen, &what, part, json).await
        }
        Some(AuditCommand::Diff { first, second, json }) => {
            diff::diff(frontend, screen, [&first, &second], json).await
        }
        Some(AuditCommand::Blame { path, limit, json }) => {
            blame::blame(frontend, screen, &path, limit, json).await
        }
        Some(AuditCommand::Stats { by, filter, json }) => {
            numbers::stats(frontend, screen, by, filter, json).await
        }
        Some(AuditCommand::Verify { json }) => verify(frontend, json).await,
    }
}

/// What `grep` says when it found nothing.
const NOTHING_FOUND: u8 = 1;

/// Returns the exit code for what was found, and tells a person when that is nothing.
fn found(anything: bool) -> ExitCode {
    if anything {
        return ExitCode::SUCCESS;
    }
    note("There are no such records.\n");
    ExitCode::from(NOTHING_FOUND)
}

/// Checks the whole trail.
async fn verify(frontend: &Frontend, as_json: bool) -> Result<ExitCode, Report> {
    let asked = frontend.client.ask(&Request::Verify);
    let Reply::Verified(report) = progress::during(&frontend.environment, "checking", asked).await? else {
        return Err(ClientError::Confused.into());
    };
    let whole = report.faults.is_empty();
    if as_json {
        print_json(&Verified { whole, report: &report })?;
    } else {
        print_text(&checked(&report))?;
        if let Some(fault) = report.faults.first() {
            let hint =
                "Keep the state directory as it is: what follows the bad record still has its own order.";
            let error = Report::new(
                Kind::Failed,
                "audit_broken",
                format!("the audit trail is broken: {fault}"),
                hint,
            );
            note(&error.text());
        }
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.exit_code()) })
}

/// What the check found.
#[derive(Serialize)]
struct Verified<'a> {
    whole: bool,
    #[serde(flatten)]
    report: &'a VerifyReport,
}

fn checked(report: &VerifyReport) -> String {
    let head = |head: &Head| format!("{}:{}", head.seq, head.hash);
    let mut text = fact("audit trail", if report.faults.is_empty() { "whole" } else { "BROKEN" });
    text.push_str(&fact("records", &report.records.to_string()));
    text.push_str(&fact("first", &report.first.to_string()));
    text.push_str(&fact("head", &head(&report.head)));
    text.push_str(&fact("outside head", &report.outside.as_ref().map_or("unknown".to_owned(), head)));
    for fault in &report.faults {
        text.push_str(&fact("fault", &fault.to_string()));
    }
    for said in &report.notes {
        text.push_str(&fact("note", said));
    }
    text
}
