//! Charts as inline SVG, drawn in percent of whatever room they get, so that they fit a phone and their texts stay
//! readable.

use crate::audit::report::{BIN_ENDS_MS, Column, Durations, Step, Sums};
use crate::cli::report::html::{Html, brief, date, money, number};

/// Most labels below a chart; a phone shows every other one.
const LABELS_MAX: usize = 7;

/// How much of a column's room it fills, and how much of the histogram's height its bars may take: above are marks.
const FILLED: f64 = 0.76;
const BARS_SHARE: f64 = 74.0;

/// What a chart over time shows of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// What it cost.
    Spend,
    /// How it went.
    Dispatches,
}

/// Draws the period as columns.
pub(super) fn over_time(html: &mut Html, step: Step, columns: &[Column], shown: Shown) {
    let height = |sums: &Sums| match shown {
        Shown::Spend => sums.cost_usd,
        Shown::Dispatches => real(sums.all()),
    };
    let most = columns.iter().map(|column| height(&column.sums)).fold(0.0, f64::max);
    let scale = Scale::of(most, shown);
    let label = match shown {
        Shown::Spend => "Spend over time, as columns",
        Shown::Dispatches => "Dispatches over time, as stacked columns: answered, failed, reused",
    };
    html.raw("<div class=\"chart\"><div class=\"y\" aria-hidden=\"true\">");
    for tick in &scale.ticks {
        html.fill("<span>{}</span>", &[tick]);
    }
    html.fill("</div><svg class=\"plot\" role=\"img\" aria-label=\"{}\">", &[&label]);
    grid(html, scale.ticks.len());
    let room = 100.0 / real(columns.len() as u64);
    for (at, column) in columns.iter().enumerate() {
        let x = real(at as u64) * room;
        html.fill("<g class=\"column\"><title>{}</title>", &[&tip(step, column, shown)]);
        html.fill(
            "<rect class=\"hit\" x=\"{}%\" width=\"{}%\" height=\"100%\"/>",
            &[&short(x), &short(room)],
        );
        let sums = &column.sums;
        let parts: &[(f64, &str)] = match shown {
            Shown::Spend => &[(sums.cost_usd, "money")],
            Shown::Dispatches => &[
                (real(sums.ok), "ok"),
                (real(sums.failed), "bad"),
                (real(sums.cached + sums.joined), "again"),
            ],
        };
        let mut below = 0.0;
        for (part, class) in parts.iter().filter(|(part, _)| *part > 0.0) {
            let share = part / scale.top * 100.0;
            below += share;
            html.fill(
                "<rect class=\"{}\" x=\"{}%\" y=\"{}%\" width=\"{}%\" height=\"{}%\"/>",
                &[
                    class,
                    &short(x + room * (1.0 - FILLED) / 2.0),
                    &short(100.0 - below),
                    &short(room * FILLED),
                    &short(share),
                ],
            );
        }
        html.raw("</g>");
    }
    html.raw("</svg>");
    let every = columns.len().div_ceil(LABELS_MAX).max(1);
    let labels = columns.iter().enumerate().filter(|(at, _)| at % every == 0);
    let labels = labels.map(|(at, column)| ((real(at as u64) + 0.5) * room, axis(step, &column.start)));
    x_axis(html, labels);
    html.raw("</div>");
}

/// Returns what a column is called: below the chart in few words, in a table in full.
fn axis(step: Step, start: &str) -> String {
    let full = date(start);
    match step {
        // Midnight is where the day is named.
        Step::Hour if start.ends_with(" 00") => full
            .rsplit_once(' ')
            .map_or("", |(day, _)| day)
            .trim_end_matches(',')
            .rsplit_once(' ')
            .map_or("", |(day, _)| day)
            .to_owned(),
        Step::Hour => format!("{}:00", start.get(11..13).unwrap_or_default()),
        Step::Day | Step::Week => full.rsplit_once(' ').map_or("", |(day, _)| day).to_owned(),
        Step::Month | Step::Year => full,
    }
}

/// Returns what a column is called, in full.
pub(super) fn name(step: Step, start: &str) -> String {
    let full = date(start);
    if step == Step::Week { format!("Week from {full}") } else { full }
}

fn tip(step: Step, column: &Column, shown: Shown) -> String {
    let (name, sums) = (name(step, &column.start), &column.sums);
    match shown {
        Shown::Spend => format!("{name}: {}", money(sums.cost_usd)),
        Shown::Dispatches => format!(
            "{name}: {} answered, {} failed, {} reused",
            number(sums.ok),
            number(sums.failed),
            number(sums.cached + sums.joined)
        ),
    }
}

/// Draws how long runs took, with marks where half, nine of ten, and ninety-nine of a hundred of them had ended.
pub(super) fn histogram(html: &mut Html, durations: &Durations) {
    let filled = |count: &u64| *count > 0;
    let first = durations.bins.iter().position(filled).unwrap_or(0);
    let last = durations.bins.iter().rposition(filled).unwrap_or(0);
    // A bar alone says little: its neighbours show where it stands.
    let (first, last) = (first.saturating_sub(1), (last + 1).min(durations.bins.len().saturating_sub(1)));
    let bins = durations.bins.get(first..=last).unwrap_or_default();
    let most = real(bins.iter().copied().max().unwrap_or(0).max(1));
    let room = 100.0 / real(bins.len() as u64);
    html.raw(
        "<div class=\"chart histogram\"><svg class=\"plot\" role=\"img\" \
         aria-label=\"How many runs took how long, as columns\">",
    );
    html.raw("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"100%\" y2=\"100%\"/>");
    for (at, count) in bins.iter().enumerate() {
        let x = real(at as u64) * room;
        let bin = first + at;
        let to = BIN_ENDS_MS.get(bin).map(|end| brief(*end));
        let from =
            bin.checked_sub(1).and_then(|at| BIN_ENDS_MS.get(at)).map_or("0 s".to_owned(), |end| brief(*end));
        let range = to.map_or_else(|| format!("{from} or more"), |to| format!("{from} to {to}"));
        let height = real(*count) / most * BARS_SHARE;
        html.fill("<g class=\"column\"><title>{}: {}</title>", &[&range, &number(*count)]);
        html.fill(
            "<rect class=\"hit\" x=\"{}%\" width=\"{}%\" height=\"100%\"/>",
            &[&short(x), &short(room)],
        );
        html.fill(
            "<rect class=\"ok\" x=\"{}%\" y=\"{}%\" width=\"{}%\" height=\"{}%\"/></g>",
            &[&short(x + room * 0.06), &short(100.0 - height), &short(room * 0.88), &short(height)],
        );
    }
    marks(html, durations, |millis| (place(millis) - real(first as u64)) * room);
    html.raw("</svg>");
    let ends = BIN_ENDS_MS.iter().enumerate().filter(|(bin, _)| (first..last).contains(bin));
    x_axis(html, ends.map(|(bin, end)| (real((bin - first) as u64 + 1) * room, brief(*end))));
    html.raw("</div>");
}

/// Draws the marks: all lines first, so that no line crosses a text; the longest time on top, so that no text has to stand
/// between lines.
fn marks(html: &mut Html, durations: &Durations, place: impl Fn(u64) -> f64) {
    let marks = [("p99", durations.p99_ms), ("p90", durations.p90_ms), ("p50", durations.p50_ms)];
    let marks = marks.into_iter().enumerate().filter_map(|(row, (name, millis))| {
        let millis = millis?;
        Some((11 + row * 16, name, millis, place(millis)))
    });
    for (baseline, _, _, x) in marks.clone() {
        html.fill(
            "<line class=\"mark\" x1=\"{}%\" x2=\"{}%\" y1=\"{}\" y2=\"100%\"/>",
            &[&short(x), &short(x), &(baseline - 9)],
        );
    }
    for (baseline, name, millis, x) in marks {
        let (anchor, aside) = if x > 35.0 { ("end", "-5") } else { ("start", "5") };
        html.fill(
            "<text class=\"mark\" x=\"{}%\" y=\"{}\" dx=\"{}\" text-anchor=\"{}\">{} {}</text>",
            &[&short(x), &baseline, &aside, &anchor, &name, &brief(millis)],
        );
    }
}

/// Returns where a length of time stands, counted in bins.
fn place(millis: u64) -> f64 {
    let bin = BIN_ENDS_MS.partition_point(|end| *end <= millis);
    let from = bin.checked_sub(1).and_then(|at| BIN_ENDS_MS.get(at)).copied().unwrap_or(0);
    // The last bin has no end; what is in it is at most some days.
    let to = BIN_ENDS_MS.get(bin).copied().unwrap_or(from * 4);
    real(bin as u64) + (real(millis - from) / real(to - from)).min(0.95)
}

/// Writes the cell of a table with a value, and a bar whose parts are shares of all the room it has.
pub(super) fn meter(html: &mut Html, value: &str, parts: &[(f64, &'static str)]) {
    html.raw("<td class=\"n meter\"><div><svg class=\"bar\" aria-hidden=\"true\">");
    html.raw("<rect class=\"track\" width=\"100%\" height=\"100%\"/>");
    let mut x = 0.0;
    for (share, class) in parts {
        let width = if share.is_finite() { (share * 100.0).clamp(0.0, 100.0 - x) } else { 0.0 };
        if width > 0.0 && !class.is_empty() {
            // What is there is seen, however little it is.
            html.fill(
                "<rect class=\"{}\" x=\"{}%\" width=\"{}%\" height=\"100%\"/>",
                &[class, &short(x.min(99.0)), &short(width.max(1.0))],
            );
        }
        x += width;
    }
    html.fill("</svg><span>{}</span></div></td>", &[&value]);
}

fn grid(html: &mut Html, ticks: usize) {
    let gaps = real(ticks.saturating_sub(1).max(1) as u64);
    for line in 0..ticks {
        let y = short(real(line as u64) / gaps * 100.0);
        html.fill("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{}%\" y2=\"{}%\"/>", &[&y, &y]);
    }
}

fn x_axis(html: &mut Html, labels: impl Iterator<Item = (f64, String)>) {
    html.raw("<svg class=\"x\" aria-hidden=\"true\">");
    for (at, (x, label)) in labels.enumerate() {
        let (x, anchor) = match x {
            ..5.0 => (0.0, "start"),
            95.0.. => (100.0, "end"),
            _ => (x, "middle"),
        };
        let class = if at % 2 == 1 { "odd" } else { "even" };
        html.fill(
            "<text class=\"{}\" x=\"{}%\" y=\"13\" text-anchor=\"{}\">{}</text>",
            &[&class, &short(x), &anchor, &label],
        );
    }
    html.raw("</svg>");
}

/// The axis of a chart: where it ends, and the labels of its lines from top to bottom.
#[derive(Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) top: f64,
    pub(super) ticks: Vec<String>,
}

impl Scale {
    /// Returns the axis on which `most` fits and whose lines are at round numbers.
    pub(super) fn of(most: f64, shown: Shown) -> Self {
        let wanted = if shown == Shown::Dispatches { most.max(2.0) } else { most.max(0.01) };
        let mut unit = 0.0001;
        while unit * 10.0 < wanted {
            unit *= 10.0;
        }
        // With these, half of the top is a round number of cents or of dispatches, too.
        let fine = if shown == Shown::Dispatches { unit > 9.0 } else { unit > 0.09 };
        let steps: &[f64] = if fine {
            &[1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0]
        } else {
            &[1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        };
        let top = steps.iter().map(|step| step * unit).find(|top| *top >= wanted * 0.999_999);
        let top = top.unwrap_or(wanted);
        let label = |share: f64| match shown {
            Shown::Spend if top >= 10.0 => format!("${}", number(whole(top * share))),
            Shown::Spend => money(top * share),
            Shown::Dispatches => number(whole(top * share)),
        };
        Self { top, ticks: vec![label(1.0), label(0.5), "0".to_owned()] }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and far below the limit"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// Returns a number for a drawing: a hundredth of a percent is less than anybody sees.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "for a drawing")]
pub(super) const fn real(number: u64) -> f64 {
    number as f64
}
