//! What makes a request, and that all problems are told at once.

use super::*;

fn raw() -> RawRequest {
    RawRequest { agent: "infra".into(), task: "look".into(), ..RawRequest::default() }
}

fn problems(raw: RawRequest) -> Vec<&'static str> {
    let bad = DispatchRequest::new(raw, Sharing::Never).unwrap_err();
    bad.into_iter().map(|it| it.field).collect()
}

#[test]
fn the_smallest_request_is_an_agent_and_a_task() {
    let request = DispatchRequest::new(raw(), Sharing::CacheAndJoin).unwrap();
    assert_eq!((request.timeout, request.resume, request.group), (None, None, None));
    assert_eq!(request.response_format, ResponseFormat::Text);
}

#[test]
fn every_problem_is_named_at_once() {
    let all = RawRequest {
        agent: "../x".into(),
        task: " \n".into(),
        context: "a\0b".into(),
        response_format: "xml".into(),
        group: "-g".into(),
        session_id: "--continue".into(),
        ..RawRequest::default()
    };
    assert_eq!(problems(all), ["agent", "task", "context", "response_format", "group", "session_id"]);
    let long = RawRequest { task: "x".repeat(DispatchRequest::PROMPT_BYTES_MAX + 1), ..raw() };
    assert_eq!(problems(long), ["task"]);
}

#[test]
fn timeouts_are_clamped_and_zero_means_the_agents_own() {
    for (asked, given) in [(0, None), (-5, None), (1, Some(10)), (900, Some(900)), (99_999, Some(7200))] {
        let request =
            DispatchRequest::new(RawRequest { timeout_seconds: asked, ..raw() }, Sharing::Never).unwrap();
        assert_eq!(request.timeout, given.map(Duration::from_secs), "{asked}");
    }
}

#[test]
fn a_format_is_text_json_or_a_schema_as_object_or_as_text() {
    let schema = serde_json::json!({"type": "object"});
    for (value, want) in [
        (serde_json::Value::Null, ResponseFormat::Text),
        ("".into(), ResponseFormat::Text),
        ("text".into(), ResponseFormat::Text),
        ("json".into(), ResponseFormat::Json),
        (schema.clone(), ResponseFormat::Schema(schema.as_object().unwrap().clone())),
        (schema.to_string().into(), ResponseFormat::Schema(schema.as_object().unwrap().clone())),
    ] {
        let request = DispatchRequest::new(RawRequest { response_format: value, ..raw() }, Sharing::Never);
        assert_eq!(request.unwrap().response_format, want);
    }
}
