//! Numbers are told as people write them, and no text becomes markup.

use proptest::prelude::*;

use super::charts::{Scale, Shown};
use super::html::{Html, brief, date, foreign, money, number, percent};
use super::*;
use crate::audit::chain::{Fault, FaultKind};
use crate::audit::report::{Column, Detail, Failure, Node, Ranked, Row, Sums, Tree, Who};
use crate::audit::{Code, Record};
use crate::model::{Caller, JobId, ToolUse};

#[test]
fn numbers_are_written_for_people() {
    assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    let sums = [0.0, 0.004_2, 0.05, 9.5, 1234.5, 1_234_567.0].map(money);
    assert_eq!(sums, ["$0.00", "$0.0042", "$0.05", "$9.50", "$1,234.50", "$1,234,567.00"]);
    let times = [0, 999, 4100, 41_000, 100_000, 900_000, 5_400_000, 90_000_000].map(brief);
    assert_eq!(times, ["0 ms", "999 ms", "4.1 s", "41 s", "1.6 min", "15 min", "1.5 h", "25 h"]);
    let shares = [(0, 0), (0, 5), (1, 3), (2, 3), (1, 100_000), (99_999, 100_000), (5, 5)];
    let shares = shares.map(|(part, whole)| percent(part, whole).unwrap_or_default());
    assert_eq!(shares, ["", "0 %", "33.3 %", "66.7 %", "0.1 %", "99.9 %", "100 %"]);
    let dates = ["2026", "2026-11", "2026-11-05", "2026-11-21 09", "2026-11-21 09:05:59", "what"].map(date);
    let want = ["2026", "Nov 2026", "5 Nov 2026", "21 Nov 2026, 09:00", "21 Nov 2026, 09:05", "what"];
    assert_eq!(dates, want);
}

#[test]
fn an_axis_ends_at_a_round_number_just_above_what_it_shows() {
    let spend = [0.0, 0.013, 0.9, 1.0, 13.2, 950.0, 12_345.0]
        .map(|most| Scale::of(most, Shown::Spend).ticks.swap_remove(0));
    assert_eq!(spend, ["$0.01", "$0.02", "$1.00", "$1.00", "$16", "$1,000", "$16,000"]);
    let counts = [0.0, 1.0, 3.0, 10.0, 61.0].map(|most| Scale::of(most, Shown::Dispatches).ticks.concat());
    assert_eq!(counts, ["210", "210", "420", "1050", "80400"]);
}

proptest! {
    #[test]
    fn no_text_breaks_out_of_where_it_stands(text in any::<String>()) {
        let mut html = Html::default();
        html.fill("<p title=\"{}\">{}</p>", &[&foreign(Some(&text), 200), &text]);
        let page = html.finish();
        prop_assert_eq!(page.matches(['<', '>']).count(), 4, "{}", page);
        prop_assert_eq!(page.matches('"').count(), 2, "{}", page);
        prop_assert!(!page.contains('\''));
        let read = page.split_once("\">").unwrap().1.strip_suffix("</p>").unwrap();
        let read = ["&lt;", "&gt;", "&#34;", "&#39;", "&amp;"].iter().zip(["<", ">", "\"", "'", "&"])
            .fold(read.to_owned(), |text, (entity, char)| text.replace(entity, char));
        prop_assert_eq!(read, text);
    }

    #[test]
    fn what_is_shown_always_fits_its_axis(most in 0.0..1e7_f64) {
        for shown in [Shown::Spend, Shown::Dispatches] {
            let scale = Scale::of(most, shown);
            prop_assert!(scale.top >= most * 0.999 && scale.top <= (most * 2.5).max(2.0), "{:?}", scale);
        }
    }
}

#[test]
fn a_page_about_nothing_says_what_to_do() {
    let now = Timestamp::from_millis(1_795_132_800_000);
    let period = Period::default();
    let setting = Setting { period: &period, verified: None, now };
    let empty = page::page(&Overview::default(), &setting);
    assert!(
        empty.contains("<h1>No dispatches yet</h1>") && empty.contains("agent-dispatch dispatch AGENT"),
        "{empty}"
    );
    let fault = Fault::of(17, FaultKind::Changed);
    let head = crate::audit::chain::Head::EMPTY;
    let broken = VerifyReport {
        records: 1,
        first: 1,
        head,
        outside: None,
        faults: vec![fault],
        notes: Vec::new(),
        remarks: Vec::new(),
        kept: None,
        anchor: None,
        jobs: 0,
    };
    let checked = |report: &VerifyReport| {
        page::page(&Overview::default(), &Setting { verified: Some(report), ..setting })
    };
    assert!(checked(&broken).contains("<strong class=\"alarm\">✗ Broken</strong>, record 17 was changed"));
    let lost = VerifyReport { faults: vec![Fault::of(17, FaultKind::Lost)], ..broken.clone() };
    assert!(
        checked(&lost).contains(
            "<strong class=\"alarm\">✗ Incomplete</strong>, record 17 and what followed it are lost"
        )
    );
    let both = vec![Fault::of(17, FaultKind::Lost), Fault::of(18, FaultKind::Changed)];
    let both = VerifyReport { faults: both, ..broken.clone() };
    assert!(checked(&both).contains("<strong class=\"alarm\">✗ Broken</strong>, record 18 was changed"));
    let noted = vec!["records 4 to 6 are lost".to_owned()];
    let noted = VerifyReport { faults: Vec::new(), notes: noted, ..broken.clone() };
    let said = "<strong class=\"alarm\">✗ Incomplete</strong>, records 4 to 6 are lost";
    assert!(checked(&noted).contains(said));
    let whole = VerifyReport { faults: Vec::new(), ..broken };
    assert!(checked(&whole).contains("<strong class=\"fine\">✓ Whole</strong>, 1 record checked"));
    let narrowed = Period { agent: Some("<b>".to_owned()), ..Period::default() };
    let empty = page::page(&Overview::default(), &Setting { period: &narrowed, ..setting });
    assert!(
        empty.contains("<bdi>&lt;b&gt;</bdi>") && empty.contains("everything that is on record"),
        "{empty}"
    );
}

#[test]
fn the_longest_texts_in_the_longest_lists_stay_under_a_mebibyte() {
    // No text grows more when it is escaped.
    let text = || "&".repeat(4000);
    let id = |number: u8| JobId::from_bytes([number; 16]);
    let now = Timestamp::from_millis(1_795_132_800_000);
    let sums = Sums { ok: 1_000_000, failed: 1_000_000, cached: 1_000_000, joined: 1, cost_usd: 123_456.7 };
    let ranked = || vec![(text(), Row { sums, p50_ms: Some(1), p90_ms: Some(1) }); 12];
    let who = |(name, row): (String, Row)| (Who { name: name.clone(), directory: Some(name) }, row);
    let mut record = Record::new(now, Code::Finished);
    let caller =
        Caller { client: text(), session: Some(text()), directory: Some(text()), ..Caller::default() };
    record.caller = Some(Caller { declared: Some(text()), ..caller });
    for field in [
        &mut record.agent,
        &mut record.directory,
        &mut record.task_preview,
        &mut record.session,
        &mut record.parent,
    ] {
        *field = Some(text());
    }
    let tools = std::collections::BTreeMap::from([(text(), ToolUse::default())]);
    let end = crate::audit::End {
        error: Some(text()),
        tools,
        denied_tools: vec![text()],
        model: Some(text()),
        changes: Some(crate::model::Changes {
            commits: vec![text(); 20],
            files: vec![text(); 50],
            ..Default::default()
        }),
        ..Default::default()
    };
    record.end = Some(end);
    record.profile = Some(crate::model::agent::ProfileInForce { model: Some(text()), ..Default::default() });
    let detail = |number| Detail {
        id: id(number),
        asked: now,
        record: serde_json::to_string(&record).unwrap(),
        hint: Some(text()),
    };
    let node = Node {
        id: id(1),
        depth: 8,
        agent: text(),
        task: text(),
        asked: now,
        last: now,
        duration_ms: Some(1),
        cost_usd: Some(1.0),
        success: Some(true),
    };
    let overview = Overview {
        range: Some((now, now)),
        total: sums,
        columns: vec![Column { start: "2026-11-21".to_owned(), sums }; 151],
        agents: Ranked { top: ranked(), ..Ranked::default() },
        callers: Ranked { top: ranked().into_iter().map(who).collect(), ..Ranked::default() },
        failures: vec![Failure { class: text(), count: 1, cost_usd: 1.0 }; 2000],
        trees: vec![Tree { cost_usd: 1.0, dispatches: 20, nodes: vec![node; 12] }; 5],
        slowest: (0..12).map(id).collect(),
        failed: (12..37).map(id).collect(),
        details: (0..42).map(detail).collect(),
        ..Overview::default()
    };
    let page = page::page(&overview, &Setting { period: &Period::default(), verified: None, now });
    assert!(page.contains("<dt>Changed</dt>") && page.contains("<dt>Commits made</dt>"));
    assert!((300_000..1 << 20).contains(&page.len()), "{} bytes", page.len());
}
