//! The program from outside: one binary, one file per subject.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is how a test fails"
)]
#![expect(clippy::disallowed_methods, reason = "a test starts programs and looks at its own environment")]

mod cli;
mod client;
mod crash;
mod crowd;
mod daemon;
mod doors;
mod export;
mod flight;
mod gone;
mod integrity;
mod leave;
mod length;
mod mock_api;
mod orders;
#[cfg(feature = "otlp")]
mod otlp;
mod permits;
mod protocol;
mod python;
mod questions;
mod readme;
mod real;
mod real_audit;
mod real_claude;
mod real_dispatch;
mod real_setup;
mod real_surface;
mod recording;
mod report;
mod review;
mod runner;
mod safety;
mod scene;
mod setup;
mod setup_strays;
mod steps;
mod stranger;
mod terminal;
mod upkeep;
mod usual;
mod ways;
mod world;
