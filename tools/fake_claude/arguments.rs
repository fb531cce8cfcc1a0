//! The command line, checked as the real one checks it.

use std::path::PathBuf;

use serde_json::Value;

use crate::registry;

/// What the command line asks for.
pub(crate) enum Call {
    /// A line of text and nothing else.
    Print(String),
    /// One of the processes that a script leaves behind.
    Grandchild(Grandchild),
    /// A session.
    Run(Box<Arguments>),
}

/// A process that a script leaves behind; announced by the hidden first argument.
pub(crate) enum Grandchild {
    /// Stays in the group and keeps the output files open.
    HoldsFiles,
    /// Leaves for a session of its own.
    OwnSession,
}

impl Grandchild {
    pub(crate) const fn argument(&self) -> &'static str {
        match self {
            Self::HoldsFiles => "--fake-grandchild-that-holds-files",
            Self::OwnSession => "--fake-grandchild-in-a-session-of-its-own",
        }
    }
}

/// The options of a session.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) session: Option<String>,
    pub(crate) resume: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) budget: Option<f64>,
    pub(crate) permission_mode: Option<String>,
    pub(crate) tools: Option<Vec<String>>,
    pub(crate) schema: Option<Value>,
    pub(crate) prompt: Option<String>,
    pub(crate) system_prompt_file: Option<PathBuf>,
    print: bool,
    verbose: bool,
    stream: bool,
}

impl Call {
    pub(crate) fn read(argv: &[String]) -> Result<Self, String> {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        Ok(match words.as_slice() {
            ["--version" | "-v", ..] => Self::Print("2.1.197 (fake-claude)".to_owned()),
            ["auth", "status", ..] => Self::Print(
                r#"{"loggedIn":true,"authMethod":"fake","apiProvider":"none","apiKeySource":"none"}"#
                    .to_owned(),
            ),
            ["--help" | "-h", ..] => Self::Print(registry::HELP.to_owned()),
            ["mcp", rest @ ..] => Self::Print(registry::answer(rest)?),
            [word, ..] if *word == Grandchild::HoldsFiles.argument() => {
                Self::Grandchild(Grandchild::HoldsFiles)
            }
            [word, ..] if *word == Grandchild::OwnSession.argument() => {
                Self::Grandchild(Grandchild::OwnSession)
            }
            _ => Self::Run(Box::new(Arguments::read(argv)?)),
        })
    }
}

impl Arguments {
    fn read(argv: &[String]) -> Result<Self, String> {
        let mut read = Self::default();
        let mut words = argv.iter().peekable();
        while let Some(word) = words.next() {
            let (name, given) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            let mut value = || {
                given
                    .clone()
                    .or_else(|| words.next().cloned())
                    .ok_or_else(|| format!("error: option '{name}' argument missing"))
            };
            match name {
                "-p" | "--print" => read.print = true,
                "--verbose" => read.verbose = true,
                "--output-format" => read.stream = value()? == "stream-json",
                "--session-id" => read.session = Some(value()?),
                "--resume" | "-r" => read.resume = Some(value()?),
                "--model" => read.model = Some(value()?),
                "--max-budget-usd" => read.budget = Some(budget(&value()?)?),
                "--permission-mode" => read.permission_mode = Some(permission_mode(value()?)?),
                "--json-schema" => read.schema = Some(schema(&value()?)?),
                "--append-system-prompt-file" => read.system_prompt_file = Some(value()?.into()),
                "--settings"
                | "--append-system-prompt"
                | "--fallback-model"
                | "--effort"
                | "--max-turns"
                | "--setting-sources"
                | "--mcp-config" => drop(value()?),
                "--strict-mcp-config" | "--no-session-persistence" | "--include-partial-messages" => {}
                "--tools" | "--allowedTools" | "--disallowedTools" | "--add-dir" => {
                    // These take every word up to the next option.
                    let mut list: Vec<String> = given.into_iter().collect();
                    while let Some(item) = words.next_if(|word| !word.starts_with('-')) {
                        list.push(item.clone());
                    }
                    if name == "--tools" {
                        let items = list.iter().flat_map(|item| item.split(','));
                        read.tools = Some(items.map(|item| item.trim().to_owned()).collect());
                    }
                }
                option if option.starts_with('-') => return Err(format!("error: unknown option '{option}'")),
                _ => read.prompt = Some(word.clone()),
            }
        }
        read.check()
    }

    fn check(self) -> Result<Self, String> {
        if !self.print {
            return Err("fake-claude only runs with --print".to_owned());
        }
        if !self.stream {
            return Err("fake-claude only speaks --output-format=stream-json".to_owned());
        }
        if !self.verbose {
            return Err(
                "Error: When using --print, --output-format=stream-json requires --verbose".to_owned()
            );
        }
        if self.session.is_some() && self.resume.is_some() {
            return Err(
                "Error: --session-id can only be used with --continue or --resume if --fork-session is \
                        also specified."
                    .to_owned(),
            );
        }
        if self.session.as_deref().is_some_and(|id| !is_uuid(id)) {
            return Err("Error: Invalid session ID. Must be a valid UUID.".to_owned());
        }
        if let Some(id) = self.resume.as_deref().filter(|id| !is_uuid(id)) {
            return Err(format!(
                "Error: --resume requires a valid session ID or session title when used with --print. Usage: claude -p \
                 --resume <session-id|title>. Provided value \"{id}\" is not a UUID and does not match any session title."
            ));
        }
        if let Some(path) = self.system_prompt_file.as_deref().filter(|path| !path.exists()) {
            return Err(format!("Error: Append system prompt file not found: {}", path.display()));
        }
        Ok(self)
    }

    /// Returns the id of the conversation.
    pub(crate) fn conversation(&self) -> Option<&str> {
        self.session.as_deref().or(self.resume.as_deref())
    }
}

fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok() && text.len() == 36
}

fn budget(text: &str) -> Result<f64, String> {
    let amount = text.parse::<f64>().ok().filter(|amount| *amount > 0.0 && amount.is_finite());
    amount.ok_or_else(|| "error: --max-budget-usd must be a positive number greater than 0".to_owned())
}

fn permission_mode(mode: String) -> Result<String, String> {
    let known = ["acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "plan"];
    if known.contains(&mode.as_str()) {
        return Ok(mode);
    }
    Err(format!(
        "error: option '--permission-mode <mode>' argument '{mode}' is invalid. Allowed choices are {}.",
        known.join(", ")
    ))
}

fn schema(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("Error: --json-schema is not valid JSON: {error}"))
}
