//! A dialogue of two agents, as it is told.

use schemars::JsonSchema;
use serde::Serialize;

use crate::dispatch::Turn;
use crate::document::parallel::Wanted;
use crate::document::{DispatchDocument, Measure, head};
use crate::plan::dialogue::{Ending, Stop};

/// A dialogue of two agents.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct DialogueDocument {
    /// Whether one side declared it settled.
    pub(crate) resolved: bool,
    /// Why it is over: `resolved`, `rounds_over`, `failed` (a turn did), or `wait_over`: not finished, because the call waits
    /// no longer.
    pub(crate) status: String,
    /// The round of the last turn.
    pub(crate) rounds: u64,
    /// What all turns that have ended cost, in US dollars.
    pub(crate) total_cost_usd: f64,
    /// How long they took, in milliseconds.
    pub(crate) total_duration_ms: u64,
    /// What it came to: what was said when it was settled, else what was said last. Empty when nobody has said anything yet.
    pub(crate) final_answer: String,
    /// Present when `final_answer` is only the beginning: the turn that said it has the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) truncated: Option<bool>,
    /// What to do now that the wait is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
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
    /// `done`, `failed`, `cancelled`, `interrupted` or `refused`; `pending` or `running` when it goes on by itself: it was
    /// the last turn.
    status: String,
    /// What it said; absent while it goes on, and when only a summary was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The beginning of what it said, when a reference was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    /// Length of the summary, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_chars: Option<u64>,
    /// Reference of all it said.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// Length of all it said, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
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
    /// Present when `message` is only the beginning: read the rest with `fetch_result(ref)`.
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
    /// Returns how a dialogue came out: as much of each turn as is wanted, the final answer in any case, and all of it no
    /// longer than a client takes.
    pub(crate) fn of(turns: &[Turn], ending: &Ending, wanted: Wanted, answer_chars: usize) -> Self {
        // The final answer repeats one of them.
        let chars = Measure::each_of(turns.len() + 1, answer_chars).answer_chars;
        let (mut cost, mut duration, mut running) = (0.0, 0, None);
        let conversation = turns.iter().map(|turn| {
            let told = DispatchDocument::outcome(&turn.agent, &turn.outcome, wanted.extent(chars));
            cost += told.cost_usd.unwrap_or(0.0);
            duration += told.duration_ms.unwrap_or(0);
            let goes_on = told.success.is_none();
            if goes_on {
                running = Some((turn.agent.as_str(), told.job_id.clone()));
            }
            TurnDocument {
                agent: told.agent,
                role: turn.side.as_str().to_owned(),
                round: turn.round as u64,
                status: told.status,
                // A turn that has nothing to say says just that.
                message: (!goes_on && told.summary.is_none()).then(|| told.result.unwrap_or_default()),
                summary: told.summary,
                summary_chars: told.summary_chars,
                reference: told.reference,
                size: told.size,
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
        let final_answer = head(&ending.final_answer, chars);
        Self {
            resolved: ending.stop == Stop::Resolved,
            status: ending.stop.as_str().to_owned(),
            rounds: turns.last().map_or(0, |turn| turn.round as u64),
            total_cost_usd: (cost * 10_000.0).round() / 10_000.0,
            total_duration_ms: duration,
            truncated: (final_answer.len() < ending.final_answer.len()).then_some(true),
            final_answer: final_answer.to_owned(),
            message: (ending.stop == Stop::WaitOver).then(|| next_step(running)),
            conversation,
        }
    }
}

/// Returns what to do when the wait is over, and a turn may go on: that of this agent, as this job.
fn next_step(running: Option<(&str, String)>) -> String {
    let now = match running {
        Some((agent, job)) => format!(
            "while `{agent}` had its turn, which goes on by itself: wait for it with dispatch_wait(job_id=\"{job}\")"
        ),
        None => "between two turns: nothing runs".to_owned(),
    };
    format!(
        "The wait was over {now}. No further turn begins by itself. To go on, give each agent what the other said, with \
         dispatch_session and the `session_id` of its own turns; one that has had no turn gets the topic, the context and \
         the group, too, and no `session_id`. An answer with `[RESOLVED]` on a line of its own ends it. The setting \
         `inline_wait_seconds` says how long a call waits."
    )
}

#[cfg(test)]
mod tests;
