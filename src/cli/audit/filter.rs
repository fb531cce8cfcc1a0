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
    let question = Question {
        since: typed.since,
        until: typed.until,
        slower_than: typed.slower_than,
        events: typed.event,
        filter: AuditFilter {
            agents: typed.agent,
            callers: typed.caller,
            statuses: typed.status,
            outcomes: typed.outcome,
            error_types: typed.error_type,
            sessions: typed.session,
            tools: typed.tool,
            models: typed.model,
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
