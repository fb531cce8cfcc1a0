//! Durations of one measure, what they amount to, and the table in which they stand.

use std::fmt::Write as _;
use std::time::Duration;

/// Every duration that was measured of one thing.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Returns the value that half of them do not exceed.
    pub(crate) fn median(&self) -> Duration {
        self.quantile(50)
    }

    /// Returns the value that 99 of 100 do not exceed.
    pub(crate) fn p99(&self) -> Duration {
        self.quantile(99)
    }

    fn quantile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }
}

/// Lines of a table: what, median, 99th percentile, target.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<[String; 4]>);

impl Table {
    /// Adds a heading.
    pub(crate) fn heading(&mut self, what: &str, columns: [&str; 3]) {
        if !self.0.is_empty() {
            self.0.push(Default::default());
        }
        let [median, p99, target] = columns.map(str::to_owned);
        self.0.push([what.to_owned(), median, p99, target]);
    }

    /// Adds a measure that has no target.
    pub(crate) fn measured(&mut self, what: &str, samples: &Samples) {
        let p99 = milliseconds(samples.p99());
        self.0.push([what.to_owned(), milliseconds(samples.median()), p99, String::new()]);
    }

    /// Adds a measure whose median, less `floor`, should be at most `target`.
    pub(crate) fn judged(&mut self, what: &str, samples: &Samples, floor: Duration, target: Duration) {
        let [median, p99] = [samples.median(), samples.p99()].map(|took| took.saturating_sub(floor));
        let target = format!("<= {} {}", milliseconds(target), verdict(median <= target));
        self.0.push([what.to_owned(), milliseconds(median), milliseconds(p99), target]);
    }

    /// Adds anything else.
    pub(crate) fn told(&mut self, what: &str, value: String, target: Option<(&str, bool)>) {
        let target = target.map_or_else(String::new, |(target, met)| format!("{target} {}", verdict(met)));
        self.0.push([what.to_owned(), value, String::new(), target]);
    }

    /// Returns the table, its columns aligned.
    pub(crate) fn text(&self) -> String {
        let width = |column: usize| {
            self.0
                .iter()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let (what, median, p99) = (width(0), width(1), width(2));
        let mut text = String::new();
        for [a, b, c, d] in &self.0 {
            let line = format!("{a:<what$}  {b:>median$}  {c:>p99$}  {d}");
            // Writing to a String does not fail.
            _ = writeln!(text, "{}", line.trim_end()).is_ok();
        }
        text
    }
}

const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

fn milliseconds(took: Duration) -> String {
    format!("{:.3} ms", took.as_secs_f64() * 1000.0)
}
