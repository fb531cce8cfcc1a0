//! Where a dispatch stands in a distributed trace, as the W3C header `traceparent` writes it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::JobId;

/// The variable in which programs hand a trace on to those they start.
pub const TRACE_VARIABLE: &str = "TRACEPARENT";

/// Its companion, in which vendors keep what is their own; it means nothing in another trace.
pub const TRACE_STATE_VARIABLE: &str = "TRACESTATE";

/// What a new trace says of itself: it is recorded. One that is not would switch off the telemetry of whoever inherits it.
const RECORDED: u8 = 1;

/// A span of a trace: `00-<trace>-<span>-<flags>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// A text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a traceparent: expected 00-<32 hexadecimal digits>-<16 hexadecimal digits>-<2 hexadecimal digits>"
)]
pub struct BadTrace;

impl TraceParent {
    /// Returns the span of a run: in the trace that its caller is part of, else in one of its own. Its number is the random
    /// end of the job's id and a new trace has the whole id, so that both are found without being looked up.
    pub fn of_run(caller: Option<Self>, job: JobId) -> Self {
        let span = job.as_bytes().last_chunk().copied().unwrap_or_default();
        match caller {
            Some(parent) => Self { span, ..parent },
            None => Self { trace: *job.as_bytes(), span, flags: RECORDED },
        }
    }

    /// Returns the number of the trace.
    pub const fn trace_id(&self) -> [u8; 16] {
        self.trace
    }

    /// Returns the number of the span.
    pub const fn span_id(&self) -> [u8; 8] {
        self.span
    }

    /// Returns its flags.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Returns whether both are spans of one trace.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.trace == other.trace
    }
}

impl FromStr for TraceParent {
    type Err = BadTrace;

    /// Reads the header of version 0, and of later versions as much of it as that one defines.
    fn from_str(text: &str) -> Result<Self, BadTrace> {
        let mut parts = text.trim().splitn(5, '-');
        let mut part = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length).ok_or(BadTrace)?;
            let lowercase = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if !part.bytes().all(lowercase) {
                return Err(BadTrace);
            }
            u128::from_str_radix(part, 16).map_err(|_| BadTrace)
        };
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let known = version != 0xff && (version != 0 || parts.next().is_none());
        if !known || trace == 0 || span == 0 {
            return Err(BadTrace);
        }
        let span = span.to_be_bytes().last_chunk().copied().ok_or(BadTrace)?;
        let [.., flags] = flags.to_be_bytes();
        Ok(Self { trace: trace.to_be_bytes(), span, flags })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace), u64::from_be_bytes(self.span));
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

impl TryFrom<String> for TraceParent {
    type Error = BadTrace;

    fn try_from(text: String) -> Result<Self, BadTrace> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(trace: TraceParent) -> Self {
        trace.to_string()
    }
}

#[cfg(test)]
mod tests;
