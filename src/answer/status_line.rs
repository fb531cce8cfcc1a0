//! The agent's own verdict in the last line of its answer: `STATUS: done|partial|blocked`.

use crate::model::Outcome;

const DECORATION: [char; 4] = [' ', '*', '_', '`'];

/// Returns the verdict in the last line that is not blank, and the answer without that line: its beginning. A line that says
/// more than the verdict (a reason) stays in the answer. A heading or a list item is no verdict.
pub(super) fn lift(answer: &str) -> (Option<Outcome>, &str) {
    let trimmed = answer.trim_end();
    let start = trimmed.rfind('\n').map_or(0, |at| at + 1);
    let (before, line) = trimmed.split_at(start);
    match verdict(line) {
        None => (None, answer),
        Some((outcome, true)) => (Some(outcome), before.trim_end()),
        Some((outcome, false)) => (Some(outcome), answer),
    }
}

/// Returns the verdict in `line`, and whether the line says nothing else.
fn verdict(line: &str) -> Option<(Outcome, bool)> {
    let rest = strip_word(line.trim_start_matches(DECORATION), "status")?;
    // `**STATUS**: done` and `**STATUS:** done`.
    let rest = rest.trim_start_matches(DECORATION).strip_prefix(':')?.trim_start_matches(DECORATION);
    let outcomes = [Outcome::Done, Outcome::Partial, Outcome::Blocked];
    let (outcome, rest) =
        outcomes.into_iter().find_map(|outcome| Some((outcome, strip_word(rest, outcome.as_str())?)))?;
    let alone = rest.chars().all(|char| DECORATION.contains(&char) || matches!(char, '.' | '!' | '\r'));
    Some((outcome, alone))
}

/// Returns what follows `word` at the start of `text`, in any case, if the word ends there.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    let ended = rest.chars().next().is_none_or(|next| !next.is_alphanumeric());
    (head.eq_ignore_ascii_case(word) && ended).then_some(rest)
}

#[cfg(test)]
mod tests;
