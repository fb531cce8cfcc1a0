//! `agent-dispatch audit report`: what happened in a period, as one page that needs nothing but a browser.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::audit::report::{Overview, Period};
use crate::audit::verdict::VerifyReport;
use crate::cli::args::ReportArguments;
use crate::cli::audit::new_file;
use crate::cli::progress;
use crate::cli::render::{note, print_text, size};
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::error::{Kind, Report};
use crate::model::{Timestamp, with_causes};

mod charts;
mod html;
mod lists;
mod page;

use page::Setting;

/// Writes the page.
pub(super) async fn report(frontend: &Frontend, asked: ReportArguments) -> Result<(), Report> {
    let now = Timestamp::now();
    let period = period(&asked, now)?;
    let overview = overview(frontend, period.clone()).await?;
    let verified = if asked.verify { Some(verify(frontend).await?) } else { None };
    let setting = Setting { period: &period, verified: verified.as_ref(), now };
    let page = page::page(&overview, &setting);
    if asked.html.as_os_str() == "-" {
        return print_text(&page);
    }
    let path = frontend.environment.directory.join(&asked.html);
    write(&path, &page).map_err(|error| {
        let message = format!("`{}` cannot be written: {}", path.display(), with_causes(&error));
        let hint =
            "Name a file in a directory that exists and that you may write to, or `-` for standard output.";
        Report::new(Kind::Usage, "output", message, hint)
    })?;
    note(&format!("wrote {} ({})\n", path.display(), size(page.len() as u64)));
    Ok(())
}

/// Returns the period that is meant. One that begins at a time ends with the present unless it says otherwise, so that days
/// on which nothing happened are seen.
fn period(asked: &ReportArguments, now: Timestamp) -> Result<Period, Report> {
    let time = |text: &Option<String>| {
        text.as_deref().map(|text| Timestamp::parse(text, now)).transpose().map_err(|bad| {
            let hint = "See: agent-dispatch audit report --help";
            Report::new(Kind::Usage, "invalid_time", bad.to_string(), hint)
        })
    };
    let (since, until) = (time(&asked.since)?, time(&asked.until)?);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        let message =
            format!("the period ends before it begins: {} is not before {}", since.local(), until.local());
        return Err(Report::new(Kind::Usage, "invalid_time", message, "Exchange --since and --until."));
    }
    let present = since.filter(|since| *since < now).map(|_| now);
    Ok(Period { agent: asked.agent.clone(), since, until: until.or(present) })
}

async fn overview(frontend: &Frontend, period: Period) -> Result<Overview, Report> {
    let asked = Request::Overview(period);
    let counted = progress::during(&frontend.environment, "counting", frontend.client.ask(&asked));
    match counted.await? {
        Reply::Overview(overview) => Ok(*overview),
        _ => Err(ClientError::Confused.into()),
    }
}

async fn verify(frontend: &Frontend) -> Result<VerifyReport, Report> {
    let mut silently = |_, _| ();
    let checked = progress::during(&frontend.environment, "checking", frontend.check(None, &mut silently));
    Ok(checked.await?)
}

/// Writes a file for its owner alone, in one step: a browser never sees half of it, and one that was there before stays
/// when this fails.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut new = new_file(path)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    // The page is there by now: a file system that cannot sync a directory is no reason to say otherwise.
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

#[cfg(test)]
mod tests;
