//! The command line: parse, call, print, exit code. One function a command, in the files beside this one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::cli::args::{Arguments, Command, DaemonCommand, DispatchArguments, Status};
use crate::cli::dispatching::Manner;
use crate::cli::jobs::Until;
use crate::cli::render::Screen;
use crate::config::paths::{self, Environment};
use crate::daemon::serve;
use crate::dispatch::{Frontend, worker};
use crate::error::{Kind, Report};
use crate::job::JobFilter;
use crate::logging::{self, Verbosity};
use crate::mcp;
use crate::model::{shell, with_causes};
use crate::runner::launch;

mod agents;
mod args;
mod audit;
mod daemon;
mod dispatching;
mod doctor;
mod groups;
mod init;
mod jobs;
mod manual;
mod plan;
mod progress;
mod registration;
mod render;
mod report;
mod settings;
mod several;
mod stats;
mod tail;
mod upkeep;

/// What records call this door.
const CLIENT: &str = "cli";

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let arguments = paths::arguments();
    let read = plainly(&arguments).map_or_else(
        || Arguments::try_parse_from(whole_line(arguments)).map(|arguments| arguments.command),
        Ok,
    );
    let command = match read {
        Ok(command) => command,
        Err(error) => {
            // Help and version go to standard output with code 0, mistakes to standard error with code 2.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let _closed_pipe = error.print();
            return ExitCode::from(code);
        }
    };
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(error) => {
            let hint = "Set HOME to your home directory.";
            return fail(&Report::new(Kind::Usage, "environment", with_causes(&error), hint));
        }
    };
    match run(command, environment) {
        Ok(code) => code,
        Err(report) => fail(&report),
    }
}

/// Returns the line that the parser reads: `help COMMAND` is another way to say `COMMAND --help`.
fn whole_line(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.first().is_some_and(|first| first == "help") {
        arguments.remove(0);
        arguments.push("--help".into());
    }
    arguments.insert(0, "agent-dispatch".into());
    arguments
}

/// Returns the commands that programs type, in the one way they type them. The parser knows them, too, but making it takes
/// longer than all else before a worker's first act.
fn plainly(arguments: &[OsString]) -> Option<Command> {
    match arguments {
        [command] if command == "serve" => Some(Command::Serve),
        [command, folder] if command == "worker" && Path::new(folder).is_absolute() => {
            Some(Command::Worker { folder: folder.into() })
        }
        _ => None,
    }
}

fn run(command: Command, environment: Environment) -> Result<ExitCode, Report> {
    let filter = environment.text("AGENT_DISPATCH_LOG").map(str::to_owned);
    let verbosity = match &command {
        Command::Daemon { command: DaemonCommand::Run { .. } } | Command::Worker { .. } => Verbosity::Life,
        _ => Verbosity::Quiet,
    };
    logging::start(filter.as_deref(), verbosity);
    let screen = Screen::stdout(&environment);
    let frontend = Frontend::new(environment);
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Add { name, directory, fields } => {
            wait(agents::add(&frontend, name, &directory, fields)).map(done)
        }
        Command::Update { name, directory, fields } => {
            wait(agents::update(&frontend, name, directory.as_deref(), fields)).map(done)
        }
        Command::Remove { name } => wait(agents::remove(&frontend, name)).map(done),
        Command::List { json } => wait(agents::list(&frontend, screen, json)).map(done),
        Command::Describe { name, json } => wait(agents::describe(&frontend, &name, json)).map(done),
        Command::Group { command } => wait(groups::run(&frontend, screen, command)).map(done),
        Command::Settings { command: None, json } => settings::list(&frontend, screen, json).map(done),
        Command::Settings { command: Some(command), .. } => {
            wait(settings::change(&frontend, command)).map(done)
        }
        Command::Test { agent, task, timeout, stream, json } => {
            let request = dispatching::test_request(agent, task, timeout)?;
            wait(dispatching::run(&frontend, screen, &request, Manner { detached: false, stream, json }))
        }
        Command::Dispatch(DispatchArguments { parallel: Some(file), aggregate, json, .. }) => {
            let several = several::read(&frontend, &file, &aggregate)?;
            wait(several::run(&frontend, screen, &several, json))
        }
        Command::Dispatch(mut asked) if asked.plan => {
            asked.session = wait(upkeep::conversation(&frontend, asked.session))?;
            let (request, manner) = dispatching::request(&frontend, asked)?;
            wait(plan::show(&frontend, &request, manner.json))
        }
        Command::Dispatch(mut asked) => {
            asked.session = wait(upkeep::conversation(&frontend, asked.session))?;
            // Read before anything is started: standard input may take its time.
            let (request, manner) = dispatching::request(&frontend, asked)?;
            wait(dispatching::run(&frontend, screen, &request, manner))
        }
        Command::Jobs { status, agent, limit, json } => {
            let states = status.map_or_else(Vec::new, Status::states);
            wait(jobs::list(&frontend, screen, JobFilter { states, agent, limit }, json)).map(done)
        }
        Command::Job { id, json } => wait(jobs::show(&frontend, &id, json)).map(done),
        Command::Wait { ids, timeout, any, json } => {
            wait(jobs::wait(&frontend, screen, &ids, Until { seconds: timeout, any }, json))
        }
        Command::Tail { id, json } => wait(tail::follow(&frontend, &id, json)),
        Command::Cancel { id, json } => wait(jobs::cancel(&frontend, &id, json)).map(done),
        Command::Sessions(asked) => wait(upkeep::sessions(&frontend, screen, asked)).map(done),
        Command::Cache { command } => wait(upkeep::cache(&frontend, command)).map(done),
        Command::Gc(asked) => wait(upkeep::gc(&frontend, screen, asked)).map(done),
        Command::Audit { command, list } => wait(audit::run(&frontend, screen, command, list)),
        Command::Daemon { command: DaemonCommand::Status { json } } => {
            wait(daemon::status(&frontend, json)).map(done)
        }
        Command::Daemon { command: DaemonCommand::Stop } => wait(daemon::stop(&frontend)).map(done),
        Command::Daemon { command: DaemonCommand::Run { ready, idle_seconds } } => {
            run_daemon(&frontend.environment, ready, idle_seconds).map(done)
        }
        Command::Init(asked) => wait(init::init(&frontend, &asked)).map(done),
        Command::Uninstall(asked) => wait(init::uninstall(&frontend, &asked)).map(done),
        Command::Doctor(asked) => wait(doctor::doctor(&frontend, screen, asked)),
        Command::Stats(asked) => wait(stats::stats(&frontend, screen, asked)).map(done),
        Command::Completions { shell } => manual::completions(shell).map(done),
        Command::Man { directory } => {
            manual::pages(&frontend.environment.directory, directory.as_deref()).map(done)
        }
        Command::Serve => serve_mcp(frontend).map(done),
        Command::Worker { folder } => carry_out(&frontend.environment, &folder).map(done),
    }
}

fn serve_mcp(frontend: Frontend) -> Result<(), Report> {
    let hint = "Register it with Claude Code, which then runs it: agent-dispatch init";
    mcp::run(frontend).map_err(|error| Report::new(Kind::Usage, "protocol", with_causes(&error), hint))
}

fn carry_out(environment: &Environment, folder: &Path) -> Result<(), Report> {
    launch::leave_session();
    let worked = runtime()?.block_on(worker::work(environment, folder));
    worked.map_err(|error| {
        Report::new(Kind::Unavailable, "worker", with_causes(&error), "This command is for internal use.")
    })
}

fn run_daemon(environment: &Environment, ready: Option<PathBuf>, idle: Option<u64>) -> Result<(), Report> {
    launch::leave_session();
    let idle = idle.or_else(|| environment.text("AGENT_DISPATCH_IDLE_SECONDS")?.parse().ok());
    let idle = idle.map_or(serve::IDLE, Duration::from_secs);
    let why = serve::run(&environment.state, &serve::Options { ready, idle });
    why.map(drop).map_err(|error| {
        let hint = format!("Read the log: tail -n 20 {}", shell::path(&environment.state.log()));
        Report::new(Kind::Unavailable, "daemon", with_causes(&error), hint)
    })
}

/// Carries a command out that asks or waits. The others do without a runtime.
fn wait<T>(command: impl Future<Output = Result<T, Report>>) -> Result<T, Report> {
    runtime()?.block_on(command)
}

fn runtime() -> Result<tokio::runtime::Runtime, Report> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Report::new(
            Kind::Unavailable,
            "runtime",
            with_causes(&error),
            "Close programs that hold many files open.",
        )
    })
}

fn fail(report: &Report) -> ExitCode {
    // What others wrote may be part of it.
    render::note(&render::harmless(&report.text()));
    report.exit_code()
}
