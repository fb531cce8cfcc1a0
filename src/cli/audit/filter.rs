//! What was typed about records, as a filter.

use crate::audit::query::AuditFilter;
use crate::cli::args::FilterArguments;
use crate::cli::jobs;
use crate::dispatch::Frontend;
use crate::document::audit::Question;
use crate::error::Report;
use crate::model::Timestamp;

/// Returns which records are meant; ids that are given in part are looked up.
pub(super) async fn filter(
    frontend: &Frontend,
    typed: FilterArguments,
    now: Timestamp,
) -> Result<AuditFilter, Report> {
    let (dispatch, tree) = (typed.dispatch, typed.tree);
    let each = |names: Vec<String>| names.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>();
    // Who asks may call itself anything: a name with a comma is one, and may be several.
    let callers = typed.caller.iter().flat_map(|who| [who.as_str()].into_iter().chain(who.split(',')));
    let question = Question {
        since: typed.since,
        until: typed.until,
        slower_than: typed.slower_than,
        events: each(typed.event),
        filter: AuditFilter {
            agents: each(typed.agent),
            callers: callers.map(|who| who.trim().to_owned()).filter(|who| !who.is_empty()).collect(),
            statuses: each(typed.status),
            outcomes: each(typed.outcome),
            error_types: each(typed.error_type),
            sessions: each(typed.session),
            tools: each(typed.tool),
            models: each(typed.model),
            denied: typed.denied,
            cached: typed.cached,
            min_cost_usd: typed.min_cost,
            patterns: typed.grep,
            ..AuditFilter::default()
        },
    };
    // Before anything is looked up: a mistake is told first.
    let mut filter = question.filter(now)?;
    if let Some(text) = dispatch {
        filter.dispatch = Some(jobs::resolve(frontend, &text).await?);
    }
    if let Some(text) = tree {
        filter.tree = Some(jobs::resolve(frontend, &text).await?);
    }
    Ok(filter)
}
