//! Tools that keep and clean: what is old, the cache, which conversations there are.

use std::sync::Arc;
use std::time::Duration;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::tool;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::daemon::protocol::upkeep::Manner;
use crate::dispatch::Frontend;
use crate::document::upkeep::{CacheClearedDocument, CacheStatsDocument, GcDocument, SessionsDocument};
use crate::error::{Kind, Report};
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, refusal, schema};
use crate::model::agent::CacheSettings;
use crate::retention::{DAYS_KEPT, Retention};

/// How long after its start a server looks whether old jobs are to be removed: the client's first questions come before.
const SETTLED: Duration = Duration::from_secs(2);

/// How often it looks again: a server may live for days.
const AGAIN: Duration = Duration::from_secs(6 * 3600);

/// Removes old jobs in the background, whenever the settings say so and nobody did within the last day.
pub(super) async fn keep_tidy(frontend: Arc<Frontend>) {
    tokio::time::sleep(SETTLED).await;
    loop {
        frontend.gc_once_a_day().await;
        tokio::time::sleep(AGAIN).await;
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
struct GcArguments {
    /// Days that what has ended is kept: a number above 0, such as 7 or 0.5.
    #[serde(default = "days_kept")]
    #[schemars(range(min = 0.0))]
    max_age_days: f64,
    /// Only tell what would be removed.
    #[serde(default)]
    dry_run: bool,
}

const fn days_kept() -> f64 {
    DAYS_KEPT
}

#[derive(Debug, Deserialize, JsonSchema)]
struct NoArguments {}

#[derive(Debug, Deserialize, JsonSchema)]
struct SessionsArguments {
    /// Only conversations with this agent.
    #[serde(default)]
    agent: String,
    /// Most conversations to list, 1 to 1000.
    #[serde(default = "listed")]
    #[schemars(range(min = 1, max = 1000))]
    limit: i64,
}

const fn listed() -> i64 {
    50
}

routes!(upkeep_routes: dispatch_gc, cache_stats, cache_clear, dispatch_sessions);

#[cfg_attr(test, rmcp::tool_router(router = upkeep_tools, vis = "pub(super)"))]
impl Server {
    /// Removes jobs that ended more than `max_age_days` ago, with their answers, and conversations not used since; also
    /// expired cache entries and leftovers. Never a job that waits or runs, and nothing of the audit trail.
    /// Try it with `dry_run: true` first.
    #[tool(
        title = "Remove old jobs",
        output_schema = schema::of::<GcDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn dispatch_gc(
        &self,
        Parameters(asked): Parameters<GcArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let (days, dry_run) = (asked.max_age_days, asked.dry_run);
        let retention = match Retention::days(days) {
            Ok(retention) => retention,
            Err(bad) => {
                let hint = "Pass the days to keep, for example max_age_days=7.";
                let message = format!("`max_age_days`: {bad}");
                return refusal(&Report::new(Kind::Usage, "invalid_age", message, hint));
            }
        };
        let manner = if dry_run { Manner::DryRun } else { Manner::Remove };
        match self.frontend.gc(&Self::asker(&context), retention, manner).await {
            Ok(report) => answer(&GcDocument::of(&report, Some(days), dry_run)),
            Err(error) => refusal(&Report::from(error)),
        }
    }

    /// Shows how the result cache does: answers kept, questions it answered and did not.
    #[tool(
        title = "Show the result cache",
        output_schema = schema::of::<CacheStatsDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn cache_stats(&self, Parameters(NoArguments {}): Parameters<NoArguments>) -> CallToolResult {
        let settings = match self.cache_settings() {
            Ok(settings) => settings,
            Err(report) => return refusal(&report),
        };
        if !settings.is_on() {
            return answer(&CacheStatsDocument::of(settings, None));
        }
        match self.frontend.cache_stats(settings.ttl).await {
            Ok(counters) => answer(&CacheStatsDocument::of(settings, Some(counters))),
            Err(error) => refusal(&Report::from(error)),
        }
    }

    /// Makes the result cache forget all answers: the next dispatch of the same question runs again. Jobs and their
    /// answers stay.
    #[tool(
        title = "Empty the result cache",
        output_schema = schema::of::<CacheClearedDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn cache_clear(
        &self,
        Parameters(NoArguments {}): Parameters<NoArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let ttl = match self.cache_settings() {
            Ok(settings) if !settings.is_on() => return answer(&CacheClearedDocument::of(None)),
            Ok(settings) => settings.ttl,
            Err(report) => return refusal(&report),
        };
        match self.frontend.cache_clear(&Self::asker(&context), ttl).await {
            Ok(cleared) => answer(&CacheClearedDocument::of(Some(cleared))),
            Err(error) => refusal(&Report::from(error)),
        }
    }

    /// Lists conversations with agents that can be gone on with, the last used first: what each was about, what it cost,
    /// and whether it is free now (`resumable`).
    #[tool(
        title = "List conversations",
        output_schema = schema::of::<SessionsDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn dispatch_sessions(&self, Parameters(asked): Parameters<SessionsArguments>) -> CallToolResult {
        let agent = Some(asked.agent.trim().to_owned()).filter(|agent| !agent.is_empty());
        let limit = u32::try_from(asked.limit.clamp(1, 1000)).unwrap_or(1);
        match self.frontend.sessions(agent, limit).await {
            Ok(views) => {
                let config = self.frontend.config().ok();
                self.look(move |_| SessionsDocument::of(&views, config.as_deref())).await
            }
            Err(error) => refusal(&Report::from(error)),
        }
    }
}

impl Server {
    fn cache_settings(&self) -> Result<CacheSettings, Report> {
        let config = self.frontend.config().map_err(|error| Report::from(&*error))?;
        Ok(config.settings.cache)
    }
}
