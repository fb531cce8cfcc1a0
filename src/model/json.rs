//! JSON text as others write it.

/// Replaces escapes of half a character (`\ud83d` without its other half) by that of U+FFFD. JavaScript writes them when it
/// cuts a text in the middle of an emoji; no Rust string can hold them.
pub fn mend_surrogates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let other = escape.get(6..).and_then(code_unit);
        let (length, kept) = match (code_unit(escape), other) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, true),
            (Some(0xd800..=0xdfff), _) => (6, false),
            (Some(_), _) => (6, true),
            // Two characters, so that the second of `\\` begins no escape.
            (None, _) => (escape.chars().take(2).map(char::len_utf8).sum(), true),
        };
        let (taken, after) = escape.split_at(length);
        out.push_str(if kept { taken } else { "\\ufffd" });
        rest = after;
    }
    out + rest
}

fn code_unit(escape: &str) -> Option<u32> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests;
