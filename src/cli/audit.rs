//! `agent-dispatch audit`: what was asked, run, refused and changed; one question a file beside this one.

use std::process::ExitCode;

use crate::cli::args::{AuditArguments, AuditCommand};
use crate::cli::render::{Screen, note};
use crate::cli::report;
use crate::dispatch::Frontend;
use crate::error::Report;

mod anchor;
mod blame;
#[cfg(feature = "otlp")]
mod collector;
mod diff;
mod export;
mod filter;
mod hash;
mod import;
mod list;
mod numbers;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod show;
mod verify;

pub(super) use anchor::parse as parse_anchor;
pub(super) use export::new_file;

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
        Some(AuditCommand::Hash { value, json }) => hash::hash(frontend, screen, &value, json).await,
        Some(AuditCommand::Blame { path, limit, json }) => {
            blame::blame(frontend, screen, &path, limit, json).await
        }
        Some(AuditCommand::Stats { by, filter, json }) => {
            numbers::stats(frontend, screen, by, filter, json).await
        }
        Some(AuditCommand::Verify { from_anchor, json }) => verify::verify(frontend, from_anchor, json).await,
        Some(AuditCommand::Anchor { git_note, json }) => {
            anchor::anchor(frontend, git_note.as_deref(), json).await.map(|()| ExitCode::SUCCESS)
        }
        Some(AuditCommand::Report(asked)) => {
            report::report(frontend, asked).await.map(|()| ExitCode::SUCCESS)
        }
        Some(AuditCommand::Export(asked)) => export::export(frontend, asked).await,
        Some(AuditCommand::Import(asked)) => {
            import::import(frontend, asked).await.map(|()| ExitCode::SUCCESS)
        }
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
