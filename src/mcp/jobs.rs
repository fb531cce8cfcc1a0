//! Tools about jobs: where one is, waiting for several, stopping one, reading an answer in pieces.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::redact::one_line;
use crate::daemon::ClientError;
use crate::daemon::protocol::{JobView, Reply, Request, WaitEnd, WaitRequest};
use crate::dispatch::Standing;
use crate::document::parallel::JOBS_OF_ONE_WAIT;
use crate::document::progress as lines;
use crate::document::summary::{JobListDocument, JobSummary};
use crate::document::{
    ANSWER_CHARS_MAX, CancelDocument, DispatchDocument, Extent, JobDocument, JobsDocument, Measure,
};
use crate::error::{Kind, Report};
use crate::job::{JobFilter, State};
use crate::mcp::dispatching::answers_may_be_long;
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, progress, refusal, schema};
use crate::model::JobId;

/// Longest wait, in seconds.
const WAIT_SECONDS_MAX: i64 = 3600;

#[derive(Debug, Deserialize, JsonSchema)]
struct JobArguments {
    /// The job's id.
    job_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct WaitArguments {
    /// The job's id, or several: a list, or ids separated by commas.
    #[schemars(with = "String")]
    job_id: Value,
    /// Seconds to wait, 1 to 3600.
    #[serde(default = "wait_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    timeout_seconds: i64,
    /// With several jobs: return when all have ended, or when any has.
    #[serde(default)]
    mode: Mode,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    All,
    Any,
}

const fn wait_seconds() -> i64 {
    60
}

#[derive(Debug, Deserialize, JsonSchema)]
struct ListArguments {
    /// Only jobs in this state.
    #[serde(default = "every_state")]
    #[schemars(extend("enum" = ["all", "pending", "running", "done", "failed", "cancelled", "interrupted"]))]
    status: String,
    /// Most jobs to list, 1 to 1000.
    #[serde(default = "listed")]
    #[schemars(range(min = 1, max = 1000))]
    limit: i64,
    /// Only jobs of this agent; also of one that was removed.
    #[serde(default)]
    agent: String,
}

fn every_state() -> String {
    ALL.to_owned()
}

/// The word for jobs in whatever state.
const ALL: &str = "all";

const fn listed() -> i64 {
    50
}

#[derive(Debug, Deserialize, JsonSchema)]
struct FetchArguments {
    /// The reference: a job's id.
    #[serde(rename = "ref")]
    reference: String,
    /// Characters to return, up to 500000; 0 returns as many as one answer may have.
    #[serde(default)]
    #[schemars(range(min = 0, max = 500_000))]
    max_chars: i64,
    /// Character to begin with, counted from 0.
    #[serde(default)]
    #[schemars(range(min = 0))]
    offset: i64,
}

routes!(job_routes: dispatch_status, dispatch_wait, dispatch_cancel, dispatch_jobs, fetch_result);

#[cfg_attr(test, rmcp::tool_router(router = job_tools, vis = "pub(super)"))]
impl Server {
    /// Shows one job: what was asked, where it is, its last steps, and its answer when it has ended.
    #[tool(
        title = "Show a job",
        output_schema = schema::of::<JobDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false),
        meta = answers_may_be_long()
    )]
    async fn dispatch_status(&self, Parameters(asked): Parameters<JobArguments>) -> CallToolResult {
        match self.status(&asked.job_id).await {
            Ok(document) => answer(&document),
            Err(report) => refusal(&report),
        }
    }

    /// Waits for jobs to end and returns them with their answers. When the time is over first, returns where they are
    /// with `timed_out_waiting: true`; they go on, and can be waited for again.
    #[tool(
        title = "Wait for jobs",
        output_schema = schema::either::<JobDocument, JobsDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false),
        meta = answers_may_be_long()
    )]
    async fn dispatch_wait(
        &self,
        Parameters(asked): Parameters<WaitArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let jobs = match ids(&asked.job_id) {
            Ok(jobs) => jobs,
            Err(report) => return refusal(&report),
        };
        let seconds = asked.timeout_seconds.clamp(1, WAIT_SECONDS_MAX).unsigned_abs();
        let mut agents = Vec::new();
        for job in &jobs {
            match self.view_of(*job).await {
                Ok(view) => agents.push(view.record.agent),
                Err(report) => return refusal(&report),
            }
        }
        let wait = WaitRequest {
            any: asked.mode == Mode::Any,
            timeout_ms: Some(seconds * 1000),
            attach: false,
            detach_at_timeout: false,
            inside: self.frontend.environment.run,
            answer: None,
            jobs: jobs.clone(),
        };
        let agents: Vec<&str> = agents.iter().map(String::as_str).collect();
        let first = lines::stands(&agents, &Standing { total: jobs.len(), ..Standing::default() });
        let waited = progress::telling(&context, first, async |line| {
            let mut standing = |standing: &Standing| line.standing(&agents, standing);
            self.frontend.wait_for_all(&wait, &mut standing, self.taken_back(&context.ct)).await
        });
        match waited.await {
            Ok((views, end)) => match self.documents(&views, end, jobs.len() == 1).await {
                Ok(result) => result,
                Err(report) => refusal(&report),
            },
            Err(error) => refusal(&Report::from(error)),
        }
    }

    /// Stops a job, waiting or running, whoever started it. What it had said and its conversation are kept.
    #[tool(
        title = "Cancel a job",
        output_schema = schema::of::<CancelDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn dispatch_cancel(
        &self,
        Parameters(asked): Parameters<JobArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let job = match id(&asked.job_id) {
            Ok(job) => job,
            Err(report) => return refusal(&report),
        };
        let asker = Self::asker(&context);
        let by = format!("dispatch_cancel by {asker}");
        let caller = Box::new(self.frontend.caller(asker, ""));
        match self.frontend.client.ask(&Request::Cancel { job, by, caller }).await {
            Ok(Reply::Cancelled(view, effect)) => answer(&CancelDocument::of(&view, effect)),
            Ok(_) => refusal(&Report::from(ClientError::Confused)),
            Err(error) => refusal(&Report::from(error)),
        }
    }

    /// Lists jobs, the newest first: agent, state, first words of the task, what it cost. Ended jobs stay listed until they
    /// are removed by `dispatch_gc`.
    #[tool(
        title = "List jobs",
        output_schema = schema::of::<JobListDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn dispatch_jobs(&self, Parameters(asked): Parameters<ListArguments>) -> CallToolResult {
        let states = match states(&asked.status) {
            Ok(states) => states,
            Err(report) => return refusal(&report),
        };
        let agent = Some(asked.agent).filter(|agent| !agent.is_empty());
        let limit = u32::try_from(asked.limit.clamp(1, 1000)).unwrap_or(1);
        match self.frontend.client.ask(&Request::Jobs(JobFilter { states, agent, limit })).await {
            Ok(Reply::Jobs(views)) => {
                answer(&JobListDocument { jobs: views.iter().map(JobSummary::of).collect() })
            }
            Ok(_) => refusal(&Report::from(ClientError::Confused)),
            Err(error) => refusal(&Report::from(error)),
        }
    }

    /// Returns the answer of a job by its reference, whole or in pieces: `offset` and `max_chars` count characters. A job
    /// without an answer yet is shown as it is.
    #[tool(
        title = "Fetch an answer",
        output_schema = schema::either::<DispatchDocument, JobDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false),
        meta = answers_may_be_long()
    )]
    async fn fetch_result(&self, Parameters(asked): Parameters<FetchArguments>) -> CallToolResult {
        match self.fetch(&asked).await {
            Ok(result) => result,
            Err(report) => refusal(&report),
        }
    }
}

impl Server {
    pub(super) async fn view(&self, text: &str) -> Result<JobView, Report> {
        self.view_of(id(text)?).await
    }

    async fn view_of(&self, job: JobId) -> Result<JobView, Report> {
        let found = self.frontend.job(job).await.map_err(Report::from)?;
        found.ok_or_else(|| gone(job))
    }

    pub(super) async fn status(&self, text: &str) -> Result<JobDocument, Report> {
        let view = self.view(text).await?;
        self.document(&view, Measure::each_of(1, self.answer_chars_max())).await
    }

    async fn document(&self, view: &JobView, measure: Measure) -> Result<JobDocument, Report> {
        Ok(JobDocument::read(&self.frontend, view, measure).await?)
    }

    /// Returns the longest answer returned whole; also with a broken configuration an answer can be read.
    pub(super) fn answer_chars_max(&self) -> usize {
        let settings = self.frontend.config().map(|config| config.settings.max_answer_chars);
        settings.unwrap_or_else(|_| crate::model::Settings::default().max_answer_chars) as usize
    }

    async fn documents(
        &self,
        views: &[JobView],
        end: WaitEnd,
        single: bool,
    ) -> Result<CallToolResult, Report> {
        let measure = Measure::each_of(views.len(), self.answer_chars_max());
        let mut jobs = Vec::new();
        for view in views {
            let document = self.document(view, measure).await?;
            let unended = end == WaitEnd::TimedOut && !view.record.state.is_terminal();
            jobs.push(if unended { document.still_waiting() } else { document });
        }
        if single && let Some(job) = jobs.pop() {
            return Ok(answer(&job));
        }
        let timed_out_waiting = (end == WaitEnd::TimedOut).then_some(true);
        Ok(answer(&JobsDocument { jobs, timed_out_waiting }))
    }

    async fn fetch(&self, asked: &FetchArguments) -> Result<CallToolResult, Report> {
        let view = self.view(&asked.reference).await?;
        let most = self.answer_chars_max();
        if view.record.result.is_none() {
            let document = self.document(&view, Measure::each_of(1, most)).await?;
            return Ok(answer(&document));
        }
        let offset = usize::try_from(asked.offset.max(0)).unwrap_or(usize::MAX);
        let chars = match usize::try_from(asked.max_chars.max(0)).unwrap_or(usize::MAX) {
            0 => most,
            wanted => wanted.min(ANSWER_CHARS_MAX),
        };
        let extent = Extent::Part { offset, chars };
        let part = self.frontend.part(view.record.id, extent.portion()).await.map_err(Report::from)?;
        let Some(part) = part else { return Err(gone(view.record.id)) };
        let mut document = DispatchDocument::of(&view.record, &part, extent);
        document.full_size = document.truncated.and(document.size);
        Ok(answer(&document))
    }
}

/// Says that there is no such job, or that it went while it was read.
fn gone(job: JobId) -> Report {
    let hint = "It may have been removed. List what there is with dispatch_jobs.";
    Report::new(Kind::NotFound, "not_found", format!("there is no job `{job}`"), hint)
}

/// Returns the states that are listed under a word; all of them under none.
fn states(text: &str) -> Result<Vec<State>, Report> {
    let wanted = text.trim().to_ascii_lowercase();
    let states: Vec<State> = State::ALL.into_iter().filter(|state| state.as_str() == wanted).collect();
    if !states.is_empty() || wanted.is_empty() || wanted == ALL {
        return Ok(states);
    }
    let names = State::ALL.into_iter().filter(|state| *state != State::Cancelling).map(State::as_str);
    let message = format!("`{}` is no status of a job", one_line(&wanted, 60));
    let hint = format!("Use one of: {}; or leave it out.", names.collect::<Vec<_>>().join(", "));
    Err(Report::new(Kind::Usage, "invalid_status", message, hint))
}

pub(super) fn id(text: &str) -> Result<JobId, Report> {
    text.trim().parse().map_err(|bad: crate::model::id::BadId| {
        Report::new(
            Kind::Usage,
            "invalid_id",
            bad.to_string(),
            "Use the `job_id` that the dispatch returned.",
        )
    })
}

/// Returns the ids of a text, a list in a text, or a list.
fn ids(value: &Value) -> Result<Vec<JobId>, Report> {
    let bad =
        |message: &str| Report::new(Kind::Usage, "invalid_id", message, "Pass one job id or a list of them.");
    let listed = match value {
        Value::String(text) if text.trim_start().starts_with('[') => {
            serde_json::from_str(text).map_err(|error| bad(&format!("`job_id` is not a list: {error}")))?
        }
        Value::String(text) => text.split(',').map(|one| Value::from(one.trim())).collect(),
        Value::Array(items) => items.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(bad("`job_id` is neither an id nor a list of ids"));
        }
    };
    if listed.is_empty() || listed.len() > JOBS_OF_ONE_WAIT {
        return Err(bad(&format!(
            "`job_id` names {} jobs; 1 to {JOBS_OF_ONE_WAIT} can be waited for",
            listed.len()
        )));
    }
    let mut jobs = Vec::new();
    for one in &listed {
        let job = id(one.as_str().ok_or_else(|| bad("an item of `job_id` is not a text"))?)?;
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    Ok(jobs)
}
