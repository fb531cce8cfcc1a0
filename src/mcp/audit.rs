//! Tools that ask the audit trail. They read, a bounded part at a time, and what they show was redacted before it was stored.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::tool;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::audit::query::{AuditEntry, AuditFilter};
use crate::daemon::ClientError;
use crate::daemon::protocol::{Reply, Request};
use crate::document::audit::{Question, calls_made, differing, records, records_of, whole};
use crate::document::record::{RecordDocument, RecordsDocument, ShownDocument};
use crate::error::{Kind, Report};
use crate::mcp::jobs::id;
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, refusal, schema};
use crate::model::{Timestamp, ToolCall};

/// Most records of one answer.
const RECORDS_MAX: i64 = 50;

#[derive(Debug, Deserialize, JsonSchema)]
struct SearchArguments {
    /// Only records not older than this: `2h ago`, `today`, `yesterday`, `monday`, `2026-11-21 10:15` or RFC 3339.
    #[serde(default)]
    since: String,
    /// Only records not newer than this.
    #[serde(default)]
    until: String,
    /// Only of this agent. Here and in every text below but `pattern`: several separated by commas mean any of them.
    #[serde(default)]
    agent: String,
    /// Only what this one asked for: a declared name, a client, or a session's id.
    #[serde(default)]
    caller: String,
    /// Only records that say the job became `done`, `failed`, `cancelled`, `interrupted` or `refused`.
    #[serde(default)]
    status: String,
    /// Only with the verdict `done`, `partial` or `blocked`.
    #[serde(default)]
    outcome: String,
    /// Only failures of this class, such as `timeout`, `permission` or `budget`.
    #[serde(default)]
    error_type: String,
    /// Only of this conversation: its session id.
    #[serde(default)]
    session: String,
    /// Only of runs that used this tool, or were denied it.
    #[serde(default)]
    tool: String,
    /// Only of runs with a model whose name holds this.
    #[serde(default)]
    model: String,
    /// Only of this event: `requested`, `refused`, `hit`, `joined`, `started`, `finished`, `cancelled`, `interrupted`,
    /// `config_changed`, `config_refused` and others.
    #[serde(default)]
    event: String,
    /// Only of runs that were denied a tool.
    #[serde(default)]
    denied: bool,
    /// Only answers from the cache.
    #[serde(default)]
    cached: bool,
    /// Only of runs that cost this many US dollars or more; 0 for all.
    #[serde(default)]
    #[schemars(range(min = 0))]
    min_cost_usd: f64,
    /// Only of runs that took this many seconds or longer; 0 for all.
    #[serde(default)]
    #[schemars(range(min = 0))]
    slower_than_seconds: i64,
    /// Only of the whole call tree to which this dispatch (a job id) belongs.
    #[serde(default)]
    tree: String,
    /// Only with a text that fits this regular expression; upper and lower case are the same.
    #[serde(default)]
    pattern: String,
    /// Most records to return, the newest, 1 to 50.
    #[serde(default = "listed")]
    #[schemars(range(min = 1, max = 50))]
    limit: i64,
}

const fn listed() -> i64 {
    20
}

#[derive(Debug, Deserialize, JsonSchema)]
struct ShowArguments {
    /// A dispatch (its job id), or the number of a record.
    id: String,
    /// Also list which tools the run called, one after the other: on what, when, how long, and how each call ended.
    #[serde(default)]
    tools: bool,
}

routes!(audit_routes: audit_search, audit_show);

#[cfg_attr(test, rmcp::tool_router(router = audit_tools, vis = "pub(super)"))]
impl Server {
    /// Searches the audit trail: who asked what of which agent, what it did, what it cost, and how it ended; the newest
    /// first. Every dispatch is on record, also one that was refused, stopped or answered from the cache; a call with
    /// wrong arguments is none.
    #[tool(
        title = "Search the audit trail",
        output_schema = schema::of::<RecordsDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn audit_search(&self, Parameters(asked): Parameters<SearchArguments>) -> CallToolResult {
        match self.searched(asked).await {
            Ok(document) => answer(&document),
            Err(report) => refusal(&report),
        }
    }

    /// Shows what is on record of one dispatch, the oldest record first, or one record; with `tools`, also what its run did
    /// step by step. Task and answer themselves are with the job: `dispatch_status`.
    #[tool(
        title = "Show what is on record",
        output_schema = schema::of::<ShownDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn audit_show(&self, Parameters(asked): Parameters<ShowArguments>) -> CallToolResult {
        match self.recorded(asked.id.trim(), asked.tools).await {
            Ok(document) => answer(&document),
            Err(report) => refusal(&report),
        }
    }
}

impl Server {
    async fn searched(&self, asked: SearchArguments) -> Result<RecordsDocument, Report> {
        let given = |text: String| Some(text).filter(|text| !text.trim().is_empty());
        let tree = given(asked.tree).map(|text| id(&text)).transpose()?;
        let question = Question {
            since: given(asked.since),
            until: given(asked.until),
            slower_than: None,
            events: several(&asked.event),
            filter: AuditFilter {
                agents: several(&asked.agent),
                callers: several(&asked.caller),
                statuses: several(&asked.status),
                outcomes: several(&asked.outcome),
                error_types: several(&asked.error_type),
                sessions: several(&asked.session),
                tools: several(&asked.tool),
                models: several(&asked.model),
                denied: asked.denied,
                cached: asked.cached,
                tree,
                min_cost_usd: Some(asked.min_cost_usd).filter(|cost| *cost != 0.0),
                slower_than_ms: Some(asked.slower_than_seconds.max(0).unsigned_abs().saturating_mul(1000))
                    .filter(|millis| *millis > 0),
                patterns: given(asked.pattern).into_iter().collect(),
                ..AuditFilter::default()
            },
        };
        let filter = question.filter(Timestamp::now())?;
        let limit = usize::try_from(asked.limit.clamp(1, RECORDS_MAX)).unwrap_or(1);
        // One more says whether there are more.
        let mut found = records(&self.frontend, filter, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        Ok(RecordsDocument {
            records: found.iter().map(RecordDocument::brief).collect(),
            more: more.then_some(true),
        })
    }

    async fn recorded(&self, what: &str, tools: bool) -> Result<ShownDocument, Report> {
        let is_number = what.len() < 20 && !what.starts_with('0');
        let (found, differs) = if let Some(seq) = what.parse::<u64>().ok().filter(|_| is_number) {
            match self.frontend.client.ask(&Request::AuditRecord(seq)).await? {
                Reply::Audit(entries) => (entries, Vec::new()),
                _ => return Err(ClientError::Confused.into()),
            }
        } else {
            let dispatch = id(what)?;
            (records_of(&self.frontend, dispatch).await?, differing(&self.frontend, dispatch).await?)
        };
        if found.is_empty() {
            let hint = "Search for it with audit_search.";
            return Err(Report::new(
                Kind::NotFound,
                "not_found",
                format!("nothing is on record of `{what}`"),
                hint,
            ));
        }
        let most = usize::try_from(RECORDS_MAX).unwrap_or(1);
        let more = found.len() > most;
        let records = found.iter().take(most).rev().map(RecordDocument::full).collect();
        let calls = if tools { Some(self.calls(&found).await?) } else { None };
        let calls = calls.as_deref().map(|calls| (calls, calls_made(&whole(&found))));
        Ok(ShownDocument::of(RecordsDocument { records, more: more.then_some(true) }, calls, differs))
    }

    /// Returns the calls of tools of the run that these records are about; for a dispatch that did not run itself, of the
    /// run that answered it.
    async fn calls(&self, records: &[AuditEntry]) -> Result<Vec<ToolCall>, Report> {
        let said = whole(records);
        let run =
            ["answered_by", "dispatch"].into_iter().find_map(|name| said.get(name)?.as_str()?.parse().ok());
        let Some(run) = run else { return Ok(Vec::new()) };
        match self.frontend.client.ask(&Request::Calls(run)).await? {
            Reply::Calls(calls) => Ok(calls),
            _ => Err(ClientError::Confused.into()),
        }
    }
}

/// Returns the values of a text that has several separated by commas.
fn several(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}
