//! Whose turn it is, what is asked, and when it is over.

use super::*;

fn dialogue(rounds: i64) -> Dialogue {
    let [requester, responder] = ["web", "infra"].map(|name| name.parse().unwrap());
    Dialogue::new(requester, responder, "which port does the proxy use?".to_owned(), rounds)
}

fn said(text: &str) -> Said {
    Said { text: text.to_owned(), failed: false }
}

/// Plays what each turn says, as long as somebody is asked.
fn play(dialogue: &mut Dialogue, texts: &[&str]) -> Vec<(&'static str, usize)> {
    let mut turns = Vec::new();
    for text in texts {
        let Some(ask) = dialogue.next() else { break };
        turns.push((ask.side.as_str(), ask.round));
        dialogue.heard(said(text), None);
    }
    turns
}

#[test]
fn only_a_line_of_its_own_settles_a_dialogue() {
    for (text, resolved) in [
        ("[RESOLVED]", true),
        ("Port 8080.\n[RESOLVED]", true),
        ("Port 8080.\n\n  **[RESOLVED]**  \n", true),
        ("[RESOLVED]\nPort 8080.", true),
        ("`[RESOLVED]`.", true),
        ("Port 8080.\r\n[RESOLVED]\r\n", true),
        ("", false),
        ("resolved", false),
        ("[resolved]", false),
        ("I will write [RESOLVED] when we are done.", false),
        ("write, on a line of its own at the end, only this: [RESOLVED]", false),
        ("> [RESOLVED]", false),
        ("The rule says:\n```\n[RESOLVED]\n```\nbut not yet.", false),
        ("[RESOLVED] is not true yet", false),
        ("- [RESOLVED]", false),
        ("```port 8080```\n[RESOLVED]", true),
    ] {
        assert_eq!(is_resolved(text), resolved, "{text:?}");
    }
    // Whoever is told the rule and says it back has settled nothing.
    let task = dialogue(1).next().unwrap().request.task;
    assert!(task.contains(MARKER) && !is_resolved(&task), "{task}");
}

#[test]
fn the_sides_take_turns_until_the_rounds_are_over() {
    for (rounds, turns) in [(1, 2), (3, 6), (10, 20), (0, 2), (-5, 2), (99, 20)] {
        let mut dialogue = dialogue(rounds);
        let played = play(&mut dialogue, &["still open"; 30]);
        assert_eq!(played.len(), turns, "{rounds}");
        assert_eq!(played[..2], [("responder", 1), ("requester", 1)]);
        let ending = dialogue.ending();
        assert_eq!((ending.stop, ending.final_answer.as_str()), (Stop::RoundsOver, "still open"));
    }
}

#[test]
fn it_is_over_when_one_side_says_so() {
    for (texts, turns, answer) in [
        (&["Port 80.\n[RESOLVED]\n"][..], 1, "Port 80."),
        (&["Port 80?", "Yes.\n\n[RESOLVED]"], 2, "Yes."),
        (&["a", "b", "c\n[RESOLVED]"], 3, "c"),
        // Nothing but the marker: then that is what was said.
        (&["a", "[RESOLVED]"], 2, "[RESOLVED]"),
    ] {
        let mut dialogue = dialogue(3);
        assert_eq!(play(&mut dialogue, texts).len(), turns);
        assert!(dialogue.next().is_none(), "{texts:?}");
        let want = Ending { stop: Stop::Resolved, final_answer: answer.to_owned() };
        assert_eq!(dialogue.ending(), want, "{texts:?}");
    }
}

#[test]
fn a_turn_that_failed_ends_it_and_settles_nothing() {
    let mut dialogue = dialogue(3);
    dialogue.heard(said("Port 80?"), None);
    dialogue.heard(Said { text: "stopped after 300 s\n[RESOLVED]".to_owned(), failed: true }, None);
    assert!(dialogue.next().is_none());
    let ending = dialogue.ending();
    assert_eq!(ending.stop, Stop::Failed);
    assert_eq!(ending.final_answer, "stopped after 300 s\n[RESOLVED]");
}

#[test]
fn each_side_goes_on_with_its_own_conversation_and_hears_the_other() {
    let mut dialogue = dialogue(3);
    let [first, second, third] = [(); 3].map(|()| SessionId::generate());
    let ask = dialogue.next().unwrap().request;
    assert_eq!((ask.agent.as_str(), ask.caller.as_str(), ask.session_id.as_str()), ("infra", "web", ""));
    assert!(ask.task.contains("which port does the proxy use?"), "{}", ask.task);
    assert_eq!(ask.goal, "which port does the proxy use?");
    dialogue.heard(said("infra says 80"), Some(first.clone()));

    let ask = dialogue.next().unwrap().request;
    assert_eq!((ask.agent.as_str(), ask.caller.as_str(), ask.session_id.as_str()), ("web", "infra", ""));
    assert!(ask.task.contains("which port") && ask.task.contains("infra says 80"), "{}", ask.task);
    dialogue.heard(said("web says 81"), Some(second.clone()));

    let ask = dialogue.next().unwrap().request;
    assert_eq!((ask.agent.as_str(), ask.session_id.as_str()), ("infra", first.as_str()));
    assert!(ask.task.contains("web says 81") && !ask.task.contains("which port"), "{}", ask.task);
    // The conversation may have become another one.
    dialogue.heard(said("80 it is"), Some(third.clone()));
    assert_eq!(dialogue.next().unwrap().request.session_id, second.as_str());
    dialogue.heard(said(""), None);
    let ask = dialogue.next().unwrap().request;
    assert_eq!(ask.session_id, third.as_str());
    assert!(ask.task.contains("(nothing)"), "{}", ask.task);
}

#[test]
fn what_no_request_can_hold_does_not_end_the_dialogue() {
    let mut dialogue = dialogue(1);
    dialogue.heard(said("a\0b"), None);
    let ask = dialogue.next().unwrap().request;
    assert!(ask.task.contains("a\u{fffd}b"), "{}", ask.task);
    crate::model::DispatchRequest::new(ask, crate::model::request::Sharing::Never).unwrap();
}

#[test]
fn an_agent_can_talk_with_itself() {
    let name: AgentName = "web".parse().unwrap();
    let mut dialogue = Dialogue::new(name.clone(), name, "x".to_owned(), 2);
    let first = SessionId::generate();
    dialogue.heard(said("a"), Some(first.clone()));
    assert_eq!(dialogue.next().unwrap().request.session_id, "", "the sides are two conversations");
    dialogue.heard(said("b"), Some(SessionId::generate()));
    assert_eq!(dialogue.next().unwrap().request.session_id, first.as_str());
}

#[test]
fn a_dialogue_that_is_not_waited_for_comes_to_what_was_said_last() {
    let mut dialogue = dialogue(2);
    let stands = |dialogue: &Dialogue| (dialogue.ending().stop, dialogue.ending().final_answer);
    assert_eq!(stands(&dialogue), (Stop::WaitOver, String::new()));
    for text in ["Port 80?", "81.", "80 it is.", "Why?"] {
        assert!(dialogue.next().is_some(), "{text}");
        assert_eq!(dialogue.ending().stop, Stop::WaitOver, "{text}");
        dialogue.heard(said(text), None);
    }
    assert_eq!(stands(&dialogue), (Stop::RoundsOver, "Why?".to_owned()));
}

#[test]
fn each_side_is_told_the_background_when_it_is_first_asked() {
    let shared =
        RawRequest { context: "we moved in May".to_owned(), timeout_seconds: 60, ..RawRequest::default() };
    let mut dialogue = dialogue(2).with(shared);
    for context in ["we moved in May", "we moved in May", "", ""] {
        let request = dialogue.next().unwrap().request;
        assert_eq!((request.context.as_str(), request.timeout_seconds), (context, 60), "{}", request.task);
        assert!(!request.task.contains("we moved"), "{}", request.task);
        dialogue.heard(said("still open"), Some(SessionId::generate()));
    }
    assert!(dialogue.next().is_none());
}
