//! Keeping and cleaning on behalf of whoever asks: what is old, the cache, conversations.

use crate::cache::Counters;
use crate::daemon::ClientError;
use crate::daemon::protocol::upkeep::{Asked, GcReport, GcRequest, Manner, SessionView, Told};
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::model::Asker;
use crate::retention::Retention;

/// Who asks for a clean-up that nobody asked for.
const AUTOMATIC: &str = "agent-dispatch serve";

impl Frontend {
    /// Removes what is old, on behalf of `client`. Where there is no store, nothing is old: then nothing is started.
    pub async fn gc(
        &self,
        client: impl Into<Asker>,
        retention: Retention,
        manner: Manner,
    ) -> Result<GcReport, ClientError> {
        if matches!(self.environment.state.store().try_exists(), Ok(false)) {
            return Ok(GcReport::default());
        }
        let ttl_ms = self.config().ok().map(|config| u64::from(config.settings.cache.ttl) * 1000);
        let caller = self.caller(client, "");
        match self.upkeep(Asked::Gc(GcRequest { retention, ttl_ms, manner, caller })).await? {
            Told::Gc(report) => Ok(report),
            _ => Err(ClientError::Confused),
        }
    }

    /// Removes what is older than the settings say, if they say anything and it was not done within the last day. A
    /// configuration that cannot be read removes nothing.
    pub async fn gc_once_a_day(&self) {
        let days = self.config().map_or(0, |config| config.settings.job_retention_days);
        // 0 days are none: nothing is removed.
        let Ok(retention) = Retention::days(days.into()) else { return };
        if let Err(error) = self.gc(AUTOMATIC, retention, Manner::OnceADay).await {
            tracing::warn!(%error, "old jobs were not removed");
        }
    }

    /// Returns how the cache does, without the answers that are too old.
    pub async fn cache_stats(&self, ttl_seconds: u32) -> Result<Counters, ClientError> {
        match self.upkeep(Asked::CacheStats(u64::from(ttl_seconds) * 1000)).await? {
            Told::CacheStats(counters) => Ok(counters),
            _ => Err(ClientError::Confused),
        }
    }

    /// Empties the cache on behalf of `client`. Returns how many answers it had.
    pub async fn cache_clear(&self, client: impl Into<Asker>) -> Result<u64, ClientError> {
        match self.upkeep(Asked::CacheClear(self.caller(client, ""))).await? {
            Told::CacheCleared(count) => Ok(count),
            _ => Err(ClientError::Confused),
        }
    }

    /// Returns conversations, newest first, of one agent or of all.
    pub async fn sessions(&self, agent: Option<String>, limit: u32) -> Result<Vec<SessionView>, ClientError> {
        match self.upkeep(Asked::Sessions(agent, limit)).await? {
            Told::Sessions(views) => Ok(views),
            _ => Err(ClientError::Confused),
        }
    }

    async fn upkeep(&self, asked: Asked) -> Result<Told, ClientError> {
        match self.client.ask(&Request::Upkeep(asked)).await? {
            Reply::Upkeep(told) => Ok(told),
            _ => Err(ClientError::Confused),
        }
    }
}
