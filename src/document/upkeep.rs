//! Keeping and cleaning, as both doors tell it: what was removed, how the cache does, which conversations there are.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cache::Counters;
use crate::config::Config;
use crate::daemon::protocol::upkeep::{GcReport, SessionView};
use crate::document::head;
use crate::model::agent::CacheSettings;
use crate::model::shell;

/// What a clean-up removed, or would remove.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct GcDocument {
    /// Present when nothing was removed: the counts tell what would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dry_run: Option<bool>,
    /// Jobs removed.
    pub(crate) purged: u64,
    /// Jobs that would be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) would_purge: Option<u64>,
    /// Their ids, newest first, at most 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_ids: Option<Vec<String>>,
    /// What ended longer ago than this went; absent when everything that has ended was to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_age_days: Option<f64>,
    /// Cached answers that went: too old, or their job went.
    pub(crate) cache_entries: u64,
    /// Conversations that went: not used for that long.
    pub(crate) sessions: u64,
    /// Decisions that went: kept for requests that are sent again.
    pub(crate) decisions: u64,
    /// Pieces of large values that went: a crash had left them.
    pub(crate) orphan_pieces: u64,
    /// Run folders that went: an hour after their jobs ended.
    pub(crate) run_folders: u64,
    /// Stores that were set aside because they could not be opened. They are never removed by this program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) kept: Vec<KeptDocument>,
}

/// A store that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct KeptDocument {
    /// Where it is.
    pub(crate) path: String,
    /// How large it is, in bytes.
    pub(crate) bytes: u64,
    /// What to type when it is not wanted any more.
    pub(crate) remove_with: String,
}

impl GcDocument {
    /// Returns what came of a clean-up of what is older than `days`; `None` stands for everything that has ended.
    pub(crate) fn of(report: &GcReport, days: Option<f64>, dry_run: bool) -> Self {
        let tally = report.tally;
        let kept = report.kept.iter().map(|(path, bytes)| {
            let remove_with = format!("rm -r {}", shell::path(path));
            KeptDocument { bytes: *bytes, remove_with, path: path.display().to_string() }
        });
        Self {
            dry_run: dry_run.then_some(true),
            purged: if dry_run { 0 } else { tally.jobs },
            would_purge: dry_run.then_some(tally.jobs),
            job_ids: dry_run.then(|| report.jobs.iter().map(ToString::to_string).collect()),
            max_age_days: days,
            cache_entries: tally.cache_entries,
            sessions: tally.sessions,
            decisions: tally.decisions,
            orphan_pieces: tally.pieces,
            run_folders: tally.run_folders,
            kept: kept.collect(),
        }
    }
}

/// How the result cache does.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CacheStatsDocument {
    /// Whether answers are kept and served again.
    pub(crate) enabled: bool,
    /// Why there is nothing to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// Answers kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    /// Most answers kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_size: Option<u32>,
    /// Questions answered from the cache since it was last emptied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hits: Option<u64>,
    /// Questions that it could not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) misses: Option<u64>,
    /// Answers that had to go for newer ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evictions: Option<u64>,
    /// Share of the questions that it answered, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hit_rate: Option<f64>,
    /// Seconds that an answer is served again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<u32>,
}

impl CacheStatsDocument {
    /// Returns how the cache does, or that it is off.
    pub(crate) fn of(settings: CacheSettings, counters: Option<Counters>) -> Self {
        let rate = |counters: Counters| hit_rate(counters.hits, counters.misses);
        Self {
            enabled: counters.is_some(),
            message: counters.is_none().then(|| OFF.to_owned()),
            size: counters.map(|counters| counters.entries),
            max_size: counters.map(|_| settings.max_size),
            hits: counters.map(|counters| counters.hits),
            misses: counters.map(|counters| counters.misses),
            evictions: counters.map(|counters| counters.evictions),
            hit_rate: counters.map(rate),
            ttl: counters.map(|_| settings.ttl),
        }
    }
}

/// Returns the share of hits, to three places.
fn hit_rate(hits: u64, misses: u64) -> f64 {
    let asked = u128::from(hits) + u128::from(misses);
    let thousandths = (u128::from(hits) * 1000 + asked / 2).checked_div(asked).unwrap_or(0);
    f64::from(u16::try_from(thousandths).unwrap_or(1000)) / 1000.0
}

/// What a cache that is off says.
const OFF: &str =
    "The cache is switched off in the settings (`cache.enabled`, `cache.ttl`): every dispatch runs.";

/// What emptying the cache did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct CacheClearedDocument {
    /// Answers that it forgot; their jobs stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cleared: Option<u64>,
    /// Present when the cache is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enabled: Option<bool>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

impl CacheClearedDocument {
    /// Returns that so many answers went, or that the cache is off.
    pub(crate) fn of(cleared: Option<u64>) -> Self {
        let off = cleared.is_none();
        Self { cleared, enabled: off.then_some(false), message: off.then(|| OFF.to_owned()) }
    }
}

/// Conversations.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SessionsDocument {
    /// The conversations, the last used first.
    pub(crate) sessions: Vec<SessionDocument>,
    /// How to go on with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SessionDocument {
    /// Its id.
    pub(crate) session_id: String,
    /// The agent it belongs to.
    pub(crate) agent: String,
    /// The directory it belongs to.
    pub(crate) directory: String,
    /// Dispatches in it.
    pub(crate) dispatches: u32,
    /// Turns in it.
    pub(crate) turns: u32,
    /// What it cost so far, in US dollars.
    pub(crate) cost_usd: f64,
    /// When it was last used, in seconds since 1970.
    pub(crate) last_used: f64,
    /// The last job in it that has ended.
    pub(crate) last_job: String,
    /// First words of what that job was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_task: Option<String>,
    /// Whether it can be gone on with now.
    pub(crate) resumable: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why_not: Option<String>,
}

/// Characters of a task in a list.
const TASK_CHARS: usize = 120;

impl SessionsDocument {
    /// Returns the conversations as a list shows them; `config` says which of their agents there still are.
    pub(crate) fn of(views: &[SessionView], config: Option<&Config>) -> Self {
        let sessions: Vec<SessionDocument> =
            views.iter().map(|view| SessionDocument::of(view, config)).collect();
        let resumable = sessions.iter().find(|session| session.resumable);
        let message = resumable.map(|session| {
            format!(
                "Go on with one: dispatch_session(agent=\"{}\", session_id=\"{}\", task=\"...\"). It knows what was said in it.",
                session.agent, session.session_id
            )
        });
        Self { sessions, message }
    }
}

impl SessionDocument {
    /// Returns the conversation as a list shows it.
    pub(crate) fn of(view: &SessionView, config: Option<&Config>) -> Self {
        let session = &view.session;
        let why_not = why_not(view, config);
        Self {
            session_id: session.id.to_string(),
            agent: session.agent.clone(),
            directory: session.directory.display().to_string(),
            dispatches: session.dispatches,
            turns: session.turns,
            cost_usd: session.cost_usd,
            last_used: session.last_used.as_seconds(),
            last_job: session.last_job.to_string(),
            last_task: view.last_task.as_deref().map(|task| head(task, TASK_CHARS).to_owned()),
            resumable: why_not.is_none(),
            why_not,
        }
    }
}

/// Returns what stands in the way of going on with a conversation.
fn why_not(view: &SessionView, config: Option<&Config>) -> Option<String> {
    let session = &view.session;
    if let Some(job) = view.busy {
        return Some(format!("the job {job} is under way in it"));
    }
    let Some(config) = config else { return Some("the agents file cannot be read".to_owned()) };
    let name = &session.agent;
    let Some(agent) = config.agent(name) else {
        let broken = config.why_broken(name).map(|why| format!("the agent `{name}` cannot be used: {why}"));
        return Some(broken.unwrap_or_else(|| format!("there is no agent `{name}` any more")));
    };
    // Kept as it was resolved: `claude` finds its conversations by that path.
    let same = std::fs::canonicalize(&agent.directory).is_ok_and(|directory| directory == session.directory);
    (!same).then(|| format!("`{name}` works in {} now", agent.directory.display()))
}

#[cfg(test)]
mod tests;
