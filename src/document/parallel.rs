//! Several dispatches, as both doors tell them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::dispatch::{Dispatched, Outcome};
use crate::document::{DispatchDocument, Extent, Measure};
use crate::plan::merge::Part;

/// Most jobs of one wait.
pub(crate) const JOBS_OF_ONE_WAIT: usize = 100;

/// What of an answer is returned, as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// A reference, and so many of its first characters.
    Reference(usize),
}

impl Wanted {
    /// Returns how much of one answer is returned when it may be as long as `chars_max`.
    pub(crate) fn extent(self, chars_max: usize) -> Extent {
        match self {
            Self::Whole => Extent::Whole { chars_max },
            Self::Reference(chars) => Extent::Reference { summary_chars: chars.min(chars_max), chars_max },
        }
    }
}

/// Several dispatches, and what one agent made of their answers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ParallelDocument {
    /// One result for each dispatch, in the order of asking. A failure, a refusal included, is one of them.
    pub(crate) individual_results: Vec<DispatchDocument>,
    /// What the aggregating agent made of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aggregated: Option<DispatchDocument>,
    /// What to do now, while some of them run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

impl ParallelDocument {
    /// Returns how several dispatches came out: `agents` and `wanted` in their order, and all answers together no longer
    /// than a client takes.
    pub(crate) fn of(
        items: &[(&str, Wanted)],
        outcomes: &[Outcome],
        aggregated: Option<(&str, &Outcome)>,
        answer_chars: usize,
    ) -> Self {
        let chars_max = Self::chars_of_each(outcomes.len() + usize::from(aggregated.is_some()), answer_chars);
        let individual = items.iter().zip(outcomes).map(|((agent, wanted), outcome)| {
            DispatchDocument::outcome(agent, outcome, wanted.extent(chars_max))
        });
        let aggregated = aggregated
            .map(|(agent, outcome)| DispatchDocument::outcome(agent, outcome, Extent::Whole { chars_max }));
        Self { individual_results: individual.collect(), aggregated, message: None }
    }

    /// Returns how long each of so many answers may be when one alone may have so many characters.
    pub(crate) fn chars_of_each(count: usize, answer_chars: usize) -> usize {
        match answer_chars {
            usize::MAX => usize::MAX,
            some => Measure::each_of(count, some).answer_chars,
        }
    }

    /// Says what to do with those that still run.
    pub(crate) fn with_running(mut self, aggregate: &str) -> Self {
        let running: Vec<&str> = self
            .individual_results
            .iter()
            .filter(|one| one.success.is_none())
            .map(|one| one.job_id.as_str())
            .collect();
        if running.is_empty() {
            return self;
        }
        // As many as one wait takes.
        let first: Vec<&str> = running.iter().copied().take(JOBS_OF_ONE_WAIT).collect();
        let (count, ids) = (running.len(), first.join(","));
        let then = match aggregate {
            "" => String::new(),
            name => format!(
                " Nothing was aggregated: when all have ended, send the same call again (what has ended comes from the cache), \
                 or give their answers to `{name}` with dispatch."
            ),
        };
        self.message = Some(format!(
            "{count} of {} still run, by themselves. Wait for them with dispatch_wait(job_id=\"{ids}\").{then}",
            self.individual_results.len()
        ));
        self
    }

    /// Returns whether not one of them came to anything.
    pub(crate) fn all_failed(&self) -> bool {
        self.individual_results.iter().all(|one| one.success == Some(false))
    }
}

/// Returns one of several dispatches as a part of what an agent is to put together; nothing while it runs.
pub(crate) fn part(agent: &str, wanted: Wanted, outcome: &Outcome) -> Option<Part> {
    match outcome {
        Ok(Dispatched::Running(..)) => None,
        Ok(Dispatched::Ended(ended)) => {
            // All of it is there: none of what is put together was asked for in part.
            let size = ended.answer.text.chars().count();
            let shown = match wanted {
                Wanted::Whole => size,
                Wanted::Reference(chars) => chars.min(size),
            };
            Some(Part {
                agent: agent.to_owned(),
                success: ended.job.error().is_none(),
                outcome: ended.job.result.as_ref().and_then(|result| result.outcome),
                text: super::head(&ended.answer.text, shown).to_owned(),
                preview_of: (shown < size).then_some(size as u64),
                error: ended.job.error(),
            })
        }
        Err(error) => {
            let error = Some(crate::model::with_causes(error));
            Some(Part { agent: agent.to_owned(), error, ..Part::default() })
        }
    }
}

#[cfg(test)]
mod tests;
