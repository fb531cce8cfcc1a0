//! `audit verify`: the check of the trail, told to a person or to a program.

use std::process::ExitCode;

use serde::Serialize;

use crate::audit::chain::{Fault, FaultKind, Head};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::verdict::{Verdict, VerifyReport};
use crate::cli::jobs::asked_by;
use crate::cli::progress;
use crate::cli::render::{fact, note, print_json, print_text};
use crate::dispatch::Frontend;
use crate::error::{Kind, Report};
use crate::model::JobId;

/// Exit codes of this command; told in its help.
const BROKEN: u8 = 1;
const INCOMPLETE: u8 = 2;
const UNREADABLE: u8 = 3;

/// Checks the trail, from an anchor on if there is one.
pub(in crate::cli) async fn verify(
    frontend: &Frontend,
    anchor: Option<Head>,
    as_json: bool,
) -> Result<ExitCode, Report> {
    let (line, shown) = progress::line(&frontend.environment, true);
    let mut tell = |done, of| {
        let text = if done < of { format!("{done} of {of} records") } else { "comparing jobs".to_owned() };
        line.say(move |elapsed| format!("audit verify: {text} ({} s)", elapsed.as_secs()));
    };
    tell(0, 1);
    let checked = tokio::select! {
        checked = frontend.check(anchor, &mut tell) => checked,
        never = shown => match never {},
    };
    let report = match checked {
        Ok(report) => report,
        Err(error) => {
            note(&crate::cli::render::harmless(&Report::from(error).text()));
            return Ok(ExitCode::from(UNREADABLE));
        }
    };
    if as_json {
        print_json(&Document::of(&report))?;
    } else {
        print_text(&told(&report))?;
        if let Some(report) = complaint(&report) {
            note(&report.text());
        }
    }
    Ok(match report.verdict() {
        Verdict::Whole => ExitCode::SUCCESS,
        Verdict::Broken => ExitCode::from(BROKEN),
        Verdict::Incomplete => ExitCode::from(INCOMPLETE),
    })
}

/// Returns what to say of a trail that is not whole.
fn complaint(report: &VerifyReport) -> Option<Report> {
    let (code, what, hint) = match report.verdict() {
        Verdict::Whole => return None,
        Verdict::Broken => (
            "audit_broken",
            "broken",
            "Keep the state directory as it is, and a copy of it: what follows the bad record still has its own order.",
        ),
        Verdict::Incomplete => {
            ("audit_incomplete", "incomplete", "What is there was not changed. See what is missing above.")
        }
    };
    let message = format!("the audit trail is {what}: {}", report.why().unwrap_or_default());
    Some(Report::new(Kind::Failed, code, message, hint))
}

/// What the check found, for programs.
#[derive(Serialize)]
struct Document<'a> {
    whole: bool,
    verdict: Verdict,
    records: u64,
    first: u64,
    head: Head,
    outside: Option<Head>,
    jobs: u64,
    faults: Vec<FaultDocument>,
    notes: &'a [String],
    remarks: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor: Option<Head>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'a Checkpoint>,
}

/// A fault, for programs.
#[derive(Serialize)]
struct FaultDocument {
    /// The bad record; 0 when a record is not there.
    seq: u64,
    kind: FaultKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch: Option<JobId>,
    text: String,
}

impl<'a> Document<'a> {
    fn of(report: &'a VerifyReport) -> Self {
        let verdict = report.verdict();
        let fault = |fault: &Fault| FaultDocument {
            seq: fault.seq,
            kind: fault.kind,
            dispatch: fault.dispatch,
            text: fault.to_string(),
        };
        Self {
            whole: verdict == Verdict::Whole,
            verdict,
            records: report.records,
            first: report.first,
            head: report.head,
            outside: report.outside,
            jobs: report.jobs,
            faults: report.faults.iter().map(fault).collect(),
            notes: &report.notes,
            remarks: &report.remarks,
            anchor: report.anchor,
            kept: report.kept.as_ref(),
        }
    }
}

fn told(report: &VerifyReport) -> String {
    let head = |head: &Head| format!("{}:{}", head.seq, head.hash);
    let mut text = fact(
        "audit trail",
        match report.verdict() {
            Verdict::Whole => "whole",
            Verdict::Broken => "BROKEN",
            Verdict::Incomplete => "INCOMPLETE",
        },
    );
    text.push_str(&fact("records", &report.records.to_string()));
    text.push_str(&fact("first", &report.first.to_string()));
    text.push_str(&fact("head", &head(&report.head)));
    text.push_str(&fact("outside head", &report.outside.as_ref().map_or("unknown".to_owned(), head)));
    text.push_str(&fact("jobs", &report.jobs.to_string()));
    if let Some(anchor) = &report.anchor {
        text.push_str(&fact("anchor", &format!("record {} is the one that was anchored", anchor.seq)));
    }
    if let Some(kept) = &report.kept {
        let (seq, date) = (kept.last + 1, kept.removed.local());
        let kept = format!("from {seq} (older removed on {date} by {})", asked_by(&kept.by));
        text.push_str(&fact("kept", &kept));
    }
    for fault in &report.faults {
        text.push_str(&fact(if fault.kind.is_loss() { "missing" } else { "fault" }, &fault.to_string()));
    }
    for said in &report.notes {
        text.push_str(&fact("missing", said));
    }
    for said in &report.remarks {
        text.push_str(&fact("note", said));
    }
    text
}

#[cfg(test)]
mod tests;
