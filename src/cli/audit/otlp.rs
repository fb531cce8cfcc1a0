//! Records as OpenTelemetry logs, in the types of the protocol's own crate.
//!
//! Attributes have the names of the semantic conventions where there are any; the rest are `agent_dispatch.*`. The body is the
//! record's JSON as it is stored, so nothing is lost on the way, and with number and hashes beside it it can be checked there.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::Value;

use crate::audit::chain::Link;
use crate::audit::export::time_of;
use crate::cli::audit::export::VERSION;
use crate::model::{Timestamp, TraceParent};

/// Attributes: a name, and where the record's JSON has the value.
const ATTRIBUTES: [(&str, &str); 31] = [
    ("gen_ai.agent.name", "/agent"),
    ("gen_ai.conversation.id", "/session"),
    ("gen_ai.request.model", "/profile/model"),
    ("gen_ai.response.model", "/end/model"),
    ("gen_ai.usage.input_tokens", "/end/tokens/input"),
    ("gen_ai.usage.output_tokens", "/end/tokens/output"),
    ("gen_ai.usage.cache_read.input_tokens", "/end/tokens/cache_read"),
    ("gen_ai.usage.cache_creation.input_tokens", "/end/tokens/cache_creation"),
    ("session.id", "/caller/session"),
    ("error.type", "/end/error_type"),
    ("vcs.ref.head.revision", "/git_head"),
    ("agent_dispatch.dispatch", "/dispatch"),
    ("agent_dispatch.answered_by", "/answered_by"),
    ("agent_dispatch.parent", "/parent"),
    ("agent_dispatch.root", "/root"),
    ("agent_dispatch.group", "/group"),
    ("agent_dispatch.directory", "/directory"),
    ("agent_dispatch.caller.client", "/caller/client"),
    ("agent_dispatch.caller.declared", "/caller/declared"),
    ("agent_dispatch.caller.directory", "/caller/directory"),
    ("agent_dispatch.caller.pid", "/caller/pid"),
    ("agent_dispatch.status", "/status"),
    ("agent_dispatch.success", "/end/success"),
    ("agent_dispatch.outcome", "/end/outcome"),
    ("agent_dispatch.cost_usd", "/end/cost_usd"),
    ("agent_dispatch.duration_ms", "/end/duration_ms"),
    ("agent_dispatch.turns", "/end/turns"),
    ("agent_dispatch.denied_tools", "/end/denied_tools"),
    ("agent_dispatch.denied_unknown", "/end/denied_unknown"),
    ("agent_dispatch.reason", "/reason"),
    ("agent_dispatch.task_preview", "/task_preview"),
];

/// Returns one request that carries these records.
pub(super) fn request(links: &[Link], now: Timestamp) -> ExportLogsServiceRequest {
    let resource = Resource {
        attributes: vec![text("service.name", "agent-dispatch"), text("service.version", VERSION)],
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: "agent-dispatch.audit".to_owned(),
        version: VERSION.to_owned(),
        ..InstrumentationScope::default()
    };
    let log_records = links.iter().map(|link| log_record(link, now)).collect();
    let scope_logs = ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() };
    let logs =
        ResourceLogs { resource: Some(resource), scope_logs: vec![scope_logs], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }
}

fn log_record(link: &Link, now: Timestamp) -> LogRecord {
    let body: Value = serde_json::from_slice(&link.body).unwrap_or_default();
    let event = body.pointer("/event").and_then(Value::as_str).unwrap_or("unreadable");
    let (number, name) = severity(event, body.pointer("/end/success").and_then(Value::as_bool));
    let mut attributes = vec![
        // A record that is sent twice is one: collectors may drop the second.
        text("log.record.uid", &link.hash.to_string()),
        attribute("agent_dispatch.seq", integer(link.seq)),
        text("agent_dispatch.prev", &link.prev.to_string()),
        text("agent_dispatch.event", event),
    ];
    if body.pointer("/dispatch").is_some() {
        attributes.push(text("gen_ai.operation.name", "invoke_agent"));
        attributes.push(text("gen_ai.provider.name", "anthropic"));
    }
    let found = ATTRIBUTES.iter().filter_map(|(name, place)| Some((name, any(body.pointer(place)?)?)));
    attributes.extend(found.map(|(name, value)| attribute(name, value)));
    // What is about a run stands in its span, whatever else in that of whoever asked.
    let spans =
        ["/trace", "/caller/traceparent"].into_iter().filter_map(|place| body.pointer(place)?.as_str());
    let span = spans.flat_map(str::parse::<TraceParent>).next();
    LogRecord {
        time_unix_nano: time_of(&link.body).map_or(0, nanos),
        observed_time_unix_nano: nanos(now),
        severity_number: number as i32,
        severity_text: name.to_owned(),
        body: Some(AnyValue {
            value: Some(Any::StringValue(String::from_utf8_lossy(&link.body).into_owned())),
        }),
        attributes,
        event_name: format!("agent_dispatch.{event}"),
        flags: span.map_or(0, |span| span.flags().into()),
        trace_id: span.map(|span| span.trace_id().to_vec()).unwrap_or_default(),
        span_id: span.map(|span| span.span_id().to_vec()).unwrap_or_default(),
        ..LogRecord::default()
    }
}

const fn nanos(time: Timestamp) -> u64 {
    time.as_millis().saturating_mul(1_000_000)
}

/// Returns how much a record matters: a trail that is not whole most, then what did not go well.
fn severity(event: &str, success: Option<bool>) -> (SeverityNumber, &'static str) {
    match (event, success) {
        ("gap" | "quarantined" | "verify_failed" | "unreadable", _) => (SeverityNumber::Error, "ERROR"),
        ("refused" | "config_refused" | "interrupted" | "cancelled", _) | (_, Some(false)) => {
            (SeverityNumber::Warn, "WARN")
        }
        _ => (SeverityNumber::Info, "INFO"),
    }
}

fn attribute(name: &str, value: Any) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(name: &str, value: &str) -> KeyValue {
    attribute(name, Any::StringValue(value.to_owned()))
}

fn integer(number: u64) -> Any {
    Any::IntValue(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Returns a value of a record as one of an attribute; nothing for what is absent.
fn any(value: &Value) -> Option<Any> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => Any::BoolValue(*value),
        Value::String(text) => Any::StringValue(text.clone()),
        Value::Number(number) => match number.as_u64() {
            Some(number) => integer(number),
            None => Any::DoubleValue(number.as_f64()?),
        },
        Value::Array(entries) => {
            let values = entries.iter().map(|entry| AnyValue { value: any(entry) }).collect();
            Any::ArrayValue(ArrayValue { values })
        }
        Value::Object(_) => Any::StringValue(value.to_string()),
    })
}

#[cfg(test)]
mod tests;
