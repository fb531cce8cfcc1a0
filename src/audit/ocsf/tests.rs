//! Events that the schema knows, and nothing of a record lost on the way.

use super::*;
use crate::audit::chain::Head;

fn mapped(body: &Value) -> Value {
    event(&Link::after(Head { seq: 6, ..Head::EMPTY }, body.to_string().into_bytes()), "1.2.3")
}

#[test]
fn every_event_has_what_the_class_requires() {
    let codes = [
        ("requested", 1, "Success", 1),
        ("refused", 1, "Failure", 2),
        ("hit", 2, "Success", 1),
        ("joined", 2, "Success", 1),
        ("started", 3, "Success", 1),
        ("cancelled", 3, "cancelled", 1),
        ("interrupted", 3, "Failure", 2),
        ("config_changed", 3, "Success", 1),
        ("config_refused", 3, "Failure", 2),
        ("cache_cleared", 4, "Success", 1),
        ("gc", 4, "Success", 1),
        ("gap", 99, "Failure", 4),
        ("something_new", 99, "Success", 1),
    ];
    for (code, activity, status, severity) in codes {
        let event = mapped(&json!({"time": "2026-11-21T10:15:00.000Z", "event": code}));
        assert_eq!((&event["class_uid"], &event["category_uid"]), (&json!(6003), &json!(6)), "{code}");
        assert_eq!(event["activity_id"], activity, "{code}");
        assert_eq!(event["type_uid"], 600_300 + activity, "{code}");
        assert_eq!((&event["status"], &event["severity_id"]), (&json!(status), &json!(severity)), "{code}");
        assert_eq!(event["time"], 1_795_256_100_000_u64, "{code}");
        assert_eq!(
            (&event["api"]["operation"], &event["actor"]["app_name"]),
            (&json!(code), &json!("agent-dispatch"))
        );
        assert_eq!(event["metadata"]["product"]["version"], "1.2.3");
        assert_eq!((&event["metadata"]["sequence"], &event["unmapped"]["seq"]), (&json!(7), &json!(7)));
        assert_eq!(event["src_endpoint"], json!({"svc_name": "agent-dispatch"}));
        assert_eq!(event.get("ai_agent"), None, "{code}");
    }
}

#[test]
fn a_run_is_told_with_its_agent_its_model_and_its_tokens() {
    let event = mapped(&json!({
        "time": "2026-11-21T10:15:00.000Z", "event": "finished", "dispatch": "d1", "root": "r1", "agent": "docs",
        "directory": "/src/docs", "session": "s1", "task_preview": "look", "git_head": "abc",
        "caller": {"client": "mcp", "session": "c1", "pid": 7, "depth": 0},
        "end": {
            "success": false, "error_type": "timeout", "error": "too slow", "duration_ms": 1500, "model": "claude-x",
            "tokens": {"input": 1, "output": 20, "cache_read": 300, "cache_creation": 4000}, "cost_usd": 0.5,
        },
    }));
    assert_eq!((&event["status"], &event["status_code"]), (&json!("Failure"), &json!("timeout")));
    assert_eq!((&event["status_detail"], &event["message"]), (&json!("too slow"), &json!("look")));
    assert_eq!((&event["duration"], &event["start_time"]), (&json!(1500), &json!(1_795_256_098_500_u64)));
    let agent = json!({
        "uid": "docs", "name": "docs", "instance_uid": "s1",
        "ai_model": {"model_name": "claude-x", "ai_provider": "Anthropic"},
    });
    assert_eq!(event["ai_agent"], agent);
    let context = &event["message_context"];
    assert_eq!((&context["prompt_tokens"], &context["completion_tokens"]), (&json!(4301), &json!(20)));
    assert_eq!((&context["total_tokens"], &context["uid"]), (&json!(4321), &json!("s1")));
    assert_eq!(event["actor"], json!({"app_name": "mcp", "session": {"uid": "c1"}, "process": {"pid": 7}}));
    assert_eq!(
        (&event["api"]["request"]["uid"], &event["metadata"]["correlation_uid"]),
        (&json!("d1"), &json!("r1"))
    );
    assert_eq!(event["resources"], json!([{"type": "directory", "name": "/src/docs"}]));
    // What the schema has no place for is kept, and only that.
    let left = &event["unmapped"];
    assert_eq!((&left["git_head"], &left["end"]), (&json!("abc"), &json!({"cost_usd": 0.5})));
    assert_eq!(left["caller"], json!({"depth": 0}));
    assert!(left.get("agent").is_none() && left["hash"].as_str().unwrap().len() == 64, "{left}");
}

#[test]
fn a_record_names_its_trace_and_the_end_of_a_run_its_span() {
    let (run, asked) = (
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01",
    );
    let elsewhere = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let time = "2026-11-21T10:15:00.000Z";
    let span = |parent: Option<&str>| {
        let mut span = json!({"uid": "00f067aa0ba902b7", "start_time": 1_795_256_098_500_u64, "end_time": 1_795_256_100_000_u64});
        if let Some(parent) = parent {
            span["parent_uid"] = json!(parent);
        }
        json!({"uid": "4bf92f3577b34da6a3ce929d0e0e4736", "span": span})
    };
    let rows = [
        (
            json!({"time": time, "trace": run, "caller": {"traceparent": asked}, "end": {"duration_ms": 1500}}),
            span(Some("b7ad6b7169203331")),
        ),
        (
            json!({"time": time, "trace": run, "caller": {"traceparent": elsewhere}, "end": {"duration_ms": 1500}}),
            span(None),
        ),
        (json!({"time": time, "trace": run}), json!({"uid": "4bf92f3577b34da6a3ce929d0e0e4736"})),
        (
            json!({"time": time, "caller": {"traceparent": asked}}),
            json!({"uid": "4bf92f3577b34da6a3ce929d0e0e4736"}),
        ),
    ];
    for (body, wanted) in rows {
        let event = mapped(&body);
        assert_eq!(event["trace"], wanted, "{body}");
        assert_eq!(event["metadata"]["profiles"], json!(["ai_operation", "trace"]), "{body}");
        // Its flags have no place of their own.
        assert_eq!(event["unmapped"].get("trace"), body.get("trace"), "{body}");
    }
    let event = mapped(&json!({"time": time, "trace": "damaged"}));
    assert_eq!((event.get("trace"), &event["metadata"]["profiles"]), (None, &json!(["ai_operation"])));
}

#[test]
fn what_is_no_record_is_an_event_all_the_same() {
    let event = event(&Link::after(Head::EMPTY, b"not json".to_vec()), "1.2.3");
    assert_eq!((&event["api"]["operation"], &event["severity_id"]), (&json!("unreadable"), &json!(4)));
}
