//! Whether a run still fits a spending cap: what was spent, what running ones may spend, what this one asks for.

use serde::{Deserialize, Serialize};

/// A cap on what is spent in a calendar day or month, and how much of it is left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cap {
    /// The agent whose cap it is; `None` is that of all agents together.
    pub agent: Option<String>,
    /// The time it is for.
    pub period: Period,
    /// The cap, in US dollars.
    pub limit: f64,
    /// US dollars spent in the period.
    pub spent: f64,
    /// US dollars that running dispatches may still spend.
    pub reserved: f64,
}

/// The time a cap is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Period {
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
}

impl Period {
    /// Returns its name, as in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl Cap {
    /// Returns whether a run that may spend `asked` fits. One without a cap of its own is let in while anything is left: how
    /// much it will need is not known, and the next one is stopped.
    pub fn admit(&self, asked: Option<f64>) -> Result<(), OverBudget> {
        // Sums of cents are not exact: 0.1 + 0.2 must fit 0.3.
        const SLACK: f64 = 1e-9;
        let Self { limit, spent, reserved, .. } = *self;
        // Written so that a NaN anywhere refuses.
        let fits = match asked {
            Some(asked) => spent + reserved + asked <= limit + SLACK,
            None => spent + reserved + SLACK < limit,
        };
        if fits { Ok(()) } else { Err(OverBudget { spent, reserved, asked, limit }) }
    }

    /// Returns the US dollars that a run could still have.
    pub fn left(&self) -> f64 {
        (self.limit - self.spent - self.reserved).max(0.0)
    }
}

/// A run that does not fit the cap.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the cap of {} is {}: {} spent, {} reserved by running dispatches, {} asked for",
    usd(*.limit), if .spent >= .limit { "used up" } else { "too small" }, usd(*.spent), usd(*.reserved),
    .asked.map_or_else(|| "no certain amount".to_owned(), usd))]
pub struct OverBudget {
    /// US dollars spent in the period.
    pub spent: f64,
    /// US dollars that running dispatches may still spend.
    pub reserved: f64,
    /// US dollars the run may spend; `None` when it has no cap of its own.
    pub asked: Option<f64>,
    /// The cap, in US dollars.
    pub limit: f64,
}

/// Returns what a run counts for under the caps, in US dollars: what it cost. When that is not known, because it was stopped or
/// died before it told, it counts for all that it was allowed, if it got as far as a conversation and had a cap of its own.
pub fn charge(cost: Option<f64>, cap: Option<f64>, conversed: bool) -> f64 {
    let charged = cost.or_else(|| cap.filter(|_| conversed)).unwrap_or(0.0);
    if charged.is_finite() { charged.max(0.0) } else { 0.0 }
}

/// Returns an amount as people write it: `$1.50`, and `$0.0042` where cents would hide it.
pub fn usd(amount: f64) -> String {
    if amount == 0.0 || amount.abs() >= 0.1 {
        return format!("${amount:.2}");
    }
    let mut text = format!("${amount:.4}");
    for _ in 0..2 {
        if text.ends_with('0') {
            text.pop();
        }
    }
    text
}

#[cfg(test)]
mod tests;
