//! Two agents in turns: each turn an ordinary dispatch that is waited for to its end.

use crate::daemon::ClientError;
use crate::daemon::protocol::ProgressView;
use crate::dispatch::{DispatchError, Dispatched, Ended, Frontend, OnProgress, Patience};
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
    /// How it came out.
    pub outcome: Result<Box<Ended>, DispatchError>,
}

/// Called with each step of a turn: the round, the side, the agent, and the step.
type OnStep<'a> = dyn FnMut(usize, Side, &str, &ProgressView) + Send + 'a;

impl Frontend {
    /// Lets two agents talk until it is settled, a turn fails, or the rounds are over. When `cancelled` resolves, the turn
    /// under way is stopped.
    pub async fn dialogue(
        &self,
        dialogue: &mut Dialogue,
        timeout_seconds: i64,
        client: impl Into<Asker>,
        on_step: &mut OnStep<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<Vec<Turn>, DispatchError> {
        let client = &client.into();
        let mut cancelled = std::pin::pin!(cancelled);
        let mut turns = Vec::new();
        while let Some(mut ask) = dialogue.next() {
            let agent = ask.request.agent.clone();
            ask.request.timeout_seconds = timeout_seconds;
            let (side, round) = (ask.side, ask.round);
            let mut step = |_, view: &ProgressView| on_step(round, side, &agent, view);
            let outcome = match DispatchRequest::new(ask.request, Sharing::Never) {
                Ok(request) => self.turn(&request, client, &mut step, cancelled.as_mut()).await,
                // What they say to each other may come to more than a prompt takes.
                Err(problems) => Err(DispatchError::Invalid(problems)),
            };
            if matches!(outcome, Err(DispatchError::Cancelled)) {
                return Err(DispatchError::Cancelled);
            }
            let (said, session) = match &outcome {
                Ok(ended) => (said(ended), Some(ended.session())),
                Err(error) => (Said { text: with_causes(error), failed: true }, None),
            };
            dialogue.heard(said, session);
            turns.push(Turn { agent, side, round, outcome });
        }
        Ok(turns)
    }

    async fn turn(
        &self,
        request: &DispatchRequest,
        client: &Asker,
        step: &mut OnProgress<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<Box<Ended>, DispatchError> {
        match self.dispatch(request, client, Patience::ToTheEnd, step, cancelled).await? {
            Dispatched::Ended(ended) => Ok(ended),
            // It was waited for to its end.
            Dispatched::Running(..) => Err(ClientError::Confused.into()),
        }
    }
}

fn said(ended: &Ended) -> Said {
    match ended.job.error() {
        Some(error) => Said { text: error, failed: true },
        None => Said { text: ended.answer.text.clone(), failed: false },
    }
}
