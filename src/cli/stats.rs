//! `agent-dispatch stats`: how often agents were asked, how it went, and what it cost.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::audit::query::AuditFilter;
use crate::audit::stats::{By, Numbers, Stats, StatsFilter};
use crate::budget::usd;
use crate::cli::args::StatsArguments;
use crate::cli::progress;
use crate::cli::render::{Cell, Screen, Tone, bar, duration, fact, note, print_json, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::error::Report;
use crate::model::Timestamp;

const DAY_MS: u64 = 86_400_000;

/// Longest bar, in columns.
pub(super) const BAR_COLUMNS: usize = 10;

/// Shows the numbers.
pub(super) async fn stats(frontend: &Frontend, screen: Screen, asked: StatsArguments) -> Result<(), Report> {
    let since = (asked.days > 0).then(|| Timestamp::now().minus_millis(DAY_MS * u64::from(asked.days)));
    let only = AuditFilter { agents: asked.agent.into_iter().collect(), since, ..AuditFilter::default() };
    let filter = StatsFilter { by: By::Agent, only };
    let asked_for = Request::Stats(filter);
    let counted = progress::during(&frontend.environment, "counting", frontend.client.ask(&asked_for));
    let Reply::Stats(stats) = counted.await? else {
        return Err(ClientError::Confused.into());
    };
    if asked.json {
        return print_json(&Shown { total: Document::from(&stats.total), agents: Agents(&stats.parts) });
    }
    if stats.parts.is_empty() {
        note("No dispatch is on record yet, or none of those asked for.\n");
        return Ok(());
    }
    print_text(&told(screen, &stats))
}

/// All numbers, as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    total: Document<'a>,
    agents: Agents<'a>,
}

/// The numbers of agents by their names, in this order: who cost most comes first.
struct Agents<'a>(&'a [(String, Numbers)]);

impl Serialize for Agents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(agent, numbers)| (agent, Document::from(numbers))))
    }
}

/// Numbers as JSON: those that nothing is known of are left out.
#[derive(Serialize)]
struct Document<'a> {
    dispatches: u64,
    cached_hits: u64,
    joined: u64,
    ok: u64,
    failed: u64,
    cost_usd: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    median_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p90_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    median_cost_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_cost_usd: Option<f64>,
    outcomes: &'a BTreeMap<String, u64>,
    errors: &'a BTreeMap<String, u64>,
}

impl<'a> From<&'a Numbers> for Document<'a> {
    fn from(numbers: &'a Numbers) -> Self {
        Self {
            dispatches: numbers.dispatches,
            cached_hits: numbers.cached_hits,
            joined: numbers.joined,
            ok: numbers.ok,
            failed: numbers.failed,
            cost_usd: rounded(numbers.cost_usd),
            median_ms: numbers.median_ms,
            p90_ms: numbers.p90_ms,
            max_ms: numbers.max_ms,
            median_cost_usd: numbers.median_cost_usd.map(rounded),
            max_cost_usd: numbers.max_cost_usd.map(rounded),
            outcomes: &numbers.outcomes,
            errors: &numbers.errors,
        }
    }
}

/// Sums of money are told to a hundredth of a cent.
pub(super) fn rounded(usd: f64) -> f64 {
    (usd * 10_000.0).round() / 10_000.0
}

fn told(screen: Screen, stats: &Stats) -> String {
    let most = stats.parts.iter().map(|(_, numbers)| numbers.cost_usd).fold(0.0, f64::max);
    let total = ("total".to_owned(), stats.total.clone());
    // One agent is its own total.
    let total = Some(&total).filter(|_| stats.parts.len() > 1);
    let agents = stats.parts.iter().map(|(agent, numbers)| row(agent, numbers, most));
    let rows = agents.chain(total.map(|(name, numbers)| row(name, numbers, f64::INFINITY))).collect();
    let columns = [
        ("AGENT", 0),
        ("DISPATCHES", 0),
        ("OK", 4),
        ("FAILED", 0),
        ("CACHED", 3),
        ("JOINED", 6),
        ("MEDIAN", 1),
        ("P90", 5),
        ("COST", 0),
        ("", 2),
    ];
    screen.ranked_table(&columns, rows) + "\n" + &counts_told(&stats.total)
}

/// Returns the verdicts and the failures, and how often there was each.
pub(super) fn counts_told(total: &Numbers) -> String {
    let mut text = String::new();
    for (label, counts) in [("outcomes", &total.outcomes), ("errors", &total.errors)] {
        if !counts.is_empty() {
            let each: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
            text.push_str(&fact(label, &each.join(", ")));
        }
    }
    text
}

fn row(agent: &str, numbers: &Numbers, most: f64) -> Vec<Cell> {
    let count = |count: u64, tone| {
        let tone = if count == 0 { Tone::Faint } else { tone };
        Cell::new(count.to_string()).toned(tone).right()
    };
    let time = |millis: Option<u64>| Cell::new(millis.map(duration).unwrap_or_default()).right();
    vec![
        Cell::new(agent).whole(),
        count(numbers.dispatches, Tone::Plain),
        count(numbers.ok, Tone::Good),
        count(numbers.failed, Tone::Bad),
        count(numbers.cached_hits, Tone::Plain),
        count(numbers.joined, Tone::Plain),
        time(numbers.median_ms),
        time(numbers.p90_ms),
        Cell::new(usd(numbers.cost_usd)).right(),
        Cell::new(bar(numbers.cost_usd / most, BAR_COLUMNS)).toned(Tone::Busy),
    ]
}

#[cfg(test)]
mod tests;
