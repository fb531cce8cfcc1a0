//! The MCP server: tools over standard input and output, in both protocol eras.
//!
//! Tools live in the files beside this one, each file a router; to add a tool, add it to one of them. Arguments are
//! checked against the tools' own schemas here, in one place, and a panic in a tool still gives an answer.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rmcp::ErrorData;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer, ServerInitializeError, ServiceExt as _};
use rmcp::{ServerHandler, transport};
use tokio_util::sync::CancellationToken;

use crate::dispatch::Frontend;
use crate::error::{Kind, Report};

mod agents;
mod arguments;
mod dialogue;
mod dispatching;
mod jobs;
mod lines;
pub(crate) mod parallel;
mod planning;
mod progress;
mod schema;

/// How long handlers that are being cancelled may take when the server ends. Claude Code kills it 0.5 s after the first
/// signal; this leaves room for the process to exit.
const SHUTDOWN: Duration = Duration::from_millis(150);

/// What the model reads first. Claude Code cuts it at 2,048 characters.
const INSTRUCTIONS: &str = "\
Runs a task as a separate Claude Code session inside another project's directory, with that project's instructions, \
tools and permissions, and brings the answer back. Use it when the answer lives in another repository.

1. `list_agents` shows who can be asked; `inspect_agent` shows one project in detail.
2. `dispatch(agent, task)` asks and waits. Say in `task` everything the other session needs: it sees nothing of this \
conversation. `context` adds background, `goal` says what it is for.
3. A long task answers `status: \"running\"` with a `job_id` after a while and goes on by itself: call \
`dispatch_wait(job_id)`. Dispatching the very same task again joins the running one instead of paying twice.
4. Several tasks at once: `dispatch_parallel` waits for all of them, and can let one agent put the answers together; \
`dispatch_async` starts each in the background, and `dispatch_wait` with a list of ids collects them.
5. `dispatch_session` goes on with a conversation (`session_id` of any result). `dispatch_dialogue` lets two agents settle \
something between them. `dispatch_stream` never answers from the cache. `dispatch_plan` says what a dispatch would come \
to, without running it.

Read `outcome`: `done`, `partial` or `blocked` is the agent's own verdict. `denied_tools` names tools it was not \
allowed to use. On a failure read `error_type`, `hint` and `retry`. A timeout keeps `session_id`: the conversation can \
be gone on with. A long answer comes as its head with `truncated: true` and a `ref`: read the rest with `fetch_result`.";

/// The server of one client.
#[derive(Clone)]
pub struct Server {
    frontend: Arc<Frontend>,
    tools: Arc<ToolRouter<Self>>,
    closing: CancellationToken,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// Why a server ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client's first words were not the protocol's.
    #[error("the client did not speak the protocol: {0}")]
    Opening(String),
    /// Standard input or output failed.
    #[error("standard input or output failed")]
    Io(#[from] io::Error),
}

/// Serves MCP on standard input and output until the client closes it or a signal comes. Detached work goes on.
pub fn run(frontend: Frontend) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let (reader, writer) = transport::stdio_pipes();
        serve(frontend, reader, writer).await
    });
    // A blocked read of standard input must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(20));
    outcome
}

/// Serves MCP on these streams.
pub async fn serve<R, W>(frontend: Frontend, reader: R, writer: W) -> Result<(), ServeError>
where
    R: tokio::io::AsyncRead + Send + Sync + Unpin + 'static,
    W: tokio::io::AsyncWrite + Send + Sync + Unpin + 'static,
{
    let closing = CancellationToken::new();
    let signals = tokio::spawn(close_on_signal(closing.clone()));
    let server = Server::new(frontend, Server::all_tools(), closing.clone());
    let outcome = converse(server, lines::Lines::new(reader, writer, closing.clone()), closing).await;
    signals.abort();
    outcome
}

/// Lets a server and its client talk until either ends it.
async fn converse<R, W>(
    server: Server,
    lines: lines::Lines<R, W>,
    closing: CancellationToken,
) -> Result<(), ServeError>
where
    R: tokio::io::AsyncRead + Send + Sync + Unpin + 'static,
    W: tokio::io::AsyncWrite + Send + Sync + Unpin + 'static,
{
    let running = match server.serve_with_ct(lines, closing.clone()).await {
        Ok(running) => running,
        // It went before it said anything.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(_) if closing.is_cancelled() => return Ok(()),
        Err(error) => return Err(ServeError::Opening(error.to_string())),
    };
    let mut waiting = std::pin::pin!(running.waiting());
    tokio::select! {
        _ = &mut waiting => {}
        () = closing.cancelled() => {
            let _late = tokio::time::timeout(SHUTDOWN, waiting).await;
        }
    }
    Ok(())
}

async fn close_on_signal(closing: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    let any = futures_util::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv())));
    any.await;
    closing.cancel();
}

impl Server {
    fn new(frontend: Frontend, mut tools: ToolRouter<Self>, closing: CancellationToken) -> Self {
        schema::make_plain(&mut tools);
        Self { frontend: Arc::new(frontend), tools: Arc::new(tools), closing }
    }

    fn all_tools() -> ToolRouter<Self> {
        Self::agent_tools()
            + Self::dispatch_tools()
            + Self::parallel_tools()
            + Self::dialogue_tools()
            + Self::planning_tools()
            + Self::job_tools()
    }

    /// Calls a tool with arguments that fit its schema, or refuses.
    async fn call(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.tools.get(&request.name) else { return Err(self.no_such_tool(&request.name)) };
        let given = request.arguments.take().unwrap_or_default();
        match arguments::fit(given, &tool.input_schema) {
            Ok(fitting) => request.arguments = Some(fitting),
            Err(report) => return Ok(refusal(&report).into()),
        }
        let outcome = self.tools.call(ToolCallContext::new(self, request, context)).await?;
        Ok(arguments::misread(&outcome).map_or(outcome, |report| refusal(&report).into()))
    }

    fn no_such_tool(&self, name: &str) -> ErrorData {
        let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        let names: Vec<String> =
            self.tools.list_all().into_iter().map(|tool| tool.name.into_owned()).collect();
        ErrorData::invalid_params(format!("there is no tool `{shown}`; there are {}", names.join(", ")), None)
    }

    /// Resolves when the client takes a call back. When the whole server ends instead, the daemon sees the connection
    /// close and does what `on_disconnect` says.
    async fn taken_back(&self, call: &CancellationToken) {
        call.cancelled().await;
        if self.closing.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }
}

/// Returns an error as a result that the model can act on: its text is shown, nothing else.
fn refusal(report: &Report) -> CallToolResult {
    let hint = report.hints.join(" ");
    let document = serde_json::json!({ "error": report.message, "code": report.code, "hint": hint });
    CallToolResult::error(vec![ContentBlock::text(document.to_string())])
}

/// Returns a document as a result: the JSON as text and as structured content.
fn answer<T: serde::Serialize>(document: &T) -> CallToolResult {
    match serde_json::to_value(document) {
        Ok(value) => CallToolResult::structured(value),
        Err(error) => CallToolResult::error(vec![ContentBlock::text(format!("internal error: {error}"))]),
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let name = Implementation::new(crate::dispatch::SERVER_NAME, env!("CARGO_PKG_VERSION"))
            .with_title("Agent dispatch");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(name)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.list_all()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.get(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.clone();
        // A panic that left the task would leave the client without an answer, for ever.
        let called = AssertUnwindSafe(self.call(request, context)).catch_unwind().await;
        called.unwrap_or_else(|_| {
            tracing::error!(tool = %name, "a tool panicked");
            let message =
                format!("the tool `{name}` failed by a mistake of its own; what it did is not known");
            let hint =
                "See how the jobs stand with dispatch_status before you try again, and report the mistake.";
            Ok(refusal(&Report::new(Kind::Failed, "internal", message, hint)).into())
        })
    }
}

#[cfg(test)]
mod tests;
