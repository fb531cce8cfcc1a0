//! Tools that dispatch one task to one agent: waited for or not, in a conversation or not.

use std::time::Duration;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::redact::one_line;
use crate::daemon::protocol::ProgressView;
use crate::dispatch::{Awaited, DispatchError, Patience};
use crate::document::progress as lines;
use crate::document::question::{Question, Wish};
use crate::document::{ANSWER_CHARS_MAX, DispatchDocument, Extent};
use crate::error::Report;
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, progress, refusal, schema};
use crate::model::request::Sharing;
use crate::model::{Asker, DispatchRequest, Settings};

/// What Claude Code is told about the length of answers: ours are cut at `max_answer_chars`, which may be set up to this.
pub(super) fn answers_may_be_long() -> MetaObject {
    MetaObject(rmcp::object!({ "anthropic/maxResultSizeChars": ANSWER_CHARS_MAX }))
}

/// Longest number of a call that is recorded, in characters.
const TOOL_USE_CHARS: usize = 100;

/// What a dispatch takes whose answer comes back.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DispatchArguments {
    #[serde(flatten)]
    pub(super) question: Question,
    #[serde(flatten)]
    wish: Wish,
}

/// What a dispatch takes that goes on with a conversation.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SessionArguments {
    #[serde(flatten)]
    pub(super) asked: DispatchArguments,
    /// The conversation to go on with, as a result named it; empty starts a new one.
    #[serde(default)]
    pub(super) session_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct AsyncArguments {
    #[serde(flatten)]
    question: Question,
    /// A conversation with this agent to go on with.
    #[serde(default)]
    session_id: String,
}

routes!(dispatch_routes: dispatch, dispatch_session, dispatch_stream, dispatch_async);

#[cfg_attr(test, rmcp::tool_router(router = dispatch_tools, vis = "pub(super)"))]
impl Server {
    /// Runs a task as a separate Claude Code session in an agent's directory and waits for the answer. A long one comes
    /// back as `status: "running"` with a `job_id` and goes on by itself: collect it with `dispatch_wait`. Asking the same
    /// again joins the running one; a recent answer to the same question is served from the cache (`cached: true`).
    #[tool(
        title = "Dispatch a task",
        output_schema = schema::of::<DispatchDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = false, open_world_hint = true),
        meta = answers_may_be_long()
    )]
    async fn dispatch(
        &self,
        Parameters(asked): Parameters<DispatchArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        self.ask(asked, String::new(), Sharing::CacheAndJoin, &context).await
    }

    /// Asks an agent within a conversation: the agent remembers what was said in it before. Without `session_id` it starts a
    /// new one, and the result names it. Always runs: never from the cache, never joined. One dispatch at a time goes on with
    /// a conversation.
    #[tool(
        title = "Dispatch in a conversation",
        output_schema = schema::of::<DispatchDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = false, open_world_hint = true),
        meta = answers_may_be_long()
    )]
    async fn dispatch_session(
        &self,
        Parameters(asked): Parameters<SessionArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        self.ask(asked.asked, asked.session_id, Sharing::Never, &context).await
    }

    /// Dispatches like `dispatch`, but never answers from the cache: for when the answer must be of now. Progress is told
    /// while it runs (as on every tool that dispatches or waits); an identical one that is under way is joined.
    #[tool(
        title = "Dispatch a task afresh",
        output_schema = schema::of::<DispatchDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = false, open_world_hint = true),
        meta = answers_may_be_long()
    )]
    async fn dispatch_stream(
        &self,
        Parameters(asked): Parameters<DispatchArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        self.ask(asked, String::new(), Sharing::Join, &context).await
    }

    /// Starts a task in an agent's directory and returns its `job_id` at once. It runs to its end even if this session
    /// closes. Collect the answer with `dispatch_wait(job_id)`; several ids at once are fine.
    #[tool(
        title = "Dispatch a task in the background",
        output_schema = schema::of::<DispatchDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = false, open_world_hint = true)
    )]
    async fn dispatch_async(
        &self,
        Parameters(asked): Parameters<AsyncArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let sharing = if asked.session_id.is_empty() { Sharing::Join } else { Sharing::Never };
        match DispatchRequest::new(asked.question.in_session(asked.session_id), sharing) {
            Ok(request) => self.run(&request, Patience::None, Extent::Whole { chars_max: 0 }, &context).await,
            Err(problems) => refusal(&Report::from(problems)),
        }
    }
}

impl Server {
    /// Dispatches and waits, as long as a call should.
    async fn ask(
        &self,
        asked: DispatchArguments,
        session_id: String,
        sharing: Sharing,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let wanted = asked.wish.wanted();
        let request = match DispatchRequest::new(asked.question.in_session(session_id), sharing) {
            Ok(request) => request,
            Err(problems) => return refusal(&Report::from(problems)),
        };
        let settings = match self.frontend.config() {
            Ok(config) => config.settings.clone(),
            Err(error) => return refusal(&Report::from(&*error)),
        };
        let extent = wanted.extent(settings.max_answer_chars as usize);
        self.run(&request, inline_wait(&settings), extent, context).await
    }

    async fn run(
        &self,
        request: &DispatchRequest,
        patience: Patience,
        extent: Extent,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let client = Self::asker(context);
        let agent = request.agent.as_str();
        let outcome = progress::telling(context, lines::waits(agent), async |line| {
            let mut step = |_, view: &ProgressView| line.step(agent, view);
            let cancelled = self.taken_back(&context.ct);
            let awaited = Awaited { patience, portion: extent.portion() };
            self.frontend.dispatch(request, &client, awaited, &mut step, cancelled).await
        });
        match outcome.await {
            Ok(dispatched) => outcome_of(&DispatchDocument::dispatched(&dispatched, extent)),
            // A refusal is told as one among several is: with all that a failed run says, and the id of its record.
            outcome @ Err(DispatchError::Refused { .. }) => {
                failure(&DispatchDocument::outcome(agent, &outcome, extent))
            }
            Err(error) => refusal(&Report::from(error)),
        }
    }

    /// Returns who makes this call, and what it is part of.
    pub(super) fn asker(context: &RequestContext<RoleServer>) -> Asker {
        let text = |key: &str| context.meta.get(key).and_then(Value::as_str);
        Asker {
            client: Self::client(context),
            tool_use: text("claudecode/toolUseId").map(|id| one_line(id, TOOL_USE_CHARS)),
            traceparent: text("traceparent").and_then(|trace| trace.parse().ok()),
        }
    }

    /// Returns the client of this call, as it names itself.
    pub(super) fn client(context: &RequestContext<RoleServer>) -> String {
        context.client_info().map_or_else(
            || "mcp".to_owned(),
            |info| {
                let (name, version): (String, String) =
                    (info.name.chars().take(60).collect(), info.version.chars().take(40).collect());
                format!("{name} {version}")
            },
        )
    }
}

/// Returns how long a call waits inline.
pub(super) fn inline_wait(settings: &Settings) -> Patience {
    match settings.inline_wait_seconds {
        0 => Patience::ToTheEnd,
        seconds => Patience::AtMost(Duration::from_secs(seconds.into())),
    }
}

/// Returns a result: one that failed is an error of the tool.
fn outcome_of(document: &DispatchDocument) -> CallToolResult {
    if document.success == Some(false) { failure(document) } else { answer(document) }
}

/// Returns a document as an error of the tool: all of it as text, which is what a client then shows.
pub(super) fn failure<T: Serialize>(document: &T) -> CallToolResult {
    let text = serde_json::to_string(document).unwrap_or_default();
    CallToolResult::error(vec![ContentBlock::text(text)])
}
