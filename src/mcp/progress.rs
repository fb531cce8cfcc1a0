//! Progress for the client: one human line about once a second, on every call whose request carries a token.

use std::time::Duration;

use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
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
    let mut news = News { steps: receiver, last: String::from("waiting") };
    loop {
        tokio::select! {
            biased;
            outcome = &mut call => return outcome,
            () = news.come() => {}
        }
        // Seconds grow with every notification, as the protocol asks of progress.
        let done = began.elapsed().as_secs_f64();
        let step = ProgressNotificationParam::new(token.clone(), done).with_message(news.last.clone());
        let mut said = std::pin::pin!(context.peer.notify_progress(step));
        tokio::select! {
            biased;
            // A client that no longer reads is about to close the connection.
            _ = &mut said => {}
            // What is half said is said to the end: after the answer nobody expects it any more.
            outcome = &mut call => {
                drop(tokio::time::timeout(EVERY, said).await);
                return outcome;
            }
        }
        tokio::select! {
            biased;
            outcome = &mut call => return outcome,
            () = tokio::time::sleep(EVERY) => {}
        }
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

/// What there is to tell.
struct News {
    steps: watch::Receiver<String>,
    last: String,
}

impl News {
    /// Waits until there is something new to tell, or nothing was told for long. Cancel-safe: a step that was not taken is
    /// seen by the next call.
    async fn come(&mut self) {
        tokio::select! {
            changed = self.steps.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
                self.last.clone_from(&self.steps.borrow_and_update());
            }
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
    }
}
