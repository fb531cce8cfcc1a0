//! The two streams as rmcp's transport: one JSON message a line, each way.
//!
//! rmcp's own transport drops what it cannot read, names no request in its complaints, and waits seconds for calls when
//! the input ends. Here whatever carries an id is answered, half of a surrogate pair (legal in JSON, impossible in
//! Rust's text) is read as U+FFFD, and the end of the input ends everything.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, GetMeta as _, JsonRpcMessage, ProtocolVersion, RequestId,
    ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::RoleServer;
use rmcp::transport::Transport;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::mcp::listing;
use crate::model::json::mend_surrogates;

/// Longest message of a client, in bytes: the longest prompt as escaped JSON.
const LINE_BYTES_MAX: usize = 64 << 20;

/// A buffer that grew beyond this for one message is given back after it, in bytes.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// Requests whose parameters this server knows the shape of. rmcp hands over a misshapen one as an unknown method.
const SHAPED: [&str; 11] = [
    "completion/complete",
    "initialize",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "server/discover",
    "subscriptions/listen",
    "tools/call",
    "tools/list",
];

/// Stands for structured content that says the same as the text beside it, and is put in its place when the answer is
/// written: so a long document is made JSON once, and never taken apart into values.
pub(super) const AS_TEXT: Value = Value::Null;

/// Messages over a reader and a writer.
pub(super) struct Lines<R, W> {
    reader: BufReader<R>,
    line: Vec<u8>,
    /// The line is too long: the rest of it is dropped.
    dropping: bool,
    writer: Arc<Mutex<Option<W>>>,
    /// A complaint that is being written. Nothing is read before it is, so there is never more than one.
    complaint: Option<JoinHandle<io::Result<()>>>,
    /// Whether the conversation has been opened. Only requests mean something before, and rmcp would end over all else.
    opened: bool,
    at_end: CancellationToken,
}

/// What a line said.
#[derive(Debug)]
enum Heard {
    Message(Box<ClientJsonRpcMessage>),
    /// Something that wants an answer and cannot have the one it wants.
    Wrong(Option<RequestId>, ErrorData),
    /// Nothing that could be answered.
    Noise,
}

enum Read {
    Line,
    TooLong,
    End,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// Returns the messages over these streams; the end of the input cancels `at_end`.
    pub(super) fn new(reader: R, writer: W, at_end: CancellationToken) -> Self {
        Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
            dropping: false,
            writer: Arc::new(Mutex::new(Some(writer))),
            complaint: None,
            opened: false,
            at_end,
        }
    }

    /// Reads one line into the buffer. Cancel-safe: what was taken from the reader is in the buffer.
    async fn read_line(&mut self) -> io::Result<Read> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                let last = !self.line.is_empty() && !self.dropping;
                return Ok(if last { Read::Line } else { Read::End });
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |at| at + 1);
            let was_dropping = self.dropping;
            self.dropping |= self.line.len() + taken > LINE_BYTES_MAX;
            if self.dropping {
                self.line = Vec::new();
            } else {
                self.line.extend(available.iter().take(taken));
            }
            self.reader.consume(taken);
            if end.is_some() {
                let dropped = std::mem::take(&mut self.dropping);
                if !was_dropping {
                    return Ok(if dropped { Read::TooLong } else { Read::Line });
                }
            } else if self.dropping && !was_dropping {
                return Ok(Read::TooLong);
            }
        }
    }

    fn take_line(&mut self) -> Heard {
        let heard = understand(&self.line);
        self.line.clear();
        if self.line.capacity() > BUFFER_BYTES_KEPT {
            self.line = Vec::new();
        }
        heard
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        write(Arc::clone(&self.writer), message)
    }

    /// Cancel-safe: an unfinished line stays in the buffer, an unfinished complaint goes on by itself.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if let Some(writing) = &mut self.complaint {
                // A client that no longer reads is about to close the connection.
                let _unheard = writing.await;
                self.complaint = None;
            }
            let heard = match self.read_line().await {
                Ok(Read::Line) => self.take_line(),
                Ok(Read::TooLong) => {
                    let text = format!("a message is longer than {LINE_BYTES_MAX} bytes");
                    Heard::Wrong(None, ErrorData::invalid_request(text, None))
                }
                Ok(Read::End) | Err(_) => {
                    self.at_end.cancel();
                    return None;
                }
            };
            match heard {
                Heard::Message(message) => {
                    self.opened |= opens(&message);
                    if self.opened || matches!(*message, JsonRpcMessage::Request(_)) {
                        return Some(*message);
                    }
                }
                Heard::Wrong(id, error) => {
                    let complaint = ServerJsonRpcMessage::error(error, id);
                    self.complaint = Some(tokio::spawn(write(Arc::clone(&self.writer), complaint)));
                }
                Heard::Noise => tracing::debug!("a line of the client is no message"),
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        drop(self.writer.lock().await.take());
        Ok(())
    }
}

/// Writes one message as a line. Not cancel-safe; whoever starts it lets it finish.
async fn write<W>(writer: Arc<Mutex<Option<W>>>, message: ServerJsonRpcMessage) -> io::Result<()>
where
    W: AsyncWrite + Send + Unpin,
{
    let line = line_of(&message)?;
    drop(message);
    let mut writer = writer.lock().await;
    let writer = writer.as_mut().ok_or(io::ErrorKind::NotConnected)?;
    writer.write_all(&line).await?;
    writer.flush().await
}

/// Returns a message as it is written: with what is JSON already in its place.
fn line_of(message: &ServerJsonRpcMessage) -> serde_json::Result<Vec<u8>> {
    let ready = Ready::of(message);
    let room = ready.as_ref().map_or(0, |ready| ready.text.len() * 5 / 2);
    let mut line = Vec::with_capacity(ENVELOPE_BYTES + room);
    serde_json::to_writer(&mut line, message)?;
    if let Some(Ready { before, instead_of, text }) = ready {
        // It stands near the end; inside of texts its quotes would be escaped.
        let place = [before, instead_of].concat();
        if let Some(at) = line.windows(place.len()).rposition(|part| part == place.as_bytes()) {
            let rest = line.split_off(at + place.len());
            line.truncate(at + before.len());
            line.extend_from_slice(text.as_bytes());
            line.extend_from_slice(&rest);
        }
    }
    line.push(b'\n');
    Ok(line)
}

/// Room for what a message needs beside its text, in bytes.
const ENVELOPE_BYTES: usize = 256;

/// A part of a message that is JSON already.
struct Ready<'a> {
    /// What stands before its place.
    before: &'static str,
    /// What stands there for it.
    instead_of: &'static str,
    text: Cow<'a, str>,
}

impl<'a> Ready<'a> {
    fn of(message: &'a ServerJsonRpcMessage) -> Option<Self> {
        let JsonRpcMessage::Response(response) = message else { return None };
        match &response.result {
            ServerResult::CallToolResult(result) if result.structured_content == Some(AS_TEXT) => {
                let text = Cow::Borrowed(result.content.first()?.as_text()?.text.as_str());
                Some(Self { before: "\"structuredContent\":", instead_of: "null", text })
            }
            ServerResult::ListToolsResult(list) => {
                let more = if list.tools.is_empty() { "" } else { "," };
                let text = Cow::Owned(listing::items() + more);
                Some(Self { before: "\"tools\":[", instead_of: "", text })
            }
            _ => None,
        }
    }
}

fn understand(line: &[u8]) -> Heard {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Heard::Noise;
    }
    if let Ok(message) = serde_json::from_slice(line) {
        return shaped(message);
    }
    let text = mend_surrogates(&String::from_utf8_lossy(line));
    let value = match serde_json::from_str::<Value>(&text) {
        Ok(value) => value,
        Err(error) => return unread(&text, &error),
    };
    if value.is_array() {
        let text = "messages come one by one: batches are not part of the protocol";
        return Heard::Wrong(None, ErrorData::invalid_request(text, None));
    }
    let method = value.get("method").cloned();
    let id = value.get("id").cloned();
    match (serde_json::from_value(value), method, id) {
        (Ok(message), ..) => shaped(message),
        // A request whose id can be read or not; all else wants no answer.
        (Err(_), Some(_), Some(id)) => {
            let text = "the message is not a JSON-RPC 2.0 request";
            Heard::Wrong(serde_json::from_value(id).ok(), ErrorData::invalid_request(text, None))
        }
        (Err(_), ..) => Heard::Noise,
    }
}

/// What tells a request from all else. The rest is passed over however deep it nests and however large its numbers are.
#[derive(Deserialize)]
struct Envelope {
    id: Option<Value>,
    method: Option<IgnoredAny>,
}

/// Says why a line cannot be read, to the request that it holds if it is JSON.
fn unread(line: &str, why: &serde_json::Error) -> Heard {
    if !line.starts_with(['{', '[']) {
        return Heard::Noise;
    }
    match serde_json::from_str(line) {
        Ok(Envelope { id: Some(id), method: Some(_) }) => {
            let text = format!("the message cannot be read: {why}");
            Heard::Wrong(serde_json::from_value(id).ok(), ErrorData::invalid_request(text, None))
        }
        Ok(_) => Heard::Noise,
        Err(_) => Heard::Wrong(None, ErrorData::parse_error(format!("a line is not JSON: {why}"), None)),
    }
}

/// Returns whether rmcp takes this for the opening: a hello, or a request that carries all that a hello would have said
/// in a version that is spoken. It answers every other request before that, and goes on waiting.
fn opens(message: &ClientJsonRpcMessage) -> bool {
    let JsonRpcMessage::Request(request) = message else { return false };
    match &request.request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        other => {
            let meta = other.get_meta();
            let version = meta.protocol_version();
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                && version.is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
        }
    }
}

/// Refuses a request that has a known method and not its parameters.
fn shaped(message: ClientJsonRpcMessage) -> Heard {
    let misshapen = match &message {
        JsonRpcMessage::Request(request) => match &request.request {
            // In 2026 there is no `initialize`: with the metadata of that year it is an unknown method indeed.
            ClientRequest::CustomRequest(it)
                if it.method == "initialize" && request.request.get_meta().protocol_version().is_some() =>
            {
                None
            }
            ClientRequest::CustomRequest(it) if SHAPED.contains(&it.method.as_str()) => {
                Some((request.id.clone(), format!("the parameters of `{}` are not of its shape", it.method)))
            }
            _ => None,
        },
        _ => None,
    };
    match misshapen {
        Some((id, text)) => Heard::Wrong(Some(id), ErrorData::invalid_params(text, None)),
        None => Heard::Message(Box::new(message)),
    }
}

#[cfg(test)]
mod tests;
