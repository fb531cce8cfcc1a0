//! Completions of what prompts and templates take: names of agents and groups, ids of jobs, references, conversations,
//! words for times. Nothing is started for them.

use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference};

use crate::config::Config;
use crate::daemon::protocol::upkeep::{Asked, Told};
use crate::daemon::protocol::{JobView, Reply, Request};
use crate::document::upkeep::SessionDocument;
use crate::job::JobFilter;
use crate::mcp::resources::{AGENT, ANSWER, ENDED, JOB};
use crate::mcp::{Server, prompts};

/// Times that reviews are asked for.
const TIMES: [&str; 8] = ["1h", "4h", "8h", "today", "24h", "yesterday", "7d", "30d"];

/// Jobs among which ids are looked for, the newest: nobody completes to an older one.
const JOBS: u32 = 500;

/// What an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Agent,
    Group,
    Job,
    Answer,
    Conversation,
    Time,
    /// Anything: there is nothing to propose.
    Text,
}

impl Wanted {
    /// Returns what the argument of this name takes, nothing when there is no such argument.
    fn by(reference: &Reference, argument: &str) -> Option<Self> {
        match reference {
            Reference::Prompt(prompt) => {
                let known = prompts::arguments_of(&prompt.name)?.contains(&argument);
                known.then_some(match argument {
                    "agent" => Self::Agent,
                    "group" => Self::Group,
                    "session_id" => Self::Conversation,
                    "since" => Self::Time,
                    _ => Self::Text,
                })
            }
            Reference::Resource(template) => match (template.uri.as_str(), argument) {
                (AGENT, "name") => Some(Self::Agent),
                (JOB, "id") => Some(Self::Job),
                (ANSWER, "ref") => Some(Self::Answer),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Server {
    /// Proposes values that contain what was typed.
    pub(super) async fn completions(
        &self,
        asked: CompleteRequestParams,
    ) -> Result<CompleteResult, ErrorData> {
        let Some(wanted) = Wanted::by(&asked.r#ref, &asked.argument.name) else {
            let text =
                format!("`{}` is no argument that can be completed", asked.argument.name.escape_debug());
            return Err(ErrorData::invalid_params(text, None));
        };
        let chosen = asked.context.and_then(|context| context.arguments).unwrap_or_default();
        let agent = chosen.get("agent").map(String::as_str);
        let candidates = self.candidates(wanted, agent).await;
        let (mut values, total) = matching(candidates, &asked.argument.value);
        values.truncate(CompletionInfo::MAX_VALUES);
        let has_more = values.len() < total;
        let total = u32::try_from(total).ok();
        CompletionInfo::with_pagination(values, total, has_more)
            .map(CompleteResult::new)
            .map_err(|error| ErrorData::internal_error(error, None))
    }

    /// Returns everything that the argument may be; `agent` is the one that was chosen before.
    async fn candidates(&self, wanted: Wanted, agent: Option<&str>) -> Vec<String> {
        // Somebody types: a broken configuration is told when the line is sent.
        let config = self.frontend.config().ok();
        match wanted {
            Wanted::Agent => config.map(|config| config.names()).unwrap_or_default(),
            Wanted::Group => config
                .iter()
                .flat_map(|config| &config.groups)
                .filter(|group| {
                    agent.is_none_or(|agent| group.members.iter().any(|it| it.agent.as_str() == agent))
                })
                .map(|group| group.name.to_string())
                .collect(),
            Wanted::Job => self.of_jobs(JobFilter::default(), |view| view.record.id.to_string()).await,
            Wanted::Answer => {
                let ended = JobFilter { states: ENDED.to_vec(), ..JobFilter::default() };
                self.of_jobs(ended, |view| view.record.id.to_string()).await
            }
            Wanted::Conversation => self.conversations(agent, config).await,
            Wanted::Time => TIMES.map(str::to_owned).to_vec(),
            Wanted::Text => Vec::new(),
        }
    }

    /// Returns the conversations that can be gone on with.
    async fn conversations(&self, agent: Option<&str>, config: Option<Arc<Config>>) -> Vec<String> {
        let asked = Request::Upkeep(Asked::Sessions(agent.map(str::to_owned), JOBS));
        let Ok(Some(Reply::Upkeep(Told::Sessions(views)))) =
            self.frontend.client.ask_if_running(&asked).await
        else {
            return Vec::new();
        };
        let look = move || {
            let each = views.iter().map(|view| SessionDocument::of(view, config.as_deref()));
            each.filter(|one| one.resumable).map(|one| one.session_id).collect()
        };
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }

    async fn of_jobs(&self, filter: JobFilter, name: impl Fn(&JobView) -> String) -> Vec<String> {
        self.jobs_at_hand(JobFilter { limit: JOBS, ..filter }).await.iter().map(name).collect()
    }
}

/// Returns the candidates that contain what was typed, those that begin with it first, each once, and how many there are.
fn matching(candidates: Vec<String>, typed: &str) -> (Vec<String>, usize) {
    let typed = typed.trim().to_lowercase();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let lower = candidate.to_lowercase();
        let place = if lower.starts_with(&typed) {
            &mut first
        } else if lower.contains(&typed) {
            &mut second
        } else {
            continue;
        };
        if !place.contains(&candidate) {
            place.push(candidate);
        }
    }
    first.append(&mut second);
    let total = first.len();
    (first, total)
}

#[cfg(test)]
mod tests;
