//! Tests of how members are named.

use serde_json::json;

use super::*;

#[test]
fn members_come_as_texts_lists_objects_and_json() {
    let put = |agent: &str, use_for: Option<&str>| MemberChange::Put {
        agent: agent.to_owned(),
        use_for: use_for.map(str::to_owned),
    };
    for (given, expected) in [
        (json!(""), vec![]),
        (json!("web = the face, infra"), vec![put("web", Some("the face")), put("infra", None)]),
        (json!(["web=", "infra"]), vec![put("web", Some("")), put("infra", None)]),
        (json!([{"agent": "web", "use_for": "a, b=c"}]), vec![put("web", Some("a, b=c"))]),
        (json!({"agent": "web", "use_for": null}), vec![put("web", None)]),
        (json!("[{\"agent\": \"web\"}]"), vec![put("web", None)]),
    ] {
        assert_eq!(members(given.clone()).expect("members"), expected, "{given}");
    }
    for given in
        [json!([5]), json!([{"agent": 5}]), json!([{"agent": "a", "use": "b"}]), json!([{"use_for": "b"}])]
    {
        members(given).expect_err("no members");
    }
    gone(json!([5])).expect_err("no names");
    assert_eq!(gone(json!("a,b")).expect("names").len(), 2);
}
