//! What the command line prints: how wide, in which colours, and safe against whatever foreign texts contain.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::audit::redact::one_line;
use crate::config::paths::Environment;
use crate::error::{Kind, Report};
use crate::model::{Timestamp, with_causes};

mod table;

pub(super) use table::Cell;

/// Where answers go: standard output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    /// Whether a person looks at it.
    pub(super) terminal: bool,
    colour: bool,
    /// Columns; nothing when there is no end of the line.
    width: Option<u16>,
}

/// What a cell says beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
    Busy,
    Faint,
    Strong,
}

impl Screen {
    /// Returns standard output as it is.
    pub(super) fn stdout(environment: &Environment) -> Self {
        let terminal = io::stdout().is_terminal();
        let width = table::terminal_width().filter(|_| terminal);
        Self { terminal, colour: terminal && wants_colour(environment), width }
    }

    /// Returns a screen of no width and no colour.
    #[cfg(test)]
    pub(super) const fn plain() -> Self {
        Self { terminal: false, colour: false, width: None }
    }

    /// Returns as much of an id as a person needs; all of it for a program.
    pub(super) fn short_of(self, id: &str, chars: usize) -> &str {
        if self.terminal { crate::document::head(id, chars) } else { id }
    }

    /// Returns `text` in this tone, where colours are wanted.
    pub(super) fn toned(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Busy => "33",
            Tone::Faint => "2",
            Tone::Strong => "1",
            Tone::Plain => return text.to_owned(),
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Returns `text` as it may be printed to this screen: verbatim to a program, harmless to a person.
    pub(super) fn text(self, text: &str) -> String {
        let mut shown = if self.terminal { harmless(text) } else { text.to_owned() };
        if !shown.ends_with('\n') {
            shown.push('\n');
        }
        shown
    }
}

/// Prints `text`. A reader that has seen enough and closed the pipe is no error.
pub(super) fn print_text(text: &str) -> Result<(), Report> {
    print_part(text).map(drop)
}

/// Prints a part of what may go on for long. Returns whether there still is somebody who reads it.
pub(super) fn print_part(text: &str) -> Result<bool, Report> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Report::new(
            Kind::Failed,
            "output",
            format!("standard output cannot be written: {}", with_causes(&error)),
            "What was asked for is done; only its output is lost. Look with: agent-dispatch jobs",
        )),
    }
}

/// Prints `value` as JSON that nothing in it can use to steer a terminal.
pub(super) fn print_json<T: Serialize + ?Sized>(value: &T) -> Result<(), Report> {
    print_text(&json_text(value)?)
}

/// Returns whether colours are wanted at all.
fn wants_colour(environment: &Environment) -> bool {
    environment.text("NO_COLOR").is_none() && environment.text("TERM") != Some("dumb")
}

/// Returns `value` as indented JSON text with a line end.
pub(super) fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, Report> {
    serde_json::to_string_pretty(value).map(|text| quiet(&text)).map_err(|error| unwritable(&error))
}

/// Returns `value` as JSON text on one line, with a line end.
pub(super) fn json_line<T: Serialize + ?Sized>(value: &T) -> Result<String, Report> {
    serde_json::to_string(value).map(|text| quiet(&text)).map_err(|error| unwritable(&error))
}

fn unwritable(error: &serde_json::Error) -> Report {
    Report::new(Kind::Failed, "output", format!("cannot be written as JSON: {error}"), "Leave out --json.")
}

/// Returns JSON text that steers no terminal, with a line end.
fn quiet(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 1);
    for char in text.chars() {
        // JSON leaves DEL, the C1 controls and what reorders text as they are; outside of texts there are none.
        if char != '\n' && steers(char) {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                let _infallible = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(char);
        }
    }
    shown.push('\n');
    shown
}

/// Returns `text` with everything escaped that could steer a terminal; line breaks and tabs stay.
pub(super) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\t' => shown.push(char),
            char if steers(char) => shown.extend(char.escape_default()),
            char => shown.push(char),
        }
    }
    shown
}

/// Returns whether a terminal takes `char` for an order: controls, and marks that reorder what follows.
fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns the first lines of a foreign text, harmless, each behind an indent, so that none of them can pass for ours.
pub(super) fn indented(text: &str, lines_max: usize) -> String {
    let harmless = harmless(text);
    let mut lines = harmless.trim_end().lines();
    let mut shown = String::new();
    for line in lines.by_ref().take(lines_max) {
        if line.is_empty() {
            shown.push('\n');
        } else {
            let _infallible = writeln!(shown, "    {}", crate::audit::cut(line, LINE_CHARS));
        }
    }
    match lines.count() {
        0 => {}
        1 => shown.push_str("    … 1 more line\n"),
        more => {
            let _infallible = writeln!(shown, "    … {more} more lines");
        }
    }
    shown
}

/// Longest line of a foreign text that is shown in part, in characters.
const LINE_CHARS: usize = 500;

/// Returns one fact on a line of its own: `label` padded, then what there is to say.
pub(super) fn fact(label: &str, said: &str) -> String {
    format!("{label:<13} {}\n", one_line(said, FACT_CHARS))
}

/// Returns one fact with a long label.
pub(super) fn field(label: &str, said: &str) -> String {
    format!("{label:<25} {}\n", one_line(said, FACT_CHARS))
}

/// Longest fact, in characters.
const FACT_CHARS: usize = 1000;

/// Returns when something was, seen from `now`: relative within a day, else the local date and time.
pub(super) fn when(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.millis_since(time) / 1000;
    match seconds {
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => time.local().get(..16).unwrap_or_default().to_owned(),
    }
}

/// Returns a length of time as people say it.
pub(super) fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Returns a number of bytes as people say it.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let (mut tenths, mut unit) = (bytes.saturating_mul(10) / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if tenths >= 100 {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// Returns a bar for this share of `columns`, an eighth of a column precise; what is more than all, or no number, has none.
pub(super) fn bar(share: f64, columns: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if !(0.0..=1.0).contains(&share) {
        return String::new();
    }
    let eighths = (0..=columns * 8).rev().find(|eighths| share_of(*eighths, columns * 8) <= share);
    let eighths = eighths.unwrap_or(0);
    "█".repeat(eighths / 8) + PARTS.get(eighths % 8).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "columns of a terminal")]
fn share_of(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// Tells a person something beside the answer, on standard error.
pub(super) fn note(text: &str) {
    // Nobody may be there to read it.
    let _closed = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests;
