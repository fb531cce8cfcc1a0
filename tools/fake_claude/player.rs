//! Plays a script, step by step.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::arguments::{Arguments, Grandchild};
use crate::company;
use crate::script::{Script, Step};
use crate::voice::{self, Ending, LONE_SURROGATE, SharedVoice, Voice};

/// Nothing hangs longer than this, whatever goes wrong with the test that should end it.
const HANG_MAX: Duration = Duration::from_secs(600);
/// How often a file is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(crate) struct Player {
    voice: SharedVoice,
    arguments: Arguments,
    prompt: String,
    argv: Vec<String>,
    answer: Option<String>,
    /// A status line that no text has taken yet.
    status: Option<String>,
    structured: Option<Value>,
    with_result: bool,
    code: u8,
}

/// When a denial is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    AtOnce,
    InTheEnd,
}

/// Whether the script goes on.
enum Then {
    GoOn,
    End,
}

impl Player {
    pub(crate) fn new(voice: SharedVoice, arguments: Arguments, prompt: String, argv: Vec<String>) -> Self {
        Self {
            voice,
            arguments,
            prompt,
            argv,
            answer: None,
            status: None,
            structured: None,
            with_result: true,
            code: 0,
        }
    }

    /// Plays all of it and returns the exit code.
    pub(crate) fn play(mut self, script: &Script) -> Result<u8, String> {
        if !script.steps.iter().any(|step| matches!(step, Step::NoInit)) {
            self.say(Voice::init)?;
        }
        for (index, step) in script.steps.iter().enumerate() {
            // The status line belongs to the text before it.
            self.status = match script.steps.get(index + 1) {
                Some(Step::Status(status)) => Some(status.clone()),
                Some(_) | None => self.status.take(),
            };
            match self.step(step)? {
                Then::GoOn => {}
                Then::End => break,
            }
        }
        self.finish()?;
        company::leave();
        Ok(self.code)
    }

    fn step(&mut self, step: &Step) -> Result<Then, String> {
        match step {
            Step::Say(text) => self.answer(text.clone())?,
            Step::EchoStdin => self.answer(self.prompt.clone())?,
            Step::Flood(bytes) => self.answer(flood(*bytes))?,
            Step::LoneSurrogate => self.answer(format!("half a pair: {LONE_SURROGATE} and on"))?,
            Step::SplitUtf8 => {
                let text = self.with_status("Grüße: ✓ 👍".to_owned());
                self.say(|voice| voice.text_in_halves(&text))?;
                self.answer = Some(text);
            }
            // The text before it has taken it, as a rule; else the next one does.
            Step::Status(status) => {
                let line = format!("STATUS: {status}");
                let taken = self.answer.as_ref().is_some_and(|answer| answer.ends_with(&line));
                self.status = (!taken).then(|| status.clone());
            }
            Step::Structured(value) => self.structure(value.clone())?,
            Step::Tool { name, input } => {
                let output = format!("{name} done");
                self.tool(name, input, |voice, id, _| voice.tool_result(id, &output, false))?;
            }
            Step::Deny(name) => self.deny(name, Telling::InTheEnd)?,
            Step::DenyAloud(name) => self.deny(name, Telling::AtOnce)?,
            Step::Lines(count) => self.say(|voice| voice.lines(*count))?,
            Step::HugeLine(bytes) => {
                let content = flood(*bytes);
                self.tool("Read", "", |voice, id, _| voice.tool_result(id, &content, false))?;
            }
            Step::Garbage => self.say(garbage)?,
            Step::Result => self.result()?,
            Step::HangAfterResult => {
                self.result()?;
                thread::sleep(HANG_MAX);
            }
            Step::NoResult => self.with_result = false,
            Step::NoInit | Step::IgnoreSignals | Step::IgnoreInterrupt => {}
            Step::Exit(code) => {
                self.code = *code;
                return Ok(Then::End);
            }
            Step::BudgetStop => return self.stop_at_budget(),
            Step::Error { status, text } => {
                let text =
                    status.map_or_else(|| text.clone(), |status| format!("API Error: {status} {text}"));
                return self.api_error(*status, &text, "server_error");
            }
            Step::RateLimit(resets_at) => {
                self.say(|voice| voice.rate_limit(*resets_at))?;
                let text = format!("You've hit your limit · resets at {resets_at}");
                return self.api_error(Some(429), &text, "rate_limit");
            }
            Step::AuthError => {
                let text = "Failed to authenticate. API Error: 401 invalid x-api-key";
                return self.api_error(Some(401), text, "authentication_failed");
            }
            Step::Cost(_)
            | Step::Turns(_)
            | Step::Delay(_)
            | Step::Wait(_)
            | Step::Touch(_)
            | Step::Stamp(_)
            | Step::Hang
            | Step::GrandchildHoldsFiles(_)
            | Step::SetsidGrandchild(_)
            | Step::Stderr(_)
            | Step::StderrFlood(_)
            | Step::Report(_)
            | Step::Count(_)
            | Step::CountStarts(_) => {
                self.act(step).map_err(|error| format!("fake-claude: {error}"))?;
            }
        }
        Ok(Then::GoOn)
    }

    /// Does what does not show on standard output.
    fn act(&self, step: &Step) -> io::Result<()> {
        match step {
            Step::Delay(time) => thread::sleep(*time),
            Step::Hang => thread::sleep(HANG_MAX),
            Step::Wait(file) => {
                while !file.exists() {
                    thread::sleep(LOOK_EVERY);
                }
            }
            Step::Touch(file) => company::write_whole(file, b"")?,
            Step::Stamp(file) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                company::write_whole(file, now.as_nanos().to_string().as_bytes())?;
            }
            Step::GrandchildHoldsFiles(file) => {
                company::leave_behind(&Grandchild::HoldsFiles, file.as_deref())?;
            }
            Step::SetsidGrandchild(file) => {
                company::leave_behind(&Grandchild::OwnSession, file.as_deref())?;
            }
            Step::Stderr(text) => writeln!(io::stderr(), "{text}")?,
            Step::StderrFlood(bytes) => io::stderr().write_all(flood(*bytes).as_bytes())?,
            Step::Report(file) => self.report(file)?,
            Step::Count(folder) => company::count(folder)?,
            Step::CountStarts(file) => {
                let mut file = OpenOptions::new().create(true).append(true).open(file)?;
                writeln!(file, "{}", std::process::id())?;
            }
            Step::Cost(cost) => self.change(|voice| voice.cost = *cost),
            Step::Turns(turns) => self.change(|voice| voice.turns = *turns),
            _ => {}
        }
        Ok(())
    }

    fn say(&self, say: impl FnOnce(&mut Voice) -> io::Result<()>) -> Result<(), String> {
        voice::speak(&self.voice, say)
    }

    fn change(&self, change: impl FnOnce(&mut Voice)) {
        if let Ok(mut voice) = self.voice.lock() {
            change(&mut voice);
        }
    }

    fn answer(&mut self, text: String) -> Result<(), String> {
        let text = self.with_status(text);
        self.say(|voice| voice.text(&text))?;
        self.answer = Some(text);
        Ok(())
    }

    fn with_status(&mut self, mut text: String) -> String {
        if let Some(status) = self.status.take() {
            text.push_str("\n\nSTATUS: ");
            text.push_str(&status);
        }
        text
    }

    fn tool(
        &mut self,
        name: &str,
        input: &str,
        then: impl FnOnce(&mut Voice, &str, &Value) -> io::Result<()>,
    ) -> Result<(), String> {
        let input = serde_json::from_str(input)
            .ok()
            .filter(Value::is_object)
            .unwrap_or_else(|| json!({"command": input}));
        // The real one's answer is only what comes after the last call.
        self.answer = None;
        self.say(|voice| {
            let id = voice.tool_use(name, &input)?;
            then(voice, &id, &input)
        })
    }

    fn deny(&mut self, name: &str, telling: Telling) -> Result<(), String> {
        self.tool(name, "", |voice, id, input| {
            if telling == Telling::AtOnce {
                voice.permission_denied(name, id)?;
            }
            voice.tool_result(id, &format!("{name} was blocked: permission is not granted"), true)?;
            voice.denials.push(json!({"tool_name": name, "tool_use_id": id, "tool_input": input}));
            Ok(())
        })
    }

    fn structure(&mut self, value: Value) -> Result<(), String> {
        let input = value.to_string();
        let said = "Structured output provided successfully";
        self.tool("StructuredOutput", &input, |voice, id, _| voice.tool_result(id, said, false))?;
        self.answer = Some(input);
        self.structured = Some(value);
        Ok(())
    }

    fn api_error(&mut self, status: Option<u16>, text: &str, error: &str) -> Result<Then, String> {
        self.say(|voice| {
            voice.synthetic(text, error)?;
            voice.result(&Ending::api_error(status, text))
        })?;
        self.code = 1;
        Ok(Then::End)
    }

    fn stop_at_budget(&mut self) -> Result<Then, String> {
        let cap = self.arguments.budget.unwrap_or(0.001);
        let text = format!("Reached maximum budget (${cap})");
        self.say(|voice| {
            voice.cost = voice.cost.max(cap);
            voice.result(&Ending::failed("error_max_budget_usd", &text))
        })?;
        self.code = 1;
        Ok(Then::End)
    }

    /// Says the result line, after an answer if none has been given.
    fn result(&mut self) -> Result<(), String> {
        if self.answer.is_none() {
            if let Some(schema) = self.arguments.schema.take() {
                self.structure(fitting(&schema))?;
            } else {
                let text = self.answer_unasked();
                self.answer(text)?;
            }
        }
        let answer = self.answer.as_deref().unwrap_or_default();
        self.say(|voice| voice.result(&Ending::answer(answer, self.structured.as_ref())))
    }

    fn finish(&mut self) -> Result<(), String> {
        if !self.with_result || self.voice.lock().is_ok_and(|voice| voice.has_finished()) {
            return Ok(());
        }
        let cost = self.voice.lock().map_or(0.0, |voice| voice.cost);
        if self.arguments.budget.is_some_and(|cap| cost > cap) {
            // What was said has been said; the result line holds no answer.
            return self.stop_at_budget().map(|_| ());
        }
        self.result()
    }

    /// Returns an answer to the task, whatever it is.
    fn answer_unasked(&mut self) -> String {
        let task = ["## Task", "Task:"]
            .iter()
            .find_map(|heading| self.prompt.rsplit_once(heading).map(|(_, task)| task))
            .unwrap_or(&self.prompt);
        let lines: Vec<&str> = task.lines().filter(|line| !line.trim_start().starts_with("fake:")).collect();
        let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).take(12).collect();
        let text = format!("fake answer to: {}", words.join(" "));
        if self.prompt.contains("## Response format") {
            return json!({"answer": text}).to_string();
        }
        self.status.get_or_insert_with(|| "done".to_owned());
        text
    }

    fn report(&self, file: &Path) -> io::Result<()> {
        let environment: serde_json::Map<String, Value> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), json!(value.to_string_lossy())))
            .collect();
        let report = json!({
            "argv": self.argv, "env": environment, "stdin": self.prompt, "cwd": std::env::current_dir()?,
            "pid": std::process::id(),
        });
        company::write_whole(file, report.to_string().as_bytes())
    }
}

fn garbage(voice: &mut Voice) -> io::Result<()> {
    let lines: [&[u8]; 8] = [
        b"this is not JSON",
        b"\0\0\0",
        b"\xff\xfe\xfd",
        b"",
        b"{\"type\":",
        b"[1, 2, 3]",
        b"{\"type\":42}",
        b"{\"type\":\"something_new\",\"value\":null}",
    ];
    lines.iter().try_for_each(|line| {
        voice.raw(line)?;
        voice.raw(b"\n")
    })
}

/// Returns a text of that size in which a missing or doubled part would show: numbered blocks of 64 bytes.
fn flood(bytes: usize) -> String {
    use std::fmt::Write as _;

    let filling = "-".repeat(56);
    let mut text = String::with_capacity(bytes + 64);
    let mut count = 0_u64;
    while text.len() < bytes {
        // Writing to a String does not fail.
        _ = write!(text, "{count:08x}{filling}").is_ok();
        count += 1;
    }
    text.truncate(bytes);
    text
}

/// Returns a small value that fits a schema of the plain kind.
fn fitting(schema: &Value) -> Value {
    let first_of = |key: &str| schema.get(key).and_then(Value::as_array).and_then(|list| list.first());
    if let Some(value) = schema.get("const").or_else(|| first_of("enum")) {
        return value.clone();
    }
    if let Some(choice) = first_of("anyOf").or_else(|| first_of("oneOf")) {
        return fitting(choice);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(kind) => kind.as_str(),
        None => schema.get("properties").map(|_| "object"),
    };
    match kind {
        Some("object") => {
            let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            Value::Object(properties.iter().map(|(name, schema)| (name.clone(), fitting(schema))).collect())
        }
        Some("array") => match schema.get("minItems").and_then(Value::as_u64) {
            None | Some(0) => json!([]),
            Some(_) => json!([fitting(schema.get("items").unwrap_or(&Value::Null))]),
        },
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => json!("fake"),
    }
}
