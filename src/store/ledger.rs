//! The moves of a job's life, each with everything that goes with it: record, indexes, audit record, answer, cache,
//! conversation and money, in the one transaction it is given.
//!
//! There is no way to write what a job is, has become and has left but [`advance`] and [`enter`], and both append the audit record
//! of what they do. [`detach`] changes only whether a job lives on without its callers, of which nothing is on record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::chain::Fault as Finding;
use crate::audit::{self, AuditKey, Code, End, Record, redact, seal};
use crate::budget;
use crate::cache::Entry;
use crate::job::{Event, JobRecord, ProcessId, State, Transition};
use crate::model::agent::AuditContent;
use crate::model::{
    Answer, Caller, Digest, FailureClass, Findings, JobId, RunResult, Session, Timestamp, ToolCall,
    TraceParent,
};
use crate::store::schema::{self, Stored};
use crate::store::txn::{Fault, Txn};
use crate::store::{cached, keys};

/// Longest error text in an audit record, in characters.
const ERROR_CHARS: usize = 400;

/// Longest text of who stopped a job, in characters.
const STOPPED_BY_CHARS: usize = 200;

/// Longest name of a tool, in characters.
const TOOL_CHARS: usize = 100;

/// Returns the job stored under this id.
pub fn job(txn: &Txn<'_>, id: JobId) -> Result<JobRecord, Fault> {
    match txn.get(&keys::job(id))? {
        Some(bytes) => decode(&bytes),
        None => Err(Fault::NotFound(format!("there is no job `{id}`"))),
    }
}

/// Returns the jobs that have not ended, as far as they can be read. The queue is bounded, and so are these.
pub(super) fn live(txn: &Txn<'_>) -> Result<Vec<JobRecord>, Fault> {
    let mut found = Vec::new();
    for state in State::LIVE {
        let keys = txn.first(&keys::jobs_in(state), usize::MAX)?;
        found.extend(keys.iter().filter_map(|(key, _)| job(txn, keys::job_of(key)?).ok()));
    }
    Ok(found)
}

/// Writes a new job and the record that it was requested.
pub(super) fn enter(txn: &mut Txn<'_>, job: &JobRecord, audit: Record) -> Result<(), Fault> {
    put(txn, job)?;
    txn.put(keys::job_by_agent(&job.agent, job.id), []);
    for key in keys::by_state(&job.agent, job.state, job.id) {
        txn.put(key, []);
    }
    txn.append(audit)?;
    Ok(())
}

/// Notes that the worker is about to start `claude`.
pub fn start(txn: &mut Txn<'_>, id: JobId, worker: ProcessId) -> Result<JobRecord, Fault> {
    let now = txn.now();
    advance(txn, id, Event::Started, |job, _| {
        job.started = Some(now);
        job.worker = Some(worker);
    })
}

/// Notes that somebody wants the job stopped: `caller`, or whoever asked for it when nobody else is known.
pub fn cancel(txn: &mut Txn<'_>, id: JobId, by: &str, caller: Option<&Caller>) -> Result<JobRecord, Fault> {
    let (now, key) = (txn.now(), txn.key());
    advance_with(txn, id, Event::CancelRequested, |job, moved, record| {
        job.stopped_by = Some(redact::first_words(by, STOPPED_BY_CHARS, &key));
        if moved.to().is_terminal() {
            job.ended = Some(now);
            // The end of a dispatch counts for whoever asked for it.
            let known = caller.map(|caller| ("cancelled_by".to_owned(), who(caller)));
            record.details.extend(known);
        } else if let Some(caller) = caller {
            record.caller = Some(caller.clone());
        }
    })
}

/// Returns what is known of a caller, in one line.
fn who(caller: &Caller) -> String {
    let directory = caller.directory.iter().map(|directory| format!(" in {directory}"));
    let session = caller.session.iter().map(|session| format!(", session {session}"));
    let process = format!("{}, process {}", caller.client, caller.pid);
    [process].into_iter().chain(directory).chain(session).collect()
}

/// Where the result of a run was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Its worker reported it.
    Worker,
    /// In the run folder, after its worker had died.
    RunFolder,
    /// Nowhere: the daemon says itself what became of the job.
    Daemon,
}

/// Notes what came of the run, with its answer, in one move.
pub fn finish(txn: &mut Txn<'_>, id: JobId, findings: Findings, source: Source) -> Result<JobRecord, Fault> {
    let event = if findings.result.success { Event::Succeeded } else { Event::Failed };
    end(txn, id, event, findings, source)
}

/// Notes that the worker is gone and left no answer; what it had found out is kept.
pub fn lose(txn: &mut Txn<'_>, id: JobId, findings: Findings, source: Source) -> Result<JobRecord, Fault> {
    end(txn, id, Event::WorkerLost, findings, source)
}

/// Lets a job live on by itself. Nobody has to answer for that: how it then ends is recorded.
pub fn detach(txn: &mut Txn<'_>, id: JobId) -> Result<(), Fault> {
    let mut job = job(txn, id)?;
    if job.attached && !job.state.is_terminal() {
        job.attached = false;
        put(txn, &job)?;
    }
    Ok(())
}

/// Keeps the last lines of progress.
pub fn progress(txn: &mut Txn<'_>, id: JobId, lines: &ProgressLines) -> Result<(), Fault> {
    txn.put(keys::progress(id), encode(lines)?);
    Ok(())
}

fn end(
    txn: &mut Txn<'_>,
    id: JobId,
    event: Event,
    findings: Findings,
    source: Source,
) -> Result<JobRecord, Fault> {
    let now = txn.now();
    let key = txn.key();
    let kept = Kept::of(findings, &key, source)?;
    let ended = advance_with(txn, id, event, |job, _, record| {
        job.ended = Some(now);
        job.answer_size = Some((kept.answer.text.len() as u64, kept.answer.text.chars().count() as u64));
        job.result = Some(kept.result.clone());
        record.end = Some(kept.end(job.audit_content, &key));
        record.secrets.clone_from(&kept.secrets);
    })?;
    txn.put(keys::answer(id), encode(&kept.answer)?);
    if let Some(calls) = &kept.calls {
        txn.put(keys::calls(id), calls);
    }
    if let (State::Done, Some(key), Some(policy)) = (ended.state, ended.key, ended.cache)
        && ended.result.as_ref().is_some_and(RunResult::cacheable)
    {
        cached::keep(txn, key, policy, Entry { job: id, stored: now })?;
    }
    spend(txn, &ended)?;
    converse(txn, &ended)?;
    Ok(ended)
}

/// What a run has left, as it is written down: without secrets of known shapes, but for the answer itself.
struct Kept {
    result: RunResult,
    answer: Answer,
    /// The tools it used, as they are stored.
    calls: Option<Vec<u8>>,
    secrets: Vec<String>,
    recovered: bool,
}

impl Kept {
    fn of(findings: Findings, key: &AuditKey, source: Source) -> Result<Self, Fault> {
        let Findings { result, answer, mut calls } = findings;
        let error = result.error.as_deref().unwrap_or_default();
        let texts = calls.iter().map(|call| call.input.as_str()).chain([answer.text.as_str(), error]);
        let secrets = redact::secrets(texts, key);
        for call in &mut calls {
            call.name = redact::first_words(&call.name, TOOL_CHARS, key);
            call.input = redact::first_words(&call.input, ToolCall::INPUT_CHARS, key);
        }
        let result = seal::clean(result, key).map_err(|bad| Fault::Invalid(format!("result: {bad}")))?;
        Ok(Self {
            result,
            calls: (!calls.is_empty()).then(|| encode(&calls)).transpose()?,
            answer,
            secrets,
            recovered: source == Source::RunFolder,
        })
    }

    /// Returns what the audit record says of it.
    fn end(&self, content: AuditContent, key: &AuditKey) -> End {
        let Self { result, answer, calls, recovered, .. } = self;
        // An error may repeat what the agent or the task said.
        let error = result.error.as_deref().filter(|_| content != AuditContent::Digest);
        End {
            success: result.success,
            error_type: result.class.map(|class| class.as_str().to_owned()),
            error: error.map(|error| redact::one_line(error, ERROR_CHARS)),
            outcome: result.outcome.map(|outcome| outcome.as_str().to_owned()),
            cost_usd: result.cost_usd,
            duration_ms: result.duration_ms,
            turns: result.num_turns,
            model: model_of(result),
            tokens: result.usage,
            tools: result.tools.clone(),
            denied_tools: result.denied_tools.clone(),
            denied_unknown: result.denied_unknown,
            changes: result.changes.clone(),
            calls_digest: calls.as_deref().map(|calls| Digest::of(calls).to_string()),
            recovered: *recovered,
            ..answer_in(answer, content, key)
        }
    }
}

/// Returns the model that answered, as records name it.
pub(super) fn model_of(result: &RunResult) -> Option<String> {
    result.model.as_deref().map(|model| audit::cut(model, 100))
}

/// Returns what an audit record says of an answer: digests, its size, and as much of it as `content` says.
pub(super) fn answer_in(answer: &Answer, content: AuditContent, key: &AuditKey) -> End {
    let text = &answer.text;
    End {
        success: true,
        answer_digest: Some(Digest::of(text.as_bytes()).to_string()),
        parsed_digest: answer.parsed.as_ref().map(|parsed| Digest::of(parsed.as_bytes()).to_string()),
        answer_bytes: text.len() as u64,
        answer_mac: (!text.is_empty()).then(|| key.mac(text.as_bytes()).to_string()),
        answer_preview: content
            .preview_chars()
            .filter(|_| !text.is_empty())
            .map(|chars| redact::first_words(text, chars, key)),
        ..End::default()
    }
}

fn advance(
    txn: &mut Txn<'_>,
    id: JobId,
    event: Event,
    change: impl FnOnce(&mut JobRecord, Transition),
) -> Result<JobRecord, Fault> {
    advance_with(txn, id, event, |job, moved, _| change(job, moved))
}

/// Makes the one move that `event` makes, compare-and-set by construction: the state it leaves is the one read in this
/// very transaction, and only the committer writes.
fn advance_with(
    txn: &mut Txn<'_>,
    id: JobId,
    event: Event,
    change: impl FnOnce(&mut JobRecord, Transition, &mut Record),
) -> Result<JobRecord, Fault> {
    let mut job = job(txn, id)?;
    let moved = job.state.step(event).map_err(|illegal| Fault::Conflict(illegal.to_string()))?;
    let mut record = record_of(&job, txn.now(), moved.code());
    job.state = moved.to();
    change(&mut job, moved, &mut record);
    record.status = Some(job.state.as_str().to_owned());
    record.reason.clone_from(&job.stopped_by);
    for key in keys::by_state(&job.agent, moved.from(), id) {
        txn.delete(key);
    }
    for key in keys::by_state(&job.agent, moved.to(), id) {
        txn.put(key, []);
    }
    // Nobody joins what is being stopped; from then on the key may be another job's.
    if moved.to() != State::Running
        && let Some(key) = job.key
        && txn.get(&keys::in_flight(key))?.is_some_and(|holder| keys::job_of(&holder) == Some(id))
    {
        txn.delete(keys::in_flight(key));
    }
    put(txn, &job)?;
    txn.append(record)?;
    Ok(job)
}

fn put(txn: &mut Txn<'_>, job: &JobRecord) -> Result<(), Fault> {
    txn.put(keys::job(job.id), encode(job)?);
    Ok(())
}

pub(super) fn encode<T: Stored>(value: &T) -> Result<Vec<u8>, Fault> {
    schema::encode(value).map_err(|bad| Fault::Invalid(bad.to_string()))
}

pub(super) fn decode<T: Stored>(bytes: &[u8]) -> Result<T, Fault> {
    schema::decode(bytes).map_err(|bad| Fault::Unreadable(bad.to_string()))
}

/// A sum of money, in US dollars.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Spent(pub(super) f64);

/// What tells the audit key from another.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeyFingerprint(pub(super) String);

/// Remembers under which key is written from now on, and records it when that is another one than before.
pub(super) fn remember_key(txn: &mut Txn<'_>) -> Result<(), Fault> {
    let now = txn.key().fingerprint();
    let before = txn.get(keys::KEY_FINGERPRINT)?;
    txn.put(keys::KEY_FINGERPRINT.to_vec(), encode(&KeyFingerprint(now.clone()))?);
    let Some(before) = before else { return Ok(()) };
    let before = decode::<KeyFingerprint>(&before).map_or_else(|_| "unknown".to_owned(), |known| known.0);
    let details = BTreeMap::from([("before".to_owned(), before), ("after".to_owned(), now)]);
    let reason = "the audit key is another one: `audit hash` finds nothing that was recorded before";
    note(txn, Code::KeyReplaced, reason.to_owned(), details)
}

/// The last lines of progress, and when the last of them came.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProgressLines(pub Timestamp, pub Vec<String>);

/// Returns the record of an event in this job's life, with the facts that every one of them carries.
pub(super) fn record_of(job: &JobRecord, now: Timestamp, code: Code) -> Record {
    let mut record = Record::new(now, code);
    record.dispatch = Some(job.id.to_string());
    record.trace = Some(TraceParent::of_run(job.caller.traceparent, job.id).to_string());
    record.parent = job.caller.parent.map(|id| id.to_string());
    record.root = Some(job.root.to_string());
    record.caller = Some(job.caller.clone());
    record.agent = Some(job.agent.clone());
    record.group.clone_from(&job.group);
    record.directory = Some(job.directory.display().to_string());
    record.git_head.clone_from(&job.git_head);
    record.request_digest = Some(job.request_digest.to_string());
    record.profile = Some(job.profile.clone());
    record.session = Some(job.session.to_string());
    record.status = Some(job.state.as_str().to_owned());
    record
}

/// Adds what the run counts for to the sums of its day and month, over all agents and for its own.
fn spend(txn: &mut Txn<'_>, job: &JobRecord) -> Result<(), Fault> {
    let Some(result) = &job.result else { return Ok(()) };
    let conversed = job.started.is_some() && result.session.is_some();
    let cost = budget::charge(result.cost_usd, job.profile.max_budget_usd, conversed);
    if cost == 0.0 {
        return Ok(());
    }
    let (day, month) = (txn.now().local_day(), txn.now().local_month());
    for agent in [None, Some(job.agent.as_str())] {
        for key in [keys::spent_in_day(day, agent), keys::spent_in_month(month, agent)] {
            let sum = spent(txn, &key)? + cost;
            txn.put(key, encode(&Spent(sum))?);
        }
    }
    Ok(())
}

/// Returns the sum stored under `key`, in US dollars.
pub(super) fn spent(txn: &Txn<'_>, key: &[u8]) -> Result<f64, Fault> {
    match txn.get(key)? {
        Some(bytes) => Ok(decode::<Spent>(&bytes)?.0),
        None => Ok(0.0),
    }
}

/// Keeps the books of the conversation.
fn converse(txn: &mut Txn<'_>, job: &JobRecord) -> Result<(), Fault> {
    let key = keys::session(job.session.as_str());
    let known: Option<Session> = match txn.get(&key)? {
        Some(bytes) => Some(decode(&bytes)?),
        None => None,
    };
    let result = job.result.as_ref();
    // A run that never started has no conversation to go on with, nor has one that `claude` knew nothing of: whose that is,
    // if it is anybody's, is not known either.
    let unheard_of = job.resumed
        && result
            .is_some_and(|it| it.class == Some(FailureClass::NotFound) && it.num_turns.unwrap_or(0) == 0);
    if known.is_none() && (job.started.is_none() || unheard_of) {
        return Ok(());
    }
    let mut session = known.unwrap_or_else(|| Session {
        id: job.session.clone(),
        agent: job.agent.clone(),
        directory: job.directory.clone(),
        dispatches: 0,
        turns: 0,
        cost_usd: 0.0,
        last_job: job.id,
        last_used: txn.now(),
    });
    session.dispatches += 1;
    session.turns += result.and_then(|it| it.num_turns).unwrap_or(0);
    session.cost_usd += result.and_then(|it| it.cost_usd).unwrap_or(0.0);
    session.last_job = job.id;
    session.last_used = txn.now();
    txn.put(key, encode(&session)?);
    Ok(())
}

/// Records an event that is not about a dispatch, once for each id.
pub(super) fn record_once(txn: &mut Txn<'_>, id: JobId, mut record: Record) -> Result<(), Fault> {
    let place = keys::idempotency(id.as_bytes());
    if txn.get(&place)?.is_none() {
        record.time = txn.now();
        txn.put(place, []);
        txn.append(record)?;
    }
    Ok(())
}

/// Records what a check of the trail found, once for each finding.
pub(super) fn record_finding(txn: &mut Txn<'_>, finding: Finding) -> Result<(), Fault> {
    let text = finding.to_string();
    let place = keys::finding(Digest::of(text.as_bytes()));
    if txn.get(&place)?.is_some() {
        return Ok(());
    }
    txn.put(place, []);
    let kind = serde_json::to_string(&finding.kind).unwrap_or_default();
    let details = [("seq", finding.seq.to_string()), ("kind", kind.trim_matches('"').to_owned())];
    let details = details.map(|(name, value)| (name.to_owned(), value)).into();
    note(txn, Code::VerifyFailed, text, details)
}

/// Records an event that is not about a dispatch.
pub fn note(
    txn: &mut Txn<'_>,
    code: Code,
    reason: String,
    details: BTreeMap<String, String>,
) -> Result<(), Fault> {
    let mut record = Record::new(txn.now(), code);
    record.reason = Some(reason);
    record.details = details;
    txn.append(record)?;
    Ok(())
}
