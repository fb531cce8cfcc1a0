//! What a page about a period shows, counted over the records and completed with the few that are shown one by one.

use crate::audit::Record;
use crate::audit::chain::body;
use crate::audit::report;
use crate::model::JobId;
use crate::store::database::Direction;
use crate::store::keys;
use crate::store::reader::Reader;
use crate::store::txn::Fault;

/// Most records of one dispatch that are read: a dispatch has about four.
const RECORDS_MAX: usize = 50;

impl Reader {
    /// Returns what a page about a period shows. Only as much of each record is decoded as counts, except of the few
    /// dispatches that are shown one by one.
    pub fn overview(&self, period: report::Period) -> Result<report::Overview, Fault> {
        let prefix =
            period.agent.as_ref().map_or_else(|| keys::AUDIT.to_vec(), |agent| keys::audit_of_agent(agent));
        let (since, narrowed) = (period.since, period.agent.is_some());
        let mut counter = report::Counter::new(period);
        for entry in self.database.scan(keys::under(&prefix), Direction::Backward) {
            let (key, mut bytes) = entry?;
            if narrowed {
                let found = keys::seq_of(&key).map(|seq| self.database.get(&keys::audit(seq))).transpose()?;
                let Some(found) = found.flatten() else { continue };
                bytes = found;
            }
            let line = body(&bytes).and_then(|body| serde_json::from_slice::<report::Line>(body).ok());
            let Some(line) = line else { continue };
            // Records are in the order of time: the first that is too old ends the search.
            if since.is_some_and(|since| line.time < since) {
                break;
            }
            counter.count(&line);
        }
        let price = |id: JobId| self.found(id)?.record.end?.cost_usd;
        Ok(counter.finish(&mut |id| self.found(id), &mut { price }))
    }

    /// Returns what is on record of a dispatch, if it can be read.
    fn found(&self, id: JobId) -> Option<report::Found> {
        let mut found: Option<report::Found> = None;
        let records = self.database.scan(keys::under(&keys::audit_of_dispatch(id)), Direction::Forward);
        for entry in records.take(RECORDS_MAX) {
            let link = self.link(keys::seq_of(&entry.ok()?.0)?).ok()?;
            let Some(mut record) = link.and_then(|link| serde_json::from_slice::<Record>(&link.body).ok())
            else {
                continue;
            };
            let asked = found.as_ref().map_or(record.time, |found| found.asked);
            let task = found.and_then(|found| found.record.task_preview);
            record.task_preview = record.task_preview.or(task);
            found = Some(report::Found { record, asked, hint: None });
        }
        let job = self.job(id).ok().flatten();
        found.as_mut()?.hint = job.and_then(|job| job.result?.hint);
        found
    }
}
