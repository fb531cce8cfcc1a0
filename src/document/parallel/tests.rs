//! Failures among results, shares of the room, and what is said while some run.

use super::*;
use crate::dispatch::DispatchError;
use crate::model::{FailureClass, JobId};
use crate::plan::Refusal;

fn refused() -> Outcome {
    let refusal = Refusal {
        class: FailureClass::NotFound,
        message: "the directory is missing".to_owned(),
        hint: "create it".to_owned(),
    };
    Err(DispatchError::Refused { job: JobId::from_bytes([7; 16]), refusal })
}

#[test]
fn a_refusal_has_its_place_among_the_results() {
    let document = ParallelDocument::of(&[("web", Wanted::Whole)], &[refused()], None, 1000);
    let told = serde_json::to_value(&document).unwrap();
    let want = serde_json::json!({"individual_results": [{
        "agent": "web", "job_id": "07".repeat(16), "status": "refused", "success": false,
        "error": "the directory is missing", "error_type": "not_found", "code": "not_found", "retry": "never",
        "hint": "create it",
    }]});
    assert_eq!(told, want);
    assert!(document.all_failed());
}

#[test]
fn what_still_runs_is_named_with_what_to_do() {
    let running = |id: &str| DispatchDocument { job_id: id.to_owned(), ..DispatchDocument::default() };
    let ended = DispatchDocument { success: Some(true), ..running("c") };
    let document = |aggregate| {
        let individual_results = vec![running("a"), ended.clone(), running("b")];
        ParallelDocument { individual_results, aggregated: None, message: None }.with_running(aggregate)
    };
    let message = document("").message.unwrap();
    assert_eq!(message, "2 of 3 still run, by themselves. Wait for them with dispatch_wait(job_id=\"a,b\").");
    assert!(document("merger").message.unwrap().contains("Nothing was aggregated"));
    let all_ended = ParallelDocument { individual_results: vec![ended], aggregated: None, message: None };
    assert_eq!(all_ended.with_running("merger").message, None);
}

#[test]
fn a_part_says_whether_it_is_whole() {
    let part = part("web", Wanted::Reference(3), &refused()).unwrap();
    assert_eq!((part.success, part.error.as_deref()), (false, Some("the directory is missing")));
}
