//! A fault outweighs a loss, a loss outweighs nothing, and remarks weigh nothing.

use super::*;
use crate::audit::chain::FaultKind;

fn report(kinds: &[FaultKind], notes: &[&str]) -> VerifyReport {
    VerifyReport {
        records: 3,
        first: 1,
        head: Head::EMPTY,
        outside: None,
        faults: kinds.iter().map(|kind| Fault::of(2, *kind)).collect(),
        notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        remarks: vec!["a remark".to_owned()],
        kept: None,
        anchor: None,
        jobs: 0,
    }
}

#[test]
fn faults_outweigh_losses_and_losses_outweigh_nothing() {
    for (kinds, notes, verdict) in [
        (&[][..], &[][..], Verdict::Whole),
        (&[], &["a gap"], Verdict::Incomplete),
        (&[FaultKind::Lost], &[], Verdict::Incomplete),
        (&[FaultKind::BeyondEnd, FaultKind::BeforeKept], &[], Verdict::Incomplete),
        (&[FaultKind::Missing], &["a gap"], Verdict::Broken),
        (&[FaultKind::Lost, FaultKind::JobDiffers], &[], Verdict::Broken),
    ] {
        assert_eq!(report(kinds, notes).verdict(), verdict, "{kinds:?} {notes:?}");
    }
}

#[test]
fn the_fault_that_is_named_is_no_loss_if_there_is_another() {
    let named = |kinds: &[FaultKind]| report(kinds, &[]).first_fault().map(|fault| fault.kind);
    assert_eq!(named(&[FaultKind::Lost, FaultKind::Changed]), Some(FaultKind::Changed));
    assert_eq!(named(&[FaultKind::Lost]), Some(FaultKind::Lost));
    assert_eq!(named(&[]), None);
}
