//! A step as the service's message: whole, or as the events of a stream.

use serde_json::{Value, json};

use crate::script::Step;

/// Size of the pieces a text is streamed in, in characters.
const DELTA_CHARS: usize = 16 * 1024;

/// Returns the message that a step makes. `serial` tells messages, and their tool calls, apart.
pub(crate) fn message(step: &Step, model: &str, serial: &str) -> Value {
    let text = step.full_text();
    let mut content = Vec::new();
    let calls = step.calls().enumerate().map(|(number, call)| {
        let input = if call.input.is_null() { json!({}) } else { call.input.clone() };
        json!({"type": "tool_use", "id": format!("toolu_mock_{serial}_{number}"), "name": call.name, "input": input})
    });
    let calls: Vec<Value> = calls.collect();
    let usual_reason = if calls.is_empty() { "end_turn" } else { "tool_use" };
    if !text.is_empty() || calls.is_empty() {
        content.push(json!({"type": "text", "text": text}));
    }
    content.extend(calls);
    json!({
        "id": format!("msg_mock_{serial}"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": step.stop_reason.as_deref().unwrap_or(usual_reason),
        "stop_sequence": null,
        "usage": usage(step),
    })
}

/// Returns what the message cost: enough that it is not free, whatever the model.
fn usage(step: &Step) -> Value {
    let mut usage = json!({
        "input_tokens": 1000, "output_tokens": 200, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
    });
    if let Some(fields) = usage.as_object_mut() {
        fields.extend(step.usage.clone());
    }
    usage
}

/// Returns the events that tell of `message`, as a stream's text: first those up to the end of its content, then those
/// that end it.
pub(crate) fn events(message: &Value) -> (Vec<String>, Vec<String>) {
    let mut started = message.clone();
    let mut ended = json!({"stop_sequence": null});
    if let Some(fields) = started.as_object_mut() {
        fields.insert("content".to_owned(), json!([]));
        let reason = fields.insert("stop_reason".to_owned(), Value::Null);
        ended = json!({"stop_reason": reason, "stop_sequence": null});
    }
    // The service says at the start that one token is written, and the truth at the end.
    if let Some(written) = started.pointer_mut("/usage/output_tokens") {
        *written = json!(1);
    }
    let mut body = vec![event(&json!({"type": "message_start", "message": started}))];
    let blocks = message.get("content").and_then(Value::as_array).into_iter().flatten();
    for (index, block) in blocks.enumerate() {
        body.extend(block_events(index, block));
    }
    let usage = message.get("usage");
    let end =
        [json!({"type": "message_delta", "delta": ended, "usage": usage}), json!({"type": "message_stop"})];
    (body, end.iter().map(event).collect())
}

fn block_events(index: usize, block: &Value) -> Vec<String> {
    let mut empty = block.clone();
    let deltas: Vec<Value> = if let Some(input) = block.get("input") {
        if let Some(fields) = empty.as_object_mut() {
            fields.insert("input".to_owned(), json!({}));
        }
        vec![json!({"type": "input_json_delta", "partial_json": input.to_string()})]
    } else {
        if let Some(fields) = empty.as_object_mut() {
            fields.insert("text".to_owned(), json!(""));
        }
        let text: Vec<char> = block.get("text").and_then(Value::as_str).unwrap_or_default().chars().collect();
        let pieces = text.chunks(DELTA_CHARS).map(|piece| piece.iter().collect::<String>());
        pieces.map(|piece| json!({"type": "text_delta", "text": piece})).collect()
    };
    let start = json!({"type": "content_block_start", "index": index, "content_block": empty});
    let stop = json!({"type": "content_block_stop", "index": index});
    let deltas = deltas
        .iter()
        .map(|delta| event(&json!({"type": "content_block_delta", "index": index, "delta": delta})));
    [event(&start)].into_iter().chain(deltas).chain([event(&stop)]).collect()
}

fn event(data: &Value) -> String {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n")
}
