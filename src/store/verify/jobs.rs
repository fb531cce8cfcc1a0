//! Whether the stored jobs and the records say the same: every job was recorded, every recorded job is stored or was removed
//! by a clean-up that is recorded, and both say the same of its state and its end.

use std::hash::RandomState;

use crate::audit::chain::{Fault as Finding, FaultKind, Head, LinkView};
use crate::audit::verdict::VerifyReport;
use crate::audit::{Code, Record};
use crate::job::{JobRecord, State};
use crate::model::{JobId, Timestamp};
use crate::store::compared::Facts;
use crate::store::database::Direction;
use crate::store::keys;
use crate::store::ledger::decode;
use crate::store::reader::Reader;
use crate::store::txn::Fault;
use crate::store::verify::Start;
use crate::store::verify::trail::{Cleanup, Glance, Life, Walk};

/// How often a job that lives on while it is looked at is looked at again.
const LOOKS: u32 = 3;

impl Reader {
    /// Compares the jobs with what the records say of them.
    pub(super) fn compare_jobs(
        &self,
        start: &Start,
        claimed: Head,
        mut walk: Walk,
        keyed: &RandomState,
        report: &mut VerifyReport,
    ) -> Result<(), Fault> {
        // Who was opened up to then may have lost its records with others.
        let excused = walk.last_gap.map_or(start.excused, |gap| gap.max(start.excused));
        for entry in self.database.scan(keys::under(keys::JOB), Direction::Forward) {
            let (key, value) = entry?;
            let Some(id) = keys::job_of(&key) else { continue };
            let life = walk.lives.remove(&id);
            report.jobs += 1;
            match decode::<JobRecord>(&value) {
                Ok(job) => report.faults.extend(self.compare_job(&job, life, excused, keyed)?),
                Err(unreadable) => report.remarks.push(format!("job {id}: {unreadable}")),
            }
        }
        let gone: Vec<(JobId, Life)> = walk.lives.into_iter().collect();
        if !gone.is_empty() {
            let cleanups = self.cleanups(walk.cleanups, claimed)?;
            report.faults.extend(self.unaccounted(start.base, claimed, gone, &cleanups)?);
        }
        Ok(())
    }

    fn compare_job(
        &self,
        job: &JobRecord,
        life: Option<Life>,
        excused: Timestamp,
        keyed: &RandomState,
    ) -> Result<Option<Finding>, Fault> {
        let said = |job: &JobRecord| (job.state.as_str(), Facts::brief(Facts::of(job).as_ref(), keyed));
        let is_excused = job.created <= excused;
        let unrecorded = Finding::about(job.id, 0, FaultKind::JobUnrecorded);
        let here = said(job);
        if let Some(life) = life.filter(|life| life.state.map(|state| (state, life.facts)) == Some(here)) {
            return Ok((!life.opened && !is_excused).then_some(unrecorded));
        }
        let recorded = |it: &Glance<'_>| Some((it.state()?, it.facts(keyed)));
        // It may have moved since its records were read: both are looked at again.
        let mut last = None;
        for _ in 0..LOOKS {
            let (now, told) = (self.job(job.id)?, self.last_told(job.id, recorded)?);
            let Some(now) = now else { return Ok(None) };
            if told.is_some_and(|(_, told)| told == said(&now)) {
                return Ok(None);
            }
            last = told;
        }
        Ok(match last {
            Some((seq, _)) => Some(Finding::about(job.id, seq, FaultKind::JobDiffers)),
            None => (!is_excused).then_some(unrecorded),
        })
    }

    /// Returns the last record of a job's life, with what `told` finds in it.
    fn last_told<T>(
        &self,
        id: JobId,
        told: impl Fn(&Glance<'_>) -> Option<T>,
    ) -> Result<Option<(u64, T)>, Fault> {
        for link in self.about(id, Direction::Backward) {
            let link = link?;
            if let Some(found) =
                serde_json::from_slice::<Glance<'_>>(&link.body).ok().as_ref().and_then(&told)
            {
                return Ok(Some((link.seq, found)));
            }
        }
        Ok(None)
    }

    /// Returns the recorded clean-ups with those that came while the trail was read, and with the one that is under way.
    fn cleanups(&self, mut known: Vec<Cleanup>, claimed: Head) -> Result<Vec<Cleanup>, Fault> {
        // In this order: what is recorded in between is counted twice rather than not at all.
        let jobs = self.unrecorded_gc()?;
        known.push(Cleanup { seq: u64::MAX, jobs, before: None });
        let since = keys::audit_between(claimed.seq, u64::MAX);
        for entry in self.database.scan(since, Direction::Forward) {
            let (key, bytes) = entry?;
            let seq = keys::seq_of(&key).unwrap_or(0);
            let link = LinkView::read(seq, &bytes).ok();
            let record = link.and_then(|link| serde_json::from_slice::<Record>(link.body).ok());
            let jobs =
                record.filter(|it| it.event == Code::Gc).and_then(|it| it.details.get("jobs")?.parse().ok());
            known.extend(jobs.map(|jobs| Cleanup { seq, jobs, before: None }));
        }
        Ok(known)
    }

    /// Returns those of the jobs that are gone that no clean-up can have removed.
    fn unaccounted(
        &self,
        base: Head,
        claimed: Head,
        mut gone: Vec<(JobId, Life)>,
        cleanups: &[Cleanup],
    ) -> Result<Vec<Finding>, Fault> {
        // Each clean-up reaches back from some record; it is counted from there on.
        let mut reaching = Vec::new();
        for cleanup in cleanups {
            let reach = match cleanup.before {
                Some(before) => self.recorded_before(before, base.seq, cleanup.seq.min(claimed.seq)),
                None => cleanup.seq,
            };
            reaching.push((reach, cleanup.jobs));
        }
        reaching.sort_unstable();
        gone.sort_unstable_by_key(|(_, life)| life.last);
        let (mut found, mut left, mut reached) = (Vec::new(), 0_u64, false);
        for (id, life) in gone.into_iter().rev() {
            while let Some((_, jobs)) = reaching.pop_if(|(reach, _)| *reach >= life.last) {
                left = left.saturating_add(jobs);
                reached |= jobs > 0;
            }
            let is_over = |state| State::ALL.iter().any(|it| it.is_terminal() && it.as_str() == state);
            let ended = life.state.is_some_and(is_over);
            if ended && left > 0 {
                left -= 1;
            } else if !self.has_moved(id, life)?
                && (reached || !ended || !self.ended_before(life, cleanups)?)
            {
                found.push(Finding::about(id, life.last, FaultKind::JobMissing));
            }
        }
        Ok(found)
    }

    /// Returns whether a job has lived on since its records were read, or is there after all.
    fn has_moved(&self, id: JobId, life: Life) -> Result<bool, Fault> {
        Ok(self.job(id)?.is_some()
            || self.last_told(id, |it| it.state().map(drop))?.is_none_or(|(seq, ())| seq != life.last))
    }

    /// Returns whether a clean-up that came later went for jobs that ended then: a clock that was set back puts records out of
    /// the order of time in which they are searched.
    fn ended_before(&self, life: Life, cleanups: &[Cleanup]) -> Result<bool, Fault> {
        let record = self.link(life.last)?.and_then(|link| serde_json::from_slice::<Record>(&link.body).ok());
        let Some(ended) = record.map(|record| record.time) else { return Ok(false) };
        let went = |it: &Cleanup| it.seq > life.last && it.jobs > 0 && it.before.is_none_or(|at| ended < at);
        Ok(cleanups.iter().any(went))
    }

    /// Returns the last record between the two that was recorded before `time`.
    fn recorded_before(&self, time: Timestamp, first: u64, last: u64) -> u64 {
        let (mut low, mut high) = (first, last);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let record = self.link(middle).ok().flatten();
            let record = record.and_then(|link| serde_json::from_slice::<Record>(&link.body).ok());
            // What is missing is passed over towards the end.
            if record.is_none_or(|record| record.time < time) { low = middle } else { high = middle - 1 }
        }
        low
    }
}
