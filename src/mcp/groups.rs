//! Tools about groups: which there are, who belongs to one, and changing that.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::edit::{GroupFields, MemberChange, words as listed};
use crate::document::groups::{GroupDetail, GroupsDocument, no_groups, unknown};
use crate::error::{Kind, Report};
use crate::mcp::editing::{RemovedDocument, UpdatedDocument, empty, from_text, text, wrong};
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, refusal, schema};

#[derive(Debug, Deserialize, JsonSchema)]
struct ListArguments {}

#[derive(Debug, Deserialize, JsonSchema)]
struct NameArguments {
    /// The group's name, as `list_groups` shows it.
    name: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct AddArguments {
    /// Its name: letters, digits, `-` and `_`, beginning with a letter or digit.
    name: String,
    #[serde(flatten)]
    texts: Texts,
    /// Agents that belong to it: a list of names or of `{"agent": "web", "use_for": "the storefront"}`, or a text such as
    /// `web=the storefront,infra`.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    members: Value,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct UpdateArguments {
    /// The group's name, as `list_groups` shows it.
    name: String,
    #[serde(flatten)]
    texts: Texts,
    /// Agents to take in, or members to use for something else, as in `add_group`. The other members stay.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    members: Value,
    /// Names of members to take out, as a list or separated by commas.
    #[serde(default = "empty")]
    #[schemars(with = "String")]
    remove_members: Value,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Texts {
    /// What it is for: callers read it, members never do. Empty leaves it; `none` clears it.
    #[serde(default)]
    description: String,
    /// What members are told, before the task, when they are dispatched to with this `group`. Empty leaves it; `none` clears
    /// it.
    #[serde(default)]
    shared_context: String,
}

/// What came of adding a group.
#[derive(Debug, Serialize, JsonSchema)]
struct AddedDocument {
    /// The new group's name.
    added: String,
    /// Its members.
    members: Vec<String>,
}

routes!(group_routes: list_groups, inspect_group, add_group, update_group, remove_group);

#[cfg_attr(test, rmcp::tool_router(router = group_tools, vis = "pub(super)"))]
impl Server {
    /// Lists groups of agents that belong together: what each is for, and what to use each member for. A group is passed as
    /// `group` when one of its members is dispatched to.
    #[tool(
        title = "List groups",
        output_schema = schema::of::<GroupsDocument>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn list_groups(&self, Parameters(ListArguments {}): Parameters<ListArguments>) -> CallToolResult {
        let config = match self.frontend.config() {
            Ok(config) => config,
            Err(error) => return refusal(&Report::from(&*error)),
        };
        if config.groups.is_empty() {
            let message = format!("no groups are configured in {}", config.path.display());
            return refusal(&Report::new(Kind::NotFound, "no_groups", message, no_groups()));
        }
        self.look(move |frontend| GroupsDocument::of(&config, &frontend.projects)).await
    }

    /// Shows one group: its members, and the context they share.
    #[tool(
        title = "Inspect a group",
        output_schema = schema::of::<GroupDetail>(),
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn inspect_group(&self, Parameters(asked): Parameters<NameArguments>) -> CallToolResult {
        let config = match self.frontend.config() {
            Ok(config) => config,
            Err(error) => return refusal(&Report::from(&*error)),
        };
        let Some(group) = config.group(&asked.name).cloned() else {
            return refusal(&unknown(&config, &asked.name));
        };
        self.look(move |frontend| GroupDetail::of(&config, &group, &frontend.projects)).await
    }

    /// Makes a group of agents. Its members stay agents of their own; one agent may be in several groups.
    #[tool(
        title = "Add a group",
        output_schema = schema::of::<AddedDocument>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = false, open_world_hint = false)
    )]
    async fn add_group(
        &self,
        Parameters(asked): Parameters<AddArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let (members, wrong) = members(asked.members);
        let fields = asked.texts.changes(members);
        let name = asked.name.clone();
        if let Err(report) = self.edit(&context, &wrong, move |file| file.add_group(&name, &fields)).await {
            return refusal(&report);
        }
        match self.frontend.config() {
            Ok(config) => {
                let group = config.group(&asked.name);
                let names =
                    group.iter().flat_map(|group| &group.members).map(|member| member.agent.to_string());
                answer(&AddedDocument { members: names.collect(), added: asked.name })
            }
            Err(error) => refusal(&Report::from(&*error)),
        }
    }

    /// Changes a group: its texts, and its members one by one; what is left empty stays as it is.
    #[tool(
        title = "Change a group",
        output_schema = schema::of::<UpdatedDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn update_group(
        &self,
        Parameters(asked): Parameters<UpdateArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let (mut changes, mut wrong) = gone(asked.remove_members);
        let (mut taken_in, mut odd) = members(asked.members);
        changes.append(&mut taken_in);
        wrong.append(&mut odd);
        let fields = asked.texts.changes(changes);
        match self.edit(&context, &wrong, move |file| file.update_group(&asked.name, &fields)).await {
            Ok(edited) => answer(&UpdatedDocument::of(edited)),
            Err(report) => refusal(&report),
        }
    }

    /// Removes a group. Its members stay agents.
    #[tool(
        title = "Remove a group",
        output_schema = schema::of::<RemovedDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn remove_group(
        &self,
        Parameters(NameArguments { name }): Parameters<NameArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        match self.edit(&context, &[], move |file| file.remove_group(&name)).await {
            Ok(edited) => answer(&RemovedDocument { removed: edited.subject.name().to_owned() }),
            Err(report) => refusal(&report),
        }
    }
}

impl Texts {
    fn changes(&self, members: Vec<MemberChange>) -> GroupFields {
        GroupFields {
            description: text(&self.description),
            shared_context: text(&self.shared_context),
            members,
        }
    }
}

/// Returns the members that are named, and what for; and what names none.
fn members(value: Value) -> (Vec<MemberChange>, Vec<Report>) {
    let items = match from_text(value) {
        Value::String(text) => listed(&text).into_iter().map(Value::String).collect(),
        Value::Array(items) => items,
        item => vec![item],
    };
    let (named, odd): (Vec<_>, Vec<_>) = items.iter().map(member).partition(Result::is_ok);
    (named.into_iter().flatten().collect(), odd.into_iter().filter_map(Result::err).collect())
}

fn member(item: &Value) -> Result<MemberChange, Report> {
    let named = |agent: &str, use_for: Option<&str>| {
        let use_for = use_for.map(|text| text.trim().to_owned());
        MemberChange::Put { agent: agent.trim().to_owned(), use_for }
    };
    let found = match item {
        Value::String(text) => Some(match text.split_once('=') {
            Some((agent, use_for)) => named(agent, Some(use_for)),
            None => named(text, None),
        }),
        Value::Object(entries) if entries.keys().all(|key| ["agent", "use_for"].contains(&key.as_str())) => {
            let use_for = entries.get("use_for").filter(|use_for| !use_for.is_null());
            let agent = entries.get("agent").and_then(Value::as_str);
            agent
                .filter(|_| use_for.is_none_or(Value::is_string))
                .map(|agent| named(agent, use_for.and_then(Value::as_str)))
        }
        _ => None,
    };
    let expected = "names of agents, or objects with `agent` and `use_for`";
    found.ok_or_else(|| wrong("members", item, expected))
}

fn gone(value: Value) -> (Vec<MemberChange>, Vec<Report>) {
    let names = match from_text(value) {
        Value::String(text) => listed(&text),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        other => return (Vec::new(), vec![wrong("remove_members", &other, "names of members")]),
    };
    (names.into_iter().map(|agent| MemberChange::Remove { agent }).collect(), Vec::new())
}

#[cfg(test)]
mod tests;
