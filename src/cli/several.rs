//! `dispatch --parallel`: several dispatches from a file.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::budget::usd;
use crate::cli::dispatching::{standard_input, unless_interrupted};
use crate::cli::jobs::short;
use crate::cli::progress;
use crate::cli::render::{Cell, Screen, Tone, duration, note, print_json, print_text};
use crate::dispatch::{Frontend, Patience, Standing};
use crate::document::DispatchDocument;
use crate::document::parallel::ParallelDocument;
use crate::document::several::Several;
use crate::error::{Kind, Report};
use crate::model::{DispatchRequest, JobId};
use crate::project::regular::read_head;

/// Reads the dispatches in `file`, or on standard input when it is `-`.
pub(super) fn read(frontend: &Frontend, file: &Path, aggregate: &str) -> Result<Several, Report> {
    let (name, text) = if file == Path::new("-") {
        ("standard input".to_owned(), standard_input("the list of dispatches")?)
    } else {
        (file.display().to_string(), text(frontend, file)?)
    };
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    Several::read(&config, Value::String(text), aggregate).map_err(|mut report| {
        report.message = format!("{name}: {}", report.message);
        report
    })
}

fn text(frontend: &Frontend, file: &Path) -> Result<String, Report> {
    let path = frontend.environment.directory.join(file);
    let bad = |what: &str| {
        let hint = "Name a file with a JSON list of dispatches, or `-` for standard input.";
        Report::new(Kind::Usage, "invalid_request", format!("{}: {what}", path.display()), hint)
    };
    let head = read_head(&path, DispatchRequest::PROMPT_BYTES_MAX)
        .map_err(|error| bad(&format!("cannot be read: {error}")))?
        .ok_or_else(|| bad("there is no such file"))?;
    if head.truncated {
        return Err(bad("the file is too large"));
    }
    String::from_utf8(head.bytes).map_err(|_| bad("the file is not UTF-8"))
}

/// Dispatches them all and tells what came of them.
pub(super) async fn run(
    frontend: &Frontend,
    screen: Screen,
    several: &Several,
    as_json: bool,
) -> Result<ExitCode, Report> {
    let (line, shown) = progress::line(&frontend.environment, true);
    let speakers = several.speakers();
    let mut standing = |standing: &Standing| line.standing(&speakers, standing);
    standing(&several.standing());
    let patience = (Patience::ToTheEnd, usize::MAX);
    let document = unless_interrupted(shown, async |cancelled| {
        several.carry_out(frontend, super::CLIENT, patience, &mut standing, cancelled).await
    });
    let document = document.await?;
    if as_json {
        print_json(&document)?;
    } else {
        tell(screen, &document)?;
    }
    let all = document.individual_results.iter().chain(&document.aggregated);
    let failed = all.into_iter().any(|one| one.success != Some(true));
    Ok(if failed { ExitCode::from(Kind::Failed.exit_code()) } else { ExitCode::SUCCESS })
}

fn tell(screen: Screen, document: &ParallelDocument) -> Result<(), Report> {
    let results = &document.individual_results;
    // Nothing ran of those without an id.
    let ids: Vec<JobId> = results.iter().filter_map(|one| one.job_id.parse().ok()).collect();
    let mut ids = short(&ids).into_iter();
    let id = |one: &DispatchDocument| if one.job_id.is_empty() { None } else { ids.next() };
    let ids: Vec<String> = results.iter().map(id).map(Option::unwrap_or_default).collect();
    let rows = results.iter().zip(ids).map(|(one, id)| row(one, id)).collect();
    let columns = [("AGENT", 0), ("STATUS", 0), ("JOB", 0), ("TOOK", 2), ("COST", 1), ("ANSWER OR ERROR", 0)];
    print_text(&screen.ranked_table(&columns, rows))?;
    if let Some(merged) = &document.aggregated {
        print_text(&format!("\n{}", screen.text(merged.result.as_deref().unwrap_or_default())))?;
        if let Some(error) = &merged.error {
            note(&format!("error: {}\n", crate::audit::redact::one_line(error, 2000)));
        }
    } else if results.iter().any(|one| !one.job_id.is_empty()) {
        note("Read a whole answer with: agent-dispatch wait JOB\n");
    }
    Ok(())
}

fn row(one: &DispatchDocument, id: String) -> Vec<Cell> {
    let tone = if one.success == Some(true) { Tone::Good } else { Tone::Bad };
    let status = match (one.cached, one.joined) {
        (Some(true), _) => format!("{} (cached)", one.status),
        (_, Some(true)) => format!("{} (joined)", one.status),
        _ => one.status.clone(),
    };
    let said = one.error.as_ref().or(one.summary.as_ref()).or(one.result.as_ref());
    vec![
        Cell::new(&one.agent).whole(),
        Cell::new(status).toned(tone),
        Cell::new(id).whole(),
        Cell::new(one.duration_ms.map(duration).unwrap_or_default()),
        Cell::new(one.cost_usd.map(usd).unwrap_or_default()),
        Cell::new(said.map(String::as_str).unwrap_or_default()),
    ]
}
