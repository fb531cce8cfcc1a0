//! What dispatches to agents usually take, as the audit trail has it, remembered for some seconds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::audit::typical::Typical;
use crate::config::Config;
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::model::Agent;

/// How long an answer is good enough: what is usual changes slowly, and whoever lists agents does it again soon.
const KEPT: Duration = Duration::from_secs(10);

/// How long the daemon may take: who can be asked is told without it, too.
const BUDGET: Duration = Duration::from_millis(500);

/// What is usual, by the names of agents.
pub type Usual = Arc<BTreeMap<String, Typical>>;

/// The last answer, the agents it was about, and when it came.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<Option<(Instant, Vec<String>, Usual)>>);

impl Remembered {
    /// Returns the last answer, if it is still good enough and about these agents.
    fn kept(&self, agents: &[String]) -> Option<Usual> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, of, usual) = last.as_ref().filter(|(at, ..)| at.elapsed() < KEPT)?;
        // Whoever lists all agents again names the same.
        let known = of == agents || agents.iter().all(|agent| of.contains(agent));
        known.then(|| Arc::clone(usual))
    }
}

impl Frontend {
    /// Returns what dispatches to these agents usually take, where that is wanted. Without a store, nothing is known.
    pub async fn usual(&self, config: &Config, agents: impl IntoIterator<Item = &Agent>) -> Usual {
        if !config.settings.usage_log {
            return Usual::default();
        }
        let agents: Vec<String> = agents.into_iter().map(|agent| agent.name.to_string()).collect();
        if let Some(usual) = self.remembered.kept(&agents) {
            return usual;
        }
        let request = Request::Typical(agents);
        let known = match timeout(BUDGET, self.ask_of_the_past(&request)).await {
            Ok(Ok(Some(Reply::Typical(known)))) => known,
            // It is a courtesy.
            _ => BTreeMap::new(),
        };
        let usual = Arc::new(known);
        if let Request::Typical(agents) = request {
            let answer = (Instant::now(), agents, Arc::clone(&usual));
            *self.remembered.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        }
        usual
    }

    /// Asks something about what has been. Where there is no store yet, nothing has been, and nothing is started to say so.
    pub async fn ask_of_the_past(&self, request: &Request) -> Result<Option<Reply>, ClientError> {
        if !self.environment.state.store().exists() {
            return Ok(None);
        }
        self.client.ask(request).await.map(Some)
    }
}
