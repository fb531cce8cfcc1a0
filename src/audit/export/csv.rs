//! The trail as a table: one row a record, flat columns, for spreadsheets. Not to be checked: see the parent for that.

use serde_json::Value;

use crate::audit::chain::Link;
use crate::audit::redact::is_hidden;

/// The columns: a name, and where the record's JSON has the value.
const COLUMNS: [(&str, &str); 41] = [
    ("time", "/time"),
    ("event", "/event"),
    ("dispatch", "/dispatch"),
    ("answered_by", "/answered_by"),
    ("parent", "/parent"),
    ("root", "/root"),
    ("agent", "/agent"),
    ("group", "/group"),
    ("directory", "/directory"),
    ("git_head", "/git_head"),
    ("caller", "/caller/client"),
    ("caller_session", "/caller/session"),
    ("caller_directory", "/caller/directory"),
    ("caller_pid", "/caller/pid"),
    ("caller_declared", "/caller/declared"),
    ("depth", "/caller/depth"),
    ("session", "/session"),
    ("status", "/status"),
    ("success", "/end/success"),
    ("outcome", "/end/outcome"),
    ("error_type", "/end/error_type"),
    ("error", "/end/error"),
    ("cost_usd", "/end/cost_usd"),
    ("duration_ms", "/end/duration_ms"),
    ("turns", "/end/turns"),
    ("model", "/end/model"),
    ("tokens_input", "/end/tokens/input"),
    ("tokens_output", "/end/tokens/output"),
    ("tokens_cache_read", "/end/tokens/cache_read"),
    ("tokens_cache_creation", "/end/tokens/cache_creation"),
    ("tools", "/end/tools"),
    ("denied_tools", "/end/denied_tools"),
    ("denied_unknown", "/end/denied_unknown"),
    ("answer_bytes", "/end/answer_bytes"),
    ("answer_digest", "/end/answer_digest"),
    ("request_digest", "/request_digest"),
    ("profile_model", "/profile/model"),
    ("permission_mode", "/profile/permission_mode"),
    ("reason", "/reason"),
    ("task_preview", "/task_preview"),
    ("details", "/details"),
];

/// Returns the first row: the names of the columns.
pub fn header() -> String {
    let names = COLUMNS.iter().map(|(name, _)| *name);
    row(["seq"].into_iter().chain(names).chain(["hash"]).map(str::to_owned))
}

/// Returns the row of a record.
pub fn line(link: &Link) -> String {
    let body: Value = serde_json::from_slice(&link.body).unwrap_or_default();
    let cells = COLUMNS.iter().map(|(_, place)| body.pointer(place).map(told).unwrap_or_default());
    row([link.seq.to_string()].into_iter().chain(cells).chain([link.hash.to_string()]))
}

/// Returns a value as one text: a list as its entries, tools as `name:count`, other objects as JSON.
fn told(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries.iter().map(told).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let named = |(name, value): (&String, &Value)| match value.get("count").unwrap_or(value) {
                Value::String(_) => None,
                counted => Some(format!("{name}:{counted}")),
            };
            let counts: Option<Vec<String>> = fields.iter().map(named).collect();
            counts.map_or_else(|| value.to_string(), |counts| counts.join(" "))
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Returns one row as RFC 4180 has it, and with nothing in it that a spreadsheet takes for a formula.
pub fn row(cells: impl Iterator<Item = String>) -> String {
    cells.map(|text| cell(&text)).collect::<Vec<_>>().join(",") + "\r\n"
}

/// Returns a text as a cell of RFC 4180. What a spreadsheet would compute gets an apostrophe in front, which makes it a text;
/// control characters other than line breaks, and marks that reorder or hide text, become spaces, as a table may be looked at on
/// a terminal.
fn cell(text: &str) -> String {
    let text = text.replace(|c: char| is_hidden(c) && c != '\n', " ");
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text };
    if text.contains(['"', ',', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests;
