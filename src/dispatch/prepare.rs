//! From a request to what is put before the store: the plan, or the refusal that is to be recorded.

use crate::config::Config;
use crate::dispatch::{Frontend, Patience, SERVER_NAME};
use crate::job::{CachePolicy, OpenRequest, Places, Proposal, RequestTexts};
use crate::model::request::Sharing;
use crate::model::{Agent, Asker, DispatchRequest, JobId, ResponseFormat, SessionId};
use crate::plan::{self, Planned, Question, Refusal, Surroundings, UnknownAgent};

/// Returns whether there are the agent and the group that a request names, as far as the configuration tells.
pub fn check_names(config: &Config, request: &DispatchRequest) -> Result<(), Refusal> {
    let group = request.group.as_ref().and_then(|group| config.group(group.as_str()));
    plan::addressed(request, &agent_of(config, request), group).map(drop)
}

fn agent_of<'a>(config: &'a Config, request: &DispatchRequest) -> Result<&'a Agent, UnknownAgent> {
    config.agent(request.agent.as_str()).ok_or_else(|| {
        let mut unknown = UnknownAgent::among(&request.agent, config.names());
        unknown.broken = config.why_broken(request.agent.as_str());
        unknown
    })
}

impl Frontend {
    /// Plans the request, whatever comes of it: also a refusal goes to the store, to be recorded.
    pub(super) fn prepare(
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
        let directory = agent.and_then(|agent| std::fs::canonicalize(&agent.directory).ok());
        let surroundings = Surroundings {
            claude: self.claude(settings).filter(|program| program.is_file()),
            directory: directory.filter(|path| path.is_dir()),
            own_servers: vec![SERVER_NAME.to_owned()],
        };
        let planned = plan::plan(&Question {
            job,
            session: SessionId::generate(),
            request,
            agent: agent_of(config, request),
            settings,
            group: request.group.as_ref().and_then(|group| config.group(group.as_str())),
            caller: &caller,
            surroundings: &surroundings,
        });
        let cache = settings.cache;
        let policy = (cache.is_on() && request.sharing == Sharing::CacheAndJoin)
            .then_some(CachePolicy { ttl_ms: u64::from(cache.ttl) * 1000, entries_max: cache.max_size });
        let proposal = planned.as_ref().map_err(Clone::clone).map(|planned| Proposal {
            directory: planned.plan.directory.clone(),
            git_head: (*self.projects.head(&planned.plan.directory)).clone().and_then(|head| head.commit),
            session: planned.plan.session.clone(),
            resumed: planned.plan.resumed,
            profile: planned.plan.profile.clone(),
            digest: planned.digest,
            key: planned.key,
            read_cache: policy.is_some(),
            cache: policy,
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
