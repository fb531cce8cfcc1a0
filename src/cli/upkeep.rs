//! Commands that keep and clean: `gc`, `cache`, `sessions`.

use serde::Serialize;

use crate::audit::checkpoint::OldEnd;
use crate::budget::usd;
use crate::cli::agents::note_unknown;
use crate::cli::args::{CacheCommand, GcArguments, SessionsArguments};

use crate::cli::render::{Cell, Screen, Tone, fact, note, print_json, print_text, size, when};
use crate::cli::{CLIENT, jobs, progress};
use crate::daemon::protocol::upkeep::{GcReport, Manner};
use crate::dispatch::Frontend;
use crate::document::upkeep::{
    CacheClearedDocument, CacheStatsDocument, GcDocument, SessionDocument, SessionsDocument,
};
use crate::error::{Kind, Report};
use crate::model::Timestamp;
use crate::retention::{DAYS_KEPT, Retention, Tally};

/// Jobs that a dry run shows; `--json` names more.
const SHOWN: usize = 20;

/// Removes what is old.
pub(super) async fn gc(frontend: &Frontend, screen: Screen, asked: GcArguments) -> Result<(), Report> {
    let days = if asked.all { None } else { Some(days_kept(frontend, asked.days)?) };
    let retention = days.map_or(Ok(Retention::Unended), Retention::days).map_err(|bad| {
        let hint = "Give the days to keep, for example --days 7; or --all for everything that has ended.";
        Report::new(Kind::Usage, "invalid_age", format!("--days: {bad}"), hint)
    })?;
    let audit = asked.audit_days.map(Retention::days).transpose().map_err(|bad| {
        let hint = "Give the days of the audit trail to keep, for example --audit-days 365.";
        Report::new(Kind::Usage, "invalid_age", format!("--audit-days: {bad}"), hint)
    })?;
    let manner = if asked.dry_run { Manner::DryRun } else { Manner::Remove };
    let work = async {
        let report = frontend.gc(CLIENT, retention, manner).await?;
        let Some(audit) = audit else { return Ok((report, None)) };
        let old = frontend.retire(CLIENT, audit, asked.dry_run).await?;
        Ok::<_, Report>((report, Some(old)))
    };
    // An interrupt ends this process; what the daemon has begun, it finishes.
    let (report, retired) = progress::during(&frontend.environment, "looking for what is old", work).await?;
    let document = GcDocument::of(&report, days, asked.dry_run);
    if asked.json {
        let audit = retired.as_ref().map(|old| Retired::of(old.as_ref(), asked.dry_run));
        return print_json(&Cleaned { document, audit });
    }
    if asked.quiet && !asked.dry_run {
        return Ok(());
    }
    let mut text = String::new();
    if asked.dry_run && !asked.quiet {
        text.push_str(&would_go(frontend, screen, &report).await?);
    }
    let removed = summary(&report.tally, asked.dry_run);
    match &retired {
        None => text.push_str(&removed),
        Some(old) => {
            // That nothing went is said of both, or of neither.
            if old.is_none() || report.tally != Tally::default() {
                text.push_str(&removed);
            }
            text.push_str(&retirement(old.as_ref(), asked.dry_run));
        }
    }
    for kept in &document.kept {
        let about = format!("{} ({}); remove it with: {}", kept.path, size(kept.bytes), kept.remove_with);
        text.push_str(&fact("kept", &about));
    }
    print_text(&text)
}

/// What a clean-up did that was also to shorten the audit trail, for programs.
#[derive(Serialize)]
struct Cleaned {
    #[serde(flatten)]
    document: GcDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Retired>,
}

/// What went of the audit trail, for programs.
#[derive(Serialize)]
struct Retired {
    /// Records removed.
    removed: u64,
    /// Records that would be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_remove: Option<u64>,
    /// The records, if there are any.
    #[serde(flatten)]
    old: Option<OldEnd>,
}

impl Retired {
    fn of(old: Option<&OldEnd>, dry_run: bool) -> Self {
        let count = old.map_or(0, |old| old.count);
        Self {
            removed: if dry_run { 0 } else { count },
            would_remove: dry_run.then_some(count),
            old: old.cloned(),
        }
    }
}

fn retirement(old: Option<&OldEnd>, dry_run: bool) -> String {
    let Some(OldEnd { first, last, count, since, until, .. }) = old else {
        return "no audit record is that old\n".to_owned();
    };
    let (what, records) =
        (if dry_run { "would remove" } else { "removed" }, if *count == 1 { "record" } else { "records" });
    let (since, until) = (since.local(), until.local());
    format!("{what} {count} audit {records}: {first} to {last}, of {since} to {until}\n")
}

/// Returns the age that was typed, else the one of the settings, else the usual one.
fn days_kept(frontend: &Frontend, typed: Option<f64>) -> Result<f64, Report> {
    if let Some(days) = typed {
        return Ok(days);
    }
    // With settings that cannot be read nothing is removed that they may want to be kept.
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    Ok(match config.settings.job_retention_days {
        0 => DAYS_KEPT,
        days => days.into(),
    })
}

/// Returns the newest of the jobs that would go, as a table.
async fn would_go(frontend: &Frontend, screen: Screen, report: &GcReport) -> Result<String, Report> {
    let mut views = Vec::new();
    for id in report.jobs.iter().take(SHOWN) {
        // One may have gone since.
        views.extend(frontend.job(*id).await?);
    }
    if views.is_empty() {
        return Ok(String::new());
    }
    let more = report.tally.jobs.saturating_sub(views.len() as u64);
    let rest = if more == 0 { String::new() } else { format!("... and {more} more\n") };
    Ok(jobs::table(screen, &views, Timestamp::now()) + &rest)
}

fn summary(tally: &Tally, dry_run: bool) -> String {
    let counts = [
        (tally.jobs, "job", "jobs"),
        (tally.sessions, "conversation", "conversations"),
        (tally.cache_entries, "cached answer", "cached answers"),
        (tally.run_folders, "run folder", "run folders"),
        (tally.decisions, "old decision", "old decisions"),
        (tally.pieces, "lost piece", "lost pieces"),
    ];
    let some = counts.iter().filter(|(count, ..)| *count > 0);
    let named = some.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }));
    let named: Vec<String> = named.collect();
    match (named.is_empty(), dry_run) {
        (true, _) => "nothing to remove\n".to_owned(),
        (false, true) => format!("would remove {}\n", named.join(", ")),
        (false, false) => format!("removed {}\n", named.join(", ")),
    }
}

/// Shows how the cache does, or empties it.
pub(super) async fn cache(frontend: &Frontend, command: CacheCommand) -> Result<(), Report> {
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    let settings = config.settings.cache;
    match command {
        CacheCommand::Stats { json } => {
            let counters =
                if settings.is_on() { Some(frontend.cache_stats(settings.ttl).await?) } else { None };
            let document = CacheStatsDocument::of(settings, counters);
            if json { print_json(&document) } else { print_text(&stats(&document)) }
        }
        CacheCommand::Clear { json } => {
            let cleared =
                if settings.is_on() { Some(frontend.cache_clear(CLIENT, settings.ttl).await?) } else { None };
            let document = CacheClearedDocument::of(cleared);
            if json {
                return print_json(&document);
            }
            print_text(&match (cleared, document.message) {
                (Some(1), _) => "forgot 1 answer\n".to_owned(),
                (Some(count), _) => format!("forgot {count} answers\n"),
                (None, message) => message.unwrap_or_default() + "\n",
            })
        }
    }
}

fn stats(document: &CacheStatsDocument) -> String {
    if let Some(message) = &document.message {
        return format!("{message}\n");
    }
    let number = |number: Option<u64>| number.unwrap_or_default().to_string();
    let (size, most) = (number(document.size), document.max_size.unwrap_or_default());
    let rate = document.hit_rate.unwrap_or_default() * 100.0;
    [
        fact("answers", &format!("{size} of at most {most}")),
        fact("served for", &format!("{} s", document.ttl.unwrap_or_default())),
        fact("hits", &format!("{} ({rate:.1} %)", number(document.hits))),
        fact("misses", &number(document.misses)),
        fact("evictions", &number(document.evictions)),
    ]
    .concat()
}

/// Characters of a conversation's id that a list shows a person, and the least by which one is looked up; those of all of it.
const SESSION_CHARS: usize = 8;
const UUID_CHARS: usize = 36;

/// Most conversations that are looked through for a beginning: more than anybody goes on with.
const SESSIONS_MAX: u32 = 1000;

/// Lists conversations.
pub(super) async fn sessions(
    frontend: &Frontend,
    screen: Screen,
    asked: SessionsArguments,
) -> Result<(), Report> {
    let agents: Vec<String> = asked.agent.iter().cloned().collect();
    let views = frontend.sessions(asked.agent, asked.limit).await?;
    let document = SessionsDocument::of(&views, frontend.config().ok().as_deref());
    if asked.json {
        return print_json(&document.sessions);
    }
    if views.is_empty() {
        note("There are no conversations.\n");
        note_unknown(frontend, &agents);
        return Ok(());
    }
    let now = Timestamp::now();
    let rows = document.sessions.iter().zip(&views).map(|(session, view)| {
        vec![
            Cell::new(screen.short_of(&session.session_id, SESSION_CHARS)).whole(),
            Cell::new(&session.agent).whole(),
            Cell::new(when(view.session.last_used, now)),
            Cell::new(session.dispatches.to_string()),
            Cell::new(session.turns.to_string()),
            Cell::new(usd(session.cost_usd)),
            free(session),
            Cell::new(session.last_task.as_deref().unwrap_or_default()),
        ]
    });
    let columns = [
        ("SESSION", 0),
        ("AGENT", 0),
        ("USED", 1),
        ("TASKS", 4),
        ("TURNS", 5),
        ("COST", 3),
        ("FREE", 2),
        ("LAST TASK", 0),
    ];
    print_text(&screen.ranked_table(&columns, rows.collect()))?;
    if let Some(session) = document.sessions.iter().find(|session| session.resumable) {
        let command = format!("agent-dispatch dispatch {} --session {}", session.agent, session.session_id);
        note(&format!("Go on with one: {command} \"...\"\n"));
    }
    Ok(())
}

/// Returns the whole id of the conversation that a person means by the beginning of it. What cannot be one stays as it is:
/// the request says what is wrong with it.
pub(super) async fn conversation(frontend: &Frontend, typed: String) -> Result<String, Report> {
    let begin = typed.trim().to_ascii_lowercase();
    let hexadecimal = begin.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if !(SESSION_CHARS..UUID_CHARS).contains(&begin.len()) || !hexadecimal {
        return Ok(typed);
    }
    let views = frontend.sessions(None, SESSIONS_MAX).await?;
    let mut found = views.iter().map(|view| view.session.id.as_str()).filter(|id| id.starts_with(&begin));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.to_owned()),
        (None, _) => {
            let hint = "List the conversations with: agent-dispatch sessions";
            let message = format!("no conversation's id begins with `{begin}`");
            Err(Report::new(Kind::NotFound, "not_found", message, hint))
        }
        (Some(one), Some(other)) => {
            let message = format!("several conversations' ids begin with `{begin}`: {one}, {other}");
            Err(Report::new(Kind::Usage, "invalid_id", message, "Give more of the id."))
        }
    }
}

fn free(session: &SessionDocument) -> Cell {
    match &session.why_not {
        None => Cell::new("yes").toned(Tone::Good),
        Some(why) => Cell::new(format!("no: {why}")).toned(Tone::Faint),
    }
}

#[cfg(test)]
mod tests;
