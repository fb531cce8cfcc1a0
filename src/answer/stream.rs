//! Cuts the output of a run into lines and hands them on; bounded, and blind to how the bytes were split.

use crate::answer::conclude::{Circumstances, conclude};
use crate::answer::heard::{Heard, Note, is_aborted, is_error};
use crate::answer::line;
use crate::model::{Answer, Ending, RunResult, Timestamp, ToolCall};
use crate::plan::Expects;

/// Longest line that is read; a longer one is skipped. The largest seen were the answers of 3 MB that were asked for.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Room that is kept for the lines to come. What a longer one has taken is kept for the next alone: a long answer comes twice,
/// as a message and as the result.
const KEPT_BYTES: usize = 1 << 20;

/// The output of one run, as far as it has come.
#[derive(Debug)]
pub struct Stream {
    expects: Expects,
    budget: Option<f64>,
    line: Vec<u8>,
    line_bytes_max: usize,
    skipping: bool,
    heard: Heard,
}

impl Stream {
    /// Returns the stream of a run that has said nothing yet. `budget` is its spending cap in US dollars.
    pub fn new(expects: Expects, budget: Option<f64>) -> Self {
        Self {
            expects,
            budget,
            line: Vec::new(),
            line_bytes_max: LINE_BYTES_MAX,
            skipping: false,
            heard: Heard::default(),
        }
    }

    /// Takes bytes as they come, any split, `at_ms` milliseconds after the spawn; returns what complete lines tell.
    pub fn feed(&mut self, bytes: &[u8], at_ms: u64) -> Vec<Note> {
        let mut notes = Vec::new();
        // Lines end with a line feed and nothing else: answers hold U+2028 and carriage returns. That a part of a long line
        // has none is found in many bytes at a time.
        if !bytes.contains(&b'\n') {
            self.extend_line(bytes);
            return notes;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.extend_line(piece);
            if piece.ends_with(b"\n") {
                self.end_line(at_ms, &mut notes);
            }
        }
        notes
    }

    /// Nothing more comes: a last line without its line feed counts. The process was killed, or somebody edits what it prints.
    pub fn finish(&mut self, at_ms: u64) {
        self.end_line(at_ms, &mut Vec::new());
    }

    /// Returns whether the run has given its result; what follows are the last words of its background tasks.
    pub const fn result_seen(&self) -> bool {
        self.heard.result.is_some()
    }

    /// Returns whether all that the run has to tell is that a signal has interrupted it.
    pub fn aborted(&self) -> bool {
        self.heard.result.as_ref().is_some_and(|result| is_error(result) && is_aborted(result))
    }

    /// Returns the tools that were used so far, one after the other, with secrets in what they were called on.
    pub fn calls(&self) -> Vec<ToolCall> {
        self.heard.timeline.calls(self.heard.denials.calls())
    }

    /// Returns what came of the run. The verdict is that of the result line; without one, of whoever stopped the run;
    /// without that, of how the process ended. An exit code never overrides a result line.
    pub fn conclude(
        mut self,
        ending: &Ending,
        agent: &str,
        timeout_ms: u64,
        now: Timestamp,
    ) -> (RunResult, Answer) {
        self.finish(ending.elapsed_ms);
        let Self { expects, budget, heard, .. } = self;
        conclude(heard, &Circumstances { expects: &expects, budget, ending, agent, timeout_ms, now })
    }

    fn extend_line(&mut self, piece: &[u8]) {
        if self.line.len().saturating_add(piece.len()) > self.line_bytes_max {
            self.skipping = true;
            self.line = Vec::new();
        } else if !self.skipping {
            self.line.extend_from_slice(piece);
        }
    }

    fn end_line(&mut self, at_ms: u64, notes: &mut Vec<Note>) {
        if !self.skipping
            && let Some(line) = line::parse(&self.line)
        {
            self.heard.take(line, at_ms, notes);
        }
        self.skipping = false;
        if self.line.len() <= KEPT_BYTES {
            self.line.shrink_to(KEPT_BYTES);
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests;
