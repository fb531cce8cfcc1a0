//! What went wrong, as it is told: the one place that knows the audience. Kind, message, hints, exit code, and the code
//! that a model sees.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::config::edit::EditError;
use crate::daemon::ClientError;
use crate::daemon::place::PlaceError;
use crate::daemon::protocol::WireFault;
use crate::dispatch::{ChangeError, DispatchError};
use crate::model::absent::{there_is_no, without_agent};
use crate::model::request::BadField;
use crate::model::{Retry, shell, with_causes};
use crate::plan::Refusal;

/// Whose move it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The dispatch failed.
    Failed,
    /// There is no such thing, or nothing was found.
    NotFound,
    /// The request is not valid.
    Usage,
    /// The configuration stands in the way.
    Config,
    /// The dispatch was refused.
    Refused,
    /// The store, or the daemon that owns it, cannot be reached.
    Unavailable,
}

impl Kind {
    /// Returns the exit code of the command line; documented in the README.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::NotFound => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Refused => 4,
            Self::Unavailable => 5,
        }
    }

    /// Returns whether trying again can help.
    pub const fn retry(self) -> Retry {
        match self {
            Self::Unavailable => Retry::Now,
            Self::Failed | Self::NotFound | Self::Usage | Self::Config | Self::Refused => Retry::Never,
        }
    }
}

/// An error, told: one sentence of fact, then what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose move it is.
    pub kind: Kind,
    /// A stable word that programs can match on.
    pub code: &'static str,
    /// What is wrong, and where.
    pub message: String,
    /// What to do next; each names a command or a call.
    pub hints: Vec<String>,
    /// What a model does instead, when the hints name commands: it has tools, and may have no command line.
    pub call: Option<String>,
}

impl Report {
    /// Returns a report with one hint.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), hints: vec![hint.into()], call: None }
    }

    /// Returns that there is no agent of this name among these.
    pub fn no_agent(name: &str, known: &[String]) -> Self {
        let steps = without_agent(name, known);
        let calls: Vec<String> = steps.iter().map(|step| format!("{} {}.", step.tool, step.does)).collect();
        Self {
            kind: Kind::NotFound,
            code: "not_found",
            message: there_is_no("agent", name, known),
            hints: steps.iter().map(|step| format!("`{}` {}.", step.command, step.does)).collect(),
            call: Some(calls.join(" ")),
        }
    }

    /// Says what a model does instead of typing the command that the hint names.
    pub fn or_call(mut self, call: impl Into<String>) -> Self {
        self.call = Some(call.into());
        self
    }

    /// Returns what a model is told to do next.
    pub fn advice(&self) -> String {
        self.call.clone().unwrap_or_else(|| self.hints.join(" "))
    }

    /// Returns the exit code of the command line.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.exit_code())
    }

    /// Returns the report as the command line prints it to stderr.
    pub fn text(&self) -> String {
        // What follows a line break stands behind an indent, so that no message can pass for a hint.
        let mut text = format!("error: {}\n", self.message.trim_end().replace('\n', "\n       "));
        for hint in &self.hints {
            let _infallible = writeln!(text, "hint: {}", hint.replace('\n', "\n      "));
        }
        text
    }
}

impl From<Vec<BadField>> for Report {
    fn from(fields: Vec<BadField>) -> Self {
        let all: Vec<String> = fields.iter().map(ToString::to_string).collect();
        let message = format!("the request is not valid: {}", all.join("; "));
        Self::new(Kind::Usage, "invalid_request", message, "Correct the named fields and send it again.")
    }
}

impl From<&Refusal> for Report {
    fn from(refusal: &Refusal) -> Self {
        let code = refusal.class.as_str();
        Self::new(Kind::Refused, code, refusal.message.clone(), refusal.hint.clone())
    }
}

impl From<&ConfigError> for Report {
    fn from(error: &ConfigError) -> Self {
        let hint = "Fix the file and try again. All that is wrong with it is told by: agent-dispatch doctor";
        Self::new(Kind::Config, "config", with_causes(error), hint)
            .or_call("Fix the named lines of the file, then make this call again.")
    }
}

impl From<&EditError> for Report {
    fn from(error: &EditError) -> Self {
        let (kind, code, hint) = match error {
            EditError::Config(error) => {
                let mut report = Self::from(error);
                for hint in report.hints.iter_mut().chain(&mut report.call) {
                    *hint = format!("Nothing was changed. {hint}");
                }
                return report;
            }
            EditError::Misread(misread) => {
                return Self::new(Kind::Usage, misread.code, &misread.message, &misread.hint);
            }
            EditError::Several { errors } => return several(error, errors),
            EditError::Invalid { .. } => {
                (Kind::Usage, "invalid_field", "Nothing was changed; correct the value and try again.")
            }
            EditError::NoDirectory { .. } | EditError::RelativeDirectory { .. } => {
                (Kind::Usage, "no_directory", "Create the directory first, or name the project's own one.")
            }
            EditError::Duplicate { subject } => {
                let [change, remove] = ["update", "remove"].map(|act| subject.command(act));
                let hint = format!(
                    "Change it with: agent-dispatch {change}; or take it out first with: agent-dispatch {remove}"
                );
                return Self::new(Kind::Usage, "duplicate", with_causes(error), hint)
                    .or_call("Change it with the tool that updates it, or take it out first.");
            }
            EditError::Unknown { what: "group", .. } => {
                (Kind::NotFound, "not_found", "List the groups with: agent-dispatch group list")
            }
            EditError::Unknown { what: "member", .. } => {
                (Kind::NotFound, "not_found", "List the members with: agent-dispatch group list")
            }
            EditError::Unknown { what: "setting", .. } => {
                (Kind::Usage, "not_found", "List the settings with: agent-dispatch settings")
            }
            EditError::Unknown { name, available, .. } => {
                return Self::no_agent(name, available);
            }
            EditError::NothingToChange { subject } => {
                let hint = format!(
                    "See what can be changed with: agent-dispatch {} --help",
                    subject.command("update")
                );
                return Self::new(Kind::Usage, "nothing_to_change", with_causes(error), hint)
                    .or_call("Give at least one of the tool's other arguments.");
            }
            EditError::Denied { asked, .. } => {
                let command = asked.subject.command(asked.verb);
                let hint = format!("Only a person may do that, with: agent-dispatch {command} ...");
                return Self::new(Kind::Refused, "config_denied", with_causes(error), hint);
            }
            EditError::Escalates { widened, .. } => {
                let commands: Vec<&str> = widened.iter().map(|widening| widening.command.as_str()).collect();
                let hint =
                    format!("Only a person may do that. Ask the user to type: {}", commands.join(" && "));
                return Self::new(Kind::Refused, "escalation", with_causes(error), hint);
            }
            EditError::Locked { .. } | EditError::ChangedMeanwhile { .. } => {
                (Kind::Config, "config_busy", "Nothing was changed; try again in a moment.")
            }
            EditError::Unsafe { .. } => {
                (Kind::Config, "config", "Change it in an editor, then: agent-dispatch list")
            }
            EditError::Io { .. } => (
                Kind::Config,
                "config_io",
                "Nothing was changed; check space and permissions of that directory.",
            ),
        };
        let report = Self::new(kind, code, with_causes(error), hint);
        match error {
            EditError::Unknown { what: "group" | "member", .. } => {
                report.or_call("list_groups shows the groups and their members.")
            }
            EditError::Unknown { what: "setting", .. } => {
                report.or_call("agents.example.yaml explains every setting.")
            }
            _ => report,
        }
    }
}

/// Tells all that is wrong with one edit: each thing to do once.
fn several(all: &EditError, errors: &[EditError]) -> Report {
    fn add(told: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
        for one in more {
            if !told.contains(&one) {
                told.push(one);
            }
        }
    }
    let reports: Vec<Report> = errors.iter().map(Report::from).collect();
    let code = "invalid_arguments";
    let code = if reports.iter().any(|report| report.code == code) { code } else { "invalid_field" };
    let (mut hints, mut calls) = (Vec::new(), Vec::new());
    for report in reports {
        add(&mut calls, report.call.map_or_else(|| report.hints.clone(), |call| vec![call]));
        add(&mut hints, report.hints);
    }
    Report { kind: Kind::Usage, code, message: all.to_string(), hints, call: Some(calls.join(" ")) }
}

impl From<ChangeError> for Report {
    fn from(error: ChangeError) -> Self {
        let message = with_causes(&error);
        match error {
            ChangeError::Edit(error) => Self::from(&error),
            ChangeError::ForReview { .. } => {
                let hint = "Name the state directory in which dispatches are recorded, or none for the usual one: \
                            AGENT_DISPATCH_STATE_DIR=DIRECTORY agent-dispatch ...";
                Self::new(Kind::Failed, "conflict", message, hint)
            }
            ChangeError::NotMade(source) | ChangeError::NotRecorded { source, .. } => {
                Self { message, ..Self::from(source) }
            }
        }
    }
}

impl From<ClientError> for Report {
    fn from(error: ClientError) -> Self {
        Self::from(&error)
    }
}

impl From<&ClientError> for Report {
    fn from(error: &ClientError) -> Self {
        let (kind, code, hint) = match error {
            ClientError::Place(PlaceError::Open { path, .. }) => {
                (Kind::Unavailable, "state_directory", format!("Run: chmod 700 {}", shell::path(path)))
            }
            ClientError::Place(_) => (
                Kind::Unavailable,
                "state_directory",
                "Set AGENT_DISPATCH_STATE_DIR to a directory that belongs to you.".to_owned(),
            ),
            ClientError::NotStarted { log, .. } => {
                (Kind::Unavailable, "store_unavailable", format!("Read the log: tail -n 20 {}", shell::path(log)))
            }
            ClientError::Version { .. } => (
                Kind::Unavailable,
                "version",
                "Restart the older side: close this session and open it again, or run: agent-dispatch daemon stop"
                    .to_owned(),
            ),
            // What `daemon status` and `daemon stop` end with, too: only the doctor tells the process to end.
            ClientError::Silent(_) | ClientError::Broken(_) | ClientError::Confused => {
                (Kind::Unavailable, "store_unavailable", "See what is wrong with it: agent-dispatch doctor".to_owned())
            }
            ClientError::TooLong(_) => (
                Kind::Usage,
                "too_long",
                "Shorten it: put what is long in the task, its context or the JSON Schema of the answer into a file, and name \
                 the file in the task."
                    .to_owned(),
            ),
            ClientError::Fault(WireFault::NotFound(_)) => {
                (Kind::NotFound, "not_found", "List what there is with: agent-dispatch jobs".to_owned())
            }
            ClientError::Fault(WireFault::Conflict(_)) => {
                (Kind::Failed, "conflict", "See how it stands with: agent-dispatch jobs".to_owned())
            }
            ClientError::Fault(WireFault::Store(_)) => (
                Kind::Unavailable,
                "store_unavailable",
                "Check free space on the disk of the state directory, then try again.".to_owned(),
            ),
            ClientError::Fault(WireFault::Unsupported) => {
                (Kind::Unavailable, "version", "Replace the older daemon: agent-dispatch daemon stop".to_owned())
            }
        };
        let report = Self::new(kind, code, with_causes(error), hint);
        match error {
            ClientError::Fault(WireFault::NotFound(_)) => {
                report.or_call("It may have been removed. List what there is with dispatch_jobs.")
            }
            ClientError::Fault(WireFault::Conflict(_)) => {
                report.or_call("See how it stands with dispatch_status.")
            }
            _ => report,
        }
    }
}

impl From<DispatchError> for Report {
    fn from(error: DispatchError) -> Self {
        Self::from(&error)
    }
}

impl From<&DispatchError> for Report {
    fn from(error: &DispatchError) -> Self {
        match error {
            DispatchError::Config(error) => Self::from(&**error),
            DispatchError::Client(error) => Self::from(error),
            DispatchError::Refused { refusal, .. } => Self::from(refusal),
            DispatchError::Invalid(problems) => Self::from(problems.clone()),
            DispatchError::Folder(_) | DispatchError::Launch { .. } => Self::new(
                Kind::Unavailable,
                "run_folder",
                with_causes(error),
                "Check free space and permissions of the state directory.",
            ),
            DispatchError::Untold { job, .. } => Self::new(
                Kind::Unavailable,
                "store_unavailable",
                with_causes(error),
                format!("Do not dispatch it again; see how it stands with: agent-dispatch job {job}"),
            ),
            DispatchError::NotStarted => Self::new(
                Kind::Failed,
                "not_started",
                error.to_string(),
                "Nothing was done, and nothing is recorded of it: send it again, with fewer at once or with dispatch_async.",
            ),
            DispatchError::Cancelled => Self::new(
                Kind::Failed,
                "cancelled",
                error.to_string(),
                "Dispatch it again when it is wanted after all.",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
