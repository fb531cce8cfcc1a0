//! Keeping and cleaning: removes what is old in steps between which everybody else is served, and tells what is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};

use crate::audit::checkpoint::OldEnd;
use crate::audit::{Code, Record};
use crate::cache::Counters;
use crate::daemon::protocol::WireFault;
use crate::daemon::protocol::upkeep::{Asked, GcReport, GcRequest, Manner, RetireRequest, SessionView, Told};
use crate::daemon::serve::Daemon;
use crate::daemon::session::fault;
use crate::job::JobRecord;
use crate::model::{Caller, JobId, Session, SessionId, Timestamp};
use crate::retention::{Retention, Rule, Tally};
use crate::runner::RunFolder;
use crate::store::cached;
use crate::store::gc::{self, Part};
use crate::store::{CommitError, ReadError, Reader, Txn, repair, retire};

/// Answers a question about keeping and cleaning.
pub(super) async fn answer(daemon: &Arc<Daemon>, asked: Asked) -> Result<Told, WireFault> {
    match asked {
        Asked::Gc(request) => clean_up(daemon, request).await.map(Told::Gc),
        Asked::CacheStats(ttl_ms) => cache_stats(daemon, ttl_ms).await.map(Told::CacheStats),
        Asked::CacheClear(caller) => cache_clear(daemon, caller).await.map(Told::CacheCleared),
        Asked::Retire(request) => retire(daemon, request).await.map(Told::Retired),
        Asked::Sessions(agent, limit) => {
            let reader = daemon.store.reader();
            aside(move || sessions(&reader, agent.as_deref(), limit)).await.map(Told::Sessions)
        }
    }
}

/// Reads on a thread of its own: what takes long must not hold up those who are served on this one.
pub(super) async fn aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, WireFault> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|panicked| WireFault::Store(panicked.to_string()))?.map_err(|error| match error {
        ReadError::NotFound(what) => WireFault::NotFound(what),
        ReadError::Conflict(why) | ReadError::Invalid(why) => WireFault::Conflict(why),
        other => WireFault::Store(other.to_string()),
    })
}

async fn clean_up(daemon: &Arc<Daemon>, request: GcRequest) -> Result<GcReport, WireFault> {
    if request.manner == Manner::OnceADay && !daemon.store.commit(gc::is_turn).await.map_err(fault)? {
        return Ok(GcReport { not_yet: true, ..GcReport::default() });
    }
    let rule = Rule::new(request.retention, request.ttl_ms, Timestamp::now());
    let (reader, paths) = (daemon.store.reader(), daemon.paths.clone());
    let (garbage, folders, kept) = aside(move || {
        let garbage = reader.garbage(&rule)?;
        let folders = old_folders(&reader, &paths.runs(), &rule);
        Ok((garbage, folders, repair::set_aside(&paths.store())))
    })
    .await?;
    let mut tally = garbage.tally();
    tally.run_folders = folders.len() as u64;
    if request.manner == Manner::DryRun {
        let jobs = garbage.jobs.iter().map(|(id, _)| *id).take(GcReport::JOBS_MAX).collect();
        let pieces = garbage.pieces;
        tally.pieces = daemon.store.commit(move |txn| count_orphans(txn, &pieces)).await.map_err(fault)?;
        return Ok(GcReport { tally, jobs, kept, not_yet: false });
    }
    let run_folders = aside(move || Ok(remove_folders(&folders))).await?;
    let done = Tally { run_folders, ..Tally::default() };
    let (done, failed) = remove(daemon, garbage.parts(), rule, done, &request).await;
    info!(?done, "cleaned up");
    match failed {
        None => Ok(GcReport { tally: done, kept, ..GcReport::default() }),
        Some(error) => Err(fault(error)),
    }
}

/// Removes audit records from the old end of the trail: first the checkpoint, then what is behind it, a few at a time.
async fn retire(daemon: &Arc<Daemon>, request: RetireRequest) -> Result<Option<OldEnd>, WireFault> {
    let rule = Rule::new(request.retention, None, Timestamp::now());
    let reader = daemon.store.reader();
    let found = aside(move || reader.old_end(&rule)).await?;
    if request.dry_run {
        return Ok(found);
    }
    if let Some(old) = found.clone() {
        let sealed = daemon.store.commit(move |txn| retire::seal(txn, &old, &request.caller, &rule));
        sealed.await.map_err(fault)?;
    }
    // Also what an earlier removal left when it was cut short.
    while daemon.store.commit(retire::sweep).await.map_err(fault)? {
        if daemon.stopping.is_cancelled() {
            break;
        }
    }
    if let Some(old) = &found {
        info!(first = old.first, last = old.last, "audit records were removed");
    }
    Ok(found)
}

/// Removes one part after the other, each in a commit of its own; the last one carries the record of them all. When it
/// cannot go on, or the daemon has to go, what was removed so far is recorded.
async fn remove(
    daemon: &Arc<Daemon>,
    mut parts: Vec<Part>,
    rule: Rule,
    mut done: Tally,
    request: &GcRequest,
) -> (Tally, Option<CommitError>) {
    let last = parts.pop();
    for part in parts {
        if daemon.stopping.is_cancelled() {
            return recorded(daemon, None, rule, done, request, None).await;
        }
        let guard = Arc::clone(daemon);
        match daemon.store.commit(move |txn| gc::remove(txn, unwanted(&guard, part), &rule)).await {
            Ok(removed) => done += removed,
            Err(error) => return recorded(daemon, None, rule, done, request, Some(error)).await,
        }
    }
    recorded(daemon, last, rule, done, request, None).await
}

/// Returns of a part what nobody waits for any more: whoever does gets the answer first.
fn unwanted(daemon: &Daemon, part: Part) -> Part {
    match part {
        Part::Jobs(mut jobs) => {
            jobs.retain(|job| !daemon.hub.is_wanted(*job));
            Part::Jobs(jobs)
        }
        other => other,
    }
}

/// Removes the last part and records how much was removed in all. `failed` tells why there will be no more.
async fn recorded(
    daemon: &Arc<Daemon>,
    last: Option<Part>,
    rule: Rule,
    mut done: Tally,
    request: &GcRequest,
    failed: Option<CommitError>,
) -> (Tally, Option<CommitError>) {
    let (asked, reason) = (request.clone(), failed.as_ref().map(ToString::to_string));
    let guard = Arc::clone(daemon);
    let committed = daemon.store.commit(move |txn| {
        if let Some(part) = last {
            done += gc::remove(txn, unwanted(&guard, part), &rule)?;
        }
        let mut record = record(&asked, &done, reason.as_deref(), rule.now(), txn.now());
        let left = gc::take_unrecorded(txn)?.saturating_sub(done.jobs);
        if left > 0 {
            // By an earlier clean-up that was cut short before it was recorded.
            record.details.insert("jobs_unrecorded".to_owned(), left.to_string());
        }
        txn.append(record)?;
        Ok(done)
    });
    match committed.await {
        Ok(done) => (done, failed),
        Err(error) => {
            warn!(%error, "a clean-up could not be recorded");
            (done, failed.or(Some(error)))
        }
    }
}

fn record(
    request: &GcRequest,
    done: &Tally,
    failed: Option<&str>,
    began: Timestamp,
    now: Timestamp,
) -> Record {
    let mut record = Record::new(now, Code::Gc);
    record.caller = Some(request.caller.clone());
    let (which, age, before) = match request.retention {
        Retention::Last(millis) => {
            let before = began.minus_millis(millis).rfc3339();
            (format!("that ended before {before}"), format!("{millis} ms"), Some(before))
        }
        Retention::Unended => ("that had ended".to_owned(), "none".to_owned(), None),
    };
    let stopped = failed.map_or_else(String::new, |failed| format!("; then it failed: {failed}"));
    record.reason = Some(format!("removed {} jobs {which}{stopped}", done.jobs));
    record.details = done.named().map(|(name, count)| (name.to_owned(), count.to_string())).into();
    record.details.insert("max_age".to_owned(), age);
    record.details.extend(before.map(|before| ("before".to_owned(), before)));
    if request.manner == Manner::OnceADay {
        record.details.insert("asked_by".to_owned(), "the setting `job_retention_days`".to_owned());
    }
    record
}

fn count_orphans(txn: &Txn<'_>, pieces: &[Vec<u8>]) -> Result<u64, ReadError> {
    let mut count = 0;
    for piece in pieces {
        count += u64::from(txn.is_orphan(piece)?);
    }
    Ok(count)
}

/// Returns the run folders that nobody needs any more.
fn old_folders(reader: &Reader, runs: &Path, rule: &Rule) -> Vec<PathBuf> {
    // What became of a job that cannot be read is not known: then its folder may be all that is left of it.
    let goes = |id: &JobId, goes: fn(&Rule, JobId, Option<&JobRecord>) -> bool| {
        reader.job(*id).is_ok_and(|job| goes(rule, *id, job.as_ref()))
    };
    let scratch = RunFolder::list(runs).unwrap_or_default().into_iter();
    let scratch = scratch.filter(|id| goes(id, Rule::folder_goes)).map(|id| runs.join(id.to_string()));
    let kept = RunFolder::list_kept(runs).unwrap_or_default().into_iter();
    let kept = kept.filter(|id| goes(id, Rule::kept_goes)).filter_map(|id| RunFolder::kept(runs, id));
    scratch.chain(kept.map(|kept| kept.path().to_owned())).collect()
}

fn remove_folders(folders: &[PathBuf]) -> u64 {
    let remove = |path: &&PathBuf| match RunFolder::open(path).map(RunFolder::remove) {
        Ok(Ok(())) => true,
        Ok(Err(error)) | Err(error) => {
            warn!(folder = %path.display(), %error, "a run folder was not removed");
            false
        }
    };
    folders.iter().filter(remove).count() as u64
}

async fn cache_stats(daemon: &Arc<Daemon>, ttl_ms: u64) -> Result<Counters, WireFault> {
    let rule = Rule::new(Retention::Unended, Some(ttl_ms), Timestamp::now());
    let reader = daemon.store.reader();
    aside(move || reader.cache_counters(&rule)).await
}

async fn cache_clear(daemon: &Arc<Daemon>, caller: Caller) -> Result<u64, WireFault> {
    let mut cleared = 0;
    loop {
        let caller = caller.clone();
        let step = daemon.store.commit(move |txn| cached::clear(txn, &caller));
        let (count, all) = step.await.map_err(fault)?;
        cleared += count;
        if all {
            return Ok(cleared);
        }
    }
}

fn sessions(reader: &Reader, agent: Option<&str>, limit: u32) -> Result<Vec<SessionView>, ReadError> {
    let busy: BTreeMap<SessionId, JobId> =
        reader.unended()?.into_iter().map(|job| (job.session, job.id)).collect();
    let view = |session: Session| SessionView {
        last_task: reader.job(session.last_job).ok().flatten().map(|job| job.task_preview),
        busy: busy.get(&session.id).copied(),
        session,
    };
    let mut views: Vec<SessionView> = reader.sessions(agent, limit)?.into_iter().map(view).collect();
    views.sort_by_key(|view| std::cmp::Reverse(view.session.last_used));
    Ok(views)
}
