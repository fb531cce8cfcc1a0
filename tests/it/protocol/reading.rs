//! What can be had without a tool: resources, prompts, and completions of what they take.

use serde_json::{Value, json};

use super::eras::{ask, modern};
use crate::client::{Client, Home};

fn get(client: &mut Client, method: &str, params: &Value) -> Value {
    let id = client.request(method, params);
    client.result(id)
}

fn error(client: &mut Client, method: &str, params: &Value) -> Value {
    let id = client.request(method, params);
    let mut answer = client.answer(id);
    assert!(answer["result"].is_null(), "{answer}");
    answer["error"].take()
}

/// Reads a resource and returns its kind and text.
fn read(client: &mut Client, uri: &str) -> (String, String) {
    let result = get(client, "resources/read", &json!({"uri": uri}));
    let [content] = result["contents"].as_array().expect("there is a list").as_slice() else {
        panic!("one thing: {result}")
    };
    assert_eq!(content["uri"], uri);
    let text = |key: &str| content[key].as_str().unwrap_or_else(|| panic!("{key}: {content}")).to_owned();
    (text("mimeType"), text("text"))
}

fn read_json(client: &mut Client, uri: &str) -> Value {
    let (kind, text) = read(client, uri);
    assert_eq!(kind, "application/json");
    serde_json::from_str(&text).expect("it is JSON")
}

fn uris(listed: &Value) -> Vec<&str> {
    let list = listed["resources"].as_array().expect("there is a list");
    list.iter().map(|it| it["uri"].as_str().expect("it has one")).collect()
}

fn values(
    client: &mut Client,
    reference: &Value,
    argument: &str,
    typed: &str,
    context: &Value,
) -> Vec<String> {
    let params = json!({
        "ref": reference,
        "argument": {"name": argument, "value": typed},
        "context": {"arguments": context},
    });
    let mut result = get(client, "completion/complete", &params);
    serde_json::from_value(result["completion"]["values"].take()).expect("texts")
}

fn prompt_text(client: &mut Client, name: &str, arguments: &Value) -> String {
    let got = get(client, "prompts/get", &json!({"name": name, "arguments": arguments}));
    let message = &got["messages"][0];
    assert_eq!((&message["role"], &message["content"]["type"]), (&json!("user"), &json!("text")), "{got}");
    message["content"]["text"].as_str().expect("it is text").to_owned()
}

#[test]
fn resources_say_what_the_tools_say() {
    let home = Home::new();
    let mut client = home.client();
    let tool = client.document("list_agents", &json!({}));
    assert_eq!(read_json(&mut client, "agent-dispatch://agents"), tool);
    let tool = client.document("inspect_agent", &json!({"name": "worker"}));
    assert_eq!(read_json(&mut client, "agent-dispatch://agents/worker"), tool);

    let done = client.document("dispatch", &json!({"agent": "worker", "task": "fake: say **bold**"}));
    let id = done["job_id"].as_str().expect("it has an id");
    let tool = client.document("dispatch_status", &json!({"job_id": id}));
    assert_eq!(read_json(&mut client, &format!("agent-dispatch://jobs/{id}")), tool);
    let answer = read(&mut client, &format!("agent-dispatch://results/{id}"));
    assert_eq!(answer, ("text/markdown".to_owned(), "**bold**".to_owned()));
}

#[test]
fn a_listing_has_agents_and_the_newest_jobs_that_have_ended_and_starts_nothing() {
    let home = Home::new();
    let mut client = home.client();
    let agents =
        ["agent-dispatch://agents", "agent-dispatch://agents/worker", "agent-dispatch://agents/other"];
    let listed = get(&mut client, "resources/list", &json!({}));
    assert_eq!(uris(&listed), agents);
    assert!(!home.path(".local/state").exists(), "a listing starts no daemon");

    let ids: Vec<String> = (0..22)
        .map(|number| {
            let task = format!("fake: say {number}");
            let done = client.document("dispatch", &json!({"agent": "worker", "task": task}));
            done["job_id"].as_str().expect("it has an id").to_owned()
        })
        .collect();
    let task = json!({"agent": "other", "task": "fake: hang"});
    let running = client.document("dispatch_async", &task)["job_id"].clone();
    let listed = get(&mut client, "resources/list", &json!({}));
    let newest = ids.iter().rev().take(20).map(|id| format!("agent-dispatch://jobs/{id}"));
    let expected: Vec<String> = agents.iter().map(|it| (*it).to_owned()).chain(newest).collect();
    assert_eq!(uris(&listed), expected);
    let job = &listed["resources"][3];
    assert_eq!(job["title"], "worker: fake: say 21");
    assert!(job["description"].as_str().is_some_and(|text| text.starts_with("done 20")), "{job}");
    assert_eq!(get(&mut client, "resources/list", &json!({})), listed);

    let unread = json!({"uri": format!("agent-dispatch://results/{}", running.as_str().unwrap_or_default())});
    let refused = error(&mut client, "resources/read", &unread);
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("dispatch_wait")), "{refused}");
    client.document("dispatch_cancel", &json!({"job_id": running}));
}

#[test]
fn what_does_not_exist_is_said_with_the_code_of_each_era() {
    let home = Home::new();
    let unknown = [
        ("agent-dispatch://agents/wroker", "did you mean `worker`?"),
        ("agent-dispatch://jobs/123", "job"),
        ("agent-dispatch://jobs/00000000000000000000000000000000", "no job"),
        ("agent-dispatch://results/00000000000000000000000000000000", "no job"),
        ("agent-dispatch://nothing", "agent-dispatch://jobs/{id}"),
        ("file:///etc/hostname", "no resource"),
    ];
    let mut client = home.client();
    for (uri, part) in unknown {
        let refused = error(&mut client, "resources/read", &json!({"uri": uri}));
        assert_eq!((&refused["code"], &refused["data"]["uri"]), (&json!(-32002), &json!(uri)), "{refused}");
        assert!(refused["message"].as_str().is_some_and(|text| text.contains(part)), "{refused}");
    }
    let mut client = home.serve();
    for (uri, _) in unknown {
        let refused = error(&mut client, "resources/read", &modern(&json!({"uri": uri})));
        assert_eq!((&refused["code"], &refused["data"]["uri"]), (&json!(-32602), &json!(uri)), "{refused}");
    }
    assert_eq!(error(&mut client, "resources/read", &modern(&json!({"url": "x"})))["code"], -32602);
}

#[test]
fn what_stands_in_the_way_of_reading_is_an_error_that_says_what_to_do() {
    let home = Home::new();
    let mut client = home.client();
    home.configure("agents: [");
    for uri in ["agent-dispatch://agents", "agent-dispatch://agents/worker"] {
        let refused = error(&mut client, "resources/read", &json!({"uri": uri}));
        assert_eq!(refused["code"], -32603, "{refused}");
        assert!(
            refused["message"].as_str().is_some_and(|text| text.contains("agents.yaml:2:1")),
            "{refused}"
        );
    }
    assert_eq!(uris(&get(&mut client, "resources/list", &json!({}))), ["agent-dispatch://agents"]);
}

#[test]
fn lists_without_tools_are_the_same_at_every_call_and_plainly_described() {
    let home = Home::new();
    let mut client = home.client();
    for (method, key) in [
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ] {
        let first = get(&mut client, method, &json!({}));
        assert_eq!(get(&mut client, method, &json!({})).to_string(), first.to_string());
        assert_eq!(get(&mut home.client(), method, &json!({})).to_string(), first.to_string());
        for entry in first[key].as_array().expect("there is a list") {
            for text in ["name", "title", "description"] {
                let length = entry[text].as_str().map_or(0, |text| text.chars().count());
                assert!((1..2000).contains(&length), "{method}: {text} of {entry}");
            }
        }
    }
    let mut client = home.serve();
    for method in ["resources/list", "resources/templates/list", "prompts/list", "tools/list"] {
        let listed = ask(&mut client, method, &json!({}));
        assert_eq!((&listed["cacheScope"], listed["ttlMs"].is_u64()), (&json!("private"), true), "{listed}");
    }
}

#[test]
fn prompts_are_written_out() {
    let home = Home::new();
    let mut client = home.client();
    let text = prompt_text(&mut client, "delegate", &json!({"agent": "worker"}));
    assert!(text.contains("`agent` = `worker`") && text.contains("plays a script"), "{text}");
    let text = prompt_text(&mut client, "review", &json!({}));
    assert!(text.contains("no dispatches"), "{text}");
    client.document("dispatch", &json!({"agent": "worker", "task": "fake: say hello"}));
    client.failure("dispatch", &json!({"agent": "other", "task": "fake: fail"}));
    let text = prompt_text(&mut client, "review", &json!({"since": "1h"}));
    assert!(text.contains("worker done") && text.contains(": fake: say hello\n"), "{text}");
    assert!(text.contains("other failed (cli_error)"), "{text}");
    client.document("dispatch", &json!({"agent": "worker", "task": "fake: say two\n- 0 lines"}));
    let text = prompt_text(&mut client, "review", &json!({}));
    assert_eq!(text.lines().filter(|line| line.starts_with("- ")).count(), 3, "{text}");
    let text = prompt_text(&mut client, "review", &json!({"since": "1h", "agent": "other"}));
    assert!(!text.contains("worker") && text.contains("other failed"), "{text}");
}

#[test]
fn a_prompt_that_cannot_be_written_says_why() {
    let home = Home::new();
    let mut client = home.client();
    for (name, arguments, part) in [
        ("delegate", json!({}), "`agent` is required"),
        ("delegate", json!({"agent": "wroker"}), "did you mean `worker`?"),
        ("delegate", json!({"agent": "worker", "tsak": "x"}), "did you mean `task`?"),
        ("review", json!({"since": "whenever"}), "`whenever` is not a time"),
        ("revue", json!({}), "delegate, review"),
    ] {
        let refused = error(&mut client, "prompts/get", &json!({"name": name, "arguments": arguments}));
        assert_eq!(refused["code"], -32602, "{refused}");
        assert!(refused["message"].as_str().is_some_and(|text| text.contains(part)), "{part}: {refused}");
    }
}

#[test]
fn arguments_are_completed() {
    let home = Home::new();
    let members = |names: &str| names.replace(' ', "}, {agent: ");
    let group =
        |name: &str, names: &str| format!("  {name}:\n    members: [{{agent: {}}}]\n", members(names));
    let group = format!("groups:\n{}{}", group("pair", "worker other"), group("half", "other"));
    home.configure(&(home.usual_configuration("") + &group));
    let mut client = home.client();
    let delegate = json!({"type": "ref/prompt", "name": "delegate"});
    let review = json!({"type": "ref/prompt", "name": "review"});
    let template = |uri: &str| json!({"type": "ref/resource", "uri": uri});
    let none = json!({});
    assert_eq!(values(&mut client, &delegate, "agent", "", &none), ["worker", "other"]);
    assert_eq!(values(&mut client, &delegate, "agent", "o", &none), ["other", "worker"]);
    assert_eq!(values(&mut client, &delegate, "group", "", &none), ["pair", "half"]);
    assert_eq!(values(&mut client, &delegate, "group", "", &json!({"agent": "worker"})), ["pair"]);
    assert_eq!(values(&mut client, &review, "since", "to", &none), ["today"]);
    let agent = template("agent-dispatch://agents/{name}");
    assert_eq!(values(&mut client, &agent, "name", "wor", &none), ["worker"]);
    let (job, result) = (template("agent-dispatch://jobs/{id}"), template("agent-dispatch://results/{ref}"));
    assert!(values(&mut client, &job, "id", "", &none).is_empty());
    assert!(!home.path(".local/state").exists(), "a completion starts no daemon");

    let [first, second] = ["worker", "other"].map(|agent| {
        let done = client.document("dispatch", &json!({"agent": agent, "task": "fake: say done"}));
        let text = |key: &str| done[key].as_str().expect("it is there").to_owned();
        (text("job_id"), text("session_id"))
    });
    for reference in [(&job, "id"), (&result, "ref")] {
        let found = values(&mut client, reference.0, reference.1, "", &none);
        assert_eq!(found, [second.0.clone(), first.0.clone()]);
        let found = values(&mut client, reference.0, reference.1, &first.0, &none);
        assert_eq!(found, [first.0.as_str()]);
    }
    let sessions = values(&mut client, &delegate, "session_id", "", &json!({"agent": "worker"}));
    assert_eq!(sessions, [first.1]);
    let unknown = json!({"ref": delegate, "argument": {"name": "taks", "value": ""}});
    assert_eq!(error(&mut client, "completion/complete", &unknown)["code"], -32602);
}

#[test]
fn at_most_a_hundred_values_are_proposed_and_the_rest_is_counted() {
    let home = Home::new();
    let agents: Vec<String> = (0..120).map(|number| format!("a{number}: {{directory: worker}}")).collect();
    home.configure(&format!("agents: {{{}}}", agents.join(", ")));
    let mut client = home.client();
    let reference = json!({"type": "ref/prompt", "name": "delegate"});
    let params = json!({"ref": reference, "argument": {"name": "agent", "value": "a"}});
    let completion = get(&mut client, "completion/complete", &params)["completion"].take();
    assert_eq!(completion["values"].as_array().map(Vec::len), Some(100));
    assert_eq!((&completion["total"], &completion["hasMore"]), (&json!(120), &json!(true)));
}
