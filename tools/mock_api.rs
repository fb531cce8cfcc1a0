//! A stand-in for the Messages API on loopback, so that the real `claude` can be driven without an account.
//!
//! `mock-api [--log FILE] [--until-eof]` listens on a free port and prints `listening on 127.0.0.1:PORT`. What it answers is written
//! in the prompt (see `script`): `<<mock [{"tool": {"name": "Bash", "input": {"command": "ls"}}}, {"text": "done"}]
//! mock>>`. It keeps no state, so any number of conversations can go on at once. FILE gets one JSON line per request.
//! With `--until-eof` it ends when its standard input does.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

#[path = "mock_api/http.rs"]
mod http;
#[path = "mock_api/reply.rs"]
mod reply;
#[path = "mock_api/script.rs"]
mod script;

use http::{Connection, Request};
use script::{ApiError, Step, Turn};

/// What all connections share.
#[derive(Debug)]
struct Mock {
    started: Instant,
    log: Option<Mutex<File>>,
    answers: AtomicU64,
}

/// Why a connection came to its end.
#[derive(Debug, PartialEq, Eq)]
enum Connected {
    Yes,
    No,
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when this fails too.
            drop(writeln!(io::stderr(), "mock-api: {error}"));
            ExitCode::from(2)
        }
    }
}

fn serve() -> io::Result<()> {
    let Options { log, until_eof } = options()?;
    let log = log.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mock =
        Arc::new(Mock { started: Instant::now(), log: log.map(Mutex::new), answers: AtomicU64::new(0) });
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {}", listener.local_addr()?)?;
    stdout.flush()?;
    if until_eof {
        thread::spawn(move || accept(&listener, &mock));
        io::copy(&mut io::stdin(), &mut io::sink())?;
        return Ok(());
    }
    accept(&listener, &mock)
}

fn accept(listener: &TcpListener, mock: &Arc<Mock>) -> io::Result<()> {
    for stream in listener.incoming() {
        let (stream, mock) = (stream?, Arc::clone(mock));
        // One thread per connection: its clients are the few `claude` that a test starts. A connection that breaks is
        // its client's affair.
        thread::spawn(move || drop(mock.converse(stream)));
    }
    Ok(())
}

/// What the command line asks for.
#[derive(Debug, Default)]
struct Options {
    log: Option<PathBuf>,
    until_eof: bool,
}

fn options() -> io::Result<Options> {
    let mut options = Options::default();
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let log = if argument == "--log" { arguments.next() } else { None };
        match log {
            Some(path) => options.log = Some(path.into()),
            None if argument == "--until-eof" => options.until_eof = true,
            None => {
                let usage = "usage: mock-api [--log FILE] [--until-eof]";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, usage));
            }
        }
    }
    Ok(options)
}

impl Mock {
    fn converse(&self, stream: TcpStream) -> io::Result<()> {
        let mut connection = Connection::new(stream)?;
        while let Some(request) = connection.read()? {
            let connected = match (request.method.as_str(), request.path.as_str()) {
                ("POST", "/v1/messages") => self.answer_message(&mut connection, &request)?,
                ("HEAD" | "GET", "/") => self.send(&mut connection, &request, 200, &json!({}), &[])?,
                ("POST", "/v1/messages/count_tokens") => {
                    self.send(&mut connection, &request, 200, &json!({"input_tokens": 1000}), &[])?
                }
                _ => {
                    let what = format!("no {} {} here", request.method, request.path);
                    self.send(&mut connection, &request, 404, &error_body("not_found_error", &what), &[])?
                }
            };
            if connected == Connected::No || !request.keep_alive {
                break;
            }
        }
        Ok(())
    }

    /// Sends an answer that does not depend on a conversation.
    fn send(
        &self,
        connection: &mut Connection,
        request: &Request,
        status: u16,
        body: &Value,
        headers: &[(String, String)],
    ) -> io::Result<Connected> {
        self.log(request, json!({"status": status}))?;
        connection.answer(
            request,
            status,
            &with_type("application/json", headers),
            body.to_string().as_bytes(),
        )?;
        Ok(Connected::Yes)
    }

    fn answer_message(&self, connection: &mut Connection, request: &Request) -> io::Result<Connected> {
        let invalid = |what: &str| error_body("invalid_request_error", what);
        let body: Value = match serde_json::from_slice(&request.body) {
            Ok(body) => body,
            Err(error) => {
                let body = invalid(&format!("the body is not JSON: {error}"));
                return self.send(connection, request, 400, &body, &[]);
            }
        };
        let Some(messages) = body.get("messages").and_then(Value::as_array) else {
            return self.send(connection, request, 400, &invalid("messages: field required"), &[]);
        };
        let turn = script::read(messages);
        self.log(request, facts(&body, &turn))?;
        let headers = [];
        let step = match &turn.step {
            Ok(step) => step,
            Err(error) => {
                let body = invalid(&format!("mock script: {error}")).to_string();
                connection.answer(request, 400, &with_type("application/json", &headers), body.as_bytes())?;
                return Ok(Connected::Yes);
            }
        };
        if step.delay_ms > 0 && !connection.wait(step.delay())? {
            return Ok(Connected::No);
        }
        if let Some(error) = &step.error {
            return refuse(connection, request, error);
        }
        self.answer_step(connection, request, &body, step)
    }

    fn answer_step(
        &self,
        connection: &mut Connection,
        request: &Request,
        body: &Value,
        step: &Step,
    ) -> io::Result<Connected> {
        let streamed = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
        let says_something = !step.full_text().is_empty() || step.calls().next().is_some();
        if step.hang && !(streamed && says_something) {
            connection.wait(None)?;
            return Ok(Connected::No);
        }
        // The process id keeps ids apart when a conversation goes on with another mock.
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let serial = format!("{}_{number}", std::process::id());
        let model = body.get("model").and_then(Value::as_str).unwrap_or("mock");
        let message = reply::message(step, model, &serial);
        let request_id = [("request-id".to_owned(), format!("req_mock_{serial}"))];
        if !streamed {
            let headers = with_type("application/json", &request_id);
            connection.answer(request, 200, &headers, message.to_string().as_bytes())?;
            return Ok(Connected::Yes);
        }
        let (content, end) = reply::events(&message);
        connection.begin(request, &with_type("text/event-stream", &request_id))?;
        for event in content {
            connection.chunk(event.as_bytes())?;
        }
        if step.hang {
            connection.wait(None)?;
            return Ok(Connected::No);
        }
        for event in end {
            connection.chunk(event.as_bytes())?;
        }
        connection.chunk(b"")?;
        Ok(Connected::Yes)
    }

    /// Writes one line about a request.
    fn log(&self, request: &Request, facts: Value) -> io::Result<()> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        let mut line = json!({
            "ms": u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "method": request.method,
            "path": request.path,
            "body_bytes": request.body.len(),
        });
        if let (Some(line), Value::Object(facts)) = (line.as_object_mut(), facts) {
            line.extend(facts);
        }
        // One write per line, so that a reader never sees half of one.
        let line = format!("{line}\n");
        log.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
    }
}

/// Returns what a test may want to know of a request for a message, and of its answer.
fn facts(body: &Value, turn: &Turn) -> Value {
    let name = |tool: &Value| tool.get("name").cloned();
    let tools: Vec<Value> =
        body.get("tools").and_then(Value::as_array).into_iter().flatten().filter_map(name).collect();
    let answer = match &turn.step {
        Err(error) => json!({"script_error": error}),
        Ok(step) => match &step.error {
            Some(error) => json!({"error": error.status}),
            None => json!({
                "text_chars": step.full_text().chars().count(),
                "tools": step.calls().map(|call| call.name.as_str()).collect::<Vec<_>>(),
                "hang": step.hang,
            }),
        },
    };
    json!({
        "model": body.get("model"),
        "stream": body.get("stream"),
        "messages": body.get("messages").and_then(Value::as_array).map(Vec::len),
        "tools": tools,
        "prompt": turn.prompt,
        "step": turn.number,
        "last_tool_result": turn.last_tool_result,
        "answer": answer,
    })
}

fn refuse(connection: &mut Connection, request: &Request, error: &ApiError) -> io::Result<Connected> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let headers: Vec<(String, String)> =
        error.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let body = error_body(&error.kind, &error.message).to_string();
    connection.answer(request, error.status, &with_type("application/json", &headers), body.as_bytes())?;
    Ok(Connected::Yes)
}

fn error_body(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

fn with_type(kind: &str, headers: &[(String, String)]) -> Vec<(String, String)> {
    let kind = ("content-type".to_owned(), kind.to_owned());
    [kind].into_iter().chain(headers.iter().cloned()).collect()
}
