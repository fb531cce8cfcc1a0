//! Jobs, as both doors tell them: one with everything, several that were waited for, and what a cancellation did.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::daemon::ClientError;
use crate::daemon::protocol::{CancelEffect, JobView, Reply, Request};
use crate::dispatch::Frontend;
use crate::document::{DispatchDocument, Extent, head};
use crate::job::{RequestTexts, State};
use crate::model::{Answer, Caller, Timestamp};

/// A job: what was asked, where it is, what came of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct JobDocument {
    /// Its id.
    id: String,
    /// The agent that was asked.
    agent: String,
    /// What it was asked; shortened when very long.
    task: String,
    /// Background that was given; shortened when very long.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    /// What the caller called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    /// What the caller was after; shortened when very long.
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<String>,
    /// The group through which the agent was addressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The client that asked, and from where.
    asked_by: String,
    /// Form of the answer that was asked for: `json` or a JSON Schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<String>,
    /// Seconds that it may take.
    timeout_seconds: u64,
    /// Model that answered; of one that has not, the model that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Tools that it used, and how often.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tools: BTreeMap<String, u32>,
    /// pending, running, done, failed, cancelled or interrupted.
    status: String,
    /// Present while a running job is being stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelling: Option<bool>,
    /// When it was opened, in seconds since 1970.
    created_at: f64,
    /// When it started to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<f64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<f64>,
    /// The conversation.
    session_id: String,
    /// The directory it runs in.
    directory: String,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<DispatchDocument>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Its last steps, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    progress: Vec<String>,
    /// When the last step was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress_updated_at: Option<f64>,
    /// Present when the wait was over before the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    timed_out_waiting: Option<bool>,
}

/// Most characters of one answer, whatever is asked for: what Claude Code takes from a tool that announces long results.
pub(crate) const ANSWER_CHARS_MAX: usize = 500_000;

/// How much of a job is repeated, in characters: less of each when there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Of its answer.
    pub(crate) answer_chars: usize,
    /// Of each text of its request.
    pub(crate) text_chars: usize,
}

impl Measure {
    /// Everything: for a person, or a program that reads a pipe.
    pub(crate) const WHOLE: Self = Self { answer_chars: usize::MAX, text_chars: usize::MAX };

    /// Returns how much of its answer is returned.
    const fn extent(self) -> Extent {
        Extent::Whole { chars_max: self.answer_chars }
    }

    /// Returns the measure of each of `jobs` jobs: one may take `answer_chars`, all together stay within what a client
    /// takes.
    pub(crate) fn each_of(jobs: usize, answer_chars: usize) -> Self {
        let jobs = jobs.max(1);
        // Four fifths are for answers, the rest for requests, facts and JSON's own signs.
        let share = ANSWER_CHARS_MAX / 5 * 4 / jobs;
        Self { answer_chars: answer_chars.min(share), text_chars: (8000 / jobs).clamp(200, 4000) }
    }
}

impl JobDocument {
    /// Returns the job with what it was asked and, when it has ended, as much of its answer as `measure` says.
    pub(crate) async fn read(
        frontend: &Frontend,
        view: &JobView,
        measure: Measure,
    ) -> Result<Self, ClientError> {
        let texts = match frontend.client.ask(&Request::Texts(view.record.id)).await? {
            Reply::Texts(texts) => texts.unwrap_or_default(),
            _ => return Err(ClientError::Confused),
        };
        if !view.record.state.is_terminal() || view.record.result.is_none() {
            return Ok(Self::new(view, &texts, None, measure));
        }
        let answer = frontend.part(view.record.id, measure.extent().portion()).await?;
        Ok(Self::new(view, &texts, answer.as_ref(), measure))
    }

    /// Returns the job with what it was asked and, when it has ended, its answer.
    pub(crate) fn new(
        view: &JobView,
        texts: &RequestTexts,
        answer: Option<&Answer>,
        measure: Measure,
    ) -> Self {
        let job = &view.record;
        let given = |text: &str| (!text.is_empty()).then(|| head(text, measure.text_chars).to_owned());
        let task = given(&texts.task).unwrap_or_else(|| job.task_preview.clone());
        let ran = job.result.as_ref();
        let model = ran.and_then(|ran| ran.model.as_ref()).or(job.profile.model.as_ref());
        let tools = ran.into_iter().flat_map(|ran| &ran.tools);
        let result = answer.map(|answer| DispatchDocument::of(job, answer, measure.extent()));
        Self {
            id: job.id.to_string(),
            agent: job.agent.clone(),
            task,
            context: given(&texts.context),
            caller: job.caller.declared.clone(),
            goal: given(&texts.goal),
            group: job.group.clone(),
            asked_by: asked_by(&job.caller),
            response_format: given(format_of(texts)),
            timeout_seconds: job.profile.timeout_seconds,
            model: model.cloned(),
            tools: tools.map(|(name, used)| (name.clone(), used.count)).collect(),
            status: job.state.as_str().to_owned(),
            cancelling: (job.state == State::Cancelling).then_some(true),
            created_at: job.created.as_seconds(),
            started_at: job.started.map(Timestamp::as_seconds),
            completed_at: job.ended.map(Timestamp::as_seconds),
            session_id: job.session.to_string(),
            directory: job.directory.display().to_string(),
            error: job.error(),
            result,
            progress: view.progress.clone(),
            progress_updated_at: view.progress_at.map(Timestamp::as_seconds),
            timed_out_waiting: None,
        }
    }

    /// Says that the wait was over before the job.
    pub(crate) const fn still_waiting(mut self) -> Self {
        self.timed_out_waiting = Some(true);
        self
    }
}

/// Returns who asked, in one line.
pub(crate) fn asked_by(caller: &Caller) -> String {
    let mut text = caller.client.clone();
    if let Some(declared) = &caller.declared {
        let _infallible = write!(text, " as {declared:?}");
    }
    if let Some(directory) = &caller.directory {
        let _infallible = write!(text, " in {directory}");
    }
    text
}

/// Returns the form that was asked for; nothing when any text will do.
pub(crate) fn format_of(texts: &RequestTexts) -> &str {
    Some(texts.response_format.as_str()).filter(|format| *format != "text").unwrap_or_default()
}

/// Several jobs that were waited for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct JobsDocument {
    /// The jobs, in the order they were named.
    pub(crate) jobs: Vec<JobDocument>,
    /// Present when the wait was over before the jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timed_out_waiting: Option<bool>,
}

/// What a cancellation did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CancelDocument {
    /// The job.
    pub(crate) job_id: String,
    /// `cancelled`, `cancelled_running` or `already_terminal`.
    pub(crate) outcome: String,
    /// Where the job is now.
    pub(crate) status: String,
    /// What that means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

impl CancelDocument {
    /// Returns what the cancellation of this job did.
    pub(crate) fn of(view: &JobView, effect: CancelEffect) -> Self {
        let (outcome, message) = match effect {
            CancelEffect::Cancelled => ("cancelled", "It had not started, and will not."),
            CancelEffect::Stopping => {
                ("cancelled_running", "It is being stopped; what it had said so far stays with the job.")
            }
            CancelEffect::AlreadyTerminal => ("already_terminal", "It had ended before."),
        };
        Self {
            job_id: view.record.id.to_string(),
            outcome: outcome.to_owned(),
            status: view.record.state.as_str().to_owned(),
            message: Some(message.to_owned()),
        }
    }
}
