//! The mock of the Messages API, by itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::real::{MockApi, script};

/// A client that keeps its connection.
struct Client {
    stream: BufReader<TcpStream>,
}

/// What came back.
struct Answer {
    status: String,
    headers: Vec<String>,
    body: String,
}

impl Client {
    fn new(mock: &MockApi) -> Self {
        Self { stream: BufReader::new(TcpStream::connect(&mock.address).expect("the mock listens")) }
    }

    fn ask(&mut self, request: &str) -> Answer {
        self.stream.get_mut().write_all(request.as_bytes()).expect("the mock reads");
        let headers: Vec<String> =
            std::iter::repeat_with(|| self.line()).take_while(|line| !line.is_empty()).collect();
        let value =
            |name: &str| headers.iter().find_map(|header| header.strip_prefix(name)).map(str::to_owned);
        let body = match value("content-length: ") {
            _ if request.starts_with("HEAD") => String::new(),
            Some(length) => self.exactly(length.parse().expect("it is a number")),
            None => self.chunks(),
        };
        Answer { status: headers.first().cloned().unwrap_or_default(), headers, body }
    }

    fn post(&mut self, body: &Value) -> Answer {
        let body = body.to_string();
        let length = body.len();
        self.ask(&format!("POST /v1/messages?beta=true HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}"))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the mock answers");
        line.trim_end().to_owned()
    }

    fn exactly(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("the body is there");
        String::from_utf8(bytes).expect("it is text")
    }

    fn chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            let size = usize::from_str_radix(&self.line(), 16).expect("it is the size of a chunk");
            body.push_str(&self.exactly(size));
            assert_eq!(self.line(), "");
            if size == 0 {
                return body;
            }
        }
    }
}

fn question(text: &str, stream: bool) -> Value {
    json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]})
}

#[test]
fn one_connection_carries_every_kind_of_request() {
    let scratch = tempfile::tempdir().expect("a scratch folder can be made");
    let mock = MockApi::start(&scratch.path().join("log"));
    let mut client = Client::new(&mock);
    assert_eq!(client.ask("HEAD / HTTP/1.1\r\n\r\n").status, "HTTP/1.1 200 Mock");

    let body = question("hello", false).to_string();
    let (left, right) = body.split_at(7);
    let (first, second) = (left.len(), right.len());
    let answer = client.ask(&format!(
        "POST /v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{first:x}\r\n{left}\r\n{second:x}\r\n{right}\r\n0\r\n\r\n"
    ));
    let message: Value = serde_json::from_str(&answer.body).expect("the message is JSON");
    assert_eq!(message["content"], json!([{"type": "text", "text": "mock reply to: hello"}]));
    assert_eq!((&message["stop_reason"], &message["model"]), (&json!("end_turn"), &json!("m")));

    let answer = client.ask("GET /v2/nothing HTTP/1.1\r\n\r\n");
    let error: Value = serde_json::from_str(&answer.body).expect("the error is JSON");
    assert_eq!(answer.status, "HTTP/1.1 404 Mock");
    assert_eq!(
        error,
        json!({"type": "error", "error": {"type": "not_found_error", "message": "no GET /v2/nothing here"}})
    );
    assert_eq!(client.post(&json!({})).status, "HTTP/1.1 400 Mock");
    assert_eq!(mock.calls().len(), 2);
}

#[test]
fn a_streamed_answer_tells_text_and_tools_in_events() {
    let scratch = tempfile::tempdir().expect("a scratch folder can be made");
    let mock = MockApi::start(&scratch.path().join("log"));
    let step =
        json!([{"repeat": {"text": "ż", "times": 40_000}, "tool": {"name": "T", "input": {"a": [1]}}}]);
    let answer = Client::new(&mock).post(&question(&script(&step), true));
    let events: Vec<Value> = answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("an event is JSON"))
        .collect();
    let texts = events.iter().filter_map(|event| event["delta"]["text"].as_str());
    assert_eq!(texts.collect::<String>(), "ż".repeat(40_000));
    let inputs = events.iter().filter_map(|event| event["delta"]["partial_json"].as_str());
    assert_eq!(inputs.collect::<String>(), "{\"a\":[1]}");
    let mut kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    let end = &events[events.len() - 2];
    assert_eq!(
        (&end["delta"]["stop_reason"], &end["usage"]["output_tokens"]),
        (&json!("tool_use"), &json!(200))
    );
}

#[test]
fn an_error_has_the_status_the_headers_and_the_words_of_the_script() {
    let scratch = tempfile::tempdir().expect("a scratch folder can be made");
    let mock = MockApi::start(&scratch.path().join("log"));
    let error =
        json!({"status": 529, "type": "overloaded_error", "message": "busy", "headers": {"retry-after": 7}});
    let answer = Client::new(&mock).post(&question(&script(&json!([{"error": error, "delay_ms": 1}])), true));
    assert_eq!(answer.status, "HTTP/1.1 529 Mock");
    assert!(answer.headers.contains(&"retry-after: 7".to_owned()), "{:?}", answer.headers);
    let body: Value = serde_json::from_str(&answer.body).expect("the error is JSON");
    assert_eq!(body["error"], json!({"type": "overloaded_error", "message": "busy"}));
}
