//! Puts request, agent, settings and surroundings together: the one maker of a [`RunPlan`].

use std::path::{Path, PathBuf};

use crate::cache::Fingerprint;
use crate::model::agent::ProfileInForce;
use crate::model::request::Sharing;
use crate::model::{
    Agent, BudgetLimit, Caller, Digest, DispatchRequest, Group, JobId, ResponseFormat, SessionId, Settings,
    TraceParent,
};
use crate::plan::arguments::{ARGUMENT_BYTES_MAX, Arguments, arguments};
use crate::plan::{EnvironmentRule, Expects, Refusal, RunPlan, prompt, refusal, schema};

/// Most that `claude` reads from its standard input; a request leaves room for headings, but a group adds its own context.
const PROMPT_BYTES_MAX: usize = 10_000_000;

/// Everything a plan is made of.
#[derive(Debug)]
pub struct Question<'a> {
    /// The job it would be.
    pub job: JobId,
    /// The conversation it would start; not used when the request goes on with one.
    pub session: SessionId,
    /// What is asked for.
    pub request: &'a DispatchRequest,
    /// The agent, or why there is none of that name.
    pub agent: Result<&'a Agent, UnknownAgent>,
    /// The settings.
    pub settings: &'a Settings,
    /// The groups that there are.
    pub groups: &'a [Group],
    /// Who asks.
    pub caller: &'a Caller,
    /// What was found on this machine.
    pub surroundings: &'a Surroundings,
}

/// Why there is no agent of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownAgent {
    /// The agents that there are.
    pub known: Vec<String>,
    /// If the agent is configured: the mistake that disables it.
    pub broken: Option<String>,
}

/// What was found on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The `claude` program.
    pub claude: Option<PathBuf>,
    /// The agent's directory, resolved; `None` when it is missing or no directory.
    pub directory: Option<PathBuf>,
    /// Names under which this program is registered as MCP server.
    pub own_servers: Vec<String>,
}

/// A dispatch that may run.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: RunPlan,
    /// What the run reads on its standard input.
    pub prompt: String,
    /// Equal for equal questions to equal agents, whoever asks.
    pub digest: Digest,
    /// Equal where the answer of one may be given to the other; `None` when this one shares with nobody.
    pub key: Option<Digest>,
    /// What the caller should know of what will not be done as asked.
    pub notes: Vec<String>,
}

/// Returns the plan for what is asked, or why it may not run.
pub fn plan(question: &Question<'_>) -> Result<Planned, Refusal> {
    let Question { request, settings, caller, surroundings, .. } = question;
    let (agent, group) = addressed(request, &question.agent, question.groups)?;
    admit(question, agent)?;
    let Some(program) = surroundings.claude.clone() else {
        return Err(refusal::no_claude(settings.claude_path.as_deref()));
    };
    let directory = surroundings.directory.clone().ok_or_else(|| refusal::no_directory(agent))?;
    let profile = profile(agent, settings, request);
    check_profile(agent, &profile)?;
    let system = prompt::system(agent, request, &profile, settings.dispatch_protocol);
    if let Some(text) = system.as_deref() {
        check_system(agent, text)?;
    }
    let (expects, reduced) = expects(&request.response_format)?;
    let (session, resumed) = match &request.resume {
        Some(session) => (session.clone(), true),
        None => (question.session.clone(), false),
    };
    // At the last level the session gets no server of ours: it could only be refused, and would pay for its start.
    let last_level = caller.depth.saturating_add(1) >= settings.max_dispatch_depth;
    let args = arguments(&Arguments {
        session: &session,
        resumed,
        profile: &profile,
        denied_servers: if last_level { &surroundings.own_servers } else { &[] },
        system: system.as_deref(),
        schema: reduced.as_ref().map(|reduced| reduced.schema.as_str()),
    });
    let digest = digest(agent, request, group, &profile, &directory);
    let shared = request.sharing != Sharing::Never && !resumed;
    let key = shared.then(|| key(digest, request, settings, last_level));
    let plan = RunPlan {
        job: question.job,
        agent: agent.name.clone(),
        program,
        args,
        directory,
        environment: EnvironmentRule {
            inherit: agent.env.inherit.clone(),
            deny: agent.env.deny.clone(),
            set: agent.env.set.clone(),
        },
        session,
        resumed,
        timeout_ms: profile.timeout_seconds.saturating_mul(1000),
        stall_ms: u64::from(settings.stall_seconds).saturating_mul(1000),
        expects,
        profile,
        trace: TraceParent::of_run(question.caller.traceparent, question.job),
    };
    let prompt = prompt::prompt(request, group);
    if prompt.len() > PROMPT_BYTES_MAX {
        return Err(refusal::prompt_too_long(prompt.len(), PROMPT_BYTES_MAX));
    }
    let notes = reduced.map(|reduced| notes(&reduced)).unwrap_or_default();
    Ok(Planned { plan, prompt, digest, key, notes })
}

/// Returns the agent and the group that a request names, or which of them there is not. Nothing else is looked at: not who
/// asks, nor whether it could run.
pub fn addressed<'a>(
    request: &DispatchRequest,
    agent: &Result<&'a Agent, UnknownAgent>,
    groups: &'a [Group],
) -> Result<(&'a Agent, Option<&'a Group>), Refusal> {
    let agent = agent.as_ref().map_err(|unknown| refusal::unknown_agent(&request.agent, unknown))?;
    let Some(name) = &request.group else { return Ok((agent, None)) };
    match groups.iter().find(|group| group.name == *name) {
        None => Err(refusal::unknown_group(name, groups)),
        Some(group) if group.members.iter().any(|member| member.agent == agent.name) => {
            Ok((agent, Some(group)))
        }
        Some(group) => Err(refusal::not_a_member(&agent.name, group)),
    }
}

/// Checks what has to do with who asks.
fn admit(question: &Question<'_>, agent: &Agent) -> Result<(), Refusal> {
    let Question { request, settings, caller, .. } = question;
    if caller.depth >= settings.max_dispatch_depth {
        return Err(refusal::too_deep(caller.depth, settings.max_dispatch_depth));
    }
    match agent.callers.as_deref() {
        Some(allowed) if !is_among(caller, &request.caller, allowed) => {
            Err(refusal::caller_not_allowed(agent, allowed))
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns whether the caller is one of `allowed`: by the name it gives itself, by its client's name (with or without the
/// version), or by the last part of its project directory. It keeps honest callers to the plan; it is no lock.
fn is_among(caller: &Caller, requested_as: &str, allowed: &[String]) -> bool {
    let folder = caller.directory.as_deref().and_then(|path| Path::new(path).file_name()?.to_str());
    let client = caller.client.split([' ', '/']).next();
    let names =
        [caller.declared.as_deref(), Some(requested_as), Some(caller.client.as_str()), client, folder];
    names
        .into_iter()
        .flatten()
        .map(str::trim)
        .any(|name| !name.is_empty() && allowed.iter().any(|one| one == name))
}

/// Puts together what the run is allowed: the call's word, else the agent's, else the settings'.
fn profile(agent: &Agent, settings: &Settings, request: &DispatchRequest) -> ProfileInForce {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let own_timeout = agent.timeout.filter(|seconds| *seconds > 0);
    ProfileInForce {
        model: filled(&agent.model),
        permission_mode: filled(&agent.permission_mode).or_else(|| filled(&settings.default_permission_mode)),
        allowed_tools: agent
            .allowed_tools
            .clone()
            .or_else(|| Some(settings.default_allowed_tools.clone()).filter(|tools| !tools.is_empty())),
        disallowed_tools: agent
            .disallowed_tools
            .clone()
            .unwrap_or_else(|| settings.default_disallowed_tools.clone()),
        max_budget_usd: match agent.max_budget {
            BudgetLimit::Inherit => settings.default_max_budget_usd,
            BudgetLimit::Unlimited => None,
            BudgetLimit::Usd(cap) => Some(cap),
        },
        timeout_seconds: request.timeout.map_or_else(
            || u64::from(own_timeout.unwrap_or(settings.default_timeout)),
            |timeout| timeout.as_secs(),
        ),
    }
}

/// Refuses values that the command line of `claude` would take for something else.
fn check_profile(agent: &Agent, profile: &ProfileInForce) -> Result<(), Refusal> {
    let check = |field: &str, value: &str| {
        let problem = if value.starts_with('-') {
            "`claude` would take for an option"
        } else if value.trim().is_empty() {
            "is blank"
        } else if value.contains('\0') {
            "contains a NUL character"
        } else {
            return Ok(());
        };
        Err(refusal::bad_value(&agent.name, field, value, problem))
    };
    profile.model.iter().try_for_each(|model| check("model", model))?;
    profile.permission_mode.iter().try_for_each(|mode| check("permission_mode", mode))?;
    profile.allowed_tools.iter().flatten().try_for_each(|tool| check("allowed_tools", tool))?;
    profile.disallowed_tools.iter().try_for_each(|tool| check("disallowed_tools", tool))?;
    match profile.max_budget_usd {
        Some(cap) if !cap.is_finite() || cap <= 0.0 => Err(refusal::bad_value(
            &agent.name,
            "max_budget_usd",
            &cap.to_string(),
            "is not an amount above 0",
        )),
        Some(_) | None => Ok(()),
    }
}

fn check_system(agent: &Agent, text: &str) -> Result<(), Refusal> {
    if text.contains('\0') {
        return Err(refusal::bad_value(&agent.name, "instructions", text, "contains a NUL character"));
    }
    if text.len() > ARGUMENT_BYTES_MAX {
        return Err(refusal::too_long(&agent.name, text.len(), ARGUMENT_BYTES_MAX));
    }
    Ok(())
}

fn expects(format: &ResponseFormat) -> Result<(Expects, Option<schema::Reduced>), Refusal> {
    match format {
        ResponseFormat::Text => Ok((Expects::Text, None)),
        ResponseFormat::Json => Ok((Expects::Json, None)),
        ResponseFormat::Schema(given) => {
            let reduced = schema::reduce(given).map_err(|problem| refusal::bad_schema(&problem))?;
            let original = serde_json::Value::Object(given.clone()).to_string();
            Ok((Expects::Schema(original), Some(reduced)))
        }
    }
}

fn notes(reduced: &schema::Reduced) -> Vec<String> {
    match reduced.dropped.as_slice() {
        [] => Vec::new(),
        dropped => {
            let dropped = dropped.join(", ");
            vec![format!(
                "claude is not told these parts of the JSON Schema, only its answer is checked: {dropped}"
            )]
        }
    }
}

/// Of the agent only what its answers depend on: they stay good when it is described in other words, or may be asked by others
/// or for longer.
fn digest(
    agent: &Agent,
    request: &DispatchRequest,
    group: Option<&Group>,
    profile: &ProfileInForce,
    directory: &Path,
) -> Digest {
    let profile = ProfileInForce { timeout_seconds: 0, ..profile.clone() };
    let Agent {
        name,
        instructions,
        env,
        // In what is in force.
        directory: _,
        max_budget: _,
        model: _,
        permission_mode: _,
        allowed_tools: _,
        disallowed_tools: _,
        // For whoever asks.
        description: _,
        capabilities: _,
        risky_capabilities: _,
        timeout: _,
        max_concurrency: _,
        callers: _,
        budget: _,
    } = agent;
    let as_json = |value: serde_json::Result<String>| value.expect("names and texts always become JSON");
    Fingerprint::new("agent-dispatch 2026 question v1")
        .field("agent", name.as_str())
        .field("instructions", instructions)
        .field("environment", as_json(serde_json::to_string(env)))
        .field("profile", as_json(serde_json::to_string(&profile)))
        .field("directory", directory.as_os_str().as_encoded_bytes())
        .field("task", &request.task)
        .field("context", prompt::context(request, group))
        .field("goal", &request.goal)
        .optional("resume", request.resume.as_ref().map(SessionId::as_str))
        .field(
            "format",
            match &request.response_format {
                ResponseFormat::Text => "text".to_owned(),
                ResponseFormat::Json => "json".to_owned(),
                ResponseFormat::Schema(schema) => as_json(serde_json::to_string(schema)),
            },
        )
        .finish()
}

/// Adds to the digest what else the answer depends on: the words about the caller, and what the session may do.
fn key(digest: Digest, request: &DispatchRequest, settings: &Settings, last_level: bool) -> Digest {
    Fingerprint::new("agent-dispatch 2026 shared answer v1")
        .field("question", digest.as_bytes())
        .field("caller", &request.caller)
        .field("protocol", [u8::from(settings.dispatch_protocol)])
        .field("last level", [u8::from(last_level)])
        .finish()
}

#[cfg(test)]
mod tests;
