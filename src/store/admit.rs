//! Decides a dispatch: refused, hit, joined or opened, in one transaction with the record of the decision.

use serde::{Deserialize, Serialize};

use crate::audit::{Code, Record, redact, seal};
use crate::budget;
use crate::job::{Admission, JobRecord, OpenRequest, Proposal, State};
use crate::model::{Answer, Digest, FailureClass, JobId};
use crate::plan::Refusal;
use crate::store::ledger::{self, decode, encode};
use crate::store::txn::{Fault, Txn};
use crate::store::{cached, keys};

/// How many running jobs are looked at for what they may still spend: more than any machine runs.
const JOBS_MAX: usize = 10_000;

/// How long a decision is remembered for a request that is sent again, in milliseconds: an hour, where front ends give up
/// after seconds.
pub(super) const REMEMBERED_MS: u64 = 3_600_000;

/// How long a line of nested dispatches is followed; the depth limit ends it long before.
const ANCESTORS_MAX: usize = 64;

/// A decision, as remembered for a request that is sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Decision {
    Refused(Refusal),
    Hit(JobId),
    Joined(JobId),
    Opened,
}

/// Returns whether the caller of a request may wait for a job without waiting for itself; answered by whoever knows who
/// waits for whom.
pub type MayJoin<'a> = dyn Fn(&[JobId], JobId) -> bool + 'a;

/// Decides `request`.
pub fn admit(txn: &mut Txn<'_>, request: &OpenRequest, may_join: &MayJoin<'_>) -> Result<Admission, Fault> {
    let place = keys::idempotency(request.job.as_bytes());
    if let Some(bytes) = txn.get(&place)? {
        return recall(txn, decode(&bytes)?);
    }
    let admission = decide(txn, request, may_join)?;
    let decision = match &admission {
        Admission::Refused(refusal) => Decision::Refused(refusal.clone()),
        Admission::Hit(job, _) => Decision::Hit(job.id),
        Admission::Joined(job) => Decision::Joined(*job),
        Admission::Opened => Decision::Opened,
    };
    txn.put(place, encode(&decision)?);
    forget_old(txn)?;
    Ok(admission)
}

/// Forgets decisions that nobody asks for again: two old ones for each new one keep them few.
fn forget_old(txn: &mut Txn<'_>) -> Result<(), Fault> {
    for (key, _) in txn.first(keys::IDEMPOTENCY, 2)? {
        let age = keys::job_of(&key).map(|id| txn.now().millis_since(id.created()));
        if age.is_none_or(|age| age > REMEMBERED_MS) {
            txn.delete(key);
        }
    }
    Ok(())
}

fn recall(txn: &Txn<'_>, decision: Decision) -> Result<Admission, Fault> {
    Ok(match decision {
        Decision::Refused(refusal) => Admission::Refused(refusal),
        Decision::Joined(job) => Admission::Joined(job),
        Decision::Opened => Admission::Opened,
        Decision::Hit(id) => {
            let answer =
                answer(txn, id)?.ok_or_else(|| Fault::NotFound(format!("no answer of job `{id}`")))?;
            Admission::Hit(Box::new(ledger::job(txn, id)?), answer)
        }
    })
}

fn decide(txn: &mut Txn<'_>, request: &OpenRequest, may_join: &MayJoin<'_>) -> Result<Admission, Fault> {
    let proposal = match &request.proposal {
        Ok(proposal) => proposal,
        Err(refusal) => return refuse(txn, request, refusal.clone()),
    };
    let ancestors = ancestors(txn, request);
    let task = task_digest(request);
    if let Some(same) = ancestors.iter().find(|job| job.task_digest == task) {
        return refuse(txn, request, cycle(same));
    }
    let mut key = proposal.key;
    if let Some(wanted) = key {
        if let Some(running) = in_flight(txn, wanted)? {
            let line: Vec<JobId> = ancestors.iter().map(|job| job.id).collect();
            if may_join(&line, running) {
                return join(txn, request, proposal, running);
            }
            // It would wait for a job that waits for its own caller: it runs by itself, shared with nobody.
            key = None;
        } else if let Some(hit) = hit(txn, request, proposal, wanted)? {
            return Ok(hit);
        }
    }
    if let Err(refusal) = within_budget(txn, request, proposal)? {
        return refuse(txn, request, refusal);
    }
    let root = ancestors.last().map_or(request.job, |job| job.root);
    let job = new_job(txn, request, proposal, &Line { root, key, task });
    let mut record = ledger::record_of(&job, txn.now(), Code::Requested);
    describe(txn, request, &mut record);
    txn.put(keys::request(job.id), encode(&request.texts)?);
    if let Some(key) = key {
        txn.put(keys::in_flight(key), job.id.as_bytes());
    }
    ledger::enter(txn, &job, record)?;
    Ok(Admission::Opened)
}

struct Line {
    root: JobId,
    key: Option<Digest>,
    task: Digest,
}

fn new_job(txn: &Txn<'_>, request: &OpenRequest, proposal: &Proposal, line: &Line) -> JobRecord {
    JobRecord {
        id: request.job,
        state: State::Pending,
        agent: request.agent.clone(),
        group: request.group.clone(),
        directory: proposal.directory.clone(),
        git_head: proposal.git_head.clone(),
        session: proposal.session.clone(),
        resumed: proposal.resumed,
        caller: seal::clean(request.caller.clone(), &txn.key())
            .expect("texts that are exchanged leave a caller a caller"),
        root: line.root,
        profile: proposal.profile.clone(),
        places: proposal.places,
        task_preview: redact::first_words(&request.texts.task, JobRecord::PREVIEW_CHARS, &txn.key()),
        request_digest: proposal.digest,
        task_digest: line.task,
        key: line.key,
        cache: proposal.cache,
        created: txn.now(),
        started: None,
        ended: None,
        attached: request.attached,
        on_disconnect: request.on_disconnect,
        worker: None,
        stopped_by: None,
        result: None,
        answer_size: None,
        audit_content: request.audit_content,
    }
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

fn refuse(txn: &mut Txn<'_>, request: &OpenRequest, refusal: Refusal) -> Result<Admission, Fault> {
    let mut record = asked(txn, request, Code::Refused);
    // It is remembered, too, and told again to whoever asks again.
    let refusal = seal::clean(refusal, &txn.key()).map_err(|bad| Fault::Invalid(bad.to_string()))?;
    record.reason = Some(format!("{}: {}", refusal.class, redact::one_line(&refusal.message, 300)));
    txn.append(record)?;
    Ok(Admission::Refused(refusal))
}

fn join(
    txn: &mut Txn<'_>,
    request: &OpenRequest,
    proposal: &Proposal,
    running: JobId,
) -> Result<Admission, Fault> {
    let mut record = asked(txn, request, Code::Joined);
    record.answered_by = Some(running.to_string());
    record.request_digest = Some(proposal.digest.to_string());
    txn.append(record)?;
    if !request.attached {
        ledger::detach(txn, running)?;
    }
    Ok(Admission::Joined(running))
}

fn hit(
    txn: &mut Txn<'_>,
    request: &OpenRequest,
    proposal: &Proposal,
    key: Digest,
) -> Result<Option<Admission>, Fault> {
    let (true, Some(policy)) = (proposal.read_cache, proposal.cache) else { return Ok(None) };
    let Some(entry) = cached::look_up(txn, key, policy)? else { return Ok(None) };
    // An answer that was removed or damaged is a miss, never an error: the dispatch simply runs.
    let (Ok(job), Ok(Some(answer))) = (ledger::job(txn, entry.job), answer(txn, entry.job)) else {
        return Ok(None);
    };
    let mut record = asked(txn, request, Code::Hit);
    record.answered_by = Some(job.id.to_string());
    record.request_digest = Some(proposal.digest.to_string());
    record.status = Some(job.state.as_str().to_owned());
    record.end = Some(ledger::answer_in(&answer, request.audit_content, &txn.key()));
    txn.append(record)?;
    Ok(Some(Admission::Hit(Box::new(job), answer)))
}

/// Returns the record of a request that opened no job of its own.
fn asked(txn: &Txn<'_>, request: &OpenRequest, code: Code) -> Record {
    let mut record = Record::new(txn.now(), code);
    record.dispatch = Some(request.job.to_string());
    record.parent = request.caller.parent.map(|id| id.to_string());
    let parent = request.caller.parent.and_then(|id| ledger::job(txn, id).ok());
    record.root = parent.map(|job| job.root.to_string());
    record.caller = Some(request.caller.clone());
    record.agent = Some(redact::one_line(&request.agent, 100));
    record.group.clone_from(&request.group);
    describe(txn, request, &mut record);
    if let Ok(proposal) = &request.proposal {
        record.directory = Some(proposal.directory.display().to_string());
        record.git_head.clone_from(&proposal.git_head);
    }
    record
}

/// Says what is asked for: digests under the audit key, which secrets it holds, and as much of the task as it may.
fn describe(txn: &Txn<'_>, request: &OpenRequest, record: &mut Record) {
    let (key, texts) = (txn.key(), &request.texts);
    record.task_mac = Some(key.mac(texts.task.as_bytes()).to_string());
    record.context_mac = (!texts.context.is_empty()).then(|| key.mac(texts.context.as_bytes()).to_string());
    record.secrets = redact::secrets([texts.task.as_str(), &texts.context, &texts.goal], &key);
    let chars = request.audit_content.preview_chars();
    record.task_preview = chars.map(|chars| redact::first_words(&texts.task, chars, &key));
}

fn answer(txn: &Txn<'_>, id: JobId) -> Result<Option<Answer>, Fault> {
    txn.get(&keys::answer(id))?.map(|bytes| decode(&bytes)).transpose()
}

/// Returns the job under way under this key.
fn in_flight(txn: &Txn<'_>, key: Digest) -> Result<Option<JobId>, Fault> {
    let bytes = txn.get(&keys::in_flight(key))?;
    Ok(bytes.and_then(|bytes| keys::job_of(&bytes)))
}

/// Checks the caps of day and month against what was spent and what running jobs may still spend.
fn within_budget(
    txn: &Txn<'_>,
    request: &OpenRequest,
    proposal: &Proposal,
) -> Result<Result<(), Refusal>, Fault> {
    let now = txn.now();
    let asked = proposal.profile.max_budget_usd;
    for (limit, agent) in [(proposal.spend, None), (proposal.agent_spend, Some(request.agent.as_str()))] {
        let day = keys::spent_in_day(now.local_day(), agent);
        let month = keys::spent_in_month(now.local_month(), agent);
        for (key, name, cap) in [(day, "day", limit.day), (month, "month", limit.month)] {
            let Some(cap) = cap else { continue };
            let spent = ledger::spent(txn, &key)?;
            let reserved = reserved(txn, agent)?;
            if let Err(over) = budget::admit(spent, reserved, asked, cap) {
                let whose = agent.map_or_else(|| "all agents".to_owned(), |agent| format!("agent `{agent}`"));
                let refusal = Refusal {
                    class: FailureClass::Budget,
                    message: format!("the {name} budget of {whose} is used up: {over}"),
                    hint: format!("Wait for the next {name}, or raise `budget.{name}` in the configuration."),
                };
                return Ok(Err(refusal));
            }
        }
    }
    Ok(Ok(()))
}

/// Returns what jobs that have not ended may still spend, in US dollars.
fn reserved(txn: &Txn<'_>, agent: Option<&str>) -> Result<f64, Fault> {
    let mut sum = 0.0;
    for state in [State::Pending, State::Running, State::Cancelling] {
        for (key, _) in txn.first(&keys::jobs_in(state), JOBS_MAX)? {
            let Some(job) = keys::job_of(&key).and_then(|id| ledger::job(txn, id).ok()) else { continue };
            if agent.is_none_or(|agent| agent == job.agent) {
                sum += job.profile.max_budget_usd.unwrap_or(0.0);
            }
        }
    }
    Ok(sum)
}
