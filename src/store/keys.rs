//! The keys of the one tree: every prefix, and the functions that build keys and read them back.
//!
//! Numbers and ids are big-endian, so byte order is the order of time. A text inside a key ends with a zero byte.

use std::ops::Bound;

use crate::job::State;
use crate::model::{Digest, JobId};

/// A range of keys.
pub type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// Longest key, in bytes: keys are copied into inner pages of the engine, so they stay small.
pub const KEY_BYTES_MAX: usize = 512;

/// `j/<id>`: job records.
pub const JOB: &[u8] = b"j/";
/// `js/<state><id>`: jobs by state.
pub const JOB_BY_STATE: &[u8] = b"js/";
/// `ja/<agent>\0<id>`: jobs by agent.
pub const JOB_BY_AGENT: &[u8] = b"ja/";
/// `jas/<agent>\0<state><id>`: jobs by agent and state.
pub const JOB_BY_AGENT_AND_STATE: &[u8] = b"jas/";
/// `q/<id>`: what a job was asked.
pub const REQUEST: &[u8] = b"q/";
/// `r/<id>`: what a job answered.
pub const ANSWER: &[u8] = b"r/";
/// `g/<id>`: the last lines of a job's progress.
pub const PROGRESS: &[u8] = b"g/";
/// `t/<id>`: the tools that a job used.
pub const CALLS: &[u8] = b"t/";
/// `c/<key>`: cache entries.
pub const CACHE: &[u8] = b"c/";
/// `cf/<seq>`: cache keys in the order they were stored.
pub const CACHE_ORDER: &[u8] = b"cf/";
/// `f/<key>`: the job that is answering this question right now.
pub const IN_FLIGHT: &[u8] = b"f/";
/// `s/<session>`: conversations.
pub const SESSION: &[u8] = b"s/";
/// `i/<id>`: what a change with this idempotency id came to.
pub const IDEMPOTENCY: &[u8] = b"i/";
/// `bd/<day><agent>` and `bm/<month><agent>`: what was spent; the empty agent stands for all of them.
pub const SPENT_IN_DAY: &[u8] = b"bd/";
/// See [`SPENT_IN_DAY`].
pub const SPENT_IN_MONTH: &[u8] = b"bm/";
/// `a/<seq>`: audit records.
pub const AUDIT: &[u8] = b"a/";
/// `aa/<agent>\0<page>`: audit records by agent, 256 to a page.
pub const AUDIT_BY_AGENT: &[u8] = b"aa/";
/// `ad/<id><page>`: audit records by dispatch, 256 to a page.
pub const AUDIT_BY_DISPATCH: &[u8] = b"ad/";
/// `z/<key>\0<generation><index>`: pieces of large values; written and read only by `chunks`.
pub const CHUNK: &[u8] = b"z/";

// Facts about the store itself, `m/<name>`.

/// The number of the store's format.
pub const FORMAT: &[u8] = b"m/format";
/// The end of the audit chain.
pub const HEAD: &[u8] = b"m/head";
/// What tells the audit key from another.
pub const KEY_FINGERPRINT: &[u8] = b"m/key";
/// When old jobs were last removed without anybody asking.
pub const LAST_GC: &[u8] = b"m/gc";
/// Jobs that a clean-up removed and has not recorded yet.
pub const UNRECORDED_GC: &[u8] = b"m/gc-unrecorded";
/// The end of the audit chain when the store was last closed in an orderly way.
pub const CLOSED: &[u8] = b"m/closed";
/// The checkpoint of the audit records that were removed.
pub const CHECKPOINT: &[u8] = b"m/checkpoint";
/// `m/finding/<digest>`: faults of the trail that are recorded.
pub const FINDING: &[u8] = b"m/finding/";
/// What was imported, in a store whose trail is not its own.
pub const IMPORTED: &[u8] = b"m/imported";

/// Returns the key of a job's record.
pub fn job(id: JobId) -> Vec<u8> {
    joined(&[JOB, id.as_bytes()])
}

/// Returns the prefix of the index of jobs in `state`.
pub fn jobs_in(state: State) -> Vec<u8> {
    joined(&[JOB_BY_STATE, &[state_byte(state)]])
}

/// Returns a job's key in the index by state.
pub fn job_by_state(state: State, id: JobId) -> Vec<u8> {
    joined(&[JOB_BY_STATE, &[state_byte(state)], id.as_bytes()])
}

/// Returns the prefix of the index of `agent`'s jobs.
pub fn jobs_of(agent: &str) -> Vec<u8> {
    joined(&[JOB_BY_AGENT, agent.as_bytes(), &[0]])
}

/// Returns a job's key in the index by agent.
pub fn job_by_agent(agent: &str, id: JobId) -> Vec<u8> {
    joined(&[JOB_BY_AGENT, agent.as_bytes(), &[0], id.as_bytes()])
}

/// Returns the prefix of the index of `agent`'s jobs in `state`.
pub fn jobs_of_in(agent: &str, state: State) -> Vec<u8> {
    joined(&[JOB_BY_AGENT_AND_STATE, agent.as_bytes(), &[0, state_byte(state)]])
}

/// Returns a job's key in the index by agent and state.
pub fn job_by_agent_and_state(agent: &str, state: State, id: JobId) -> Vec<u8> {
    joined(&[JOB_BY_AGENT_AND_STATE, agent.as_bytes(), &[0, state_byte(state)], id.as_bytes()])
}

/// Returns a job's keys in the indexes that say in which state it is.
pub fn by_state(agent: &str, state: State, id: JobId) -> [Vec<u8>; 2] {
    [job_by_state(state, id), job_by_agent_and_state(agent, state, id)]
}

/// Returns the key of what a job was asked.
pub fn request(id: JobId) -> Vec<u8> {
    joined(&[REQUEST, id.as_bytes()])
}

/// Returns the key of what a job answered.
pub fn answer(id: JobId) -> Vec<u8> {
    joined(&[ANSWER, id.as_bytes()])
}

/// Returns the key of a job's progress.
pub fn progress(id: JobId) -> Vec<u8> {
    joined(&[PROGRESS, id.as_bytes()])
}

/// Returns the key of the tools that a job used.
pub fn calls(id: JobId) -> Vec<u8> {
    joined(&[CALLS, id.as_bytes()])
}

/// Returns the key of a cache entry.
pub fn cache(key: Digest) -> Vec<u8> {
    joined(&[CACHE, key.as_bytes()])
}

/// Returns the key of the `seq`th stored cache entry.
pub fn cache_order(seq: u64) -> Vec<u8> {
    joined(&[CACHE_ORDER, &seq.to_be_bytes()])
}

/// Returns the key under which the job that answers `key` is found.
pub fn in_flight(key: Digest) -> Vec<u8> {
    joined(&[IN_FLIGHT, key.as_bytes()])
}

/// Returns the key of a conversation.
pub fn session(session: &str) -> Vec<u8> {
    joined(&[SESSION, session.as_bytes()])
}

/// Returns the key of an idempotency id.
pub fn idempotency(id: &[u8; 16]) -> Vec<u8> {
    joined(&[IDEMPOTENCY, id])
}

/// Returns the key of what was spent on `day` (`YYYYMMDD`), by one agent or by all.
pub fn spent_in_day(day: u32, agent: Option<&str>) -> Vec<u8> {
    joined(&[SPENT_IN_DAY, &day.to_be_bytes(), agent.unwrap_or_default().as_bytes()])
}

/// Returns the key of what was spent in `month` (`YYYYMM`), by one agent or by all.
pub fn spent_in_month(month: u32, agent: Option<&str>) -> Vec<u8> {
    joined(&[SPENT_IN_MONTH, &month.to_be_bytes(), agent.unwrap_or_default().as_bytes()])
}

/// Returns the key of an audit record.
pub fn audit(seq: u64) -> Vec<u8> {
    joined(&[AUDIT, &seq.to_be_bytes()])
}

/// Returns the range of the audit records after number `first` up to number `last`.
pub fn audit_between(first: u64, last: u64) -> KeyRange {
    (Bound::Excluded(audit(first)), Bound::Included(audit(last)))
}

/// Returns the key under which it stands that a fault is recorded.
pub fn finding(fault: Digest) -> Vec<u8> {
    joined(&[FINDING, fault.as_bytes()])
}

/// Returns what audit records about `agent` are found by: the prefix of their pages.
pub fn audit_of_agent(agent: &str) -> Vec<u8> {
    joined(&[AUDIT_BY_AGENT, agent.as_bytes(), &[0]])
}

/// Returns what audit records about a dispatch are found by: the prefix of their pages.
pub fn audit_of_dispatch(id: JobId) -> Vec<u8> {
    joined(&[AUDIT_BY_DISPATCH, id.as_bytes()])
}

/// Returns the key of a page of the audit records that are found by `name`.
pub fn audit_page(name: &[u8], page: u64) -> Vec<u8> {
    joined(&[name, &page.to_be_bytes()])
}

/// Returns the range of these pages of the audit records that are found by `name`.
pub fn audit_pages(name: &[u8], first: u64, last: u64) -> KeyRange {
    (Bound::Included(audit_page(name, first)), Bound::Included(audit_page(name, last)))
}

/// Returns the range of the pages of audit records about the dispatches from `first` to `last`.
pub fn audit_of_dispatches(first: JobId, last: JobId) -> KeyRange {
    let end = audit_page(&audit_of_dispatch(last), u64::MAX);
    (Bound::Included(audit_of_dispatch(first)), Bound::Included(end))
}

/// Returns the dispatch that a key of the index of audit records by dispatch is about.
pub fn dispatch_of(key: &[u8]) -> Option<JobId> {
    let id = key.strip_prefix(AUDIT_BY_DISPATCH)?.first_chunk()?;
    Some(JobId::from_bytes(*id))
}

/// Returns the request key that a key of the cache is made of.
pub fn digest_of(key: &[u8]) -> Option<Digest> {
    let digest = key.strip_prefix(CACHE)?.try_into().ok()?;
    Some(Digest::from_bytes(digest))
}

/// Returns the number at the end of a key: of `a/` and `cf/`.
pub fn seq_of(key: &[u8]) -> Option<u64> {
    key.last_chunk().copied().map(u64::from_be_bytes)
}

/// Returns the job id at the end of a key: of `j/`, `js/`, `ja/`, `jas/`, `q/`, `r/`, `g/`, `t/` and `i/`.
pub fn job_of(key: &[u8]) -> Option<JobId> {
    key.last_chunk().copied().map(JobId::from_bytes)
}

/// Returns the range of all keys that begin with `prefix`.
pub fn under(prefix: &[u8]) -> KeyRange {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return (Bound::Included(prefix.to_vec()), Bound::Excluded(end));
        }
    }
    (Bound::Included(prefix.to_vec()), Bound::Unbounded)
}

/// The byte of a state in keys. Part of the format: never renumber.
const fn state_byte(state: State) -> u8 {
    match state {
        State::Pending => b'p',
        State::Running => b'r',
        State::Cancelling => b'x',
        State::Done => b'd',
        State::Failed => b'f',
        State::Cancelled => b'c',
        State::Interrupted => b'i',
    }
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[cfg(test)]
mod tests;
