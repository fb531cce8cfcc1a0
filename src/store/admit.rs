//! Decides a dispatch: refused, hit, joined or opened, in one transaction with the record of the decision. The rules
//! themselves are in `decide`, and only read; what is written follows from their verdict.

use serde::{Deserialize, Serialize};

use crate::audit::{Code, End, Record, redact, seal};
use crate::budget::Cap;
use crate::job::{Admission, Considered, JobRecord, OpenRequest, Proposal, State};
use crate::model::JobId;
use crate::plan::Refusal;
use crate::store::admit::decide::{Hit, Line, Verdict};
use crate::store::ledger::{self, decode, encode};
use crate::store::txn::{Fault, Txn};
use crate::store::{cached, compared, import, keys};

/// How long a decision is remembered for a request that is sent again, in milliseconds: an hour, where front ends give up
/// after seconds.
pub(super) const REMEMBERED_MS: u64 = 3_600_000;

mod decide;

/// A decision, as remembered for a request that is sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Decision {
    Refused(Refusal),
    Hit(JobId),
    Joined(JobId),
    Opened,
}

/// What a decision depends on that is true only while it lasts; told by whoever knows who waits for whom.
#[expect(missing_debug_implementations, reason = "a question that is still to be asked shows nothing")]
pub struct Around<'a> {
    /// Whether whoever runs inside these jobs may wait for that one without waiting for itself.
    pub may_join: &'a (dyn Fn(&[JobId], JobId) -> bool + 'a),
    /// How many jobs wait or run at the depth of the request.
    pub under_way: usize,
    /// How many more callers and workers can be connected, beside those who give commands.
    pub spare: usize,
}

impl Around<'static> {
    /// Those of whoever has the store to himself: nobody else is there, and nobody may join anything.
    pub const ALONE: Self = Self { may_join: &|_, _| false, under_way: 0, spare: 1 };
}

/// Decides `request`.
pub fn admit(txn: &mut Txn<'_>, request: &OpenRequest, around: &Around<'_>) -> Result<Admission, Fault> {
    let place = keys::idempotency(request.job.as_bytes());
    if let Some(bytes) = txn.get(&place)? {
        return recall(txn, decode(&bytes)?);
    }
    if txn.get(&keys::job(request.job))?.is_some() {
        // The decision is forgotten after a while, the job is not: whoever slept over the answer is told it again.
        return Ok(Admission::Opened);
    }
    let verdict = decide::decide(txn, request, around)?;
    let admission = record(txn, request, verdict)?;
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
            let (job, answer) = compared::answer(txn, id)?
                .ok_or_else(|| Fault::NotFound(format!("no answer of job `{id}`")))?;
            Admission::Hit(Box::new(job), answer)
        }
    })
}

/// Returns what would be decided, and the spending caps that count; changes nothing.
pub fn consider(
    txn: &Txn<'_>,
    request: &OpenRequest,
    around: &Around<'_>,
) -> Result<(Considered, Vec<Cap>), Fault> {
    import::refuse_if_imported(txn)?;
    let caps = match &request.proposal {
        Ok(proposal) => decide::caps(txn, request, proposal)?,
        Err(_) => Vec::new(),
    };
    let considered = match decide::decide(txn, request, around)? {
        Verdict::Refused(refusal) => Considered::Refused(refusal),
        Verdict::Hit(hit) => Considered::Hit(hit.job.id, hit.entry.stored),
        Verdict::Join(running) => Considered::Join(running, running.created()),
        Verdict::Run(_) => Considered::Run,
    };
    Ok((considered, caps))
}

/// Writes down what was decided.
fn record(txn: &mut Txn<'_>, request: &OpenRequest, verdict: Verdict) -> Result<Admission, Fault> {
    match verdict {
        Verdict::Refused(refusal) => refuse(txn, request, refusal),
        Verdict::Join(running) => join(txn, request, running),
        Verdict::Hit(found) => hit(txn, request, *found),
        Verdict::Run(line) => open(txn, request, &line),
    }
}

fn open(txn: &mut Txn<'_>, request: &OpenRequest, line: &Line) -> Result<Admission, Fault> {
    // Without a proposal it was refused.
    let Ok(proposal) = &request.proposal else {
        return Err(Fault::Invalid("a dispatch without a plan was to run".to_owned()));
    };
    if let Some(missed) = line.missed {
        cached::count(txn, missed, false)?;
    }
    let job = new_job(txn, request, proposal, line);
    let mut record = ledger::record_of(&job, txn.now(), Code::Requested);
    describe(txn, request, &mut record);
    txn.put(keys::request(job.id), encode(&request.texts)?);
    if let Some(key) = line.key {
        txn.put(keys::in_flight(key), job.id.as_bytes());
    }
    ledger::enter(txn, &job, record)?;
    Ok(Admission::Opened)
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

fn refuse(txn: &mut Txn<'_>, request: &OpenRequest, refusal: Refusal) -> Result<Admission, Fault> {
    let mut record = asked(txn, request, Code::Refused);
    // It is remembered, too, and told again to whoever asks again.
    let refusal = seal::clean(refusal, &txn.key()).map_err(|bad| Fault::Invalid(bad.to_string()))?;
    record.reason = Some(format!("{}: {}", refusal.class, redact::one_line(&refusal.message, 300)));
    txn.append(record)?;
    Ok(Admission::Refused(refusal))
}

fn join(txn: &mut Txn<'_>, request: &OpenRequest, running: JobId) -> Result<Admission, Fault> {
    let mut record = asked(txn, request, Code::Joined);
    record.answered_by = Some(running.to_string());
    txn.append(record)?;
    if !request.attached {
        ledger::detach(txn, running)?;
    }
    Ok(Admission::Joined(running))
}

fn hit(txn: &mut Txn<'_>, request: &OpenRequest, found: Hit) -> Result<Admission, Fault> {
    let Hit { job, answer, consulted, .. } = found;
    cached::count(txn, consulted, true)?;
    let mut record = asked(txn, request, Code::Hit);
    record.answered_by = Some(job.id.to_string());
    record.status = Some(job.state.as_str().to_owned());
    record.end = Some(End {
        // Whoever asks for what a model did means its answers, however often they were given.
        model: job.result.as_ref().and_then(ledger::model_of),
        ..ledger::answer_in(&answer, request.audit_content, &txn.key())
    });
    txn.append(record)?;
    Ok(Admission::Hit(Box::new(job), answer))
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
        if code != Code::Refused {
            record.request_digest = Some(proposal.digest.to_string());
        }
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

#[cfg(test)]
mod tests;
