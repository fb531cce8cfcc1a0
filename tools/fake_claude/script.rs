//! The script: one step a line, or several in a line separated by `;` (`\;` is a semicolon, `\n` a line break).
//!
//! It is taken from lines of the prompt that begin with `fake:`, else from the variable `FAKE_CLAUDE_SCRIPT`, else from the
//! file that `FAKE_CLAUDE_SCRIPT_FILE` names. Without one, the answer is `fake answer to: <first words of the task>`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

/// One step. Steps run in order; the result line follows the last one.
#[derive(Clone)]
pub(crate) enum Step {
    /// `say TEXT`: an assistant line; the last one is the answer.
    Say(String),
    /// `echo-stdin`: answers with the prompt.
    EchoStdin,
    /// `flood BYTES`: an answer of that size.
    Flood(usize),
    /// `split-utf8`: an answer whose line is written in two halves, cut inside a character.
    SplitUtf8,
    /// `lone-surrogate`: an answer with half a surrogate pair, as an escape.
    LoneSurrogate,
    /// `status done|partial|blocked`: the status line of the text before it.
    Status(String),
    /// `structured JSON`: the structured output.
    Structured(Value),
    /// `tool NAME [INPUT]`: a call and its result.
    Tool { name: String, input: String },
    /// `deny NAME`: a call that is not permitted.
    Deny(String),
    /// `deny-aloud NAME`: the same, told at once in a line of its own, as recent versions do.
    DenyAloud(String),
    /// `lines N`: that many assistant lines.
    Lines(usize),
    /// `huge-line BYTES`: one line of that size.
    HugeLine(usize),
    /// `garbage`: lines that are not what they should be.
    Garbage,
    /// `delay MS`
    Delay(Duration),
    /// `wait FILE`: until it exists.
    Wait(PathBuf),
    /// `touch FILE`
    Touch(PathBuf),
    /// `stamp FILE`: writes the time, as nanoseconds of the wall clock, into a file.
    Stamp(PathBuf),
    /// `hang`: until a signal comes.
    Hang,
    /// `result`: the result line now; steps go on.
    Result,
    /// `hang-after-result`: `result; hang`.
    HangAfterResult,
    /// `no-result`: no result line at the end.
    NoResult,
    /// `no-init`: no init line at the beginning.
    NoInit,
    /// `ignore-signals`: SIGINT and SIGTERM do nothing.
    IgnoreSignals,
    /// `ignore-int`: SIGINT does nothing.
    IgnoreInterrupt,
    /// `grandchild-holds-files [FILE]`: a child of the group that keeps stdout open; its number goes to FILE.
    GrandchildHoldsFiles(Option<PathBuf>),
    /// `setsid-grandchild [FILE]`: a child in a session of its own; its number goes to FILE.
    SetsidGrandchild(Option<PathBuf>),
    /// `exit N`: the end, with this code.
    Exit(u8),
    /// `stderr TEXT`
    Stderr(String),
    /// `stderr-flood BYTES`
    StderrFlood(usize),
    /// `budget-stop`: the cap was reached.
    BudgetStop,
    /// `error STATUS TEXT`: an error of the API; a STATUS that is no number stands for none.
    Error { status: Option<u16>, text: String },
    /// `rate-limit RESET_EPOCH`: the account's limit was reached.
    RateLimit(u64),
    /// `auth-error`: the key was refused.
    AuthError,
    /// `report FILE`: writes what it was started with, as JSON.
    Report(PathBuf),
    /// `count DIR`: records in DIR/max how many were alive at once.
    Count(PathBuf),
    /// `count-starts FILE`: appends a line.
    CountStarts(PathBuf),
    /// `cost USD`
    Cost(f64),
    /// `turns N`
    Turns(u32),
}

/// The steps to play.
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
}

/// The signals that do nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deaf {
    No,
    ToInterrupt,
    ToAll,
}

/// Returns the script that is meant for this prompt.
pub(crate) fn find(prompt: &str) -> Result<Script, String> {
    let from_prompt: Vec<&str> =
        prompt.lines().filter_map(|line| line.trim_start().strip_prefix("fake:")).collect();
    let text = if from_prompt.is_empty() {
        match (std::env::var("FAKE_CLAUDE_SCRIPT"), std::env::var("FAKE_CLAUDE_SCRIPT_FILE")) {
            (Ok(text), _) => text,
            (Err(_), Ok(file)) => {
                std::fs::read_to_string(&file).map_err(|error| format!("fake-claude: {file}: {error}"))?
            }
            (Err(_), Err(_)) => String::new(),
        }
    } else {
        from_prompt.join("\n")
    };
    Script::parse(&text)
}

impl Script {
    fn parse(text: &str) -> Result<Self, String> {
        // A character that no script contains stands for the escaped semicolon while the text is split.
        let protected = text.replace("\\;", "\u{E001}");
        let steps = protected
            .split(['\n', ';'])
            .map(str::trim)
            .filter(|step| !step.is_empty() && !step.starts_with('#'))
            .map(|step| step.replace('\u{E001}', ";"))
            .map(|step| Step::parse(&step).ok_or_else(|| format!("fake-claude: not a step: `{step}`")))
            .collect::<Result<_, _>>()?;
        Ok(Self { steps })
    }

    /// Returns whether a signal may come while it plays; then it is answered as the real one answers it.
    pub(crate) fn takes_time(&self) -> bool {
        self.deaf_to() != Deaf::No
            || self.steps.iter().any(|step| {
                matches!(step, Step::Delay(_) | Step::Wait(_) | Step::Hang | Step::HangAfterResult)
            })
    }

    /// Returns which signals do nothing.
    pub(crate) fn deaf_to(&self) -> Deaf {
        let deafness = self.steps.iter().map(|step| match step {
            Step::IgnoreSignals => Deaf::ToAll,
            Step::IgnoreInterrupt => Deaf::ToInterrupt,
            _ => Deaf::No,
        });
        deafness.max().unwrap_or(Deaf::No)
    }
}

impl Step {
    fn parse(step: &str) -> Option<Self> {
        let (name, rest) = step.split_once(char::is_whitespace).unwrap_or((step, ""));
        let rest = rest.trim();
        let text = || rest.replace("\\n", "\n");
        let path = || (!rest.is_empty()).then(|| PathBuf::from(rest));
        let number = || rest.replace('_', "").parse::<usize>().ok();
        Some(match name {
            "say" => Self::Say(text()),
            "echo-stdin" => Self::EchoStdin,
            "flood" => Self::Flood(number()?),
            "split-utf8" => Self::SplitUtf8,
            "lone-surrogate" => Self::LoneSurrogate,
            "status" => Self::Status(rest.to_owned()),
            "structured" => Self::Structured(serde_json::from_str(rest).ok()?),
            "tool" => {
                let (name, input) = rest.split_once(' ').unwrap_or((rest, ""));
                Self::Tool { name: name.to_owned(), input: input.to_owned() }
            }
            "deny" => Self::Deny(rest.to_owned()),
            "deny-aloud" => Self::DenyAloud(rest.to_owned()),
            "lines" => Self::Lines(number()?),
            "huge-line" => Self::HugeLine(number()?),
            "garbage" => Self::Garbage,
            "delay" => Self::Delay(Duration::from_millis(rest.parse().ok()?)),
            "wait" => Self::Wait(path()?),
            "touch" => Self::Touch(path()?),
            "stamp" => Self::Stamp(path()?),
            "hang" => Self::Hang,
            "result" => Self::Result,
            "hang-after-result" => Self::HangAfterResult,
            "no-result" => Self::NoResult,
            "no-init" => Self::NoInit,
            "ignore-signals" => Self::IgnoreSignals,
            "ignore-int" => Self::IgnoreInterrupt,
            "grandchild-holds-files" => Self::GrandchildHoldsFiles(path()),
            "setsid-grandchild" => Self::SetsidGrandchild(path()),
            "exit" => Self::Exit(rest.parse().ok()?),
            "stderr" => Self::Stderr(text()),
            "stderr-flood" => Self::StderrFlood(number()?),
            "budget-stop" => Self::BudgetStop,
            "error" => {
                let (status, message) = rest.split_once(' ').unwrap_or((rest, "something went wrong"));
                Self::Error { status: status.parse().ok(), text: message.to_owned() }
            }
            "rate-limit" => Self::RateLimit(rest.parse().ok()?),
            "auth-error" => Self::AuthError,
            "report" => Self::Report(path()?),
            "count" => Self::Count(path()?),
            "count-starts" => Self::CountStarts(path()?),
            "cost" => Self::Cost(rest.parse().ok()?),
            "turns" => Self::Turns(rest.parse().ok()?),
            _ => return None,
        })
    }
}
