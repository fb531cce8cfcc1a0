//! What is told while a run goes on.

use serde_json::json;

use super::*;

fn told(lines: &[Value]) -> Vec<String> {
    let mut heard = Heard::default();
    let mut notes = Vec::new();
    for line in lines {
        heard.take(line.as_object().unwrap().clone(), 0, &mut notes);
    }
    let texts = notes.into_iter().filter_map(|note| match note {
        Note::Progress(progress) => Some(progress.text),
        Note::Begun | Note::Worked => None,
    });
    texts.collect()
}

fn tool(name: &str, input: &Value) -> Value {
    json!({"type": "assistant", "message": {"content": [{"type": "tool_use", "name": name, "input": input}]}})
}

#[test]
fn progress_is_one_bounded_line_that_cuts_no_secret_in_two() {
    let key = ["sk-", "ant-api03-abcdefghijklmnop"].concat();
    let rows = [
        (
            tool("Bash", &json!({"description": "x", "command": "docker logs\n-f web"})),
            "Bash docker logs -f web",
        ),
        (tool("Read", &json!({"file_path": "/a/b.rs", "limit": 5})), "Read /a/b.rs"),
        (tool("mcp__db__ask", &json!({"n": 1, "question": "how many"})), "mcp__db__ask how many"),
        (tool("Plain", &json!(null)), "Plain"),
        (
            tool("Bash", &json!({"command": format!("curl -H 'x-api-key: {key}'")})),
            &format!("Bash curl -H 'x-api-key: {key}'"),
        ),
        (
            json!({"type": "system", "subtype": "api_retry", "attempt": 2, "max_retries": 3, "error_status": 529}),
            "retrying: 529 (2/3)",
        ),
        (
            json!({"type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 3, "error_status": null, "error": "unknown"}),
            "retrying: unknown (1/3)",
        ),
        (json!({"type": "system", "subtype": "model_fallback"}), "going on with the fallback model"),
        (
            json!({"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "rateLimitType": "seven_day"}}),
            "the account's seven day limit is reached",
        ),
    ];
    for (line, text) in rows {
        assert_eq!(told(std::slice::from_ref(&line)), [text], "{line}");
    }
    let long = told(&[tool("Bash", &json!({"command": "x".repeat(100_000)}))]);
    assert_eq!(long[0].chars().count(), PROGRESS_CHARS + 1);
    assert_eq!(
        told(&[json!({"type": "assistant"}), json!({"type": "result"}), json!({"type": 5})]),
        Vec::<String>::new()
    );
}

#[test]
fn a_session_is_told_once_and_again_only_when_it_changes() {
    let mut heard = Heard::default();
    let mut notes = Vec::new();
    let ids = [
        "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47",
        "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47",
        "nonsense",
        "4f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47",
    ];
    for id in ids {
        heard.take(json!({"session_id": id}).as_object().unwrap().clone(), 0, &mut notes);
    }
    assert_eq!(notes, [Note::Begun, Note::Begun]);
    assert_eq!(heard.session, Some(ids[3].parse().unwrap()));
}

#[test]
fn words_are_kept_from_the_end_and_the_last_message_whole() {
    let mut heard = Heard::default();
    let mut say = |message: &str, text: String| {
        let line = json!({"type": "assistant", "message": {"id": message, "content": [{"type": "text", "text": text}]}});
        heard.take(line.as_object().unwrap().clone(), 0, &mut Vec::new());
        (heard.turns, heard.texts_bytes, heard.said().len())
    };
    for number in 0..100 {
        let (_, bytes, said) = say(&number.to_string(), "x".repeat(10_000));
        assert!(bytes <= EARLIER_TEXT_BYTES_MAX && said <= EARLIER_TEXT_BYTES_MAX + 20);
    }
    assert_eq!(say("100", "y".repeat(70_000)), (101, 70_000, 70_000));
    assert_eq!(say("100", "z".repeat(70_000)), (101, 140_000, 140_002), "the same message");
    assert_eq!(say("101", "the end".to_owned()), (102, 7, 7));
    assert_eq!(heard.last_said(), "the end");
}
