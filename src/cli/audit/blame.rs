//! `agent-dispatch audit blame`: which dispatches changed a file, as their records say.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use crate::audit::Code;
use crate::audit::query::AuditFilter;
use crate::cli::audit::found;
use crate::cli::audit::output::{self, Row, value_at};
use crate::cli::progress;
use crate::cli::render::{Screen, note, print_json, print_text};
use crate::dispatch::Frontend;
use crate::document::audit;
use crate::error::Report;
use crate::model::{JobId, Timestamp};
use crate::project;

/// Shows the last `limit` dispatches that changed the file, the newest first.
pub(super) async fn blame(
    frontend: &Frontend,
    screen: Screen,
    path: &Path,
    limit: u32,
    as_json: bool,
) -> Result<ExitCode, Report> {
    let file = resolved(&frontend.environment.directory.join(path));
    let filter = AuditFilter {
        events: vec![Code::Finished, Code::Cancelled, Code::Interrupted],
        ..AuditFilter::default()
    };
    let mut ids: Vec<JobId> = Vec::new();
    let mut incomplete = false;
    let looked = audit::search(frontend, filter, usize::MAX, |entries| {
        for row in entries.iter().map(audit::document) {
            if changed(&row, &file) {
                ids.extend(row.get("dispatch").and_then(|id| id.as_str()?.parse::<JobId>().ok()));
            } else {
                incomplete |= may_have_changed(&row, &file);
            }
        }
        Ok(ids.len() < limit as usize)
    });
    progress::during(&frontend.environment, "looking", looked).await?;
    ids.truncate(limit as usize);
    let mut rows = Vec::new();
    for id in ids {
        rows.push((0, audit::whole(&audit::records_of(frontend, id).await?)));
    }
    if as_json {
        print_json(&rows.iter().map(|(_, row)| row).collect::<Vec<_>>())?;
    } else if !rows.is_empty() {
        print_text(&output::dispatches(screen, &rows, Timestamp::now()))?;
    }
    if incomplete && rows.len() < limit as usize {
        note("Some dispatches in its repository may have changed more files than their records name.\n");
    }
    Ok(found(!rows.is_empty()))
}

/// Returns whether this file may be one that was changed without being named in a record.
fn may_have_changed(row: &Row, file: &Path) -> bool {
    let named = value_at(row, "end.changes.files").and_then(Value::as_array).map_or(0, Vec::len) as u64;
    let all = value_at(row, "end.changes.files_total").and_then(Value::as_u64).unwrap_or(0);
    let names_all = named == all && value_at(row, "end.changes.incomplete") != Some(&Value::Bool(true));
    !names_all && top(row).is_some_and(|top| file.starts_with(top))
}

/// Returns whether a record says that this file was changed. Files are named as seen from the top of the repository; a name
/// that ends in `/` stands for all that is in a folder.
fn changed(row: &Row, file: &Path) -> bool {
    let files = value_at(row, "end.changes.files").and_then(Value::as_array);
    let named = files.into_iter().flatten().filter_map(Value::as_str);
    // The name alone first: most records speak of other files, and directories are looked at on the disk.
    let path = file.to_string_lossy();
    let mut meant = named.filter(|name| path.contains(name)).peekable();
    if meant.peek().is_none() {
        return false;
    }
    let Some(place) = top(row).and_then(|top| Some(file.strip_prefix(top).ok()?.to_owned())) else {
        return false;
    };
    meant.any(|name| place == Path::new(name) || (name.ends_with('/') && place.starts_with(name)))
}

/// Returns the top of the repository in which the run of a record worked.
fn top(row: &Row) -> Option<PathBuf> {
    let place = |said: Option<&Value>| said.and_then(Value::as_str).map(|path| resolved(Path::new(path)));
    place(value_at(row, "end.changes.repository")).or_else(|| {
        // Earlier versions did not say it: the one in which the directory lies now, if there still is one.
        let directory = place(row.get("directory"))?;
        Some(project::checkout(&directory).map_or(directory, |found| found.root))
    })
}

/// Returns a path without links and dots, as far as it exists: the file itself may be gone.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(exact) = path.canonicalize() {
        return exact;
    }
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => resolved(folder).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
