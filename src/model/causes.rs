//! An error and what caused it, in one line.

use std::error::Error;
use std::fmt::Write as _;

/// Returns an error with its causes, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let _infallible = write!(text, ": {next}");
        cause = next.source();
    }
    text
}
