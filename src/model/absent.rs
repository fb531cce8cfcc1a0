//! A name that is not there: the one sentence for it, with the name that was meant, and what to do next.

use crate::model::AgentName;

/// Most names that a sentence lists.
const NAMES_MAX: usize = 30;
/// Longest name that is shown, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Returns that there is no `what` of this name: with the nearest that there is, and all of them.
pub fn there_is_no<S: AsRef<str>>(what: &str, name: &str, known: &[S]) -> String {
    let there_are = match known {
        [] => "there are none yet".to_owned(),
        [only] => format!("there is only `{}`", shown(only.as_ref())),
        known => format!("there are {}", listed(known)),
    };
    format!("{}: {there_are}", in_brief(what, name, known))
}

/// Returns the same without the list.
pub fn in_brief<S: AsRef<str>>(what: &str, name: &str, known: &[S]) -> String {
    let meant = nearest(name, known).map(|near| format!(" (did you mean `{}`?)", shown(near)));
    format!("there is no {what} `{}`{}", shown(name), meant.unwrap_or_default())
}

/// Something to do next, for who types commands and for who calls tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is typed.
    pub command: String,
    /// What is called.
    pub tool: &'static str,
    /// What that does.
    pub does: &'static str,
}

/// Returns what to do where there is no agent of this name; it is told with the sentence.
pub fn without_agent<S: AsRef<str>>(name: &str, known: &[S]) -> Vec<Step> {
    let list = || Step {
        command: "agent-dispatch list".to_owned(),
        tool: "list_agents",
        does: "tells what each agent is for",
    };
    let new = name.parse::<AgentName>().map_or_else(|_| "NAME".to_owned(), |name| name.to_string());
    let add = || Step {
        command: format!("agent-dispatch add {new} DIRECTORY"),
        tool: "add_agent",
        does: "adds it",
    };
    // What was mistyped is not to be added.
    let is_new = nearest(name, known).is_none();
    (!known.is_empty()).then(list).into_iter().chain(is_new.then(add)).collect()
}

/// Returns names as a sentence lists them.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let mut text: Vec<String> =
        names.iter().take(NAMES_MAX).map(|name| format!("`{}`", shown(name.as_ref()))).collect();
    if names.len() > NAMES_MAX {
        text.push(format!("{} more", names.len() - NAMES_MAX));
    }
    text.join(", ")
}

/// Returns the candidate that `word` was most likely meant to be.
pub fn nearest<'a, S: AsRef<str>>(word: &str, candidates: &'a [S]) -> Option<&'a str> {
    // A word that long is no typing error, and comparing costs the product of the lengths.
    let word: String = word.chars().take(NAME_CHARS_MAX).collect::<String>().to_lowercase();
    candidates
        .iter()
        .map(AsRef::as_ref)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns a name as a sentence may show it, whoever wrote it.
fn shown(name: &str) -> String {
    let mut shown = String::new();
    for char in name.chars().take(NAME_CHARS_MAX) {
        match char {
            '\'' | '"' => shown.push(char),
            char => shown.extend(char.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests;
