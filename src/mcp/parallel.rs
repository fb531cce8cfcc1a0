//! The tool that dispatches several tasks at once.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::tool;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::dispatch::Standing;
use crate::document::parallel::ParallelDocument;
use crate::document::progress as lines;
use crate::document::several::{Item, Several};
use crate::error::Report;
use crate::mcp::dispatching::{answers_may_be_long, failure, inline_wait};
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, progress, refusal, schema};

#[derive(Debug, Deserialize, JsonSchema)]
struct ParallelArguments {
    /// The dispatches: a list of objects (or its JSON text).
    #[schemars(with = "Vec<Item>")]
    dispatches: Value,
    /// An agent that makes one answer of all; empty leaves them apart.
    #[serde(default)]
    aggregate: String,
}

routes!(parallel_routes: dispatch_parallel);

#[cfg_attr(test, rmcp::tool_router(router = parallel_tools, vis = "pub(super)"))]
impl Server {
    /// Dispatches several tasks at once, to one agent or several, and waits for all. Results come in the order of asking;
    /// identical ones run once; the failure of one does not touch the others. With `aggregate`, that agent makes one answer
    /// of all. What still runs when the wait is over comes as `running` with its `job_id`, and goes on.
    #[tool(
        title = "Dispatch several tasks at once",
        output_schema = schema::of::<ParallelDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = false, open_world_hint = true),
        meta = answers_may_be_long()
    )]
    async fn dispatch_parallel(
        &self,
        Parameters(asked): Parameters<ParallelArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let config = match self.frontend.config() {
            Ok(config) => config,
            Err(error) => return refusal(&Report::from(&*error)),
        };
        let several = match Several::read(&config, asked.dispatches, &asked.aggregate) {
            Ok(several) => several,
            Err(report) => return refusal(&report),
        };
        let client = Self::asker(&context);
        let agents = several.speakers();
        let first = lines::stands(&agents, &several.standing());
        let carried_out = progress::telling(&context, first, async |line| {
            let mut standing = |standing: &Standing| line.standing(&agents, standing);
            let patience = inline_wait(&config.settings);
            let cancelled = self.taken_back(&context.ct);
            let chars = config.settings.max_answer_chars as usize;
            several.carry_out(&self.frontend, &client, (patience, chars), &mut standing, cancelled).await
        });
        match carried_out.await {
            Ok(document) if document.all_failed() => failure(&document),
            Ok(document) => answer(&document),
            Err(error) => refusal(&Report::from(error)),
        }
    }
}
