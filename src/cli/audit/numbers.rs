//! `agent-dispatch audit stats`: what dispatches came to, by whatever is asked for.

use std::process::ExitCode;

use crate::audit::stats::{By, Numbers, Stats, StatsFilter};
use crate::budget::usd;
use crate::cli::args::{FilterArguments, StatsBy};
use crate::cli::audit::{filter, found};
use crate::cli::progress;
use crate::cli::render::{Cell, Screen, Tone, bar, duration, print_json, print_text};
use crate::cli::stats::{BAR_COLUMNS, counts_told, rounded};
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::error::Report;
use crate::model::Timestamp;

/// Counts, and shows the numbers.
pub(super) async fn stats(
    frontend: &Frontend,
    screen: Screen,
    by: StatsBy,
    typed: FilterArguments,
    as_json: bool,
) -> Result<ExitCode, Report> {
    let only = filter::filter(frontend, typed, Timestamp::now()).await?;
    let (by, word) = match by {
        StatsBy::Agent => (By::Agent, "agent"),
        StatsBy::Caller => (By::Caller, "caller"),
        StatsBy::Model => (By::Model, "model"),
        StatsBy::Day => (By::Day, "day"),
        StatsBy::Error => (By::Error, "error"),
    };
    let asked = Request::Stats(StatsFilter { by, only });
    let counted = progress::during(&frontend.environment, "counting", frontend.client.ask(&asked));
    let Reply::Stats(stats) = counted.await? else { return Err(ClientError::Confused.into()) };
    let anything = stats.total != Numbers::default();
    if as_json {
        print_json(&document(&stats, word))?;
    } else if anything {
        print_text(&told(screen, &stats, word))?;
    }
    Ok(found(anything))
}

fn document(stats: &Stats, by: &str) -> serde_json::Value {
    let one = |numbers: &Numbers| {
        serde_json::json!({
            "dispatches": numbers.dispatches,
            "ok": numbers.ok,
            "failed": numbers.failed,
            "success_rate": success_rate(numbers),
            "cached_hits": numbers.cached_hits,
            "joined": numbers.joined,
            "cost_usd": rounded(numbers.cost_usd),
            "saved_usd": rounded(numbers.saved_usd),
            "p50_ms": numbers.median_ms,
            "p90_ms": numbers.p90_ms,
            "p99_ms": numbers.p99_ms,
            "max_ms": numbers.max_ms,
            "median_cost_usd": numbers.median_cost_usd.map(rounded),
            "max_cost_usd": numbers.max_cost_usd.map(rounded),
            "outcomes": numbers.outcomes,
            "errors": numbers.errors,
        })
    };
    let parts = stats.parts.iter().map(|(key, numbers)| {
        let mut part = one(numbers);
        if let Some(object) = part.as_object_mut() {
            object.shift_insert(0, by.to_owned(), key.clone().into());
        }
        part
    });
    serde_json::json!({"by": by, "total": one(&stats.total), "parts": parts.collect::<Vec<_>>()})
}

/// Returns the share of dispatches that were answered without an error, to three digits.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn success_rate(numbers: &Numbers) -> Option<f64> {
    let share = numbers.ok as f64 / numbers.dispatches as f64;
    (numbers.dispatches > 0).then(|| (share * 1000.0).round() / 1000.0)
}

fn told(screen: Screen, stats: &Stats, by: &str) -> String {
    let heading = by.to_uppercase();
    let most = stats.parts.iter().map(|(_, numbers)| numbers.cost_usd).fold(0.0, f64::max);
    let total = ("total".to_owned(), stats.total.clone());
    let parts = stats.parts.iter().map(|(key, numbers)| row(key, numbers, most));
    // One part is its own total.
    let sum = Some(&total).filter(|_| stats.parts.len() > 1);
    let rows = parts.chain(sum.map(|(key, numbers)| row(key, numbers, f64::INFINITY))).collect();
    let columns = [
        (heading.as_str(), 0),
        ("DISPATCHES", 0),
        ("OK", 2),
        ("CACHED", 4),
        ("JOINED", 7),
        ("P50", 3),
        ("P90", 5),
        ("P99", 8),
        ("COST", 0),
        ("SAVED", 6),
        ("", 1),
    ];
    screen.ranked_table(&columns, rows) + "\n" + &counts_told(&stats.total)
}

fn row(key: &str, numbers: &Numbers, most: f64) -> Vec<Cell> {
    let count = |count: u64| {
        let tone = if count == 0 { Tone::Faint } else { Tone::Plain };
        Cell::new(count.to_string()).toned(tone).right()
    };
    let time = |millis: Option<u64>| Cell::new(millis.map(duration).unwrap_or_default()).right();
    let rate = success_rate(numbers).map(|rate| format!("{:.0}%", rate * 100.0)).unwrap_or_default();
    let tone = if numbers.failed == 0 { Tone::Good } else { Tone::Bad };
    let saved = if numbers.saved_usd > 0.0 { usd(numbers.saved_usd) } else { String::new() };
    vec![
        Cell::new(key),
        count(numbers.dispatches),
        Cell::new(rate).toned(tone).right(),
        count(numbers.cached_hits),
        count(numbers.joined),
        time(numbers.median_ms),
        time(numbers.p90_ms),
        time(numbers.p99_ms),
        Cell::new(usd(numbers.cost_usd)).right(),
        Cell::new(saved).toned(Tone::Good).right(),
        Cell::new(bar(numbers.cost_usd / most, BAR_COLUMNS)).toned(Tone::Busy),
    ]
}

#[cfg(test)]
mod tests;
