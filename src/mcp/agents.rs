//! Tools that look at agents: who can be asked, and what one of them is. They run nothing.

use std::sync::Arc;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dispatch::Frontend;
use crate::document::agents::{AgentDetail, AgentsDocument, unknown};
use crate::error::{Kind, Report};
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, refusal, schema};

#[derive(Debug, Deserialize, JsonSchema)]
struct ListArguments {}

#[derive(Debug, Deserialize, JsonSchema)]
struct InspectArguments {
    /// The agent's name, as `list_agents` shows it.
    name: String,
    /// Lines of CLAUDE.md and README to show.
    #[serde(default = "preview_lines")]
    #[schemars(range(min = 0, max = 200))]
    preview_lines: i64,
}

const fn preview_lines() -> i64 {
    40
}

routes!(agent_routes: list_agents, inspect_agent);

#[cfg_attr(test, rmcp::tool_router(router = agent_tools, vis = "pub(super)"))]
impl Server {
    /// Lists the agents that tasks can be dispatched to: name, directory, what each is for, and what its project uses.
    #[tool(
        title = "List agents",
        output_schema = schema::of::<AgentsDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn list_agents(&self, Parameters(ListArguments {}): Parameters<ListArguments>) -> CallToolResult {
        let config = match self.frontend.config() {
            Ok(config) => config,
            Err(error) => return refusal(&Report::from(&*error)),
        };
        if config.agents.is_empty() && config.broken.is_empty() {
            let message = format!("no agents are configured in {}", config.path.display());
            let add = "agent-dispatch add NAME DIRECTORY";
            let report = Report::new(Kind::NotFound, "no_agents", message, format!("Add one with: {add}"));
            let call = format!("Add one with add_agent(name, directory), or ask the user to: {add}");
            return refusal(&report.or_call(call));
        }
        let usual = self.frontend.usual(&config, &config.agents).await;
        self.look(move |frontend| AgentsDocument::of(&config, &frontend.projects).with_usual(&usual)).await
    }

    /// Shows one agent in detail: its limits and tools, what is checked out, and the beginning of its CLAUDE.md and
    /// README. Starts nothing.
    #[tool(
        title = "Inspect an agent",
        output_schema = schema::of::<AgentDetail>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn inspect_agent(&self, Parameters(asked): Parameters<InspectArguments>) -> CallToolResult {
        let config = match self.frontend.config() {
            Ok(config) => config,
            Err(error) => return refusal(&Report::from(&*error)),
        };
        let Some(agent) = config.agent(&asked.name) else { return refusal(&unknown(&config, &asked.name)) };
        let lines = usize::try_from(asked.preview_lines.clamp(0, 200)).unwrap_or(0);
        let agent = agent.clone();
        let usual = self.frontend.usual(&config, [&agent]).await;
        let detail = move |frontend: &Frontend| {
            let facts = frontend.projects.facts(&agent.directory);
            AgentDetail::of(&config, &agent, &facts, &frontend.environment, lines).with_usual(&usual)
        };
        self.look(detail).await
    }
}

impl Server {
    /// Looks at directories: not on the thread that serves everybody else, for one of them may be slow, or on a network that
    /// is gone.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Frontend) -> T + Send + 'static,
    ) -> Result<T, Report> {
        let frontend = Arc::clone(&self.frontend);
        tokio::task::spawn_blocking(move || look(&frontend)).await.map_err(|_| {
            let hint = "Try again, and report the mistake.";
            Report::new(Kind::Failed, "internal", "the directories could not be looked at", hint)
        })
    }

    /// Answers with a document that takes looking at directories.
    pub(super) async fn look<T: Serialize + Send + 'static>(
        &self,
        look: impl FnOnce(&Frontend) -> T + Send + 'static,
    ) -> CallToolResult {
        match self.aside(look).await {
            Ok(document) => answer(&document),
            Err(report) => refusal(&report),
        }
    }
}
