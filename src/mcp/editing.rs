//! Tools that change agents and settings, as far as `settings.mcp_config_edits` lets a session.

use std::collections::BTreeMap;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::edit::{AgentsFile, Change, EditError, Edited, Editor, Fields, Misread};
use crate::config::settings::value_of;
use crate::dispatch::Frontend;
use crate::document::agents::{unknown, warnings};
use crate::error::{Kind, Report};
use crate::mcp::listing::routes;
use crate::mcp::{Server, answer, refusal, schema};

mod fields;

use fields::{Asks, FieldArguments};

#[derive(Debug, Deserialize, JsonSchema)]
struct AddArguments {
    /// Its name: letters, digits, `-` and `_`, beginning with a letter or digit.
    name: String,
    /// The directory its sessions run in; it must exist. `~/` is the user's home.
    directory: String,
    #[serde(flatten)]
    fields: FieldArguments,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct UpdateArguments {
    /// The agent's name, as `list_agents` shows it.
    name: String,
    /// Another directory; it must exist. Empty leaves it.
    #[serde(default)]
    directory: String,
    #[serde(flatten)]
    fields: FieldArguments,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct NameArguments {
    /// The agent's name, as `list_agents` shows it.
    name: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct SettingsArguments {
    /// An object, or its JSON text: settings by their names in agents.yaml, such as `{"max_concurrency": 3, "cache": {"ttl":
    /// 600}}` or `{"cache.ttl": 600}`; null takes one back to its default.
    #[schemars(with = "String")]
    settings: Value,
}

/// The tools that edit, all of them through [`Server::edit`]: they look at a call even if an argument is not known.
pub(super) const EDITS: [&str; 7] = [
    "add_agent",
    "update_agent",
    "remove_agent",
    "add_group",
    "update_group",
    "remove_group",
    "update_settings",
];

pub(super) const fn empty() -> Value {
    Value::String(String::new())
}

/// What came of adding an agent.
#[derive(Debug, Serialize, JsonSchema)]
struct AddedDocument {
    /// The new agent's name.
    added: String,
    /// Its directory.
    directory: String,
    /// What it is for.
    description: String,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Its permission mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission_mode: Option<String>,
    /// Tools it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_tools: Option<Vec<String>>,
    /// Tools it may not use.
    #[serde(skip_serializing_if = "Option::is_none")]
    disallowed_tools: Option<Vec<String>>,
    /// What it can do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    capabilities: Vec<String>,
    /// What it can break.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    risky_capabilities: Vec<String>,
    /// Its standing instructions.
    #[serde(skip_serializing_if = "String::is_empty")]
    instructions: String,
    /// What the configuration warns of, by the names of the keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    notes: BTreeMap<String, String>,
}

/// What came of a change.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UpdatedDocument {
    /// What was changed.
    pub(super) updated: String,
    /// Its fields that were written or taken out.
    pub(super) fields: Vec<String>,
    /// What the configuration warns of, by the names of the keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) notes: BTreeMap<String, String>,
}

/// What came of taking something out.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RemovedDocument {
    /// What was removed.
    pub(super) removed: String,
}

/// What came of changing settings.
#[derive(Debug, Serialize, JsonSchema)]
struct SettingsDocument {
    /// The settings that were written or taken out.
    fields: Vec<String>,
    /// What is in force now, by name.
    settings: Map<String, Value>,
}

routes!(editing_routes: add_agent, remove_agent, update_agent, update_settings);

#[cfg_attr(test, rmcp::tool_router(router = editing_tools, vis = "pub(super)"))]
impl Server {
    /// Makes a directory an agent that tasks can be dispatched to. Its description is read from the directory when none is
    /// given.
    #[tool(
        title = "Add an agent",
        output_schema = schema::of::<AddedDocument>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = false, open_world_hint = false)
    )]
    async fn add_agent(
        &self,
        Parameters(asked): Parameters<AddArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let AddArguments { name, directory, fields } = asked;
        let (changes, wrong) = fields.changes(Asks::ForNew);
        let fields = Fields { directory: Some(self.frontend.as_written(directory.as_ref())), ..changes };
        let added = name.clone();
        if let Err(report) = self.edit(&context, &wrong, move |file| file.add_agent(&added, &fields)).await {
            return refusal(&report);
        }
        let config = match self.frontend.config() {
            Ok(config) => config,
            Err(error) => return refusal(&Report::from(&*error)),
        };
        let Some(agent) = config.agent(&name).cloned() else {
            return refusal(&unknown(&config, &name));
        };
        let added = move |frontend: &Frontend| {
            let facts = frontend.projects.facts(&agent.directory);
            let description =
                if agent.description.is_empty() { facts.description.clone() } else { agent.description };
            AddedDocument {
                notes: warnings(&config, &name),
                added: name,
                directory: agent.directory.display().to_string(),
                description,
                model: agent.model,
                permission_mode: agent.permission_mode,
                allowed_tools: agent.allowed_tools,
                disallowed_tools: agent.disallowed_tools,
                capabilities: agent.capabilities,
                risky_capabilities: agent.risky_capabilities,
                instructions: agent.instructions,
            }
        };
        self.look(added).await
    }

    /// Removes an agent from the configuration. Its directory is not touched; groups keep its name.
    #[tool(
        title = "Remove an agent",
        output_schema = schema::of::<RemovedDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn remove_agent(
        &self,
        Parameters(NameArguments { name }): Parameters<NameArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        match self.edit(&context, &[], move |file| file.remove_agent(&name)).await {
            Ok(edited) => answer(&RemovedDocument { removed: edited.subject.name().to_owned() }),
            Err(report) => refusal(&report),
        }
    }

    /// Changes fields of an agent; what is left empty stays as it is. Takes effect at the next dispatch.
    #[tool(
        title = "Change an agent",
        output_schema = schema::of::<UpdatedDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn update_agent(
        &self,
        Parameters(asked): Parameters<UpdateArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let UpdateArguments { name, directory, fields } = asked;
        let directory = Some(directory).filter(|directory| !directory.trim().is_empty());
        let directory = directory.map(|directory| self.frontend.as_written(directory.as_ref()));
        let (changes, wrong) = fields.changes(Asks::ForChange);
        let fields = Fields { directory, ..changes };
        match self.edit(&context, &wrong, move |file| file.update_agent(&name, &fields)).await {
            Ok(edited) => {
                let mut updated = UpdatedDocument::of(edited);
                if let Ok(config) = self.frontend.config() {
                    updated.notes = warnings(&config, &updated.updated);
                }
                answer(&updated)
            }
            Err(report) => refusal(&report),
        }
    }

    /// Changes settings that hold for every agent and for the program itself, and returns what is in force.
    /// agents.example.yaml explains each.
    #[tool(
        title = "Change settings",
        output_schema = schema::of::<SettingsDocument>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn update_settings(
        &self,
        Parameters(asked): Parameters<SettingsArguments>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let (settings, wrong) = match from_text(asked.settings) {
            Value::Object(settings) => (settings, Vec::new()),
            other => (Map::new(), vec![wrong("settings", &other, "an object such as {\"cache.ttl\": 600}")]),
        };
        let values: Vec<(String, Value)> = settings.into_iter().collect();
        let edited = match self.edit(&context, &wrong, move |file| file.update_settings(&values)).await {
            Ok(edited) => edited,
            Err(report) => return refusal(&report),
        };
        let config = match self.frontend.config() {
            Ok(config) => config,
            Err(error) => return refusal(&Report::from(&*error)),
        };
        let now = |key: &String| (key.clone(), value_of(&config.settings, key));
        let settings = edited.changed.iter().map(now).collect();
        answer(&SettingsDocument { fields: edited.changed, settings })
    }
}

impl Server {
    /// Makes an edit that a session asks for, unless something was found to be wrong with the call: then it is refused with
    /// that and all else that is.
    pub(super) async fn edit(
        &self,
        context: &RequestContext<RoleServer>,
        wrong: &[Report],
        edit: impl FnOnce(&AgentsFile) -> Result<Edited, EditError> + Send + 'static,
    ) -> Result<Edited, Report> {
        let unfit = context.extensions.get::<Misread>().cloned();
        let misread = unfit.into_iter().chain(wrong.iter().map(misread)).collect();
        let edit = move |file: &AgentsFile| edit(&AgentsFile { misread, ..file.clone() });
        Ok(self.frontend.change_config(&Self::asker(context), Editor::Session, edit).await?)
    }
}

impl UpdatedDocument {
    pub(super) fn of(edited: Edited) -> Self {
        Self { updated: edited.subject.name().to_owned(), fields: edited.changed, notes: BTreeMap::new() }
    }
}

/// Returns what a text changes: nothing when it is blank; `none` clears.
pub(super) fn text(text: &str) -> Change<String> {
    match text.trim() {
        "" => Change::Keep,
        word if word.eq_ignore_ascii_case("none") => Change::Clear,
        _ => Change::Set(text.to_owned()),
    }
}

/// Returns what a text says that is JSON of an object or a list, any other value as it is.
pub(super) fn from_text(value: Value) -> Value {
    let Value::String(text) = &value else { return value };
    if !text.trim_start().starts_with(['{', '[']) {
        return value;
    }
    serde_json::from_str(text).unwrap_or(value)
}

/// Returns what is wrong with the arguments of an edit as the edit tells it.
pub(super) fn misread(report: &Report) -> Misread {
    Misread { code: report.code, message: report.message.clone(), hint: report.advice() }
}

/// Says that an argument is not what it should be.
pub(super) fn wrong(name: &str, value: &Value, expected: &str) -> Report {
    let shown: String = value.to_string().chars().take(100).collect();
    let hint = format!("Give {expected}.");
    Report::new(Kind::Usage, "invalid_field", format!("`{name}` is {shown}, not {expected}"), hint)
}

#[cfg(test)]
mod tests;
