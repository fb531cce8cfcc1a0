//! A dialogue of two agents, as it is told.

use schemars::JsonSchema;
use serde::Serialize;

use crate::dispatch::Turn;
use crate::document::{DispatchDocument, Extent, Measure, head};
use crate::plan::dialogue::Ending;

/// A dialogue of two agents.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct DialogueDocument {
    /// Whether one side declared it settled.
    pub(crate) resolved: bool,
    /// The round of the last turn.
    pub(crate) rounds: u64,
    /// What all turns cost, in US dollars.
    pub(crate) total_cost_usd: f64,
    /// How long all turns took, in milliseconds.
    pub(crate) total_duration_ms: u64,
    /// What it came to: what was said when it was settled, else what was said last.
    pub(crate) final_answer: String,
    /// The turns, in order; the responder begins.
    pub(crate) conversation: Vec<TurnDocument>,
}

/// One turn.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct TurnDocument {
    /// The agent that spoke.
    agent: String,
    /// `responder` or `requester`.
    role: String,
    /// The round, counted from 1.
    round: u64,
    /// What it said.
    message: String,
    /// What it cost, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    /// Its own verdict: done, partial or blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// Its conversation, to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    /// The job of the turn; also a reference for `fetch_result`. Of a turn that was refused, the id under which `audit_show`
    /// has that.
    #[serde(skip_serializing_if = "String::is_empty")]
    job_id: String,
    /// Present when `message` is only the beginning: read the rest with `fetch_result(ref=job_id)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
    /// What went wrong; then it was the last turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Why: as in the results of `dispatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<String>,
    /// The same, or what else stood in the way: a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// Whether trying again can help.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl DialogueDocument {
    /// Returns how a dialogue came out, with all that was said no longer than a client takes.
    pub(crate) fn of(turns: Vec<Turn>, ending: &Ending, answer_chars: usize) -> Self {
        // The final answer repeats one of them.
        let chars = Measure::each_of(turns.len() + 1, answer_chars).answer_chars;
        let (mut cost, mut duration) = (0.0, 0);
        let conversation = turns.into_iter().map(|turn| {
            let outcome = turn.outcome.map(crate::dispatch::Dispatched::Ended);
            let told = DispatchDocument::outcome(&turn.agent, &outcome, Extent::Whole { chars_max: chars });
            cost += told.cost_usd.unwrap_or(0.0);
            duration += told.duration_ms.unwrap_or(0);
            TurnDocument {
                agent: told.agent,
                role: turn.side.as_str().to_owned(),
                round: turn.round as u64,
                message: told.result.unwrap_or_default(),
                cost_usd: told.cost_usd,
                outcome: told.outcome,
                session_id: told.session_id,
                job_id: told.job_id,
                truncated: told.truncated,
                error: told.error,
                error_type: told.error_type,
                code: told.code,
                retry: told.retry,
                hint: told.hint,
            }
        });
        let conversation = conversation.collect();
        Self {
            resolved: ending.resolved,
            rounds: ending.rounds as u64,
            total_cost_usd: (cost * 10_000.0).round() / 10_000.0,
            total_duration_ms: duration,
            final_answer: head(&ending.final_answer, chars).to_owned(),
            conversation,
        }
    }

    /// Returns whether a turn failed, which ended it.
    pub(crate) fn failed(&self) -> bool {
        self.conversation.last().is_some_and(|turn| turn.error.is_some())
    }
}
