//! `audit anchor`: the end of the trail in a few words, to be kept elsewhere.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::audit::Record;
use crate::audit::chain::Head;
use crate::audit::query::AuditFilter;
use crate::cli::render::{note, print_json, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::error::{Kind, Report};
use crate::model::{Digest, Timestamp, with_causes};
use crate::runner::probe::Probe;

/// How long git may take.
const GIT_LIMIT: Duration = Duration::from_secs(30);

/// Where git keeps the notes: apart from those that people write.
const NOTES: &str = "agent-dispatch";

/// The end of the trail.
#[derive(Serialize)]
struct Printed {
    anchor: String,
    #[serde(flatten)]
    head: Head,
    /// When that record was made.
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    git_note: Option<String>,
}

/// Prints the end of the trail, and notes it in a git repository.
pub(in crate::cli) async fn anchor(
    frontend: &Frontend,
    repository: Option<&Path>,
    as_json: bool,
) -> Result<(), Report> {
    let newest = AuditFilter { limit: 1, ..AuditFilter::default() };
    let Reply::Audit(mut newest) = frontend.client.ask(&Request::Audit(newest)).await? else {
        return Err(ClientError::Confused.into());
    };
    let newest = newest.pop();
    let newest = newest.ok_or_else(|| {
        let hint = "The first dispatch makes the first record: agent-dispatch dispatch AGENT TASK";
        Report::new(Kind::NotFound, "not_found", "there is no audit record yet", hint)
    })?;
    let record: Option<Record> = serde_json::from_str(&newest.body).ok();
    let mut printed = Printed {
        anchor: format!("{}:{}", newest.head.seq, newest.head.hash),
        head: newest.head,
        time: record.map_or_else(Timestamp::now, |record| record.time),
        git_note: None,
    };
    let line = format!("{} {}", printed.anchor, printed.time.rfc3339());
    if let Some(repository) = repository {
        printed.git_note = Some(add_note(frontend, repository, &line).await?);
    }
    if as_json {
        return print_json(&printed);
    }
    print_text(&format!("{line}\n"))?;
    if let Some(commit) = &printed.git_note {
        note(&format!("Noted at {commit}; see it with: git notes --ref={NOTES} show {commit}\n"));
    }
    Ok(())
}

/// Adds the line as a note to the commit that is checked out. Returns that commit.
async fn add_note(frontend: &Frontend, repository: &Path, line: &str) -> Result<String, Report> {
    let failed = |why: String| {
        let message = format!("the note was not added in {}: {why}", repository.display());
        let hint = "Name a git repository with a commit, in which you may write: --git-note PATH";
        Report::new(Kind::Failed, "git_note", message, hint)
    };
    // Whatever repository this was started from inside of: the one that is named is meant.
    let environment: BTreeMap<OsString, OsString> = frontend
        .environment
        .variables
        .iter()
        .filter(|(name, _)| {
            !name.to_str().is_some_and(|name| {
                name.starts_with("GIT_DIR")
                    || name.starts_with("GIT_WORK_TREE")
                    || name.starts_with("GIT_INDEX")
            })
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let directory = frontend.environment.directory.join(repository);
    if !directory.is_dir() {
        return Err(failed("there is no such directory".to_owned()));
    }
    let git = Probe { environment: &environment, directory: &directory, limit: GIT_LIMIT };
    let message = format!("agent-dispatch audit anchor {line}");
    let reference = format!("--ref={NOTES}");
    let mut said = String::new();
    for arguments in
        [&["notes", &reference, "append", "-m", &message, "HEAD"][..], &["rev-parse", "--short", "HEAD"]]
    {
        let done = git.ask(Path::new("git"), arguments).await.map_err(|error| failed(with_causes(&error)))?;
        if !done.went_well() {
            return Err(failed(done.last_words().to_owned()));
        }
        done.stdout.trim().clone_into(&mut said);
    }
    Ok(said)
}

/// Returns the head that an anchor names. What follows it on the same line is its time.
pub(in crate::cli) fn parse(text: &str) -> Result<Head, String> {
    let wrong = || "expected what `agent-dispatch audit anchor` prints: NUMBER:HASH".to_owned();
    let (seq, hash) =
        text.split_whitespace().next().and_then(|word| word.split_once(':')).ok_or_else(wrong)?;
    let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or_else(wrong)?;
    Ok(Head { seq, hash: hash.parse::<Digest>().map_err(|_| wrong())? })
}

#[cfg(test)]
mod tests;
