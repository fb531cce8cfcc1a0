//! The first lines of a text file, for someone who wants to know what is in it.

use std::io;
use std::path::Path;

use crate::project::regular::read_head;
use crate::project::watch::TEXT_BYTES_MAX;

/// The beginning of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The lines.
    pub text: String,
    /// Whether the file goes on.
    pub truncated: bool,
}

/// Most lines of a preview.
pub const PREVIEW_LINES_MAX: usize = 200;
/// Characters that each line adds to what a preview may hold, and the least it may.
const LINE_CHARS: usize = 200;

/// Returns the first `lines` lines of a file, at most [`PREVIEW_LINES_MAX`]; nothing when there is no file. Bytes that
/// are not UTF-8 are replaced.
pub fn preview(path: &Path, lines: usize) -> io::Result<Option<Preview>> {
    let Some(head) = read_head(path, TEXT_BYTES_MAX)? else { return Ok(None) };
    let lines = lines.min(PREVIEW_LINES_MAX);
    let text = String::from_utf8_lossy(&head.bytes);
    let mut rest = text.lines();
    let first: Vec<&str> = rest.by_ref().take(lines).collect();
    let mut shown = first.join("\n");
    let mut truncated = head.truncated || rest.next().is_some();
    let chars_max = (lines * LINE_CHARS).max(LINE_CHARS);
    if let Some((end, _)) = shown.char_indices().nth(chars_max) {
        shown.truncate(end);
        truncated = true;
    }
    Ok(Some(Preview { text: shown, truncated }))
}

#[cfg(test)]
mod tests;
