//! Takes secrets of known shapes out of a text, and makes a text safe to show on one line.
//!
//! A secret leaves a mark with its kind and the beginning of its digest under the audit key, `[redacted:jwt:1a2b3c4d]`, so
//! that whoever knows the secret can find where it passed. Only the daemon has the key: what workers and front ends say is
//! redacted by it, before anything is stored or told.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::audit::{AuditKey, cut};

mod line;
mod shapes;

pub use line::{is_hidden, one_line};
use shapes::MARK;

/// How much more of a text is looked at than is kept, in characters, so that a secret at the end is seen whole.
const BEYOND_CHARS: usize = 4000;

/// How much of a text is searched for secrets that it holds, in characters.
const SEARCHED_CHARS: usize = 8 * 1024;

/// Most secrets of one record that are counted.
const SECRETS_MAX: usize = 12;

/// Replaces secrets of known shapes by marks.
pub fn redact<'t>(text: &'t str, key: &AuditKey) -> Cow<'t, str> {
    marked(text, Some(key))
}

/// Replaces secrets of known shapes by marks that say no more than their kind: for who has no key, and shows what others
/// have stored.
pub fn hide(text: &str) -> Cow<'_, str> {
    marked(text, None)
}

fn marked<'t>(text: &'t str, key: Option<&AuditKey>) -> Cow<'t, str> {
    let found = shapes::find(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for secret in found {
        out.push_str(text.get(done..secret.at.start).unwrap_or_default());
        out.extend([MARK, secret.kind]);
        if let Some(key) = key {
            let tag = key.mac(text.get(secret.at.clone()).unwrap_or_default().as_bytes()).tag();
            out.extend([":", &tag]);
        }
        out.push(']');
        done = secret.at.end;
    }
    Cow::Owned(out + text.get(done..).unwrap_or_default())
}

/// Returns the beginning of a text without secrets, on one line of at most `chars` characters. More is looked at than is
/// shown; not all of it, because a text may have ten megabytes. What is shown is what is searched: with the escapes of a terminal
/// before it, a secret has another shape.
pub fn first_words(text: &str, chars: usize, key: &AuditKey) -> String {
    cut(&redact(&one_line(text, chars.saturating_add(BEYOND_CHARS)), key), chars)
}

/// Returns the beginning of a text on one line of about `chars` characters, with its secrets: for the daemon, which takes
/// them out. It is longer when it would end inside of one, because half a secret has no known shape.
pub fn unsplit(text: &str, chars: usize) -> String {
    let line = one_line(text, chars.saturating_add(BEYOND_CHARS));
    let Some((mut end, _)) = line.char_indices().nth(chars) else { return line };
    if let Some(split) = shapes::find(&line).into_iter().find(|one| one.at.start < end && end < one.at.end) {
        end = split.at.end;
    }
    let kept = line.get(..end).unwrap_or_default();
    if kept.len() < line.len() { format!("{kept}…") } else { line }
}

/// Returns the end of a text likewise.
pub fn unsplit_end(text: &str, chars: usize) -> String {
    let line = one_line(text, usize::MAX - 1);
    let all = line.chars().count();
    let Some((mut start, _)) = line.char_indices().nth(all.saturating_sub(chars)) else { return line };
    if let Some(split) =
        shapes::find(&line).into_iter().find(|one| one.at.start < start && start < one.at.end)
    {
        start = split.at.start;
    }
    line.get(start..).unwrap_or_default().to_owned()
}

/// Returns the secrets in these texts, each as `kind digest` and once, as far as they are searched.
pub fn secrets(texts: impl IntoIterator<Item: AsRef<str>>, key: &AuditKey) -> Vec<String> {
    let mut known = BTreeSet::new();
    for text in texts {
        let text = beginning(text.as_ref(), SEARCHED_CHARS);
        known.extend(shapes::find(text).into_iter().filter_map(|secret| {
            Some(format!("{} {}", secret.kind, key.mac(text.get(secret.at)?.as_bytes()).tag()))
        }));
    }
    known.into_iter().take(SECRETS_MAX).collect()
}

/// Returns whether a text can hold any secret at all; most cannot, and this is quick.
pub(super) fn may_hold_any(text: &str) -> bool {
    shapes::may_hold_any(text)
}

/// Returns the first `chars` characters of `text`.
pub fn beginning(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

#[cfg(test)]
mod tests;
