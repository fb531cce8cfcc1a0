//! What an edit means for the values of the file, step by step.

use serde_yaml::{Mapping, Value};

use crate::config::edit::fields::MemberChange;
use crate::config::edit::rewrite::{Key, Step, What, own, way};
use crate::config::edit::{Act, Edit, Subject};

/// Returns every key of a section that is text, in file order.
pub(super) fn names(root: &Value, section: &str) -> Vec<String> {
    let Some(Value::Mapping(section)) = root.get(section) else { return Vec::new() };
    section.keys().filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

/// Returns the agents that a group names, in file order; what is no member is an empty text.
pub(super) fn members(root: &Value, subject: &Subject) -> Vec<String> {
    let way = way([subject.section(), subject.name(), "members"]);
    let Some(Value::Sequence(items)) = own(root, &way) else { return Vec::new() };
    let agent = |item: &Value| item.get("agent").and_then(Value::as_str).unwrap_or_default().to_owned();
    items.iter().map(agent).collect()
}

/// Returns the steps of an edit whose names were checked.
pub(super) fn steps(root: &Value, edit: &Edit) -> Vec<Step> {
    let mut base = way([edit.subject.section()]);
    if edit.subject != Subject::Settings {
        base.extend(way([edit.subject.name()]));
    }
    match edit.act {
        Act::Add => vec![Step { way: base, what: What::Set(whole(edit)) }],
        Act::Remove => vec![Step { way: base, what: What::Unset }],
        Act::Update => {
            let fields = edit.fields.iter().map(|(key, value)| Step {
                way: base.iter().cloned().chain(way(key.split('.'))).collect(),
                what: value.clone().map_or(What::Unset, What::Set),
            });
            fields.chain(member_steps(members(root, &edit.subject), &base, &edit.members)).collect()
        }
    }
}

/// Returns what is added, as a whole.
fn whole(edit: &Edit) -> Value {
    let mut whole = Mapping::new();
    for (key, value) in &edit.fields {
        let Some(value) = value else { continue };
        match key.split_once('.') {
            None => drop(whole.insert(key.as_str().into(), value.clone())),
            Some((outer, inner)) => {
                let outer = whole.entry(outer.into()).or_insert_with(|| Value::Mapping(Mapping::new()));
                if let Some(outer) = outer.as_mapping_mut() {
                    outer.insert(inner.into(), value.clone());
                }
            }
        }
    }
    let mut members: Vec<Value> = Vec::new();
    for change in &edit.members {
        if let MemberChange::Put { agent, use_for } = change {
            // Who is named twice is in once, as the last word says.
            members.retain(|member| member.get("agent").and_then(Value::as_str) != Some(agent));
            members.push(MemberChange::item(agent, use_for.as_deref()));
        }
    }
    if !members.is_empty() {
        whole.insert("members".into(), members.into());
    }
    Value::Mapping(whole)
}

fn member_steps(mut members: Vec<String>, base: &[Key], changes: &[MemberChange]) -> Vec<Step> {
    let list: Vec<Key> = base.iter().cloned().chain(way(["members"])).collect();
    let item = |index: usize| list.iter().cloned().chain([Key::Item(index)]);
    let mut steps = Vec::new();
    for change in changes {
        match change {
            MemberChange::Put { agent, use_for } => {
                if let Some(index) = members.iter().position(|member| member == agent) {
                    let Some(use_for) = use_for else { continue };
                    let set = || What::Set(use_for.as_str().into());
                    let what = if use_for.is_empty() { What::Unset } else { set() };
                    steps.push(Step { way: item(index).chain(way(["use_for"])).collect(), what });
                } else {
                    members.push(agent.clone());
                    let new = MemberChange::item(agent, use_for.as_deref());
                    steps.push(Step { way: list.clone(), what: What::Push(new) });
                }
            }
            MemberChange::Remove { agent } => {
                while let Some(index) = members.iter().rposition(|member| member == agent) {
                    members.remove(index);
                    steps.push(Step { way: item(index).collect(), what: What::Unset });
                }
            }
        }
    }
    steps
}
