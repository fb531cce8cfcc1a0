//! What a page about a period shows, counted over the records and completed with the few that are shown one by one.

use crate::audit::Record;
use crate::audit::query::AuditFilter;
use crate::audit::report::{Counter, Found, Overview, Period};
use crate::model::JobId;
use crate::store::database::Direction;
use crate::store::reader::Reader;
use crate::store::txn::Fault;

/// Most records of one dispatch that are read: a dispatch has about four.
const RECORDS_MAX: usize = 50;

impl Reader {
    /// Returns what a page about a period shows. Only as much of each record is decoded as counts, except of the few
    /// dispatches that are shown one by one.
    pub fn overview(&self, period: &Period) -> Result<Overview, Fault> {
        let agents = period.agent.clone().into_iter().collect();
        let filter =
            AuditFilter { agents, since: period.since, until: period.until, ..AuditFilter::default() };
        let begin = || Counter::new(period.clone());
        let parts = self.lines(&filter, begin, Counter::count)?;
        let counter = parts.into_iter().reduce(Counter::with).unwrap_or_else(begin);
        let price = |id: JobId| self.found(id)?.record.end?.cost_usd;
        Ok(counter.finish(&mut |id| self.found(id), &mut { price }))
    }

    /// Returns what is on record of a dispatch, if it can be read.
    fn found(&self, id: JobId) -> Option<Found> {
        let mut found: Option<Found> = None;
        for link in self.about(id, Direction::Forward).take(RECORDS_MAX) {
            let link = link.ok()?;
            let Ok(mut record) = serde_json::from_slice::<Record>(&link.body) else { continue };
            let asked = found.as_ref().map_or(record.time, |found| found.asked);
            let task = found.and_then(|found| found.record.task_preview);
            record.task_preview = record.task_preview.or(task);
            found = Some(Found { record, asked, hint: None });
        }
        let job = self.job(id).ok().flatten();
        found.as_mut()?.hint = job.and_then(|job| job.result?.hint);
        found
    }
}
