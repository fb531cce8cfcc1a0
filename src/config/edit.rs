//! Changes to the agents file: under a lock, atomic, and touching nothing but what they are asked to.
//!
//! Every edit is done twice, on the text and on the values it stands for; it is written only if reading the new text
//! gives the values that were meant. So a file that the text editor misunderstands is refused, never damaged.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::config::{Config, ConfigError, escalation, parse, resolve};

mod error;
mod fields;
mod file;
mod lines;
mod rewrite;
mod settings;
mod steps;
mod told;

pub use error::{Asked, EditError, Misread};
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
    /// What could not be read of the request: with any of it nothing is edited, and whatever else is wrong is told too.
    pub misread: Vec<Misread>,
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

/// The key without which there is no agent.
const DIRECTORY: &str = "directory";

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

    fn a_kind(&self) -> &'static str {
        if matches!(self, Self::Agent(_)) { "an agent" } else { "a group" }
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
        let directory = fields.directory.as_deref().unwrap_or(Path::new(""));
        self.change_agent(name, Act::Add, fields, Some(directory))
    }

    /// Removes an agent; groups keep the name. Agents that cannot be used can be removed too.
    pub fn remove_agent(&self, name: &str) -> Result<Edited, EditError> {
        self.change(Edit::new(Subject::Agent(name.to_owned()), Act::Remove, Vec::new()), Vec::new())
    }

    /// Changes the fields of an agent.
    pub fn update_agent(&self, name: &str, fields: &Fields) -> Result<Edited, EditError> {
        self.change_agent(name, Act::Update, fields, fields.directory.as_deref())
    }

    /// Adds a group. Its members must be agents, that can be used or not.
    pub fn add_group(&self, name: &str, fields: &GroupFields) -> Result<Edited, EditError> {
        self.change(Edit::group(name, Act::Add, fields), Vec::new())
    }

    /// Removes a group; its members stay.
    pub fn remove_group(&self, name: &str) -> Result<Edited, EditError> {
        self.change(Edit::group(name, Act::Remove, &GroupFields::default()), Vec::new())
    }

    /// Changes a group. New members must be agents.
    pub fn update_group(&self, name: &str, fields: &GroupFields) -> Result<Edited, EditError> {
        self.change(Edit::group(name, Act::Update, fields), Vec::new())
    }

    /// Changes settings: `cache.ttl` and the like, or objects of such; null takes one back to its default.
    pub fn update_settings(&self, values: &[(String, serde_json::Value)]) -> Result<Edited, EditError> {
        let (written, wrong) = settings::written(values);
        self.change(Edit::new(Subject::Settings, Act::Update, written), wrong)
    }

    fn change_agent(
        &self,
        name: &str,
        act: Act,
        fields: &Fields,
        directory: Option<&Path>,
    ) -> Result<Edited, EditError> {
        let mut edit = Edit::new(Subject::Agent(name.to_owned()), act, fields.changes());
        let wrong = directory.and_then(|directory| self.check_directory(directory).err());
        if wrong.is_some() {
            edit.fields.retain(|(key, _)| key != DIRECTORY);
        }
        self.change(edit, wrong.into_iter().collect())
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

    /// Makes an edit, or says everything that is wrong with it: `wrong` is what was found before and is not in the edit.
    fn change(&self, mut edit: Edit, wrong: Vec<EditError>) -> Result<Edited, EditError> {
        let Self { path, home, editor, misread } = self;
        let mut wrong: Vec<EditError> =
            misread.iter().cloned().map(EditError::Misread).chain(wrong).collect();
        if edit.act == Act::Update && edit.is_empty() && wrong.is_empty() {
            wrong.push(EditError::NothingToChange { subject: edit.subject.clone() });
        }
        let locked = Locked::take(path, file::LOCK_WAIT)?;
        let opened = Opened::read(path)?;
        // The file must be right as far as it is not about single agents: an edit cannot make sense of it otherwise.
        let before = parse(path, home, opened.bytes())?;
        // An edit of nothing is none that could be denied.
        let asks_nothing = matches!(&wrong[..], [EditError::NothingToChange { .. }]);
        if *editor == Editor::Session && escalation::is_denied(&before.settings) && !asks_nothing {
            return Err(EditError::Denied { path: path.clone(), asked: edit.asked() });
        }
        let (mark, text) = opened.text()?;
        let root: Value = serde_yaml::from_str(text).map_err(|error| self.unsafe_edit(error.to_string()))?;
        let exists = check_names(&root, &mut edit, &mut wrong);
        let made = match edit.act {
            Act::Add if wrong.is_empty() => self.made(text, &root, &edit),
            Act::Remove | Act::Update if exists => self.made(text, &root, &edit),
            Act::Add | Act::Remove | Act::Update => self.made_alone(&edit),
        };
        let (new, after) = match made {
            Ok(made) if wrong.is_empty() => made,
            made => {
                wrong.extend(made.err());
                return Err(EditError::together(wrong));
            }
        };
        if *editor == Editor::Session {
            let widened = escalation::widened(&before, &after);
            if !widened.is_empty() {
                return Err(EditError::Escalates { asked: edit.asked(), widened });
            }
        }
        opened.replace(&locked, &format!("{mark}{new}"))?;
        Ok(edit.done(text, &new))
    }

    /// Returns the text with the edit in it, and what that means.
    fn made(&self, text: &str, root: &Value, edit: &Edit) -> Result<(String, Config), EditError> {
        let new = rewrite::rewrite(text, &steps(root, edit)).map_err(|reason| self.unsafe_edit(reason))?;
        let after = parse(&self.path, &self.home, new.as_bytes()).map_err(|error| match error {
            // It was right before.
            ConfigError::Invalid { problems, .. } => EditError::Invalid { problems },
            error => error.into(),
        })?;
        check_usable(&after, edit)?;
        Ok((new, after))
    }

    /// Judges what cannot be put where it should be as something new in a file of its own.
    fn made_alone(&self, edit: &Edit) -> Result<(String, Config), EditError> {
        const STAND_IN: &str = "new";
        let (subject, fields) = match &edit.subject {
            Subject::Agent(_) => {
                let directory = (DIRECTORY.to_owned(), Some(Value::from("/")));
                (
                    Subject::Agent(STAND_IN.to_owned()),
                    edit.fields.iter().cloned().chain([directory]).collect(),
                )
            }
            _ => (Subject::Group(STAND_IN.to_owned()), edit.fields.clone()),
        };
        let alone = Edit { subject, act: Act::Add, fields, members: edit.members.clone() };
        self.made("", &Value::Null, &alone).map_err(|error| match error {
            EditError::Invalid { mut problems } => {
                let prefix = |name: &str| format!("{}.{name}.", edit.subject.section());
                for problem in &mut problems {
                    problem.key = problem.key.replacen(&prefix(STAND_IN), &prefix(edit.subject.name()), 1);
                }
                EditError::Invalid { problems }
            }
            error => error,
        })
    }

    fn unsafe_edit(&self, reason: String) -> EditError {
        EditError::Unsafe { path: self.path.clone(), reason }
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

    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.members.is_empty()
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

/// Notes what is to be added and exists, and what is to be changed or taken in and does not; the edit goes on without such
/// members. Returns whether what it is about exists.
fn check_names(root: &Value, edit: &mut Edit, wrong: &mut Vec<EditError>) -> bool {
    let Edit { subject, act, members: asked, .. } = edit;
    if *subject == Subject::Settings {
        return true;
    }
    let available = names(root, subject.section());
    let exists = available.iter().any(|known| known == subject.name());
    match act {
        // That it is missing was said.
        _ if subject.name().is_empty() && matches!(wrong.first(), Some(EditError::Misread(_))) => {}
        Act::Add if exists => wrong.push(EditError::Duplicate { subject: subject.clone() }),
        Act::Add => wrong.extend(
            resolve::name(subject.name())
                .err()
                .map(|message| EditError::invalid("name", message.replace("an agent", subject.a_kind()))),
        ),
        Act::Remove | Act::Update if !exists => {
            wrong.push(unknown(subject.kind(), subject.name(), available));
        }
        Act::Remove | Act::Update => {}
    }
    let agents = names(root, "agents");
    let mut members = steps::members(root, subject);
    asked.retain(|change| {
        let is_member = members.iter().any(|member| member == change.agent());
        match change {
            MemberChange::Remove { agent } if is_member => members.retain(|member| member != agent),
            // One that is in already may be gone from the agents.
            MemberChange::Put { .. } if is_member => {}
            MemberChange::Put { agent, .. } if agents.contains(agent) => members.push(agent.clone()),
            MemberChange::Put { agent, .. } => {
                wrong.push(unknown("agent", agent, agents.clone()));
                return false;
            }
            MemberChange::Remove { agent } => {
                wrong.extend(exists.then(|| unknown("member", agent, members.clone())));
                return false;
            }
        }
        true
    });
    exists
}

fn unknown(what: &'static str, name: &str, available: Vec<String>) -> EditError {
    EditError::Unknown { what, name: name.to_owned(), available }
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
