//! What a dispatch would come to, as both doors tell it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::typical::Typical;
use crate::budget::Cap;
use crate::dispatch::Prospect;
use crate::job::Considered;
use crate::model::{JobId, Timestamp};

/// What a dispatch would come to. Nothing ran, and nothing was recorded.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(crate) struct PlanDocument {
    /// The agent that would be asked.
    pub(crate) agent: String,
    /// `run`, `hit` (answered from the cache), `join` (an identical dispatch is under way) or `refused`.
    pub(crate) verdict: String,
    /// Why it would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The class of that refusal, as `error_type` of a dispatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_type: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// The job whose answer would be served, or that would be joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answered_by: Option<String>,
    /// How old that answer is, or how long that job has been under way, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age_seconds: Option<f64>,
    /// Whether it would go on with a conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resumed: Option<bool>,
    /// What the run would be allowed; absent when it could not even be planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<ProfileDocument>,
    /// How many may run at once, and how many do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) places: Option<PlacesDocument>,
    /// What is left of the budgets it falls under; empty when there are none.
    pub(crate) budgets: Vec<BudgetDocument>,
    /// What the last dispatches to this agent took; absent when there were fewer than three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) typical: Option<TypicalDocument>,
    /// What would not be done as asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

/// What a run is allowed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ProfileDocument {
    /// The directory it works in.
    pub(crate) directory: String,
    /// The model; absent when `claude` chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// The permission mode; absent when `claude` chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) permission_mode: Option<String>,
    /// The tools it may use; absent for `claude`'s own default, empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_tools: Option<Vec<String>>,
    /// The tools it may not use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) disallowed_tools: Vec<String>,
    /// What it may spend, in US dollars; absent when there is no cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_budget_usd: Option<f64>,
    /// Seconds it may take.
    pub(crate) timeout_seconds: u64,
}

/// How many may run at once, and how many do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PlacesDocument {
    /// How many may run at once at this depth of nesting.
    pub(crate) everyone: u32,
    /// How many of them do.
    pub(crate) in_use: u32,
    /// How many of this agent may run at once; absent when it has no bound of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) of_agent: Option<u32>,
    /// How many of this agent do.
    pub(crate) of_agent_in_use: u32,
    /// How many wait for a place at this depth.
    pub(crate) waiting: u32,
}

/// A budget, and what is left of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct BudgetDocument {
    /// The agent whose budget it is; absent for that of all agents together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<String>,
    /// `day` or `month`.
    pub(crate) period: String,
    /// The cap, in US dollars.
    pub(crate) limit_usd: f64,
    /// What was spent.
    pub(crate) spent_usd: f64,
    /// What running dispatches may still spend.
    pub(crate) reserved_usd: f64,
    /// What is left.
    pub(crate) left_usd: f64,
}

/// What dispatches usually take.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct TypicalDocument {
    /// How many were looked at: the last ones, at most 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dispatches: Option<u32>,
    /// Half of them took no longer.
    pub(crate) median_seconds: f64,
    /// Nine of ten took no longer.
    pub(crate) p90_seconds: f64,
    /// Half of them cost no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) median_cost_usd: Option<f64>,
    /// How many failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<u32>,
    /// How many of the agents' own verdicts there were of each kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) outcomes: BTreeMap<String, u32>,
    /// A limit that would leave room, when the one in force does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suggested_timeout_seconds: Option<u64>,
}

impl PlanDocument {
    /// Returns what was considered.
    pub(crate) fn of(agent: &str, prospect: Prospect, now: Timestamp) -> Self {
        let Prospect { outlook, proposal, notes } = prospect;
        let mut document = Self { agent: agent.to_owned(), notes, ..Self::default() };
        document.verdict = match outlook.verdict {
            Considered::Refused(refusal) => {
                document.reason = Some(refusal.message);
                document.error_type = Some(refusal.class.to_string());
                document.hint = Some(refusal.hint);
                "refused"
            }
            Considered::Hit(job, since) => document.answered(job, since, now, "hit"),
            Considered::Join(job, since) => document.answered(job, since, now, "join"),
            Considered::Run => "run",
        }
        .to_owned();
        document.budgets = outlook.caps.iter().map(BudgetDocument::of).collect();
        let timeout = proposal.as_ref().map(|proposal| proposal.profile.timeout_seconds);
        document.typical = outlook.typical.map(|typical| TypicalDocument::of(typical, timeout));
        if let Some(proposal) = proposal {
            document.places = Some(PlacesDocument {
                everyone: proposal.places.everyone,
                in_use: outlook.crowd.running,
                of_agent: proposal.places.agent,
                of_agent_in_use: outlook.crowd.of_agent,
                waiting: outlook.crowd.waiting,
            });
            document.resumed = proposal.resumed.then_some(true);
            let profile = proposal.profile;
            document.profile = Some(ProfileDocument {
                directory: proposal.directory.display().to_string(),
                model: profile.model,
                permission_mode: profile.permission_mode,
                allowed_tools: profile.allowed_tools,
                disallowed_tools: profile.disallowed_tools,
                max_budget_usd: profile.max_budget_usd,
                timeout_seconds: profile.timeout_seconds,
            });
        }
        document
    }

    #[expect(clippy::cast_precision_loss, reason = "ages are far below 2^53 milliseconds")]
    fn answered(
        &mut self,
        job: JobId,
        since: Timestamp,
        now: Timestamp,
        verdict: &'static str,
    ) -> &'static str {
        self.answered_by = Some(job.to_string());
        self.age_seconds = Some(now.millis_since(since) as f64 / 1000.0);
        verdict
    }
}

impl BudgetDocument {
    fn of(cap: &Cap) -> Self {
        Self {
            agent: cap.agent.clone(),
            period: cap.period.as_str().to_owned(),
            limit_usd: cap.limit,
            spent_usd: cap.spent,
            reserved_usd: cap.reserved,
            left_usd: cap.left(),
        }
    }
}

impl TypicalDocument {
    pub(crate) fn of(typical: Typical, timeout_seconds: Option<u64>) -> Self {
        let suggested = typical.suggested_timeout_seconds();
        #[expect(clippy::cast_precision_loss, reason = "limits are at most some hours")]
        let short = timeout_seconds.is_some_and(|limit| typical.p90_seconds >= limit as f64);
        Self {
            dispatches: Some(typical.dispatches),
            median_seconds: typical.median_seconds,
            p90_seconds: typical.p90_seconds,
            median_cost_usd: typical.median_cost_usd,
            failed: (typical.failed > 0).then_some(typical.failed),
            outcomes: typical.outcomes,
            suggested_timeout_seconds: short.then_some(suggested),
        }
    }

    /// Returns as much of it as a list has room for.
    pub(crate) fn brief(self) -> Self {
        let (failed, suggested_timeout_seconds) = (None, None);
        Self { dispatches: None, failed, suggested_timeout_seconds, outcomes: BTreeMap::new(), ..self }
    }
}
