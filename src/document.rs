//! What both doors answer, as JSON: the original's keys, absent where there is nothing to say.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::daemon::ClientError;
use crate::daemon::protocol::{CancelEffect, JobView, Reply, Request};
use crate::dispatch::{Ended, Frontend, Served};
use crate::job::{JobRecord, RequestTexts, State};
use crate::model::{Answer, Retry, RunResult};

pub(super) mod agents;
pub(super) mod progress;
pub(super) mod summary;
pub(super) mod upkeep;

/// A dispatch: its result, or that it goes on.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(super) struct DispatchDocument {
    /// The agent that was asked.
    pub(super) agent: String,
    /// The job that carries it out; also a reference for `fetch_result`.
    pub(super) job_id: String,
    /// `done`, `failed`, `cancelled` or `interrupted`; `pending` or `running` while it goes on by itself.
    pub(super) status: String,
    /// Whether the agent answered without an error; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) success: Option<bool>,
    /// The answer; absent while it runs and when only a summary was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<String>,
    /// The conversation, to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session_id: Option<String>,
    /// What it cost, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cost_usd: Option<f64>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u64>,
    /// Turns of the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) num_turns: Option<u32>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// Why: `permission`, `timeout`, `stalled`, `recursion`, `not_found`, `budget`, `usage_limit`, `auth`, `overloaded`,
    /// `cancelled`, `interrupted`, `refused` or `cli_error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_type: Option<String>,
    /// Whether trying again can help: `now`, `never`, or `after` and a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry: Option<String>,
    /// The JSON value that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parsed_result: Option<Value>,
    /// Tools that were asked for and denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) denied_tools: Vec<String>,
    /// Files that are different in the agent's repository, the first fifty; whatever changed them meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) files_changed: Vec<String>,
    /// How many files are different, when not all of them are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) files_changed_count: Option<u32>,
    /// Commits made in the agent's repository, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) commits: Vec<String>,
    /// Present when more may have changed in the repository than is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changes_incomplete: Option<bool>,
    /// What the caller can do, or should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
    /// Present when it spent more than its cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budget_exceeded: Option<bool>,
    /// The agent's own verdict: done, partial or blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<String>,
    /// Present when the answer is only what had been said before the run was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partial: Option<bool>,
    /// Present when the answer came from the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cached: Option<bool>,
    /// Present when an identical dispatch was under way and gave the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) joined: Option<bool>,
    /// Present when `result` is only a part of the answer: read the rest with `fetch_result(ref, offset)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) truncated: Option<bool>,
    /// Reference of the whole answer.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    /// Length of the whole answer, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    /// The same, where `fetch_result` returns a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) full_size: Option<u64>,
    /// Where the rest of the answer begins; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_offset: Option<u64>,
    /// Length of the summary, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_chars: Option<u64>,
    /// The beginning of the answer, when a reference was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<String>,
    /// What to do now, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
}

/// How much of an answer is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it, or its beginning and a reference.
    Whole {
        /// Longest answer returned whole, in characters.
        chars_max: usize,
    },
    /// A part of it.
    Part {
        /// Where it begins, in characters.
        offset: usize,
        /// How long it is, in characters.
        chars: usize,
    },
    /// A reference and the beginning.
    Reference {
        /// Characters of the summary.
        summary_chars: usize,
        /// Longest parsed value that comes with it, in characters.
        chars_max: usize,
    },
}

/// Longest summary, in characters.
pub(super) const SUMMARY_CHARS_MAX: i64 = 100_000;

impl DispatchDocument {
    /// Returns a dispatch that has ended.
    pub(super) fn ended(ended: &Ended, extent: Extent) -> Self {
        let mut document = Self::of(&ended.job, &ended.answer, extent);
        document.cached = (ended.served == Served::Cache).then_some(true);
        document.joined = (ended.served == Served::Join).then_some(true);
        document
    }

    /// Returns a dispatch that goes on by itself.
    pub(super) fn running(view: &JobView) -> Self {
        let id = view.record.id.to_string();
        Self {
            agent: view.record.agent.clone(),
            status: view.record.state.as_str().to_owned(),
            message: Some(format!(
                "It goes on by itself. Wait for it with dispatch_wait(job_id=\"{id}\"), or ask with dispatch_status."
            )),
            session_id: Some(view.record.session.to_string()),
            job_id: id,
            ..Self::default()
        }
    }

    /// Returns a job that has ended, with its answer.
    pub(super) fn of(job: &JobRecord, answer: &Answer, extent: Extent) -> Self {
        let id = job.id.to_string();
        let mut document =
            Self { agent: job.agent.clone(), status: job.state.as_str().to_owned(), ..Self::default() };
        document.success = Some(job.state == State::Done);
        if let Some(result) = &job.result {
            document.facts(result);
        }
        document.session_id.get_or_insert_with(|| job.session.to_string());
        if job.state == State::Cancelled {
            document.error_type = Some("cancelled".to_owned());
            document.error = Some(stopped(job));
        }
        let size = job.answer_size.map_or(0, |(_, chars)| chars);
        match extent {
            Extent::Whole { chars_max } => document.part(answer, size, &id, 0, chars_max),
            Extent::Part { offset, chars } => document.part(answer, size, &id, offset, chars),
            Extent::Reference { summary_chars, chars_max } => {
                document.parsed(answer, &id, chars_max);
                document.reference = Some(id.clone());
                document.size = Some(size);
                document.summary_chars = Some(size.min(summary_chars as u64));
                document.summary = Some(head(&answer.text, summary_chars).to_owned());
            }
        }
        document.job_id = id;
        document
    }

    /// Takes `chars` characters of the answer from `offset` on.
    fn part(&mut self, answer: &Answer, size: u64, id: &str, offset: usize, chars: usize) {
        let rest = answer.text.get(head(&answer.text, offset).len()..).unwrap_or_default();
        let part = head(rest, chars);
        if part.len() < answer.text.len() {
            self.truncated = Some(true);
            self.reference = Some(id.to_owned());
            self.size = Some(size);
            self.next_offset = (part.len() < rest.len()).then_some((offset + chars) as u64);
        } else {
            self.parsed(answer, id, chars);
        }
        self.result = Some(part.to_owned());
    }

    /// Takes the parsed value, unless it is longer than the answer may be.
    fn parsed(&mut self, answer: &Answer, id: &str, chars_max: usize) {
        let Some(json) = answer.parsed.as_deref() else { return };
        if head(json, chars_max).len() == json.len() {
            self.parsed_result = serde_json::from_str(json).ok();
        } else {
            self.reference = Some(id.to_owned());
            self.message = Some(format!(
                "`parsed_result` is longer than {chars_max} characters and left out: read it with \
                 fetch_result(ref=\"{id}\", max_chars={ANSWER_CHARS_MAX})"
            ));
        }
    }

    fn facts(&mut self, result: &RunResult) {
        self.session_id = result.session.as_ref().map(ToString::to_string);
        self.cost_usd = result.cost_usd;
        self.duration_ms = Some(result.duration_ms);
        self.num_turns = result.num_turns;
        self.error.clone_from(&result.error);
        self.error_type = result.class.map(|class| class.as_str().to_owned());
        self.retry = result.retry.map(|retry| match retry {
            Retry::Now => "now".to_owned(),
            Retry::Never => "never".to_owned(),
            Retry::After(time) => format!("after {time}"),
        });
        self.denied_tools.clone_from(&result.denied_tools);
        if let Some(changes) = &result.changes {
            self.files_changed.clone_from(&changes.files);
            self.files_changed_count =
                (changes.files_total as usize > changes.files.len()).then_some(changes.files_total);
            self.commits.clone_from(&changes.commits);
            self.changes_incomplete = changes.incomplete.then_some(true);
        }
        self.hint.clone_from(&result.hint);
        self.budget_exceeded = result.budget_exceeded.then_some(true);
        self.outcome = result.outcome.map(|outcome| outcome.as_str().to_owned());
        self.partial = result.partial.then_some(true);
    }
}

/// Returns who stopped a job, as its error.
fn stopped(job: &JobRecord) -> String {
    format!("it was stopped: {}", job.stopped_by.as_deref().unwrap_or("somebody"))
}

/// Returns why a job that has ended never ran, if it did not.
fn stopped_unrun(job: &JobRecord) -> Option<String> {
    (job.state == State::Cancelled && job.result.is_none()).then(|| stopped(job))
}

/// Returns the first `chars` characters of `text`.
pub(super) fn head(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

/// A job: what was asked, where it is, what came of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct JobDocument {
    /// Its id.
    id: String,
    /// The agent that was asked.
    agent: String,
    /// What it was asked; shortened when very long.
    task: String,
    /// Background that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    /// What the caller called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    /// What the caller was after.
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<String>,
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
pub(super) const ANSWER_CHARS_MAX: usize = 500_000;

/// How much of a job is repeated, in characters: less of each when there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    /// Of its answer.
    pub(super) answer_chars: usize,
    /// Of each text of its request.
    pub(super) text_chars: usize,
}

impl Measure {
    /// Everything: for a person, or a program that reads a pipe.
    pub(super) const WHOLE: Self = Self { answer_chars: usize::MAX, text_chars: usize::MAX };

    /// Returns the measure of each of `jobs` jobs: one may take `answer_chars`, all together stay within what a client
    /// takes.
    pub(super) fn each_of(jobs: usize, answer_chars: usize) -> Self {
        let jobs = jobs.max(1);
        // Four fifths are for answers, the rest for requests, facts and JSON's own signs.
        let share = ANSWER_CHARS_MAX / 5 * 4 / jobs;
        Self { answer_chars: answer_chars.min(share), text_chars: (8000 / jobs).clamp(200, 4000) }
    }
}

impl JobDocument {
    /// Returns the job with what it was asked and, when it has ended, as much of its answer as `measure` says.
    pub(super) async fn read(
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
        let answer = frontend.answer(view.record.id).await?;
        Ok(Self::new(view, &texts, Some(&answer), measure))
    }

    /// Returns the job with what it was asked and, when it has ended, its answer.
    pub(super) fn new(
        view: &JobView,
        texts: &RequestTexts,
        answer: Option<&Answer>,
        measure: Measure,
    ) -> Self {
        let job = &view.record;
        let given = |text: &str| (!text.is_empty()).then(|| head(text, measure.text_chars).to_owned());
        let task = given(&texts.task).unwrap_or_else(|| job.task_preview.clone());
        let extent = Extent::Whole { chars_max: measure.answer_chars };
        let result = answer.map(|answer| DispatchDocument::of(job, answer, extent));
        Self {
            id: job.id.to_string(),
            agent: job.agent.clone(),
            task,
            context: given(&texts.context),
            caller: job.caller.declared.clone(),
            goal: given(&texts.goal),
            status: job.state.as_str().to_owned(),
            cancelling: (job.state == State::Cancelling).then_some(true),
            created_at: job.created.as_seconds(),
            started_at: job.started.map(crate::model::Timestamp::as_seconds),
            completed_at: job.ended.map(crate::model::Timestamp::as_seconds),
            session_id: job.session.to_string(),
            directory: job.directory.display().to_string(),
            error: result.as_ref().and_then(|result| result.error.clone()).or_else(|| stopped_unrun(job)),
            result,
            progress: view.progress.clone(),
            progress_updated_at: view.progress_at.map(crate::model::Timestamp::as_seconds),
            timed_out_waiting: None,
        }
    }

    /// Says that the wait was over before the job.
    pub(super) const fn still_waiting(mut self) -> Self {
        self.timed_out_waiting = Some(true);
        self
    }
}

/// Several jobs that were waited for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct JobsDocument {
    /// The jobs, in the order they were named.
    pub(super) jobs: Vec<JobDocument>,
    /// Present when the wait was over before the jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timed_out_waiting: Option<bool>,
}

/// What a cancellation did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct CancelDocument {
    /// The job.
    pub(super) job_id: String,
    /// `cancelled`, `cancelled_running` or `already_terminal`.
    pub(super) outcome: String,
    /// Where the job is now.
    pub(super) status: String,
    /// What that means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
}

impl CancelDocument {
    /// Returns what the cancellation of this job did.
    pub(super) fn of(view: &JobView, effect: CancelEffect) -> Self {
        let (outcome, message) = match effect {
            CancelEffect::Cancelled => ("cancelled", "It had not started, and will not."),
            CancelEffect::Stopping => {
                ("cancelled_running", "It is being stopped; what it had said so far stays with the job.")
            }
            CancelEffect::AlreadyTerminal => ("already_terminal", "It had ended before."),
        };
        let status =
            if view.record.state == State::Cancelling { "cancelled" } else { view.record.state.as_str() };
        Self {
            job_id: view.record.id.to_string(),
            outcome: outcome.to_owned(),
            status: status.to_owned(),
            message: Some(message.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
