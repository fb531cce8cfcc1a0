//! A client of one `serve`: JSON lines over its standard streams, and the time from a request to its answer.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::room::Room;

pub(crate) struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Client {
    /// Starts a server. Nothing is said yet.
    pub(crate) fn start(room: &Room) -> io::Result<Self> {
        let mut child =
            room.command(&room.program).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let streams = child.stdin.take().zip(child.stdout.take());
        let (input, output) = streams.ok_or_else(|| io::Error::other("no pipes"))?;
        Ok(Self { child, input, output: BufReader::new(output), last: 0 })
    }

    /// Starts a server and opens the conversation.
    pub(crate) fn open(room: &Room) -> io::Result<Self> {
        let mut client = Self::start(room)?;
        client.list_tools()?;
        Ok(client)
    }

    /// Opens the conversation as Claude Code does, up to the list of tools.
    pub(crate) fn list_tools(&mut self) -> io::Result<String> {
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"},
        });
        let id = self.ask("initialize", &hello)?;
        self.answer(id)?;
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string())?;
        let id = self.ask("tools/list", &json!({}))?;
        self.answer(id)
    }

    /// Calls a tool; returns how long its answer took, and the answer.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> io::Result<(Duration, String)> {
        let started = Instant::now();
        let id = self.begin(tool, arguments)?;
        let answer = self.answer(id)?;
        Ok((started.elapsed(), answer))
    }

    /// Calls a tool whose answer must contain `expected`.
    pub(crate) fn call_for(&mut self, tool: &str, arguments: &Value, expected: &str) -> io::Result<Duration> {
        let (took, answer) = self.call(tool, arguments)?;
        if answer.contains(expected) { Ok(took) } else { Err(io::Error::other(format!("{tool}: {answer}"))) }
    }

    /// Calls a tool and does not wait; returns the number of the call.
    pub(crate) fn begin(&mut self, tool: &str, arguments: &Value) -> io::Result<u64> {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Returns the answer to a call, passing over everything else.
    pub(crate) fn answer(&mut self, id: u64) -> io::Result<String> {
        let number = format!("\"id\":{id}");
        loop {
            let line = self.line()?;
            let is_answer = line.match_indices(&number).any(|(at, _)| {
                let next = line.get(at + number.len()..).and_then(|rest| rest.chars().next());
                !next.is_some_and(|next| next.is_ascii_digit())
            });
            if is_answer {
                return Ok(line);
            }
        }
    }

    /// Returns when so many calls are answered, in any order; each answer must contain `expected`.
    pub(crate) fn answers(&mut self, count: usize, expected: &str) -> io::Result<()> {
        let mut answered = 0;
        while answered < count {
            let line = self.line()?;
            if line.contains("\"id\":") {
                if !line.contains(expected) {
                    return Err(io::Error::other(line));
                }
                answered += 1;
            }
        }
        Ok(())
    }

    /// Returns the number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes the server's input and waits until it is gone.
    pub(crate) fn end(mut self) -> io::Result<()> {
        drop(self.input);
        self.child.wait().map(|_| ())
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> io::Result<u64> {
        self.last += 1;
        let id = self.last;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters});
        self.say(&request.to_string())?;
        Ok(id)
    }

    fn say(&mut self, message: &str) -> io::Result<()> {
        self.input.write_all(format!("{message}\n").as_bytes())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err(io::Error::other("the server ended")),
            _ => Ok(line),
        }
    }
}
