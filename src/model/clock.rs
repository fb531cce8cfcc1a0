//! Time: the only place that reads the clock, and how instants are written for people and parsed from them.

use std::fmt;

use chrono::{DateTime, Datelike as _, Local, SecondsFormat, Timelike as _, Utc};
use serde::{Deserialize, Serialize};

/// An instant of calendar time, in milliseconds since 1970-01-01 UTC.
/// Written as RFC 3339 text in JSON and as a number in bincode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Returns the present.
    #[expect(clippy::disallowed_methods, reason = "this is the module that reads the clock")]
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Returns the instant this many milliseconds after 1970-01-01 UTC.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since 1970-01-01 UTC.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the seconds since 1970-01-01 UTC, with the milliseconds as fraction (the original's unit for times).
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit 53 bits")]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Returns the milliseconds from `earlier` to `self`, 0 when the clock went backwards.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the instant `millis` later.
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Returns the instant `millis` earlier.
    pub const fn minus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// Returns the local calendar day as `YYYYMMDD`: the unit of day budgets.
    pub fn local_day(self) -> u32 {
        let day = self.date_time().with_timezone(&Local);
        day.year().unsigned_abs() * 10_000 + day.month() * 100 + day.day()
    }

    /// Returns the local calendar month as `YYYYMM`: the unit of month budgets.
    pub fn local_month(self) -> u32 {
        self.local_day() / 100
    }

    /// Returns how many days the local day is after a Monday.
    pub fn local_weekday(self) -> u64 {
        self.date_time().with_timezone(&Local).weekday().num_days_from_monday().into()
    }

    /// Returns the local hour of the day.
    pub fn local_hour(self) -> u64 {
        self.date_time().with_timezone(&Local).hour().into()
    }

    /// Returns the instant in RFC 3339, UTC, with milliseconds.
    pub fn rfc3339(self) -> String {
        self.date_time().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Returns the local time as a listing shows it: `2026-11-21 10:15:00`.
    pub fn local(self) -> String {
        self.date_time().with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Returns the instant that a person means by `text`, seen from `now`: RFC 3339, `2026-11-21`, `2026-11-21 10:15`,
    /// `today`, `yesterday`, `now`, the last `monday` (to `sunday`, today included), or an age such as `2h ago`, `90 min`,
    /// `3d`, `1 week ago`.
    pub fn parse(text: &str, now: Self) -> Result<Self, BadTime> {
        let trimmed = text.trim().to_ascii_lowercase();
        if let Ok(exact) = DateTime::parse_from_rfc3339(text.trim()) {
            return Ok(Self::from_date_time(exact.with_timezone(&Utc)));
        }
        let local_midnight = |days_back: u64| {
            let day = now.date_time().with_timezone(&Local).date_naive() - chrono::Days::new(days_back);
            local(day.and_hms_opt(0, 0, 0)?)
        };
        let named = match trimmed.as_str() {
            "now" => Some(now),
            "today" => local_midnight(0),
            "yesterday" => local_midnight(1),
            other => ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dt%H:%M:%S", "%Y-%m-%dt%H:%M"]
                .iter()
                .find_map(|format| chrono::NaiveDateTime::parse_from_str(other, format).ok())
                .or_else(|| chrono::NaiveDate::parse_from_str(other, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
                .and_then(local),
        };
        let weekday = || {
            let wanted = trimmed.parse::<chrono::Weekday>().ok()?;
            let today = now.date_time().with_timezone(&Local).weekday();
            local_midnight(u64::from(today.days_since(wanted)))
        };
        named
            .or_else(weekday)
            .or_else(|| age_millis(&trimmed).map(|age| now.minus_millis(age)))
            .ok_or_else(|| BadTime(text.to_owned()))
    }

    fn date_time(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(i64::try_from(self.0).unwrap_or(i64::MAX))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn from_date_time(time: DateTime<Utc>) -> Self {
        Self(u64::try_from(time.timestamp_millis()).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(Self::from_date_time(time.with_timezone(&Utc)))
    }
}

/// A text that names no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a time: use RFC 3339, `2026-11-21 10:15`, `today`, `yesterday`, `monday` or an age such as `2h ago`", .0.escape_debug())]
pub struct BadTime(String);

fn local(naive: chrono::NaiveDateTime) -> Option<Timestamp> {
    naive.and_local_timezone(Local).earliest().map(|time| Timestamp::from_date_time(time.with_timezone(&Utc)))
}

/// Returns the milliseconds of `45`, `45s`, `250ms`, `2h`: a length of time as people write it, in seconds without a unit.
pub fn millis_of(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    match text.parse::<u64>() {
        Ok(seconds) => seconds.checked_mul(1000),
        Err(_) => match text.strip_suffix("ms") {
            Some(millis) => millis.trim().parse().ok(),
            None => age_millis(&text).filter(|_| !text.ends_with("ago")),
        },
    }
}

/// Returns the milliseconds of `2h`, `90 min ago`, `3 days`, or nothing.
fn age_millis(text: &str) -> Option<u64> {
    let text = text.strip_suffix("ago").unwrap_or(text).trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let seconds: u64 = match unit.trim() {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 7 * 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds)?.checked_mul(1000)
}

#[cfg(test)]
mod tests;
