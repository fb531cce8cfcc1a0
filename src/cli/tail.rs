//! `tail`: a job's steps as they happen, from any terminal, then what came of it.

use std::process::ExitCode;

use serde_json::json;
use tokio::sync::Notify;

use crate::cli::dispatching::{beside, verdict};
use crate::cli::jobs;
use crate::cli::progress::Steps;
use crate::cli::render::{harmless, json_line, note, print_part, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::{ProgressView, WaitRequest};
use crate::dispatch::{Frontend, Served};
use crate::document::summary::JobSummary;
use crate::error::Report;

/// Follows a job to its end, or for as long as somebody reads. Whoever follows does not keep it alive.
pub(super) async fn follow(frontend: &Frontend, id: &str, as_json: bool) -> Result<ExitCode, Report> {
    let view = jobs::find(frontend, id).await?;
    let mut steps = Steps::default();
    let (mut printed, gone) = (Ok(true), Notify::new());
    let mut tell = |view: &ProgressView| {
        let Some(text) = steps.next(view).filter(|_| printed == Ok(true)) else { return };
        let line =
            if as_json { json_line(&json!({"step": text})) } else { Ok(format!("{}\n", harmless(&text))) };
        printed = line.and_then(|line| print_part(&line));
        if printed != Ok(true) {
            gone.notify_one();
        }
    };
    // What had happened before is kept, up to a bound.
    for text in &view.progress {
        tell(&ProgressView { text: text.clone(), ..ProgressView::default() });
    }
    let view = if view.record.state.is_terminal() {
        Some(view)
    } else {
        let wait = WaitRequest {
            jobs: vec![view.record.id],
            any: false,
            timeout_ms: None,
            attach: false,
            detach_at_timeout: false,
            inside: frontend.environment.run,
            answer: None,
        };
        let mut step = |_, view: &ProgressView| tell(view);
        tokio::select! {
            // An interrupt ends this process, and with it nothing but the looking.
            waited = frontend.wait(&wait, &mut step, std::future::pending()) => waited?.0.into_iter().next(),
            () = gone.notified() => None,
        }
    };
    if !printed? {
        return Ok(ExitCode::SUCCESS);
    }
    let view = view.ok_or(ClientError::Confused)?;
    if as_json {
        print_text(&json_line(&JobSummary::of(&view))?)?;
    } else {
        note(&beside(&view.record, Served::Run));
    }
    Ok(verdict(&view.record))
}
