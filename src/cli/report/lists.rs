//! Dispatches one by one: trees, the slowest, the failed, and everything about each of them.

use crate::audit::report::{Detail, Node, Tree};
use crate::audit::{Code, Record};
use crate::cli::jobs::{SHORT_CHARS, changed, denied};
use crate::cli::render::duration;
use crate::cli::report::charts::{meter, real};
use crate::cli::report::html::{Html, counted, date, foreign, money, number};
use crate::cli::report::page::{NAME_CHARS, Told};
use crate::model::agent::ProfileInForce;
use crate::model::{Caller, JobId};

/// Longest text of a task, an error or a hint: in a list, and where everything is told.
const LINE_CHARS: usize = 90;
const TEXT_CHARS: usize = 300;

/// Most tools that are named.
const TOOLS_MAX: usize = 20;

/// Writes the costliest dispatches with everything inside them.
pub(super) fn trees(html: &mut Html, trees: &[Tree], title: &'static str) {
    if trees.is_empty() {
        return;
    }
    html.fill("<section class=\"card long\">\n<h2>{}</h2>\n", &[&title]);
    for tree in trees {
        let Some(root) = tree.nodes.first() else { continue };
        html.fill("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Call tree of {}\"><table class=\"tree\">\n", &[&root.id]);
        html.fill(
            "<caption><strong>{}</strong> for {}</caption>\n",
            &[&money(tree.cost_usd), &counted(tree.dispatches, "dispatch", "dispatches")],
        );
        html.raw("<thead><tr><th scope=\"col\">Dispatch</th><th scope=\"col\" class=\"n\">Spend</th><th scope=\"col\" class=\"n\">Time</th></tr></thead>\n<tbody>\n");
        let begin = |node: &Node| node.last.minus_millis(node.duration_ms.unwrap_or(0));
        let from = tree.nodes.iter().map(begin).min().unwrap_or(root.asked);
        let to = tree.nodes.iter().map(|node| node.last).max().unwrap_or(root.last);
        let span = real(to.millis_since(from).max(1));
        let dearest = tree.nodes.iter().filter_map(|node| node.cost_usd).fold(0.0, f64::max);
        for node in &tree.nodes {
            html.fill("<tr><th scope=\"row\" class=\"d{}\">", &[&node.depth]);
            name(html, &node.agent, &node.task, (node.depth == 0).then_some(node.id));
            html.raw("</th>");
            let cost = node.cost_usd.map_or_else(|| "–".to_owned(), money);
            meter(html, &cost, &[(node.cost_usd.unwrap_or(0.0) / dearest, "money")]);
            let time = node.duration_ms.map_or_else(|| "–".to_owned(), duration);
            let class = if node.success == Some(false) { "bad" } else { "ok" };
            let before = real(begin(node).millis_since(from)) / span;
            meter(html, &time, &[(before, ""), (real(node.duration_ms.unwrap_or(0)) / span, class)]);
            html.raw("</tr>\n");
        }
        let left = tree.dispatches.saturating_sub(tree.nodes.len() as u64);
        if left > 0 {
            html.fill(
                "<tr class=\"soft\"><td colspan=\"3\">and {} that cost less</td></tr>\n",
                &[&number(left)],
            );
        }
        html.fill(
            "<tr class=\"soft\"><td colspan=\"3\"><code>agent-dispatch audit show {}</code></td></tr>\n",
            &[&root.id],
        );
        html.raw("</tbody></table></div>\n");
    }
    html.raw("</section>\n");
}

/// Writes the longest runs.
pub(super) fn slowest(html: &mut Html, ids: &[JobId], told: &Told<'_>) {
    let rows: Vec<_> = ids.iter().filter_map(|id| told.get(id)).collect();
    if rows.is_empty() {
        return;
    }
    html.raw("<section class=\"card long\">\n<h2>Slowest</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"The slowest dispatches\"><table class=\"list\">\n<thead><tr><th scope=\"col\">Dispatch</th><th scope=\"col\" class=\"wide\">When</th><th scope=\"col\">Result</th><th scope=\"col\" class=\"n wide\">Spend</th><th scope=\"col\" class=\"n\">Took</th></tr></thead>\n<tbody>\n");
    let longest = rows.iter().filter_map(|(_, record)| Some(record.end.as_ref()?.duration_ms)).max();
    for (detail, record) in rows {
        row(html, detail, record);
        let end = record.end.as_ref();
        let millis = end.map_or(0, |end| end.duration_ms);
        html.fill("<td class=\"n wide\">{}</td>", &[&spent(record)]);
        let class = if succeeded(record) { "ok" } else { "bad" };
        meter(html, &duration(millis), &[(real(millis) / real(longest.unwrap_or(1).max(1)), class)]);
        html.raw("</tr>\n");
    }
    html.raw("</tbody></table></div>\n</section>\n");
}

/// Writes the last failed ones.
pub(super) fn failed(html: &mut Html, ids: &[JobId], told: &Told<'_>, all: u64) {
    let rows: Vec<_> = ids.iter().filter_map(|id| told.get(id)).collect();
    if rows.is_empty() {
        return;
    }
    html.raw("<section class=\"card long\">\n<h2>Failed</h2>\n");
    if all > rows.len() as u64 {
        html.fill("<p class=\"soft\">The last {} of {}.</p>\n", &[&rows.len(), &number(all)]);
    }
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"The failed dispatches\"><table class=\"list\">\n<thead><tr><th scope=\"col\">Dispatch</th><th scope=\"col\" class=\"wide\">When</th><th scope=\"col\">Why</th><th scope=\"col\" class=\"wide\">What went wrong</th></tr></thead>\n<tbody>\n");
    for (detail, record) in rows {
        row(html, detail, record);
        html.fill(
            "<td class=\"wide text\"><bdi>{}</bdi></td></tr>\n",
            &[&foreign(error(record), LINE_CHARS)],
        );
    }
    html.raw("</tbody></table></div>\n</section>\n");
}

/// Writes the first cells of a row about a dispatch.
fn row(html: &mut Html, detail: &Detail, record: &Record) {
    html.raw("<tr><th scope=\"row\">");
    let agent = record.agent.as_deref().unwrap_or_default();
    name(html, agent, record.task_preview.as_deref().unwrap_or_default(), Some(detail.id));
    html.fill(
        "</th><td class=\"wide when\"><time datetime=\"{}\">{}</time></td><td>",
        &[&detail.asked, &date(&detail.asked.local())],
    );
    verdict(html, record);
    html.raw("</td>");
}

/// Writes agent and task, as a link to everything about it where that is told.
fn name(html: &mut Html, agent: &str, task: &str, link: Option<JobId>) {
    let (agent, task) = (foreign(Some(agent), NAME_CHARS), foreign(Some(task), LINE_CHARS));
    match link {
        Some(id) => html.fill("<a href=\"#d-{}\"><bdi>{}</bdi></a>", &[&id, &agent]),
        None => html.fill("<bdi>{}</bdi>", &[&agent]),
    }
    if !task.is_empty() {
        html.fill("<small><bdi>{}</bdi></small>", &[&task]);
    }
}

fn verdict(html: &mut Html, record: &Record) {
    if succeeded(record) {
        let outcome = record.end.as_ref().and_then(|end| end.outcome.as_deref()).unwrap_or("answered");
        html.fill("<span class=\"chip fine\">{}</span>", &[&foreign(Some(outcome), 40)]);
        return;
    }
    let class = record.end.as_ref().and_then(|end| end.error_type.as_deref());
    let reason = record.reason.as_deref().unwrap_or_default();
    let class = match record.event {
        Code::Refused => reason.split(':').next().map(|class| format!("refused: {class}")),
        Code::Finished => class.map(str::to_owned),
        other => Some(other.as_str().to_owned()),
    };
    html.fill("<span class=\"chip alarm\">{}</span>", &[&foreign(class.as_deref().or(Some("failed")), 40)]);
}

fn succeeded(record: &Record) -> bool {
    record.event == Code::Finished && record.end.as_ref().is_some_and(|end| end.success)
}

fn error(record: &Record) -> Option<&str> {
    record.end.as_ref().and_then(|end| end.error.as_deref()).or(record.reason.as_deref())
}

fn spent(record: &Record) -> String {
    let cost = record.end.as_ref().and_then(|end| end.cost_usd);
    cost.map_or_else(|| "–".to_owned(), money)
}

/// Writes everything about each dispatch that is named above, the newest first.
pub(super) fn details(html: &mut Html, told: &Told<'_>) {
    if told.is_empty() {
        return;
    }
    html.raw("<section class=\"details\">\n<h2>Details</h2>\n");
    for (id, (detail, record)) in told.iter().rev() {
        html.fill(
            "<article class=\"card\" id=\"d-{}\">\n<h3><bdi>{}</bdi> ",
            &[id, &foreign(record.agent.as_deref(), NAME_CHARS)],
        );
        verdict(html, record);
        html.fill(
            "</h3>\n<p class=\"soft\"><time datetime=\"{}\">{}</time> · {} · <code>{}</code></p>\n",
            &[
                &detail.asked,
                &date(&detail.asked.local()),
                &took(record),
                &id.to_string().get(..SHORT_CHARS).unwrap_or_default(),
            ],
        );
        if record.task_preview.is_some() {
            html.fill(
                "<p class=\"task\"><bdi>{}</bdi></p>\n",
                &[&foreign(record.task_preview.as_deref(), TEXT_CHARS)],
            );
        }
        html.raw("<dl>\n");
        if !succeeded(record) {
            fact(html, "Error", error(record), TEXT_CHARS);
        }
        fact(html, "Hint", detail.hint.as_deref(), TEXT_CHARS);
        fact(html, "Asked by", record.caller.as_ref().map(asked_by).as_deref(), TEXT_CHARS);
        fact(html, "Inside", record.parent.as_deref(), NAME_CHARS);
        fact(html, "Directory", record.directory.as_deref(), NAME_CHARS * 2);
        fact(html, "Commit", record.git_head.as_deref().and_then(|commit| commit.get(..12)), NAME_CHARS);
        fact(html, "Profile", record.profile.as_ref().map(profile).as_deref(), TEXT_CHARS);
        ran(html, record);
        fact(html, "Conversation", record.session.as_deref(), NAME_CHARS);
        html.fill("</dl>\n<p class=\"command\"><code>agent-dispatch audit show {}</code> <a href=\"#top\">Top</a></p>\n</article>\n", &[id]);
    }
    html.raw("</section>\n");
}

/// Returns how long it took and what it cost.
fn took(record: &Record) -> String {
    let took = record.end.as_ref().map(|end| duration(end.duration_ms));
    took.map_or_else(|| "did not run".to_owned(), |took| format!("{took} · {}", spent(record)))
}

fn fact(html: &mut Html, name: &'static str, said: Option<&str>, chars: usize) {
    let said = foreign(said, chars);
    if !said.is_empty() {
        html.fill("<dt>{}</dt><dd><bdi>{}</bdi></dd>\n", &[&name, &said]);
    }
}

/// Returns who asked, in one line.
fn asked_by(caller: &Caller) -> String {
    let declared = caller.declared.iter().map(|name| format!("“{name}”, "));
    let directory = caller.directory.iter().map(|directory| format!(" in {directory}"));
    let session = caller.session.iter().map(|session| format!(", session {session}"));
    declared.chain([caller.client.clone()]).chain(directory).chain(session).collect()
}

/// Returns what the run was allowed, in one line.
fn profile(profile: &ProfileInForce) -> String {
    let mut parts = Vec::new();
    parts.extend(profile.model.clone());
    parts.extend(profile.permission_mode.as_ref().map(|mode| format!("permission mode {mode}")));
    parts.push(match profile.allowed_tools.as_deref() {
        None => "tools by default".to_owned(),
        Some([]) => "no tools".to_owned(),
        Some(tools) => format!("tools {}", named(tools)),
    });
    if !profile.disallowed_tools.is_empty() {
        parts.push(format!("not {}", named(&profile.disallowed_tools)));
    }
    parts.extend(profile.max_budget_usd.map(|cap| format!("at most {}", money(cap))));
    parts.push(format!("at most {}", duration(profile.timeout_seconds.saturating_mul(1000))));
    parts.join(" · ")
}

fn named(tools: &[String]) -> String {
    let shown: Vec<&str> = tools.iter().take(TOOLS_MAX).map(String::as_str).collect();
    let more = if tools.len() > TOOLS_MAX { ", …" } else { "" };
    shown.join(", ") + more
}

/// Writes what the run did.
fn ran(html: &mut Html, record: &Record) {
    let Some(end) = &record.end else { return };
    let mut model: Vec<String> = end.model.iter().cloned().collect();
    model.extend(end.turns.map(|turns| counted(turns.into(), "turn", "turns")));
    let tokens = &end.tokens;
    if tokens.input + tokens.output > 0 {
        model.push(format!("{} tokens in, {} out", number(tokens.input), number(tokens.output)));
    }
    if tokens.cache_read > 0 {
        model.push(format!("{} from the prompt cache", number(tokens.cache_read)));
    }
    fact(html, "Model", Some(&model.join(" · ")), TEXT_CHARS);
    let tools = end.tools.iter().take(TOOLS_MAX);
    let tools: Vec<String> =
        tools.map(|(name, used)| format!("{name} ×{} ({})", used.count, duration(used.millis))).collect();
    fact(html, "Tools", Some(&tools.join(", ")), TEXT_CHARS);
    fact(html, "Denied", Some(&denied(&end.denied_tools, end.denied_unknown)), TEXT_CHARS);
    fact(html, "Changed", end.changes.as_ref().map(changed).as_deref(), TEXT_CHARS);
    let commits = end.changes.iter().flat_map(|changes| &changes.commits);
    let commits: Vec<&str> = commits.map(|commit| commit.get(..12).unwrap_or(commit)).collect();
    fact(html, "Commits made", Some(&commits.join(", ")), LINE_CHARS);
    if end.recovered {
        fact(html, "Note", Some("its worker died; the answer was found in the run folder"), TEXT_CHARS);
    }
}
