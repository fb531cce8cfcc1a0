//! HTML that no text can break out of: markup is always one of our own constants, everything else is escaped.

use std::fmt::{Display, Write as _};

use crate::audit::redact::one_line;
use crate::budget::usd;

/// A page while it is written.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Writes markup.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Writes markup with a value in place of each `{}`, so that it can stand in a text or in a quoted attribute.
    pub(super) fn fill(&mut self, markup: &'static str, values: &[&dyn Display]) {
        debug_assert_eq!(markup.matches("{}").count(), values.len(), "{markup}");
        let mut parts = markup.split("{}");
        self.0.push_str(parts.next().unwrap_or_default());
        for (value, part) in values.iter().zip(parts) {
            let _infallible = write!(Escaping(&mut self.0), "{value}");
            self.0.push_str(part);
        }
    }

    /// Returns the page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Writes to a page what is no markup.
struct Escaping<'a>(&'a mut String);

impl std::fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for char in text.chars() {
            match char {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&#34;"),
                '\'' => self.0.push_str("&#39;"),
                char => self.0.push(char),
            }
        }
        Ok(())
    }
}

/// Returns what others wrote, as it may be shown: at most `chars` characters, without anything that hides or reorders.
/// It is to stand in a `bdi` element.
pub(super) fn foreign(text: Option<&str>, chars: usize) -> String {
    one_line(text.unwrap_or_default(), chars)
}

/// Returns a number as people write it: `12,345`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a sum of money as people write it: `$12,345.60`.
pub(super) fn money(amount: f64) -> String {
    let text = usd(amount);
    match text.strip_prefix('$').and_then(|sum| sum.split_once('.')) {
        Some((dollars, cents)) if dollars.len() > 3 => {
            let dollars = dollars.parse().map_or_else(|_| dollars.to_owned(), number);
            format!("${dollars}.{cents}")
        }
        _ => text,
    }
}

/// Returns a part of a whole, as people write it: `97.5 %`; nothing when there is no whole.
pub(super) fn percent(part: u64, whole: u64) -> Option<String> {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    // All is only said of all.
    let text = if tenths == 1000 { "100".to_owned() } else { format!("{}.{}", tenths / 10, tenths % 10) };
    (whole > 0).then(|| format!("{text} %"))
}

/// Returns `one` or `many`, behind how many there are.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// Returns a length of time in few characters: `41 s`, `3 min`, `1.5 h`.
pub(super) fn brief(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..10_000 if !millis.is_multiple_of(1000) => {
            format!("{}.{} s", millis / 1000, millis % 1000 / 100)
        }
        1000..60_000 => format!("{} s", millis / 1000),
        60_000..3_600_000 => format!("{} min", millis / 60_000),
        _ if millis.is_multiple_of(3_600_000) || millis >= 36_000_000 => format!("{} h", millis / 3_600_000),
        _ => format!("{}.{} h", millis / 3_600_000, millis % 3_600_000 / 360_000),
    }
}

/// Returns a local time such as `2026-11-21 10:15` as people write it, as far as it goes: `21 Nov 2026, 10:15`.
pub(super) fn date(iso: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (day, time) = iso.split_once(' ').unwrap_or((iso, ""));
    let mut parts = day.split('-');
    let year = parts.next().unwrap_or_default();
    let month = parts.next().and_then(|month| MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?));
    let day = parts.next().map(|day| day.trim_start_matches('0'));
    let mut text = [day, month.copied(), Some(year)].into_iter().flatten().collect::<Vec<_>>().join(" ");
    match time.len() {
        0 => {}
        2 => text.push_str(&format!(", {time}:00")),
        _ => text.push_str(&format!(", {}", time.get(..5).unwrap_or(time))),
    }
    text
}
