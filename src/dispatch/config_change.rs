//! Changes of the configuration that leave an audit record: none is made that could not be recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::audit::{Code, Record};
use crate::config::edit::{AgentsFile, EditError, Edited, Editor, Subject};
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request, trail};
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
    /// Nothing is recorded here; nothing was changed.
    #[error("this state directory holds an audit trail for review, {told}, so nothing was changed")]
    ForReview {
        /// What it holds.
        told: String,
    },
    /// It was made, and then the store went away.
    #[error("{subject} was changed, but the change could not be recorded")]
    NotRecorded {
        /// What was changed.
        subject: Subject,
        /// Why.
        source: ClientError,
    },
}

impl Frontend {
    /// Makes an edit of the agents file on behalf of `client` and records it, with what it was about before and after.
    pub async fn change_config(
        &self,
        client: impl Into<Asker>,
        editor: Editor,
        edit: impl FnOnce(&AgentsFile) -> Result<Edited, EditError> + Send + 'static,
    ) -> Result<Edited, ChangeError> {
        let origin = Request::Trail(trail::Asked::Origin);
        match self.client.ask(&origin).await.map_err(ChangeError::NotMade)? {
            Reply::Trail(trail::Told::Origin(None, _)) => {}
            Reply::Trail(trail::Told::Origin(Some(imported), head)) => {
                return Err(ChangeError::ForReview { told: imported.told(head) });
            }
            _ => return Err(ChangeError::NotMade(ClientError::Confused)),
        }
        let environment = &self.environment;
        let file =
            AgentsFile { path: environment.config_file.clone(), home: environment.home.clone(), editor };
        // It may wait for another edit: not on the thread that serves everybody else.
        let edited = tokio::task::spawn_blocking(move || edit(&file)).await;
        let edited = edited.map_err(|_| ChangeError::NotMade(ClientError::Confused))??;
        match self.record_change(client.into(), &edited).await {
            Ok(()) => Ok(edited),
            Err(source) => Err(ChangeError::NotRecorded { subject: edited.subject, source }),
        }
    }

    async fn record_change(&self, client: Asker, edited: &Edited) -> Result<(), ClientError> {
        let what = match (&edited.before, &edited.changed[..]) {
            (_, [_, ..]) => format!("updated: {}", edited.changed.join(", ")),
            (None, []) => "added".to_owned(),
            (Some(_), []) => "removed".to_owned(),
        };
        let mut record = Record::new(Timestamp::now(), Code::ConfigChanged);
        record.caller = Some(self.caller(client, ""));
        let kind = match &edited.subject {
            Subject::Agent(name) => {
                record.agent = Some(name.clone());
                "agent".to_owned()
            }
            Subject::Group(name) => {
                record.group = Some(name.clone());
                format!("group {name}")
            }
            Subject::Settings => "settings".to_owned(),
        };
        record.reason = Some(format!("{kind} {what}"));
        let texts = [("before", &edited.before), ("after", &edited.after)];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.clone()?)));
        let file = self.environment.config_file.display().to_string();
        // With the secrets in them: who writes the record takes them out.
        record.details = texts.collect::<BTreeMap<_, _>>();
        record.details.insert("file".to_owned(), file);
        let body = serde_json::to_string(&record).map_err(|_| ClientError::Confused)?;
        self.client.ask(&Request::Record { id: JobId::generate(), body }).await.map(|_| ())
    }

    /// Returns a directory as it is to stand in the agents file: absolute, unless it begins with `~`.
    pub fn as_written(&self, directory: &Path) -> PathBuf {
        if directory.starts_with("~") {
            return directory.to_owned();
        }
        let absolute = self.environment.directory.join(directory);
        // One that is not there is refused by the edit, in the words that were typed.
        std::fs::canonicalize(&absolute).unwrap_or(absolute)
    }
}
