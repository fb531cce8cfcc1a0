//! The tool that lets two agents talk with each other.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::tool;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Config;
use crate::daemon::protocol::ProgressView;
use crate::dispatch::check_names;
use crate::document::dialogue::DialogueDocument;
use crate::document::progress as lines;
use crate::error::{Kind, Report};
use crate::mcp::dispatching::{Wish, answers_may_be_long, failure, inline_wait};
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, progress, refusal, schema};
use crate::model::DispatchRequest;
use crate::model::request::{RawRequest, Sharing};
use crate::plan::dialogue::{Dialogue, Side, Stop};

#[derive(Debug, Deserialize, JsonSchema)]
struct DialogueArguments {
    /// The agent that brings up the topic.
    requester: String,
    /// The agent that is asked; it speaks first.
    responder: String,
    /// What is to be settled, complete in itself.
    topic: String,
    /// Background: findings, file contents, constraints. Both get it once, before the topic.
    #[serde(default)]
    context: String,
    /// Most rounds, 1 to 10; in each, both speak once.
    #[serde(default = "rounds")]
    #[schemars(range(min = 1, max = 10))]
    max_rounds: i64,
    /// Seconds each turn may take, 10 to 7200; 0 takes each agent's own limit.
    #[serde(default)]
    #[schemars(range(min = 0, max = 7200))]
    timeout_seconds: i64,
    /// A group of which both are members: its shared context is added.
    #[serde(default)]
    group: String,
    /// For whom they talk, for the agents and for the audit trail.
    #[serde(default)]
    caller: String,
    #[serde(flatten)]
    wish: Wish,
}

const fn rounds() -> i64 {
    3
}

routes!(dialogue_routes: dispatch_dialogue);

#[cfg_attr(test, rmcp::tool_router(router = dialogue_tools, vis = "pub(super)"))]
impl Server {
    /// Lets two agents settle something between their projects, such as an interface or a version: they answer each other in
    /// turns, each in its own conversation, until one declares it resolved, a turn fails, or the rounds are over. Every turn
    /// is a dispatch; plan for minutes. What takes long comes back as `status: "wait_over"` with the turns so far: the last may be `running`
    /// and goes on by itself, and `message` says how to go on. With `return_ref`, turns are references and summaries, and
    /// only `final_answer` is a whole text.
    #[tool(
        title = "Let two agents talk",
        output_schema = schema::of::<DialogueDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = false, open_world_hint = true),
        meta = answers_may_be_long()
    )]
    async fn dispatch_dialogue(
        &self,
        Parameters(asked): Parameters<DialogueArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let config = match self.frontend.config() {
            Ok(config) => config,
            Err(error) => return refusal(&Report::from(&*error)),
        };
        let (wanted, responder) = (asked.wish.wanted(), asked.responder.clone());
        let mut dialogue = match opened(&config, asked) {
            Ok(dialogue) => dialogue,
            Err(report) => return refusal(&report),
        };
        let client = Self::asker(&context);
        let who = |round: usize, side: Side, agent: &str| format!("round {round}, {} {agent}", side.as_str());
        let first = lines::waits(&who(1, Side::Responder, &responder));
        let talked = progress::telling(&context, first, async |line| {
            let mut step = |round: usize, side: Side, agent: &str, view: &ProgressView| {
                line.step(&who(round, side, agent), view);
            };
            // As much as for so many dispatches one after the other.
            let patience = inline_wait(&config.settings).times(dialogue.turns_max());
            let cancelled = self.taken_back(&context.ct);
            self.frontend.dialogue(&mut dialogue, &client, patience, &mut step, cancelled).await
        });
        let turns = match talked.await {
            Ok(turns) => turns,
            Err(error) => return refusal(&Report::from(error)),
        };
        let (ending, chars) = (dialogue.ending(), config.settings.max_answer_chars as usize);
        let document = DialogueDocument::of(&turns, &ending, wanted, chars);
        if ending.stop == Stop::Failed { failure(&document) } else { answer(&document) }
    }
}

/// Returns the dialogue that is asked for, or everything that is wrong with it.
fn opened(config: &Config, asked: DialogueArguments) -> Result<Dialogue, Report> {
    let mut problems = Vec::new();
    let (group, caller) = (&asked.group, &asked.caller);
    let mut side = |field: &str, agent: String| {
        let raw = RawRequest {
            agent,
            task: "x".to_owned(),
            group: group.clone(),
            caller: caller.clone(),
            ..RawRequest::default()
        };
        let request = valid(field, raw, &mut problems)?;
        if let Err(refusal) = check_names(config, &request) {
            problems.push(format!("`{field}`: {refusal} ({})", refusal.hint));
        }
        Some(request.agent)
    };
    let requester = side("requester", asked.requester);
    let responder = side("responder", asked.responder);
    let topic = RawRequest {
        agent: "x".to_owned(),
        task: asked.topic.clone(),
        context: asked.context.clone(),
        ..RawRequest::default()
    };
    let _only_its_problems = valid("topic", topic, &mut problems);
    match (requester, responder) {
        (Some(requester), Some(responder)) if problems.is_empty() => {
            let dialogue = Dialogue::new(requester, responder, asked.topic, asked.max_rounds);
            Ok(dialogue.with(RawRequest {
                context: asked.context,
                caller: asked.caller,
                group: asked.group,
                timeout_seconds: asked.timeout_seconds,
                ..RawRequest::default()
            }))
        }
        _ => {
            let hint = "Correct the named fields and send it again; list_agents tells who can be asked.";
            Err(Report::new(Kind::Usage, "invalid_request", problems.join("; "), hint))
        }
    }
}

/// Returns the request that one field makes, or notes what is wrong with it; what is wrong for both sides, once.
fn valid(field: &str, raw: RawRequest, problems: &mut Vec<String>) -> Option<DispatchRequest> {
    match DispatchRequest::new(raw, Sharing::Never) {
        Ok(request) => Some(request),
        Err(bad) => {
            for bad in bad {
                let field =
                    if matches!(bad.field, "group" | "caller" | "context") { bad.field } else { field };
                let problem = format!("`{field}` {}", bad.problem);
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
            None
        }
    }
}
