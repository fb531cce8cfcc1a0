//! The list of tools: the same every time, in schemas that every client understands.

#![expect(clippy::disallowed_methods, reason = "a variable asks for the snapshot to be written again")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Client, Home};

/// Tools that only read or wait: clients run those side by side.
const READING: [&str; 13] = [
    "audit_search",
    "audit_show",
    "cache_stats",
    "dispatch_jobs",
    "dispatch_plan",
    "dispatch_sessions",
    "dispatch_status",
    "dispatch_wait",
    "fetch_result",
    "inspect_agent",
    "inspect_group",
    "list_agents",
    "list_groups",
];

/// Set this to write `tests/data/tools.json` again.
const WRITE: &str = "AGENT_DISPATCH_WRITE_SNAPSHOTS";

fn list(client: &mut Client) -> Value {
    let id = client.request("tools/list", &json!({}));
    client.result(id)
}

fn tools(client: &mut Client) -> Vec<Value> {
    list(client)["tools"].as_array().expect("there is a list").clone()
}

#[test]
fn the_list_is_the_same_at_every_call_and_in_every_process_and_as_it_was() {
    let home = Home::new();
    let mut client = home.client();
    let first = list(&mut client);
    assert_eq!(list(&mut client).to_string(), first.to_string());
    assert_eq!(list(&mut home.client()).to_string(), first.to_string());

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tools.json");
    let now = format!("{:#}\n", first["tools"]);
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &now).expect("the snapshot can be written");
    }
    let before = fs::read_to_string(&path).expect("there is a snapshot");
    let differs = before.lines().zip(now.lines()).find(|(before, now)| before != now);
    assert!(before == now, "the list has changed: {differs:?}; with {WRITE}=1 the test takes it as it is");
}

#[test]
fn every_tool_says_what_it_is() {
    let home = Home::new();
    let tools = tools(&mut home.client());
    assert_eq!(tools.len(), 29);
    for tool in &tools {
        let name = tool["name"].as_str().expect("it has a name");
        assert!(tool["title"].as_str().is_some_and(|title| !title.is_empty()), "{name} has no title");
        let description = tool["description"].as_str().expect("it has a description");
        assert!((20..2000).contains(&description.chars().count()), "{name}: {description}");
        let annotations = &tool["annotations"];
        assert_eq!(annotations["readOnlyHint"], READING.contains(&name), "{name}");
        for hint in ["idempotentHint", "openWorldHint"] {
            assert!(annotations[hint].is_boolean(), "{name} has no {hint}");
        }
        assert_eq!(annotations["destructiveHint"].is_boolean(), !READING.contains(&name), "{name}");
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{name} {schema}");
            assert!(tool[schema]["properties"].is_object(), "{name} {schema}");
        }
        for (argument, schema) in tool["inputSchema"]["properties"].as_object().expect("checked above") {
            let kind = schema["type"].as_str().unwrap_or_else(|| panic!("{name}.{argument} has no type"));
            let kinds = ["string", "integer", "number", "boolean"];
            assert!(kinds.contains(&kind) || argument == "dispatches", "{name}.{argument}: {kind}");
            let text = schema["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{name}.{argument} is not described");
            let required = tool["inputSchema"]["required"].as_array();
            let required = required.is_some_and(|required| required.contains(&json!(argument)));
            assert_eq!(schema.get("default").is_none(), required, "{name}.{argument}: {schema}");
        }
    }
    let long: Vec<&str> = tools
        .iter()
        .filter(|tool| tool["_meta"]["anthropic/maxResultSizeChars"] == 500_000)
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    let answering = [
        "dispatch",
        "dispatch_dialogue",
        "dispatch_parallel",
        "dispatch_session",
        "dispatch_status",
        "dispatch_stream",
        "dispatch_wait",
        "fetch_result",
    ];
    assert_eq!(long, answering);
}

#[test]
fn schemas_are_plain() {
    let home = Home::new();
    for tool in tools(&mut home.client()) {
        for schema in ["inputSchema", "outputSchema"] {
            let mut found = Vec::new();
            fancy(&tool[schema], schema, &mut found);
            assert!(found.is_empty(), "{}: {found:#?}", tool["name"]);
        }
    }
}

/// Notes everything in a schema over which some client stumbles.
fn fancy(schema: &Value, at: &str, found: &mut Vec<String>) {
    let keys = schema.as_object().unwrap_or_else(|| panic!("{at} is no schema: {schema}"));
    for (key, value) in keys {
        let plain = match key.as_str() {
            "type" => value.is_string() && value != "null",
            "description" | "pattern" => value.is_string(),
            "enum" => value.as_array().is_some_and(|choices| choices.iter().all(Value::is_string)),
            "default" => !value.is_null(),
            "minimum" | "maximum" | "minLength" | "maxLength" => value.is_number(),
            "required" => value.is_array(),
            "additionalProperties" => value.is_boolean() || value.is_object(),
            "items" => {
                fancy(value, &format!("{at}[]"), found);
                true
            }
            // Only in what is answered, and never at its root: what is asked has one form each.
            "anyOf" => {
                for choice in value.as_array().expect("it is a list of schemas") {
                    fancy(choice, &format!("{at}|"), found);
                }
                at.starts_with("outputSchema.")
            }
            "properties" => {
                for (name, schema) in value.as_object().expect("properties are an object") {
                    fancy(schema, &format!("{at}.{name}"), found);
                }
                true
            }
            _ => false,
        };
        if !plain {
            found.push(format!("{at}: {key}: {value}"));
        }
    }
}
