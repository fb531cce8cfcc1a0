//! A job in a list, as both doors tell it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::daemon::protocol::JobView;
use crate::document::head;
use crate::job::State;
use crate::model::Timestamp;

/// Several jobs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct JobListDocument {
    /// The jobs, newest first.
    pub(crate) jobs: Vec<JobSummary>,
}

/// A job in a list.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct JobSummary {
    /// Its id.
    pub(crate) id: String,
    /// The agent that was asked.
    pub(crate) agent: String,
    /// pending, running, done, failed, cancelled or interrupted.
    pub(crate) status: String,
    /// First words of what it was asked.
    pub(crate) task: String,
    /// When it was opened, in seconds since 1970.
    pub(crate) created_at: f64,
    /// When it started to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<f64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) completed_at: Option<f64>,
    /// Whether the agent answered without an error; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) success: Option<bool>,
    /// What it cost, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_usd: Option<f64>,
    /// The agent's own verdict: done, partial or blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<String>,
    /// Its last step, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_progress: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_type: Option<String>,
}

/// Characters of a task in a list.
const TASK_CHARS: usize = 120;

impl JobSummary {
    /// Returns the job as a list shows it.
    pub(crate) fn of(view: &JobView) -> Self {
        let job = &view.record;
        let result = job.result.as_ref();
        Self {
            id: job.id.to_string(),
            agent: job.agent.clone(),
            status: job.state.as_str().to_owned(),
            task: head(&job.task_preview, TASK_CHARS).to_owned(),
            created_at: job.created.as_seconds(),
            started_at: job.started.map(Timestamp::as_seconds),
            completed_at: job.ended.map(Timestamp::as_seconds),
            success: job.state.is_terminal().then_some(job.state == State::Done),
            cost_usd: result.and_then(|result| result.cost_usd),
            outcome: result.and_then(|result| result.outcome).map(|outcome| outcome.as_str().to_owned()),
            last_progress: view.progress.last().filter(|_| !job.state.is_terminal()).cloned(),
            error_type: job.class().map(|class| class.as_str().to_owned()),
        }
    }
}
