//! `tail`: a job's steps as they happen, from any terminal, then what came of it.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::dispatching::{beside, verdict};
use crate::cli::jobs;
use crate::cli::progress;
use crate::cli::render::{harmless, note, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::{ProgressView, WaitRequest};
use crate::dispatch::{Frontend, Served};
use crate::document::summary::JobSummary;
use crate::error::{Kind, Report};

/// Follows a job to its end. Whoever follows does not keep it alive.
pub(super) async fn follow(frontend: &Frontend, id: &str, as_json: bool) -> Result<ExitCode, Report> {
    let view = jobs::find(frontend, id).await?;
    let (mut failed, mut told) = (None, false);
    let mut tell = |text: String| {
        let line = if as_json { json!({"step": text}).to_string() } else { text };
        failed = failed.take().or(print_text(&format!("{}\n", harmless(&line))).err());
    };
    let view = if view.record.state.is_terminal() {
        view
    } else {
        let wait = WaitRequest {
            jobs: vec![view.record.id],
            any: false,
            timeout_ms: None,
            attach: false,
            detach_at_timeout: false,
            inside: frontend.environment.run,
        };
        // What had happened before is told first, up to a bound.
        let mut step = |_, view: &ProgressView| {
            if let Some(text) = progress::said(view) {
                told = true;
                tell(text);
            }
        };
        // An interrupt ends this process, and with it nothing but the looking.
        let (views, _) = frontend.wait(&wait, &mut step, std::future::pending()).await?;
        views.into_iter().next().ok_or(ClientError::Confused)?
    };
    if !told {
        // It had ended before anybody could be told: its last lines are kept.
        view.progress.iter().cloned().for_each(tell);
    }
    if let Some(report) = failed {
        return Err(report);
    }
    if as_json {
        let line = serde_json::to_string(&JobSummary::of(&view)).map_err(|error| {
            Report::new(
                Kind::Failed,
                "output",
                format!("cannot be written as JSON: {error}"),
                "Leave out --json.",
            )
        })?;
        print_text(&format!("{}\n", harmless(&line)))?;
    } else {
        note(&beside(&view.record, Served::Run));
    }
    Ok(verdict(&view.record))
}
