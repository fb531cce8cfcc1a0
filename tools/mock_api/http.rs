//! Just enough HTTP/1.1 for one client on loopback: requests with known or chunked bodies, keep-alive, streamed
//! answers.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longest request head, in bytes.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
/// Longest request body, in bytes: the real service refuses more than 32 MB.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One request.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// `GET`, `HEAD`, `POST`.
    pub(crate) method: String,
    /// Path without the query.
    pub(crate) path: String,
    /// Body, put together from its chunks.
    pub(crate) body: Vec<u8>,
    /// Whether the client wants to go on with this connection.
    pub(crate) keep_alive: bool,
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

/// What a request's head says of its body.
#[derive(Debug, Default)]
struct Framing {
    length: usize,
    chunked: bool,
    expects_continue: bool,
}

fn bad(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

impl Connection {
    /// Takes over `stream`.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(stream.try_clone()?), writer: stream })
    }

    /// Reads the next request; nothing when the client is done.
    pub(crate) fn read(&mut self) -> io::Result<Option<Request>> {
        let mut head = self.reader.by_ref().take(HEAD_BYTES_MAX);
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(bad("not a request line"));
        };
        let mut request = Request {
            method: method.to_owned(),
            path: target.split('?').next().unwrap_or_default().to_owned(),
            keep_alive: true,
            ..Request::default()
        };
        let mut framing = Framing::default();
        loop {
            line.clear();
            if head.read_line(&mut line)? == 0 {
                return Err(bad("the head is too long or cut off"));
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => framing.length = value.parse().map_err(|_| bad("not a length"))?,
                "transfer-encoding" => framing.chunked = value.eq_ignore_ascii_case("chunked"),
                "expect" => framing.expects_continue = value.eq_ignore_ascii_case("100-continue"),
                "connection" => request.keep_alive = !value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        if framing.expects_continue {
            self.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.body = if framing.chunked { self.read_chunks()? } else { self.read_exactly(framing.length)? };
        Ok(Some(request))
    }

    fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY_BYTES_MAX {
            return Err(bad("the body is too large"));
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(body)
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.by_ref().take(HEAD_BYTES_MAX).read_line(&mut line)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| bad("not the size of a chunk"))?;
            if body.len() + size > BODY_BYTES_MAX {
                return Err(bad("the body is too large"));
            }
            body.extend(self.read_exactly(size)?);
            if size > 0 {
                self.reader.read_line(&mut line)?;
                continue;
            }
            // Trailers, up to the empty line.
            loop {
                line.clear();
                if self.reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
                    return Ok(body);
                }
            }
        }
    }

    /// Waits for `limit`, or without one for ever. Returns early, with false, when the client leaves.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<bool> {
        // Whatever else the client sends while it waits for an answer would be a pipelined request: none does that,
        // so a readable connection means that it is gone.
        self.writer.set_read_timeout(limit)?;
        let left = match self.writer.peek(&mut [0]) {
            Ok(bytes) => bytes == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        self.writer.set_read_timeout(None)?;
        Ok(!left)
    }

    /// Answers with a body of known length; without the body when the request was a `HEAD`.
    pub(crate) fn answer(
        &mut self,
        request: &Request,
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
    ) -> io::Result<()> {
        self.write_head(request, status, ("content-length", &body.len().to_string()), headers)?;
        if request.method != "HEAD" {
            self.writer.write_all(body)?;
        }
        self.writer.flush()
    }

    /// Begins an answer whose length is not known; [`Connection::chunk`] goes on with it.
    pub(crate) fn begin(&mut self, request: &Request, headers: &[(String, String)]) -> io::Result<()> {
        self.write_head(request, 200, ("transfer-encoding", "chunked"), headers)
    }

    /// Sends a part of the answer; an empty one ends it.
    pub(crate) fn chunk(&mut self, part: &[u8]) -> io::Result<()> {
        let mut bytes = format!("{:x}\r\n", part.len()).into_bytes();
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
        self.writer.write_all(&bytes)
    }

    fn write_head(
        &mut self,
        request: &Request,
        status: u16,
        framing: (&str, &str),
        headers: &[(String, String)],
    ) -> io::Result<()> {
        let connection = if request.keep_alive { "keep-alive" } else { "close" };
        let mut head = format!("HTTP/1.1 {status} Mock\r\nconnection: {connection}\r\n");
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in headers.chain([framing]) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        self.writer.write_all(head.as_bytes())
    }
}
