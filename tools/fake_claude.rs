//! A scripted stand-in for `claude`.
fn main() {}
