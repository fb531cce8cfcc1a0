//! Commands as a person can type them.

use std::path::Path;

/// Returns `word` so that a shell takes it for one word, as it is.
pub fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns a path as one word.
pub fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// Returns a whole command.
pub fn command(words: &[&str]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
