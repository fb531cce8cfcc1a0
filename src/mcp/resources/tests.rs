//! Which URIs name something, and that templates and addresses agree.

use super::*;

#[test]
fn addresses_are_read_exactly() {
    for (uri, address) in [
        ("agent-dispatch://agents", Some(Address::Agents)),
        ("agent-dispatch://agents/infra", Some(Address::Agent("infra"))),
        ("agent-dispatch://jobs/0a1b", Some(Address::Job("0a1b"))),
        ("agent-dispatch://results/0a1b", Some(Address::Answer("0a1b"))),
        ("agent-dispatch://agents/", None),
        ("agent-dispatch://agents/a/b", None),
        ("agent-dispatch://jobs", None),
        ("agent-dispatch://results", None),
        ("agent-dispatch://other/a", None),
        ("agent-dispatch:agents", None),
        ("Agent-Dispatch://agents", None),
        ("file:///etc/passwd", None),
        ("", None),
    ] {
        assert_eq!(Address::of(uri), address, "{uri}");
    }
}

#[test]
fn every_template_makes_an_address_and_says_what_it_is() {
    let templates = templates();
    assert_eq!(templates.len(), 3);
    for template in templates {
        assert!(Address::of(&uri(&template.uri_template, "x")).is_some(), "{}", template.uri_template);
        let text = template.description.unwrap_or_default();
        assert!((20..500).contains(&text.len()) && template.title.is_some() && template.mime_type.is_some());
    }
}
