//! Changes of the configuration that leave an audit record: none is made that could not be recorded.

use std::collections::BTreeMap;

use crate::audit::{Code, Record};
use crate::config::edit::{EditError, Edited};
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::model::{Asker, JobId, Timestamp};

/// Why the configuration was not changed, or not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The edit cannot be made; nothing was changed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// It could not be recorded; nothing was changed.
    #[error("the change could not be recorded, so it was not made")]
    NotMade(#[source] ClientError),
    /// It was made, and then the store went away.
    #[error("agent `{name}` was changed, but the change could not be recorded")]
    NotRecorded {
        /// The agent.
        name: String,
        /// Why.
        source: ClientError,
    },
}

impl Frontend {
    /// Makes an edit of the agents file on behalf of `client` and records it, with the agent before and after.
    pub async fn change_config(
        &self,
        client: impl Into<Asker>,
        edit: impl FnOnce() -> Result<Edited, EditError> + Send + 'static,
    ) -> Result<Edited, ChangeError> {
        match self.client.ask(&Request::Status).await.map_err(ChangeError::NotMade)? {
            Reply::Status(_) => {}
            _ => return Err(ChangeError::NotMade(ClientError::Confused)),
        }
        // It may wait for another edit: not on the thread that serves everybody else.
        let edited = tokio::task::spawn_blocking(edit).await;
        let edited = edited.map_err(|_| ChangeError::NotMade(ClientError::Confused))??;
        match self.record_change(client.into(), &edited).await {
            Ok(()) => Ok(edited),
            Err(source) => Err(ChangeError::NotRecorded { name: edited.name, source }),
        }
    }

    async fn record_change(&self, client: Asker, edited: &Edited) -> Result<(), ClientError> {
        let what = match (&edited.before, &edited.after) {
            (None, _) => "added".to_owned(),
            (Some(_), None) => "removed".to_owned(),
            (Some(_), Some(_)) => format!("updated: {}", edited.changed.join(", ")),
        };
        let mut record = Record::new(Timestamp::now(), Code::ConfigChanged);
        record.caller = Some(self.caller(client, ""));
        record.agent = Some(edited.name.clone());
        record.reason = Some(format!("agent {what}"));
        let texts = [("before", &edited.before), ("after", &edited.after)];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.clone()?)));
        let file = self.environment.config_file.display().to_string();
        // With the secrets in them: who writes the record takes them out.
        record.details = texts.collect::<BTreeMap<_, _>>();
        record.details.insert("file".to_owned(), file);
        let body = serde_json::to_string(&record).map_err(|_| ClientError::Confused)?;
        self.client.ask(&Request::Record { id: JobId::generate(), body }).await.map(|_| ())
    }
}
