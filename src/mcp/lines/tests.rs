//! What is understood, what is answered with an error, and what is mended.

use proptest::prelude::*;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::json;

use super::*;

fn as_json(heard: Heard) -> Value {
    match heard {
        Heard::Message(message) => serde_json::to_value(message).unwrap(),
        Heard::Wrong(id, error) => json!({"wrong": id, "code": error.code.0}),
        Heard::Noise => json!("noise"),
    }
}

#[test]
fn every_line_that_can_be_answered_is() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let nested = |head: &str| format!("{{{head},\"params\":{deep}}}").into_bytes();
    let (request, response) = (nested(r#""id":"d","method":"x""#), nested(r#""id":1,"result":{}"#));
    let (notification, oddly_named) = (nested(r#""method":"x""#), nested(r#""id":{},"method":5"#));
    let table: [(&[u8], Value); 20] = [
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}),
        ),
        (
            b"\xEF\xBB\xBF {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n",
            json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}),
        ),
        (
            br#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":5}}"#,
            json!({"wrong": "a", "code": -32602}),
        ),
        (br#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#, json!({"wrong": 7, "code": -32602})),
        (br#"{"jsonrpc":"1.0","id":2,"method":"ping"}"#, json!({"wrong": 2, "code": -32600})),
        (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, json!({"wrong": null, "code": -32600})),
        (br#"{"jsonrpc":"2.0","id":3,"method":5}"#, json!({"wrong": 3, "code": -32600})),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, json!({"wrong": null, "code": -32600})),
        (br#"{"jsonrpc":"1.0","method":"notifications/odd"}"#, json!("noise")),
        (br#"{"jsonrpc":"2.0","id":1,"#, json!({"wrong": null, "code": -32700})),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#, json!({"wrong": null, "code": -32700})),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping"}{}"#, json!({"wrong": null, "code": -32700})),
        (b"[info] hello", json!({"wrong": null, "code": -32700})),
        (br#"{"id":4,"method":"x","params":{"a":1e999}}"#, json!({"wrong": 4, "code": -32600})),
        (&request, json!({"wrong": "d", "code": -32600})),
        (&oddly_named, json!({"wrong": null, "code": -32600})),
        (&response, json!("noise")),
        (&notification, json!("noise")),
        (b"hello", json!("noise")),
        (b" \r\n", json!("noise")),
    ];
    for (line, want) in table {
        let shown = line.get(..80).unwrap_or(line);
        assert_eq!(as_json(understand(line)), want, "{}", String::from_utf8_lossy(shown));
    }
}

#[test]
fn a_request_that_cannot_be_read_is_told_why() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for (line, want) in [
        (format!(r#"{{"id":1,"method":"x","params":{deep}}}"#), "recursion limit exceeded"),
        (r#"{"id":1,"method":"x",}"#.to_owned(), "trailing comma"),
    ] {
        let Heard::Wrong(_, error) = understand(line.as_bytes()) else { panic!("no answer to {line}") };
        assert!(error.message.contains(want), "{}", error.message);
    }
}

#[test]
fn halves_of_pairs_and_bytes_that_are_no_text_do_not_lose_the_request() {
    let line = [
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":"\ud83d \\ud83d "#
            .as_slice(),
        b"\xff",
        br#"\ud83d\ude00"}}}"#,
    ];
    let heard = as_json(understand(&line.concat()));
    assert_eq!(heard["params"]["arguments"]["a"], "\u{fffd} \\ud83d \u{fffd}😀");
}

proptest! {
    #[test]
    fn nothing_a_client_says_makes_it_stumble(line in any::<Vec<u8>>()) {
        understand(&line);
    }
}

#[tokio::test]
async fn a_line_that_is_too_long_is_told_of_and_the_next_one_is_read() {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(server);
    let ended = CancellationToken::new();
    let mut lines = Lines::new(reader, writer, ended.clone());
    let talk = tokio::spawn(async move {
        let megabyte = vec![b'x'; 1 << 20];
        for _ in 0..65 {
            client.write_all(&megabyte).await.unwrap();
        }
        client.write_all(b"\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        BufReader::new(&mut client).read_line(&mut answer).await.unwrap();
        answer
    });
    let request = lines.receive().await.unwrap();
    assert!(matches!(request, JsonRpcMessage::Request(_)));
    assert!(!ended.is_cancelled());
    assert!(lines.receive().await.is_none());
    assert!(ended.is_cancelled());
    let answer: Value = serde_json::from_str(&talk.await.unwrap()).unwrap();
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
}

#[test]
fn structured_content_that_says_the_same_as_the_text_is_the_text() {
    let nasty = r#"{"a":"\"structuredContent\":null","b":[1.0,"\n\u0001é"]}"#;
    for (text, structured) in [(nasty, AS_TEXT), (nasty, json!({"c": null})), ("{}", AS_TEXT)] {
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.structured_content = Some(structured.clone());
        let message =
            ServerJsonRpcMessage::response(ServerResult::CallToolResult(result), RequestId::Number(1));
        let line = line_of(&message).unwrap();
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        let told: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(told["result"]["content"][0]["text"], text);
        let want = if structured == AS_TEXT { serde_json::from_str(text).unwrap() } else { structured };
        assert_eq!(told["result"]["structuredContent"], want);
        assert_eq!(told["result"]["isError"], false);
    }
}
