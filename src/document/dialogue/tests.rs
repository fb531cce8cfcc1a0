//! How a dialogue is told that came to its end or did not.

use super::*;
use crate::dispatch::DispatchError;
use crate::plan::dialogue::Side;

fn ending(stop: Stop, final_answer: &str) -> Ending {
    Ending { stop, final_answer: final_answer.to_owned() }
}

#[test]
fn how_it_ended_and_whether_it_is_settled_say_the_same() {
    for (stop, status) in [
        (Stop::Resolved, "resolved"),
        (Stop::RoundsOver, "rounds_over"),
        (Stop::Failed, "failed"),
        (Stop::WaitOver, "wait_over"),
    ] {
        let document = DialogueDocument::of(&[], &ending(stop, "80"), Wanted::Whole, 1000);
        assert_eq!((document.status.as_str(), document.resolved), (status, status == "resolved"));
        assert_eq!(document.message.is_some(), status == "wait_over", "{status}");
    }
}

#[test]
fn what_to_do_names_a_turn_only_if_it_goes_on() {
    let running = next_step(Some(("infra", "07".to_owned())));
    assert!(
        running.contains("while `infra` had its turn") && running.contains("dispatch_wait(job_id=\"07\")")
    );
    let between = next_step(None);
    assert!(between.contains("nothing runs") && !between.contains("dispatch_wait"), "{between}");
    for message in [running, between] {
        for told in [
            "dispatch_session",
            "gets the topic, the context and the group, too, and no `session_id`",
            "`[RESOLVED]` on a line of its own ends it",
            "`inline_wait_seconds`",
        ] {
            assert!(message.contains(told), "{told}: {message}");
        }
    }
}

#[test]
fn a_turn_that_failed_has_an_empty_message_however_much_is_wanted() {
    for wanted in [Wanted::Whole, Wanted::Reference(5)] {
        let turn = Turn {
            agent: "infra".to_owned(),
            side: Side::Responder,
            round: 1,
            outcome: Err(DispatchError::Invalid(Vec::new())),
        };
        let document = DialogueDocument::of(&[turn], &ending(Stop::Failed, "too long"), wanted, 4);
        let turn = document.conversation.first().unwrap();
        assert_eq!((turn.status.as_str(), turn.message.as_deref()), ("failed", Some("")));
        assert!(turn.error.is_some() && turn.reference.is_none(), "{turn:?}");
        // It comes whole, as far as a client takes it.
        assert_eq!((document.final_answer.as_str(), document.truncated), ("too ", Some(true)));
    }
}
