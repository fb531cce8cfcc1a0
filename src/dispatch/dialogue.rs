//! Two agents in turns: each turn an ordinary dispatch, and one patience for all of them.

use tokio::time::Instant;

use crate::daemon::protocol::ProgressView;
use crate::dispatch::{DispatchError, Dispatched, Ended, Frontend, Outcome, Patience};
use crate::model::request::Sharing;
use crate::model::{Asker, DispatchRequest, with_causes};
use crate::plan::dialogue::{Dialogue, Said, Side};

/// One turn.
#[derive(Debug)]
pub struct Turn {
    /// The agent that was asked.
    pub agent: String,
    /// Which side it is.
    pub side: Side,
    /// The round, counted from 1.
    pub round: usize,
    /// How it came out. One that goes on by itself is the last.
    pub outcome: Outcome,
}

/// Called with each step of a turn: the round, the side, the agent, and the step.
type OnStep<'a> = dyn FnMut(usize, Side, &str, &ProgressView) + Send + 'a;

impl Frontend {
    /// Lets two agents talk until it is settled, a turn fails, the rounds are over, or the patience is: then the turn under
    /// way goes on by itself, and no other begins. When `cancelled` resolves, the turn under way is stopped.
    pub async fn dialogue(
        &self,
        dialogue: &mut Dialogue,
        client: impl Into<Asker>,
        patience: Patience,
        on_step: &mut OnStep<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<Vec<Turn>, DispatchError> {
        let (client, began) = (&client.into(), Instant::now());
        let mut cancelled = std::pin::pin!(cancelled);
        let mut turns = Vec::new();
        while let Some(ask) = dialogue.next() {
            let patience = patience.left(began);
            if patience.is_over() && !turns.is_empty() {
                break;
            }
            let agent = ask.request.agent.clone();
            let (side, round) = (ask.side, ask.round);
            let mut step = |_, view: &ProgressView| on_step(round, side, &agent, view);
            let outcome = match DispatchRequest::new(ask.request, Sharing::Never) {
                Ok(request) => self.dispatch(&request, client, patience, &mut step, cancelled.as_mut()).await,
                // What they say to each other may come to more than a prompt takes.
                Err(problems) => Err(DispatchError::Invalid(problems)),
            };
            if matches!(outcome, Err(DispatchError::Cancelled)) {
                return Err(DispatchError::Cancelled);
            }
            let mut goes_on = false;
            match &outcome {
                Ok(Dispatched::Ended(ended)) => dialogue.heard(said(ended), Some(ended.session())),
                Ok(Dispatched::Running(..)) => goes_on = true,
                Err(error) => dialogue.heard(Said { text: with_causes(error), failed: true }, None),
            }
            turns.push(Turn { agent, side, round, outcome });
            // What it says is not known yet, so there is nothing to answer.
            if goes_on {
                break;
            }
        }
        Ok(turns)
    }
}

fn said(ended: &Ended) -> Said {
    match ended.job.error() {
        Some(error) => Said { text: error, failed: true },
        None => Said { text: ended.answer.text.clone(), failed: false },
    }
}
