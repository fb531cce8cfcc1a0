//! Changes of the configuration that leave an audit record: none is begun unless the daemon answers, one that could not be
//! recorded after all is told, and one that a session was refused is recorded, too.

use std::path::{Path, PathBuf};

use tracing::warn;

use crate::audit::{Code, Record};
use crate::config::edit::{AgentsFile, Asked, EditError, Edited, Editor, Subject};
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
        let file = AgentsFile {
            path: environment.config_file.clone(),
            home: environment.home.clone(),
            editor,
            misread: Vec::new(),
        };
        // It may wait for another edit: not on the thread that serves everybody else.
        let edited = tokio::task::spawn_blocking(move || edit(&file)).await;
        match edited.map_err(|_| ChangeError::NotMade(ClientError::Confused))? {
            Ok(edited) => match self.record_change(client.into(), &edited).await {
                Ok(()) => Ok(edited),
                Err(source) => Err(ChangeError::NotRecorded { subject: edited.subject, source }),
            },
            Err(error) => {
                if let Some(asked) = error.refused()
                    && let Err(source) = self.record_refusal(client.into(), asked, &error).await
                {
                    // Refused it is all the same.
                    warn!(error = %source, "a refused change of the configuration could not be recorded");
                }
                Err(error.into())
            }
        }
    }

    async fn record_refusal(
        &self,
        client: Asker,
        asked: &Asked,
        error: &EditError,
    ) -> Result<(), ClientError> {
        let mut record = self.record_about(Code::ConfigRefused, client, &asked.subject);
        record.reason = Some(error.to_string());
        let keys = if asked.keys.is_empty() { String::new() } else { format!(": {}", asked.keys.join(", ")) };
        record.details.insert("asked".to_owned(), format!("{} {}{keys}", asked.verb, asked.subject));
        self.record(&record).await
    }

    async fn record_change(&self, client: Asker, edited: &Edited) -> Result<(), ClientError> {
        let what = match (&edited.before, &edited.changed[..]) {
            (_, [_, ..]) => format!("updated: {}", edited.changed.join(", ")),
            (None, []) => "added".to_owned(),
            (Some(_), []) => "removed".to_owned(),
        };
        let mut record = self.record_about(Code::ConfigChanged, client, &edited.subject);
        let kind = match &edited.subject {
            Subject::Agent(_) => "agent".to_owned(),
            Subject::Group(name) => format!("group {name}"),
            Subject::Settings => "settings".to_owned(),
        };
        record.reason = Some(format!("{kind} {what}"));
        let texts = [("before", &edited.before), ("after", &edited.after)];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.clone()?)));
        // With the secrets in them: who writes the record takes them out.
        record.details.extend(texts);
        self.record(&record).await
    }

    /// Returns a record about what stands, or was to stand, in the agents file.
    fn record_about(&self, code: Code, client: Asker, subject: &Subject) -> Record {
        let mut record = Record::new(Timestamp::now(), code);
        record.caller = Some(self.caller(client, ""));
        match subject {
            Subject::Agent(name) => record.agent = Some(name.clone()),
            Subject::Group(name) => record.group = Some(name.clone()),
            Subject::Settings => {}
        }
        record.details.insert("file".to_owned(), self.environment.config_file.display().to_string());
        record
    }

    async fn record(&self, record: &Record) -> Result<(), ClientError> {
        let body = serde_json::to_string(record).map_err(|_| ClientError::Confused)?;
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
