//! Sees what a run does to the repository it works in, without anybody having to wait for it.
//!
//! What is checked out is read from git's own files, which takes no time. For the files, git is asked: once when the run
//! starts, and again each time a tool has returned that may have changed something. A model thinks for seconds after
//! that, so when the result comes, what git says is nearly always there already. If it is not, the answer waits
//! [`PATIENCE`] at the most. A run outside of a repository, and one that used no such tool, costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::model::changes::may_write;
use crate::model::{CallEnd, Changes, Timestamp};
use crate::plan::RunPlan;
use crate::project::{self, Checkout, GitHead};
use crate::runner::RunReport;
use crate::runner::probe::ProbeError;
use crate::runner::repository::{Range, Repository, Status};

/// How long an answer waits for what git says.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long a run goes on before git is asked for the first time: an agent needs several times as long before it can use a
/// tool, and has the processor for itself until then.
const HEAD_START: Duration = Duration::from_millis(30);

/// How long git is left in peace between two looks, and how many times as long as the last one took: at most a fifth of
/// a processor.
const PEACE: Duration = Duration::from_secs(1);
const PEACE_TIMES: u32 = 4;

/// A witness of one run. Dropping it ends its questions.
#[derive(Debug)]
pub(super) struct Witness {
    directory: PathBuf,
    before: Checkout,
    wanted: watch::Sender<Wanted>,
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

/// How recent a look is wanted.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    /// How often something may have changed.
    stirred: u64,
    /// Whether somebody waits for it.
    now: bool,
}

#[derive(Debug, Clone)]
enum Seen {
    /// Nothing yet.
    Nothing,
    /// What there is, and how often something may have changed before git was asked.
    Look(u64, Arc<Look>),
    /// Git takes too long here, or fails: it is not asked again.
    Never,
}

/// What was found at one look.
#[derive(Debug, Default)]
struct Look {
    head: Option<GitHead>,
    changed: BTreeSet<String>,
    range: Range,
    cut: bool,
}

/// Who looks.
struct Looker {
    directory: PathBuf,
    repository: Repository,
    since: Timestamp,
    before: Checkout,
    /// How much git had noted of where `HEAD` went.
    noted: u64,
}

impl Witness {
    /// Begins to look, if the run works in a repository and there is a git to ask.
    pub(super) fn begin(plan: &RunPlan, variables: &BTreeMap<OsString, OsString>) -> Option<Self> {
        let before = project::checkout(&plan.directory)?;
        let git = project::find_program("git", variables.get(OsStr::new("PATH")).map(AsRef::as_ref))?;
        let looker = Looker {
            directory: plan.directory.clone(),
            repository: Repository::new(git, before.root.clone(), variables),
            since: Timestamp::now(),
            noted: before.moves_noted(),
            before: before.clone(),
        };
        let (wanted, demand) = watch::channel(Wanted::default());
        let (show, seen) = watch::channel(Seen::Nothing);
        let task = tokio::spawn(looker.look_on(demand, show));
        Some(Self { directory: plan.directory.clone(), before, wanted, seen, task })
    }

    /// Something may have changed.
    pub(super) fn stir(&self) {
        self.wanted.send_modify(|wanted| wanted.stirred += 1);
    }

    /// Returns what is different now that the run is over; nothing when nothing is.
    pub(super) async fn end(&self, report: &RunReport) -> Option<Changes> {
        let head = project::checkout(&self.directory).map(|now| now.head);
        let moved = head.as_ref() != Some(&self.before.head);
        if !moved && !report.result.tools.keys().any(|tool| may_write(tool)) {
            return None;
        }
        // A tool that was stopped has not returned, and may have changed something all the same.
        let stopped = report.calls.iter().any(|call| call.end == CallEnd::Open && may_write(&call.name));
        self.wanted.send_modify(|wanted| {
            wanted.stirred += u64::from(stopped);
            wanted.now = true;
        });
        let look = self.look_of(head.as_ref()).await;
        let changes = self.changes(head, look.as_deref());
        let nothing = !moved && changes.files_total == 0 && changes.commits.is_empty() && !changes.incomplete;
        (!nothing).then_some(changes)
    }

    /// Returns what was seen since the last time that something may have changed, if that comes soon.
    async fn look_of(&self, head: Option<&GitHead>) -> Option<Arc<Look>> {
        let stirred = self.wanted.borrow().stirred;
        let fresh = |seen: &Seen| match seen {
            Seen::Nothing => false,
            Seen::Look(when, look) => *when >= stirred && look.head.as_ref() == head,
            Seen::Never => true,
        };
        let mut seen = self.seen.clone();
        match &*timeout(PATIENCE, seen.wait_for(fresh)).await.ok()?.ok()? {
            Seen::Look(_, look) => Some(Arc::clone(look)),
            Seen::Nothing | Seen::Never => None,
        }
    }

    fn changes(&self, head: Option<GitHead>, look: Option<&Look>) -> Changes {
        let (GitHead { commit: head_before, branch: branch_before }, now) = (self.before.head.clone(), head);
        let (head, branch) = now.map_or((None, None), |now| (now.commit, now.branch));
        let none = Look::default();
        let incomplete = look.is_none_or(|look| look.cut);
        let look = look.unwrap_or(&none);
        let files: BTreeSet<&String> = look.changed.iter().chain(&look.range.files).collect();
        Changes {
            repository: Some(self.before.root.display().to_string()),
            branch_before,
            branch,
            head_before,
            head,
            commits: look.range.commits.clone(),
            files_total: u32::try_from(files.len()).unwrap_or(u32::MAX),
            files: files.into_iter().take(Changes::FILES_MAX).cloned().collect(),
            incomplete,
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Looker {
    /// Looks once, and again whenever a later look is wanted, with some peace in between.
    async fn look_on(self, mut demand: watch::Receiver<Wanted>, show: watch::Sender<Seen>) {
        // Whoever is in a hurry is not kept waiting: a tool has returned already, or the run is over.
        let hurried =
            timeout(HEAD_START, demand.wait_for(|wanted| wanted.now || wanted.stirred > 0)).await.is_ok();
        let mut began = Instant::now();
        let Ok(first) = self.repository.status().await else {
            show.send_replace(Seen::Never);
            return;
        };
        // What came before is not known then.
        let cut = hurried || first.is_cut();
        let unchanged = Look { head: Some(self.before.head.clone()), cut, ..Look::default() };
        show.send_replace(Seen::Look(0, Arc::new(unchanged)));
        let mut known = 0;
        loop {
            let peace = began + PEACE.max(began.elapsed() * PEACE_TIMES);
            if demand.wait_for(|wanted| wanted.now || wanted.stirred > known).await.is_err() {
                return;
            }
            // Whoever waits is not kept waiting.
            drop(timeout_at(peace, demand.wait_for(|wanted| wanted.now)).await);
            let wanted = *demand.borrow();
            began = Instant::now();
            known = wanted.stirred;
            let seen =
                self.look(&first, cut).await.map_or(Seen::Never, |look| Seen::Look(known, Arc::new(look)));
            let over = wanted.now || matches!(seen, Seen::Never);
            show.send_replace(seen);
            if over {
                return;
            }
        }
    }

    async fn look(&self, first: &Status, cut: bool) -> Result<Look, ProbeError> {
        let head = project::checkout(&self.directory).map(|now| now.head);
        let status = self.repository.status().await?;
        let range = match head.as_ref().and_then(|head| head.commit.as_deref()) {
            Some(to) => self.range(to).await?,
            None => Range::default(),
        };
        let cut = cut || status.is_cut() || range.cut;
        Ok(Look { changed: status.changed_since(first), head, range, cut })
    }

    /// Returns what came between the start and the commit at which it is now; if that is where it was, what was committed
    /// elsewhere meanwhile.
    async fn range(&self, to: &str) -> Result<Range, ProbeError> {
        let from = self.before.head.commit.as_deref();
        if from != Some(to) {
            return self.repository.range(from, to, self.since).await;
        }
        let Some(mut places) = self.before.moves_since(self.noted) else {
            return Ok(Range { cut: true, ..Range::default() });
        };
        places.remove(to);
        if places.is_empty() {
            Ok(Range::default())
        } else {
            self.repository.detour(&places, to, self.since).await
        }
    }
}
