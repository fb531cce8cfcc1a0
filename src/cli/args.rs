//! What can be typed: clap's structs, nothing else.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
  agent-dispatch add infra ~/src/infra --allowed-tools Read,Grep,Bash
  agent-dispatch test infra
  agent-dispatch dispatch infra \"Which services restart nightly, and why?\"
  git diff | agent-dispatch dispatch infra - --goal \"review this change\"
  agent-dispatch jobs --status running
  agent-dispatch audit --since \"2h ago\"
  claude mcp add agent-dispatch -- agent-dispatch serve

Exit codes:
  0  done
  1  the dispatch failed, or what was asked for does not exist
  2  the command line is not right
  3  the configuration stands in the way
  4  the dispatch was refused; nothing ran
  5  the store, or the daemon that owns it, cannot be reached";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add an agent: a directory that tasks can be sent to
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
    /// Send an agent an easy task, to see whether it works; never from the cache
    Test {
        /// The agent
        agent: String,
        /// The task; without one it is asked what its project is
        task: Option<String>,
        /// Seconds it may take, 10 to 7200
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(10..=7200))]
        timeout: Option<i64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send an agent a task and print its answer
    #[command(after_help = DISPATCH_HELP)]
    Dispatch(DispatchArguments),
    /// List jobs, the newest first
    Jobs {
        /// Only those that are
        #[arg(long)]
        status: Option<Status>,
        /// Only those of this agent
        #[arg(long)]
        agent: Option<String>,
        /// At most so many, 1 to 1000
        #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
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
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
        timeout: Option<u64>,
        /// Return when one of them has ended
        #[arg(long)]
        any: bool,
        /// Print JSON: an object for one id, an array for several
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
    /// Review what was asked, run, refused and changed, the newest first
    #[command(args_conflicts_with_subcommands = true)]
    Audit {
        #[command(subcommand)]
        command: Option<AuditCommand>,
        #[command(flatten)]
        list: AuditArguments,
    },
    /// Serve MCP on standard input and output
    Serve,
    /// Look after the daemon that owns the store
    Daemon {
        #[command(subcommand)]
        command: DaemonCommand,
    },
    /// Carry out the dispatch in a run folder (internal)
    #[command(hide = true)]
    Worker {
        /// The run folder
        folder: PathBuf,
    },
}

/// What stands below the options of `update`.
const UPDATE_HELP: &str = "\
`none` or an empty value takes an option back to its default. A list of just `,` is empty: \
`--allowed-tools ,` means no tools at all.";

/// What stands below the options of `dispatch`.
const DISPATCH_HELP: &str = "\
The answer goes to standard output, cost and duration to standard error. Ctrl-C stops the dispatch. \
Asking the same again joins the one that is under way, or is answered from the cache.";

/// What stands below the options of `wait`.
const WAIT_HELP: &str = "\
Exits with 1 when a job that ended did not succeed, or when the time was over first. Ctrl-C ends the waiting, \
not the jobs.";

/// Everything an agent has beside its name and its directory.
#[derive(Debug, Args)]
pub(super) struct FieldArguments {
    /// What it is for; without one it is read from its directory
    #[arg(long, short, allow_hyphen_values = true)]
    pub(super) description: Option<String>,
    /// Seconds one dispatch may run; 0 takes the default of the settings
    #[arg(long, value_name = "SECONDS")]
    pub(super) timeout: Option<u32>,
    /// Model alias or id
    #[arg(long)]
    pub(super) model: Option<String>,
    /// Spending cap of one dispatch; `none` for no cap, 0 for the default of the settings
    #[arg(long, alias = "max-budget-usd", value_name = "USD", allow_negative_numbers = true, value_parser = budget)]
    pub(super) max_budget: Option<Budget>,
    /// Permission mode: default, acceptEdits, plan, bypassPermissions, ...
    #[arg(long, value_name = "MODE")]
    pub(super) permission_mode: Option<String>,
    /// Tools it may use, separated by commas
    #[arg(long, value_name = "TOOLS")]
    pub(super) allowed_tools: Option<String>,
    /// Tools it may not use, separated by commas
    #[arg(long, value_name = "TOOLS")]
    pub(super) disallowed_tools: Option<String>,
    /// What it can do: labels, separated by commas
    #[arg(long, value_name = "LABELS")]
    pub(super) capabilities: Option<String>,
    /// What it can break: labels, separated by commas
    #[arg(long, value_name = "LABELS")]
    pub(super) risky_capabilities: Option<String>,
    /// Standing instructions for its sessions
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT")]
    pub(super) instructions: Option<String>,
}

/// A spending cap as it can be typed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Budget {
    /// `none`: no cap, whatever the default says.
    Unlimited,
    /// 0: the default.
    Default,
    /// This many US dollars.
    Usd(f64),
}

fn budget(text: &str) -> Result<Budget, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Budget::Unlimited);
    }
    match text.trim_start_matches('$').parse::<f64>() {
        Ok(0.0) => Ok(Budget::Default),
        Ok(usd) if usd.is_finite() && usd > 0.0 => Ok(Budget::Usd(usd)),
        Ok(_) | Err(_) => {
            Err("expected an amount in US dollars such as 0.50, 0 for the default, or `none`".to_owned())
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct DispatchArguments {
    /// The agent
    pub(super) agent: String,
    /// The task, complete in itself; `-` reads it from standard input
    pub(super) task: String,
    /// Background: findings, file contents, constraints
    #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    pub(super) context: String,
    /// Who asks, for the agent and for the audit trail
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(super) caller: String,
    /// What the answer is for
    #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    pub(super) goal: String,
    /// `text`, `json`, a JSON Schema, or a file that holds one
    #[arg(long, value_name = "FORMAT")]
    pub(super) response_format: Option<String>,
    /// Seconds the run may take, 10 to 7200; without it the agent's own limit
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(10..=7200))]
    pub(super) timeout: Option<i64>,
    /// A group of which the agent is a member: its shared context is added
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(super) group: String,
    /// A conversation with this agent to go on with
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(super) session: String,
    /// Print the job's id at once; it runs to its end by itself
    #[arg(long = "async")]
    pub(super) detached: bool,
    /// Neither take the answer from the cache nor join an identical dispatch
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Where a job can be in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Status {
    Pending,
    Running,
    Done,
    Failed,
    Cancelled,
    Interrupted,
}

#[derive(Debug, Args)]
pub(super) struct AuditArguments {
    /// At most so many records, 1 to 1000
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) limit: u32,
    /// Only records of this agent
    #[arg(long)]
    pub(super) agent: Option<String>,
    /// Only records not older than this: `2h ago`, `yesterday`, `2026-11-21 10:15`, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Only records of this dispatch (the beginning of its id is enough)
    #[arg(long, value_name = "ID")]
    pub(super) dispatch: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Show a dispatch with all its records, or one record
    Show {
        /// A dispatch's id (the beginning is enough) or a record's number
        what: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that no record was changed, removed or added behind the log's back; exits with 1 if one was
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

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
