//! Progress for the client: one human line about once a second, on every call whose request carries a token.

use std::time::Duration;

use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use tokio::time::{Instant, sleep, timeout};

use crate::document::progress::Line;

/// How often a client hears how it goes: often enough for a person, and for any client's idle limit.
const EVERY: Duration = Duration::from_secs(1);

/// How long it hears nothing while nothing happens: what comes from the cache or is refused is there by then.
const FIRST: Duration = Duration::from_millis(250);

/// Runs `call`, telling the client of its progress meanwhile: `first`, until the call says something else.
pub(super) async fn telling<T, F>(
    context: &RequestContext<RoleServer>,
    first: impl Fn(Duration) -> String + Send + Sync + 'static,
    call: impl FnOnce(Line) -> F,
) -> T
where
    F: Future<Output = T>,
{
    let (line, mut saying) = Line::new(first);
    let began = Instant::now();
    let call = call(line);
    let Some(token) = context.meta.get_progress_token() else { return call.await };
    let mut call = std::pin::pin!(call);
    tokio::select! {
        biased;
        outcome = &mut call => return outcome,
        _ = saying.changed() => {}
        () = sleep(FIRST) => {}
    }
    loop {
        let elapsed = began.elapsed();
        let message = (*saying.borrow())(elapsed);
        // Seconds grow with every notification, as the protocol asks of progress.
        let step = ProgressNotificationParam::new(token.clone(), elapsed.as_secs_f64()).with_message(message);
        let mut said = std::pin::pin!(context.peer.notify_progress(step));
        tokio::select! {
            biased;
            // A client that no longer reads is about to close the connection.
            _ = &mut said => {}
            // What is half said is said to the end: after the answer nobody expects it any more.
            outcome = &mut call => {
                drop(timeout(EVERY, said).await);
                return outcome;
            }
        }
        tokio::select! {
            biased;
            outcome = &mut call => return outcome,
            () = sleep(EVERY) => {}
        }
    }
}
