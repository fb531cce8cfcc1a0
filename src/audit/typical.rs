//! What dispatches to an agent usually take: computed from the last ones, whoever keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::Code;
use crate::audit::line::{COST_USD_MAX, DURATION_MS_MAX, Line};
use crate::audit::stats::percentile;
use crate::model::Outcome;

/// Fewer dispatches than this say nothing.
pub const SAMPLES_MIN: usize = 3;

/// One dispatch that ran.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// What it cost, in US dollars.
    pub cost_usd: Option<f64>,
    /// Whether the agent answered without an error.
    pub success: bool,
    /// The agent's own verdict.
    pub outcome: Option<Outcome>,
}

impl Sample {
    /// Returns the run that ended by itself, if a record tells of one.
    pub fn of(line: &Line<'_>) -> Option<Self> {
        let end = line.end.as_ref().filter(|_| line.event == Code::Finished)?;
        let verdict = |it: &Outcome| Some(it.as_str()) == end.outcome.as_deref();
        Some(Self {
            millis: end.duration_ms,
            cost_usd: end.cost_usd,
            success: end.success,
            outcome: Outcome::ALL.into_iter().find(verdict),
        })
    }
}

/// What dispatches to an agent usually take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Typical {
    /// How many were looked at.
    pub dispatches: u32,
    /// Half of them took no longer, in seconds.
    pub median_seconds: f64,
    /// Nine of ten took no longer, in seconds.
    pub p90_seconds: f64,
    /// Half of those whose cost is known cost no more, in US dollars.
    pub median_cost_usd: Option<f64>,
    /// How many failed.
    pub failed: u32,
    /// How many of the agent's own verdicts there were of each kind.
    pub outcomes: BTreeMap<String, u32>,
}

impl Typical {
    /// Returns what these dispatches took; nothing when there are too few.
    pub fn of(samples: impl IntoIterator<Item = Sample>) -> Option<Self> {
        let samples: Vec<Sample> = samples.into_iter().filter(|one| one.millis < DURATION_MS_MAX).collect();
        if samples.len() < SAMPLES_MIN {
            return None;
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut millis: Vec<u64> = samples.iter().map(|one| one.millis).collect();
        millis.sort_unstable();
        let mut costs: Vec<f64> = samples.iter().filter_map(|one| one.cost_usd).collect();
        costs.retain(|cost| (0.0..COST_USD_MAX).contains(cost));
        costs.sort_unstable_by(f64::total_cmp);
        let mut outcomes = BTreeMap::new();
        for outcome in samples.iter().filter_map(|one| one.outcome) {
            *outcomes.entry(outcome.as_str().to_owned()).or_insert(0) += 1;
        }
        Some(Self {
            dispatches: count(samples.len()),
            median_seconds: seconds(percentile(&millis, 50).unwrap_or(0)),
            p90_seconds: seconds(percentile(&millis, 90).unwrap_or(0)),
            median_cost_usd: percentile(&costs, 50),
            failed: count(samples.iter().filter(|one| !one.success).count()),
            outcomes,
        })
    }

    /// Returns a limit that leaves room over what nine of ten took: half as much again, in steps of half a minute.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by DURATION_MS_MAX, not negative"
    )]
    pub fn suggested_timeout_seconds(&self) -> u64 {
        (((self.p90_seconds * 1.5) / 30.0).ceil() as u64).max(1) * 30
    }
}

/// Returns milliseconds as seconds, as exact as anybody needs it.
#[expect(clippy::cast_precision_loss, reason = "bounded by DURATION_MS_MAX")]
fn seconds(millis: u64) -> f64 {
    (millis as f64 / 100.0).round() / 10.0
}

#[cfg(test)]
mod tests;
