//! Time: the only place that reads the clock, and how instants are written for people and parsed from them.

use std::fmt;

use chrono::{
    DateTime, Datelike as _, Local, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Timelike as _, Utc,
};
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
    /// `now`, a day (`today`, `yesterday`, the last `monday` to `sunday`, today included), a time (the last `10:15`), both
    /// (`yesterday 15:00`), or an age such as `2h ago`, `90 min`, `1h30m`, `a week ago`, `1 month ago`.
    pub fn parse(text: &str, now: Self) -> Result<Self, BadTime> {
        let trimmed = text.trim().to_ascii_lowercase();
        if let Ok(exact) = DateTime::parse_from_rfc3339(text.trim()) {
            return Ok(Self::from_date_time(exact.with_timezone(&Utc)));
        }
        if trimmed == "now" {
            return Ok(now);
        }
        let written = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dt%H:%M:%S", "%Y-%m-%dt%H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(&trimmed, format).ok())
            .or_else(|| NaiveDate::parse_from_str(&trimmed, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
        written
            .and_then(local)
            .or_else(|| now.day_and_time(&trimmed))
            .or_else(|| now.months_ago(&trimmed))
            .or_else(|| age_millis(&trimmed).map(|age| now.minus_millis(age)))
            .ok_or_else(|| BadTime(text.to_owned()))
    }

    /// Returns the last `monday`, `10:15`, `yesterday 15:00` and the like.
    fn day_and_time(self, text: &str) -> Option<Self> {
        let time = |text: &str| {
            ["%H:%M", "%H:%M:%S"].iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok())
        };
        let (day, last) = text.rsplit_once(' ').unwrap_or(("", text));
        let (day, time) = match time(last) {
            Some(time) => (day.trim_end().trim_end_matches(" at"), time),
            None if text.is_empty() => return None,
            None => (text, NaiveTime::MIN),
        };
        let today = self.date_time().with_timezone(&Local).date_naive();
        let at = |days_back: u64| local((today - chrono::Days::new(days_back)).and_time(time));
        let since = |day: &str| Some(u64::from(today.weekday().days_since(day.parse().ok()?)));
        match day {
            "" => at(0).filter(|at| *at <= self).or_else(|| at(1)),
            "today" => at(0),
            "yesterday" => at(1),
            _ => match day.strip_prefix("last ") {
                // Not today.
                Some(day) => at(since(day)?.checked_sub(1).map_or(7, |days| days + 1)),
                None => at(since(day)?),
            },
        }
    }

    /// Returns `1 month ago` and the like, by the calendar.
    fn months_ago(self, text: &str) -> Option<Self> {
        let text = counted(text);
        let (number, unit) = text.split_once(' ')?;
        let each = match unit.trim() {
            "month" | "months" => 1,
            "year" | "years" => 12,
            _ => return None,
        };
        let months = chrono::Months::new(number.parse::<u32>().ok()?.checked_mul(each)?);
        self.date_time()
            .with_timezone(&Local)
            .checked_sub_months(months)
            .map(|time| Self::from_date_time(time.to_utc()))
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
#[error("`{}` is not a time: use RFC 3339, `2026-11-21 10:15`, `10:15`, `today`, `yesterday 15:00`, `monday` or an age such as `2h ago`", .0.escape_debug())]
pub struct BadTime(String);

fn local(naive: NaiveDateTime) -> Option<Timestamp> {
    naive.and_local_timezone(Local).earliest().map(|time| Timestamp::from_date_time(time.with_timezone(&Utc)))
}

/// Returns the milliseconds of `45`, `45s`, `1.5s`, `250ms`, `1h30m`: a length of time as people write it, in seconds without a
/// unit.
pub fn millis_of(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    times(&text, 1000).or_else(|| age_millis(&text).filter(|_| !text.ends_with("ago")))
}

/// Returns `a week ago` as `1 week`.
fn counted(text: &str) -> String {
    let text = text.strip_suffix("ago").unwrap_or(text).trim();
    match text.split_once(' ') {
        Some(("a" | "an" | "one", rest)) => format!("1 {rest}"),
        _ => text.to_owned(),
    }
}

/// Returns the milliseconds of `2h`, `90 min ago`, `3 days`, `1h30m`, or nothing.
fn age_millis(text: &str) -> Option<u64> {
    let text = counted(text);
    let mut rest = text.as_str();
    let mut sum = None;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, more) = rest.split_at_checked(digits)?;
        let more = more.trim_start();
        let letters = more.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, more) = more.split_at_checked(letters)?;
        let millis = match unit {
            "ms" => 1,
            "s" | "sec" | "secs" | "second" | "seconds" => 1000,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            "w" | "week" | "weeks" => 7 * 86_400_000,
            _ => return None,
        };
        sum = Some(times(number, millis)?.checked_add(sum.unwrap_or(0))?);
        rest = more.trim_start();
    }
    sum
}

/// Returns so many times `unit`; the number may have a fraction.
fn times(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    };
    let parts = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = digits(fraction)?.checked_mul(unit)? / parts;
    digits(whole)?.checked_mul(unit)?.checked_add(part)
}

#[cfg(test)]
mod tests;
