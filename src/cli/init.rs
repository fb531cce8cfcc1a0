//! `agent-dispatch init` and `uninstall`: the agents file, and the registration with Claude Code, made and taken back.
//!
//! Claude Code's own files are changed by its own commands only.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::audit::redact::one_line;
use crate::cli::args::{RegistrationArguments, Scope};
use crate::cli::progress;
use crate::cli::registration::{self, Connection, GET};
use crate::cli::render::{fact, note, print_text};
use crate::cli::shell;
use crate::config;
use crate::dispatch::{Frontend, SERVER_NAME};
use crate::error::{Kind, Report};
use crate::model::{Settings, with_causes};
use crate::runner::probe::{Probe, Said};

/// How long a command of `claude` may take: half a second is usual.
const LIMIT: Duration = Duration::from_secs(30);

/// Makes the agents file if there is none, and registers this program.
pub(super) async fn init(frontend: &Frontend, asked: &RegistrationArguments) -> Result<(), Report> {
    let scope = asked.scope;
    let entry = registration::entry(&frontend.environment.program);
    let old = registration::find(&frontend.environment, scope);
    let current = old.as_ref() == Some(&entry);
    let text = entry.to_string();
    if asked.dry_run {
        let exists = frontend.environment.config_file.symlink_metadata().is_ok();
        say("agents file", &told_file(frontend, if exists { "there already" } else { "would be made" }))?;
        return match &old {
            Some(_) if current => say("registration", "there already, as it should be"),
            old => {
                if old.is_some() {
                    say("would run", &typed(frontend, &registration::remove(scope)))?;
                }
                say("would run", &typed(frontend, &registration::add(&text, scope)))
            }
        };
    }
    make_agents_file(frontend)?;
    let claude = Claude::find(frontend, &registration::add(&text, scope))?;
    if current {
        say("registration", &format!("there already ({} scope)", scope.as_str()))?;
    } else {
        claude.register(&text, old.as_ref(), scope).await?;
        let how = if old.is_some() { "replaced" } else { "made" };
        say("registration", &format!("{how} ({} scope)", scope.as_str()))?;
    }
    claude.verify(scope).await?;
    print_text(
        "\nNext:\n  agent-dispatch add NAME DIRECTORY   a directory that tasks can be sent to\n  \
         agent-dispatch test NAME            whether it answers\n  \
         agent-dispatch doctor               whether everything is well\n\
         Claude Code sessions that are open now see it when they are started again.\n",
    )
}

/// Takes the registration back. Agents and records stay.
pub(super) async fn uninstall(frontend: &Frontend, asked: &RegistrationArguments) -> Result<(), Report> {
    let scope = asked.scope;
    let remove = registration::remove(scope);
    let there = registration::find(&frontend.environment, scope).is_some();
    match (there, asked.dry_run) {
        (false, _) => say("registration", &format!("there is none ({} scope)", scope.as_str()))?,
        (true, true) => say("would run", &typed(frontend, &remove))?,
        (true, false) => {
            let claude = Claude::find(frontend, &remove)?;
            let said = claude.ask(&remove).await?;
            if !said.went_well() || registration::find(&frontend.environment, scope).is_some() {
                return Err(claude.refused("the registration could not be taken back", &said, &remove));
            }
            say("registration", &format!("taken back ({} scope)", scope.as_str()))?;
        }
    }
    for other in [Scope::User, Scope::Local, Scope::Project].into_iter().filter(|other| *other != scope) {
        if registration::find(&frontend.environment, other).is_some() {
            let name = other.as_str();
            note(&format!(
                "There is another registration: agent-dispatch uninstall --scope {name} takes it back.\n"
            ));
        }
    }
    let environment = &frontend.environment;
    let (agents, state) = (&environment.config_file, &environment.state.root);
    say("agents stay", &agents.display().to_string())?;
    say("records stay", &state.display().to_string())?;
    let (agents, state) = (shell::path(agents), shell::path(state));
    print_text(&format!(
        "To remove these as well, the audit trail included:\n  agent-dispatch daemon stop && rm -r {state} {agents}\n"
    ))
}

fn say(label: &str, said: &str) -> Result<(), Report> {
    print_text(&fact(label, said))
}

fn make_agents_file(frontend: &Frontend) -> Result<(), Report> {
    let path = &frontend.environment.config_file;
    let made = config::begin(path).map_err(|error| {
        let message = format!("the agents file `{}` cannot be made: {}", path.display(), with_causes(&error));
        Report::new(Kind::Config, "config_io", message, "Check space and permissions of that directory.")
    })?;
    say("agents file", &told_file(frontend, if made { "new" } else { "there already" }))?;
    // Nothing here depends on it, but this is the moment to look.
    if let Err(error) = frontend.config() {
        note(&format!("warning: {}\n", one_line(&with_causes(&*error), 1000)));
    }
    Ok(())
}

fn told_file(frontend: &Frontend, how: &str) -> String {
    format!("{} ({how})", frontend.environment.config_file.display())
}

/// Returns a command of `claude` as it can be typed.
fn typed(frontend: &Frontend, args: &[&str]) -> String {
    let settings = frontend.config().map(|config| config.settings.clone()).unwrap_or_default();
    let claude = settings.claude_path.map_or_else(|| "claude".to_owned(), |path| path.display().to_string());
    shell::command(&[&[claude.as_str()], args].concat())
}

/// The `claude` that is told.
struct Claude<'a> {
    frontend: &'a Frontend,
    program: PathBuf,
}

impl<'a> Claude<'a> {
    /// Finds it; without one, `wanted` is what is left to be typed.
    fn find(frontend: &'a Frontend, wanted: &[&str]) -> Result<Self, Report> {
        let config = frontend.config().ok();
        let default = Settings::default();
        let settings = config.as_ref().map_or(&default, |config| &config.settings);
        match frontend.claude(settings) {
            Some(program) => Ok(Self { frontend, program }),
            None => Err(Report {
                kind: Kind::Failed,
                code: "no_claude",
                message: "`claude` is not on the PATH, so Claude Code could not be told".to_owned(),
                hints: vec![
                    "Install it with: npm install -g @anthropic-ai/claude-code".to_owned(),
                    format!("Then run this again, or type: {}", typed(frontend, wanted)),
                ],
                call: None,
            }),
        }
    }

    async fn ask(&self, args: &[&str]) -> Result<Said, Report> {
        let environment = &self.frontend.environment;
        let probe =
            Probe { environment: &environment.variables, directory: &environment.directory, limit: LIMIT };
        let asked = probe.ask(&self.program, args);
        progress::during(environment, "asking Claude Code", asked).await.map_err(|error| {
            let hint = format!("See what it says: {}", typed(self.frontend, args));
            Report::new(Kind::Failed, "claude", with_causes(&error), hint)
        })
    }

    /// Registers `entry` in place of `old`, which is put back when that fails.
    async fn register(&self, entry: &str, old: Option<&Value>, scope: Scope) -> Result<(), Report> {
        let add = registration::add(entry, scope);
        if old.is_some() {
            let remove = registration::remove(scope);
            let said = self.ask(&remove).await?;
            if !said.went_well() {
                return Err(self.refused("the old registration could not be removed", &said, &remove));
            }
        }
        let outcome = match self.ask(&add).await {
            Ok(said) if said.went_well() => return Ok(()),
            Ok(said) => self.refused("Claude Code did not take the registration", &said, &add),
            Err(report) => report,
        };
        let Some(old) = old else { return Err(outcome) };
        let old = old.to_string();
        let back = registration::add(&old, scope);
        let put_back = self.ask(&back).await.is_ok_and(|said| said.went_well());
        let mut report = outcome;
        report.hints.push(if put_back {
            "The registration that was there before is back.".to_owned()
        } else {
            format!("The one that was there before could not be put back: {}", typed(self.frontend, &back))
        });
        Err(report)
    }

    /// Lets Claude Code try what is registered.
    async fn verify(&self, scope: Scope) -> Result<(), Report> {
        let said = self.ask(&GET).await?;
        if !said.went_well() {
            return Err(self.refused("Claude Code does not know the registration", &said, &GET));
        }
        let connected = match registration::connection(&said.stdout) {
            Connection::Failed => {
                return Err(self.refused("Claude Code cannot start this program", &said, &GET));
            }
            Connection::Connected => "Claude Code reaches it",
            Connection::Pending => "Claude Code asks you to agree when a session starts in this directory",
            Connection::Unknown => "Claude Code knows it",
        };
        say("checked", connected)?;
        let environment = &self.frontend.environment;
        let nearer = [Scope::Local, Scope::Project].into_iter().find(|nearer| {
            *nearer != scope && scope == Scope::User && registration::find(environment, *nearer).is_some()
        });
        if let Some(nearer) = nearer.map(Scope::as_str) {
            note(&format!(
                "warning: this directory has a registration of its own, which counts here; take it back with: \
                 agent-dispatch uninstall --scope {nearer}\n"
            ));
        }
        Ok(())
    }

    fn refused(&self, what: &str, said: &Said, args: &[&str]) -> Report {
        let why = one_line(said.last_words(), 500);
        let message = if why.is_empty() { what.to_owned() } else { format!("{what}: {why}") };
        let hint = format!("Try it by hand: {}", typed(self.frontend, args));
        Report::new(Kind::Failed, SERVER_NAME, message, hint)
    }
}
