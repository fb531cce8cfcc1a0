//! Commands about groups: `group add`, `list`, `inspect`, `update`, `remove`.

use crate::cli::agents::edit;
use crate::cli::args::{GroupCommand, GroupTexts};
use crate::cli::render::{Cell, Screen, Tone, fact, indented, note, print_json, print_text};
use crate::config::edit::{Change, GroupFields, MemberChange};
use crate::dispatch::Frontend;
use crate::document::groups::{GroupDetail, GroupsDocument, MemberDocument, unknown};
use crate::error::Report;

/// Lines of shared context that `group inspect` shows.
const CONTEXT_LINES: usize = 200;

/// Carries a command out.
pub(super) async fn run(frontend: &Frontend, screen: Screen, command: GroupCommand) -> Result<(), Report> {
    match command {
        GroupCommand::Add { name, texts, members } => {
            let fields = fields(texts, members, Vec::new());
            let empty = fields.members.is_empty();
            let added = name.clone();
            edit(frontend, move |file| file.add_group(&added, &fields)).await?;
            print_text(&format!("added group {name}\n"))?;
            if empty {
                note(&format!(
                    "It has no members yet. Add one with: agent-dispatch group update {name} --member AGENT\n"
                ));
            }
            Ok(())
        }
        GroupCommand::Update { name, texts, members, gone } => {
            let fields = fields(texts, members, gone);
            let updated = name.clone();
            let edited = edit(frontend, move |file| file.update_group(&updated, &fields)).await?;
            print_text(&format!("updated group {name}: {}\n", edited.changed.join(", ")))
        }
        GroupCommand::Remove { name } => {
            let edited = edit(frontend, move |file| file.remove_group(&name)).await?;
            print_text(&format!("removed group {}\n", edited.subject.name()))
        }
        GroupCommand::List { json } => list(frontend, screen, json),
        GroupCommand::Inspect { name, json } => inspect(frontend, screen, &name, json),
    }
}

fn fields(texts: GroupTexts, members: Vec<(String, Option<String>)>, gone: Vec<String>) -> GroupFields {
    let text = |text: Option<String>| match text {
        None => Change::Keep,
        Some(text) if text.trim().is_empty() => Change::Clear,
        Some(text) => Change::Set(text),
    };
    // Who is named in both goes first and comes in anew.
    let gone = gone.into_iter().map(|agent| MemberChange::Remove { agent });
    let members = members.into_iter().map(|(agent, use_for)| MemberChange::Put { agent, use_for });
    GroupFields {
        description: text(texts.description),
        shared_context: text(texts.shared_context),
        members: gone.chain(members).collect(),
    }
}

fn list(frontend: &Frontend, screen: Screen, as_json: bool) -> Result<(), Report> {
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    let groups = GroupsDocument::of(&config, &frontend.projects).groups;
    if as_json {
        return print_json(&groups);
    }
    if groups.is_empty() {
        note("There are no groups. Add one with: agent-dispatch group add NAME --member AGENT\n");
        return Ok(());
    }
    let rows = groups.iter().map(|group| {
        let members: Vec<String> =
            group.members.iter().map(|member| format!("{}{}", member.agent, mark(member))).collect();
        let shared = if group.shared_context_present { "yes" } else { "" };
        vec![
            Cell::new(&group.name).whole(),
            Cell::new(members.join(", ")),
            Cell::new(shared).toned(Tone::Faint),
            Cell::new(&group.description),
        ]
    });
    print_text(&screen.table(&["GROUP", "MEMBERS", "CONTEXT", "DESCRIPTION"], rows.collect()))
}

fn inspect(frontend: &Frontend, screen: Screen, name: &str, as_json: bool) -> Result<(), Report> {
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    let Some(group) = config.group(name) else { return Err(unknown(&config, name)) };
    let detail = GroupDetail::of(&config, group, &frontend.projects);
    if as_json {
        return print_json(&detail);
    }
    let mut text = fact("group", &detail.name);
    if !detail.description.is_empty() {
        text.push_str(&fact("description", &detail.description));
    }
    if detail.shared_context.trim().is_empty() {
        text.push_str(&fact("context", "none"));
    } else {
        text.push_str("shared context\n");
        text.push_str(&indented(&detail.shared_context, CONTEXT_LINES));
    }
    if detail.members.is_empty() {
        text.push_str(&fact("members", "none"));
        return print_text(&text);
    }
    text.push('\n');
    let rows = detail.members.iter().map(|member| {
        let (health, tone) = health(member);
        vec![
            Cell::new(&member.agent).whole(),
            Cell::new(health).toned(tone),
            Cell::new(member.use_for.as_deref().unwrap_or_default()),
            Cell::new(member.directory.as_deref().unwrap_or_default()),
        ]
    });
    text.push_str(&screen.table(&["MEMBER", "HEALTH", "USE FOR", "DIRECTORY"], rows.collect()));
    print_text(&text)
}

fn health(member: &MemberDocument) -> (&'static str, Tone) {
    match &member.health {
        Some(health) => super::agents::health(health, member.disabled.is_some()),
        None => ("no such agent", Tone::Bad),
    }
}

fn mark(member: &MemberDocument) -> String {
    match health(member) {
        (_, Tone::Good) => String::new(),
        (word, _) => format!(" ({word})"),
    }
}
