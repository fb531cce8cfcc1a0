//! What is said on standard output: the lines of `stream-json`, in the shapes of the real one (2.1.197).

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::arguments::Arguments;

/// Stands for half a surrogate pair, which no Rust text can hold, until the line is written.
pub(crate) const LONE_SURROGATE: &str = "\u{E000}";

/// Stands for the text of a line until it is written, so that a text of megabytes is not copied into the line first.
const TEXT: &str = "\u{E001}";

/// A voice that the signal thread shares.
pub(crate) type SharedVoice = Arc<Mutex<Voice>>;

/// Speaks while nobody else does, and sees to it that it is heard at once.
pub(crate) fn speak(
    voice: &SharedVoice,
    say: impl FnOnce(&mut Voice) -> io::Result<()>,
) -> Result<(), String> {
    let mut voice = voice.lock().map_err(|error| error.to_string())?;
    say(&mut voice).and_then(|()| voice.out.flush()).map_err(|error| format!("fake-claude: stdout: {error}"))
}

pub(crate) struct Voice {
    out: BufWriter<File>,
    started: Instant,
    session: String,
    model: String,
    permission_mode: String,
    tools: Vec<String>,
    directory: PathBuf,
    lines: u64,
    finished: bool,
    pub(crate) denials: Vec<Value>,
    pub(crate) cost: f64,
    pub(crate) turns: u32,
}

/// What the result line says.
pub(crate) struct Ending<'a> {
    subtype: &'a str,
    is_error: bool,
    text: &'a str,
    status: Option<u16>,
    reason: Option<&'a str>,
    free: bool,
    structured: Option<&'a Value>,
}

impl<'a> Ending<'a> {
    pub(crate) const fn answer(text: &'a str, structured: Option<&'a Value>) -> Self {
        let reason = Some("completed");
        Self { subtype: "success", is_error: false, text, status: None, reason, free: false, structured }
    }

    pub(crate) const fn api_error(status: Option<u16>, text: &'a str) -> Self {
        Self { is_error: true, status, free: true, ..Self::answer(text, None) }
    }

    /// An envelope of its own kind, without an answer.
    pub(crate) const fn failed(subtype: &'a str, text: &'a str) -> Self {
        Self { subtype, is_error: true, text, status: None, reason: None, free: false, structured: None }
    }

    pub(crate) const fn because(mut self, reason: &'a str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// One that cost nothing.
    pub(crate) const fn free(mut self) -> Self {
        self.free = true;
        self
    }
}

impl Voice {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, String> {
        let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
        let session = arguments.conversation().map(str::to_owned);
        let tools = ["Bash", "Edit", "Glob", "Grep", "Read", "Task", "WebFetch", "Write"];
        let tools = || tools.map(str::to_owned).to_vec();
        Ok(Self {
            out: BufWriter::with_capacity(64 * 1024, File::from(stdout)),
            started: Instant::now(),
            session: session.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            model: model(arguments.model.as_deref()).to_owned(),
            permission_mode: arguments.permission_mode.clone().unwrap_or_else(|| "default".to_owned()),
            tools: arguments.tools.clone().unwrap_or_else(tools),
            directory: std::env::current_dir().unwrap_or_default(),
            lines: 0,
            finished: false,
            denials: Vec::new(),
            cost: 0.01,
            turns: 1,
        })
    }

    pub(crate) fn shared(self) -> SharedVoice {
        Arc::new(Mutex::new(self))
    }

    pub(crate) fn init(&mut self) -> io::Result<()> {
        let line = json!({
            "type": "system", "subtype": "init", "cwd": self.directory, "session_id": self.session, "tools": self.tools,
            "mcp_servers": [], "model": self.model, "permissionMode": self.permission_mode, "slash_commands": [],
            "apiKeySource": "none", "claude_code_version": "2.1.197", "output_style": "default", "agents": [],
            "skills": [], "plugins": [], "uuid": self.uuid(),
        });
        self.line(&line)
    }

    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        let line = self.assistant(&json!({"type": "text", "text": TEXT}));
        self.line_of(&line, text)
    }

    /// Says that many texts, fast: lines that differ in their text only.
    pub(crate) fn lines(&mut self, count: usize) -> io::Result<()> {
        let line = self.assistant(&json!({"type": "text", "text": TEXT})).to_string();
        let (head, tail) = line.split_once(TEXT).unwrap_or_default();
        (1..=count).try_for_each(|number| writeln!(self.out, "{head}line {number} of {count}{tail}"))
    }

    /// Says a text in two halves, the cut inside its first character that is not ASCII.
    pub(crate) fn text_in_halves(&mut self, text: &str) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(&self.assistant(&json!({"type": "text", "text": text})))?;
        bytes.push(b'\n');
        let cut = bytes.iter().position(|byte| !byte.is_ascii()).map_or(0, |first| first + 1);
        let (head, tail) = bytes.split_at(cut);
        self.out.write_all(head)?;
        self.out.flush()?;
        // Long enough for a reader to see the half.
        std::thread::sleep(Duration::from_millis(20));
        self.out.write_all(tail)
    }

    /// Says that a tool is called, and returns the id of the call.
    pub(crate) fn tool_use(&mut self, name: &str, input: &Value) -> io::Result<String> {
        let id = format!("toolu_fake_{:04}", self.lines);
        let line = self.assistant(&json!({"type": "tool_use", "id": id, "name": name, "input": input}));
        self.line(&line)?;
        self.turns += 1;
        Ok(id)
    }

    pub(crate) fn tool_result(&mut self, id: &str, content: &str, is_error: bool) -> io::Result<()> {
        let line = json!({
            "type": "user",
            "message": {"role": "user", "content": [
                {"tool_use_id": id, "type": "tool_result", "content": content, "is_error": is_error},
            ]},
            "parent_tool_use_id": null, "session_id": self.session, "uuid": self.uuid(),
        });
        self.line(&line)
    }

    pub(crate) fn permission_denied(&mut self, name: &str, id: &str) -> io::Result<()> {
        let line = json!({
            "type": "system", "subtype": "permission_denied", "tool_name": name, "tool_use_id": id,
            "decision_reason_type": "mode", "message": format!("{name} was blocked: permission is not granted"),
            "session_id": self.session, "uuid": self.uuid(),
        });
        self.line(&line)
    }

    pub(crate) fn rate_limit(&mut self, resets_at: u64) -> io::Result<()> {
        let line = json!({
            "type": "rate_limit_event",
            "rate_limit_info": {
                "status": "rejected", "resetsAt": resets_at, "rateLimitType": "five_hour",
                "overageStatus": "rejected", "isUsingOverage": false,
            },
            "uuid": self.uuid(), "session_id": self.session,
        });
        self.line(&line)
    }

    /// Says what the API refused, as the real one does before its result line.
    pub(crate) fn synthetic(&mut self, text: &str, error: &str) -> io::Result<()> {
        let line = json!({
            "type": "assistant",
            "message": {
                "id": self.uuid(), "model": "<synthetic>", "role": "assistant", "stop_reason": "stop_sequence",
                "type": "message", "usage": {"input_tokens": 0, "output_tokens": 0},
                "content": [{"type": "text", "text": text}],
            },
            "parent_tool_use_id": null, "session_id": self.session, "uuid": self.uuid(), "error": error,
        });
        self.line(&line)
    }

    /// Says the result line, unless it has been said.
    pub(crate) fn result(&mut self, ending: &Ending<'_>) -> io::Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        let plain = ending.subtype == "success";
        let paid = !ending.free;
        let tokens = if plain && paid { (1000, 200) } else { (0, 0) };
        let cost = if paid { self.cost } else { 0.0 };
        let model_usage = if paid {
            json!({ &self.model: {
                "inputTokens": 1000, "outputTokens": 200, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0,
                "webSearchRequests": 0, "costUSD": cost, "contextWindow": 1_000_000, "maxOutputTokens": 64000,
            }})
        } else {
            json!({})
        };
        let mut line = json!({
            "type": "result", "subtype": ending.subtype, "is_error": ending.is_error,
            "duration_ms": u64::try_from(self.started.elapsed().as_millis()).unwrap_or(0), "duration_api_ms": 0,
            "num_turns": if paid || plain { self.turns } else { 0 },
            "stop_reason": if ending.is_error { "stop_sequence" } else { "end_turn" },
            "session_id": self.session, "total_cost_usd": cost,
            "usage": {
                "input_tokens": tokens.0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                "output_tokens": tokens.1, "service_tier": "standard",
            },
            "modelUsage": model_usage, "permission_denials": self.denials, "fast_mode_state": "off",
            "uuid": self.uuid(),
        });
        let more = [
            ("api_error_status", plain.then(|| json!(ending.status))),
            ("result", plain.then(|| json!(TEXT))),
            ("errors", (!plain).then(|| json!([ending.text]))),
            ("terminal_reason", ending.reason.map(Value::from)),
            ("structured_output", ending.structured.cloned()),
        ];
        if let Some(fields) = line.as_object_mut() {
            fields.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        self.line_of(&line, ending.text)
    }

    /// Returns whether the result line has been said.
    pub(crate) const fn has_finished(&self) -> bool {
        self.finished
    }

    /// Writes bytes that are no line of the protocol.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    fn assistant(&mut self, content: &Value) -> Value {
        json!({
            "type": "assistant",
            "message": {
                "id": format!("msg_fake_{:04}", self.lines), "type": "message", "role": "assistant",
                "model": self.model.trim_end_matches("[1m]"), "content": [content], "stop_reason": null,
                "stop_sequence": null,
                "usage": {
                    "input_tokens": 1000, "output_tokens": 1, "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                },
                "context_management": null,
            },
            "parent_tool_use_id": null, "session_id": self.session, "uuid": self.uuid(),
            "request_id": format!("req_fake_{:04}", self.lines),
        })
    }

    fn line(&mut self, line: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        writeln!(self.out)
    }

    /// Writes a line with this text in the place of [`TEXT`], if there is one.
    fn line_of(&mut self, line: &Value, text: &str) -> io::Result<()> {
        let line = line.to_string();
        let Some((head, tail)) = line.split_once(&format!("\"{TEXT}\"")) else {
            return writeln!(self.out, "{line}");
        };
        self.out.write_all(head.as_bytes())?;
        if text.contains(LONE_SURROGATE) {
            let text = serde_json::to_string(text)?.replace(LONE_SURROGATE, "\\ud83d");
            self.out.write_all(text.as_bytes())?;
        } else {
            serde_json::to_writer(&mut self.out, text)?;
        }
        writeln!(self.out, "{tail}")
    }

    /// Returns an id that is new in this run; it need not be unique in the world.
    fn uuid(&mut self) -> String {
        self.lines += 1;
        format!("fa4ec1a0-de00-4000-8000-{:012x}", self.lines)
    }
}

fn model(asked: Option<&str>) -> &str {
    match asked {
        None | Some("opus") => "claude-opus-4-8[1m]",
        Some("sonnet") => "claude-sonnet-5",
        Some("haiku") => "claude-haiku-4-5-20251001",
        Some(other) => other,
    }
}
