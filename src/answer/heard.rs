//! What has been heard of a run so far: line by line, whatever their order, believing no field to be there.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::answer::denied::Denials;
use crate::answer::timeline::{Called, Timeline};
use crate::audit::redact::{one_line, unsplit};
use crate::model::changes::may_write;
use crate::model::{SessionId, Timestamp};

/// Something worth telling while a run goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// The session has started, or goes on under another name.
    Begun,
    /// Something happened.
    Progress(Progress),
    /// A tool has returned that may have changed files.
    Worked,
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// One bounded line for people. Secrets are still in it: whoever stores it or tells it takes them out.
    pub text: String,
    /// Messages of the model so far.
    pub turns: u32,
    /// US dollars spent so far; `claude` tells them only at the end.
    pub cost_usd: Option<f64>,
}

/// The account's limit, as `claude` was told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    /// Which limit, such as `five_hour`.
    pub(super) kind: Option<String>,
    /// When it is lifted.
    pub(super) resets: Option<Timestamp>,
}

/// Longest line of progress, in characters.
const PROGRESS_CHARS: usize = 160;

/// How much text before the last message is kept for the case that the run is stopped.
const EARLIER_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Most MCP servers that are named as not connected.
const SERVERS_MAX: usize = 20;

/// What has been heard of a run so far.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) session: Option<SessionId>,
    pub(super) init_model: Option<String>,
    pub(super) answer_model: Option<String>,
    /// MCP servers that did not connect, as `name (status)`.
    pub(super) servers_lacking: Vec<String>,
    /// The result line; the last answer counts, and without one the last error.
    pub(super) result: Option<Map<String, Value>>,
    pub(super) timeline: Timeline,
    pub(super) denials: Denials,
    /// What the last message that `claude` made up itself calls the error it reports.
    pub(super) api_error: Option<String>,
    pub(super) limit: Option<Limit>,
    pub(super) turns: u32,
    texts: VecDeque<(u32, String)>,
    texts_bytes: usize,
    message: String,
    cost_usd: Option<f64>,
}

impl Heard {
    /// Takes one line.
    pub(super) fn take(&mut self, line: Map<String, Value>, at_ms: u64, notes: &mut Vec<Note>) {
        self.take_session(&line, notes);
        match text_at(&line, "type") {
            Some("system") => self.system(&line, notes),
            Some("assistant") => self.assistant(line, at_ms, notes),
            Some("user") => self.user(&line, at_ms, notes),
            Some("rate_limit_event") => self.rate_limit(&line, notes),
            Some("result") => {
                self.denials.listed(&line);
                self.cost_usd = amount_at(&line, "total_cost_usd").or(self.cost_usd);
                // An answer stays one: an error that a signal brings after it takes nothing back.
                if self.result.as_ref().is_none_or(is_error) || !is_error(&line) {
                    self.result = Some(line);
                }
            }
            Some(_) | None => {}
        }
    }

    /// Returns what was said last, as far back as it is kept: all that a stopped run has to show.
    pub(super) fn said(&self) -> String {
        let texts: Vec<_> = self.texts.iter().map(|(_, text)| text.as_str()).collect();
        texts.join("\n\n")
    }

    /// Returns what the last message with words says: the answer, when the result line has none.
    pub(super) fn last_said(&self) -> String {
        let last = self.texts.back().map(|(message, _)| *message);
        let texts: Vec<_> = self
            .texts
            .iter()
            .filter(|(message, _)| Some(*message) == last)
            .map(|(_, text)| text.as_str())
            .collect();
        texts.join("\n\n")
    }

    fn take_session(&mut self, line: &Map<String, Value>, notes: &mut Vec<Note>) {
        // Anything but a UUID falls back on what was heard before.
        let session = text_at(line, "session_id").and_then(|id| id.parse::<SessionId>().ok());
        if let Some(session) = session.filter(|session| self.session.as_ref() != Some(session)) {
            self.session = Some(session);
            notes.push(Note::Begun);
        }
    }

    fn system(&mut self, line: &Map<String, Value>, notes: &mut Vec<Note>) {
        match text_at(line, "subtype") {
            Some("init") => {
                self.init_model = text_at(line, "model").map(|model| one_line(model, 100));
                let servers = line.get("mcp_servers").and_then(Value::as_array).into_iter().flatten();
                let lacking = servers.filter_map(|server| {
                    let server = server.as_object()?;
                    // One that is on its way is most often there before it is needed, and others are meant to be away.
                    let status = text_at(server, "status")
                        .filter(|status| ["failed", "needs-auth"].contains(status))?;
                    Some(one_line(&format!("{} ({status})", text_at(server, "name")?), 100))
                });
                self.servers_lacking = lacking.take(SERVERS_MAX).collect();
            }
            Some("api_retry") => {
                let number = |key| line.get(key).and_then(Value::as_u64);
                let error = number("error_status").map(|status| status.to_string());
                let error = error.as_deref().or_else(|| text_at(line, "error")).unwrap_or("no connection");
                let attempt = number("attempt").unwrap_or_default();
                let most = number("max_retries").unwrap_or_default();
                self.progress(&format!("retrying: {error} ({attempt}/{most})"), notes);
            }
            Some("permission_denied") => {
                self.denials.told(line);
                self.progress(
                    &format!("{} was denied", text_at(line, "tool_name").unwrap_or("a tool")),
                    notes,
                );
            }
            Some("model_fallback") => self.progress("going on with the fallback model", notes),
            Some(_) | None => {}
        }
    }

    fn assistant(&mut self, mut line: Map<String, Value>, at_ms: u64, notes: &mut Vec<Note>) {
        let Some(Value::Object(mut message)) = line.remove("message") else { return };
        // A message of a subagent: its tools count, its words are not the agent's.
        let inner = line.get("parent_tool_use_id").is_some_and(|id| !id.is_null());
        let parent = text_at(&line, "parent_tool_use_id");
        let model = text_at(&message, "model");
        let made_up = model == Some("<synthetic>");
        if made_up {
            self.api_error = text_at(&line, "error").map(str::to_owned);
        } else if !inner {
            self.api_error = None;
            self.answer_model = model.map(|model| one_line(model, 100)).or(self.answer_model.take());
            let id = text_at(&message, "id").unwrap_or_default();
            // One message comes in several lines, one for each block.
            if id.is_empty() || id != self.message {
                id.clone_into(&mut self.message);
                self.turns = self.turns.saturating_add(1);
            }
        }
        for block in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(block) = block.as_object_mut() else { continue };
            match text_at(block, "type") {
                Some("text") => {
                    self.progress(text_at(block, "text").unwrap_or_default(), notes);
                    if let Some(Value::String(text)) = block.remove("text")
                        && !made_up
                        && !inner
                    {
                        self.say(text);
                    }
                }
                Some("tool_use") => {
                    let name = text_at(block, "name").unwrap_or_default();
                    let (id, subject) =
                        (text_at(block, "id").unwrap_or_default(), subject(block.get("input")));
                    self.timeline.called(&Called { id, tool: name, subject, parent }, at_ms);
                    self.progress(&format!("{name} {subject}"), notes);
                }
                Some(_) | None => {}
            }
        }
    }

    fn user(&mut self, line: &Map<String, Value>, at_ms: u64, notes: &mut Vec<Note>) {
        let content =
            line.get("message").and_then(|message| message.get("content")).and_then(Value::as_array);
        for block in content.into_iter().flatten().filter_map(Value::as_object) {
            if text_at(block, "type") == Some("tool_result") {
                let failed = block.get("is_error").and_then(Value::as_bool).unwrap_or(false);
                let id = text_at(block, "tool_use_id").unwrap_or_default();
                let returned = self.timeline.returned(id, failed, at_ms);
                notes.extend(returned.filter(|tool| may_write(tool)).map(|_| Note::Worked));
            }
        }
    }

    fn rate_limit(&mut self, line: &Map<String, Value>, notes: &mut Vec<Note>) {
        let Some(info) = line.get("rate_limit_info").and_then(Value::as_object) else { return };
        let kind = text_at(info, "rateLimitType").map(|kind| one_line(kind, 40));
        let shown = kind.as_deref().unwrap_or("usage").replace('_', " ");
        match text_at(info, "status") {
            Some("rejected") => {
                let resets = info.get("resetsAt").and_then(Value::as_u64);
                let resets = resets.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
                self.limit = Some(Limit { kind, resets });
                self.progress(&format!("the account's {shown} limit is reached"), notes);
            }
            Some("allowed_warning") => {
                let used = amount_at(info, "utilization").map(|used| format!(": {:.0} %", used * 100.0));
                self.progress(
                    &format!("the account's {shown} limit is near{}", used.unwrap_or_default()),
                    notes,
                );
            }
            // It let the request through after all.
            Some("allowed") => self.limit = None,
            Some(_) | None => {}
        }
    }

    fn say(&mut self, text: String) {
        if text.trim().is_empty() {
            return;
        }
        self.texts_bytes += text.len();
        self.texts.push_back((self.turns, text));
        while self.texts_bytes > EARLIER_TEXT_BYTES_MAX {
            // The last message stays whole, whatever its size: it may be the answer.
            let Some((message, oldest)) = self.texts.front() else { break };
            if *message == self.turns {
                break;
            }
            self.texts_bytes -= oldest.len();
            self.texts.pop_front();
        }
    }

    fn progress(&self, text: &str, notes: &mut Vec<Note>) {
        let text = unsplit(text, PROGRESS_CHARS);
        if !text.is_empty() {
            notes.push(Note::Progress(Progress { text, turns: self.turns, cost_usd: self.cost_usd }));
        }
    }
}

/// Returns what a tool is called on: the first of its inputs that says so, else the first that is a text.
fn subject(input: Option<&Value>) -> &str {
    let keys = ["command", "file_path", "path", "pattern", "url", "query", "description", "prompt"];
    let Some(input) = input.and_then(Value::as_object) else { return "" };
    let telling = keys.iter().find_map(|key| text_at(input, key));
    telling.or_else(|| input.values().find_map(Value::as_str)).unwrap_or_default()
}

/// Tells an error from an answer: by the flag, and without one by the kind of result.
pub(super) fn is_error(result: &Map<String, Value>) -> bool {
    let flag = result.get("is_error").and_then(Value::as_bool);
    flag.unwrap_or_else(|| text_at(result, "subtype").is_some_and(|subtype| subtype.starts_with("error")))
}

/// Returns whether a result that is an error is one that a signal brings.
pub(super) fn is_aborted(result: &Map<String, Value>) -> bool {
    let terminal = text_at(result, "terminal_reason").unwrap_or_default();
    text_at(result, "subtype") == Some("error_during_execution") || terminal.starts_with("aborted")
}

/// Returns the text under `key`.
pub(super) fn text_at<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

/// Returns the number under `key`, if it is one that can be an amount.
pub(super) fn amount_at(map: &Map<String, Value>, key: &str) -> Option<f64> {
    map.get(key).and_then(Value::as_f64).filter(|amount| amount.is_finite() && *amount >= 0.0)
}

#[cfg(test)]
mod tests;
