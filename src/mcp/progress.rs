//! Progress for the client: one human line about once a second, on every call whose request carries a token.

use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext, RoleServer};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::daemon::protocol::ProgressView;
use crate::dispatch::Standing;
use crate::document::progress;
use crate::model::JobId;

/// How often a client hears of progress: often enough for a person, and for idle limits of minutes.
const EVERY: Duration = Duration::from_secs(1);

/// How often it hears that nothing new happened: well within any client's idle limit.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Runs `call`, telling the client of its progress meanwhile.
pub(super) async fn telling<T, F>(context: &RequestContext<RoleServer>, call: impl FnOnce(Teller) -> F) -> T
where
    F: Future<Output = T>,
{
    let (sender, receiver) = watch::channel(String::new());
    let began = Instant::now();
    let call = call(Teller { sender, began });
    let Some(token) = context.meta.get_progress_token() else { return call.await };
    let mut call = std::pin::pin!(call);
    tokio::select! {
        outcome = &mut call => outcome,
        never = tell(context.peer.clone(), token, receiver, began) => match never {},
    }
}

/// Takes the steps of a call that goes on.
#[derive(Debug)]
pub(super) struct Teller {
    sender: watch::Sender<String>,
    began: Instant,
}

impl Teller {
    /// Tells a step of a job of this agent.
    pub(super) fn step(&self, agent: &str, view: &ProgressView) {
        self.say(progress::line(agent, view, self.began.elapsed()));
    }

    /// Tells how several dispatches stand; `agents` are theirs, in order.
    pub(super) fn standing(&self, agents: &[&str], standing: &Standing) {
        self.say(progress::standing(agents, standing, self.began.elapsed()));
    }

    /// Returns how long the call has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Tells a line.
    pub(super) fn say(&self, line: String) {
        self.sender.send_replace(line);
    }

    /// Returns the callback that tells steps of one agent's jobs.
    pub(super) fn of<'a>(&'a self, agent: &'a str) -> impl FnMut(JobId, &ProgressView) + Send + 'a {
        move |_, view| self.step(agent, view)
    }
}

enum Never {}

async fn tell(
    peer: Peer<RoleServer>,
    token: ProgressToken,
    mut steps: watch::Receiver<String>,
    began: Instant,
) -> Never {
    let mut last = String::from("waiting");
    loop {
        tokio::select! {
            changed = steps.changed() => {
                if changed.is_err() {
                    return std::future::pending().await;
                }
                last.clone_from(&steps.borrow_and_update());
            }
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        // Seconds grow with every notification, as the protocol asks of progress.
        let done = began.elapsed().as_secs_f64();
        let step = ProgressNotificationParam::new(token.clone(), done).with_message(last.clone());
        // A client that no longer reads is about to close the connection.
        let _unheard = peer.notify_progress(step).await;
        tokio::time::sleep(EVERY).await;
    }
}
