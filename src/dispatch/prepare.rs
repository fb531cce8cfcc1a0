//! From a request to what is put before the store: the plan, or the refusal that is to be recorded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::Config;
use crate::dispatch::{Frontend, Patience, SERVER_NAME};
use crate::job::{CachePolicy, OpenRequest, Places, Proposal, RequestTexts};
use crate::model::request::Sharing;
use crate::model::{Agent, Asker, DispatchRequest, JobId, ResponseFormat, SessionId};
use crate::plan::{self, Planned, Question, Refusal, Surroundings, UnknownAgent};

/// Returns whether there are the agent and the group that a request names, as far as the configuration tells.
pub fn check_names(config: &Config, request: &DispatchRequest) -> Result<(), Refusal> {
    plan::addressed(request, &agent_of(config, request), &config.groups).map(drop)
}

fn agent_of<'a>(config: &'a Config, request: &DispatchRequest) -> Result<&'a Agent, UnknownAgent> {
    let name = request.agent.as_str();
    let unknown = || UnknownAgent { known: config.names(), broken: config.why_broken(name) };
    config.agent(name).ok_or_else(unknown)
}

/// What an agent's directory is now.
#[derive(Debug, Default)]
struct Place {
    /// Where it really is, if it is there.
    directory: Option<PathBuf>,
    /// The commit that is checked out.
    git_head: Option<String>,
}

/// How long an agent's directory may take to be looked at.
const LOOK_BUDGET: Duration = Duration::from_secs(10);

impl Frontend {
    /// Looks at an agent's directory: not on the thread that serves everybody else, for it may be slow, or on a network that
    /// is gone.
    async fn place(&self, agent: Option<&Agent>) -> Place {
        let Some(directory) = agent.map(|agent| agent.directory.clone()) else { return Place::default() };
        let projects = Arc::clone(&self.projects);
        let look = move || {
            let directory = std::fs::canonicalize(directory).ok().filter(|path| path.is_dir());
            let head = directory.as_deref().map(|directory| projects.head(directory));
            let git_head = head.and_then(|head| head.as_ref().clone()?.commit);
            Place { directory, git_head }
        };
        // A look that fails, or does not come back, has seen no directory.
        let looked = timeout(LOOK_BUDGET, tokio::task::spawn_blocking(look)).await;
        looked.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Plans the request, whatever comes of it: also a refusal goes to the store, to be recorded.
    pub(super) async fn prepare(
        &self,
        config: &Config,
        request: &DispatchRequest,
        client: impl Into<Asker>,
        patience: Patience,
    ) -> (OpenRequest, Result<Planned, Refusal>) {
        let job = JobId::generate();
        let caller = self.caller(client, &request.caller);
        let settings = &config.settings;
        let agent = config.agent(request.agent.as_str());
        let place = self.place(agent).await;
        let surroundings = Surroundings {
            claude: self.claude(settings).filter(|program| program.is_file()),
            directory: place.directory,
            own_servers: vec![SERVER_NAME.to_owned()],
        };
        let planned = plan::plan(&Question {
            job,
            session: SessionId::generate(),
            request,
            agent: agent_of(config, request),
            settings,
            groups: &config.groups,
            caller: &caller,
            surroundings: &surroundings,
        });
        let kept = settings.cache;
        let cache = (kept.is_on() && request.sharing == Sharing::CacheAndJoin)
            .then_some(CachePolicy { ttl_ms: u64::from(kept.ttl) * 1000, entries_max: kept.max_size });
        let proposal = planned.as_ref().map_err(Clone::clone).map(|planned| Proposal {
            directory: planned.plan.directory.clone(),
            git_head: place.git_head,
            session: planned.plan.session.clone(),
            resumed: planned.plan.resumed,
            profile: planned.plan.profile.clone(),
            digest: planned.digest,
            key: planned.key,
            cache,
            places: Places {
                everyone: settings.max_concurrency,
                agent: agent.and_then(|agent| agent.max_concurrency),
            },
            spend: settings.budget,
            agent_spend: agent.map(|agent| agent.budget).unwrap_or_default(),
        });
        let texts = RequestTexts {
            task: request.task.clone(),
            context: request.context.clone(),
            goal: request.goal.clone(),
            response_format: match &request.response_format {
                ResponseFormat::Text => "text".to_owned(),
                ResponseFormat::Json => "json".to_owned(),
                ResponseFormat::Schema(schema) => serde_json::Value::Object(schema.clone()).to_string(),
            },
        };
        let open = OpenRequest {
            job,
            agent: request.agent.to_string(),
            group: request.group.as_ref().map(ToString::to_string),
            caller,
            texts,
            proposal,
            attached: patience != Patience::None,
            on_disconnect: settings.on_disconnect,
            audit_content: settings.audit_content,
        };
        (open, planned)
    }
}
