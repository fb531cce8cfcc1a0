//! Tools that look at agents: who can be asked, and what one of them is. They run nothing.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::agents::{AgentDetail, AgentsDocument, unknown};
use crate::error::{Kind, Report};
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

#[tool_router(router = agent_tools, vis = "pub(super)")]
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
            let hint = "Add one on the command line: agent-dispatch add NAME DIRECTORY";
            return refusal(&Report::new(Kind::NotFound, "no_agents", message, hint));
        }
        answer(&AgentsDocument::of(&config, &self.frontend.projects))
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
        let facts = self.frontend.projects.facts(&agent.directory);
        let lines = usize::try_from(asked.preview_lines.clamp(0, 200)).unwrap_or(0);
        answer(&AgentDetail::of(&config, agent, &facts, &self.frontend.environment, lines))
    }
}
