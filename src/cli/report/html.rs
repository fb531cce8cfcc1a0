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

/// Returns a sum of money as people write it: `$12,345.60`; less than a cent is not rounded to nothing.
pub(super) fn money(amount: f64) -> String {
    let text = if amount >= 0.01 { format!("${amount:.2}") } else { usd(amount) };
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
    let (part, whole) = (u128::from(part), u128::from(whole));
    let rounded = (part * 2000 + whole).checked_div(whole * 2)?;
    Some(match rounded {
        _ if part == whole => "100 %".to_owned(),
        _ if part == 0 => "0 %".to_owned(),
        // All is only said of all, and nothing of nothing.
        tenths => {
            let tenths = tenths.clamp(1, 999);
            format!("{}.{} %", tenths / 10, tenths % 10)
        }
    })
}

/// Returns `one` or `many`, behind how many there are.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// Returns a length of time in few characters: `850 ms`, `4.1 s`, `41 s`, `1.7 min`, `3 h`.
pub(super) fn brief(millis: u64) -> String {
    let (unit, name) = match millis {
        0..1000 => return format!("{millis} ms"),
        1000..60_000 => (1000, "s"),
        60_000..3_600_000 => (60_000, "min"),
        _ => (3_600_000, "h"),
    };
    let (whole, tenths) = (millis / unit, millis % unit * 10 / unit);
    if whole >= 10 || tenths == 0 { format!("{whole} {name}") } else { format!("{whole}.{tenths} {name}") }
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
    let time = if time.len() == 2 { format!("{time}:00") } else { time.chars().take(5).collect() };
    if !time.is_empty() {
        let _infallible = write!(text, ", {time}");
    }
    text
}
