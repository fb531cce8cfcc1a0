//! What can be typed: clap's structs, nothing else.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cli::args::number::whole;

mod agents;
mod audit;
mod dispatching;
mod export;
mod groups;
mod manual;
mod number;
mod report;
mod settings;
mod setup;
mod upkeep;

pub(super) use agents::{Budget, FieldArguments};
pub(super) use audit::{
    AUDIT_HELP, AuditArguments, AuditCommand, FilterArguments, Layout, OutputArguments, ShowPart, StatsBy,
};
pub(super) use dispatching::{DispatchArguments, Status};
pub(super) use export::{ExportArguments, ExportFormat, ImportArguments};
pub(super) use groups::{GroupCommand, GroupTexts};
pub(super) use manual::{Shell, completions, pages};
pub(super) use report::ReportArguments;
pub(super) use settings::SettingsCommand;
pub(super) use setup::{DoctorArguments, RegistrationArguments, Scope, StatsArguments};
pub(super) use upkeep::{CacheCommand, GC_HELP, GcArguments, SessionsArguments};

/// Run tasks as fresh Claude Code sessions in other directories, with a durable audit trail.
#[derive(Debug, Parser)]
#[command(
    name = "agent-dispatch",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What stands below the list of commands.
const AFTER_HELP: &str = "\
Examples:
  agent-dispatch init
  agent-dispatch add infra ~/src/infra --allowed-tools Read,Grep,Bash
  agent-dispatch test infra
  agent-dispatch dispatch infra \"Which services restart nightly, and why?\"
  git diff | agent-dispatch dispatch infra - --goal \"review this change\"
  agent-dispatch jobs --status running
  agent-dispatch audit --since \"2h ago\"
  agent-dispatch doctor

Exit codes:
  0  done
  1  the dispatch failed, what was named does not exist, `audit` found nothing,
     or a check found something
  2  the command line is not right
  3  the configuration stands in the way
  4  the dispatch was refused; nothing ran
  5  the store, or the daemon that owns it, cannot be reached";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Set it up: make the agents file, and tell Claude Code of this program
    #[command(after_help = setup::INIT_HELP)]
    Init(RegistrationArguments),
    /// Add an agent: a directory that tasks can be sent to
    #[command(after_help = ADD_HELP)]
    Add {
        /// Its name: letters, digits, `-` and `_`
        name: String,
        /// The directory it works in
        directory: PathBuf,
        #[command(flatten)]
        fields: FieldArguments,
    },
    /// Change an agent; the rest of the agents file stays as it is
    #[command(after_help = UPDATE_HELP)]
    Update {
        /// Its name
        name: String,
        /// The directory it works in from now on
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
        #[command(flatten)]
        fields: FieldArguments,
    },
    /// Remove an agent; its directory is not touched
    Remove {
        /// Its name
        name: String,
    },
    /// List the agents
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one agent in detail
    Describe {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look after groups: agents that belong together
    Group {
        #[command(subcommand)]
        command: GroupCommand,
    },
    /// Show the settings and where each comes from; change them
    #[command(args_conflicts_with_subcommands = true)]
    Settings {
        #[command(subcommand)]
        command: Option<SettingsCommand>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send an agent an easy task, to see whether it works; never from the cache
    #[command(after_help = TEST_HELP)]
    Test {
        /// The agent
        agent: String,
        /// The task; without one it is asked what its project is
        task: Option<String>,
        /// Seconds it may take, 10 to 7200
        #[arg(long, value_name = "SECONDS", value_parser = whole::<i64>(10..=7200))]
        timeout: Option<i64>,
        /// Show every step on standard error
        #[arg(long)]
        stream: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send an agent a task and print its answer
    #[command(after_help = DISPATCH_HELP)]
    Dispatch(DispatchArguments),
    /// List jobs, the newest first
    #[command(after_help = JOBS_HELP)]
    Jobs {
        /// Only those that are
        #[arg(long)]
        status: Option<Status>,
        /// Only those of this agent
        #[arg(long)]
        agent: Option<String>,
        /// At most so many, 1 to 1000
        #[arg(long, short = 'n', default_value_t = 20, value_parser = whole::<u32>(1..=1000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a job: what was asked, where it is, what came of it
    Job {
        /// Its id, or the beginning of it (8 characters or more)
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Wait for jobs to end; print the answer of a single one
    #[command(after_help = WAIT_HELP)]
    Wait {
        /// Their ids, or the beginnings of them (8 characters or more)
        #[arg(required = true, num_args = 1..=100)]
        ids: Vec<String>,
        /// Wait no longer than this; the jobs go on
        #[arg(long, value_name = "SECONDS", value_parser = whole::<u64>(1..=86_400))]
        timeout: Option<u64>,
        /// Return when one of them has ended
        #[arg(long)]
        any: bool,
        /// Print JSON: an object for one id, an array for several
        #[arg(long)]
        json: bool,
    },
    /// Follow a job: its steps as they happen, then what came of it
    #[command(after_help = TAIL_HELP)]
    Tail {
        /// Its id, or the beginning of it (8 characters or more)
        id: String,
        /// Print JSON, an object a line: the steps, then the job
        #[arg(long)]
        json: bool,
    },
    /// Stop a job, whoever started it
    Cancel {
        /// Its id, or the beginning of it (8 characters or more)
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List conversations with agents, the last used first
    Sessions(SessionsArguments),
    /// Look at the result cache, or empty it
    Cache {
        #[command(subcommand)]
        command: CacheCommand,
    },
    /// Remove old jobs and leftovers
    #[command(after_help = GC_HELP)]
    Gc(GcArguments),
    /// Review what was asked, run, refused and changed, the newest first
    #[command(args_conflicts_with_subcommands = true, after_help = AUDIT_HELP)]
    Audit {
        #[command(subcommand)]
        command: Option<AuditCommand>,
        #[command(flatten)]
        list: AuditArguments,
    },
    /// Count dispatches, successes, time and money, agent by agent
    Stats(StatsArguments),
    /// Check everything it depends on, and say how to put right what is not
    #[command(after_help = setup::DOCTOR_HELP)]
    Doctor(DoctorArguments),
    /// Serve MCP on standard input and output
    Serve,
    /// Look after the daemon that owns the store
    Daemon {
        #[command(subcommand)]
        command: DaemonCommand,
    },
    /// Take the registration with Claude Code back; agents and records stay
    Uninstall(RegistrationArguments),
    /// Print a completion script for a shell
    #[command(after_help = manual::COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands into a directory
    #[command(after_help = manual::MAN_HELP)]
    Man {
        /// The directory; it must exist
        directory: Option<PathBuf>,
    },
    /// Carry out the dispatch in a run folder (internal)
    #[command(hide = true)]
    Worker {
        /// The run folder
        folder: PathBuf,
    },
}

/// What stands below the options of `add`.
const ADD_HELP: &str = "\
Examples:
  agent-dispatch add infra ~/src/infra
  agent-dispatch add web . -d \"The shop's pages\" --allowed-tools Read,Grep --max-budget 0.50";

/// What stands below the options of `update`.
const UPDATE_HELP: &str = "\
`none` or an empty value takes an option back to its default. A list of just `,` is empty: \
`--allowed-tools ,` means no tools at all.

Examples:
  agent-dispatch update infra --directory ~/work/infra
  agent-dispatch update infra --timeout 900 --model none";

/// What stands below the options of `test`.
const TEST_HELP: &str = "\
Examples:
  agent-dispatch test infra
  agent-dispatch test infra \"Which tools can you use?\" --stream --timeout 60";

/// What stands below the options of `jobs`.
const JOBS_HELP: &str = "\
Examples:
  agent-dispatch jobs --status running
  agent-dispatch jobs --agent infra -n 5 --json";

/// What stands below the options of `dispatch`.
const DISPATCH_HELP: &str = "\
The answer goes to standard output, cost and duration to standard error. Ctrl-C stops the dispatch. \
Asking the same again joins the one that is under way, or is answered from the cache.

Examples:
  agent-dispatch dispatch infra \"Which services restart nightly, and why?\"
  agent-dispatch dispatch infra \"Check every host\" --async
  agent-dispatch dispatch infra \"And on Sundays?\" --session 0197a3f2
  agent-dispatch dispatch infra \"List the hosts\" --response-format json --json
  agent-dispatch dispatch --parallel dispatches.json
  agent-dispatch dispatch infra \"Restart it\" --plan";

/// What stands below the options of `tail`.
const TAIL_HELP: &str = "\
Exits as `wait` does: with 1 when the job did not succeed. Ctrl-C ends the looking, not the job. The answer is printed by \
`agent-dispatch wait ID`.

Example:
  agent-dispatch tail 0197a3f2";

/// What stands below the options of `wait`.
const WAIT_HELP: &str = "\
Exits with 1 when a job that ended did not succeed, or when the time was over first. Ctrl-C ends the waiting, \
not the jobs.

Examples:
  agent-dispatch wait 0197a3f2
  agent-dispatch wait 0197a3f2 0197a3f3 --any --timeout 600";

#[derive(Debug, Subcommand)]
pub(super) enum DaemonCommand {
    /// Run it in the foreground (front ends start it by themselves)
    Run {
        /// Socket on which to say that it is ready (internal)
        #[arg(long, hide = true)]
        ready: Option<PathBuf>,
        /// Seconds to stay when nobody needs it
        #[arg(long)]
        idle_seconds: Option<u64>,
    },
    /// Show how it is, without starting it
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send it away; work that is under way goes on
    Stop,
}
