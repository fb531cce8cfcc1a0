//! The text of the agents file, line by line: what is added or taken out here leaves every other byte as it is.

use std::ops::Range;

use yaml_edit::{MappingEntry, YamlNode};

/// Returns how the lines of `text` end.
pub(super) fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// Where something ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With the last byte that is neither blank nor a line end.
    Said,
    /// With the blank lines that belong to a text (`|+`).
    Whole,
}

/// Returns where an entry stands in `text`: from the first byte of its key to its end.
pub(super) fn entry_range(text: &str, entry: &MappingEntry, end: End) -> Option<Range<usize>> {
    let start = usize::try_from(entry.key_node()?.byte_range().start).ok()?;
    let last = usize::try_from(entry.value_node()?.byte_range().end).ok()?;
    ending(text, start..last, end)
}

/// Returns where an item of a list in block style stands in `text`: from its dash to its end.
pub(super) fn item_range(text: &str, item: &YamlNode, end: End) -> Option<Range<usize>> {
    let range = item.byte_range();
    let start = usize::try_from(range.start).ok()?;
    let dash = text.get(..start)?.trim_end_matches(' ').strip_suffix('-')?.len();
    ending(text, dash..usize::try_from(range.end).ok()?, end)
}

fn ending(text: &str, range: Range<usize>, end: End) -> Option<Range<usize>> {
    let start = range.start;
    let part = text.get(range)?;
    let part = match end {
        End::Said => part.trim_end(),
        End::Whole => part,
    };
    Some(start..start + part.len())
}

/// Returns the rest of the line in which something ends, with its line end.
fn rest_of_line<'a>(before: &str, after: &'a str) -> &'a str {
    let end = if before.ends_with('\n') { 0 } else { after.find('\n').map_or(after.len(), |end| end + 1) };
    after.get(..end).unwrap_or_default()
}

/// Adds `yaml`, which is written without indent, after the entry or item that stands at `last`, as deep as that.
pub(super) fn inserted(text: &str, last: &Range<usize>, yaml: &str) -> Option<String> {
    let (before, after) = text.split_at_checked(last.end)?;
    let head = text.get(..last.start)?;
    let indent = head.get(head.rfind('\n').map_or(0, |end| end + 1)..)?;
    if !indent.bytes().all(|byte| byte == b' ') {
        return None;
    }
    // What is left of the last line, and the comments that belong to it because they stand deeper.
    let mut end = before.len() + rest_of_line(before, after).len();
    for line in text.get(end..)?.split_inclusive('\n') {
        let inner = line.trim_start_matches(' ');
        if !inner.starts_with('#') || line.len() - inner.len() <= indent.len() {
            break;
        }
        end += line.len();
    }
    let (before, after) = text.split_at_checked(end)?;
    let mut new = before.to_owned();
    if !before.ends_with('\n') {
        new.push_str(line_end(text));
    }
    for line in yaml.lines() {
        if !line.is_empty() {
            new.push_str(indent);
            new.push_str(line);
        }
        new.push_str(line_end(text));
    }
    new.push_str(after);
    Some(new)
}

/// Adds `yaml` at the end of a text that holds nothing but comments.
pub(super) fn appended(text: &str, yaml: &str) -> String {
    let end = line_end(text);
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    format!("{text}{gap}{}", yaml.replace('\n', end))
}

/// Takes out the lines of what stands at `part`, and leaves blank lines and comments around it.
pub(super) fn cut(text: &str, part: &Range<usize>) -> Option<String> {
    let before = text.get(..part.start)?.trim_end_matches(' ');
    let (until, after) = text.split_at_checked(part.end)?;
    let rest = after.get(rest_of_line(until, after).len()..)?;
    (before.is_empty() || before.ends_with('\n')).then(|| format!("{before}{rest}"))
}
