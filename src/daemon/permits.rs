//! Who may run now: a queue in order of arrival, decided without a clock or a process.
//!
//! One pool of places for each nesting depth, so that a parent that waits for its child never holds the place the
//! child needs. Beside that: at most as many starts at the same instant as there are cores (a start costs 0.4 s of
//! processor time), at most one run for each conversation (two resumes at once lose a branch), and the agent's own
//! bound. A ticket that is held back by its agent, its conversation or its depth does not hold back those behind it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::job::Places;
use crate::model::{JobId, SessionId};

/// A wish to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The job.
    pub job: JobId,
    /// How deep it is nested.
    pub depth: u32,
    /// How many may run beside it.
    pub places: Places,
    /// Its agent.
    pub agent: String,
    /// Its conversation.
    pub session: SessionId,
}

/// How full it is, seen by one who would like to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// Runs that hold a place at its depth.
    pub running: u32,
    /// Runs of its agent that hold a place, at any depth.
    pub of_agent: u32,
    /// Jobs that wait for a place at its depth.
    pub waiting: u32,
}

/// The queue and who holds a place.
#[derive(Debug)]
pub struct Permits {
    starts_max: usize,
    waiting: VecDeque<Ticket>,
    holding: BTreeMap<JobId, Ticket>,
    starting: BTreeSet<JobId>,
}

impl Permits {
    /// Returns an empty queue that lets `starts_max` runs start at the same instant.
    pub const fn new(starts_max: usize) -> Self {
        Self { starts_max, waiting: VecDeque::new(), holding: BTreeMap::new(), starting: BTreeSet::new() }
    }

    /// Puts a ticket at the end of the queue; nothing when its job waits or runs already.
    pub fn ask(&mut self, ticket: Ticket) {
        let known =
            self.holding.contains_key(&ticket.job) || self.waiting.iter().any(|it| it.job == ticket.job);
        if !known {
            self.waiting.push_back(ticket);
        }
    }

    /// Gives a place to a run that exists already (its daemon died, it did not), whatever the bounds.
    pub fn resume(&mut self, ticket: Ticket) {
        self.withdraw(ticket.job);
        self.holding.insert(ticket.job, ticket);
    }

    /// Takes the next job that may run out of the queue, and gives it its place.
    pub fn grant(&mut self) -> Option<JobId> {
        if self.starting.len() >= self.starts_max {
            return None;
        }
        let at = self.waiting.iter().position(|ticket| self.fits(ticket))?;
        let ticket = self.waiting.remove(at)?;
        let job = ticket.job;
        self.holding.insert(job, ticket);
        self.starting.insert(job);
        Some(job)
    }

    /// The job's start is over: its processor time is spent.
    pub fn started(&mut self, job: JobId) {
        self.starting.remove(&job);
    }

    /// The job no longer waits. If it has a place, it keeps it.
    pub fn withdraw(&mut self, job: JobId) {
        self.waiting.retain(|ticket| ticket.job != job);
    }

    /// The job neither waits nor runs any more.
    pub fn release(&mut self, job: JobId) {
        self.withdraw(job);
        self.holding.remove(&job);
        self.starting.remove(&job);
    }

    /// Returns how many wait.
    pub fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// Returns how full it is at this depth, and for this agent.
    pub fn crowd(&self, depth: u32, agent: &str) -> Crowd {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Crowd {
            running: count(self.holding.values().filter(|held| held.depth == depth).count()),
            of_agent: count(self.holding.values().filter(|held| held.agent == agent).count()),
            waiting: count(self.waiting.iter().filter(|ticket| ticket.depth == depth).count()),
        }
    }

    fn fits(&self, ticket: &Ticket) -> bool {
        let beside = |same: &dyn Fn(&Ticket) -> bool| self.holding.values().filter(|held| same(held)).count();
        let room = |held: usize, most: u32| u32::try_from(held).is_ok_and(|held| held < most);
        room(beside(&|held| held.depth == ticket.depth), ticket.places.everyone)
            && ticket.places.agent.is_none_or(|most| room(beside(&|held| held.agent == ticket.agent), most))
            && beside(&|held| held.session == ticket.session) == 0
    }
}

#[cfg(test)]
mod tests;
