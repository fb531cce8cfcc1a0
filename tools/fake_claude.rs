//! A scripted stand-in for `claude`: the same arguments, the same stream of JSON lines, no model and no network.
//!
//! Tests drive it by a script (see `fake_claude/script.rs`), the quick start without one: then it answers whatever it is
//! asked. It starts in well under a millisecond, so what is measured around it is ours.

#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own: it reads its environment and starts processes"
)]

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

#[path = "fake_claude/arguments.rs"]
mod arguments;
#[path = "fake_claude/company.rs"]
mod company;
#[path = "fake_claude/player.rs"]
mod player;
#[path = "fake_claude/registry.rs"]
mod registry;
#[path = "fake_claude/script.rs"]
mod script;
#[path = "fake_claude/sessions.rs"]
mod sessions;
#[path = "fake_claude/signals.rs"]
mod signals;
#[path = "fake_claude/voice.rs"]
mod voice;

use arguments::{Arguments, Call};

/// Limit of the real one for what comes on its standard input.
const STDIN_BYTES_MAX: u64 = 10_000_000;

fn main() -> ExitCode {
    match play() {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            // Nobody may be listening, and there is nobody else to tell.
            _ = writeln!(io::stderr(), "{problem}").is_ok();
            ExitCode::from(1)
        }
    }
}

fn play() -> Result<u8, String> {
    let argv: Vec<String> = std::env::args().skip(1).collect();
    match Call::read(&argv)? {
        Call::Print(text) => {
            writeln!(io::stdout(), "{text}").map_err(|error| error.to_string())?;
            Ok(0)
        }
        Call::Grandchild(kind) => company::live(&kind),
        Call::Run(arguments) => run(*arguments, argv),
    }
}

fn run(arguments: Arguments, argv: Vec<String>) -> Result<u8, String> {
    let prompt = match &arguments.prompt {
        Some(prompt) => prompt.clone(),
        None => read_prompt()?,
    };
    if prompt.trim().is_empty() {
        return Err(
            "Error: Input must be provided either through stdin or as a prompt argument when using --print"
                .to_owned(),
        );
    }
    let script = script::find(&prompt)?;
    let voice = voice::Voice::new(&arguments)?.shared();
    if script.takes_time() {
        signals::watch(&voice, script.deaf_to())?;
    }
    if let Err(refused) = sessions::admit(&arguments) {
        if refused.with_result {
            let result = voice::Ending::failed("error_during_execution", &refused.message).free();
            voice::speak(&voice, |voice| voice.result(&result))?;
        }
        return Err(refused.message);
    }
    player::Player::new(voice, arguments, prompt, argv).play(&script)
}

fn read_prompt() -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(STDIN_BYTES_MAX + 1).read_to_end(&mut bytes);
    if read.map_err(|error| error.to_string())? as u64 > STDIN_BYTES_MAX {
        return Err("Error: piped stdin input exceeds 10MB".to_owned());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
