//! A record as an event of the Open Cybersecurity Schema Framework, version 1.9: class API Activity (6003) with the profile
//! `ai_operation`, and with `trace` where it is part of one.
//!
//! Only attributes that the schema has; everything else of the record stands under `unmapped`, with its place in the chain.
//! The profile `record_integrity` is not used: its fingerprint is one of the event itself in a canonical form, and ours is
//! one of the stored record, which a mapped event does not hold. Who wants to check takes the JSON Lines.

use serde_json::{Map, Value, json};

use crate::audit::Code;
use crate::audit::chain::Link;
use crate::audit::export::time_of;
use crate::model::{Timestamp, TraceParent};

/// The version of the schema: the first one with `ai_agent`.
const SCHEMA: &str = "1.9.0";

/// Application Activity, and API Activity within it.
const CATEGORY: u32 = 6;
const CLASS: u32 = 6003;

/// Activities: create, read, update, delete, other.
const ACTIVITIES: [(u32, &str); 5] =
    [(1, "Create"), (2, "Read"), (3, "Update"), (4, "Delete"), (99, "Other")];

/// What stands for the code of a record that cannot be read.
const UNREADABLE: &str = "unreadable";

/// Returns a record as one event; `program` is the version of this program.
pub fn event(link: &Link, program: &str) -> Value {
    let body: Value = serde_json::from_slice(&link.body).unwrap_or_default();
    let mut rest = Rest(body);
    let code = rest.text("/event").unwrap_or_else(|| UNREADABLE.to_owned());
    let known = Code::named(&code);
    let success = rest.take("/end/success").and_then(|success| success.as_bool());
    let (status_id, status) = status(known, success);
    let (activity_id, activity) = activity(known);
    let (severity_id, severity) = severity(known, code == UNREADABLE, status_id);
    let dispatch = rest.text("/dispatch");
    let agent = rest.text("/agent");
    let conversation = rest.text("/session");
    let client = rest.text("/caller/client");
    let time = time_of(&link.body).map(Timestamp::as_millis);
    let duration = rest.take("/end/duration_ms");
    let trace = trace(&rest, time, duration.as_ref().and_then(Value::as_u64));
    let profiles: Vec<_> = ["ai_operation"].into_iter().chain(trace.as_ref().map(|_| "trace")).collect();
    let event = json!({
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "activity_id": activity_id,
        "activity_name": if activity_id == 99 { &code } else { activity },
        "type_uid": CLASS * 100 + activity_id,
        "type_name": format!("API Activity: {activity}"),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "status_code": rest.take("/end/error_type"),
        "status_detail": rest.take("/end/error").or_else(|| rest.take("/reason")),
        "time": time,
        "start_time": time.zip(duration.as_ref().and_then(Value::as_u64)).map(|(end, took)| end.saturating_sub(took)),
        "end_time": duration.as_ref().and(time),
        "duration": duration,
        "message": rest.take("/task_preview"),
        "metadata": {
            "version": SCHEMA,
            "product": {"name": "agent-dispatch", "vendor_name": "agent-dispatch", "version": program},
            "profiles": profiles,
            "log_name": "audit",
            "event_code": code,
            "uid": link.hash.to_string(),
            "sequence": link.seq,
            "correlation_uid": rest.take("/root"),
            "original_time": rest.take("/time"),
        },
        "actor": {
            "app_name": client.clone().unwrap_or_else(|| "agent-dispatch".to_owned()),
            "session": rest.take("/caller/session").map(|uid| json!({"uid": uid})),
            "process": rest.take("/caller/pid").map(|pid| json!({"pid": pid})),
        },
        "src_endpoint": {"svc_name": client.unwrap_or_else(|| "agent-dispatch".to_owned())},
        "api": {
            "operation": code,
            "service": {"name": "agent-dispatch"},
            "request": dispatch.map(|uid| json!({"uid": uid})),
        },
        "resources": rest.take("/directory").map(|name| json!([{"type": "directory", "name": name}])),
        "ai_agent": agent.as_ref().map(|agent| json!({
            "uid": agent,
            "name": agent,
            "instance_uid": conversation,
            "ai_model": rest.take("/end/model").map(|name| json!({"model_name": name, "ai_provider": "Anthropic"})),
        })),
        "trace": trace,
        "message_context": message_context(&mut rest, conversation.as_ref()),
        "unmapped": rest.left(link),
    });
    without_nothing(event).unwrap_or_default()
}

/// Returns the tokens of a run, and the conversation that it was.
fn message_context(rest: &mut Rest, conversation: Option<&String>) -> Option<Value> {
    let conversation = conversation?;
    let mut count = |name: &str| rest.take(&format!("/end/tokens/{name}")).and_then(|count| count.as_u64());
    let prompt = [count("input"), count("cache_read"), count("cache_creation")];
    let completion = count("output");
    let prompt = completion.map(|_| prompt.into_iter().flatten().sum::<u64>());
    Some(json!({
        "uid": conversation,
        "ai_role_id": 4,
        "ai_role": "Agent",
        "service": {"name": "agent-dispatch"},
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt.zip(completion).map(|(prompt, completion)| prompt + completion),
    }))
}

/// Returns the trace that the record is part of: that of the run, else that of whoever asked. A span has a beginning and an end
/// in the schema, so there is one where a run has ended.
fn trace(rest: &Rest, end: Option<u64>, took: Option<u64>) -> Option<Value> {
    let read = |place: &str| rest.0.pointer(place)?.as_str()?.parse::<TraceParent>().ok();
    let (run, asked) = (read("/trace"), read("/caller/traceparent"));
    let number = |span: TraceParent| format!("{:016x}", u64::from_be_bytes(span.span_id()));
    let span = run.zip(end).zip(took).map(|((run, end), took)| {
        let parent = asked.filter(|asked| asked.is_beside(&run)).map(number);
        json!({
            "uid": number(run),
            "parent_uid": parent,
            "start_time": end.saturating_sub(took),
            "end_time": end,
        })
    });
    run.or(asked)
        .map(|one| json!({"uid": format!("{:032x}", u128::from_be_bytes(one.trace_id())), "span": span}))
}

/// Returns what was done: a dispatch is created, read from the cache, or moved on.
fn activity(code: Option<Code>) -> (u32, &'static str) {
    let [create, read, update, delete, other] = ACTIVITIES;
    match code {
        Some(Code::Requested | Code::Refused) => create,
        Some(Code::Hit | Code::Joined) => read,
        Some(
            Code::Started
            | Code::Finished
            | Code::CancelRequested
            | Code::Cancelled
            | Code::Interrupted
            | Code::ConfigChanged
            | Code::ConfigRefused,
        ) => update,
        Some(Code::CacheCleared | Code::Gc | Code::Retention) => delete,
        Some(Code::KeyReplaced | Code::Gap | Code::Quarantined | Code::VerifyFailed) | None => other,
    }
}

/// Returns how it went: a run as it ended, everything else by what it is.
fn status(code: Option<Code>, success: Option<bool>) -> (u32, &'static str) {
    const FAILURE: (u32, &str) = (2, "Failure");
    const SUCCESS: (u32, &str) = (1, "Success");
    if let Some(success) = success {
        return if success { SUCCESS } else { FAILURE };
    }
    match code {
        Some(
            Code::Refused
            | Code::ConfigRefused
            | Code::Interrupted
            | Code::Gap
            | Code::Quarantined
            | Code::VerifyFailed,
        ) => FAILURE,
        Some(Code::Cancelled) => (99, "cancelled"),
        Some(
            Code::Requested
            | Code::Hit
            | Code::Joined
            | Code::Started
            | Code::Finished
            | Code::CancelRequested
            | Code::ConfigChanged
            | Code::CacheCleared
            | Code::Gc
            | Code::KeyReplaced
            | Code::Retention,
        )
        | None => SUCCESS,
    }
}

/// Returns how much it matters: a trail that is not whole matters most.
fn severity(code: Option<Code>, unreadable: bool, status: u32) -> (u32, &'static str) {
    match (code, status) {
        (Some(Code::Gap | Code::Quarantined | Code::VerifyFailed), _) => (4, "High"),
        _ if unreadable => (4, "High"),
        (_, 2) => (2, "Low"),
        _ => (1, "Informational"),
    }
}

/// What of a record has no place in the event yet.
struct Rest(Value);

impl Rest {
    /// Takes a value out.
    fn take(&mut self, place: &str) -> Option<Value> {
        let (parent, name) = place.rsplit_once('/')?;
        self.0.pointer_mut(parent)?.as_object_mut()?.shift_remove(name)
    }

    fn text(&mut self, place: &str) -> Option<String> {
        match self.take(place)? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    /// Returns what is left, and the record's place in the chain.
    fn left(&self, link: &Link) -> Value {
        let mut left = Map::new();
        left.insert("seq".to_owned(), link.seq.into());
        left.insert("prev".to_owned(), link.prev.to_string().into());
        left.insert("hash".to_owned(), link.hash.to_string().into());
        if let Value::Object(fields) = &self.0 {
            left.extend(fields.clone());
        }
        Value::Object(left)
    }
}

/// Returns a value without what is absent or empty.
fn without_nothing(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(fields) => {
            let kept: Map<String, Value> = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, without_nothing(value)?)))
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests;
