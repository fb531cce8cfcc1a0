//! Runs one `claude` to its end: its folder, its process, what it writes, how it is stopped, and what it leaves behind.
//!
//! [`lifecycle`] decides, [`supervise`] waits and obeys, the others each own one piece of the operating system. The
//! result line ends a run for its caller ([`run`] returns); what the process does after that is settled behind the
//! caller's back ([`Afterlife::settle`]).

pub mod census;
pub mod folder;
pub mod launch;
pub mod lifecycle;
pub mod probe;
pub mod process;
mod readiness;
pub mod repository;
pub mod supervise;
pub mod sweep;
pub mod tail;

pub use folder::{FolderError, RunFolder};
pub use process::{SpawnError, identify, is_alive};
pub use supervise::{Afterlife, Leftovers, RunReport, leftover, run};
pub use sweep::Swept;
