//! Everything that can be wrong with several dispatches is said at once, before any of them runs.

use serde_json::json;

use super::*;
use crate::model::{Agent, Group, GroupMember};

fn config() -> Config {
    let mut config = Config::empty("/nowhere/agents.yaml".into());
    config.agents = ["web", "db"].map(|name| Agent::new(name.parse().unwrap(), "/srv".into())).into();
    let member = GroupMember { agent: "web".parse().unwrap(), use_for: String::new() };
    config.groups.push(Group {
        name: "shop".parse().unwrap(),
        description: String::new(),
        shared_context: String::new(),
        members: vec![member],
    });
    config
}

fn problems(given: Value, aggregate: &str) -> String {
    Several::read(&config(), given, aggregate).unwrap_err().message
}

#[test]
fn a_list_and_its_text_say_the_same() {
    let list = json!([
        {"agent": "web", "task": "a", "timeout_seconds": "900", "summary_chars": null, "return_ref": "true"},
        {"agent": "db", "task": "b", "session_id": "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47", "summary_chars": 7},
        {"agent": "web", "task": "c", "group": "shop", "response_format": {"type": "object"}},
    ]);
    for given in [list.clone(), json!(list.to_string())] {
        let several = Several::read(&config(), given, "db").unwrap();
        assert_eq!(
            (several.agents(), several.speakers()),
            (vec!["web", "db", "web"], vec!["web", "db", "web", "db"])
        );
        assert_eq!(several.wanted, [Wanted::Reference(500), Wanted::Whole, Wanted::Whole]);
        let [first, second, third] = several.requests.try_into().unwrap();
        assert_eq!(first.timeout.unwrap().as_secs(), 900);
        assert_eq!((first.sharing, second.sharing), (Sharing::CacheAndJoin, Sharing::Never));
        assert!(second.resume.is_some() && third.group.is_some());
    }
}

#[test]
fn what_is_no_list_of_dispatches_is_refused() {
    for (given, problem) in [
        (json!("[{"), "`dispatches` is not JSON"),
        (json!("{}"), "`dispatches` is not a list"),
        (json!({"agent": "web"}), "`dispatches` is not a list"),
        (json!([]), "`dispatches` is empty"),
        (json!(["web"]), "`dispatches[0]` is not an object"),
        (json!(vec![json!({"agent": "web", "task": "x"}); 101]), "`dispatches` has 101 items, more than 100"),
    ] {
        let told = problems(given, "");
        assert!(told.contains(problem), "{told}");
    }
    let mut config = config();
    config.settings.max_concurrency = 6;
    let items = json!(vec![json!({"agent": "web", "task": "x"}); 120]);
    Several::read(&config, items, "").unwrap();
}

#[test]
fn all_problems_of_all_items_are_named_with_their_places() {
    let items = json!([
        {"agent": "web", "task": "fine"},
        {"agent": "web"},
        {"agent": 3, "task": "x", "contxt": "y"},
        {"agent": "web", "task": " ", "group": "no such group!"},
        {"agent": "wbe", "task": "x"},
        {"agent": "db", "task": "x", "group": "shop"},
        {"agent": "web", "task": "x", "timeout_seconds": "soon", "summary_chars": 12.5},
        {"agent": "web", "task": "x", "response_format": {"type": "nonsense"}},
        {"agent": "web", "task": "x", "return_ref": "perhaps"},
    ]);
    let told = problems(items, "nobody");
    for problem in [
        "`dispatches[1].task` is required and missing",
        "`dispatches[2].agent` is 3, not a text",
        "there is no argument `dispatches[2].contxt`; did you mean `context`?",
        "`dispatches[3].task` is blank",
        "`dispatches[3].group` is not valid",
        "`dispatches[4]`: there is no agent `wbe` (did you mean `web`?): there are `web`, `db` (`agent-dispatch list` or list_agents tells",
        "`dispatches[5]`: the agent `db` is not in the group `shop`",
        "`dispatches[6].timeout_seconds` is \"soon\", not a whole number",
        "`dispatches[6].summary_chars` is 12.5, not a whole number",
        "`dispatches[7].response_format` is not a JSON Schema: at /type",
        "`dispatches[8].return_ref` is \"perhaps\", not true or false",
        "`aggregate`: there is no agent `nobody`",
    ] {
        assert!(told.contains(problem), "{problem} is not in: {told}");
    }
    assert!(!told.contains("dispatches[0]"), "{told}");
    let many = problems(json!(vec![json!({}); 100]), "");
    assert!(many.ends_with("; and 180 more"), "{many}");
}

#[test]
fn a_conversation_is_gone_on_with_by_one_of_them() {
    let id = "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47";
    let item = |task: &str, session: &str| json!({"agent": "web", "task": task, "session_id": session});
    let told = problems(json!([item("a", ""), item("b", id), item("c", ""), item("d", id)]), "");
    assert!(told.starts_with("`dispatches[3].session_id` is the conversation of `dispatches[1]`"), "{told}");
}
