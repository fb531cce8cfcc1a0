//! Who wants to hear that the list of resources has changed, in both eras, and the task that tells them: woken by the
//! agents file and by calls that may have made a job, never by a clock.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{ListResourcesResult, Resource};
use rmcp::service::{Peer, RoleServer, SubscriptionContext, SubscriptionSink};
use tokio::sync::Notify;

use crate::config::changes::Changes;
use crate::mcp::{Server, listing};
use crate::model::Digest;

/// Streams of one client that are told: one is what clients open, and a broken one must not grow without end.
const STREAMS_MAX: usize = 32;

/// Tools that change nothing, but show jobs that may have ended since the client last looked. What the others that change
/// nothing return has nothing to do with the list.
const SHOW_JOBS: [&str; 3] = ["dispatch_status", "dispatch_wait", "dispatch_jobs"];

/// How long a change gets to be complete: editors save in several steps, and calls come in crowds.
const SETTLE: Duration = Duration::from_millis(50);

/// Those who listen, and what they know.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    /// The client that said hello (2025-11-25 and before).
    session: OnceLock<Peer<RoleServer>>,
    /// Its streams (2026-07-28).
    streams: Mutex<Vec<SubscriptionSink>>,
    /// The list as the client was given it, or as it was when the client was told of its last change.
    known: Mutex<Option<Digest>>,
    /// A call has ended.
    called: Notify,
    watched: OnceLock<()>,
}

impl Listeners {
    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<SubscriptionSink>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what the client knows now; returns whether that is new to it.
    fn knows(&self, list: &[Resource]) -> bool {
        let digest = serde_json::to_vec(list).ok().map(|bytes| Digest::of(&bytes));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *known, digest) != digest
    }

    /// A call has ended, and with it perhaps a job. Of interest only to a client that has looked at the list.
    fn call_ended(&self) {
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            self.called.notify_one();
        }
    }

    async fn tell(&self) {
        // A client or a stream that is gone needs no news.
        if let Some(session) = self.session.get() {
            drop(session.notify_resource_list_changed().await);
        }
        let streams = self.streams().clone();
        for stream in streams {
            drop(stream.notify_resource_list_changed().await);
        }
    }
}

impl Server {
    /// A call of this tool has ended: the list may be another one, unless the tool has nothing to do with it.
    pub(super) fn called(&self, tool: &str) {
        if !listing::is_read_only(tool) || SHOW_JOBS.contains(&tool) {
            self.listeners.call_ended();
        }
    }

    /// Lists the resources, and remembers that the client has seen them.
    pub(super) async fn listed(&self) -> ListResourcesResult {
        let list = self.resources().await;
        self.listeners.knows(&list);
        ListResourcesResult::with_all_items(list)
    }

    /// Tells the client of changes from now on.
    pub(super) fn tell_session(&self, peer: Peer<RoleServer>) {
        // It may say hello twice; it is the same client.
        if self.listeners.session.set(peer).is_ok() {
            self.watch();
        }
    }

    /// Tells the stream of changes until its client closes it.
    pub(super) async fn tell_stream(&self, stream: &SubscriptionContext) -> Result<(), ErrorData> {
        if self.listeners.streams().len() >= STREAMS_MAX {
            let text = format!("more than {STREAMS_MAX} streams of one client are not served");
            return Err(ErrorData::invalid_request(text, None));
        }
        self.listeners.streams().push(stream.sink().clone());
        self.watch();
        tokio::select! {
            () = stream.cancelled() => {}
            () = self.closing.cancelled() => {}
        }
        let id = stream.sink().id();
        self.listeners.streams().retain(|other| other.id() != id);
        Ok(())
    }

    /// Begins to watch, once.
    fn watch(&self) {
        self.listeners.watched.get_or_init(|| {
            let server = self.clone();
            let changes = Changes::of(&self.frontend.environment.config_file);
            tokio::spawn(async move { server.keep_told(changes).await });
        });
    }

    async fn keep_told(&self, mut changes: Changes) {
        loop {
            tokio::select! {
                () = changes.stirred() => {}
                () = self.listeners.called.notified() => {}
                () = self.closing.cancelled() => return,
            }
            // What changes meanwhile is seen below, or wakes again.
            tokio::time::sleep(SETTLE).await;
            changes.renew();
            let list = self.resources().await;
            if self.listeners.knows(&list) {
                self.listeners.tell().await;
            }
        }
    }
}
