//! The tool that says what a dispatch would come to.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::tool;

use crate::document::plan::PlanDocument;
use crate::error::Report;
use crate::mcp::dispatching::DispatchArguments;
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, refusal, schema};
use crate::model::request::Sharing;
use crate::model::{DispatchRequest, Timestamp};

routes!(planning_routes: dispatch_plan);

#[cfg_attr(test, rmcp::tool_router(router = planning_tools, vis = "pub(super)"))]
impl Server {
    /// Says what a dispatch would come to, without running it: refused and why, answered from the cache, joined to one that
    /// is under way, or run; with the permissions, limits and budget it would have, how long the queue is, and what
    /// dispatches to this agent usually take and cost. Takes the same arguments as `dispatch`.
    #[tool(
        title = "Plan a dispatch",
        output_schema = schema::of::<PlanDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn dispatch_plan(
        &self,
        Parameters(asked): Parameters<DispatchArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let raw = asked.question.in_session(String::new());
        let request = match DispatchRequest::new(raw, Sharing::CacheAndJoin) {
            Ok(request) => request,
            Err(problems) => return refusal(&Report::from(problems)),
        };
        match self.frontend.consider(&request, &Self::asker(&context)).await {
            Ok(prospect) => answer(&PlanDocument::of(request.agent.as_str(), prospect, Timestamp::now())),
            Err(error) => refusal(&Report::from(error)),
        }
    }
}
