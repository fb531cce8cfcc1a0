//! Logs in the shape that the protocol's JSON has.

use serde_json::json;

use super::*;
use crate::audit::chain::Head;

#[test]
fn a_record_is_a_log_with_the_names_of_the_conventions() {
    let body = json!({
        "time": "2026-11-21T10:15:00.000Z", "event": "finished", "dispatch": "d1", "agent": "docs", "session": "s1",
        "caller": {"client": "mcp", "session": "c1", "pid": 7},
        "end": {
            "success": false, "error_type": "timeout", "cost_usd": 0.5, "duration_ms": 1500, "denied_tools": ["Write"],
            "tokens": {"input": 3, "output": 20},
        },
    });
    let link = Link::after(Head { seq: 6, ..Head::EMPTY }, body.to_string().into_bytes());
    let request = request(std::slice::from_ref(&link), Timestamp::from_millis(1_800_000_000_000));
    let sent = serde_json::to_value(&request).unwrap();
    assert_eq!(
        sent["resourceLogs"][0]["resource"]["attributes"][0]["value"]["stringValue"],
        "agent-dispatch"
    );
    let log = &sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(log["timeUnixNano"], "1795256100000000000");
    assert_eq!(log["observedTimeUnixNano"], "1800000000000000000");
    assert_eq!((&log["severityNumber"], &log["severityText"]), (&json!(13), &json!("WARN")));
    assert_eq!(
        (&log["eventName"], &log["body"]["stringValue"]),
        (&json!("agent_dispatch.finished"), &json!(body.to_string()))
    );
    let attributes = log["attributes"].as_array().unwrap();
    let found = |name: &str| {
        let named = attributes.iter().find(|attribute| attribute["key"] == name);
        named.map(|attribute| attribute["value"].clone())
    };
    let wanted = [
        ("log.record.uid", json!({"stringValue": link.hash.to_string()})),
        ("agent_dispatch.seq", json!({"intValue": "7"})),
        ("gen_ai.operation.name", json!({"stringValue": "invoke_agent"})),
        ("gen_ai.agent.name", json!({"stringValue": "docs"})),
        ("gen_ai.conversation.id", json!({"stringValue": "s1"})),
        ("gen_ai.usage.output_tokens", json!({"intValue": "20"})),
        ("session.id", json!({"stringValue": "c1"})),
        ("error.type", json!({"stringValue": "timeout"})),
        ("agent_dispatch.success", json!({"boolValue": false})),
        ("agent_dispatch.cost_usd", json!({"doubleValue": 0.5})),
        ("agent_dispatch.denied_tools", json!({"arrayValue": {"values": [{"stringValue": "Write"}]}})),
    ];
    for (name, value) in wanted {
        assert_eq!(found(name), Some(value), "{name}");
    }
    assert_eq!(found("gen_ai.response.model"), None);
}

#[test]
fn what_is_not_about_a_dispatch_invokes_no_agent() {
    let body = json!({"time": "2026-11-21T10:15:00.000Z", "event": "config_changed", "agent": "docs"});
    let log = log_record(&Link::after(Head::EMPTY, body.to_string().into_bytes()), Timestamp::from_millis(0));
    let names: Vec<&str> = log.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert!(names.contains(&"gen_ai.agent.name") && !names.contains(&"gen_ai.operation.name"), "{names:?}");
}

#[test]
fn a_record_stands_in_the_span_of_its_run_else_in_that_of_whoever_asked() {
    let (run, asked) = (
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-00",
    );
    let rows = [
        (json!({"trace": run, "caller": {"traceparent": asked}}), Some(run)),
        (json!({"caller": {"traceparent": asked}}), Some(asked)),
        (json!({"trace": "damaged", "caller": {"traceparent": asked}}), Some(asked)),
        (json!({"caller": {"traceparent": null}}), None),
        (json!({}), None),
    ];
    for (body, span) in rows {
        let link = Link::after(Head::EMPTY, body.to_string().into_bytes());
        let log = serde_json::to_value(log_record(&link, Timestamp::from_millis(0))).unwrap();
        let told = [&log["traceId"], &log["spanId"]].map(|id| id.as_str().unwrap().to_owned());
        let flags = log["flags"].as_u64().unwrap();
        match span {
            Some(span) => assert_eq!(format!("00-{}-{flags:02x}", told.join("-")), span, "{body}"),
            None => assert_eq!((told.join(""), flags), (String::new(), 0), "{body}"),
        }
    }
}

#[test]
fn how_much_a_record_matters_is_seen_at_once() {
    let cases = [
        ("requested", None, "INFO"),
        ("finished", Some(true), "INFO"),
        ("finished", Some(false), "WARN"),
        ("refused", None, "WARN"),
        ("config_refused", None, "WARN"),
        ("gap", None, "ERROR"),
    ];
    for (event, success, wanted) in cases {
        assert_eq!(severity(event, success).1, wanted, "{event}");
    }
}
