//! Keeping and cleaning on behalf of whoever asks: what is old, the audit trail, the cache, conversations.

use std::io;

use crate::audit::chain::Head;
use crate::audit::checkpoint::OldEnd;
use crate::audit::verdict::VerifyReport;
use crate::cache::Counters;
use crate::daemon::ClientError;
use crate::daemon::protocol::upkeep::{Asked, GcReport, GcRequest, Manner, RetireRequest, SessionView, Told};
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

    /// Removes audit records from the old end of the trail, on behalf of `client`, or only tells which. Returns them, if
    /// there are any.
    pub async fn retire(
        &self,
        client: &str,
        retention: Retention,
        dry_run: bool,
    ) -> Result<Option<OldEnd>, ClientError> {
        if matches!(self.environment.state.store().try_exists(), Ok(false)) {
            return Ok(None);
        }
        let caller = self.caller(client, "");
        match self.upkeep(Asked::Retire(RetireRequest { retention, dry_run, caller })).await? {
            Told::Retired(old) => Ok(old),
            _ => Err(ClientError::Confused),
        }
    }

    /// Checks the audit trail, from an anchor on if there is one. `on_step` is told how many records are done, of how many.
    pub async fn check(
        &self,
        anchor: Option<Head>,
        on_step: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<VerifyReport, ClientError> {
        let mut connection = self.client.connection().await?;
        let broken = ClientError::Broken;
        connection.send(&Request::Check(anchor)).await.map_err(broken)?;
        loop {
            match connection.receive().await.map_err(broken)? {
                Some(Reply::Checking { done, of }) => on_step(done, of),
                Some(Reply::Verified(report)) => {
                    self.client.keep(connection);
                    return Ok(report);
                }
                Some(Reply::Fault(fault)) => return Err(fault.into()),
                Some(_) => return Err(ClientError::Confused),
                None => return Err(broken(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
            }
        }
    }

    /// Returns how the cache does, without the answers that are too old.
    pub async fn cache_stats(&self, ttl_seconds: u32) -> Result<Counters, ClientError> {
        match self.upkeep(Asked::CacheStats(u64::from(ttl_seconds) * 1000)).await? {
            Told::CacheStats(counters) => Ok(counters),
            _ => Err(ClientError::Confused),
        }
    }

    /// Empties the cache on behalf of `client`. Returns how many answers it had, without those that were too old.
    pub async fn cache_clear(&self, client: impl Into<Asker>, ttl_seconds: u32) -> Result<u64, ClientError> {
        let served = self.cache_stats(ttl_seconds).await?.entries;
        match self.upkeep(Asked::CacheClear(self.caller(client, ""))).await? {
            Told::CacheCleared(count) => Ok(count.min(served)),
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
