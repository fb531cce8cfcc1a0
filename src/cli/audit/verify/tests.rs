//! What a check found is told by its worst part, and everything that is missing is named.

use super::*;
use crate::model::Digest;

fn report(faults: Vec<Fault>, notes: &[&str]) -> VerifyReport {
    VerifyReport {
        records: 7,
        first: 1,
        head: Head { seq: 7, hash: Digest::ZERO },
        outside: None,
        faults,
        notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        remarks: vec!["by the way".to_owned()],
        kept: None,
        anchor: None,
        jobs: 2,
    }
}

#[test]
fn a_whole_trail_needs_no_complaint() {
    assert_eq!(complaint(&report(Vec::new(), &[])), None);
    let text = told(&report(Vec::new(), &[]));
    assert!(text.starts_with("audit trail   whole\nrecords       7\n"), "{text}");
    assert!(text.ends_with("\njobs          2\nnote          by the way\n"), "{text}");
}

#[test]
fn the_complaint_names_the_first_bad_record_before_any_loss() {
    let lost = Fault::of(3, FaultKind::Lost);
    let changed = Fault::of(5, FaultKind::Changed);
    let report = report(vec![lost, changed], &["record 2: a gap"]);
    let complained = complaint(&report).unwrap();
    assert_eq!(
        complained.message,
        "the audit trail is broken: record 5 was changed: its hash does not match what it says"
    );
    let text = told(&report);
    assert!(text.starts_with("audit trail   BROKEN\n"), "{text}");
    for line in [
        "missing       record 3 and what followed it",
        "fault         record 5 was",
        "missing       record 2: a gap",
    ] {
        assert!(text.contains(&format!("\n{line}")), "{line}: {text}");
    }
}

#[test]
fn what_is_only_missing_is_complained_of_as_such() {
    let complained = complaint(&report(Vec::new(), &["record 2: a gap"])).unwrap();
    assert_eq!(complained.message, "the audit trail is incomplete: record 2: a gap");
    let text = told(&report(vec![Fault::of(3, FaultKind::BeyondEnd)], &[]));
    assert!(text.starts_with("audit trail   INCOMPLETE\n"), "{text}");
}

#[test]
fn programs_get_every_fault_with_its_words() {
    let job = JobId::from_bytes([1; 16]);
    let report = report(vec![Fault::about(job, 5, FaultKind::JobMissing)], &[]);
    let document = serde_json::to_value(Document::of(&report)).unwrap();
    assert_eq!((&document["whole"], &document["verdict"]), (&false.into(), &"broken".into()));
    let fault = &document["faults"][0];
    assert_eq!((&fault["seq"], &fault["kind"]), (&5.into(), &"job_missing".into()));
    assert_eq!(fault["dispatch"], job.to_string());
    assert!(fault["text"].as_str().unwrap().starts_with("record 5 is the last one of a job"), "{fault}");
    assert_eq!(document.get("kept"), None);
}
