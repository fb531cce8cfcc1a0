//! The period in columns: hours, days, weeks, months or years, so that there are never many.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::report::{Period, Sums};
use crate::model::Timestamp;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What is counted is put together by these: every time zone is some of them away from UTC.
const QUARTER_MS: u64 = 15 * MINUTE_MS;

/// Most columns; there are more only when a clock was centuries wrong, and then the first ones are left out.
const COLUMNS_MAX: usize = 150;

/// How wide a column is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// An hour.
    Hour,
    /// A day.
    #[default]
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// One column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Local time at which it begins, as far as its step goes: `2026-11-21 10`, `2026-11-21`, `2026-11`, `2026`.
    pub start: String,
    /// What ended in it.
    pub sums: Sums,
}

/// Returns the number of the quarter of an hour in which `time` lies.
pub(super) const fn quarter(time: Timestamp) -> u64 {
    time.as_millis() / QUARTER_MS
}

/// Returns the columns of a period, without a gap.
pub(super) fn of(
    quarters: &BTreeMap<u64, Sums>,
    range: Option<(Timestamp, Timestamp)>,
    period: &Period,
) -> (Step, Vec<Column>) {
    let Some((first, last)) = range else { return (Step::default(), Vec::new()) };
    let to = period.until.map_or(last, |until| until.minus_millis(1)).max(last);
    // An age of years says no more than "all": then the first dispatch is where the picture begins.
    let asked = period.since.filter(|since| to.millis_since(*since) <= 100 * DAY_MS);
    let from = asked.unwrap_or(first).min(first);
    let (step, stride) = match to.millis_since(from) / DAY_MS {
        0..3 => (Step::Hour, HOUR_MS),
        3..=100 => (Step::Day, DAY_MS / 4),
        101..=730 => (Step::Week, DAY_MS),
        731..=3653 => (Step::Month, DAY_MS),
        _ => (Step::Year, 30 * DAY_MS),
    };
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    let strides = (to.millis_since(from) / stride).min(20_000);
    for number in 0..=strides {
        sums.entry(start(from.plus_millis(number * stride), step)).or_default();
    }
    sums.entry(start(to, step)).or_default();
    for (quarter, some) in quarters {
        sums.entry(start(Timestamp::from_millis(quarter * QUARTER_MS), step)).or_default().add(*some);
    }
    let columns = sums.into_iter().map(|(start, sums)| Column { start, sums });
    let mut columns: Vec<Column> = columns.collect();
    columns.drain(..columns.len().saturating_sub(COLUMNS_MAX));
    (step, columns)
}

/// Returns where the column begins in which `time` lies. In the order of these texts, columns are in the order of time.
fn start(time: Timestamp, step: Step) -> String {
    let (time, chars) = match step {
        Step::Hour => (time, 13),
        Step::Day => (time, 10),
        // From noon to noon, so that an hour more or less in a day does not matter.
        Step::Week => {
            let noon = time.plus_millis(12 * HOUR_MS).minus_millis(time.local_hour() * HOUR_MS);
            (noon.minus_millis(time.local_weekday() * DAY_MS), 10)
        }
        Step::Month => (time, 7),
        Step::Year => (time, 4),
    };
    time.local().chars().take(chars).collect()
}
