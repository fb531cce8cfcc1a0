//! Changes to the agents file: under a lock, atomic, and touching nothing but what they are asked to.
//!
//! Every edit is done twice, on the text and on the values it stands for; it is written only if reading the new text
//! gives the values that were meant. So a file that the text editor misunderstands is refused, never damaged.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::config::{Config, ConfigError, escalation, nearest, parse, resolve};

mod error;
mod fields;
mod file;
mod lines;
mod rewrite;
mod settings;
mod steps;
mod told;

pub use error::{Asked, EditError};
pub use fields::{Change, Fields, GroupFields, MemberChange, words};
pub use settings::setting_value;

use fields::Written;
use file::{Locked, Opened};
use steps::{names, steps};

/// The agents file, for someone who edits it.
#[derive(Debug, Clone)]
pub struct AgentsFile {
    /// The file; it is made when there is none.
    pub path: PathBuf,
    /// What `~` stands for in it.
    pub home: PathBuf,
    /// Who edits it.
    pub editor: Editor,
}

/// Who asks for an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Editor {
    /// A person, on the command line: anything goes.
    Person,
    /// A session, through MCP: what `settings.mcp_config_edits` lets it.
    Session,
}

/// What an edit is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The agent of this name.
    Agent(String),
    /// The group of this name.
    Group(String),
    /// The settings.
    Settings,
}

/// What an edit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// What was edited.
    pub subject: Subject,
    /// The keys that were set or cleared, in the file's usual order; empty for what was added or removed.
    pub changed: Vec<String>,
    /// What stood there before, as it was written, without the values of `env.set`; of settings, those that changed. Nothing
    /// when nothing did.
    pub before: Option<String>,
    /// What stands there now; nothing when it was removed.
    pub after: Option<String>,
}

/// What is done with a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Add,
    Remove,
    Update,
}

impl Act {
    const fn verb(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Update => "update",
        }
    }
}

/// An edit that can be taken apart into steps.
#[derive(Debug, Clone, PartialEq)]
struct Edit {
    subject: Subject,
    act: Act,
    fields: Vec<Written>,
    members: Vec<MemberChange>,
}

impl Subject {
    /// Returns its name; the settings have none.
    pub fn name(&self) -> &str {
        match self {
            Self::Agent(name) | Self::Group(name) => name,
            Self::Settings => "",
        }
    }

    /// Returns what is typed after the program's name to do this with it.
    pub fn command(&self, verb: &str) -> String {
        match self {
            Self::Agent(name) => format!("{verb} {name}"),
            Self::Group(name) => format!("group {verb} {name}"),
            Self::Settings => "settings set".to_owned(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Agent(_) => "agent",
            Self::Group(_) => "group",
            Self::Settings => "setting",
        }
    }

    fn section(&self) -> &'static str {
        match self {
            Self::Agent(_) => "agents",
            Self::Group(_) => "groups",
            Self::Settings => "settings",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(name) | Self::Group(name) => write!(f, "{} `{name}`", self.kind()),
            Self::Settings => f.write_str("the settings"),
        }
    }
}

impl AgentsFile {
    /// Adds an agent. Its directory must be among the fields.
    pub fn add_agent(&self, name: &str, fields: &Fields) -> Result<Edited, EditError> {
        resolve::name(name).map_err(|message| EditError::invalid("name", message))?;
        self.check_directory(fields.directory.as_deref().unwrap_or(Path::new("")))?;
        self.change(&Edit::new(Subject::Agent(name.to_owned()), Act::Add, fields.changes()))
    }

    /// Removes an agent; groups keep the name. Agents that cannot be used can be removed too.
    pub fn remove_agent(&self, name: &str) -> Result<Edited, EditError> {
        self.change(&Edit::new(Subject::Agent(name.to_owned()), Act::Remove, Vec::new()))
    }

    /// Changes the fields of an agent.
    pub fn update_agent(&self, name: &str, fields: &Fields) -> Result<Edited, EditError> {
        if let Some(directory) = &fields.directory {
            self.check_directory(directory)?;
        }
        self.change(&Edit::new(Subject::Agent(name.to_owned()), Act::Update, fields.changes()))
    }

    /// Adds a group. Its members must be agents, that can be used or not.
    pub fn add_group(&self, name: &str, fields: &GroupFields) -> Result<Edited, EditError> {
        resolve::name(name).map_err(|message| {
            EditError::invalid("name", message.replace("an agent name", "a group name"))
        })?;
        self.change(&Edit::group(name, Act::Add, fields))
    }

    /// Removes a group; its members stay.
    pub fn remove_group(&self, name: &str) -> Result<Edited, EditError> {
        self.change(&Edit::group(name, Act::Remove, &GroupFields::default()))
    }

    /// Changes a group. New members must be agents.
    pub fn update_group(&self, name: &str, fields: &GroupFields) -> Result<Edited, EditError> {
        self.change(&Edit::group(name, Act::Update, fields))
    }

    /// Changes settings: `cache.ttl` and the like, or objects of such; null takes one back to its default.
    pub fn update_settings(&self, values: &[(String, serde_json::Value)]) -> Result<Edited, EditError> {
        self.change(&Edit::new(Subject::Settings, Act::Update, settings::written(values)?))
    }

    fn check_directory(&self, directory: &Path) -> Result<(), EditError> {
        let absolute = crate::config::paths::expand_home(directory, &self.home);
        if !absolute.is_absolute() {
            return Err(EditError::RelativeDirectory { directory: directory.to_owned() });
        }
        if absolute.is_dir() && directory.to_str().is_some() {
            Ok(())
        } else {
            Err(EditError::NoDirectory { directory: absolute })
        }
    }

    fn change(&self, edit: &Edit) -> Result<Edited, EditError> {
        let Self { path, home, editor } = self;
        if edit.act == Act::Update && edit.fields.is_empty() && edit.members.is_empty() {
            return Err(EditError::NothingToChange { subject: edit.subject.clone() });
        }
        let locked = Locked::take(path, file::LOCK_WAIT)?;
        let opened = Opened::read(path)?;
        // The file must be right as far as it is not about single agents: an edit cannot make sense of it otherwise.
        let before = parse(path, home, opened.bytes())?;
        if *editor == Editor::Session && escalation::is_denied(&before.settings) {
            return Err(EditError::Denied { path: path.clone(), asked: edit.asked() });
        }
        let (mark, text) = opened.text()?;
        let refused = |reason: String| EditError::Unsafe { path: path.clone(), reason };
        let root: Value = serde_yaml::from_str(text).map_err(|error| refused(error.to_string()))?;
        check_names(&root, edit)?;
        let new = rewrite::rewrite(text, &steps(&root, edit)).map_err(refused)?;
        let after = parse(path, home, new.as_bytes()).map_err(|error| match error {
            // It was right before.
            ConfigError::Invalid { problems, .. } => EditError::Invalid { problems },
            error => error.into(),
        })?;
        check_usable(&after, edit)?;
        if *editor == Editor::Session {
            let widened = escalation::widened(&before, &after);
            if !widened.is_empty() {
                return Err(EditError::Escalates { asked: edit.asked(), widened });
            }
        }
        opened.replace(&locked, &format!("{mark}{new}"))?;
        Ok(edit.done(text, &new))
    }
}

impl Edit {
    fn new(subject: Subject, act: Act, fields: Vec<Written>) -> Self {
        Self { subject, act, fields, members: Vec::new() }
    }

    fn group(name: &str, act: Act, fields: &GroupFields) -> Self {
        let members = fields.members.clone();
        Self { members, ..Self::new(Subject::Group(name.to_owned()), act, fields.changes()) }
    }

    /// Returns the keys that are set or cleared.
    fn keys(&self) -> Vec<String> {
        let members = (!self.members.is_empty()).then(|| "members".to_owned());
        self.fields.iter().map(|(key, _)| key.clone()).chain(members).collect()
    }

    fn asked(&self) -> Asked {
        Asked { subject: self.subject.clone(), verb: self.act.verb(), keys: self.keys() }
    }

    fn done(&self, text: &str, new: &str) -> Edited {
        let changed = if self.act == Act::Update { self.keys() } else { Vec::new() };
        let shown = |text: &str, before: Option<&str>| match &self.subject {
            Subject::Agent(name) => told::agent(text, name, before),
            Subject::Group(name) => rewrite::shown(text, &rewrite::way(["groups", name.as_str()])),
            Subject::Settings => settings::shown(text, &changed),
        };
        let (before, after) = (shown(text, None), shown(new, Some(text)));
        Edited { subject: self.subject.clone(), before, after, changed }
    }
}

/// Refuses to add what exists, and to change what does not or take it in.
fn check_names(root: &Value, edit: &Edit) -> Result<(), EditError> {
    let subject = &edit.subject;
    if *subject == Subject::Settings {
        return Ok(());
    }
    let available = names(root, subject.section());
    let exists = available.iter().any(|known| known == subject.name());
    match edit.act {
        Act::Add if exists => return Err(EditError::Duplicate { subject: subject.clone() }),
        Act::Remove | Act::Update if !exists => {
            return Err(unknown(subject.kind(), subject.name(), available));
        }
        Act::Add | Act::Remove | Act::Update => {}
    }
    let mut members = steps::members(root, subject);
    for change in &edit.members {
        let is_member = members.iter().any(|member| member == change.agent());
        match change {
            MemberChange::Remove { agent } if !is_member => return Err(unknown("member", agent, members)),
            MemberChange::Remove { agent } => members.retain(|member| member != agent),
            // One that is in already may be gone from the agents.
            MemberChange::Put { .. } if is_member => {}
            MemberChange::Put { agent, .. } => {
                let agents = names(root, "agents");
                if !agents.contains(agent) {
                    return Err(unknown("agent", agent, agents));
                }
                members.push(agent.clone());
            }
        }
    }
    Ok(())
}

fn unknown(what: &'static str, name: &str, available: Vec<String>) -> EditError {
    let names: Vec<&str> = available.iter().map(String::as_str).collect();
    let guess = nearest(name, &names).and_then(|near| names.iter().position(|known| *known == near));
    EditError::Unknown { what, name: name.to_owned(), guess, available }
}

/// Refuses an edit that leaves the agent it is about disabled.
fn check_usable(after: &Config, edit: &Edit) -> Result<(), EditError> {
    match (&edit.subject, edit.act) {
        (Subject::Agent(name), Act::Add | Act::Update) => match after.broken.get(name) {
            Some(problems) => Err(EditError::Invalid { problems: problems.clone() }),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
