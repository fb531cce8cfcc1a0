//! Whether what is stored of a job is what was recorded at its end: the answer, the tool calls, and the facts in the job itself.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};

use serde::Deserialize;

use crate::audit::chain::Link;
use crate::audit::verdict::Differing;
use crate::audit::{End, Record};
use crate::job::JobRecord;
use crate::model::{Answer, Digest, JobId, Portion};
use crate::store::database::Direction;
use crate::store::keys;
use crate::store::ledger::{self, decode};
use crate::store::reader::Reader;
use crate::store::txn::{Fault, Txn};

/// Returns the answer of a job that may be given again: it can be read, and is the one that was recorded.
pub(super) fn answer(txn: &Txn<'_>, id: JobId) -> Result<Option<(JobRecord, Answer)>, Fault> {
    let Some(last) = txn.last(&keys::audit_of_dispatch(id), 1)?.pop() else { return Ok(None) };
    let seq = keys::seq_of(&last.0).unwrap_or(0);
    let recorded = txn.get(&keys::audit(seq))?.and_then(|bytes| end_in(seq, &bytes));
    // One that was removed or damaged is none.
    let stored = txn.get(&keys::answer(id)).ok().flatten().and_then(|bytes| decode::<Answer>(&bytes).ok());
    let (Some(end), Some(stored), Ok(job)) = (recorded, stored, ledger::job(txn, id)) else {
        return Ok(None);
    };
    if !is_recorded(&end, &stored) {
        tracing::warn!(job = %id, "the stored answer is not the one that was recorded: it is not given again");
        return Ok(None);
    }
    Ok(Some((job, stored)))
}

impl Reader {
    /// Returns what of an ended job is stored and is not what was recorded. Of one that was removed, or whose records were,
    /// nothing is known.
    pub fn differing(&self, id: JobId) -> Result<Vec<Differing>, Fault> {
        let (Some(job), Some(end)) = (self.job(id)?, self.recorded_end(id)?) else { return Ok(Vec::new()) };
        let mut differing = Vec::new();
        // One that cannot be read any more is another one, too.
        if !self.answer(id, Portion::WHOLE).ok().flatten().is_some_and(|answer| is_recorded(&end, &answer)) {
            differing.push(Differing::Answer);
        }
        let calls = self.database.get(&keys::calls(id)).ok().flatten();
        if calls.map(|calls| Digest::of(&calls).to_string()) != end.calls_digest {
            differing.push(Differing::Calls);
        }
        if Facts::of(&job) != Some(Facts::recorded(&end)) {
            differing.push(Differing::Facts);
        }
        Ok(differing)
    }

    fn recorded_end(&self, id: JobId) -> Result<Option<End>, Fault> {
        for entry in self.database.scan(keys::under(&keys::audit_of_dispatch(id)), Direction::Backward) {
            let seq = keys::seq_of(&entry?.0).unwrap_or(0);
            if let Some(end) = self.database.get(&keys::audit(seq))?.and_then(|bytes| end_in(seq, &bytes)) {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }
}

fn end_in(seq: u64, bytes: &[u8]) -> Option<End> {
    let link = Link::decode(seq, bytes).ok()?;
    serde_json::from_slice::<Record>(&link.body).ok()?.end
}

fn is_recorded(end: &End, answer: &Answer) -> bool {
    let digest = |text: &String| Digest::of(text.as_bytes()).to_string();
    end.answer_digest.as_ref() == Some(&digest(&answer.text))
        && end.parsed_digest == answer.parsed.as_ref().map(digest)
}

/// What both the job and the record of its end say.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Facts<'a> {
    success: bool,
    #[serde(default)]
    cost_usd: Option<f64>,
    #[serde(borrow, default)]
    outcome: Option<Cow<'a, str>>,
    #[serde(default)]
    answer_bytes: u64,
}

impl<'a> Facts<'a> {
    /// Returns what the job says; nothing when it has no result.
    pub(super) fn of(job: &'a JobRecord) -> Option<Self> {
        let result = job.result.as_ref()?;
        Some(Self {
            success: result.success,
            // Some numbers change a little on their way through a text, as this one has in the record.
            cost_usd: result.cost_usd.and_then(|cost| {
                serde_json::to_string(&cost).and_then(|cost| serde_json::from_str(&cost)).ok()
            }),
            outcome: result.outcome.map(|outcome| outcome.as_str().into()),
            answer_bytes: job.answer_size.map_or(0, |(bytes, _)| bytes),
        })
    }

    fn recorded(end: &'a End) -> Self {
        Self {
            success: end.success,
            cost_usd: end.cost_usd,
            outcome: end.outcome.as_deref().map(Cow::Borrowed),
            answer_bytes: end.answer_bytes,
        }
    }

    /// Returns them as one number, to be remembered of very many jobs.
    pub(super) fn brief(facts: Option<&Self>, keyed: &RandomState) -> u64 {
        let each = |it: &Self| (it.success, it.cost_usd.map(f64::to_bits), it.answer_bytes);
        keyed.hash_one(facts.map(|it| (each(it), it.outcome.as_deref())))
    }
}

#[cfg(test)]
mod tests;
