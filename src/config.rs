//! The configuration: where it lives, what it says, how it is changed.

pub mod paths;
