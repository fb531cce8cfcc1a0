//! Both eras of the protocol: with `initialize`, and with metadata on every request instead.

use serde_json::{Value, json};

use crate::client::{Client, Home};

/// Returns these parameters with what a client of 2026 adds to each request.
pub(super) fn modern(params: &Value) -> Value {
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "2.0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

pub(super) fn ask(client: &mut Client, method: &str, params: &Value) -> Value {
    let id = client.request(method, &modern(params));
    client.result(id)
}

#[test]
fn every_version_with_a_handshake_is_spoken_and_an_unknown_one_gets_the_newest() {
    let home = Home::new();
    for (asked, answered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let mut client = home.serve();
        let hello = client.initialize(asked);
        assert_eq!(hello["protocolVersion"], answered, "{asked}: {hello}");
        assert_eq!(hello["serverInfo"]["name"], "agent-dispatch", "{hello}");
        assert_eq!(hello["serverInfo"]["version"], env!("CARGO_PKG_VERSION"), "{hello}");
        assert_eq!(hello["capabilities"]["tools"], json!({}), "{hello}");
        let instructions = hello["instructions"].as_str().expect("there are instructions");
        assert!(instructions.chars().count() < 2000, "{} characters", instructions.chars().count());
        let agents = client.document("list_agents", &json!({}));
        assert_eq!(agents["agents"][0]["name"], "worker", "{agents}");
    }
}

#[test]
fn a_client_of_2026_needs_no_handshake() {
    let home = Home::new();
    let mut client = home.serve();
    let found = ask(&mut client, "server/discover", &json!({}));
    let versions = found["supportedVersions"].as_array().unwrap_or_else(|| panic!("versions: {found}"));
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")), "{found}");
    assert!(found["instructions"].as_str().is_some_and(|text| text.chars().count() < 2000), "{found}");
    assert!(found["capabilities"]["tools"].is_object(), "{found}");
    let listed = ask(&mut client, "tools/list", &json!({}));
    assert_eq!(listed["tools"].as_array().map(Vec::len), Some(29), "{listed}");
    let called = json!({"name": "dispatch", "arguments": {"agent": "worker", "task": "fake: say modern"}});
    let answer = ask(&mut client, "tools/call", &called);
    assert_eq!(answer["structuredContent"]["result"], "modern", "{answer}");
    assert_eq!(answer["resultType"], "complete", "{answer}");
    // Some clients say hello after all (anthropics/claude-code issue 96183).
    assert_eq!(client.initialize("2025-11-25")["protocolVersion"], "2025-11-25");
}

#[test]
fn the_first_request_may_be_the_call_itself() {
    let home = Home::new();
    let mut client = home.serve();
    let called = json!({"name": "list_agents", "arguments": {}});
    let answer = ask(&mut client, "tools/call", &called);
    assert_eq!(answer["structuredContent"]["agents"][1]["name"], "other", "{answer}");
}

#[test]
fn what_comes_before_the_first_request_does_not_end_the_server() {
    let home = Home::new();
    let mut client = home.serve();
    client.take_back(77);
    client.send_line(b"hello?");
    client.send_line(b"");
    let ping = client.request("ping", &json!({}));
    assert_eq!(client.result(ping), json!({}));
    let early = client.request("tools/list", &json!({}));
    assert_eq!(client.answer(early)["error"]["code"], -32602);
    assert_eq!(client.initialize("2025-06-18")["protocolVersion"], "2025-06-18");
}

#[test]
fn nothing_that_comes_before_the_opening_ends_the_server() {
    let home = Home::new();
    let strays = [
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}),
        json!({"jsonrpc": "2.0", "method": "notifications/of/ones/own", "params": {}}),
        json!({"jsonrpc": "2.0", "id": 77, "result": {}}),
        json!({"jsonrpc": "2.0", "id": 78, "error": {"code": -32603, "message": "no"}}),
    ];
    // None of these opens the conversation: what it is going to be is not known yet.
    let of_the_future = |params: Value| {
        let mut params = modern(&params);
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2999-01-01");
        params
    };
    let first = [
        ("server/discover", modern(&json!({}))),
        ("server/discover", json!({})),
        ("ping", json!({})),
        ("ping", modern(&json!({}))),
        ("tools/list", json!({})),
        ("tools/list", of_the_future(json!({}))),
        ("of/ones/own", json!({})),
    ];
    let mut client = home.serve();
    for (method, params) in &first {
        let id = client.request(method, params);
        client.answer(id);
        for stray in &strays {
            client.send(stray);
            let ping = client.request("ping", &json!({}));
            assert_eq!(client.result(ping), json!({}), "{method}, then {stray}");
        }
    }
    assert_eq!(client.initialize("2025-11-25")["protocolVersion"], "2025-11-25");
    let mut client = home.serve();
    ask(&mut client, "server/discover", &json!({}));
    client.take_back(1);
    let called = ask(&mut client, "tools/call", &json!({"name": "list_agents", "arguments": {}}));
    assert_eq!(called["structuredContent"]["agents"][0]["name"], "worker", "{called}");
    assert_eq!(home.stderr(), "");
}

#[test]
fn what_2026_has_removed_is_unknown_to_its_clients() {
    let home = Home::new();
    let mut client = home.serve();
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"] {
        let id = client.request(method, &modern(&json!({})));
        let answer = client.answer(id);
        assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
    }
    let mut client = home.client();
    let id = client.request("initialize", &json!({"capabilities": {}}));
    assert_eq!(client.answer(id)["error"]["code"], -32602, "misshapen, and of 2025");
}
