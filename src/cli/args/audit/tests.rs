//! The help knows every event.

use super::*;
use crate::audit::Code;

#[test]
fn every_event_is_explained() {
    for code in Code::ALL {
        let line = format!("\n  {:<16}  ", code.as_str());
        assert!(AUDIT_HELP.contains(&line), "{}", code.as_str());
    }
    assert_eq!(AUDIT_HELP.matches("\n  ").count(), Code::ALL.len());
}
