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
        assert_eq!(members(given.clone()), (expected, vec![]), "{given}");
    }
    for given in
        [json!([5]), json!([{"agent": 5}]), json!([{"agent": "a", "use": "b"}]), json!([{"use_for": "b"}])]
    {
        let (named, odd) = members(given);
        assert_eq!((named.len(), odd.len()), (0, 1), "{odd:?}");
    }
    let (named, odd) = members(json!([5, "web", {}]));
    assert_eq!((named, odd.len()), (vec![put("web", None)], 2));
    assert_eq!(gone(json!([5])).1.len(), 1);
    assert_eq!(gone(json!("a,b")).0.len(), 2);
}
