//! From what `claude` printed to the result of a run: one parser, used while a run goes on and for what a dead one left.
//!
//! [`Stream`] takes the bytes of `--output-format stream-json` in any pieces and ends in a [`crate::model::RunResult`].

mod classify;
mod conclude;
mod denied;
mod heard;
mod lenient;
mod line;
mod overrun;
mod status_line;
mod stream;
mod timeline;

pub use heard::{Note, Progress};
pub use overrun::Overrun;
pub use stream::Stream;
