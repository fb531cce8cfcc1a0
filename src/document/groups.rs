//! What both doors say of groups: which there are, and who belongs to them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Config;
use crate::document::agents::HealthDocument;
use crate::error::{Kind, Report};
use crate::model::absent::there_is_no;
use crate::model::{Group, GroupMember};
use crate::project::Memo;

/// All groups.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct GroupsDocument {
    /// The groups, in the order of the configuration.
    pub(crate) groups: Vec<GroupDocument>,
}

/// A group in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct GroupDocument {
    /// Its name: what `group` of a dispatch takes.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) description: String,
    /// Whether members are told something when they are dispatched to through the group.
    pub(crate) shared_context_present: bool,
    /// How many members there are.
    pub(crate) member_count: usize,
    /// The members.
    pub(crate) members: Vec<MemberDocument>,
}

/// One group in detail.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct GroupDetail {
    /// Its name.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) description: String,
    /// What members are told when they are dispatched to through the group.
    pub(crate) shared_context: String,
    /// How many members there are.
    pub(crate) member_count: usize,
    /// The members.
    pub(crate) members: Vec<MemberDocument>,
}

/// A member of a group.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct MemberDocument {
    /// The agent's name.
    pub(crate) agent: String,
    /// What to use it for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) use_for: Option<String>,
    /// True when there is no such agent; then nothing else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unknown: Option<bool>,
    /// Its directory; a list leaves it out, as it does the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<String>,
    /// What the agent is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(flatten)]
    pub(crate) health: Option<HealthDocument>,
    /// Why its configuration disables it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disabled: Option<String>,
}

impl GroupsDocument {
    /// Returns all groups of the configuration.
    pub(crate) fn of(config: &Config, projects: &Memo) -> Self {
        let each = config.groups.iter().map(|group| {
            let GroupDetail { name, description, shared_context, member_count, mut members } =
                GroupDetail::of(config, group, projects);
            for member in &mut members {
                (member.directory, member.description) = (None, None);
            }
            let shared_context_present = !shared_context.trim().is_empty();
            GroupDocument { name, description, shared_context_present, member_count, members }
        });
        Self { groups: each.collect() }
    }
}

impl GroupDetail {
    /// Returns a group with its members.
    pub(crate) fn of(config: &Config, group: &Group, projects: &Memo) -> Self {
        let members = group.members.iter().map(|member| MemberDocument::of(config, member, projects));
        Self {
            name: group.name.to_string(),
            description: group.description.clone(),
            shared_context: group.shared_context.clone(),
            member_count: group.members.len(),
            members: members.collect(),
        }
    }
}

impl MemberDocument {
    fn of(config: &Config, member: &GroupMember, projects: &Memo) -> Self {
        let use_for = Some(member.use_for.clone()).filter(|text| !text.is_empty());
        let name = member.agent.as_str();
        let mut document = Self {
            agent: name.to_owned(),
            use_for,
            unknown: None,
            directory: None,
            description: None,
            health: None,
            disabled: config.why_broken(name),
        };
        if let Some(agent) = config.agent(name) {
            let facts = projects.facts(&agent.directory);
            let description =
                [&agent.description, &facts.description].into_iter().find(|text| !text.is_empty());
            document.description = description.cloned();
            document.directory = Some(agent.directory.display().to_string());
            document.health = Some(HealthDocument::of(facts.health));
        } else if document.disabled.is_some() {
            document.health = Some(HealthDocument::DISABLED);
        } else {
            document.unknown = Some(true);
        }
        document
    }
}

/// Says that there is no such group.
pub(crate) fn unknown(config: &Config, name: &str) -> Report {
    let known: Vec<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
    let report = |hint| Report::new(Kind::NotFound, "not_found", there_is_no("group", name, &known), hint);
    match known.as_slice() {
        [] => report(no_groups()),
        _ => report("`agent-dispatch group list` tells what each group is for.")
            .or_call("list_groups tells what each group is for."),
    }
}

/// Returns what to do when there are none.
pub(crate) const fn no_groups() -> &'static str {
    "Add one with `add_group`, or on the command line: agent-dispatch group add NAME --member AGENT"
}
