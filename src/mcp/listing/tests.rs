//! The list is what the types say.

use std::collections::BTreeSet;
use std::path::Path;

use crate::mcp::listing::{TOOLS, arguments, items};
use crate::mcp::{Server, schema};

/// Set this to write the list again.
const WRITE: &str = "AGENT_DISPATCH_WRITE_SNAPSHOTS";

/// Returns the tools as their attributes and the types of their arguments and answers describe them.
fn described() -> String {
    let mut tools = Server::agent_tools()
        + Server::group_tools()
        + Server::editing_tools()
        + Server::dispatch_tools()
        + Server::parallel_tools()
        + Server::dialogue_tools()
        + Server::planning_tools()
        + Server::job_tools()
        + Server::upkeep_tools()
        + Server::audit_tools();
    schema::make_plain(&mut tools);
    let lines = tools.list_all().into_iter().map(|tool| serde_json::to_string(&tool).unwrap() + "\n");
    lines.collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a variable asks for the list to be written again")]
fn the_list_is_what_the_types_say() {
    let now = described();
    if std::env::var_os(WRITE).is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mcp/listing/tools.jsonl");
        return std::fs::write(path, now).unwrap();
    }
    let differs = TOOLS.lines().zip(now.lines()).find(|(told, now)| told != now);
    assert!(TOOLS == now, "{differs:?}: with {WRITE}=1 this test writes the list again");
}

#[test]
fn every_tool_that_is_told_has_a_route_and_the_other_way_round() {
    let told: Vec<serde_json::Value> = serde_json::from_str(&format!("[{}]", items())).unwrap();
    let told: BTreeSet<&str> = told.iter().filter_map(|tool| tool["name"].as_str()).collect();
    let routes = Server::all_routes().list_all();
    assert_eq!(routes.iter().map(|tool| &*tool.name).collect::<BTreeSet<_>>(), told);
}

#[test]
fn arguments_are_those_of_the_tool_of_exactly_this_name() {
    assert!(arguments("dispatch")["properties"]["task"].is_object());
    assert_eq!(arguments("dispatch"), arguments("dispatch"));
    for stranger in ["dispatc", "dispatch\"", "", "no_such_tool"] {
        assert!(arguments(stranger).is_empty(), "{stranger}");
    }
}
