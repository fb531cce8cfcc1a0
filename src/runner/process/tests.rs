//! Identities of processes.

use crate::job::ProcessId;
use crate::runner::process::{identify, is_alive};

#[test]
fn this_process_is_alive_and_an_earlier_one_with_its_number_is_not() {
    let this = identify(std::process::id()).unwrap();
    assert_eq!(this.pid, std::process::id());
    assert!(is_alive(this));
    assert!(!is_alive(ProcessId { start_ticks: this.start_ticks - 1, ..this }));
}

#[test]
fn a_number_that_nobody_has_identifies_nobody() {
    // Process numbers end at 2^22.
    assert_eq!(identify(u32::MAX), None);
    assert!(!is_alive(ProcessId { pid: u32::MAX, start_ticks: 0 }));
}
