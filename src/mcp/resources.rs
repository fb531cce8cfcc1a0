//! Resources: what can be read without a tool. The agents, each agent, each job, each answer.

use std::fmt::Write as _;

use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde::Serialize;
use serde_json::json;

use crate::audit::redact::one_line;
use crate::daemon::protocol::{JobView, Reply, Request};
use crate::dispatch::Frontend;
use crate::document::agents::{AgentDetail, AgentsDocument, unknown};
use crate::document::{ANSWER_CHARS_MAX, Extent, head};
use crate::error::{Kind, Report};
use crate::job::{JobFilter, State};
use crate::mcp::Server;

/// The resource that is all agents.
pub(super) const AGENTS: &str = "agent-dispatch://agents";
/// The template of one agent.
pub(super) const AGENT: &str = "agent-dispatch://agents/{name}";
/// The template of one job.
pub(super) const JOB: &str = "agent-dispatch://jobs/{id}";
/// The template of one answer.
pub(super) const ANSWER: &str = "agent-dispatch://results/{ref}";

/// Jobs in the list, the newest that have ended: what one may want to look at again.
const JOBS: u32 = 20;

/// Lines of CLAUDE.md and README in the resource of an agent: as many as the tool shows unless told otherwise.
const PREVIEW_LINES: usize = 40;

/// Characters of a task in a title.
const TITLE_CHARS: usize = 80;

const JSON: &str = "application/json";
const MARKDOWN: &str = "text/markdown";

/// How a job may have ended.
pub(super) const ENDED: [State; 4] = [State::Done, State::Failed, State::Cancelled, State::Interrupted];

/// What a URI names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address<'a> {
    Agents,
    Agent(&'a str),
    Job(&'a str),
    Answer(&'a str),
}

impl<'a> Address<'a> {
    fn of(uri: &'a str) -> Option<Self> {
        if uri == AGENTS {
            return Some(Self::Agents);
        }
        let places = [(AGENT, Self::Agent as fn(&'a str) -> Self), (JOB, Self::Job), (ANSWER, Self::Answer)];
        places.into_iter().find_map(|(template, address)| {
            let name = uri.strip_prefix(template.split('{').next()?)?;
            (!name.is_empty() && !name.contains('/')).then(|| address(name))
        })
    }
}

/// Returns the URI that a template makes of this name. Names of agents and ids need no escapes.
fn uri(template: &str, name: &str) -> String {
    format!("{}{name}", template.split('{').next().unwrap_or_default())
}

/// Returns what can be named, by templates.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let of = |template, name, title, text, kind| {
        ResourceTemplate::new(template, name).with_title(title).with_description(text).with_mime_type(kind)
    };
    vec![
        of(AGENT, "agent", "One agent", "What the tool `inspect_agent` says of an agent.", JSON),
        of(JOB, "job", "One job", "What the tool `dispatch_status` says of a job, by its id.", JSON),
        of(
            ANSWER,
            "result",
            "One answer",
            "What an agent answered, by the `ref` or `job_id` of the dispatch.",
            MARKDOWN,
        ),
    ]
}

impl Server {
    /// Returns what there is: the agents, and the newest jobs that have ended when a daemon runs that knows them. Starts
    /// nothing, and looks into no agent's directory.
    pub(super) async fn resources(&self) -> Vec<Resource> {
        let all = Resource::new(AGENTS, "agents")
            .with_title("All agents")
            .with_description("Who can be asked: what the tool `list_agents` says.")
            .with_mime_type(JSON);
        let mut list = vec![all];
        // A configuration that cannot be read is told by whoever reads it.
        if let Ok(config) = self.frontend.config() {
            list.extend(config.agents.iter().map(|agent| {
                let about = match agent.description.as_str() {
                    "" => format!("Works in {}.", agent.directory.display()),
                    description => description.to_owned(),
                };
                Resource::new(uri(AGENT, agent.name.as_str()), agent.name.as_str())
                    .with_title(format!("Agent {}", agent.name))
                    .with_description(about)
                    .with_mime_type(JSON)
            }));
        }
        let jobs = self.jobs_at_hand(JobFilter { states: ENDED.to_vec(), agent: None, limit: JOBS }).await;
        list.extend(jobs.iter().map(job_resource));
        list
    }

    /// Returns jobs, newest first, if a daemon runs that knows them.
    pub(super) async fn jobs_at_hand(&self, filter: JobFilter) -> Vec<JobView> {
        match self.frontend.client.ask_if_running(&Request::Jobs(filter)).await {
            Ok(Some(Reply::Jobs(jobs))) => jobs,
            Ok(_) => Vec::new(),
            Err(error) => {
                tracing::debug!(%error, "jobs are left out of a list");
                Vec::new()
            }
        }
    }

    /// Reads what a URI names.
    pub(super) async fn read(&self, uri: &str) -> Result<ReadResourceResult, ErrorData> {
        let read = match Address::of(uri) {
            Some(Address::Agents) => self.read_agents().await,
            Some(Address::Agent(name)) => self.read_agent(name).await,
            Some(Address::Job(id)) => self.status(id).await.and_then(|job| document(&job)),
            Some(Address::Answer(id)) => self.read_answer(id).await,
            None => {
                let text = format!("there is no resource `{}`", head(uri, 100));
                let hint = format!("There are {AGENTS}, {AGENT}, {JOB} and {ANSWER}.");
                Err(Report::new(Kind::NotFound, "not_found", text, hint))
            }
        };
        let (kind, text) = read.map_err(|report| failure(&report, uri))?;
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri).with_mime_type(kind)]))
    }

    async fn read_agents(&self) -> Result<(&'static str, String), Report> {
        let config = self.frontend.config().map_err(|error| Report::from(&*error))?;
        let usual = self.frontend.usual(&config, &config.agents).await;
        let look =
            move |frontend: &Frontend| AgentsDocument::of(&config, &frontend.projects).with_usual(&usual);
        document(&self.aside(look).await?)
    }

    async fn read_agent(&self, name: &str) -> Result<(&'static str, String), Report> {
        let config = self.frontend.config().map_err(|error| Report::from(&*error))?;
        let agent = config.agent(name).ok_or_else(|| unknown(&config, name))?.clone();
        let usual = self.frontend.usual(&config, [&agent]).await;
        let look = move |frontend: &Frontend| {
            let facts = frontend.projects.facts(&agent.directory);
            let detail = AgentDetail::of(&config, &agent, &facts, &frontend.environment, PREVIEW_LINES);
            detail.with_usual(&usual)
        };
        document(&self.aside(look).await?)
    }

    async fn read_answer(&self, id: &str) -> Result<(&'static str, String), Report> {
        let view = self.view(id).await?;
        let job = &view.record;
        let Some(result) = &job.result else {
            let text = format!("job `{id}` is {} and has no answer", job.state.as_str());
            let hint = format!("Wait for it with dispatch_wait(job_id=\"{id}\").");
            return Err(Report::new(Kind::NotFound, "no_answer", text, hint));
        };
        let extent = Extent::Whole { chars_max: ANSWER_CHARS_MAX };
        let mut text = self.frontend.part(job.id, extent.portion()).await?.unwrap_or_default().text;
        if job.answer_size.is_some_and(|(_, chars)| chars > ANSWER_CHARS_MAX as u64) {
            let rest = format!("fetch_result(ref=\"{id}\", offset={ANSWER_CHARS_MAX})");
            let _infallible = write!(text, "\n\n[cut here; the rest: {rest}]");
        } else if text.is_empty() {
            let why = result.error.as_deref().unwrap_or("the agent said nothing");
            text = format!("[no answer: {why}]");
        }
        Ok((MARKDOWN, text))
    }
}

fn job_resource(view: &JobView) -> Resource {
    let job = &view.record;
    let id = job.id.to_string();
    let cost = job.result.as_ref().and_then(|result| result.cost_usd);
    let cost = cost.map(|usd| format!(", ${usd:.2}")).unwrap_or_default();
    let ended = job.ended.map(|time| format!(" {time}")).unwrap_or_default();
    Resource::new(uri(JOB, &id), id)
        .with_title(format!("{}: {}", job.agent, one_line(&job.task_preview, TITLE_CHARS)))
        .with_description(format!("{}{ended}{cost}", job.state.as_str()))
        .with_mime_type(JSON)
}

fn document<T: Serialize>(document: &T) -> Result<(&'static str, String), Report> {
    let text = serde_json::to_string(document).map_err(|error| {
        Report::new(Kind::Failed, "internal", error.to_string(), "Please report this mistake.")
    })?;
    Ok((JSON, text))
}

/// Returns an error of the protocol: what is asked for does not exist, or something stands in the way.
fn failure(report: &Report, uri: &str) -> ErrorData {
    let hint = report.advice();
    let data = Some(json!({ "uri": uri, "code": report.code, "hint": hint }));
    // Most clients show the message and nothing else.
    let text = format!("{}. {hint}", report.message);
    match report.kind {
        Kind::NotFound | Kind::Usage => ErrorData::resource_not_found(text, data),
        Kind::Failed | Kind::Config | Kind::Refused | Kind::Unavailable => {
            ErrorData::internal_error(text, data)
        }
    }
}

#[cfg(test)]
mod tests;
