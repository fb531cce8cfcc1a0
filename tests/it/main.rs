//! The program from outside: one binary, one file per subject.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod cli;
mod client;
mod mock_api;
mod protocol;
mod real;
mod real_claude;
mod real_dispatch;
mod runner;
mod world;
