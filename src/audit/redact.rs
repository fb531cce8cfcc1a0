//! Takes secrets of known shapes out of a text, and makes a text safe to show on one line.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex_lite::Regex;

use crate::audit::cut;

/// A kind of secret: what it is called in its place, texts of which one must be there for it to be worth a search (in
/// lower case), and its pattern. The group `v` is replaced, or the whole match when there is none.
struct Shape {
    kind: &'static str,
    needles: &'static [&'static str],
    pattern: &'static str,
}

/// In order: what is specific comes first, so that it is called by its own name.
const SHAPES: [Shape; 14] = [
    Shape {
        kind: "private key",
        needles: &["private key"],
        // Without its end (a cut text) everything that follows goes.
        pattern: r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|$)",
    },
    Shape { kind: "Anthropic key", needles: &["sk-ant-"], pattern: r"\bsk-ant-[A-Za-z0-9_-]{10,}" },
    Shape { kind: "OpenAI key", needles: &["sk-"], pattern: r"\bsk-[A-Za-z0-9_-]{20,}" },
    Shape {
        kind: "GitHub token",
        needles: &["gh", "github_pat_"],
        pattern: r"\b(?:gh[opsru]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    },
    Shape { kind: "GitLab token", needles: &["gl"], pattern: r"\bgl[a-z]{2,6}-[A-Za-z0-9_-]{20,}" },
    Shape {
        kind: "Slack token",
        needles: &["xox", "xapp-", "hooks.slack.com"],
        pattern: concat!(
            r"\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}|",
            r"\bhooks\.slack\.com/services/(?P<v>[A-Za-z0-9/]{10,})"
        ),
    },
    Shape {
        kind: "AWS key",
        needles: &["akia", "asia", "abia", "acca"],
        pattern: r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    },
    Shape {
        kind: "Google key",
        needles: &["aiza", "ya29.", "gocspx-"],
        pattern: r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}",
    },
    Shape {
        kind: "token",
        needles: &["_live_", "_test_", "npm_", "hf_", "pypi-"],
        pattern: concat!(
            r"\b[prs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bnpm_[A-Za-z0-9]{30,}|",
            r"\bhf_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{40,}"
        ),
    },
    Shape {
        kind: "JWT",
        needles: &["eyj"],
        pattern: r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    },
    Shape {
        kind: "password",
        needles: &["://"],
        // To the last `@` before the path: a password may hold one.
        pattern: r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@]*:(?P<v>[^\s/]+)@",
    },
    Shape {
        kind: "bearer token",
        needles: &["bearer", "authorization"],
        pattern: r"(?i)\b(?:bearer|authorization[\x22']?\s*[:=]\s*[\x22']?[a-z]+)\s+(?P<v>[A-Za-z0-9._~+/=-]{12,})",
    },
    Shape {
        kind: "secret",
        needles: &["passw", "passphrase", "secret", "token", "key", "credential"],
        // `tokens: 5` is no secret: after the word only a part set off by `_`, `.` or `-` may follow.
        pattern: concat!(
            r"(?i)\b[a-z0-9_.-]*(?:password|passwd|passphrase|secret[_-]?key|secret|token|api[_-]?key|",
            r"access[_-]?key|private[_-]?key|auth[_-]?key|credential)(?:[_.-][a-z0-9_.-]*)?[\x22']?\s*[:=]\s*",
            r"(?:\x22(?P<v>[^\x22\n]{4,})|'(?P<w>[^'\n]{4,})|(?P<x>[^\s\x22',;&(){}]{4,}))"
        ),
    },
    Shape {
        kind: "secret",
        needles: &["--"],
        pattern: r"(?i)--[a-z-]*(?:password|passphrase|secret|token|api-key)\s+[\x22']?(?P<v>[^\s\x22'-][^\s\x22']{3,})",
    },
];

/// Replaces secrets of known shapes by `[redacted KIND]`. What it knows is the shape of a secret, so it finds those that
/// were pasted or printed; it cannot find all. It costs time for every byte: cut a large text to what is shown first.
pub fn redact(text: &str) -> Cow<'_, str> {
    // Each when a text first needs it: most need none, and all of them together take longer than a short run.
    static COMPILED: [OnceLock<Regex>; SHAPES.len()] = [const { OnceLock::new() }; SHAPES.len()];
    let lower = text.to_ascii_lowercase();
    let mut out = Cow::Borrowed(text);
    for (shape, compiled) in SHAPES.iter().zip(&COMPILED) {
        if !shape.needles.iter().any(|needle| lower.contains(needle)) {
            continue;
        }
        let regex =
            compiled.get_or_init(|| Regex::new(shape.pattern).expect("a test compiles every pattern"));
        if let Some(changed) = replace(&out, shape, regex) {
            out = Cow::Owned(changed);
        }
    }
    out
}

fn replace(text: &str, shape: &Shape, regex: &Regex) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for found in regex.captures_iter(text) {
        let named = ["v", "w", "x"].iter().find_map(|name| found.name(name));
        let Some(value) =
            named.or_else(|| found.get(0)).filter(|value| is_secret(shape.kind, value.as_str()))
        else {
            continue;
        };
        out.push_str(text.get(done..value.start()).unwrap_or_default());
        out.push_str("[redacted ");
        out.push_str(shape.kind);
        out.push(']');
        done = value.end();
    }
    (done > 0).then(|| out + text.get(done..).unwrap_or_default())
}

/// Tells a value from what only stands where one could be: a placeholder, a variable, something replaced already, or,
/// after `bearer`, an ordinary word.
fn is_secret(kind: &str, value: &str) -> bool {
    let placeholder = value.starts_with(['$', '<', '%', '*']) || value.starts_with("[redacted");
    let word = kind == "bearer token" && value.len() < 32 && !value.bytes().any(|byte| byte.is_ascii_digit());
    !placeholder && !word
}

/// Returns at most `chars` characters of `text` on one line, for people: white space becomes single spaces, terminal
/// escapes, control characters and marks that reorder or hide text are dropped, and `…` stands for what is cut.
pub fn one_line(text: &str, chars: usize) -> String {
    let mut out = String::new();
    let mut room = chars.saturating_add(1);
    let mut space = false;
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        if next == '\u{1b}' {
            skip_escape(&mut rest);
        } else if next.is_whitespace() {
            space = !out.is_empty();
        } else if !is_hidden(next) {
            if space {
                out.push(' ');
                room = room.saturating_sub(1);
                space = false;
            }
            out.push(next);
            room = room.saturating_sub(1);
            // Whatever the size of the text, no more of it is read than is shown.
            if room == 0 {
                break;
            }
        }
    }
    cut(&out, chars)
}

/// Skips what follows the escape character: `[…m`, `]…BEL`, or one character.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => {
            let _final = rest.find(|next| !matches!(next, ' '..='?'));
        }
        Some(']' | 'P' | '_' | '^' | 'X') => {
            let ended = rest.find(|next| matches!(next, '\u{7}' | '\u{1b}' | '\u{9c}' | '\n'));
            if ended == Some('\u{1b}') {
                let _backslash = rest.next();
            }
        }
        Some(_) | None => {}
    }
}

fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests;
