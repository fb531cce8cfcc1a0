//! The daemon: the only process that opens the store. It decides dispatches, orders the queue and wakes whoever waits.
//!
//! It never starts a process, so a sandboxed session cannot use it to escape, no environment crosses its socket, and
//! its death kills no work: front ends start workers, workers find the next daemon.

mod checking;
pub mod client;
mod consider;
pub mod handshake;
pub mod hub;
mod pending;
pub mod permits;
pub mod place;
pub mod protocol;
pub mod recover;
mod review;
pub mod serve;
pub mod session;
mod trail;
mod upkeep;
pub mod wire;
#[cfg(test)]
mod workbench;
pub mod workers;

pub use client::{Client, ClientError};
// The file outside the store may be read by anybody; only the daemon writes it.
pub use crate::store::head::remembered as remembered_heads;
