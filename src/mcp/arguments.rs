//! Arguments of a tool or a prompt against its own schema.

use rmcp::model::CallToolResponse;
use serde_json::{Map, Value};

use crate::document::fitting::{SEVERAL_FORMS, fit_within, properties, required, shown};
use crate::error::{Kind, Report};

/// The one tool that takes several jobs as well as one.
const TAKES_JOBS: &str = "dispatch_wait";

/// Returns the arguments of a tool or a prompt as its schema types them, or what is wrong with all of them.
pub(super) fn fit(
    whose: &str,
    given: Map<String, Value>,
    schema: &Map<String, Value>,
) -> Result<Map<String, Value>, Report> {
    let (fitting, wrong) = fit_what_can(whose, given, schema);
    wrong.map_or(Ok(fitting), Err)
}

/// Returns those arguments that fit, and what is wrong with the others. Names that are missing are empty texts then.
pub(super) fn fit_what_can(
    whose: &str,
    given: Map<String, Value>,
    schema: &Map<String, Value>,
) -> (Map<String, Value>, Option<Report>) {
    let mut problems = Vec::new();
    let takes_one =
        whose != TAKES_JOBS && properties(schema).is_some_and(|known| known.contains_key("job_id"));
    let one_job = given.get("job_id").filter(|id| takes_one && !id.is_string() && !id.is_null());
    problems.extend(one_job.map(|id| format!("`job_id` is {}, not a text", shown(id))));
    let mut fitting = fit_within("", given, schema, &mut problems);
    if problems.is_empty() {
        return (fitting, None);
    }
    for name in required(schema).filter(|name| !SEVERAL_FORMS.contains(name)) {
        fitting.entry(name).or_insert_with(|| "".into());
    }
    let names: Vec<&str> = properties(schema).into_iter().flat_map(Map::keys).map(String::as_str).collect();
    let hint = format!("Valid arguments: {}.", names.join(", "));
    (fitting, Some(Report::new(Kind::Usage, "invalid_arguments", problems.join("; "), hint)))
}

/// Returns what a tool could not read of its arguments although they fit its schema, if that is what this result says.
pub(super) fn misread(outcome: &CallToolResponse) -> Option<Report> {
    let CallToolResponse::Complete(result) = outcome else { return None };
    let text = result.content.first()?.as_text()?.text.strip_prefix("failed to deserialize parameters: ")?;
    let hint = "Read the descriptions of the tool's arguments.";
    Some(Report::new(Kind::Usage, "invalid_arguments", format!("an argument cannot be read: {text}"), hint))
}

#[cfg(test)]
mod tests;
