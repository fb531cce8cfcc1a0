//! One part of the trail, record by record: the chain, and what is noted of each record for the comparisons that follow.

use std::collections::BTreeMap;
use std::hash::RandomState;

use serde::Deserialize;
use serde_json::Value;

use crate::audit::chain::{Fault as Finding, FaultKind, Head, LinkView, Verifier};
use crate::audit::line::Text;
use crate::audit::{Code, Record};
use crate::job::State;
use crate::model::{AgentName, Digest, JobId, Timestamp};
use crate::store::compared::Facts;
use crate::store::keys;
use crate::store::verify::indexes::Sum;

/// What is known of the trail up to some record.
#[derive(Debug)]
pub(in crate::store) struct Walk {
    verifier: Verifier,
    /// Whether the record before the next one could not be read, so that nothing is known of its hash.
    blind: bool,
    pub(super) records: u64,
    /// Number of the first record; 0 before there is one.
    pub(super) first: u64,
    pub(in crate::store) faults: Vec<Finding>,
    pub(super) notes: Vec<String>,
    pub(super) remarks: Vec<String>,
    /// What the indexes must hold.
    pub(super) expected: Sum,
    /// What the records say of each job's life.
    pub(super) lives: BTreeMap<JobId, Life>,
    /// Clean-ups.
    pub(super) cleanups: Vec<Cleanup>,
    /// Number of the last record that tells of a checkpoint.
    pub(super) sealed: Option<u64>,
    /// When records were last found missing.
    pub(super) last_gap: Option<Timestamp>,
}

/// What the records say of a job's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// Whether one says that it was opened.
    pub(super) opened: bool,
    /// The state that the last one names.
    pub(super) state: Option<&'static str>,
    /// Number of the last one.
    pub(super) last: u64,
    /// What it says of how the job ended, in brief.
    pub(super) facts: u64,
}

/// A clean-up, as its record tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cleanup {
    /// Number of its record.
    pub(super) seq: u64,
    /// Jobs it removed.
    pub(super) jobs: u64,
    /// What had ended before this went; `None` for everything that had ended.
    pub(super) before: Option<Timestamp>,
}

/// As much of a record as every one of them is looked at for.
#[derive(Debug, Deserialize)]
pub(super) struct Glance<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow, default)]
    dispatch: Option<Text<'a>>,
    #[serde(borrow, default)]
    agent: Option<Text<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    end: Option<Facts<'a>>,
}

impl Glance<'_> {
    /// Returns the dispatch that the record is about, if that can be an id.
    pub(super) fn dispatch(&self) -> Option<JobId> {
        self.dispatch.as_deref()?.parse().ok()
    }

    /// Returns the agent that the record is about, if that can be a name.
    pub(super) fn agent(&self) -> Option<&str> {
        self.agent.as_deref().filter(|agent| AgentName::is_valid(agent))
    }

    /// Returns the state that the record says the job has reached, if it tells of a job's life.
    pub(super) fn state(&self) -> Option<&'static str> {
        const MOVES: [Code; 6] = [
            Code::Requested,
            Code::Started,
            Code::CancelRequested,
            Code::Finished,
            Code::Cancelled,
            Code::Interrupted,
        ];
        let status = self.status.as_deref().filter(|_| MOVES.iter().any(|code| self.is(*code)))?;
        State::ALL.into_iter().map(State::as_str).find(|state| *state == status)
    }

    /// Returns what the record says of how the job ended, in brief.
    pub(super) fn facts(&self, keyed: &RandomState) -> u64 {
        Facts::brief(self.end.as_ref(), keyed)
    }

    fn is(&self, code: Code) -> bool {
        *self.event == *code.as_str()
    }
}

impl Walk {
    /// Returns a walk over the records that follow `head`.
    pub(in crate::store) fn from(head: Head) -> Self {
        Self {
            verifier: Verifier::from(head),
            blind: false,
            records: 0,
            first: 0,
            faults: Vec::new(),
            notes: Vec::new(),
            remarks: Vec::new(),
            expected: Sum::default(),
            lives: BTreeMap::new(),
            cleanups: Vec::new(),
            sealed: None,
            last_gap: None,
        }
    }

    /// Looks at the next record. `hash_of` finds the hash of another one.
    pub(in crate::store) fn take(
        &mut self,
        seq: u64,
        bytes: &[u8],
        keyed: &RandomState,
        hash_of: impl Fn(u64) -> Option<Digest>,
    ) {
        self.records += 1;
        self.first = if self.first == 0 { seq } else { self.first };
        let link = match LinkView::read(seq, bytes) {
            Ok(link) => link,
            Err(fault) => {
                self.missing_before(seq);
                self.faults.push(fault);
                self.verifier = Verifier::from(Head { seq, hash: Digest::ZERO });
                self.blind = true;
                return;
            }
        };
        if std::mem::take(&mut self.blind) {
            self.verifier = Verifier::from(Head { seq: self.verifier.head().seq, hash: link.prev });
        }
        let Ok(glance) = serde_json::from_slice::<Glance<'_>>(link.body) else {
            self.check(&link);
            // What is no record cannot have been written as one.
            if self.faults.last().is_none_or(|fault| fault.seq != seq) {
                self.faults.push(Finding::of(seq, FaultKind::Unreadable));
            }
            return;
        };
        let rare = [Code::Gap, Code::Quarantined, Code::Gc, Code::Retention, Code::VerifyFailed];
        if let Some(code) = rare.into_iter().find(|code| glance.is(*code))
            && let Ok(record) = serde_json::from_slice::<Record>(link.body)
        {
            self.rare(&link, code, &record, hash_of);
        }
        self.check(&link);
        self.note(seq, &glance, keyed);
    }

    /// Returns the end of what was walked over.
    pub(in crate::store) const fn head(&self) -> Head {
        self.verifier.head()
    }

    fn check(&mut self, link: &LinkView<'_>) {
        if let Err(fault) = self.verifier.check(link) {
            self.faults.push(fault);
            if fault.kind == FaultKind::Missing {
                self.faults.extend(link.check().err());
            }
            // On from here as the record itself claims, so that one fault is not named a thousand times.
            self.verifier = Verifier::from(link.head());
        }
    }

    fn missing_before(&mut self, seq: u64) {
        let expected = self.verifier.head().seq + 1;
        if seq != expected {
            self.faults.push(Finding::of(expected, FaultKind::Missing));
        }
    }

    /// Looks at what a record says that is about the trail itself.
    fn rare(
        &mut self,
        link: &LinkView<'_>,
        code: Code,
        record: &Record,
        hash_of: impl Fn(u64) -> Option<Digest>,
    ) {
        let seq = link.seq;
        let detail = |name: &str| record.details.get(name).map(String::as_str);
        let number = |name: &str| detail(name).and_then(|text| text.parse::<u64>().ok());
        let head =
            |number: Option<u64>, hash: &str| Some(Head { seq: number?, hash: detail(hash)?.parse().ok()? });
        let reason = record.reason.as_deref().unwrap_or_default();
        match code {
            Code::Gap | Code::Quarantined => {
                self.notes.push(format!("record {seq}: {reason}"));
                self.last_gap = Some(record.time);
                let stored = head(number("stored_seq"), "stored_hash");
                let Some(remembered) = head(number("remembered_seq"), "remembered_hash") else { return };
                let before = Head { seq: seq.saturating_sub(1), hash: link.prev };
                if remembered == before && stored == Some(self.verifier.head()) {
                    // What is missing right before it is what it tells of.
                    self.verifier = Verifier::from(before);
                } else if remembered.seq < seq
                    && hash_of(remembered.seq).is_some_and(|hash| hash != remembered.hash)
                {
                    self.faults.push(Finding::of(remembered.seq, FaultKind::Replaced));
                }
            }
            Code::Gc => {
                let before = detail("before").and_then(|text| Timestamp::parse(text, record.time).ok());
                self.cleanups.push(Cleanup { seq, jobs: number("jobs").unwrap_or(0), before });
                // An earlier one that was cut short; when that was, nobody knows.
                let jobs = number("jobs_unrecorded").unwrap_or(0);
                self.cleanups.extend((jobs > 0).then_some(Cleanup { seq, jobs, before: None }));
            }
            Code::Retention => self.sealed = Some(seq),
            Code::VerifyFailed => {
                let text = format!("record {seq}: a check found: {reason}");
                let kind = detail("kind").map(|kind| Value::String(kind.to_owned()));
                let kind = kind.and_then(|kind| serde_json::from_value::<FaultKind>(kind).ok());
                // The head file forgets such a fault with the next record; the trail does not.
                if kind.is_some_and(FaultKind::heals) {
                    self.notes.push(text);
                } else {
                    self.remarks.push(text);
                }
            }
            _ => {}
        }
    }

    /// Notes what the comparisons need.
    fn note(&mut self, seq: u64, glance: &Glance<'_>, keyed: &RandomState) {
        if let Some(agent) = glance.agent() {
            self.expected.add(&keys::audit_of_agent(agent), seq, keyed);
        }
        let Some(dispatch) = glance.dispatch() else { return };
        self.expected.add(&keys::audit_of_dispatch(dispatch), seq, keyed);
        if let Some(state) = glance.state() {
            let opened = glance.is(Code::Requested);
            let new = Life { opened, state: Some(state), last: seq, facts: glance.facts(keyed) };
            let life = self.lives.entry(dispatch).or_insert(new);
            *life = Life { opened: life.opened || opened, ..new };
        }
    }

    /// Compares the end with the one that it should have.
    pub(super) fn finish(&mut self, claimed: Head) {
        if !self.blind {
            self.faults.extend(self.verifier.finish(claimed).err());
        }
    }

    /// Returns the walk over both parts.
    pub(super) fn followed_by(mut self, mut later: Self) -> Self {
        for (dispatch, life) in later.lives {
            let known = self.lives.entry(dispatch).or_insert(life);
            *known = Life { opened: known.opened || life.opened, ..life };
        }
        self.faults.append(&mut later.faults);
        self.notes.append(&mut later.notes);
        self.remarks.append(&mut later.remarks);
        self.cleanups.append(&mut later.cleanups);
        Self {
            verifier: later.verifier,
            blind: later.blind,
            records: self.records + later.records,
            first: if self.first == 0 { later.first } else { self.first },
            expected: self.expected.with(later.expected),
            sealed: later.sealed.or(self.sealed),
            last_gap: later.last_gap.or(self.last_gap),
            ..self
        }
    }
}
