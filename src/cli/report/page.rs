//! The page as a whole: its head, then one section after the other.

use std::collections::BTreeMap;

use crate::audit::Record;
use crate::audit::report::{Detail, Overview, Period, Ranked, Row, Step, Sums, Who};
use crate::audit::verdict::{Verdict, VerifyReport};
use crate::cli::render::duration;
use crate::cli::report::charts::{self, Shown, meter, real};
use crate::cli::report::html::{Html, brief, counted, date, foreign, money, number, percent};
use crate::cli::report::lists;
use crate::model::{JobId, Timestamp};

/// Longest name of an agent, a caller or a directory, in characters.
pub(super) const NAME_CHARS: usize = 100;

/// What is known beside the numbers.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Setting<'a> {
    /// What was asked for.
    pub(in crate::cli) period: &'a Period,
    /// What a check of the trail found, if there was one.
    pub(in crate::cli) verified: Option<&'a VerifyReport>,
    /// The present.
    pub(in crate::cli) now: Timestamp,
}

/// The dispatches that are told in full, read.
pub(super) type Told<'a> = BTreeMap<JobId, (&'a Detail, Record)>;

/// Returns the page.
pub(in crate::cli) fn page(overview: &Overview, setting: &Setting<'_>) -> String {
    let mut html = Html::default();
    html.raw(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
    );
    html.fill("<title>{}</title>\n<style>\n", &[&title(overview, setting)]);
    html.raw(include_str!("page.css"));
    html.raw("</style>\n</head>\n<body>\n<div class=\"page\" id=\"top\">\n");
    head(&mut html, overview, setting);
    html.raw("<main>\n");
    if overview.total.all() == 0 {
        nothing(&mut html, setting);
    } else {
        html.raw("<dl class=\"tiles\">\n");
        tiles(&mut html, overview, setting.verified);
        html.raw("</dl>\n");
        sections(&mut html, overview, setting);
    }
    html.raw("</main>\n<footer>\n");
    html.raw("<p>From the audit trail of agent-dispatch. Times are local. This page loads nothing from anywhere.</p>\n");
    html.raw("</footer>\n</div>\n</body>\n</html>\n");
    html.finish()
}

/// Returns what the page is about.
fn title(overview: &Overview, setting: &Setting<'_>) -> String {
    let day = |time: Timestamp| date(time.local().get(..10).unwrap_or_default());
    let first = setting.period.since.or(overview.range.map(|(first, _)| first));
    let last =
        setting.period.until.map(|until| until.minus_millis(1)).or(overview.range.map(|(_, last)| last));
    match (first.map(day), last.map(day)) {
        (Some(first), Some(last)) if first == last => format!("Dispatches, {first}"),
        (Some(first), Some(last)) => {
            // `1 Nov – 21 Nov 2026`: one year is said once.
            let year = last.rsplit_once(' ').map_or("", |(_, year)| year);
            format!("Dispatches, {} – {last}", first.strip_suffix(year).unwrap_or(&first).trim_end())
        }
        (Some(first), None) => format!("Dispatches since {first}"),
        (None, Some(last)) => format!("Dispatches until {last}"),
        (None, None) => "No dispatches yet".to_owned(),
    }
}

fn head(html: &mut Html, overview: &Overview, setting: &Setting<'_>) {
    html.raw("<header>\n<p class=\"brand\">agent-dispatch · audit report</p>\n");
    html.fill("<h1>{}</h1>\n<p class=\"soft\">", &[&title(overview, setting)]);
    match &setting.period.agent {
        Some(agent) => html.fill("Only agent <bdi>{}</bdi>", &[&foreign(Some(agent), NAME_CHARS)]),
        None => html.raw("All agents"),
    }
    if let Some((first, last)) = overview.range {
        for (word, time) in [(", from ", first), (" to ", last)] {
            html.fill("{}<time datetime=\"{}\">{}</time>", &[&word, &time, &date(&time.local())]);
        }
    }
    html.fill(
        "</p>\n<p class=\"soft\">Made <time datetime=\"{}\">{}</time> by agent-dispatch {}",
        &[&setting.now, &date(&setting.now.local()), &env!("CARGO_PKG_VERSION")],
    );
    html.raw("</p>\n</header>\n");
}

fn nothing(html: &mut Html, setting: &Setting<'_>) {
    html.raw("<section class=\"card empty\">\n<h2>Nothing to show yet</h2>\n<p>No dispatch ended in this period.</p>\n");
    let period = setting.period;
    if period.agent.is_some() || period.since.is_some() || period.until.is_some() {
        html.raw("<p>Look at everything that is on record: <code>agent-dispatch audit report --html FILE</code></p>\n");
    } else {
        html.raw("<p>Send an agent a task: <code>agent-dispatch dispatch AGENT \"TASK\"</code></p>\n");
    }
    if setting.verified.is_some() {
        html.raw("<p>");
        let (said, more, class) = trail(setting.verified);
        html.fill("Audit trail: <strong class=\"{}\">{}</strong>, {}", &[&class, &said, &more]);
        html.raw("</p>\n");
    }
    html.raw("</section>\n");
}

fn tiles(html: &mut Html, overview: &Overview, verified: Option<&VerifyReport>) {
    let total = &overview.total;
    let mut tile = |name: &str, value: &str, more: &str, class: &str| {
        html.fill(
            "<div class=\"card tile\"><dt>{}</dt><dd class=\"value {}\">{}</dd><dd class=\"soft\">{}</dd></div>\n",
            &[&name, &class, &value, &more],
        );
    };
    let again = total.cached + total.joined;
    let all = if again == 0 {
        format!("{} ran or were refused", number(total.ended()))
    } else {
        format!("{} on their own, {} reused", number(total.ended()), number(again))
    };
    tile("Dispatches", &number(total.all()), &all, "");
    let rate = percent(total.ok, total.ended()).unwrap_or_else(|| "–".to_owned());
    tile(
        "Success rate",
        &rate,
        &format!("{} answered, {} failed", number(total.ok), number(total.failed)),
        "",
    );
    let each = if total.ended() > 0 { total.cost_usd / real(total.ended()) } else { 0.0 };
    tile("Spend", &money(total.cost_usd), &format!("{} a dispatch", money(each)), "");
    let again = format!("{} from the cache, {} joined", number(total.cached), number(total.joined));
    let saved = match overview.unpriced {
        0 => again,
        unpriced => format!("{again}; {} of unknown price", number(unpriced)),
    };
    tile("Saved", &money(overview.saved_usd), &saved, "");
    let median = overview.durations.p50_ms.map_or_else(|| "–".to_owned(), brief);
    let most = overview
        .durations
        .p90_ms
        .map_or_else(String::new, |p90| format!("nine of ten within {}", brief(p90)));
    tile("Median time", &median, &most, "");
    let (said, more, class) = trail(verified);
    tile("Audit trail", said, &more, class);
}

/// Returns whether the trail is whole, more about it, and how that looks.
fn trail(verified: Option<&VerifyReport>) -> (&'static str, String, &'static str) {
    let Some(report) = verified else {
        return ("Not checked", "check it with: agent-dispatch audit verify".to_owned(), "quiet");
    };
    let why = || report.why().unwrap_or_default();
    match report.verdict() {
        Verdict::Whole => {
            ("✓ Whole", format!("{} checked", counted(report.records, "record", "records")), "fine")
        }
        Verdict::Broken => ("✗ Broken", why(), "alarm"),
        Verdict::Incomplete => ("✗ Incomplete", why(), "alarm"),
    }
}

fn sections(html: &mut Html, overview: &Overview, setting: &Setting<'_>) {
    let told: Told<'_> = overview
        .details
        .iter()
        .filter_map(|detail| Some((detail.id, (detail, serde_json::from_str(&detail.record).ok()?))))
        .collect();
    over_time(html, overview);
    ranking(html, "By agent", "Agent", &overview.agents, |html, agent: &String| {
        html.fill("<bdi>{}</bdi>", &[&foreign(Some(agent), NAME_CHARS)]);
    });
    ranking(html, "By caller", "Caller", &overview.callers, |html, who: &Who| {
        html.fill("<bdi>{}</bdi>", &[&foreign(Some(&who.name), NAME_CHARS)]);
        if let Some(directory) = &who.directory {
            html.fill("<small><bdi>{}</bdi></small>", &[&foreign(Some(directory), NAME_CHARS)]);
        }
    });
    html.raw("<div class=\"pair\">\n");
    durations(html, overview);
    failures(html, overview);
    html.raw("</div>\n");
    let all = setting.period.agent.is_none();
    lists::trees(html, &overview.trees, if all { "Costliest, with everything inside" } else { "Costliest" });
    lists::slowest(html, &overview.slowest, &told);
    lists::failed(html, &overview.failed, &told, overview.total.failed);
    lists::details(html, &told);
}

fn over_time(html: &mut Html, overview: &Overview) {
    let each = match overview.step {
        Step::Hour => "hour",
        Step::Day => "day",
        Step::Week => "week",
        Step::Month => "month",
        Step::Year => "year",
    };
    html.raw("<section class=\"card\">\n<h2>Over time</h2>\n<div class=\"charts\">\n<figure>");
    html.fill("<figcaption>Spend by {}</figcaption>", &[&each]);
    charts::over_time(html, overview.step, &overview.columns, Shown::Spend);
    html.fill("</figure>\n<figure><figcaption>Dispatches by {}", &[&each]);
    html.raw("<span class=\"legend\"><i class=\"ok\"></i>answered <i class=\"bad\"></i>failed <i class=\"again\"></i>reused</span></figcaption>");
    charts::over_time(html, overview.step, &overview.columns, Shown::Dispatches);
    html.raw("</figure>\n</div>\n<details><summary>The numbers as a table</summary>\n");
    html.raw(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Numbers over time\"><table>\n",
    );
    html.raw("<thead><tr><th scope=\"col\">Period</th><th scope=\"col\" class=\"n\">Answered</th><th scope=\"col\" class=\"n\">Failed</th><th scope=\"col\" class=\"n\">Reused</th><th scope=\"col\" class=\"n\">Spend</th></tr></thead>\n<tbody>\n");
    for column in overview.columns.iter().filter(|column| column.sums.all() > 0) {
        let sums = &column.sums;
        html.fill(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            &[&charts::name(overview.step, &column.start), &number(sums.ok), &number(sums.failed), &number(sums.cached + sums.joined), &money(sums.cost_usd)],
        );
    }
    html.raw("</tbody></table></div></details>\n</section>\n");
}

/// Writes a table of those that cost most, each with its bars.
fn ranking<T>(
    html: &mut Html,
    title: &'static str,
    one: &'static str,
    ranked: &Ranked<T>,
    name: impl Fn(&mut Html, &T),
) {
    if ranked.top.is_empty() {
        return;
    }
    html.fill("<section class=\"card\">\n<h2>{}</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table class=\"ranking\">\n", &[&title, &title]);
    html.fill("<thead><tr><th scope=\"col\">{}</th><th scope=\"col\" class=\"n\">Spend</th><th scope=\"col\" class=\"n\">Dispatches</th><th scope=\"col\" class=\"n wide\">Success</th><th scope=\"col\" class=\"n wide\">Median</th><th scope=\"col\" class=\"n wide\">p90</th></tr></thead>\n<tbody>\n", &[&one]);
    let rest = Row { sums: ranked.rest, ..Row::default() };
    let rows = || ranked.top.iter().map(|(_, row)| row).chain((ranked.others > 0).then_some(&rest));
    let dearest = rows().map(|row| row.sums.cost_usd).fold(0.0, f64::max);
    let busiest = real(rows().map(|row| row.sums.all()).max().unwrap_or(1).max(1));
    for (who, row) in &ranked.top {
        html.raw("<tr><th scope=\"row\">");
        name(html, who);
        html.raw("</th>");
        cells(html, row, dearest, busiest);
    }
    if ranked.others > 0 {
        html.fill(
            "<tr class=\"soft\"><th scope=\"row\">{}</th>",
            &[&counted(ranked.others, "other", "others")],
        );
        cells(html, &rest, dearest, busiest);
    }
    html.raw("</tbody></table></div>\n</section>\n");
}

fn cells(html: &mut Html, row: &Row, dearest: f64, busiest: f64) {
    let sums: &Sums = &row.sums;
    let share = |count: u64| real(count) / busiest;
    let parts =
        [(share(sums.ok), "ok"), (share(sums.failed), "bad"), (share(sums.cached + sums.joined), "again")];
    meter(html, &money(sums.cost_usd), &[(sums.cost_usd / dearest, "money")]);
    meter(html, &number(sums.all()), &parts);
    let rate = percent(sums.ok, sums.ended()).unwrap_or_else(|| "–".to_owned());
    let time = |millis: Option<u64>| millis.map_or_else(|| "–".to_owned(), brief);
    html.fill(
        "<td class=\"n wide\">{}</td><td class=\"n wide\">{}</td><td class=\"n wide\">{}</td></tr>\n",
        &[&rate, &time(row.p50_ms), &time(row.p90_ms)],
    );
}

fn durations(html: &mut Html, overview: &Overview) {
    let durations = &overview.durations;
    html.raw("<section class=\"card\">\n<h2>How long runs took</h2>\n");
    let runs: u64 = durations.bins.iter().sum();
    if runs == 0 {
        html.raw("<p class=\"soft\">No run with a known duration.</p>\n</section>\n");
        return;
    }
    let longest = durations.max_ms.map_or_else(String::new, duration);
    html.fill(
        "<figure><figcaption>{}; the longest took {}</figcaption>",
        &[&counted(runs, "run", "runs"), &longest],
    );
    charts::histogram(html, durations);
    html.raw("</figure>\n</section>\n");
}

fn failures(html: &mut Html, overview: &Overview) {
    const CLASSES_MAX: usize = 12;
    html.raw("<section class=\"card\">\n<h2>Why dispatches failed</h2>\n");
    let Some(most) = overview.failures.first().map(|failure| real(failure.count)) else {
        html.raw("<p class=\"soft\">None failed.</p>\n</section>\n");
        return;
    };
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Failures by class\"><table class=\"ranking\">\n<thead><tr><th scope=\"col\">Class</th><th scope=\"col\" class=\"n\">How often</th><th scope=\"col\" class=\"n\">Spend</th></tr></thead>\n<tbody>\n");
    for failure in overview.failures.iter().take(CLASSES_MAX) {
        html.fill("<tr><th scope=\"row\"><bdi>{}</bdi></th>", &[&foreign(Some(&failure.class), 40)]);
        meter(html, &number(failure.count), &[(real(failure.count) / most, "bad")]);
        html.fill("<td class=\"n\">{}</td></tr>\n", &[&money(failure.cost_usd)]);
    }
    html.raw("</tbody></table></div>\n</section>\n");
}
