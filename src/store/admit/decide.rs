//! The rules by which a dispatch is decided. They only read: whoever just asks is told what would be decided, by the same rules.

use std::path::Path;

use crate::budget::{Cap, Period};
use crate::cache::Entry;
use crate::job::{CachePolicy, JobRecord, OpenRequest, Proposal};
use crate::model::{Answer, Digest, FailureClass, JobId, SessionId};
use crate::plan::Refusal;
use crate::store::admit::Around;
use crate::store::ledger::{self, decode};
use crate::store::txn::{Fault, Txn};
use crate::store::{cached, compared, keys};

/// How many jobs may wait or run at one depth. Each that waits is a process of its own, which takes memory and a connection; and
/// whoever asks for more than this at once does not mean it.
const QUEUE_MAX: usize = 1000;

/// How long a line of nested dispatches is followed; the depth limit ends it long before.
const ANCESTORS_MAX: usize = 64;

/// What is decided.
pub(super) enum Verdict {
    Refused(Refusal),
    Hit(Box<Hit>),
    Join(JobId),
    Run(Line),
}

/// An answer that is served again.
pub(super) struct Hit {
    pub(super) job: JobRecord,
    pub(super) answer: Answer,
    pub(super) entry: Entry,
    pub(super) consulted: Consulted,
}

/// Where a new job stands among others.
pub(super) struct Line {
    pub(super) root: JobId,
    pub(super) key: Option<Digest>,
    pub(super) task: Digest,
    /// The cache that was asked in vain.
    pub(super) missed: Option<Consulted>,
}

/// A question to the cache.
pub(super) type Consulted = (Digest, CachePolicy);

/// Decides `request`.
pub(super) fn decide(txn: &Txn<'_>, request: &OpenRequest, around: &Around<'_>) -> Result<Verdict, Fault> {
    let proposal = match &request.proposal {
        Ok(proposal) => proposal,
        Err(refusal) => return Ok(Verdict::Refused(refusal.clone())),
    };
    let ancestors = ancestors(txn, request);
    let task = task_digest(request);
    if let Some(same) = ancestors.iter().find(|job| job.task_digest == task) {
        return Ok(Verdict::Refused(cycle(same)));
    }
    if proposal.resumed
        && let Some(refusal) = in_the_way(txn, request, proposal)?
    {
        return Ok(Verdict::Refused(refusal));
    }
    let (mut key, mut missed) = (proposal.key, None);
    if let Some(wanted) = key {
        if let Some(running) = in_flight(txn, wanted, proposal.profile.timeout_seconds)? {
            let line: Vec<JobId> = ancestors.iter().map(|job| job.id).collect();
            if (around.may_join)(&line, running) {
                let waits = request.attached && around.spare == 0;
                return Ok(if waits { Verdict::Refused(no_connection()) } else { Verdict::Join(running) });
            }
            // It would wait for a job that waits for its own caller: it runs by itself, shared with nobody.
            key = None;
        } else if let Some(policy) = proposal.cache {
            missed = Some((wanted, policy));
            if let Some(hit) = hit(txn, (wanted, policy))? {
                return Ok(Verdict::Hit(Box::new(hit)));
            }
        }
    }
    if let Some(refusal) = over_budget(&caps(txn, request, proposal)?, proposal) {
        return Ok(Verdict::Refused(refusal));
    }
    if let Some(refusal) = crowded(around, proposal) {
        return Ok(Verdict::Refused(refusal));
    }
    let root = ancestors.last().map_or(request.job, |job| job.root);
    Ok(Verdict::Run(Line { root, key, task, missed }))
}

/// Returns the jobs inside which the request was made, the nearest first.
fn ancestors(txn: &Txn<'_>, request: &OpenRequest) -> Vec<JobRecord> {
    let mut line = Vec::new();
    let mut next = request.caller.parent;
    while let Some(id) = next.filter(|_| line.len() < ANCESTORS_MAX) {
        // A parent that was removed, or lives in another store, ends the line: the depth limit still holds.
        let Ok(job) = ledger::job(txn, id) else { break };
        next = job.caller.parent;
        line.push(job);
    }
    line
}

fn task_digest(request: &OpenRequest) -> Digest {
    let texts = &request.texts;
    let parts = [request.agent.as_str(), &texts.task, &texts.context];
    let counted = parts.iter().flat_map(|part| {
        (part.len() as u64).to_le_bytes().into_iter().chain(part.bytes()).collect::<Vec<u8>>()
    });
    Digest::of(&counted.collect::<Vec<u8>>())
}

fn cycle(same: &JobRecord) -> Refusal {
    Refusal {
        class: FailureClass::Recursion,
        message: format!("agent `{}` is already working on this very task, in job {}", same.agent, same.id),
        hint: "Answer from what is known here, or dispatch a smaller, different task.".to_owned(),
    }
}

/// Returns what stands in the way of going on with a conversation: it is another agent's, or somebody goes on with it right
/// now. One that is not known may be a person's own.
fn in_the_way(txn: &Txn<'_>, request: &OpenRequest, proposal: &Proposal) -> Result<Option<Refusal>, Fault> {
    let id = &proposal.session;
    let running = ledger::live(txn)?.into_iter().find(|job| same(&job.session, id));
    let owner = match &running {
        Some(job) => Some((job.agent.clone(), job.directory.clone())),
        None => known(txn, id)?,
    };
    if let Some((agent, directory)) = owner
        && (agent != request.agent || directory != proposal.directory)
    {
        return Ok(Some(not_its_own(request, proposal, &agent, &directory)));
    }
    Ok(running.map(|job| in_use(&job)))
}

/// Returns whose a conversation is.
fn known(txn: &Txn<'_>, id: &SessionId) -> Result<Option<(String, std::path::PathBuf)>, Fault> {
    // It is kept in the spelling of whoever used it first.
    for spelling in [id.as_str(), &id.as_str().to_ascii_lowercase()] {
        if let Some(bytes) = txn.get(&keys::session(spelling))? {
            let session: crate::model::Session = decode(&bytes)?;
            return Ok(Some((session.agent, session.directory)));
        }
    }
    Ok(None)
}

fn same(one: &SessionId, other: &SessionId) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

fn not_its_own(request: &OpenRequest, proposal: &Proposal, agent: &str, directory: &Path) -> Refusal {
    let (asked, session) = (&request.agent, &proposal.session);
    let (message, right) = if agent == asked {
        let (theirs, ours) = (directory.display(), proposal.directory.display());
        let message = format!(
            "the conversation {session} belongs to the directory {theirs}, and the agent `{asked}` now works in {ours}"
        );
        (message, "`claude` finds a conversation only in the directory it was started in".to_owned())
    } else {
        let message = format!("the conversation {session} belongs to the agent `{agent}`, not to `{asked}`");
        let right = format!(
            "go on with it by dispatch_session(agent=\"{agent}\", session_id=\"{session}\", ...) or \
             `agent-dispatch dispatch {agent} --session {session} ...`"
        );
        (message, right)
    };
    let hint = format!("{right}; to start a new one with `{asked}`, leave the session id out");
    Refusal { class: FailureClass::Refused, message, hint }
}

fn in_use(job: &JobRecord) -> Refusal {
    let (id, session) = (job.id, &job.session);
    Refusal {
        class: FailureClass::Refused,
        message: format!(
            "the conversation {session} is in use: job {id} is {} in it, and of two at once one would be lost",
            job.state
        ),
        hint: format!(
            "wait for it with dispatch_wait(job_id=\"{id}\") or `agent-dispatch wait {id}`, then send this again"
        ),
    }
}

fn hit(txn: &Txn<'_>, consulted: Consulted) -> Result<Option<Hit>, Fault> {
    let Some(entry) = cached::look_up(txn, consulted)? else { return Ok(None) };
    // An answer that was removed, damaged or exchanged is a miss, never an error: the dispatch simply runs.
    let found = compared::answer(txn, entry.job)?.filter(|(job, _)| job.key == Some(consulted.0));
    Ok(found.map(|(job, answer)| Hit { job, answer, entry, consulted }))
}

/// Returns the job under way under this key, if it has at least `seconds` for it: one that is stopped before the asker's time
/// is over gives no answer to the question. Whoever asks for more runs, and holds the key from then on.
fn in_flight(txn: &Txn<'_>, key: Digest, seconds: u64) -> Result<Option<JobId>, Fault> {
    let running = txn.get(&keys::in_flight(key))?.and_then(|bytes| keys::job_of(&bytes));
    let patient = |id: &JobId| {
        // One that cannot be read gives nobody an answer.
        ledger::job(txn, *id).is_ok_and(|job| job.profile.timeout_seconds >= seconds)
    };
    Ok(running.filter(patient))
}

/// Returns the caps of day and month that a run falls under, with what was spent and what running jobs may still spend.
pub(super) fn caps(txn: &Txn<'_>, request: &OpenRequest, proposal: &Proposal) -> Result<Vec<Cap>, Fault> {
    let now = txn.now();
    let (mut caps, mut open) = (Vec::new(), None);
    for (limit, agent) in [(proposal.spend, None), (proposal.agent_spend, Some(request.agent.as_str()))] {
        let day = keys::spent_in_day(now.local_day(), agent);
        let month = keys::spent_in_month(now.local_month(), agent);
        for (key, period, limit) in [(day, Period::Day, limit.day), (month, Period::Month, limit.month)] {
            let Some(limit) = limit else { continue };
            let spent = ledger::spent(txn, &key)?;
            let of_agent = |job: &&JobRecord| agent.is_none_or(|agent| agent == job.agent);
            let open = match &mut open {
                Some(open) => open,
                None => open.insert(ledger::live(txn)?),
            };
            let of_each = open.iter().filter(of_agent).filter_map(|job| job.profile.max_budget_usd);
            // Not `sum`, which makes -0 of nothing.
            let reserved = of_each.fold(0.0, |sum, cap| sum + cap);
            caps.push(Cap { agent: agent.map(str::to_owned), period, limit, spent, reserved });
        }
    }
    Ok(caps)
}

fn over_budget(caps: &[Cap], proposal: &Proposal) -> Option<Refusal> {
    let asked = proposal.profile.max_budget_usd;
    let (cap, over) = caps.iter().find_map(|cap| Some((cap, cap.admit(asked).err()?)))?;
    let period = cap.period.as_str();
    let whose =
        cap.agent.as_ref().map_or_else(|| "all agents".to_owned(), |agent| format!("agent `{agent}`"));
    Some(Refusal {
        class: FailureClass::Budget,
        message: format!("the {period} budget of {whose} does not allow this run: {over}"),
        hint: format!("Wait for the next {period}, or raise `budget.{period}` in the configuration."),
    })
}

/// Returns that there is no place left to wait in.
fn crowded(around: &Around<'_>, proposal: &Proposal) -> Option<Refusal> {
    // One call with several dispatches holds twice as many under way as may run at once.
    let most = QUEUE_MAX.max(2 * proposal.places.everyone as usize);
    if around.under_way >= most {
        let message = format!("the queue is full: {most} dispatches at this depth wait or run");
        return Some(full(message));
    }
    (around.spare == 0).then(no_connection)
}

fn no_connection() -> Refusal {
    full("the queue is full: the daemon has as many callers and workers as it can serve".to_owned())
}

fn full(message: String) -> Refusal {
    let hint = "Send it again when some have ended (dispatch_wait, `agent-dispatch wait`), or stop what nobody needs: \
                `agent-dispatch jobs --status pending`, then `agent-dispatch cancel ID`.";
    Refusal { class: FailureClass::QueueFull, message, hint: hint.to_owned() }
}
