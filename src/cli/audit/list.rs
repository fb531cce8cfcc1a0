//! `agent-dispatch audit`: lists records, or dispatches, and follows the trail as it grows.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::audit::query::{AuditEntry, AuditFilter, Place, Search};
use crate::cli::agents::note_unknown;
use crate::cli::args::{AuditArguments, Layout};
use crate::cli::audit::output::{self, Printer};
use crate::cli::audit::{filter, found};
use crate::cli::progress;
use crate::cli::render::{Screen, note, print_part, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::document::audit::{self, document};
use crate::error::Report;
use crate::model::{Timestamp, ToolUse};

/// How long one request waits for a new record. A daemon that is told to go closes the connection before.
const WAIT_MS: u64 = 30_000;

/// How often a daemon that is not there is looked for, and how quickly requests may follow each other.
const PAUSE: Duration = Duration::from_secs(1);

/// Most new records that are taken at once.
const TAKEN: u32 = 500;

/// Lists what was asked for.
pub(super) async fn list(
    frontend: &Frontend,
    screen: Screen,
    asked: AuditArguments,
) -> Result<ExitCode, Report> {
    let now = Timestamp::now();
    let mut printer = Printer::new(screen, &asked.output, now)?;
    let filter = filter::filter(frontend, asked.filter, now).await?;
    let limit = if asked.limit == 0 { usize::MAX } else { asked.limit as usize };
    if asked.follow {
        follow(frontend, printer, filter, limit).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let environment = &frontend.environment;
    if asked.dispatches || (filter.tree.is_some() && printer.format == Layout::Table) {
        let is_tree = filter.tree.is_some();
        let looked = audit::dispatches(frontend, filter, limit);
        let mut all = progress::during(environment, "looking", looked).await?;
        if asked.reverse {
            all.reverse();
        }
        return print_dispatches(&mut printer, all, is_tree);
    }
    let streams = printer.streams() && !asked.reverse;
    let mut kept: Vec<Map<String, Value>> = Vec::new();
    let sought = filter.clone();
    let looked = audit::search(frontend, filter, limit, |entries| {
        let rows = entries.iter().map(document);
        if streams {
            return print_part(&printer.text(&rows.collect::<Vec<_>>())?);
        }
        kept.extend(rows);
        Ok(true)
    });
    let count = progress::during(environment, "looking", looked).await?;
    if count == 0 {
        note_unknown(frontend, &sought.agents);
    }
    if count == 0 && may_be_unnamed(frontend, &sought).await? {
        note("Some runs used more tools than their records name; those are counted as: --tool other\n");
    }
    if asked.reverse {
        kept.reverse();
    }
    if !kept.is_empty() || printer.says_nothing_whole(count) {
        print_text(&printer.text(&kept)?)?;
    }
    Ok(found(count > 0))
}

/// Returns whether a tool that was not found may be one that no record names.
async fn may_be_unnamed(frontend: &Frontend, sought: &AuditFilter) -> Result<bool, Report> {
    if sought.tools.is_empty() {
        return Ok(false);
    }
    let others = AuditFilter { tools: vec![ToolUse::OTHER.to_owned()], ..sought.clone() };
    Ok(!audit::records(frontend, others, 1).await?.is_empty())
}

fn print_dispatches(
    printer: &mut Printer,
    all: Vec<Map<String, Value>>,
    is_tree: bool,
) -> Result<ExitCode, Report> {
    let anything = !all.is_empty();
    if printer.format != Layout::Table || printer.has_fields() {
        if anything || printer.says_nothing_whole(0) {
            print_text(&printer.text(&all)?)?;
        }
    } else if anything {
        let placed =
            if is_tree { audit::in_tree(all) } else { all.into_iter().map(|one| (0, one)).collect() };
        print_text(&output::dispatches(printer.screen, &placed, printer.now))?;
    }
    Ok(found(anything))
}

/// Prints the newest records, and then every new one, until somebody ends the program or reads no further. The place in the trail is all that
/// is remembered, so it does not matter which daemon answers; none is started to be followed.
async fn follow(
    frontend: &Frontend,
    mut printer: Printer,
    filter: AuditFilter,
    limit: usize,
) -> Result<(), Report> {
    // The table of a listing would need to know what comes.
    printer.in_lines();
    // The end first: what comes while the newest are looked for is not missed.
    let end = Search {
        filter: AuditFilter { limit: 1, ..AuditFilter::default() },
        from: Place::Newest,
        wait_ms: 0,
    };
    let Reply::Page(page) = frontend.client.ask(&Request::Search(Box::new(end))).await? else {
        return Err(ClientError::Confused.into());
    };
    let mut after = page.head;
    let mut newest = audit::records(frontend, filter.clone(), limit).await?;
    newest.retain(|entry| entry.head.seq <= after);
    newest.reverse();
    let mut read_on = tell(&mut printer, &newest)?;
    let filter = AuditFilter { limit: TAKEN, ..filter };
    while read_on {
        let search = Search { filter: filter.clone(), from: Place::After(after), wait_ms: WAIT_MS };
        match frontend.client.ask_if_running(&Request::Search(Box::new(search))).await {
            Ok(Some(Reply::Page(page))) => {
                read_on = tell(&mut printer, &page.entries)?;
                after = match page.next {
                    Some(Place::After(seq) | Place::Before(seq)) => seq,
                    // A store that was set aside begins anew.
                    Some(Place::Newest) | None => page.head,
                };
            }
            Ok(Some(Reply::Fault(fault))) => return Err(ClientError::Fault(fault).into()),
            Ok(Some(_)) => return Err(ClientError::Confused.into()),
            Ok(None) | Err(ClientError::Broken(_)) => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Prints records, and returns whether there still is somebody who reads them.
fn tell(printer: &mut Printer, entries: &[AuditEntry]) -> Result<bool, Report> {
    if entries.is_empty() {
        return Ok(true);
    }
    let rows: Vec<_> = entries.iter().map(document).collect();
    print_part(&printer.text(&rows)?)
}
