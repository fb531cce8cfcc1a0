//! `agent-dispatch doctor`: looks at everything that a dispatch depends on, and names the command that puts right what is
//! not as it should be. It changes nothing, and dispatches only with `--live`; `claude` is run to be asked about itself.
//!
//! [`look`] gathers facts; the other files judge them, without looking at anything themselves.

use std::process::ExitCode;

use crate::audit::redact::one_line;
use crate::budget::usd;
use crate::cli::args::DoctorArguments;
use crate::cli::doctor::finding::{Finding, Findings, Status};
use crate::cli::render::{Screen, duration, print_json, print_text};
use crate::cli::{dispatching, progress};
use crate::dispatch::{Dispatched, Frontend, Patience};
use crate::error::{Kind, Report};
use crate::job::{JobRecord, State};
use crate::model::shell;

mod claude;
mod configuration;
mod finding;
mod leftovers;
mod look;
mod registration;
mod state;

/// Looks at everything, and tells what it found.
pub(super) async fn doctor(
    frontend: &Frontend,
    screen: Screen,
    asked: DoctorArguments,
) -> Result<ExitCode, Report> {
    let mut checks = progress::during(&frontend.environment, "looking", look::look(frontend)).await;
    if let Some(agent) = asked.live {
        checks.push(live(frontend, agent).await);
    }
    let findings = Findings::of(checks);
    if asked.json {
        print_json(&findings)?;
    } else {
        print_text(&findings.told(screen))?;
    }
    let bad = match findings.status {
        Status::Ok => false,
        Status::Warn => asked.strict,
        Status::Fail => true,
    };
    Ok(if bad { ExitCode::from(Kind::Failed.exit_code()) } else { ExitCode::SUCCESS })
}

/// Sends the agent a small task, and tells how it went.
async fn live(frontend: &Frontend, agent: String) -> Finding {
    let shown = one_line(&agent, 100);
    let known = frontend.config().is_ok_and(|config| config.agent(&agent).is_some());
    let again = if known {
        format!("agent-dispatch test {}", shell::quoted(&agent))
    } else {
        "agent-dispatch list".to_owned()
    };
    let failed =
        |what: String, details: Vec<String>| Finding::fail("live", what).details(details).fix(again.clone());
    let request = match dispatching::test_request(agent, None, None) {
        Ok(request) => request,
        Err(report) => return failed(report.message, report.hints),
    };
    match dispatching::carry_out(frontend, &request, Patience::ToTheEnd, false).await {
        Ok(Dispatched::Ended(ended)) if ended.job.state == State::Done => {
            let said = one_line(&ended.answer.text, 200);
            let message = format!("{shown} answered ({})", took(&ended.job));
            Finding::ok("live", message).details([said])
        }
        Ok(Dispatched::Ended(ended)) => {
            let result = ended.job.result.as_ref();
            let error = result.and_then(|result| result.error.clone()).unwrap_or_default();
            let hint = result.and_then(|result| result.hint.clone()).unwrap_or_default();
            failed(
                format!("{shown} did not answer: {} ({})", ended.job.state, took(&ended.job)),
                vec![error, hint],
            )
        }
        Ok(Dispatched::Running(view, _)) => {
            failed(format!("{shown} has not answered yet"), vec![format!("job {}", view.record.id)])
        }
        Err(report) => failed(report.message, report.hints),
    }
}

fn took(job: &JobRecord) -> String {
    let result = job.result.as_ref();
    let time = result.map(|result| duration(result.duration_ms));
    let cost = result.and_then(|result| result.cost_usd).map(usd);
    time.into_iter().chain(cost).collect::<Vec<_>>().join(", ")
}
