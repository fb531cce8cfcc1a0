//! Every kind of part under its label.

use super::*;

fn part(agent: &str, text: &str) -> Part {
    Part { agent: agent.to_owned(), success: true, text: text.to_owned(), ..Part::default() }
}

#[test]
fn every_part_is_labelled_with_how_it_went() {
    let failed =
        |text: &str| Part { success: false, error: Some("out of time".to_owned()), ..part("db", text) };
    for (part, want) in [
        (part("web", "all fine\n"), "## Agent: web [OK]\n\nall fine"),
        (Part { outcome: Some(Outcome::Done), ..part("web", "x") }, "## Agent: web [OK]\n\nx"),
        (
            Part { outcome: Some(Outcome::Partial), ..part("web", "half") },
            "## Agent: web [OK, agent reports PARTIAL]\n\nhalf",
        ),
        (
            Part { outcome: Some(Outcome::Blocked), preview_of: Some(900), ..part("web", "head") },
            "## Agent: web [OK, agent reports BLOCKED, preview of 4 characters out of 900]\n\nhead",
        ),
        (failed(""), "## Agent: db [FAILED]\n\nerror: out of time"),
        (failed("so far"), "## Agent: db [FAILED]\n\nerror: out of time\n\nso far"),
        (part("web", " "), "## Agent: web [OK]\n\n(no text)"),
        // No request holds that character: none of the answers would be merged.
        (part("web", "a\0b"), "## Agent: web [OK]\n\na\u{fffd}b"),
    ] {
        assert_eq!(context(&[part], 1000), want);
    }
    let two = context(&[part("a", "one"), part("b", "two")], 1000);
    assert_eq!(two, "## Agent: a [OK]\n\none\n\n## Agent: b [OK]\n\ntwo");
}

#[test]
fn parts_share_the_room_and_are_cut_between_characters() {
    let parts = [part("a", &"ä".repeat(100)), part("b", "short")];
    let text = context(&parts, 21);
    assert!(text.starts_with("## Agent: a [OK, preview of 5 characters]\n\näääää\n"), "{text}");
    assert!(text.ends_with("## Agent: b [OK]\n\nshort"), "{text}");
}

#[test]
fn the_most_that_can_come_together_is_still_a_valid_request() {
    let long = "x".repeat(300_000);
    let parts: Vec<Part> = (0..100).map(|number| part(&format!("agent-{number}"), &long)).collect();
    let request = request("merger".to_owned(), &parts);
    assert!(request.context.len() > BYTES_MAX / 2);
    DispatchRequest::new(request, crate::model::request::Sharing::Never).unwrap();
}
