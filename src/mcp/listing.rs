//! The tools as they are told. A test makes the list out of the types and keeps it beside this file; it is part of the
//! program, so that no server has to make it: that would take more time and memory than everything else until the first
//! call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{JsonObject, Tool};
use serde::Deserialize;

/// One tool a line, in the order of their names.
const TOOLS: &str = include_str!("listing/tools.jsonl");

/// How a line begins, up to the tool's name.
const NAME: &str = r#"{"name":""#;

/// The arguments of tools that were called: most servers see few of them.
static ARGUMENTS: Mutex<BTreeMap<String, Arc<JsonObject>>> = Mutex::new(BTreeMap::new());

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    input_schema: Arc<JsonObject>,
}

/// Returns the items of the list of tools, as JSON.
pub(super) fn items() -> String {
    TOOLS.trim_end().replace('\n', ",")
}

/// Returns the schema of a tool's arguments; one that allows none for a tool that is not told.
pub(super) fn arguments(name: &str) -> Arc<JsonObject> {
    let mut known = ARGUMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(schema) = known.get(name) {
        return Arc::clone(schema);
    }
    let told = line(name).map(serde_json::from_str::<Told>);
    let Some(told) = told else { return Arc::default() };
    let schema = told.expect("a test wrote these lines").input_schema;
    known.insert(name.to_owned(), Arc::clone(&schema));
    schema
}

/// Returns whether a tool is told to change nothing.
pub(super) fn is_read_only(name: &str) -> bool {
    // Nothing but the hint itself is written so: quotes in texts are escaped.
    line(name).is_some_and(|line| line.contains(r#""readOnlyHint":true"#))
}

fn line(name: &str) -> Option<&'static str> {
    let has_name = |line: &&str| {
        line.strip_prefix(NAME).and_then(|rest| rest.strip_prefix(name)).is_some_and(|it| it.starts_with('"'))
    };
    TOOLS.lines().find(has_name)
}

/// Returns a tool as far as its route needs it.
pub(super) fn named(name: &'static str) -> Tool {
    Tool::new(name, "", Arc::<JsonObject>::default())
}

/// Adds the tools of a file to a router: what is told of them is in the list.
macro_rules! routes {
    ($routes:ident: $($tool:ident),+) => {
        impl $crate::mcp::Server {
            /// Adds the tools of this file.
            pub(super) fn $routes(router: $crate::mcp::Router) -> $crate::mcp::Router {
                router$(.with_route(($crate::mcp::listing::named(stringify!($tool)), Self::$tool)))+
            }
        }
    };
}

pub(super) use routes;

#[cfg(test)]
mod tests;
