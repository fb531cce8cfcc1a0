//! Clients hear of changes of the list of resources, in both eras, and of nothing else.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::eras::{ask, modern};
use crate::client::{Client, Home, SOON};

const CHANGED: &str = "notifications/resources/list_changed";

/// As long as news that is not to come is waited for: much longer than it takes.
const A_WHILE: Duration = Duration::from_millis(300);

/// Returns the next notification of this method.
#[track_caller]
fn next(client: &mut Client, method: &str) -> Value {
    loop {
        if let Some(at) = client.notifications.iter().position(|it| it["method"] == method) {
            return client.notifications.remove(at);
        }
        assert!(client.hear(SOON), "{method} does not come: {:?}", client.notifications);
    }
}

#[track_caller]
fn hears_nothing(client: &mut Client) {
    assert!(!client.hear(A_WHILE), "{:?}", client.notifications);
    assert!(client.notifications.is_empty(), "{:?}", client.notifications);
}

fn add_agent(home: &Home, name: &str) {
    let file = home.configuration();
    let text = fs::read_to_string(&file).expect("it is there");
    let text = text.replacen(
        "agents:\n",
        &format!("agents:\n  {name}: {{directory: {}}}\n", home.text_path("worker")),
        1,
    );
    let new = home.path("new.yaml");
    fs::write(&new, text).and_then(|()| fs::rename(&new, &file)).expect("the file can be replaced");
}

fn names(listed: &Value) -> usize {
    listed["resources"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_client_of_2025_hears_when_the_agents_change() {
    let home = Home::new();
    let mut client = home.serve();
    let hello = client.initialize("2025-11-25");
    assert_eq!(hello["capabilities"]["resources"], json!({"listChanged": true}));
    assert_eq!(hello["capabilities"]["prompts"], json!({}));
    let id = client.request("resources/list", &json!({}));
    assert_eq!(names(&client.result(id)), 3);
    hears_nothing(&mut client);
    for (added, name) in ["third", "fourth"].into_iter().enumerate() {
        add_agent(&home, name);
        assert!(next(&mut client, CHANGED)["params"].is_null());
        let id = client.request("resources/list", &json!({}));
        assert_eq!(names(&client.result(id)), 4 + added);
        hears_nothing(&mut client);
    }
    // Saved again as it was: nothing to tell.
    let text = fs::read(home.configuration()).expect("it is there");
    fs::write(home.configuration(), text).expect("it can be written");
    hears_nothing(&mut client);
}

#[test]
fn a_stream_of_2026_hears_what_it_asked_for_until_it_is_closed() {
    let home = Home::new();
    let mut client = home.serve();
    let wanted = json!({"notifications": {"resourcesListChanged": true, "toolsListChanged": true}});
    let stream = client.request("subscriptions/listen", &modern(&wanted));
    let taken = next(&mut client, "notifications/subscriptions/acknowledged");
    // Tools never change, so that is not promised.
    assert_eq!(taken["params"]["notifications"], json!({"resourcesListChanged": true}), "{taken}");
    let deaf = client
        .request("subscriptions/listen", &modern(&json!({"notifications": {"toolsListChanged": true}})));
    next(&mut client, "notifications/subscriptions/acknowledged");
    assert_eq!(names(&ask(&mut client, "resources/list", &json!({}))), 3);
    add_agent(&home, "third");
    let told = next(&mut client, CHANGED);
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], stream, "{told}");
    hears_nothing(&mut client);
    client.take_back(stream);
    // Answered after the stream was closed.
    assert_eq!(names(&ask(&mut client, "resources/list", &json!({}))), 4);
    add_agent(&home, "fourth");
    hears_nothing(&mut client);
    assert!(!client.is_answered(deaf));
}

#[test]
fn a_client_that_has_seen_the_list_hears_of_a_job_that_its_call_has_ended() {
    let home = Home::new();
    let mut client = home.client();
    let task = json!({"agent": "worker", "task": "fake: say one"});
    client.document("dispatch", &task);
    hears_nothing(&mut client);
    let id = client.request("resources/list", &json!({}));
    assert_eq!(names(&client.result(id)), 4);
    client.document("dispatch", &json!({"agent": "worker", "task": "fake: say two"}));
    next(&mut client, CHANGED);
    let newest = client_job(&mut client);
    client.document("dispatch_status", &json!({"job_id": newest}));
    hears_nothing(&mut client);
}

#[test]
fn a_job_of_somebody_else_is_heard_of_when_the_client_looks_at_jobs() {
    let home = Home::new();
    let mut client = home.client();
    let id = client.request("resources/list", &json!({}));
    assert_eq!(names(&client.result(id)), 3);
    home.client().document("dispatch", &json!({"agent": "worker", "task": "fake: say one"}));
    client.document("list_agents", &json!({}));
    hears_nothing(&mut client);
    client.document("dispatch_jobs", &json!({}));
    next(&mut client, CHANGED);
}

/// Returns the newest job in the list.
fn client_job(client: &mut Client) -> Value {
    let id = client.request("resources/list", &json!({}));
    client.result(id)["resources"][3]["name"].take()
}

#[test]
fn an_agents_file_that_comes_to_be_is_heard_of() {
    let home = Home::new();
    let text = fs::read(home.configuration()).expect("it is there");
    fs::remove_dir_all(home.path(".config")).expect("it can be removed");
    let mut client = home.client();
    let id = client.request("resources/list", &json!({}));
    assert_eq!(names(&client.result(id)), 1);
    home.configure(&String::from_utf8(text).expect("it is text"));
    next(&mut client, CHANGED);
}
