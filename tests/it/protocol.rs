//! The server as its clients see it: bytes in, bytes out.

#![expect(clippy::indexing_slicing, reason = "a key that is not there is null, and the check says so")]
#![expect(clippy::panic, reason = "a check that fails says all it knows")]

mod answers;
mod arguments;
mod auditing;
mod calls;
mod changes;
mod configuration;
mod dialogue;
mod editing;
mod ends;
mod eras;
mod fields;
mod jobs;
mod parts;
mod reading;
mod refusals;
mod several;
mod shape;
mod steps;
mod telling;
mod tools;
