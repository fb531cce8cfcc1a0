//! `agent-dispatch audit export --otlp`: sends records to a collector, at least once each, and goes on with what is recorded.
//!
//! OTLP over HTTP/1.1 with JSON, without TLS: a collector on this machine takes it further. A cursor file moves when the
//! collector has said that it has the records, so after a crash some may be sent again; `log.record.uid` tells which.

use std::cell::Cell;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::cli::args::ExportArguments;
use crate::cli::audit::export::{PAGE_RECORDS, Start, move_cursor, page};
use crate::cli::audit::otlp;
use crate::cli::dispatching::interrupts;
use crate::cli::render::{harmless, note};
use crate::daemon::ClientError;
use crate::daemon::protocol::trail::{Asked, Page, Told};
use crate::daemon::protocol::{Reply, Request};
use crate::dispatch::Frontend;
use crate::error::{Kind, Report};
use crate::model::{Timestamp, with_causes};

/// How often the trail is looked at for something new.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a collector may take for one request.
const ANSWER_BUDGET: Duration = Duration::from_secs(30);

/// How long to wait before a request is sent again: this, then twice as long each time up to the most. What a collector
/// asks for counts, up to its own most.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);
const ASKED_PAUSE_MAX: Duration = Duration::from_secs(300);

/// How often a request is tried when nobody follows: about a minute in all.
const TRIES_MAX: u32 = 9;

/// Most bytes of an answer that are read: enough for what a collector says of records it refuses.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// What is said of an error of the command line.
const HINT: &str = "See: agent-dispatch audit export --help";

/// Sends the records, all of them or those behind the cursor, and with `--follow` those that come.
pub(super) async fn send(
    frontend: &Frontend,
    asked: &ExportArguments,
    endpoint: &str,
) -> Result<ExitCode, Report> {
    let endpoint = Endpoint::read(endpoint)?;
    let next = match Start::find(frontend, asked).await? {
        Ok(start) => start.next,
        Err(code) => return Ok(ExitCode::from(code)),
    };
    let sent = Cell::new(0);
    let mut interrupts = interrupts()?;
    tokio::select! {
        done = send_from(frontend, asked, &endpoint, next, &sent) => done?,
        _ = interrupts.recv() => {}
    }
    note(&format!("{} records sent to {}\n", sent.get(), endpoint.name));
    Ok(ExitCode::from(u8::from(sent.get() == 0)))
}

/// Sends the records from number `next` on; with `--follow` for ever.
async fn send_from(
    frontend: &Frontend,
    asked: &ExportArguments,
    endpoint: &Endpoint,
    mut next: u64,
    sent: &Cell<u64>,
) -> Result<(), Report> {
    let mut news = Some(page(frontend, next, PAGE_RECORDS).await?);
    loop {
        if let Some(page) = news {
            for seq in &page.unreadable {
                note(&format!("note: record {seq} cannot be read and was left out\n"));
            }
            if let Some(last) = page.links.last() {
                let body = serde_json::to_vec(&otlp::request(&page.links, Timestamp::now()));
                let body = body.map_err(|error| refused(endpoint, &error.to_string()))?;
                deliver(endpoint, &body, asked.follow).await?;
                if let Some(cursor) = &asked.cursor {
                    move_cursor(cursor, next, last.head())?;
                }
                sent.set(sent.get() + page.links.len() as u64);
            }
            next = page.next;
            if next <= page.head.seq {
                news = Some(self::page(frontend, next, PAGE_RECORDS).await?);
                continue;
            }
        }
        if !asked.follow {
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
        news = new_ones(frontend, next).await?;
    }
}

/// Returns the records from number `next` on. No daemon, nothing new: it is not started only to be asked, and one that breaks off
/// in the middle is on its way out.
async fn new_ones(frontend: &Frontend, next: u64) -> Result<Option<Page>, Report> {
    let asked = Request::Trail(Asked::Page(next, PAGE_RECORDS));
    match frontend.client.ask_if_running(&asked).await {
        Ok(Some(Reply::Trail(Told::Page(page)))) => Ok(Some(page)),
        Ok(None) | Err(ClientError::Broken(_)) => Ok(None),
        Ok(Some(Reply::Fault(fault))) => Err(ClientError::Fault(fault).into()),
        Ok(Some(_)) => Err(ClientError::Confused.into()),
        Err(error) => Err(error.into()),
    }
}

/// Sends a request until the collector has it.
async fn deliver(endpoint: &Endpoint, body: &[u8], forever: bool) -> Result<(), Report> {
    let mut pause = PAUSE;
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = timeout(ANSWER_BUDGET, post(endpoint, body)).await;
        let (why, asked) = match answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(answer) if answer.status == 200 => {
                note(&harmless(&answer.complaint().unwrap_or_default()));
                return Ok(());
            }
            Ok(answer) if matches!(answer.status, 429 | 502 | 503 | 504) => {
                (format!("it answered {}", answer.status), answer.retry_after())
            }
            Ok(answer) => return Err(refused(endpoint, &format!("it answered {}", answer.status))),
            Err(error) => (with_causes(&error), None),
        };
        if tries == TRIES_MAX && !forever {
            return Err(refused(endpoint, &why));
        }
        if tries == 1 {
            note(&harmless(&format!("note: {} does not take the records yet: {why}\n", endpoint.name)));
        }
        sleep(asked.unwrap_or(pause)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn refused(endpoint: &Endpoint, why: &str) -> Report {
    let what = format!("the collector at {} does not take the records: {why}", endpoint.name);
    let hint = "Nothing is lost: with --cursor, the next run goes on where this one ended.";
    Report::new(Kind::Unavailable, "collector", what, hint)
}

/// Where a collector listens.
#[derive(Debug, PartialEq, Eq)]
struct Endpoint {
    /// As it was typed.
    name: String,
    /// Host and port, as they are connected to.
    address: String,
    path: String,
}

impl Endpoint {
    /// Reads `http://host[:port][/path]`; the path of logs is added where there is none.
    fn read(name: &str) -> Result<Self, Report> {
        let wrong = |what: &str, hint: &str| {
            Report::new(Kind::Usage, "invalid_endpoint", format!("`{name}` {what}"), hint)
        };
        if name.starts_with("https://") {
            let hint = "Send to a collector on this machine (http://127.0.0.1:4318) that forwards with TLS.";
            return Err(wrong("needs TLS, which this program does not speak", hint));
        }
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let rest =
            name.strip_prefix("http://").filter(|rest| is_plain(rest) && !rest.contains(['@', '?', '#']));
        let rest = rest.ok_or_else(|| wrong("is not http://HOST:PORT", HINT))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        if host.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(wrong("does not name a host and a port", HINT));
        }
        let address = if port.is_some() { host.to_owned() } else { format!("{host}:80") };
        let path = if path.is_empty() { "/v1/logs".to_owned() } else { format!("/{path}") };
        Ok(Self { name: name.to_owned(), address, path })
    }
}

/// What a collector said.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    /// Reads an answer, as much of it as there is.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (head, body) = bytes.split_at_checked(end)?;
        let head = std::str::from_utf8(head).ok()?.to_owned();
        let mut words = head.strip_prefix("HTTP/1.")?.split(' ');
        let status = words.nth(1)?.trim_end().lines().next()?.parse().ok()?;
        Some(Self { status, body: body.get(4..)?.to_vec(), head })
    }

    /// Returns a number that a header gives.
    fn number(&self, header: &str) -> Option<u64> {
        let named = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(header).then(|| value.trim().parse().ok())?
        };
        self.head.lines().find_map(named)
    }

    /// Returns whether all of it is there; where it does not say how long it is, its connection must end first.
    fn is_whole(&self) -> bool {
        self.number("content-length").is_some_and(|length| self.body.len() as u64 >= length)
    }

    /// Returns how long the collector asks to wait, if it says so in seconds.
    fn retry_after(&self) -> Option<Duration> {
        self.number("retry-after").map(|seconds| Duration::from_secs(seconds).min(ASKED_PAUSE_MAX))
    }

    /// Returns what the collector has against records that it has thrown away.
    fn complaint(&self) -> Option<String> {
        let start = self.body.iter().position(|byte| *byte == b'{')?;
        let end = self.body.iter().rposition(|byte| *byte == b'}')?;
        let said: serde_json::Value = serde_json::from_slice(self.body.get(start..=end)?).ok()?;
        let said = said.get("partialSuccess")?.as_object().filter(|said| !said.is_empty())?;
        let said = serde_json::Value::Object(said.clone());
        Some(format!("note: the collector did not take all of it: {said}\n"))
    }
}

/// Posts a body on a connection of its own.
async fn post(endpoint: &Endpoint, body: &[u8]) -> io::Result<Answer> {
    let Endpoint { address, path, .. } = endpoint;
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         User-Agent: agent-dispatch\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(ANSWER_BYTES_MAX);
    // Not every server closes when it is asked to.
    while !Answer::read(&answer).is_some_and(|answer| answer.is_whole())
        && stream.read_buf(&mut answer).await? > 0
    {}
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP/1.1");
    Answer::read(&answer).ok_or_else(bad)
}

#[cfg(test)]
mod tests;
