//! Why a run failed, what to do about it, and whether trying again can help.
//!
//! Structured fields decide before any text does; text is looked at last, only where `claude` itself wrote it, and only by
//! how it begins, so that an answer which merely mentions a limit is never taken for one.

use serde_json::{Map, Value};

use crate::answer::heard::{Limit, amount_at, is_aborted, text_at};
use crate::answer::overrun::{self, Overrun};
use crate::audit::redact::{one_line, unsplit, unsplit_end};
use crate::budget::usd;
use crate::model::{Ending, Exit, FailureClass, Retry, SessionId, StopReason, Timestamp};

/// What is known of a run that failed.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) agent: &'a str,
    pub(super) session: Option<&'a SessionId>,
    pub(super) timeout_ms: u64,
    pub(super) budget: Option<f64>,
    pub(super) now: Timestamp,
    pub(super) ending: &'a Ending,
    pub(super) api_error: Option<&'a str>,
    pub(super) limit: Option<&'a Limit>,
    pub(super) denied: &'a [String],
    /// Whether there is something to show although it failed.
    pub(super) text_kept: bool,
}

/// What is to be told of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) class: FailureClass,
    pub(super) error: String,
    pub(super) hint: String,
    pub(super) retry: Retry,
}

/// Longest error text, in characters.
const ERROR_CHARS: usize = 500;

/// How long an overloaded or rate-limited service is left alone when it does not say for how long, in milliseconds.
const OVERLOADED_MS: u64 = 30_000;
const RATE_LIMITED_MS: u64 = 60_000;

impl Facts<'_> {
    /// Judges a result line that reports an error.
    pub(super) fn reported(&self, result: &Map<String, Value>) -> Verdict {
        let subtype = text_at(result, "subtype").unwrap_or_default();
        let terminal = text_at(result, "terminal_reason").unwrap_or_default();
        let said = reported_text(result);
        if subtype == "error_max_budget_usd" || terminal == "budget_exhausted" {
            return self.over_budget(result);
        }
        // Our own signal makes `claude` report an error: why it was sent is the reason, not what it looked like inside.
        if let Some(stopped) = self.ending.stopped.as_ref().filter(|_| is_aborted(result)) {
            return self.stopped(stopped);
        }
        let status = result.get("api_error_status").and_then(Value::as_u64);
        let by_status = status.and_then(class_of_status);
        let by_error = self.api_error.and_then(class_of_api_error);
        if let Some(class) = by_status.or(by_error).or_else(|| class_of_text(&said)) {
            return self.service(class, status, &said);
        }
        if self.limit.is_some() {
            return self.service(FailureClass::UsageLimit, status, &said);
        }
        if !self.denied.is_empty() {
            let error = format!("stopped because tools were denied: {}", self.denied.join(", "));
            return verdict(FailureClass::Permission, error, self.grant(), Retry::Never);
        }
        self.other(subtype, terminal, result, said)
    }

    /// Judges a run that ended without a result line.
    pub(super) fn unreported(&self) -> Verdict {
        if let Some(stopped) = &self.ending.stopped {
            return self.stopped(stopped);
        }
        let stderr = self.stderr();
        if let Some(verdict) = self.by_stderr(&stderr) {
            return verdict;
        }
        let told = if stderr.is_empty() { String::new() } else { format!(": {stderr}") };
        match self.ending.exit {
            Some(Exit::Code(code)) => {
                let error = format!("claude ended with exit code {code} and without a result{told}");
                let hint = self.or_go_on(&self.try_it());
                // What fails before a word is said fails the same way again: a bad option, a broken installation.
                let retry = if self.session.is_some() { Retry::Now } else { Retry::Never };
                verdict(FailureClass::CliError, error, hint, retry)
            }
            Some(Exit::Signal(signal)) => {
                let error = format!("claude was ended by signal {signal} and left no result{told}");
                let hint = match signal {
                    9 => {
                        "most often that is the kernel, short of memory: run fewer at once (`max_concurrency`)"
                    }
                    _ => "dispatch it again",
                };
                verdict(FailureClass::CliError, error, self.or_go_on(hint), Retry::Now)
            }
            None => {
                let error =
                    format!("the process that watched over the run died before the run had a result{told}");
                verdict(FailureClass::Interrupted, error, self.or_go_on("dispatch it again"), Retry::Now)
            }
        }
    }

    /// Returns how to go on with the conversation, if there is one that can be gone on with.
    pub(super) fn resume(&self) -> Option<String> {
        self.session.map(|session| overrun::resume(self.agent, session))
    }

    /// Returns how to grant what was denied.
    pub(super) fn grant(&self) -> String {
        let (agent, denied) = (self.agent, self.denied.join(","));
        format!(
            "if the agent may use them, add them to its allowed tools (`agent-dispatch update {agent} \
             --allowed-tools \"{denied}\"` sets the whole list) or give it a wider --permission-mode"
        )
    }

    /// Returns a remedy, and how to keep what was done so far.
    fn or_go_on(&self, remedy: &str) -> String {
        overrun::or_go_on(remedy, self.agent, self.session)
    }

    const fn kept(&self) -> &'static str {
        overrun::kept(self.text_kept)
    }

    fn stopped(&self, reason: &StopReason) -> Verdict {
        let kept = self.kept();
        match reason {
            StopReason::TimedOut => {
                let seconds = self.timeout_ms / 1000;
                let error = format!("stopped after {seconds} s, the time it had");
                let (agent, session, text_kept) = (self.agent, self.session, self.text_kept);
                let hint = Overrun { agent, session, seconds, text_kept }.hint(None);
                verdict(FailureClass::Timeout, error, hint, Retry::Never)
            }
            StopReason::Stalled => {
                let seconds = self.ending.elapsed_ms / 1000;
                let error = format!("stopped after {seconds} s because it had fallen silent");
                let hint = format!(
                    "{kept}dispatch it again (`stall_seconds` in the settings says how long a silence is allowed)"
                );
                verdict(FailureClass::Stalled, error, self.or_go_on(&hint), Retry::Now)
            }
            StopReason::Cancelled(by) => {
                let error = match one_line(by, 200) {
                    by if by.is_empty() => "cancelled".to_owned(),
                    by => format!("cancelled: {by}"),
                };
                let hint = self.or_go_on(&format!("{kept}dispatch it again if it is still wanted"));
                verdict(FailureClass::Cancelled, error, hint, Retry::Never)
            }
        }
    }

    fn over_budget(&self, result: &Map<String, Value>) -> Verdict {
        let (agent, kept) = (self.agent, self.kept());
        let cap = self.budget.map(|cap| format!(" of {}", usd(cap))).unwrap_or_default();
        let spent = amount_at(result, "total_cost_usd").map(|cost| format!(" after {}", usd(cost)));
        let error = format!("stopped{} because its budget{cap} was used up", spent.unwrap_or_default());
        let hint = self.or_go_on(&format!(
            "{kept}raise the cap with `agent-dispatch update {agent} --max-budget USD`, take a cheaper --model, or split \
             the task"
        ));
        verdict(FailureClass::Budget, error, hint, Retry::Never)
    }

    /// Says what the service behind `claude` refused.
    fn service(&self, class: FailureClass, status: Option<u64>, said: &str) -> Verdict {
        let error = match said {
            "" => format!("the service reported an error ({class})"),
            said => said.to_owned(),
        };
        let after = |millis| Retry::After(self.now.plus_millis(millis));
        let no_credit =
            said.starts_with(NO_CREDIT) || self.api_error == Some("billing_error") || status == Some(402);
        let (hint, retry) = match class {
            FailureClass::UsageLimit if no_credit => (
                "do not retry: the account has no credit left, so every agent fails the same way; top it up".to_owned(),
                Retry::Never,
            ),
            FailureClass::UsageLimit => match self.limit.and_then(|limit| limit.resets) {
                Some(resets) if resets > self.now => (
                    format!("the limit is the account's, so other agents fail too; it is lifted at {resets}"),
                    Retry::After(resets),
                ),
                Some(_) | None => (
                    "the limit is the account's, so other agents may fail too; wait, or run fewer at once \
                     (`max_concurrency` in the settings)"
                        .to_owned(),
                    after(RATE_LIMITED_MS),
                ),
            },
            FailureClass::Auth => (
                "do not retry: log in by running `claude` and typing /login, or correct the key in the environment; \
                 `claude auth status` shows what it uses"
                    .to_owned(),
                Retry::Never,
            ),
            FailureClass::Overloaded => (
                self.or_go_on("the service could not answer, which is most often temporary: try again a little later"),
                after(OVERLOADED_MS),
            ),
            FailureClass::NotFound => (
                format!("set another model with `agent-dispatch update {} --model MODEL`", self.agent),
                Retry::Never,
            ),
            _ if status == Some(413) => (
                "make the task or its files smaller, or name files instead of pasting them".to_owned(),
                Retry::Never,
            ),
            _ => (REFUSED.to_owned(), Retry::Never),
        };
        verdict(class, error, hint, retry)
    }

    /// Says what is left: errors of `claude` itself.
    fn other(&self, subtype: &str, terminal: &str, result: &Map<String, Value>, said: String) -> Verdict {
        let refused = result.get("api_error_status").is_some_and(Value::is_u64);
        let interrupted = is_aborted(result);
        let hint = match (subtype, terminal, text_at(result, "stop_reason")) {
            _ if said.starts_with(NO_CONVERSATION) => {
                return verdict(FailureClass::NotFound, said, self.no_conversation(), Retry::Never);
            }
            ("error_max_turns", _, _) | (_, "max_turns", _) => {
                self.or_go_on("its turns were used up: split the task")
            }
            ("error_max_structured_output_retries", _, _) => {
                "the agent could not satisfy the JSON Schema: simplify it, or say in the task what each field holds"
                    .to_owned()
            }
            (_, "prompt_too_long", _) => {
                "the conversation no longer fits the model: start a new one, with less context and with files named \
                 instead of pasted"
                    .to_owned()
            }
            (_, _, Some("refusal")) => {
                "the model declined the request: word the task differently in a new conversation, or use another model"
                    .to_owned()
            }
            _ if interrupted => {
                self.or_go_on("it was interrupted from outside or failed inside: dispatch it again")
            }
            _ if refused => REFUSED.to_owned(),
            _ => self.or_go_on(&self.try_it()),
        };
        let error = match (said.as_str(), subtype) {
            ("", "") => "claude reported an error without details".to_owned(),
            ("", subtype) => {
                format!("claude reported an error without details ({})", one_line(subtype, 60))
            }
            _ => said,
        };
        let retry = if interrupted { Retry::Now } else { Retry::Never };
        verdict(FailureClass::CliError, error, hint, retry)
    }

    fn by_stderr(&self, stderr: &str) -> Option<Verdict> {
        let told = |class, hint: String| Some(verdict(class, stderr.to_owned(), hint, Retry::Never));
        if stderr.contains(NO_CONVERSATION) {
            return told(FailureClass::NotFound, self.no_conversation());
        }
        if stderr.contains("Session ID") && stderr.contains("is already in use") {
            let hint = "another run uses this conversation: wait until it has ended, or start a new one";
            return told(FailureClass::CliError, hint.to_owned());
        }
        if stderr.contains("cannot be used with root/sudo privileges") {
            let hint = format!(
                "bypassPermissions is refused to root: run as another user, or take another mode with \
                 `agent-dispatch update {} --permission-mode MODE`",
                self.agent
            );
            return told(FailureClass::Permission, hint);
        }
        if stderr.contains("unknown option") {
            let hint = "this claude is too old for agent-dispatch: update it with `claude update`";
            return told(FailureClass::CliError, hint.to_owned());
        }
        None
    }

    /// Returns how to find out whether it is the task or the installation.
    fn try_it(&self) -> String {
        format!("`agent-dispatch test {}` tells whether an easy task works there", self.agent)
    }

    fn no_conversation(&self) -> String {
        let agent = self.agent;
        format!(
            "conversations belong to the directory and the HOME they were started in: `agent-dispatch jobs --agent {agent}` \
             lists the dispatches of this one and `agent-dispatch job ID` the conversation of each; \
             dispatch(agent=\"{agent}\", ...) starts a new one"
        )
    }

    /// Returns the end of what was written to stderr, on one line. Secrets are still in it.
    fn stderr(&self) -> String {
        unsplit_end(&self.ending.stderr_tail, ERROR_CHARS)
    }
}

const NO_CONVERSATION: &str = "No conversation found";
const NO_CREDIT: &str = "Credit balance is too low";
const REFUSED: &str =
    "the service refused the request as it stands and will refuse it again: change the task";

/// Says that an answer was to fit a JSON Schema and that there is none that does.
pub(super) fn no_structured_output() -> Verdict {
    let error = "the agent answered, but gave no structured output for the JSON Schema".to_owned();
    let hint = "dispatch it again, simplify the schema, or use response_format \"json\" and describe the answer in \
                the task";
    verdict(FailureClass::CliError, error, hint.to_owned(), Retry::Now)
}

/// Says that there is structured output, and where it does not fit the JSON Schema.
pub(super) fn wrong_structured_output(places: &str) -> Verdict {
    let error = format!("the agent's value does not fit the JSON Schema: {places}");
    let hint =
        "dispatch it again, and say in the task what these places must hold; the value as it came is kept";
    verdict(FailureClass::CliError, error, hint.to_owned(), Retry::Now)
}

fn verdict(class: FailureClass, error: String, hint: String, retry: Retry) -> Verdict {
    Verdict { class, error, hint, retry }
}

/// Returns what the result line says went wrong, for people.
fn reported_text(result: &Map<String, Value>) -> String {
    let said = text_at(result, "result").map(|text| unsplit(text, ERROR_CHARS)).unwrap_or_default();
    if !said.is_empty() {
        return said;
    }
    let errors = result.get("errors").and_then(Value::as_array).into_iter().flatten();
    // The diagnosis of what state `claude` was in helps nobody.
    let errors = errors.filter_map(Value::as_str).filter(|error| !error.starts_with("[ede_diagnostic]"));
    unsplit(&errors.take(5).map(|error| unsplit(error, 300)).collect::<Vec<_>>().join("; "), ERROR_CHARS)
}

const fn class_of_status(status: u64) -> Option<FailureClass> {
    match status {
        401 | 403 => Some(FailureClass::Auth),
        404 => Some(FailureClass::NotFound),
        402 | 429 => Some(FailureClass::UsageLimit),
        408 | 500..=599 => Some(FailureClass::Overloaded),
        // 400 is said of too many things: an empty account, a prompt that is too long.
        413 => Some(FailureClass::CliError),
        _ => None,
    }
}

/// Judges by the name that `claude` gives an error; its own names for the rest say no more than the text.
fn class_of_api_error(error: &str) -> Option<FailureClass> {
    match error {
        "authentication_failed" | "oauth_org_not_allowed" => Some(FailureClass::Auth),
        "rate_limit" | "billing_error" => Some(FailureClass::UsageLimit),
        "server_error" | "overloaded" => Some(FailureClass::Overloaded),
        "model_not_found" => Some(FailureClass::NotFound),
        _ => None,
    }
}

/// Judges by how `claude` begins the messages it writes in place of an answer.
fn class_of_text(said: &str) -> Option<FailureClass> {
    let table = [
        ("Not logged in", FailureClass::Auth),
        ("Invalid API key", FailureClass::Auth),
        ("Failed to authenticate", FailureClass::Auth),
        (NO_CREDIT, FailureClass::UsageLimit),
        ("You've hit your ", FailureClass::UsageLimit),
        ("API Error: Unable to connect", FailureClass::Overloaded),
        ("API Error: Connection closed", FailureClass::Overloaded),
        ("API Error: Overloaded", FailureClass::Overloaded),
        ("API Error: Repeated 529", FailureClass::Overloaded),
        ("Request timed out", FailureClass::Overloaded),
    ];
    table.into_iter().find(|(start, _)| said.starts_with(start)).map(|(_, class)| class)
}

#[cfg(test)]
mod tests;
