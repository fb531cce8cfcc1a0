//! `dispatch --plan`: what a dispatch would come to.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::budget::usd;
use crate::cli::render::{fact, print_json, print_text};
use crate::dispatch::Frontend;
use crate::document::plan::{PlanDocument, TypicalDocument};
use crate::error::{Kind, Report};
use crate::model::{DispatchRequest, Timestamp};

/// Shows what a dispatch would come to. Exits as the dispatch would that is refused.
pub(super) async fn show(
    frontend: &Frontend,
    request: &DispatchRequest,
    as_json: bool,
) -> Result<ExitCode, Report> {
    let prospect = frontend.consider(request, super::CLIENT).await?;
    let document = PlanDocument::of(request.agent.as_str(), prospect, Timestamp::now());
    if as_json {
        print_json(&document)?;
    } else {
        print_text(&told(&document))?;
    }
    let refused = document.verdict == "refused";
    Ok(if refused { ExitCode::from(Kind::Refused.exit_code()) } else { ExitCode::SUCCESS })
}

fn told(plan: &PlanDocument) -> String {
    let mut text = String::new();
    let mut say = |label: &str, said: Option<String>| {
        text.extend(said.filter(|said| !said.is_empty()).map(|said| fact(label, &said)));
    };
    say("agent", Some(plan.agent.clone()));
    say("verdict", Some(verdict(plan)));
    say("why", plan.reason.clone());
    say("hint", plan.hint.clone());
    if let Some(profile) = &plan.profile {
        say("directory", Some(profile.directory.clone()));
        say("model", profile.model.clone());
        say("permissions", profile.permission_mode.clone());
        say("may use", profile.allowed_tools.as_deref().map(|tools| named(tools, "nothing")));
        say("may not use", Some(named(&profile.disallowed_tools, "")));
        say("may spend", profile.max_budget_usd.map(usd));
        say("may take", Some(format!("{} s", profile.timeout_seconds)));
    }
    if let Some(places) = &plan.places {
        let mut held = format!("{} of {} in use", places.in_use, places.everyone);
        if let Some(most) = places.of_agent {
            let _infallible = write!(held, ", {} of {most} of this agent", places.of_agent_in_use);
        }
        say("places", Some(format!("{held}, {} waiting", places.waiting)));
    }
    for budget in &plan.budgets {
        let whose = budget.agent.as_deref().unwrap_or("all agents");
        let left = format!("{} left of {} ({whose})", usd(budget.left_usd), usd(budget.limit_usd));
        say(&format!("this {}", budget.period), Some(left));
    }
    for (label, said) in plan.typical.iter().flat_map(usually) {
        say(label, Some(said));
    }
    for note in &plan.notes {
        say("note", Some(note.clone()));
    }
    text
}

/// Returns what dispatches usually take, and a limit that would leave room where there is none, each with its label.
pub(super) fn usually(typical: &TypicalDocument) -> Vec<(&'static str, String)> {
    let cost = typical.median_cost_usd.map(|cost| format!(", {}", usd(cost))).unwrap_or_default();
    let failed = typical.failed.map(|failed| format!(", {failed} failed")).unwrap_or_default();
    let usual = format!(
        "{} s{cost}; nine of ten within {} s (of the last {}{failed})",
        typical.median_seconds,
        typical.p90_seconds,
        typical.dispatches.unwrap_or_default()
    );
    let limit = typical.suggested_timeout_seconds.map(|seconds| ("better limit", format!("{seconds} s")));
    [("usually", usual)].into_iter().chain(limit).collect()
}

fn verdict(plan: &PlanDocument) -> String {
    let by = plan.answered_by.as_deref().unwrap_or_default();
    let age = plan.age_seconds.unwrap_or_default();
    match plan.verdict.as_str() {
        "hit" => format!("answered from the cache, by job {by} {age:.0} s ago"),
        "join" => format!("joins job {by}, under way for {age:.0} s"),
        "run" if plan.resumed == Some(true) => "runs, and goes on with the conversation".to_owned(),
        "run" => "runs".to_owned(),
        other => other.to_owned(),
    }
}

fn named(tools: &[String], none: &str) -> String {
    if tools.is_empty() { none.to_owned() } else { tools.join(", ") }
}
